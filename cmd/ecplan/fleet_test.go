package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/report"
)

// troubles are the ways in which a tenant fails, each to its end. What was done before
// can be taken back in all of them.
var troubles = []struct{ name, fault string }{
	{"never answers", "any = hang before"},
	{"403", "any = status 403"},
	{"429 for ever", "any = 429 retry-after 3600"},
	{"bad token", ""}, // the tenant takes another one
	{"half-way 500", "POST /client-grants = status 500 before"},
	{afterCommit, "POST /client-grants = status 500 after"},
	{"half-way 403", "POST /clients = status 403"},
	{"half-way silence", "POST /actions/actions = drop before"},
	{"half-way 429 for ever", "POST /clients = 429 retry-after 3600"},
	{"never answers a write", "PATCH /tenants/settings = hang before"},
}

// afterCommit is a trouble that is over when its effect is found out: killed between the
// answer and taking back, resume finds the request done and goes on.
const afterCommit = "half-way 500 after the commit"

// flock is many tenants in this process and ecplan in another one, which can be killed.
type flock struct {
	t     *testing.T
	dir   string
	names []string
	sims  map[string]*auth0sim.Server
	ill   map[string]string

	child  atomic.Pointer[os.Process]
	writes atomic.Int64
	killAt atomic.Int64
}

// newFlock starts n tenants, every tenth of them in some trouble.
func newFlock(t *testing.T, n int) *flock {
	t.Helper()
	f := &flock{t: t, dir: t.TempDir(), sims: map[string]*auth0sim.Server{}, ill: map[string]string{}}
	if err := demoFiles(f.dir, "127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	seed, err := examples.Express.ReadFile("express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	var tenants strings.Builder
	for i := range n {
		name := fmt.Sprintf("t%03d", i)
		o := auth0sim.Options{Token: storyToken, Seed: seed, Random: int64(i)}
		if i%10 == 4 {
			trouble := troubles[i/10%len(troubles)]
			f.ill[name] = trouble.name
			if trouble.fault == "" {
				o.Token = "another"
			} else {
				o.Faults = []string{trouble.fault}
			}
		}
		sim := auth0sim.Start(t, o)
		sim.SetHooks(func(r auth0sim.Request) bool {
			if r.Method == "GET" || f.writes.Add(1) != f.killAt.Load() {
				return true
			}
			_ = f.child.Load().Kill() // it has no time to notice
			return false
		}, nil)
		f.names, f.sims[name] = append(f.names, name), sim
		fmt.Fprintf(&tenants, "---\napiVersion: ecplan/v1\nkind: Tenant\nmetadata: {name: %s, labels: {wave: w%d}}\nspec:\n  domain: '%s'\n  insecure: true\n  timeout: 3s\n  auth: {token: '${env.ECPLAN_LOCAL_TOKEN}'}\n"+
			"  vars: {app_client_id: 7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu, init_login_url: 'https://%s.acme.example/login'}\n", name, i*3/n, sim.Domain(), name)
	}
	f.write("tenants.yaml", tenants.String())
	return f
}

func (f *flock) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// ecplan runs the program and returns its exit code, -1 if it was killed.
func (f *flock) ecplan(args ...string) (code int, stdout, stderr string) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := &exec.Cmd{
		Path: self, Dir: f.dir, Stdout: &out, Stderr: &errs,
		Args: append(append([]string{"ecplan"}, args...), "-f", f.dir, "--store", filepath.Join(f.dir, "the store")),
		Env:  append(os.Environ(), "ECPLAN_LOCAL_TOKEN="+storyToken),
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.child.Store(cmd.Process)
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// paste gives a command line of ecplan's to a shell, in another folder than the one that
// it came from, and returns what it printed.
func (f *flock) paste(line string) (output string, err error) {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	dir := f.t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "ecplan")); err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "ECPLAN_LOCAL_TOKEN="+storyToken, "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// holds is a tenant's state without what can't be made as before: a flag that was absent.
func (f *flock) holds(name string) map[string]any {
	return (&victim{t: f.t, sim: f.sims[name]}).holds()
}

// TestManyTenantsSomeFailingAndADeath: a tenth of the tenants fails in every way there is,
// and the program is killed in the middle. After one resume every healthy tenant is as
// declared and every other one as before, each named with its reason.
func TestManyTenantsSomeFailingAndADeath(t *testing.T) {
	t.Parallel() // it waits for most of its time
	n, kills := 100, []int{4}
	if os.Getenv("ECPLAN_TORTURE") != "" {
		n, kills = 200, []int{1, 2, 3, 4, 5, 6}
	}
	for _, k := range kills {
		t.Run(fmt.Sprintf("%d tenants, killed after %d of 7 of the writes", n, k), func(t *testing.T) {
			f := newFlock(t, n)
			before := map[string]map[string]any{}
			for name := range f.ill {
				before[name] = f.holds(name)
			}
			f.killAt.Store(int64(n * 8 * k / 7))
			if code, _, errs := f.ecplan("apply", "--all", "--yes", "--settle", "0s"); code != -1 {
				t.Fatalf("it was not killed: exit %d\n%s", code, errs)
			}
			f.killAt.Store(0)
			code, out, errs := f.ecplan("resume", "--yes", "--settle", "0s", "--format", "json")
			if code != exitRolledBack {
				t.Errorf("resume: exit %d\n%s", code, errs)
			}
			var r report.RunReport
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, errs)
			}
			if len(r.Tenants) != n {
				t.Errorf("the report is on %d tenants", len(r.Tenants))
			}
			done := map[string]bool{}
			for _, tr := range r.Tenants {
				done[tr.Tenant] = f.judge(tr, before[tr.Tenant])
			}
			_, out, _ = f.ecplan("plan", "--format", "json")
			var plan struct {
				Tenants []struct {
					Tenant, Error string
					Steps         []any
				}
			}
			if err := json.Unmarshal([]byte(out), &plan); err != nil {
				t.Fatal(err)
			}
			for _, p := range plan.Tenants {
				if done[p.Tenant] && (p.Error != "" || len(p.Steps) > 0) {
					t.Errorf("%s is done, and not as declared: %s, %d steps", p.Tenant, p.Error, len(p.Steps))
				}
			}
		})
	}
}

