package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// State says how far a tenant came in a rollout.
type State string

// The states.
const (
	StateDone       State = "done"
	StateNothing    State = "nothing to do"
	StateRefused    State = "refused"     // nothing was sent
	StateFailed     State = "failed"      // changes remain
	StateRolledBack State = "rolled back" // failed or given up, and the tenant is as before
	StateNotBegun   State = "not begun"   // something before it failed or was stopped; nothing was sent
)

// Part is what a rollout is to do on one tenant.
type Part struct {
	Target *Target
	Plan   planner.TenantPlan
	// Refused, if there, says why the tenant is left alone.
	Refused error
	// Past are the runs that the rollout began there before it was interrupted.
	Past Past
	// RollsBack names the run that the plan takes back, "" for any other plan; Back says
	// what that leaves.
	RollsBack string
	Back      *executor.Rollback
}

// refused says why nothing can be done, nil if it can.
func (p *Part) refused() error {
	if p.Refused == nil && p.Plan.Error != "" && !p.Past.begun() {
		return errors.New(p.Plan.Error)
	}
	return p.Refused
}

// Result is what came of a part.
type Result struct {
	Tenant, Domain, Wave string
	Plan                 planner.TenantPlan
	State                State
	// Outcome is that of the run, zero where there was none.
	Outcome executor.Outcome
	// Err says why it is not done.
	Err error
	// Back is how it was taken back, nil if it was not; BackOutcome is that of the run
	// which did, BackErr why it could not be begun.
	Back        *executor.Rollback
	BackOutcome executor.Outcome
	BackErr     error
	Began       time.Time
	Took        time.Duration

	// RollsBack and Takes are the part's RollsBack and Back.
	RollsBack string
	Takes     *executor.Rollback

	// fresh says that its run was carried out now, and not before an interruption.
	fresh bool
}

// Failed reports whether the tenant counts among a rollout's failures.
func (r *Result) Failed() bool { return r.State != StateDone && r.State != StateNothing }

// Unplanned reports whether nothing was done because there is no plan that holds: none
// could be made, the tenant has changed since, or something in it refuses. A resume can't
// change that.
func (r *Result) Unplanned() bool {
	var stale *Stale
	refuses := slices.ContainsFunc(r.Plan.Notices, func(n kind.Notice) bool { return n.Level == kind.Refusal && n.Acknowledged == "" })
	return r.State == StateRefused && (r.Plan.Error != "" || refuses || errors.As(r.Err, &stale))
}

// RolloutOptions say under which rules a rollout runs.
type RolloutOptions struct {
	Waves []Wave
	// MaxFailures is how many tenants may fail before no more are begun; below 0, any number.
	MaxFailures int
	// Rollback is what is taken back when more fail, a word of manifest's. But for
	// "nothing", a tenant that fails takes its own changes back.
	Rollback string
	// SideBySide is how many tenants are worked on at once; 0 is DefaultSideBySide.
	SideBySide int
	// Apply and Past are the options of each tenant's run; their Progress is set here.
	Apply ApplyOptions
	Past  PastOptions
	// Plan are the options with which the plan was made: a wave after the first plans
	// again and goes on only where the plan is the same.
	Plan PlanOptions
	// Again says that the first wave plans again as well: its plan is an old one.
	Again bool
	// Confirm is asked before the wave after one whose check is "confirm": nil, or why not.
	// When ctx ends, nobody waits for its answer any more.
	Confirm  func(done, next Wave) error
	Progress *Progress
}

