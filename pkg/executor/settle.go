package executor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// DefaultSettle is how long after an intent the tenant must have been silent before it
// is believed that the request had no effect: a create was seen to take 10 seconds,
// and lists can lag (facts, recorded §0).
const DefaultSettle = 20 * time.Second

// SettleOptions say how unknown outcomes are settled.
type SettleOptions struct {
	Plan    planner.TenantPlan
	Tenant  Tenant
	Journal *journal.Run
	// Wait is how long after the intent a request that shows no effect may still get
	// one; 0 believes what is seen at once, which is for tests.
	Wait time.Duration
	// Progress, if not nil, hears of each step that is settled.
	Progress func(Settled)
	Now      func() time.Time
	Sleep    func(ctx context.Context, d time.Duration) error
}

// Settled says what became of a step whose outcome nobody knew.
type Settled struct {
	Step  string
	State kind.State
	// Otherwise is what is neither as before nor as after, and Why what else speaks
	// against a conclusion.
	Otherwise []kind.Aside
	Why       string
}

// UnsettledError says that the tenant is neither as it was before a request nor as the
// request was to leave it. Nothing is concluded from that.
type UnsettledError struct {
	Run   string
	Steps []Settled
}

func (e *UnsettledError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "what became of %d of the requests of the run %s can't be told, and nothing was changed:", len(e.Steps), e.Run)
	for _, s := range e.Steps {
		fmt.Fprintf(&b, "\n  %s: ", s.Step)
		if s.Why != "" {
			b.WriteString(s.Why)
		} else {
			b.WriteString("the tenant is neither as it was before nor as the request was to leave it")
		}
		for _, a := range s.Otherwise {
			fmt.Fprintf(&b, "\n    %s: before %s, after %s, now %s", a.Path, brief(a.Before), brief(a.After), brief(a.Now))
		}
	}
	fmt.Fprintf(&b, "\nSomebody else changed it meanwhile. Look at it; then 'ecplan resume %s --abandon' leaves all as it is and closes the run", e.Run)
	return b.String()
}

// again is how often the tenant is looked at while a request may still get its effect.
const again = 2 * time.Second

// Settle asks the tenant what became of the requests whose outcome nobody knows, and
// puts it on record. What shows no effect is believed to have none only when the
// options' Wait has passed since the intent. An *UnsettledError says that the answer is
// neither; nothing is sent in any case.
func Settle(ctx context.Context, o SettleOptions) ([]Settled, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	past := &Past{Log: o.Journal.Log(), Plan: o.Plan}
	var out []Settled
	for {
		left := past.Log.Unsettled()
		if len(left) == 0 {
			return out, nil
		}
		findings, err := past.look(ctx, o.Tenant, left)
		if err != nil {
			return out, fmt.Errorf("settling the run %s: %w", o.Journal.Name(), err)
		}
		var unclear []Settled
		var pause time.Duration
		for _, id := range left {
			f := findings[id]
			wait, settled, err := o.put(past, id, f)
			switch {
			case err != nil:
				return out, err
			case f.State == kind.Neither:
				unclear = append(unclear, f.Settled)
			case settled:
				out = append(out, f.Settled)
				if o.Progress != nil {
					o.Progress(f.Settled)
				}
			default:
				pause = max(pause, min(wait, again))
			}
		}
		if len(unclear) > 0 {
			return out, &UnsettledError{Run: o.Journal.Name(), Steps: unclear}
		}
		if pause > 0 {
			if err := o.Sleep(ctx, pause); err != nil {
				return out, fmt.Errorf("settling the run %s: %w", o.Journal.Name(), err)
			}
		}
	}
}

// finding is what was seen of an unsettled step.
type finding struct {
	Settled
	object map[string]any
}

// put records what was found of a step, unless it must be waited for.
func (o *SettleOptions) put(past *Past, id string, f finding) (wait time.Duration, settled bool, err error) {
	st := past.state(id)
	step := past.step(id)
	switch f.State {
	case kind.AsAfter:
		d := doneBy(&step, *st.Intent, f.object)
		d.Settled = true
		return 0, true, o.Journal.Done(id, d)
	case kind.Absent, kind.AsBefore:
		if wait := o.Wait - o.Now().Sub(st.IntentTime); o.Wait > 0 && wait > 0 {
			return wait, false, nil
		}
		return 0, true, o.Journal.Failed(id, journal.Failed{Message: "the request had no effect: the tenant is " + string(f.State), Settled: true})
	case kind.Neither:
	}
	return 0, false, nil
}

