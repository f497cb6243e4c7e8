package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/planner"
)

// PastOptions say how runs that are over or were interrupted are taken up.
type PastOptions struct {
	Who journal.Who
	// Settle is how long after an intent a request that shows no effect may still get
	// one (executor.DefaultSettle for real tenants).
	Settle time.Duration
	// Settled, if not nil, hears of each request whose outcome was found out.
	Settled func(run string, s executor.Settled)
	// Fresh says that even a run that is done was only now, as part of a rollout that is
	// not over: nobody can have come to use what it made.
	Fresh bool
	Now   func() time.Time
}

// Unfinished lists the tenant's runs that were interrupted or left requests behind of
// which nobody knows whether they had an effect, oldest first.
func (t *Target) Unfinished() ([]*journal.Log, error) {
	logs, err := journal.Load(t.Store, t.Tenant.Name, t.Tenant.Domain)
	if err != nil {
		return nil, err
	}
	return unfinished(logs), nil
}

// unfinished leaves of runs those that were interrupted or left requests unsettled.
func unfinished(runs []*journal.Log) []*journal.Log {
	var out []*journal.Log
	for _, l := range runs {
		if l.UnderWay == nil && (l.Interrupted() || len(l.Unsettled()) > 0) {
			out = append(out, l)
		}
	}
	return out
}

// reopen takes a run of this tenant up again and settles it. The caller must close
// the journal. The tenant's lock must be held.
func (t *Target) reopen(ctx context.Context, run string, o PastOptions) (*journal.Run, executor.Past, error) {
	past, err := t.past(run)
	if err != nil {
		return nil, past, err
	}
	j, err := journal.Reopen(t.Store, run, o.Who, o.Now)
	if err != nil {
		return nil, past, err
	}
	past.Log = j.Log()
	_, err = executor.Settle(ctx, executor.SettleOptions{
		Plan: past.Plan, Tenant: t.client, Journal: j, Wait: o.Settle, Now: o.Now,
		Progress: func(s executor.Settled) {
			if o.Settled != nil {
				o.Settled(run, s)
			}
		},
	})
	if err != nil {
		return nil, past, errors.Join(err, j.Close())
	}
	return j, past, nil
}

// past reads a run and checks that it is one of this tenant.
func (t *Target) past(run string) (executor.Past, error) {
	past, err := executor.Load(t.Store, run)
	if err != nil {
		return past, err
	}
	h := past.Log.Header
	switch {
	case len(past.Log.Records) == 0:
		return past, fmt.Errorf("the run %s never began: its journal is empty, and nothing was sent", run)
	case h.Tenant != t.Tenant.Name:
		return past, fmt.Errorf("the run %s was on the tenant %s, not on %s", run, h.Tenant, t.Tenant.Name)
	case h.Domain != t.Tenant.Domain:
		return past, fmt.Errorf("the run %s was on %s, and the tenant %s is now %s; nothing is done", run, h.Domain, h.Tenant, t.Tenant.Domain)
	}
	return past, nil
}

// Settle finds out what became of an interrupted run's requests and closes the run:
// what it did stays. The tenant's lock must be held.
func (t *Target) Settle(ctx context.Context, run string, o PastOptions) error {
	j, past, err := t.reopen(ctx, run, o)
	if err != nil {
		return err
	}
	return errors.Join(executor.Abandon(j, past.Plan, ""), j.Close())
}

// Abandon closes an interrupted run without looking: the tenant is taken as it is.
func (t *Target) Abandon(run string, o PastOptions) error {
	past, err := t.past(run)
	if err != nil {
		return err
	}
	j, err := journal.Reopen(t.Store, run, o.Who, o.Now)
	if err != nil {
		return err
	}
	return errors.Join(executor.Abandon(j, past.Plan, "given up by hand; what became of it was not looked at"), j.Close())
}

// Changed says that what is left of a run can't be done any more as it was planned.
type Changed struct {
	Run   string
	Steps []executor.Settled
}

func (e *Changed) Error() string {
	msg := fmt.Sprintf("the run %s can't be finished as it was planned, and nothing was sent: the tenant has changed.", e.Run)
	for _, s := range e.Steps {
		msg += fmt.Sprintf("\n  %s: the object is %s", s.Step, s.State)
		if s.Why != "" {
			msg += ": " + s.Why
		}
	}
	return msg + "\nPlan anew: 'ecplan apply' settles the run and goes on from what is there."
}

