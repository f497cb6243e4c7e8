package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// misery is one random case: a tenant, one manifest or two after each other, what goes
// wrong in the last apply and while it is mended, and how it is mended.
type misery struct {
	Seed object   // what the tenant holds before
	Docs []object // the manifest whose apply goes wrong
	// First, if there, was applied before without trouble.
	First []object `json:",omitempty"`
	// How is how the manifest is planned: planner.Prune, planner.Destroy, "" to apply.
	How string `json:",omitempty"`
	// Faults are for the apply, More for the mending: the write's number and what
	// happens to it, "" for the death of the process.
	Faults, More []trouble
	Mode         string
	// Parallel is 1 or 4: with 1, the same case goes the same way each time.
	Parallel int
}

// trouble is a fault at a write.
type trouble struct {
	At    int
	Fault int // index of faults
}

// modes of mending. Each ends at the undisturbed end or at the start.
const (
	modeResume   = "resume"      // finish the run; where that is refused, plan anew
	modeApply    = "apply again" // settle, plan anew, apply
	modeRollback = "rollback"    // take the run back, and finish that where it went wrong
)

func drawMisery(t *rapid.T) misery {
	const domain = "127.0.0.1:1" // replaced by the tenant's
	m := misery{Seed: drawSeed(t), Mode: rapid.SampledFrom([]string{modeResume, modeApply, modeRollback}).Draw(t, "mode"), Parallel: rapid.SampledFrom([]int{1, 1, 4}).Draw(t, "parallel")}
	if rapid.Bool().Draw(t, "second manifest") {
		m.First = drawManifest(t, domain)
		m.How = rapid.SampledFrom([]string{"", "", planner.Prune, planner.Destroy}).Draw(t, "how")
	}
	m.Docs = drawManifest(t, domain)
	draw := func(label string, most int) (out []trouble) {
		for range rapid.IntRange(0, most).Draw(t, label) {
			f := rapid.IntRange(0, len(faults)-1).Draw(t, "fault")
			if strings.HasPrefix(faults[f].name, "hang") {
				f -= 2 // a hang costs a second and is a dropped connection to the journal
			}
			out = append(out, trouble{At: rapid.IntRange(1, 9).Draw(t, "at"), Fault: f})
		}
		return out
	}
	m.Faults = append(draw("faults", 2), trouble{At: rapid.IntRange(1, 12).Draw(t, "at"), Fault: rapid.SampledFrom([]int{0, 4, 5, 6, 7, 10, 11}).Draw(t, "fault")})
	m.More = draw("more", 2)
	return m
}

// String is a test ready to paste.
func (m misery) String() string {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err.Error()
	}
	return "func TestPasted(t *testing.T) {\n\tvar m misery\n\tif err := json.Unmarshal([]byte(`" + strings.ReplaceAll(string(data), "`", "` + \"`\" + `") +
		"`), &m); err != nil {\n\t\tt.Fatal(err)\n\t}\n\tif err := m.run(t); err != nil {\n\t\tt.Fatal(err)\n\t}\n}"
}

// world makes the world of the case, up to where the trouble begins.
func (m misery) world(t testing.TB) (*world, error) {
	seed, err := json.Marshal(m.Seed)
	if err != nil {
		return nil, err
	}
	w := newWorld(t, seed, nil)
	w.parallel = m.Parallel
	if m.First != nil {
		w.declare(m.First)
		if _, _, out := w.applyOnce(); !out.OK() {
			return nil, fmt.Errorf("the first manifest: %w", out.Error())
		}
	}
	w.declare(m.Docs)
	w.how = fleet.PlanOptions{Mode: m.How, Force: m.How != ""}
	return w, nil
}

// declare writes documents that were drawn for no tenant in particular.
func (w *world) declare(docs []object) {
	w.t.Helper()
	text, err := json.Marshal(docs)
	if err != nil {
		w.t.Fatal(err)
	}
	var own []object
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), "127.0.0.1:1/", w.sim.Domain()+"/")), &own); err != nil {
		w.t.Fatal(err)
	}
	w.manifest(own)
}

// suffer makes several writes go wrong. At most one can be a death.
func (w *world) suffer(all []trouble) {
	w.t.Helper()
	w.sim.ResetRequests()
	var specs []string
	for _, x := range all {
		f := faults[x.Fault]
		if f.spec == "" {
			w.hurt(f, "write", x.At)
			continue
		}
		specs = append(specs, fmt.Sprintf("write #%d = %s", x.At, f.spec))
	}
	if err := w.sim.SetFaults(specs...); err != nil {
		w.t.Fatal(err)
	}
}

