package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// Past is a run as its folder tells it: what was planned, and how far it came.
type Past struct {
	Log  *journal.Log
	Plan planner.TenantPlan
}

// Load reads a run.
func Load(s journal.Store, name string) (Past, error) {
	l, err := journal.Read(s, name)
	if err != nil {
		return Past{}, err
	}
	if len(l.Records) == 0 {
		return Past{Log: l}, nil
	}
	data, err := journal.ReadPlan(s, l)
	if err != nil {
		return Past{}, err
	}
	p, err := planner.Read(data)
	if err != nil {
		return Past{}, fmt.Errorf("reading the plan of the run %s: %w", name, err)
	}
	if len(p.Tenants) != 1 {
		return Past{}, fmt.Errorf("the plan of the run %s is for %d tenants, and a run is on one", name, len(p.Tenants))
	}
	return Past{Log: l, Plan: p.Tenants[0]}, nil
}

// state is how far a step came, nil if it was never begun.
func (p *Past) state(id string) *journal.StepState { return p.Log.Steps[id] }

// done says whether a step's request had its effect.
func (p *Past) done(id string) bool { s := p.state(id); return s != nil && s.Done != nil }

// filled returns a step with those references filled in that done steps know of.
func (p *Past) filled(s kind.Step) kind.Step {
	outputs := map[string]map[string]any{}
	for id, st := range p.Log.Steps {
		if st.Done != nil {
			outputs[id] = st.Done.Outputs
		}
	}
	s.Key, _ = resolve(s.Key, outputs).(map[string]any)
	if s.Before != nil {
		s.Before, _ = resolve(s.Before, outputs).(map[string]any)
	}
	if s.After != nil {
		s.After, _ = resolve(s.After, outputs).(map[string]any)
	}
	if s.Twins != nil {
		t := *s.Twins
		t.Where, _ = resolve(t.Where, outputs).(map[string]any)
		s.Twins = &t
	}
	return s
}

// Of returns the steps on an address, filled in, in the plan's order.
func (p *Past) Of(address string) []kind.Step {
	var out []kind.Step
	for _, s := range p.Plan.Steps {
		if s.Address == address {
			out = append(out, p.filled(s))
		}
	}
	return out
}

// id is the id of an address's object as far as the run knows it.
func (p *Past) id(address string) string {
	id := ""
	for _, s := range p.Plan.Steps {
		if s.Address != address {
			continue
		}
		if s.ObjectID != "" {
			id = s.ObjectID
		}
		if p.done(s.ID) && p.state(s.ID).Done.ObjectID != "" {
			id = p.state(s.ID).Done.ObjectID
		}
	}
	return id
}

// sight is an address as the tenant has it now.
type sight struct {
	kind    *kind.Kind
	desired kind.Desired
	found   kind.Observed
	err     error
}

// observe looks the objects of addresses up, with fresh reads. ids name objects by
// address where the run's own knowledge does not do.
func (p *Past) observe(ctx context.Context, t Tenant, addresses []string, ids map[string]string) (map[string]*sight, error) {
	kinds, sights, view := kind.All(), map[string]*sight{}, &kind.View{Counts: map[string]int{}}
	for _, a := range addresses {
		if sights[a] != nil {
			continue
		}
		steps := p.Of(a)
		k := kinds[steps[0].Kind()]
		if k == nil {
			return nil, fmt.Errorf("%s: this version of ecplan does not know the kind %s", a, steps[0].Kind())
		}
		id := ids[a]
		if id == "" {
			id = p.id(a)
		}
		sights[a] = &sight{kind: k, desired: k.Again(steps, id)}
		view.Counts[k.Name]++
	}
	ask := func() {
		for _, a := range manifest.Keys(sights) {
			s := sights[a]
			s.found, s.err = s.kind.Observe(s.desired, view)
		}
	}
	return sights, rounds(ctx, t, view, ask)
}

// rounds asks and reads until nothing is missing any more.
func rounds(ctx context.Context, t Tenant, view *kind.View, ask func()) error {
	const most = 20 // each round reads something new; nothing needs more than a few
	for range most {
		ask()
		missing := view.Missing()
		if len(missing) == 0 {
			return nil
		}
		answers, err := t.Read(ctx, missing)
		if err != nil {
			return err
		}
		view.Answer(answers)
	}
	return errors.New("looking at the tenant did not come to an end: each answer asked for another one. This is a mistake in ecplan; please report it")
}

// compare tells how the tenant stands to a step of the run.
func (p *Past) compare(s kind.Step, at *sight) kind.Finding {
	var set map[string]kind.SecretRecord
	if st := p.state(s.ID); st != nil && st.Done != nil {
		set = map[string]kind.SecretRecord{}
		for path, t := range st.Done.Secrets {
			set[path] = kind.SecretRecord{Fingerprint: t.Fingerprint, UpdatedAt: t.UpdatedAt}
		}
	}
	return at.kind.Compare(p.filled(s), at.found, set)
}

// newTwins lists the objects that could be the one that a step created and that were
// not there before its request.
func (p *Past) newTwins(ctx context.Context, t Tenant, s kind.Step, before []string) ([]string, error) {
	s = p.filled(s)
	answers, err := t.Read(ctx, []kind.Read{s.Twins.Read})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, id := range picked(answers[s.Twins.Read.Key()], s.Twins.Pick, s.Twins.Where) {
		if id := fmt.Sprint(id); !slices.Contains(before, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// forbidden says that a read was refused for want of a scope.
func forbidden(err error) bool {
	var e *tenant.Error
	return errors.As(err, &e) && e.Status == 403
}
