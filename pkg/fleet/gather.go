package fleet

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/planner"
)

// Errs are errors by tenant.
type Errs map[string]error

// LockAll locks all targets that nobody else holds. The others have an entry in Errs.
// unlock frees what was locked.
func LockAll(ts []*Target, who journal.Who, doing string, now time.Time) (unlock func(), refused Errs) {
	var held []func() error
	refused = Errs{}
	for _, t := range ts {
		free, err := t.Lock(who, doing, now)
		if err != nil {
			refused[t.Tenant.Name] = err
			continue
		}
		held = append(held, free)
	}
	return func() {
		for _, free := range held {
			_ = free() // the lock goes with the process in any case
		}
	}, refused
}

// SettleAll finds out what became of interrupted runs and closes them, on each tenant
// that is not refused already. Where that fails, the tenant gets an entry in refused.
func SettleAll(ctx context.Context, ts []*Target, refused Errs, o PastOptions, told func(*journal.Log)) {
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(DefaultSideBySide)
	for _, t := range ts {
		if refused[t.Tenant.Name] != nil {
			continue
		}
		g.Go(func() error {
			err := t.settleUnfinished(ctx, o, func(l *journal.Log) {
				mu.Lock()
				defer mu.Unlock()
				told(l)
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				refused[t.Tenant.Name] = err
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
}

// settleUnfinished settles the tenant's unfinished runs, oldest first.
func (t *Target) settleUnfinished(ctx context.Context, o PastOptions, told func(*journal.Log)) error {
	logs, err := t.Unfinished()
	if err != nil {
		return err
	}
	for _, l := range logs {
		told(l)
		if err := t.Settle(ctx, l.Header.Run, o); err != nil {
			return err
		}
	}
	return nil
}

// Parts makes the parts of a rollout from a plan for the targets.
func Parts(ts []*Target, p *planner.Plan, refused Errs) []Part {
	out := make([]Part, len(p.Tenants))
	for i, tp := range p.Tenants {
		at := slices.IndexFunc(ts, func(t *Target) bool { return t.Tenant.Name == tp.Tenant })
		out[i] = Part{Target: ts[at], Plan: tp, Refused: refused[tp.Tenant]}
	}
	return out
}

// RefuseStale refuses the parts for which a plan made now is another one.
func RefuseStale(parts []Part, now *planner.Plan) {
	for i := range parts {
		p := &parts[i]
		at := slices.IndexFunc(now.Tenants, func(t planner.TenantPlan) bool { return t.Tenant == p.Plan.Tenant })
		if p.Refused != nil || p.Plan.Error != "" || at < 0 {
			continue
		}
		one := &planner.Plan{ManifestDigest: now.ManifestDigest, Tenants: []planner.TenantPlan{p.Plan}}
		one.Seal()
		p.Refused = Fresh(one, now)
	}
}
