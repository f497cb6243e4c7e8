package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// world is a tenant, a store, and manifests, in which a process can die.
type world struct {
	*bench
	store *mortal
	// how is how commands plan: to apply, to prune, or to destroy.
	how fleet.PlanOptions
	// parallel is how many steps may be in flight; 0 is the default.
	parallel int
}

// mortal is a store whose process can die: nothing is written from then on.
type mortal struct {
	journal.Store
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Create(run string, plan []byte) (journal.Appender, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	a, err := m.Store.Create(run, plan)
	return mortalAppender{a, m}, err
}

func (m *mortal) Append(run string, size int64) (journal.Appender, error) {
	a, err := m.Store.Append(run, size)
	return mortalAppender{a, m}, err
}

type mortalAppender struct {
	journal.Appender
	m *mortal
}

func (a mortalAppender) Append(b []byte) error {
	if a.m.dead.Load() {
		return errDead
	}
	return a.Appender.Append(b)
}

func newWorld(t testing.TB, seed []byte, docs []object) *world {
	t.Helper()
	dir, err := journal.OpenDir(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{bench: newBench(t, seed), store: &mortal{Store: dir}}
	t.Cleanup(func() { noSecretOnDisk(t, dir.Where(), 0) })
	w.manifest(docs)
	return w
}

// open opens the tenant as a new process would.
func (w *world) open() *fleet.Target {
	w.t.Helper()
	set, ds := manifest.Load([]string{w.dir})
	if ds.Errors() > 0 {
		w.t.Fatal(ds)
	}
	env := func(string) (string, bool) { return benchToken, true }
	target, ds := fleet.Open(set, "local", manifest.Inputs{Env: env, Now: time.Now()}, w.store, tenant.Config{})
	if ds.Errors() > 0 {
		w.t.Fatal(ds)
	}
	return target
}

func (w *world) options() fleet.ApplyOptions {
	return fleet.ApplyOptions{Tool: "torture", Now: time.Now, Parallel: w.parallel, Poll: executor.Poll{First: time.Millisecond, Max: 5 * time.Millisecond}}
}

func (w *world) past() fleet.PastOptions { return fleet.PastOptions{Now: time.Now} }

// hurt makes the n-th read or write from now on go wrong.
func (w *world) hurt(f fault, which string, n int) {
	w.t.Helper()
	w.sim.ResetRequests()
	if f.spec != "" {
		if err := w.sim.SetFaults(fmt.Sprintf("%s #%d = %s", which, n, f.spec)); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	var seen atomic.Int64
	die := func(r auth0sim.Request) bool {
		if (r.Method == "GET") != (which == "read") || seen.Add(1) != int64(n) {
			return true
		}
		w.store.dead.Store(true)
		return false
	}
	if f.after {
		w.sim.SetHooks(nil, die)
	} else {
		w.sim.SetHooks(die, nil)
	}
}

// heal takes all faults away and starts a new process.
func (w *world) heal() {
	w.t.Helper()
	if err := w.sim.SetFaults(); err != nil {
		w.t.Fatal(err)
	}
	w.sim.SetHooks(nil, nil)
	w.store.dead.Store(false)
}

// try plans and carries out as a command would. An error means that nothing was begun;
// run is "" then, and also where there was nothing to do.
func (w *world) try() (run string, p planner.TenantPlan, out executor.Outcome, err error) {
	w.t.Helper()
	target := w.open()
	if p, err = target.Plan(context.Background(), w.how); err != nil {
		return "", p, out, err
	}
	out, err = target.Apply(context.Background(), p, w.options())
	return out.Run, p, out, err
}

// applyOnce is try where it must come to a run.
func (w *world) applyOnce() (run string, p planner.TenantPlan, out executor.Outcome) {
	w.t.Helper()
	run, p, out, err := w.try()
	if err != nil {
		w.t.Fatal(err)
	}
	return run, p, out
}

// resume finishes a run.
func (w *world) resume(run string) error {
	_, out, err := w.open().Resume(context.Background(), run, w.past(), w.options())
	if err != nil {
		return err
	}
	if !out.OK() {
		return out.Error()
	}
	return nil
}

// rollback takes a run back, with force or without, and says under which run.
func (w *world) rollback(run string, force bool) (string, *executor.Rollback, executor.Outcome, error) {
	target := w.open()
	back, err := target.PlanRollback(context.Background(), run, force, w.past())
	if err != nil {
		return "", nil, executor.Outcome{}, err
	}
	o := w.options()
	o.RollsBack = run
	out, err := target.Apply(context.Background(), back.Plan, o)
	return out.Run, back, out, err
}

// impatient makes the tenant's timeout short.
func (w *world) impatient() {
	w.t.Helper()
	path := filepath.Join(w.dir, "manifest.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("manifest.yaml", strings.Replace(string(data), "  insecure: true\n", "  insecure: true\n  timeout: "+patient+"\n", 1))
}
