package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
)

// losses asks what deleting objects would take along.
func (b *back) losses(ctx context.Context, t Tenant) error {
	if b.Fresh {
		return nil
	}
	view := &kind.View{}
	var found []kind.Notice
	err := rounds(ctx, lenient{t}, view, func() {
		found = nil
		for _, s := range b.out.Plan.Steps {
			at := b.sights[s.Address]
			if !s.Removed() || at.kind.Losses == nil {
				continue
			}
			more, _ := at.kind.Losses(at.desired, at.found, view)
			found = append(found, more...)
		}
	})
	if err != nil {
		return fmt.Errorf("looking at what taking back the run %s would lose: %w", b.Log.Header.Run, err)
	}
	for _, n := range found {
		n.Detail += " With --force it is deleted all the same."
		if b.Force {
			n.Acknowledged = kind.ByForce
		}
		b.out.Plan.Notices = append(b.out.Plan.Notices, n)
	}
	return nil
}

// lenient answers with nil what may not be read.
type lenient struct{ Tenant }

func (l lenient) Read(ctx context.Context, reads []kind.Read) (map[string]any, error) {
	out := map[string]any{}
	for _, r := range reads {
		a, err := l.Tenant.Read(ctx, []kind.Read{r})
		switch {
		case forbidden(err):
			out[r.Key()] = nil
		case err != nil:
			return nil, err
		default:
			out[r.Key()] = a[r.Key()]
		}
	}
	return out, nil
}

// unrecorded looks, where the journal breaks off, for steps that are as the run was to
// leave them though no record says that they were begun: if the journal lost its end,
// they are the run's. They are left alone and told.
func (b *back) unrecorded(ctx context.Context, t Tenant) error {
	if slices.ContainsFunc(b.Log.Records, func(r journal.Record) bool { return r.Type == journal.TypeEnd }) {
		return nil // nothing was begun that is not on record
	}
	var never []string
	for _, s := range b.Plan.Steps {
		if b.state(s.ID) == nil && !slices.Contains(b.order, s.Address) {
			never = append(never, s.ID)
		}
	}
	findings, err := b.look(ctx, t, never)
	if err != nil {
		return fmt.Errorf("looking for what the journal of the run %s does not tell: %w", b.Log.Header.Run, err)
	}
	for _, id := range never {
		if findings[id].State == kind.AsAfter {
			b.out.Left = append(b.out.Left, Left{
				Address: b.step(id).Address, Step: id,
				Why: "it is as the run was to leave it, but the journal, which breaks off, does not say that the run did it",
			})
		}
	}
	return nil
}

// notices tells what stays and what is lost.
func (b *back) notices() {
	for _, l := range b.out.Left {
		n := kind.Notice{ID: "left-alone", Address: l.Address, Level: kind.Warn, Summary: fmt.Sprintf("%s is left alone: %s", l.Step, l.Why)}
		for _, a := range l.Otherwise {
			n.Detail += fmt.Sprintf("%s: before the run %s, after it %s, now %s.\n", a.Path, brief(a.Before), brief(a.After), brief(a.Now))
		}
		if len(l.Otherwise) > 0 {
			n.Detail += "With --force it is taken back all the same."
		}
		b.out.Plan.Notices = append(b.out.Plan.Notices, n)
	}
	for _, l := range b.out.Lost {
		b.out.Plan.Notices = append(b.out.Plan.Notices, kind.Notice{
			ID: "not-undone", Address: l.Address, Level: kind.Warn,
			Summary: l.String(),
		})
	}
	slices.SortStableFunc(b.out.Plan.Notices, func(x, y kind.Notice) int { return strings.Compare(x.ID+" "+x.Address, y.ID+" "+y.Address) })
}

// brief shows a value in a line.
func brief(v any) string {
	if v == nil {
		return "not there"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "something else"
	}
	if r := []rune(string(b)); len(r) > 120 {
		return string(r[:120]) + "…"
	}
	return string(b)
}
