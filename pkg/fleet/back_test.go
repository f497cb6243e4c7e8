package fleet_test

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// TestTakingARolloutBack: whatever became of a rollout, taking it back leaves every tenant
// as it was; after that nothing is left to take back, nor to resume.
func TestTakingARolloutBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		waves := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 5).Draw(rt, "waves")
		c := newCrowd(t, waves)
		defer c.close()
		for _, name := range c.names {
			if ill := rapid.SampledFrom(ailments).Draw(rt, "ailment"); ill != "" {
				if err := c.sims[name].SetFaults(ill); err != nil {
					rt.Fatal(err)
				}
			}
		}
		c.dieAt.Store(int64(rapid.IntRange(0, 5*len(waves)).Draw(rt, "dies at")))
		rollback := rapid.SampledFrom([]string{manifest.RollbackTenant, manifest.RollbackNothing}).Draw(rt, "rollback")
		c.rollOut(context.Background(), waveOptions(waves, -1, rollback, manifest.CheckNone, 8))
		c.dieAt.Store(0)
		c.store.dead.Store(false)
		for _, name := range c.names {
			if err := c.sims[name].SetFaults(); err != nil {
				rt.Fatal(err)
			}
		}
		for i := 0; ; i++ {
			parts, plan, o := c.back()
			unfinished := false
			for _, p := range parts {
				if p.Refused != nil && strings.Contains(p.Refused.Error(), "is not finished") { // it died while it took back
					unfinished = true
					c.finish(p)
				} else if p.Refused != nil {
					rt.Fatalf("%s: %v", p.Plan.Tenant, p.Refused)
				}
			}
			if unfinished {
				continue
			}
			steps := 0
			for _, p := range plan.Tenants {
				steps += len(p.Steps)
			}
			if steps == 0 {
				break
			}
			if i > 3 {
				rt.Fatalf("still %d steps to take back", steps)
			}
			for _, r := range fleet.RollOut(context.Background(), parts, o) {
				if r.State != fleet.StateDone && r.State != fleet.StateNothing {
					rt.Fatalf("%s is %s: %v", r.Tenant, r.State, r.Err)
				}
			}
		}
		for _, name := range c.names {
			if err := c.asBefore(name); err != nil {
				rt.Fatal(err)
			}
		}
		record, p, _, err := fleet.Recorded(c.store, "")
		if err != nil {
			rt.Fatal(err)
		}
		for _, p := range fleet.PastParts(c.open(), record, p, nil) {
			if n := len(p.Past.Runs); n > 0 && !p.Past.GivenUp && p.Past.Runs[n-1].Header.RollsBack == "" && p.Past.Runs[n-1].Wrote() > 0 {
				rt.Fatalf("%s would be resumed although it was taken back", p.Plan.Tenant)
			}
		}
	})
}

// back plans to take the newest rollout back, as a new process does.
func (c *crowd) back() ([]fleet.Part, *planner.Plan, fleet.RolloutOptions) {
	c.t.Helper()
	record, _, _, err := fleet.Recorded(c.store, "")
	if err != nil {
		c.t.Fatal(err)
	}
	var tenants []manifest.TenantInfo
	for _, name := range c.names {
		tenants = append(tenants, manifest.TenantInfo{Name: name})
	}
	o := complete(fleet.RolloutOptions{Waves: fleet.OneWave(tenants), MaxFailures: -1, Rollback: manifest.RollbackNothing})
	parts, p := fleet.BackAll(context.Background(), c.open(), record.Name, "test", o.Past, fleet.PlanOptions{Force: true})
	return parts, p, o
}

// finish resumes the last run on a part's tenant.
func (c *crowd) finish(p fleet.Part) {
	c.t.Helper()
	logs, err := p.Target.Unfinished()
	if err != nil || len(logs) == 0 {
		c.t.Fatalf("nothing to finish: %v", err)
	}
	o := complete(fleet.RolloutOptions{})
	if _, out, err := p.Target.Resume(context.Background(), logs[len(logs)-1].Header.Run, o.Past, o.Apply); err != nil || !out.OK() {
		c.t.Fatalf("finishing %s: %v, %v", logs[len(logs)-1].Header.Run, err, out.Error())
	}
}