// run plays the case. An error is a violation.
func (m misery) run(t testing.TB) error {
	calm, err := m.world(t)
	if err != nil {
		return err
	}
	before := canonical(t, calm.sim)
	_, _, out, err := calm.try()
	var refused manifest.Diagnostics
	switch {
	case errors.As(err, &refused) && m.How != "": // the last role of an API stays
		return differ("after a refusal", canonical(t, calm.sim), before)
	case err != nil:
		return fmt.Errorf("undisturbed: %w", err)
	case !out.OK():
		return fmt.Errorf("undisturbed: %w", out.Error())
	}
	end := canonical(t, calm.sim)
	w, err := m.world(t)
	if err != nil {
		return err
	}
	start := canonical(t, w.sim)
	w.suffer(m.Faults)
	run, p, out := w.applyOnce()
	w.heal()
	if len(p.Steps) == 0 {
		return nil // there was nothing to do, and so nothing to go wrong
	}
	if out.OK() && m.Mode != modeRollback {
		return differ("after a run without trouble", canonical(t, w.sim), end)
	}
	switch m.Mode {
	case modeResume:
		err = m.resume(w, run)
	case modeApply:
		err = m.applyAgain(w)
	default:
		return m.rollback(w, run, p, start)
	}
	if err != nil {
		return err
	}
	return differ("after "+m.Mode, canonical(t, w.sim), end)
}

// resume finishes the run, at first with more trouble.
func (m misery) resume(w *world, run string) error {
	w.suffer(m.More)
	_ = w.resume(run) // it may fail; what comes next must mend that too
	w.heal()
	err := w.resume(run)
	var changed *fleet.Changed
	if errors.As(err, &changed) {
		return m.applyAgain(w)
	}
	return err
}

// applyAgain settles what was interrupted, plans anew and applies, at first with more
// trouble.
func (m misery) applyAgain(w *world) error {
	for _, more := range [][]trouble{m.More, nil} {
		if err := w.settleAll(); err != nil {
			return err
		}
		w.suffer(more)
		_, _, out := w.applyOnce()
		w.heal()
		if more == nil && !out.OK() {
			return fmt.Errorf("applying again: %w", out.Error())
		}
	}
	return nil
}

func (w *world) settleAll() error {
	target := w.open()
	logs, err := target.Unfinished()
	if err != nil {
		return err
	}
	for _, l := range logs {
		if err := target.Settle(context.Background(), l.Header.Run, w.past()); err != nil {
			return err
		}
	}
	return nil
}

// rollback takes the run back, at first with more trouble, and then finishes that.
func (m misery) rollback(w *world, run string, p planner.TenantPlan, start object) error {
	w.suffer(m.More)
	undo, back, out, err := w.rollback(run, true)
	w.heal()
	if err != nil {
		// Settling was disturbed, or the process died before the rollback was begun.
		undo, back, out, err = w.rollback(run, true)
	}
	if err != nil {
		return fmt.Errorf("rollback: %w", err)
	}
	if !out.OK() {
		if err := w.resume(undo); err != nil {
			return fmt.Errorf("finishing the rollback: %w\n%s", err, indent(back.Plan.Steps))
		}
	}
	left := slices.DeleteFunc(back.Left, func(l executor.Left) bool {
		// After a death, what went along with something else may look like a lost record:
		// a permission goes with its scope.
		return strings.Contains(l.Why, "breaks off") && l.Address[:5] == "Role/"
	})
	if len(left) > 0 {
		return fmt.Errorf("left alone though nobody else was there: %+v", back.Left)
	}
	gone, err := saidToBeLost(back, p)
	if err != nil {
		return err
	}
	return differ("after rollback", lacking(canonical(w.t, w.sim), gone), lacking(start, gone))
}

// TestMisery: whatever goes wrong, wherever, the tenant ends where it would have ended
// undisturbed, or where it began.
func TestMisery(t *testing.T) {
	shares := 1
	if checks := flag.Lookup("rapid.checks"); wholeTorture {
		shares = 4                                  // side by side: most of the time goes by waiting for the disk
		if checks.Value.String() == tortureChecks { // and no other number was asked for
			if err := checks.Value.Set(fmt.Sprint(10_000 / shares)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = checks.Value.Set(tortureChecks) })
		}
	}
	var seeds atomic.Int64
	t.Cleanup(func() { t.Logf("%d seeds", seeds.Load()) })
	for i := range shares {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(rt *rapid.T) {
				m := drawMisery(rt)
				seeds.Add(1)
				var err error
				t.Run("seed", func(t *testing.T) { err = m.run(t) }) // its tenants go with it
				if err == nil {
					return
				}
				if path := os.Getenv("ECPLAN_TORTURE_OUT"); path != "" {
					_ = os.WriteFile(path, []byte(m.String()), 0o600) // besides what is printed
				}
				rt.Fatalf("%v\n\nAs a test of its own:\n\n%s", err, m)
			})
		})
	}
}
