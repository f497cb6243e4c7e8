package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// ailments are ways in which a tenant can't be changed; "" is a healthy one. None of them
// keeps what was done from being taken back.
var ailments = []string{"", "", "", "", "write #1 = status 400", "write #3 = status 403", "POST /client-grants = status 500 before", "POST /clients = status 409", "any = status 401"}

// waveOptions makes the waves w0, w1, … of a crowd that was made with the same numbers.
func waveOptions(waves []int, max int, rollback, check string, sideBySide int) fleet.RolloutOptions {
	o := fleet.RolloutOptions{MaxFailures: max, Rollback: rollback, SideBySide: sideBySide}
	for w := range slices.Max(waves) + 1 {
		wave := fleet.Wave{Name: fmt.Sprintf("w%d", w), Check: check}
		for i, of := range waves {
			if of == w {
				wave.Tenants = append(wave.Tenants, fmt.Sprintf("t%03d", i))
			}
		}
		if len(wave.Tenants) > 0 {
			o.Waves = append(o.Waves, wave)
		}
	}
	return o
}

// TestRolloutsStopWhereTheyShould: over random rollouts and faults, a wave that fails
// stops what comes after, nothing of later waves was written, and every tenant is as its
// result says.
func TestRolloutsStopWhereTheyShould(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		waves := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 6).Draw(rt, "waves")
		max := rapid.SampledFrom([]int{-1, 0, 0, 1, 2}).Draw(rt, "max failures")
		rollback := rapid.SampledFrom([]string{manifest.RollbackTenant, manifest.RollbackWave, manifest.RollbackAll, manifest.RollbackNothing}).Draw(rt, "rollback")
		check := rapid.SampledFrom([]string{manifest.CheckNone, manifest.CheckVerify}).Draw(rt, "check")
		c := newCrowd(t, waves)
		defer c.close()
		ill := map[string]string{}
		for _, name := range c.names {
			ill[name] = rapid.SampledFrom(ailments).Draw(rt, "ailment")
			if ill[name] == "" {
				continue
			}
			if err := c.sims[name].SetFaults(ill[name]); err != nil {
				rt.Fatal(err)
			}
		}
		o := waveOptions(waves, max, rollback, check, rapid.SampledFrom([]int{1, 8}).Draw(rt, "side by side"))
		var told error // a tally that can't be
		o.Progress = &fleet.Progress{Tell: func(e fleet.Event, now fleet.Tally) {
			back := e.Event == fleet.EventBack
			if now.Done+now.Failed > now.Tenants || now.Running < 0 || now.StepsDone > now.Steps || now.Back < 0 || back && now.Back == 0 || now.Back > 0 && now.Left > 0 {
				told = fmt.Errorf("after %+v: %+v", e, now)
			}
		}}
		results := c.rollOut(context.Background(), o)
		if err := c.judge(o, results, ill); err != nil {
			rt.Fatal(err)
		}
		if end := o.Progress.Standing(); told != nil || end.Done+end.Failed != end.Tenants || end.Running+end.Back+end.Limited != 0 || end.StepsDone != end.Steps {
			rt.Fatalf("%v; in the end %+v", told, end)
		}
	})
}

// judge holds the results of a rollout against its rules and against the tenants.
func (c *crowd) judge(o fleet.RolloutOptions, results []fleet.Result, ill map[string]string) error {
	by := map[string]fleet.Result{}
	for _, r := range results {
		by[r.Tenant] = r
	}
	if len(by) != len(c.names) || len(results) != len(c.names) {
		return fmt.Errorf("%d results for %d tenants", len(results), len(c.names))
	}
	failures, stopped := 0, -1
	for i, w := range o.Waves {
		for _, name := range w.Tenants {
			r := by[name]
			if stopped >= 0 && (r.State != fleet.StateNotBegun || c.written(name) > 0) {
				return fmt.Errorf("%s of the wave %s, after the one that failed, is %s, and was sent %d writes", name, w.Name, r.State, c.written(name))
			}
			if r.State != fleet.StateDone && r.Err == nil {
				return fmt.Errorf("%s is %s, and nobody says why", name, r.State)
			}
			if ill[name] != "" && r.State != fleet.StateNotBegun {
				failures++
			}
			if err := c.judgeOne(o, r, ill[name], stopped < 0); err != nil {
				return err
			}
		}
		if stopped < 0 && o.MaxFailures >= 0 && failures > o.MaxFailures {
			stopped = i
		}
	}
	if stopped < 0 {
		return nil
	}
	for i, w := range o.Waves[:stopped+1] {
		for _, name := range w.Tenants {
			all := o.Rollback == manifest.RollbackAll || o.Rollback == manifest.RollbackWave && i == stopped
			if all && by[name].State == fleet.StateDone {
				return fmt.Errorf("%s is done although %s was to be taken back", name, o.Rollback)
			}
		}
	}
	return nil
}