// RollOut carries out parts wave by wave, the tenants of a wave side by side. The
// tenants' locks must be held. What fails on one tenant touches no other, unless the
// rollout's own rules say so: when more than MaxFailures have failed, no more tenants
// are begun, and Rollback is done. When ctx ends, nothing new is started. The results
// are in the order of waves, and there is one for every part.
func RollOut(ctx context.Context, parts []Part, o RolloutOptions) []Result {
	r := &rollout{RolloutOptions: o, ctx: ctx, slots: make(chan struct{}, cmp.Or(o.SideBySide, DefaultSideBySide)), parts: map[string]*Part{}}
	if r.Apply.Hard == nil {
		r.Apply.Hard = context.Background()
	}
	steps := 0
	for i := range parts {
		r.parts[parts[i].Plan.Tenant] = &parts[i]
		steps += len(parts[i].Plan.Steps)
	}
	o.Progress.begin("run", len(parts), steps)
	var all [][]*Result
	for i, w := range o.Waves {
		wave := r.begin(w)
		all = append(all, wave)
		if r.stop == nil && ctx.Err() != nil {
			r.stop = errAskedToStop
		}
		if r.stop != nil {
			r.leave(wave)
			continue
		}
		o.Progress.wave(w)
		r.run(w, wave, i > 0 || o.Again)
		r.between(i, wave)
		if r.tooMany() && ctx.Err() == nil {
			r.takeBack(all)
		}
	}
	var out []Result
	for _, wave := range all {
		for _, res := range wave {
			out = append(out, *res)
		}
	}
	return out
}

// errAskedToStop says why nothing more is begun after an interruption.
var errAskedToStop = errors.New("the rollout was asked to stop")

// rollout is a RollOut while it goes on.
type rollout struct {
	RolloutOptions
	ctx   context.Context //nolint:containedctx // it lives as long as the call that it came with
	slots chan struct{}
	parts map[string]*Part // by tenant
	// stop says why no more tenants are begun.
	stop error

	mu       sync.Mutex
	failures []string
}

// begin makes the results of a wave, not begun.
func (r *rollout) begin(w Wave) []*Result {
	out := make([]*Result, 0, len(w.Tenants))
	for _, name := range w.Tenants {
		p := r.parts[name]
		out = append(out, &Result{Tenant: name, Domain: p.Plan.Domain, Wave: w.Name, Plan: p.Plan, State: StateNotBegun, RollsBack: p.RollsBack, Takes: p.Back})
	}
	return out
}

// leave says of the tenants that were not begun why.
func (r *rollout) leave(wave []*Result) {
	for _, res := range wave {
		if res.State == StateNotBegun && res.Err == nil {
			res.Err = fmt.Errorf("not begun, and nothing was changed: %w", r.stop)
			r.Progress.ended(res, false)
		}
	}
}

// run carries out the parts of a wave side by side. Those that are refused beforehand
// come first: where they are too many already, nothing is begun.
func (r *rollout) run(w Wave, wave []*Result, again bool) {
	var g sync.WaitGroup
	for _, res := range wave {
		if p := r.parts[res.Tenant]; p.refused() != nil {
			res.State, res.Err = StateRefused, p.refused()
			r.failed(res)
			r.Progress.ended(res, false)
		}
	}
	for _, res := range wave {
		if res.State == StateRefused {
			continue
		}
		r.slots <- struct{}{}
		if r.ctx.Err() != nil || r.tooMany() {
			<-r.slots
			break
		}
		g.Go(func() {
			defer func() { <-r.slots }()
			res.Began = time.Now()
			r.Progress.begun(res)
			r.part(r.parts[res.Tenant], res, again)
			res.Took = time.Since(res.Began)
			r.failed(res)
			r.Progress.ended(res, true)
		})
	}
	g.Wait()
	switch {
	case r.ctx.Err() != nil:
		r.stop = errAskedToStop
	case r.tooMany():
		r.stop = r.why(w)
	}
	r.leave(wave)
}

// failed counts a result among the failures if it is one.
func (r *rollout) failed(res *Result) {
	if res.Failed() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failures = append(r.failures, res.Tenant)
	}
}

func (r *rollout) tooMany() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.MaxFailures >= 0 && len(r.failures) > r.MaxFailures
}

// why says which tenants' failure ended the rollout.
func (r *rollout) why(w Wave) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.failures)
	return fmt.Errorf("the wave %s failed (%s)", w.Name, strings.Join(r.failures, ", "))
}