// Left reads a run and tells which of its steps are left, with the run's plan.
func (t *Target) Left(run string) (planner.TenantPlan, []string, error) {
	past, err := t.past(run)
	if err != nil {
		return planner.TenantPlan{}, nil, err
	}
	var left []string
	for _, s := range past.Plan.Steps {
		if st := past.Log.Steps[s.ID]; st == nil || st.Done == nil || s.Await != nil && !st.Awaited {
			left = append(left, s.ID)
		}
	}
	return past.Plan, left, nil
}

// Resume finishes an interrupted run: it settles what is unknown, looks whether what is
// left can still be done as planned, and does it. The tenant's lock must be held. An
// error means that nothing was sent.
func (t *Target) Resume(ctx context.Context, run string, p PastOptions, o ApplyOptions) (planner.TenantPlan, executor.Outcome, error) {
	var none executor.Outcome
	id, err := t.Identity(ctx)
	if err != nil {
		return planner.TenantPlan{}, none, err
	}
	fingerprint, err := journal.Fingerprinter(t.Store)
	if err != nil {
		return planner.TenantPlan{}, none, err
	}
	j, past, err := t.reopen(ctx, run, p)
	if err != nil {
		return past.Plan, none, err
	}
	changed, err := executor.Remaining(ctx, t.client, j, past.Plan)
	if err == nil && len(changed) > 0 {
		err = &Changed{Run: run, Steps: changed}
	}
	if err == nil {
		rest := past.Plan
		rest.Notices = nil // they were accepted when the run was begun
		err = Refused(rest, id)
	}
	if err != nil {
		return past.Plan, none, errors.Join(err, j.Close())
	}
	out := executor.Apply(ctx, executor.Options{
		Plan: past.Plan, Tenant: t.client, Journal: j, Secrets: t.secrets(), Fingerprint: fingerprint,
		Parallel: o.Parallel, Poll: o.Poll, Hard: o.Hard, Progress: o.Progress, Now: o.Now,
	})
	if err := j.Close(); err != nil && out.Err == nil {
		out.Err = fmt.Errorf("close the run's journal: %w", err)
	}
	return past.Plan, out, nil
}

// PlanRollback settles a run if need be, and plans to take it back. Apply carries the
// plan out, with RollsBack set. The tenant's lock must be held.
func (t *Target) PlanRollback(ctx context.Context, run string, force bool, o PastOptions) (*executor.Rollback, error) {
	past, err := t.past(run)
	if err != nil {
		return nil, err
	}
	logs, err := journal.Load(t.Store, t.Tenant.Name, t.Tenant.Domain)
	if err != nil {
		return nil, err
	}
	built := slices.ContainsFunc(logs, func(l *journal.Log) bool { return l.Header.Run > run && l.Header.RollsBack == "" })
	own := map[string]string{}
	for address, record := range journal.Fold(logs) {
		own[address] = record.ID
	}
	how := executor.RollbackOptions{Own: own, Force: force, Fresh: !built && (o.Fresh || past.Log.Outcome() != journal.OutcomeDone)}
	if !past.Log.Interrupted() && len(past.Log.Unsettled()) == 0 {
		return executor.PlanRollback(ctx, t.client, past, how)
	}
	j, past, err := t.reopen(ctx, run, o)
	if err != nil {
		return nil, err
	}
	back, err := executor.PlanRollback(ctx, t.client, past, how)
	if err == nil {
		err = executor.Abandon(j, past.Plan, "")
	}
	return back, errors.Join(err, j.Close())
}

// TakeBack takes back what a run did that just failed, as far as it can be, without
// touching what anybody else did. The tenant's lock must be held.
func (t *Target) TakeBack(ctx context.Context, run string, p PastOptions, o ApplyOptions) (*executor.Rollback, executor.Outcome, error) {
	back, err := t.PlanRollback(ctx, run, false, p)
	if err != nil {
		return nil, executor.Outcome{}, err
	}
	if len(back.Plan.Steps) == 0 {
		return back, executor.Outcome{}, nil
	}
	o.RollsBack = run
	out, err := t.Apply(ctx, back.Plan, o)
	return back, out, err
}
