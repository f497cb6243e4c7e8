package fleet_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// tortureChecks is how often a property is tried in the torture, but for TestMisery.
const tortureChecks = "2000"

// TestMain keeps the properties to a sample, unless all of it is asked for.
func TestMain(m *testing.M) {
	checks := "25"
	if wholeTorture {
		checks = tortureChecks
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// bench is a tenant with manifests for it.
type bench struct {
	t   testing.TB
	sim *auth0sim.Server
	dir string
	env map[string]string // besides what every variable holds
}

func newBench(t testing.TB, seed []byte) *bench {
	t.Helper()
	return released(&bench{t: t, sim: auth0sim.Start(t, auth0sim.Options{Token: benchToken, Seed: seed}), dir: t.TempDir()})
}

// benchToken is the token of most tenants in tests.
const benchToken = canary + "bench-token"

// released looks, when the test is over, for secrets in what its runs left.
func released(b *bench) *bench {
	b.t.Cleanup(func() { noSecretOnDisk(b.t, filepath.Join(b.dir, ".ecplan"), 0) })
	return b
}

// newBenchWith is a bench whose tenant knows a client of ecplan's instead of a token.
func newBenchWith(t testing.TB, seed []byte, id, secret string) *bench {
	t.Helper()
	return released(&bench{t: t, sim: auth0sim.Start(t, auth0sim.Options{ClientID: id, ClientSecret: secret, Seed: seed}), dir: t.TempDir(), env: map[string]string{"ID": id, "SECRET": secret}})
}

func (b *bench) folder(name string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Join(b.dir, name), 0o700); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// target opens the tenant as the manifests are now.
func (b *bench) target() *fleet.Target {
	b.t.Helper()
	set, ds := manifest.Load([]string{b.dir})
	if ds.Errors() > 0 {
		b.t.Fatal(ds)
	}
	store, err := journal.OpenDir(filepath.Join(b.dir, ".ecplan"))
	if err != nil {
		b.t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		if v, ok := b.env[name]; ok {
			return v, true
		}
		return benchToken, true
	}
	target, ds := fleet.Open(set, "local", manifest.Inputs{Env: env, Now: time.Now()}, store, tenant.Config{})
	if ds.Errors() > 0 {
		b.t.Fatal(ds)
	}
	return target
}

func (b *bench) plan() planner.TenantPlan {
	b.t.Helper()
	p, err := b.target().Plan(context.Background(), fleet.PlanOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b *bench) apply() planner.TenantPlan {
	b.t.Helper()
	target := b.target()
	p, err := target.Plan(context.Background(), fleet.PlanOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := target.Apply(context.Background(), p, fleet.ApplyOptions{Tool: "test", Now: time.Now})
	if err != nil {
		b.t.Fatal(err)
	}
	if !out.OK() {
		b.t.Fatalf("apply: %v", out.Error())
	}
	return p
}

// requests counts reads and writes since the last call.
func (b *bench) requests() (reads, writes int) {
	for _, r := range b.sim.Requests() {
		switch {
		case strings.HasPrefix(r.Path, "/oauth"):
		case r.Method == "GET":
			reads++
		default:
			writes++
		}
	}
	b.sim.ResetRequests()
	return reads, writes
}

func guide(t testing.TB) *bench {
	t.Helper()
	seed, err := examples.Express.ReadFile("express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, seed)
	for _, f := range []string{"express.yaml", "tenants.yaml", "okta-public-key.pem"} {
		data, err := examples.Express.ReadFile("express/" + f)
		if err != nil {
			t.Fatal(err)
		}
		b.write(f, strings.ReplaceAll(string(data), "127.0.0.1:4010", b.sim.Domain()))
	}
	return b
}

func TestGuideCosts(t *testing.T) {
	b := guide(t)
	p := b.plan()
	if reads, writes := b.requests(); writes != 0 || reads > 9 {
		t.Errorf("the first plan cost %d reads and %d writes, want at most 9 and 0", reads, writes)
	}
	if len(p.Steps) != 8 {
		t.Errorf("the first plan has %d steps, want 8", len(p.Steps))
	}
	b.apply()
	if _, writes := b.requests(); writes != 8 {
		t.Errorf("the first apply cost %d writes, want 8", writes)
	}
	p = b.plan()
	if reads, writes := b.requests(); writes != 0 || reads != 9 {
		t.Errorf("a plan of the finished set-up cost %d reads and %d writes, want 9 and 0", reads, writes)
	}
	if len(p.Steps) != 0 {
		t.Errorf("the second plan has steps: %s", planner.Digest(p.Steps))
		for _, s := range p.Steps {
			t.Logf("%s: %s %v", s.ID, s.Reason, s.Changes)
		}
	}
	b.apply()
	if _, writes := b.requests(); writes != 0 {
		t.Errorf("the second apply cost %d writes, want 0", writes)
	}
}
