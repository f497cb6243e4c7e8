package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// BackAll plans to take back what a rollout did, on each target, as PlanAll plans to apply:
// the parts are for RollOut. A tenant on which nothing is left of the rollout has a plan
// without steps. The tenants' locks must be held; of o, Force, SideBySide, Refused and
// Progress count.
func BackAll(ctx context.Context, ts []*Target, rollout, tool string, past PastOptions, o PlanOptions) ([]Part, *planner.Plan) {
	parts := make([]Part, len(ts))
	var g errgroup.Group
	g.SetLimit(cmp.Or(o.SideBySide, DefaultSideBySide))
	o.Progress.planning(len(ts))
	for i, t := range ts {
		g.Go(func() error {
			o.Progress.reading(t)
			p := Part{Target: t, Refused: o.Refused[t.Tenant.Name]}
			if p.Refused == nil {
				p.RollsBack, p.Back, p.Refused = t.planBack(ctx, rollout, o.Force, past)
			}
			if p.Back != nil {
				p.Plan = p.Back.Plan
			}
			p.Plan.Tenant, p.Plan.Domain = t.Tenant.Name, t.Tenant.Domain
			if p.Refused != nil {
				p.Plan.Error = p.Refused.Error()
			}
			parts[i] = p
			o.Progress.planned(&p.Plan)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	plan := &planner.Plan{Format: planner.Format, Tool: tool}
	for _, p := range parts {
		plan.ManifestDigest = p.Target.ManifestDigest
		plan.Tenants = append(plan.Tenants, p.Plan)
	}
	plan.Seal()
	return parts, plan
}

// planBack plans to take back the newest run of a rollout that is not taken back; there may
// be none.
func (t *Target) planBack(ctx context.Context, rollout string, force bool, past PastOptions) (run string, back *executor.Rollback, err error) {
	logs, err := journal.Load(t.Store, t.Tenant.Name, t.Tenant.Domain)
	if err != nil {
		return "", nil, err
	}
	taken := map[string]bool{}
	for _, l := range slices.Backward(logs) {
		switch h := l.Header; {
		case taken[h.Run]: // a rollback too: what it took back stands again
		case h.RollsBack != "" && l.Outcome() == journal.OutcomeDone && len(l.Unsettled()) == 0:
			taken[h.RollsBack] = true
		case h.RollsBack != "" && !taken[h.RollsBack]:
			return "", nil, fmt.Errorf("%s: the rollback %s is not finished: finish it first, by 'ecplan resume %s'", t.Tenant.Name, h.Run, h.Run)
		case h.Rollout == rollout:
			back, err := t.PlanRollback(ctx, h.Run, force, past)
			return h.Run, back, err
		}
	}
	return "", nil, nil
}

// back takes a tenant's run back and says how far it could.
func (r *rollout) back(t *Target, res *Result, why string) {
	r.Progress.back(res, why)
	o, past := r.Apply, r.Past
	o.Progress, past.Fresh = r.Progress.Steps(res.Tenant, false), res.fresh
	past.Settled = func(run string, s executor.Settled) {
		res.Outcome.Found(s)
		if r.Past.Settled != nil {
			r.Past.Settled(run, s)
		}
	}
	res.Back, res.BackOutcome, res.BackErr = t.TakeBack(o.Hard, res.Outcome.Run, past, o)
	if TakenBack(res.Back, res.BackOutcome, res.BackErr) {
		res.State = StateRolledBack
	} else {
		res.State = StateFailed
	}
}

// TakenBack reports whether what TakeBack returned means that the tenant is as before.
func TakenBack(back *executor.Rollback, out executor.Outcome, err error) bool {
	return err == nil && back != nil && (len(back.Plan.Steps) == 0 || out.OK()) && len(back.Left)+len(back.Lost) == 0
}

// takeBack takes back what the rollout's rules say when too many tenants failed: the
// newest wave first.
func (r *rollout) takeBack(waves [][]*Result) {
	switch r.Rollback {
	case manifest.RollbackWave:
		waves = waves[len(waves)-1:]
	case manifest.RollbackAll:
	default:
		return
	}
	for _, wave := range slices.Backward(waves) {
		var g errgroup.Group
		g.SetLimit(cap(r.slots))
		for _, res := range wave {
			if res.State != StateDone || res.Outcome.Run == "" {
				continue
			}
			g.Go(func() error {
				res.Err = fmt.Errorf("it was done, and taken back because %w", r.stop)
				r.back(r.parts[res.Tenant].Target, res, r.stop.Error())
				r.ruled(res)
				return nil
			})
		}
		_ = g.Wait() // no function returns an error
	}
}
