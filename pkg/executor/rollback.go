package executor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// Rollback is what taking a run back comes to.
type Rollback struct {
	// Plan does it. Its notices tell what Left and Lost hold.
	Plan planner.TenantPlan
	// Left is what stays as it is because somebody changed it since.
	Left []Left
	// Lost is what can't be taken back wholly.
	Lost []Lost
}

// Left is an object that a rollback does not touch.
type Left struct {
	Address, Step string
	Why           string
	Otherwise     []kind.Aside
}

// Lost is a step that can't be taken back, or only partly.
type Lost struct {
	Address, Step string
	Why           string
	// Partly says that the step is taken back, but for what Why names.
	Partly bool
}

// String is a sentence without its end.
func (l Lost) String() string {
	if l.Partly {
		return l.Step + " is taken back, but not wholly: " + l.Why
	}
	return l.Step + " can't be taken back: " + l.Why
}

// RollbackOptions say what a rollback may do.
type RollbackOptions struct {
	// Force takes back also what somebody else changed since, and deletes what others
	// may have come to use.
	Force bool
	// Fresh says that the run did not succeed and nothing came after it, so that nobody
	// can have come to use what it made.
	Fresh bool
	// Own are the ids that ecplan's runs know objects by, by address: one that came back
	// under a new id is still the run's.
	Own map[string]string
}

// PlanRollback makes the plan that takes a run back: for each object that the run
// changed, the writes that bring it to where the run found it, in the reverse order of
// what they need. Only what still is as the run left it is touched, unless forced. All
// steps of the run must be settled. It reads the tenant and sends nothing.
func PlanRollback(ctx context.Context, t Tenant, past Past, o RollbackOptions) (*Rollback, error) {
	if left := past.Log.Unsettled(); len(left) > 0 {
		return nil, fmt.Errorf("the run %s has steps whose outcome nobody knows (%s); they must be settled before it is taken back", past.Log.Header.Run, strings.Join(left, ", "))
	}
	b := &back{Past: &past, RollbackOptions: o, out: &Rollback{}, former: map[string]any{}, flows: map[string]flow{}}
	b.out.Plan = planner.TenantPlan{Tenant: past.Plan.Tenant, Domain: past.Plan.Domain, Observed: map[string]string{}}
	b.collect()
	var err error
	if b.sights, err = past.observe(ctx, t, b.order, nil); err != nil {
		return nil, fmt.Errorf("planning to take back the run %s: %w", past.Log.Header.Run, err)
	}
	for _, address := range b.order {
		b.judge(address)
	}
	b.relate()
	b.keepWhatIsNeeded()
	b.arrange()
	for _, address := range b.order {
		if err := b.plan(address); err != nil {
			return nil, fmt.Errorf("planning to take back %s: %w", address, err)
		}
	}
	planner.LetGoFirst(b.out.Plan.Steps)
	b.out.Plan.Steps = planner.Sequence(b.out.Plan.Steps, func(x, y int) bool { return x < y })
	planner.MarkLost(b.out.Plan.Steps)
	if err := b.losses(ctx, t); err != nil {
		return nil, err
	}
	if err := b.unrecorded(ctx, t); err != nil {
		return nil, err
	}
	b.notices()
	return b.out, nil
}

// back is a rollback while it is planned.
type back struct {
	*Past
	RollbackOptions
	out    *Rollback
	order  []string               // addresses, in the order in which they are taken back
	needs  map[string][]string    // by address: those of objects that its own refers to
	after  map[string][]string    // by address: those that must be taken back before it
	done   map[string][]kind.Step // their done steps, in the order in which they were begun
	revert map[string][]kind.Step // those to be taken back
	left   map[string]bool        // addresses that are left alone
	sights map[string]*sight

	former map[string]any  // what stands for the former ids of objects that come back
	flows  map[string]flow // by guarded read
}

// flow is what the last of the plan's writes to something guarded leaves there.
type flow struct {
	step   string
	leaves map[string]any
}

func (b *back) collect() {
	b.done, b.revert, b.left = map[string][]kind.Step{}, map[string][]kind.Step{}, map[string]bool{}
	first := map[string]int{}
	steps := slices.Clone(b.Plan.Steps)
	slices.SortStableFunc(steps, func(x, y kind.Step) int { return b.seq(x.ID) - b.seq(y.ID) })
	for _, s := range steps {
		if !b.Past.done(s.ID) {
			continue
		}
		if _, seen := first[s.Address]; !seen {
			first[s.Address] = b.seq(s.ID)
			b.order = append(b.order, s.Address)
		}
		b.done[s.Address] = append(b.done[s.Address], b.filled(s))
	}
	slices.SortFunc(b.order, func(x, y string) int { return first[y] - first[x] })
}

func (b *back) seq(id string) int {
	if st := b.state(id); st != nil {
		return st.IntentSeq
	}
	return 0
}