func (c *crowd) judgeOne(o fleet.RolloutOptions, r fleet.Result, ill string, begun bool) error {
	switch r.State {
	case fleet.StateDone:
		if ill != "" {
			return fmt.Errorf("%s is done in spite of %q", r.Tenant, ill)
		}
		return c.asDeclared(r.Tenant)
	case fleet.StateFailed:
		if o.Rollback != manifest.RollbackNothing {
			return fmt.Errorf("%s has changes left: %w", r.Tenant, errors.Join(r.Err, r.BackErr))
		}
		return nil
	case fleet.StateRolledBack:
		if ill == "" && (!begun || o.Rollback == manifest.RollbackTenant || o.Rollback == manifest.RollbackNothing) {
			return fmt.Errorf("%s was taken back without a reason: %w", r.Tenant, r.Err)
		}
	case fleet.StateNotBegun, fleet.StateRefused:
		if c.written(r.Tenant) > 1 { // one may have been refused
			return fmt.Errorf("%s is %s, and was sent %d writes", r.Tenant, r.State, c.written(r.Tenant))
		}
		if r.State == fleet.StateRefused && ill == "" {
			return fmt.Errorf("%s was refused without a reason: %w", r.Tenant, r.Err)
		}
	case fleet.StateNothing:
		return fmt.Errorf("%s had nothing to do", r.Tenant)
	}
	return c.asBefore(r.Tenant)
}

// TestDeathInARollout: the process dies at some write of some tenant. After one resume
// every healthy tenant is as declared and every other one as before, each with its reason.
func TestDeathInARollout(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		waves := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 6).Draw(rt, "waves")
		c := newCrowd(t, waves)
		defer c.close()
		ill := map[string]string{}
		for _, name := range c.names {
			ill[name] = rapid.SampledFrom(ailments).Draw(rt, "ailment")
			if ill[name] != "" {
				if err := c.sims[name].SetFaults(ill[name]); err != nil {
					rt.Fatal(err)
				}
			}
		}
		c.dieAt.Store(int64(rapid.IntRange(1, 5*len(waves)).Draw(rt, "dies at")))
		o := waveOptions(waves, -1, manifest.RollbackTenant, rapid.SampledFrom([]string{manifest.CheckNone, manifest.CheckVerify}).Draw(rt, "check"), rapid.SampledFrom([]int{1, 8}).Draw(rt, "side by side"))
		c.rollOut(context.Background(), o)
		for _, r := range c.resume() {
			if err := c.mended(r, ill[r.Tenant]); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

// mended holds a tenant after a resume: done if it is healthy, as before if it is not. A
// fault that hits one write may have hit it before the death.
func (c *crowd) mended(r fleet.Result, ill string) error {
	once := strings.Contains(ill, "#")
	switch {
	case r.State == fleet.StateDone && (ill == "" || once):
		return c.asDeclared(r.Tenant)
	case r.State == fleet.StateNothing && (ill == "" || once):
		return c.asDeclared(r.Tenant)
	case ill == "":
		return fmt.Errorf("%s is healthy, and %s: %w", r.Tenant, r.State, r.Err)
	case r.Err == nil:
		return fmt.Errorf("%s is %s, and nobody says why", r.Tenant, r.State)
	case r.State == fleet.StateRefused || r.State == fleet.StateRolledBack:
		return c.asBefore(r.Tenant)
	}
	return fmt.Errorf("%s (%s) is %s: %w", r.Tenant, ill, r.State, errors.Join(r.Err, r.BackErr))
}

// TestInterruptedRollout: when it is asked to stop, nothing more is begun, and a resume
// does the rest.
func TestInterruptedRollout(t *testing.T) {
	c := newCrowd(t, []int{0, 1, 1})
	ctx, stop := context.WithCancel(context.Background())
	o := waveOptions([]int{0, 1, 1}, 0, manifest.RollbackAll, manifest.CheckNone, 8)
	var mu sync.Mutex
	var events []fleet.Event
	o.Progress = &fleet.Progress{Tell: func(e fleet.Event, now fleet.Tally) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
		if e.Event == fleet.EventEnded && e.Tenant == "t000" {
			stop()
		}
		if now.Done+now.Failed > now.Tenants || now.Running < 0 || now.StepsDone > now.Steps {
			t.Errorf("after %+v: %+v", e, now)
		}
	}}
	results := c.rollOut(ctx, o)
	if results[0].State != fleet.StateDone || results[1].State != fleet.StateNotBegun || results[2].State != fleet.StateNotBegun {
		t.Errorf("got %+v", results)
	}
	if err := c.asDeclared("t000"); err != nil {
		t.Error(err) // an interruption is no failure: nothing is taken back
	}
	if got := o.Progress.Standing(); got.Tenants != 3 || got.Done != 1 || got.Failed != 2 || got.Running != 0 || got.StepsDone != 5 || got.Steps != 5 {
		t.Errorf("in the end: %+v", got)
	}
	steps := 0
	for _, e := range events {
		if e.Event == fleet.EventStep && e.State == "done" {
			steps++
		}
	}
	if steps != 5 {
		t.Errorf("%d steps were told", steps)
	}
	for _, r := range c.resume() {
		if r.State != fleet.StateDone {
			t.Errorf("after the resume %s is %s: %v", r.Tenant, r.State, r.Err)
		}
	}
}