// step returns a step of the plan, filled in.
func (p *Past) step(id string) kind.Step {
	for _, s := range p.Plan.Steps {
		if s.ID == id {
			return p.filled(s)
		}
	}
	return kind.Step{ID: id}
}

// look tells how the tenant stands to steps.
func (p *Past) look(ctx context.Context, t Tenant, steps []string) (map[string]finding, error) {
	out := map[string]finding{}
	ids := map[string]string{}
	var addresses []string
	for _, id := range steps {
		s := p.step(id)
		if s.Address == "" {
			return nil, fmt.Errorf("the journal names a step %s that is not in the plan", id)
		}
		if st := p.state(id); s.Made() && s.Twins != nil && st != nil && st.Intent != nil {
			fresh, err := p.newTwins(ctx, t, s, st.Intent.Twins)
			if err != nil {
				return nil, err
			}
			switch len(fresh) {
			case 0:
				out[id] = finding{Settled: Settled{Step: id, State: kind.Absent}}
				continue
			case 1:
				ids[s.Address] = fresh[0]
			default:
				out[id] = finding{Settled: Settled{Step: id, State: kind.Neither, Why: fmt.Sprintf("since the request there are %d new objects that it could have created: %s", len(fresh), strings.Join(fresh, ", "))}}
				continue
			}
		}
		addresses = append(addresses, s.Address)
	}
	sights, err := p.observe(ctx, t, addresses, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range steps {
		if _, known := out[id]; known {
			continue
		}
		s := p.step(id)
		at := sights[s.Address]
		if at.err != nil {
			out[id] = finding{Settled: Settled{Step: id, State: kind.Neither, Why: at.err.Error()}}
			continue
		}
		f := p.compare(s, at)
		out[id] = finding{Settled: Settled{Step: id, State: f.State, Otherwise: f.Otherwise}, object: f.Object}
	}
	return out, nil
}

// Abandon puts on record that the run ends here, with its tenant as it is. Steps whose
// outcome nobody knows count as having had no effect.
func Abandon(j *journal.Run, p planner.TenantPlan, why string) error {
	log := j.Log()
	for _, id := range log.Unsettled() {
		if err := j.Failed(id, journal.Failed{Message: why, Settled: true}); err != nil {
			return err
		}
	}
	if log.End != nil {
		return nil
	}
	e := journal.End{Outcome: journal.OutcomeInterrupted}
	for _, r := range log.Records {
		if r.End != nil {
			e.Outcome = r.End.Outcome // how it ended before it was taken up again
		}
	}
	for _, s := range p.Steps {
		switch st := log.Steps[s.ID]; {
		case st == nil:
			e.NotStarted++
		case st.Done == nil || st.Failed != nil:
			e.Failed++
		default:
			e.Done++
		}
	}
	return j.End(e)
}

// Remaining lists what stands in the way of going on with a run that is settled: steps
// that were not begun although all that they need is done, and whose objects are no
// longer as the plan found them. Those that are as the plan wants them are put on
// record as done.
func Remaining(ctx context.Context, t Tenant, j *journal.Run, p planner.TenantPlan) ([]Settled, error) {
	past := &Past{Log: j.Log(), Plan: p}
	looked := map[string]bool{}
	var changed []Settled
	for { // what is found to be done may make others ready
		var ready []string
		for _, s := range p.Steps {
			if !looked[s.ID] && !past.done(s.ID) && past.ready(s) {
				ready, looked[s.ID] = append(ready, s.ID), true
			}
		}
		if len(ready) == 0 {
			return changed, nil
		}
		findings, err := past.look(ctx, t, ready)
		if err != nil {
			return nil, fmt.Errorf("looking at what is left of the run %s: %w", j.Name(), err)
		}
		for _, id := range ready {
			f, s := findings[id], past.step(id)
			switch {
			case f.State == kind.Neither || f.State == kind.Absent && s.Before != nil && !s.Made():
				changed = append(changed, f.Settled)
			case f.State == kind.AsAfter:
				if err := record(j, s, f); err != nil {
					return nil, err
				}
			}
		}
	}
}

func (p *Past) ready(s kind.Step) bool {
	for _, need := range s.Needs {
		if !p.done(need) {
			return false
		}
	}
	return true
}

// record puts on record that a step turned out to be done.
func record(j *journal.Run, s kind.Step, f finding) error {
	in := journal.Intent{Before: s.Digest}
	if err := j.Intent(s.ID, in); err != nil {
		return err
	}
	d := doneBy(&s, in, f.object)
	d.Settled = true
	return j.Done(s.ID, d)
}