// judge tells, for each step on an address, whether it can and may be taken back.
func (b *back) judge(address string) {
	at := b.sights[address]
	if at.err != nil {
		b.leave(Left{Address: address, Step: b.done[address][0].ID, Why: at.err.Error()})
		return
	}
	if made, other := b.another(address, at); other && (made || !b.Force) {
		b.leave(Left{Address: address, Step: b.done[address][0].ID, Why: "the object that the run wrote is gone, and another one is in its place"})
		return
	}
	for _, s := range b.done[address] {
		f := b.compare(s, at)
		switch {
		case s.Undo.Effect == kind.None && !s.Made() && !b.spared(s):
			if f.State != kind.AsBefore {
				b.out.Lost = append(b.out.Lost, Lost{Address: address, Step: s.ID, Why: s.Undo.How})
			}
		case f.State == kind.AsBefore, s.Made() && f.State == kind.Absent:
			// It is back already.
		case f.State == kind.Absent:
			if s.Part == "" {
				b.leave(Left{Address: address, Step: s.ID, Why: "it is no longer on the tenant; somebody deleted it"})
			}
		case f.State == kind.Neither && !b.Force:
			b.leave(Left{Address: address, Step: s.ID, Why: "somebody changed it since the run", Otherwise: f.Otherwise})
		default:
			b.revert[address] = append(b.revert[address], s)
			for _, what := range s.Undo.Lost {
				b.out.Lost = append(b.out.Lost, Lost{Address: address, Step: s.ID, Why: what, Partly: true})
			}
		}
	}
	if b.left[address] && slices.ContainsFunc(b.done[address], func(s kind.Step) bool { return s.Made() }) {
		delete(b.revert, address) // what is left is left whole
	}
}

// another says that what is found at an address is no object that ecplan's runs know,
// though it bears the name of one, and whether the run had made that one. Where the run
// deleted something, anything that is there by now is told by comparing.
func (b *back) another(address string, at *sight) (made, other bool) {
	id := b.id(address)
	if !at.found.Exists || id == "" || b.has(address, func(s kind.Step) bool { return s.Removed() }) {
		return false, false
	}
	made = b.has(address, func(s kind.Step) bool { return s.Made() })
	return made, at.found.ID != id && at.found.ID != b.Own[address]
}

// spared says that a step took away what would go for good with another object, and
// that the run did not come to take that away.
func (b *back) spared(s kind.Step) bool {
	return s.Undo.With != "" && !slices.ContainsFunc(b.done[s.Undo.With], func(o kind.Step) bool { return o.Removed() && !b.spared(o) })
}

func (b *back) leave(l Left) {
	b.left[l.Address] = true
	b.out.Left = append(b.out.Left, l)
}

// plan adds the writes that take an address back.
func (b *back) plan(address string) error {
	steps := b.revert[address]
	if len(steps) == 0 {
		return nil
	}
	at := b.sights[address]
	o := at.found
	for _, s := range steps {
		if s.Guard == nil {
			continue
		}
		if f, written := b.flows[s.Guard.Read.Key()]; written {
			o.Spec = maps.Clone(o.Spec)
			maps.Copy(o.Spec, f.leaves)
		}
	}
	d := at.kind.Former(at.desired, steps)
	d.Spec, _ = b.mend(d.Spec).(map[string]any)
	d.Removing = slices.ContainsFunc(steps, func(s kind.Step) bool { return s.Made() })
	gone := slices.ContainsFunc(steps, func(s kind.Step) bool { return s.Removed() })
	var undo []kind.Step
	var err error
	switch {
	case gone:
		undo, err = at.kind.Steps(d, kind.Observed{})
	case at.kind.Restore != nil:
		undo, err = at.kind.Restore(d, o, steps)
	case d.Removing:
		undo, err = at.kind.Delete(d, o)
	default:
		undo, err = at.kind.Steps(d, o)
	}
	if err != nil {
		return err
	}
	b.add(address, undo)
	if gone {
		for _, s := range undo {
			if s.Made() && len(s.Outputs) > 0 && steps[0].ObjectID != "" {
				b.former[steps[0].ObjectID] = manifest.Ref(s.ID, s.Outputs[0])
			}
		}
	}
	b.out.Plan.Observed[address] = planner.Digest([]any{o.ID, o.Spec})
	return nil
}

// add appends an address's writes: one after the other, behind those on objects that
// needed this one, and behind those that its guards and references count on.
func (b *back) add(address string, undo []kind.Step) {
	run := b.Log.Header.Run
	for i, s := range undo {
		needs := map[string]bool{}
		for _, id := range manifest.Refs([]any{s.Request.Path, s.Request.Body}) {
			needs[id] = id != s.ID
		}
		if i > 0 {
			needs[undo[i-1].ID] = true
		} else {
			for _, p := range b.out.Plan.Steps {
				needs[p.ID] = needs[p.ID] || b.waits(address, p.Address)
			}
		}
		switch {
		case s.Removed():
			s.Reason = "the run " + run + " created it"
		case s.Made():
			s.Reason = "the run " + run + " deleted it"
		case s.Action == kind.Update:
			s.Reason = "it was otherwise before the run " + run
		}
		if s.Guard != nil {
			key := s.Guard.Read.Key()
			needs[b.flows[key].step] = b.flows[key].step != ""
			b.flows[key] = flow{s.ID, s.After}
		}
		s.Needs = nil
		for _, id := range manifest.Keys(needs) {
			if needs[id] {
				s.Needs = append(s.Needs, id)
			}
		}
		b.out.Plan.Steps = append(b.out.Plan.Steps, s)
	}
}

// mend puts references in place of the former ids of objects that come back under
// new ones.
func (b *back) mend(v any) any {
	switch v := v.(type) {
	case string:
		if ref, ok := b.former[v]; ok {
			return ref
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = b.mend(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = b.mend(e)
		}
		return out
	}
	return v
}
