package fleet

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// Health says in a word how a resource stands on a tenant.
type Health string

// The words.
const (
	InLine  Health = "in line" // as declared
	Drifted Health = "drifted" // changed on the tenant since the last run
	Missing Health = "missing" // not there
	Broken  Health = "failed"  // the last run failed on it, and it is not as declared
	Pending Health = "pending" // there, and declared otherwise since, or never applied
	Unclear Health = "unknown" // the tenant could not be read
)

// Standing is how one resource stands on one tenant.
type Standing struct {
	Address string
	Health  Health
	// Why is one sentence, "" where it is in line.
	Why string
	// Run is the last run that set it, "" if that is on no record.
	Run string
}

// Status is how one tenant stands.
type Status struct {
	Tenant, Domain string
	Labels         map[string]string
	// Error says why the tenant could not be read.
	Error string
	// Resources are sorted by address.
	Resources []Standing
	// LastRun is the newest run on record, Outcome how it ended, RollsBack the run that
	// it took back, if it did.
	LastRun, RollsBack string
	Outcome            journal.Outcome
}

// StatusAll reads each target and tells how its resources stand.
func StatusAll(ctx context.Context, ts []*Target, o PlanOptions) []Status {
	logs := make([][]*journal.Log, len(ts))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(DefaultSideBySide)
	o.Refused = Errs{}
	for i, t := range ts {
		g.Go(func() error {
			var err error
			if logs[i], err = journal.Load(t.Store, t.Tenant.Name, t.Tenant.Domain); err != nil {
				mu.Lock()
				defer mu.Unlock()
				o.Refused[t.Tenant.Name] = err
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	p := PlanAll(ctx, ts, "", o)
	out := make([]Status, len(ts))
	for i, t := range ts {
		out[i] = t.status(&p.Tenants[i], logs[i])
	}
	return out
}

// status tells how a tenant stands from its plan and its runs.
func (t *Target) status(p *planner.TenantPlan, logs []*journal.Log) Status {
	st := Status{Tenant: p.Tenant, Domain: p.Domain, Labels: t.Tenant.Labels, Error: p.Error}
	if len(logs) > 0 {
		last := logs[len(logs)-1]
		st.LastRun, st.Outcome, st.RollsBack = last.Header.Run, last.Outcome(), last.Header.RollsBack
	}
	records := journal.Fold(logs)
	steps := map[string][]kind.Step{}
	for _, s := range p.Steps {
		steps[s.Address] = append(steps[s.Address], s)
	}
	broken := failedOn(logs)
	for _, r := range t.Resources {
		a := r.Address()
		s := Standing{Address: a, Health: InLine, Run: records[a].Run}
		for _, former := range r.Meta.Formerly {
			s.Run = max(s.Run, records[former].Run)
		}
		switch {
		case p.Error != "":
			s.Health, s.Why = Unclear, "the tenant could not be read"
		case len(steps[a]) > 0:
			s.Health, s.Why = healthOf(steps[a], broken[a])
		}
		st.Resources = append(st.Resources, s)
	}
	slices.SortFunc(st.Resources, func(a, b Standing) int { return strings.Compare(a.Address, b.Address) })
	return st
}

// healthOf tells from the steps that would put a resource right how it stands now.
// broken is why the last run failed on it, "" if it did not.
func healthOf(steps []kind.Step, broken string) (Health, string) {
	first := steps[0]
	switch {
	case broken != "":
		return Broken, broken
	case slices.ContainsFunc(steps, func(s kind.Step) bool { return s.Made() }):
		return Missing, first.Reason
	case slices.ContainsFunc(steps, func(s kind.Step) bool { return s.Cause == kind.Drift || s.Cause == kind.Both }):
		return Drifted, strings.TrimPrefix(first.Reason, "drift: ")
	}
	return Pending, first.Reason
}

// failedOn tells by address what the last run that touched it failed with. What a
// rollback took back did not fail on anything that is left.
func failedOn(logs []*journal.Log) map[string]string {
	out := map[string]string{}
	for _, l := range logs {
		for _, id := range manifest.Keys(l.Steps) {
			address, _, _ := strings.Cut(id, "#")
			switch st := l.Steps[id]; {
			case st.Failed != nil:
				out[address] = st.Failed.Message
			case st.Unsettled() && l.UnderWay != nil: // its answer is still to come
			case st.Unsettled():
				out[address] = "a request was sent, and nobody knows whether it had its effect"
			case st.Done != nil && l.Header.RollsBack != "":
				delete(out, address)
			}
		}
		if l.Outcome() == journal.OutcomeDone && l.Header.RollsBack == "" {
			clear(out)
		}
	}
	return out
}