// TestConfirmBetweenWaves: who says no stops the rollout, and nothing is taken back.
func TestConfirmBetweenWaves(t *testing.T) {
	for _, yes := range []bool{true, false} {
		c := newCrowd(t, []int{0, 1})
		o := waveOptions([]int{0, 1}, 0, manifest.RollbackAll, manifest.CheckConfirm, 8)
		o.Confirm = func(done, next fleet.Wave) error {
			if done.Name != "w0" || next.Name != "w1" {
				t.Errorf("asked about %s and %s", done.Name, next.Name)
			}
			if !yes {
				return errors.New("somebody said no")
			}
			return nil
		}
		results := c.rollOut(context.Background(), o)
		want := map[bool]fleet.State{true: fleet.StateDone, false: fleet.StateNotBegun}[yes]
		if results[0].State != fleet.StateDone || results[1].State != want {
			t.Errorf("answered %v: got %s, %s (%v)", yes, results[0].State, results[1].State, results[1].Err)
		}
		if !yes && !strings.Contains(results[1].Err.Error(), "somebody said no") {
			t.Errorf("the reason is %v", results[1].Err)
		}
	}
}

// TestLaterWavesArePlannedAgain: what changed on a tenant while it waited is not run over.
func TestLaterWavesArePlannedAgain(t *testing.T) {
	c := newCrowd(t, []int{0, 1})
	o := waveOptions([]int{0, 1}, -1, manifest.RollbackTenant, manifest.CheckConfirm, 8)
	o.Confirm = func(fleet.Wave, fleet.Wave) error {
		b := &bench{t: t, sim: c.sims["t001"]}
		b.call("POST", "roles", object{"name": "One"})
		return nil
	}
	results := c.rollOut(context.Background(), o)
	var stale *fleet.Stale
	if results[0].State != fleet.StateDone || results[1].State != fleet.StateRefused || !errors.As(results[1].Err, &stale) {
		t.Errorf("got %s, %s: %v", results[0].State, results[1].State, results[1].Err)
	}
}

// TestFailedCheckFailsTheWave: a tenant that is not as declared when its wave is checked
// counts as failed.
func TestFailedCheckFailsTheWave(t *testing.T) {
	c := newCrowd(t, []int{0, 1})
	o := waveOptions([]int{0, 1}, 0, manifest.RollbackTenant, manifest.CheckVerify, 8)
	o.Progress = &fleet.Progress{Tell: func(e fleet.Event, _ fleet.Tally) {
		if e.Event == fleet.EventCheck {
			b := &bench{t: t, sim: c.sims["t000"]}
			var state object
			if err := json.Unmarshal(c.sims["t000"].Snapshot(), &state); err != nil {
				t.Error(err)
			}
			b.call("PATCH", "roles/"+list(state["roles"])[0].(object)["id"].(string), object{"name": "Two"})
		}
	}}
	results := c.rollOut(context.Background(), o)
	if results[1].State != fleet.StateNotBegun || c.written("t001") > 0 || !results[0].Failed() || !strings.Contains(results[0].Err.Error(), "not as declared") {
		t.Errorf("got %s (%v), %s", results[0].State, results[0].Err, results[1].State)
	}
}