// judge holds what the report says of a tenant against the tenant, and returns whether it
// is done.
func (f *flock) judge(tr report.TenantRun, before map[string]any) (done bool) {
	f.t.Helper()
	ill := f.ill[tr.Tenant]
	done = tr.Outcome == report.Done || tr.Outcome == report.Nothing
	if ill == "" || done && ill == afterCommit {
		if !done {
			f.t.Errorf("%s is healthy, and %s: %s", tr.Tenant, tr.Outcome, tr.Error)
		}
		return done
	}
	if tr.Outcome != report.Refused && tr.Outcome != report.RolledBack || tr.Error == "" || !strings.Contains(tr.Error, tr.Tenant) {
		f.t.Errorf("%s (%s) is %s: %q %v", tr.Tenant, ill, tr.Outcome, tr.Error, tr.Remains)
	}
	if diff := cmp.Diff(before, f.holds(tr.Tenant)); diff != "" {
		f.t.Errorf("%s (%s) is not as before (- before, + now):\n%s", tr.Tenant, ill, diff)
	}
	return done
}

// TestInterruptedFleet: a SIGINT lets what is in flight on all tenants finish; what was
// done is taken back, and the command at the end of the summary, pasted, does it all.
func TestInterruptedFleet(t *testing.T) {
	f := newFlock(t, 4)
	var once sync.Once
	for _, sim := range f.sims {
		sim.SetHooks(func(r auth0sim.Request) bool {
			if r.Method == "POST" && strings.HasSuffix(r.Path, "/clients") {
				once.Do(func() { _ = f.child.Load().Signal(os.Interrupt) })
			}
			return true
		}, nil)
	}
	code, out, errs := f.ecplan("apply", "--all", "--yes", "--settle", "0s")
	if code != exitRolledBack || !strings.Contains(errs, "nothing new is started") {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	_, line, _ := strings.Cut(out, "To go on: ")
	line, _, _ = strings.Cut(line, "\n")
	if out, err := f.paste(line + " --yes --settle 0s"); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if code, out, _ := f.ecplan("plan", "--detailed-exitcode"); code != exitDone {
		t.Errorf("something is left to do: exit %d\n%s", code, out)
	}
}

// TestRollbackOfARollout: one command takes back what apply did on all tenants, on those
// that are named, and not what it may not without --force.
func TestRollbackOfARollout(t *testing.T) {
	f := newFlock(t, 3)
	before := map[string]map[string]any{}
	for _, name := range f.names {
		before[name] = f.holds(name)
	}
	if code, _, errs := f.ecplan("apply", "--all", "--yes"); code != exitDone {
		t.Fatalf("apply: exit %d\n%s", code, errs)
	}
	rollouts, err := filepath.Glob(filepath.Join(f.dir, "the store", "rollouts", "*.plan.json"))
	if err != nil || len(rollouts) != 1 {
		t.Fatalf("rollouts %v, %v", rollouts, err)
	}
	name := strings.TrimSuffix(filepath.Base(rollouts[0]), ".plan.json")
	asBefore := func(want int) {
		t.Helper()
		n := 0
		for _, tenant := range f.names {
			if cmp.Equal(before[tenant], f.holds(tenant)) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d tenants are as before, want %d", n, want)
		}
	}
	if code, out, _ := f.ecplan("rollback", name, "--yes"); code != exitError || !strings.Contains(out, "client-id-lost") {
		t.Errorf("without --force: exit %d\n%s", code, out)
	}
	asBefore(0)
	if code, out, errs := f.ecplan("rollback", name, "--yes", "--force", "--tenant", "t001"); code != exitDone {
		t.Errorf("one of them: exit %d\n%s\n%s", code, out, errs)
	}
	asBefore(1)
	if code, out, errs := f.ecplan("rollback", name, "--yes", "--force"); code != exitDone || !strings.Contains(out, "2 done; 1 nothing to do") {
		t.Errorf("all: exit %d\n%s\n%s", code, out, errs)
	}
	asBefore(3)
	if code, _, errs := f.ecplan("resume", "--yes"); code != exitDone || !strings.Contains(errs, "there is nothing to finish") {
		t.Errorf("resume: exit %d\n%s", code, errs)
	}
	asBefore(3)
}