// part carries out one tenant's part.
func (r *rollout) part(p *Part, res *Result, again bool) {
	var err error
	switch {
	case p.Past.begun():
		r.goOn(p, res)
		return
	case again:
		err = r.stillSo(p)
	}
	switch {
	case err != nil:
		res.State, res.Err = StateRefused, err
	case len(p.Plan.Steps) == 0:
		res.State = StateNothing
	default:
		r.apply(p, res)
	}
}

// stillSo plans again for a tenant that had to wait, and says what has changed.
func (r *rollout) stillSo(p *Part) error {
	now, err := p.Target.Plan(r.ctx, r.planOptions())
	switch {
	case err != nil:
		return err
	case checksum(now) != checksum(p.Plan):
		return &Stale{Why: differences(p.Plan, now)}
	}
	return nil
}

func (r *rollout) planOptions() PlanOptions {
	o := r.Plan
	o.Progress = nil
	return o
}

func (r *rollout) applyOptions(p *Part, counts bool) ApplyOptions {
	o := r.Apply
	o.Progress, o.RollsBack = r.Progress.Steps(p.Plan.Tenant, counts), p.RollsBack
	return o
}

func (r *rollout) apply(p *Part, res *Result) {
	out, err := p.Target.Apply(r.ctx, p.Plan, r.applyOptions(p, true))
	if err != nil {
		res.State, res.Err = StateRefused, err
		return
	}
	r.judge(p, res, out)
}

// judge takes in how a run ended, and takes back what must not stay.
func (r *rollout) judge(p *Part, res *Result, out executor.Outcome) {
	res.Outcome, res.fresh = out, true
	switch {
	case out.OK():
		res.State = StateDone
	case !out.Changed():
		res.State, res.Err = StateRefused, out.Error()
	default:
		res.State, res.Err = StateFailed, out.Error()
		if r.Rollback != manifest.RollbackNothing {
			r.back(p.Target, res, "it failed")
		}
	}
}

// between does what comes after a wave, unless it is the last or nothing comes after it.
func (r *rollout) between(i int, wave []*Result) {
	if r.stop != nil || i == len(r.Waves)-1 {
		return
	}
	w := r.Waves[i]
	if w.Check == manifest.CheckNone {
		return
	}
	r.Progress.check(w)
	if w.Check == manifest.CheckVerify {
		r.verify(w, wave)
		return
	}
	if err := r.confirm(w, r.Waves[i+1]); err != nil {
		r.stop = fmt.Errorf("after the wave %s: %w", w.Name, err)
	}
}

// confirm asks whether it may go on: nil, or why not.
func (r *rollout) confirm(done, next Wave) error {
	if r.Confirm == nil {
		return errors.New("nobody can be asked whether it may go on")
	}
	answer := make(chan error, 1)
	go func() { answer <- r.Confirm(done, next) }()
	select {
	case err := <-answer:
		return err
	case <-r.ctx.Done():
		return errAskedToStop
	}
}

// verify looks whether the tenants that were changed are as declared.
func (r *rollout) verify(w Wave, wave []*Result) {
	var g errgroup.Group
	g.SetLimit(cap(r.slots))
	for _, res := range wave {
		if res.State != StateDone {
			continue
		}
		g.Go(func() error {
			p := r.parts[res.Tenant]
			if err := p.Target.AsDeclared(r.ctx, r.planOptions()); err != nil && r.ctx.Err() == nil {
				r.refuted(p, res, err)
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	if r.tooMany() {
		r.stop = r.why(w)
	}
}

// refuted takes in that a tenant which was done is not as declared.
func (r *rollout) refuted(p *Part, res *Result, err error) {
	res.State, res.Err = StateFailed, fmt.Errorf("all steps were done, and then the check failed: %w", err)
	if r.Rollback != manifest.RollbackNothing {
		r.back(p.Target, res, "the check failed")
	}
	r.failed(res)
	r.ruled(res)
}

// ruled tells that a tenant which was done counts as failed after all.
func (r *rollout) ruled(res *Result) {
	r.Progress.say(Event{Event: EventEnded, Tenant: res.Tenant, Wave: res.Wave, State: string(res.State), Text: res.Err.Error()},
		func(t *Tally) { t.Done--; t.Failed++ })
}