// TestOrder: every tenant is in the first wave that picks it, once, and limits hold.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var tenants []manifest.TenantInfo
		for i := range rapid.IntRange(1, 12).Draw(rt, "tenants") {
			tenants = append(tenants, manifest.TenantInfo{Name: fmt.Sprintf("t%02d", i), Labels: map[string]string{"env": rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "env")}})
		}
		var r manifest.Rollout
		for i := range rapid.IntRange(0, 4).Draw(rt, "waves") {
			s, err := manifest.ParseSelector("env" + rapid.SampledFrom([]string{"=", "!="}).Draw(rt, "op") + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "value"))
			if err != nil {
				rt.Fatal(err)
			}
			r.Waves = append(r.Waves, manifest.Wave{Name: fmt.Sprint(i), Tenants: s, Limit: rapid.IntRange(0, 2).Draw(rt, "limit")})
		}
		if rapid.Bool().Draw(rt, "last wave takes all") {
			r.Waves = append(r.Waves, manifest.Wave{Name: "rest"})
		}
		shuffled := rapid.Permutation(tenants).Draw(rt, "order")
		got, err := fleet.Order(r, shuffled)
		in := map[string]string{}
		counts := map[string]int{}
		var left []string
		for _, x := range tenants {
			for _, w := range r.Waves {
				if w.Tenants.Matches(x) && (w.Limit == 0 || counts[w.Name] < w.Limit) {
					in[x.Name] = w.Name
					counts[w.Name]++
					break
				}
			}
			if in[x.Name] == "" {
				left = append(left, x.Name)
			}
		}
		if (err != nil) != (len(left) > 0) {
			rt.Fatalf("left are %v, and the error is %v", left, err)
		}
		if err != nil {
			if !strings.Contains(err.Error(), strings.Join(left, ", ")) {
				rt.Fatalf("left are %v, and the error is %v", left, err)
			}
			return
		}
		total := 0
		for _, w := range got {
			for _, name := range w.Tenants {
				total++
				if in[name] != w.Name {
					rt.Fatalf("%s is in the wave %s, not in %s", name, w.Name, in[name])
				}
			}
		}
		if total != len(tenants) {
			rt.Fatalf("%d of %d tenants are in a wave", total, len(tenants))
		}
	})
}

func TestSelect(t *testing.T) {
	tenants := []manifest.TenantInfo{
		{Name: "dev", Labels: map[string]string{"env": "dev"}},
		{Name: "prod-eu", Labels: map[string]string{"env": "prod", "region": "eu"}},
		{Name: "prod-us", Labels: map[string]string{"env": "prod", "region": "us"}},
	}
	for _, c := range []struct {
		patterns, labels []string
		want, err        string
	}{
		{nil, nil, "dev prod-eu prod-us", ""},
		{[]string{"prod-*"}, nil, "prod-eu prod-us", ""},
		{[]string{"prod-us", "dev"}, nil, "dev prod-us", ""},
		{nil, []string{"env=prod,region!=us"}, "prod-eu", ""},
		{nil, []string{"env=prod", "region=us"}, "prod-us", ""},
		{[]string{"prod-*"}, []string{"region=eu"}, "prod-eu", ""},
		{[]string{"test"}, nil, "", `no tenant "test"`},
		{[]string{"["}, nil, "", "not a pattern"},
		{nil, []string{"env=test"}, "", "no tenant fits --select env=test"},
		{nil, []string{"=x"}, "", "no condition"},
	} {
		got, err := fleet.Select(tenants, c.patterns, c.labels)
		var names []string
		for _, g := range got {
			names = append(names, g.Name)
		}
		if strings.Join(names, " ") != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%v %v: got %v, %v", c.patterns, c.labels, names, err)
		}
	}
}
