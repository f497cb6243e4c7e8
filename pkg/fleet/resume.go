package fleet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// Past are the runs that a rollout began on one tenant, oldest first.
type Past struct {
	Runs []*journal.Log
	// GivenUp says that the last of them was taken back since, by hand: it is not begun again.
	GivenUp bool
}

func (p Past) begun() bool { return len(p.Runs) > 0 }

// PastOf finds a rollout's runs on a tenant.
func (t *Target) PastOf(rollout string) (Past, error) {
	logs, err := journal.Load(t.Store, t.Tenant.Name, t.Tenant.Domain)
	if err != nil {
		return Past{}, err
	}
	var p Past
	for _, l := range logs {
		switch h := l.Header; {
		case h.Rollout == rollout:
			p.Runs, p.GivenUp = append(p.Runs, l), false
		case p.begun() && h.RollsBack == p.Runs[len(p.Runs)-1].Header.Run:
			p.GivenUp = l.Outcome() == journal.OutcomeDone
		}
	}
	return p, nil
}

// PastParts makes the parts of a rollout that is taken up again, from its record.
func PastParts(ts []*Target, record journal.Rollout, p *planner.Plan, refused Errs) []Part {
	parts := Parts(ts, p, refused)
	for i := range parts {
		past, err := parts[i].Target.PastOf(record.Name)
		parts[i].Past = past
		switch then := parts[i].Plan.Error; {
		case parts[i].Refused != nil:
		case err != nil:
			parts[i].Refused = err
		case then != "" && !past.begun():
			parts[i].Refused = errors.New("the rollout has no plan for it, and a resume carries out only what was planned: plan it anew. What kept it from being planned then: " + then)
		}
	}
	return parts
}

// goOn finishes what a rollout began on a tenant before it was interrupted.
func (r *rollout) goOn(p *Part, res *Result) {
	last := p.Past.Runs[len(p.Past.Runs)-1]
	run := last.Header.Run
	switch {
	case p.Past.GivenUp:
		res.State = StateNothing
	case last.Header.RollsBack != "":
		if last.Outcome() != journal.OutcomeDone || len(last.Unsettled()) > 0 {
			_, out, err := p.Target.Resume(r.ctx, run, r.Past, r.applyOptions(p, false))
			if err == nil && !out.OK() {
				err = out.Error()
			}
			if err != nil {
				res.State, res.Outcome.Run, res.Err = StateFailed, run, fmt.Errorf("taking the run %s back could not be finished: %w", last.Header.RollsBack, err)
				return
			}
		}
		r.anew(p, res)
	case last.Outcome() == journal.OutcomeDone:
		res.State, res.Outcome.Run = StateDone, run
	default:
		_, out, err := p.Target.Resume(r.ctx, run, r.Past, r.applyOptions(p, true))
		if err == nil {
			r.judge(p, res, out)
			return
		}
		res.State, res.Outcome.Run, res.Err = StateFailed, run, err
		if r.Rollback != manifest.RollbackNothing && r.ctx.Err() == nil {
			r.back(p.Target, res, "it can't be finished")
		}
	}
}

// anew applies the part to a tenant that was taken back, if the work is the same.
func (r *rollout) anew(p *Part, res *Result) {
	now, err := p.Target.Plan(r.ctx, r.planOptions())
	switch {
	case err != nil:
		res.State, res.Err = StateRefused, err
	case len(now.Steps) == 0:
		res.State = StateNothing
	case !sameWork(p.Plan, now):
		res.State, res.Err = StateRefused, &Stale{Why: differences(p.Plan, now)}
	default:
		p.Plan, res.Plan = now, now
		r.apply(p, res)
	}
}

// sameWork reports whether two plans of a tenant send the same requests. What they were
// computed from may differ: an Action that was taken back has another version.
func sameWork(a, b planner.TenantPlan) bool {
	type work struct {
		ID      string
		Action  kind.Verb
		Request kind.Request
	}
	of := func(p planner.TenantPlan) string {
		var out []work
		for _, s := range p.Steps {
			out = append(out, work{s.ID, s.Action, s.Request})
		}
		return planner.Digest(out)
	}
	return of(a) == of(b)
}

// Record puts a rollout that is about to begin on record.
func Record(s journal.Store, o RolloutOptions, command string, p *planner.Plan) (journal.Rollout, error) {
	plan, err := planner.Encode(p)
	if err != nil {
		return journal.Rollout{}, err
	}
	r := journal.Rollout{
		Tool: o.Apply.Tool, Command: command, Who: o.Apply.Who, Started: o.Apply.Now(),
		MaxFailures: o.MaxFailures, Rollback: o.Rollback,
	}
	for _, w := range o.Waves {
		r.Waves = append(r.Waves, journal.RolloutWave(w))
	}
	return journal.BeginRollout(s, r, plan, rand.Reader)
}

// Recorded reads what is on record of a rollout, "" of the newest: what was planned, and
// under which rules.
func Recorded(s journal.Store, name string) (journal.Rollout, *planner.Plan, RolloutOptions, error) {
	r, plan, err := journal.ReadRollout(s, name)
	if err != nil {
		return r, nil, RolloutOptions{}, err
	}
	p, err := planner.Read(plan)
	if err != nil {
		return r, nil, RolloutOptions{}, fmt.Errorf("the plan of the rollout %s: %w", r.Name, err)
	}
	if len(p.Tenants) == 0 {
		return r, nil, RolloutOptions{}, errors.New("the rollout " + r.Name + " is for no tenant")
	}
	o := RolloutOptions{MaxFailures: r.MaxFailures, Rollback: r.Rollback, Again: true}
	for _, w := range r.Waves {
		o.Waves = append(o.Waves, Wave(w))
	}
	o.Plan = PlanOptions{Mode: p.Tenants[0].Mode, Force: p.Tenants[0].Forced}
	return r, p, o, nil
}

// Narrow leaves of a plan and its waves what is about the targets.
func Narrow(p *planner.Plan, o *RolloutOptions, ts []*Target) {
	missing := func(tenant string) bool {
		return !slices.ContainsFunc(ts, func(t *Target) bool { return t.Tenant.Name == tenant })
	}
	p.Tenants = slices.DeleteFunc(p.Tenants, func(t planner.TenantPlan) bool { return missing(t.Tenant) })
	var waves []Wave
	for _, w := range o.Waves {
		w.Tenants = slices.DeleteFunc(slices.Clone(w.Tenants), missing)
		if len(w.Tenants) > 0 {
			waves = append(waves, w)
		}
	}
	o.Waves = waves
}

// Left names the tenants whose part is not done, nor given up.
func Left(parts []Part) []string {
	var out []string
	for _, p := range parts {
		if p.Past.begun() {
			last := p.Past.Runs[len(p.Past.Runs)-1]
			if p.Past.GivenUp || last.Header.RollsBack == "" && last.Outcome() == journal.OutcomeDone {
				continue
			}
		} else if len(p.Plan.Steps) == 0 && p.Plan.Error == "" && p.Refused == nil {
			continue
		}
		out = append(out, p.Plan.Tenant)
	}
	return out
}
