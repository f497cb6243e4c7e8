package fleet_test

import (
	"context"
	"fmt"
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

// crowd is some tenants that are to get the same, and a store in which the process can die.
type crowd struct {
	t     testing.TB
	names []string
	sims  map[string]*auth0sim.Server
	start map[string]object
	store *mortal
	dir   string
	// writes counts those of all tenants; at dieAt the process dies.
	writes atomic.Int64
	dieAt  atomic.Int64
}

// crowdDocs take 5 writes on an empty tenant.
const crowdDocs = `apiVersion: ecplan/v1
kind: ResourceServer
metadata: {name: api}
spec: {identifier: urn:crowd, name: Crowd, scopes: [{value: a}]}
---
apiVersion: ecplan/v1
kind: Role
metadata: {name: one}
spec: {name: One, permissions: [{resource_server_identifier: urn:crowd, permission_name: a}]}
---
apiVersion: ecplan/v1
kind: Client
metadata: {name: c}
spec: {name: Crowd client, app_type: non_interactive}
---
apiVersion: ecplan/v1
kind: ClientGrant
metadata: {name: g}
spec: {client_id: "${Client/c.client_id}", audience: urn:crowd, scope: [a]}
`

// newCrowd starts a tenant for each wave's number in waves: tenant i belongs to the wave
// waves[i].
func newCrowd(t testing.TB, waves []int) *crowd {
	t.Helper()
	dir, err := journal.OpenDir(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{t: t, sims: map[string]*auth0sim.Server{}, start: map[string]object{}, store: &mortal{Store: dir}, dir: t.TempDir()}
	text := crowdDocs
	for i, wave := range waves {
		name := fmt.Sprintf("t%03d", i)
		sim := auth0sim.Start(t, auth0sim.Options{Token: benchToken, Random: int64(i)})
		c.names = append(c.names, name)
		c.sims[name], c.start[name] = sim, canonical(t, sim)
		text += fmt.Sprintf("---\napiVersion: ecplan/v1\nkind: Tenant\nmetadata: {name: %s, labels: {wave: w%d}}\nspec: {domain: '%s', insecure: true, timeout: %s, auth: {token: '${env.T}'}}\n", name, wave, sim.Domain(), patient)
		sim.SetHooks(func(r auth0sim.Request) bool {
			if r.Method == "GET" {
				return true
			}
			if c.writes.Add(1) != c.dieAt.Load() {
				return !c.store.dead.Load()
			}
			c.store.dead.Store(true)
			return false
		}, nil)
	}
	(&bench{t: t, dir: c.dir}).write("manifest.yaml", text)
	return c
}

// close ends the tenants of one of many random cases: at the end of the test there would be
// more of them than a process may have open.
func (c *crowd) close() {
	for _, sim := range c.sims {
		if err := sim.Close(); err != nil {
			c.t.Error(err)
		}
	}
}

// open opens the tenants as a new process would.
func (c *crowd) open() []*fleet.Target {
	c.t.Helper()
	set, ds := manifest.Load([]string{c.dir})
	if ds.Errors() > 0 {
		c.t.Fatal(ds)
	}
	env := func(string) (string, bool) { return benchToken, true }
	ts, ds := fleet.OpenAll(set, c.names, manifest.Inputs{Env: env, Now: time.Now()}, c.store, tenant.Config{})
	if ds.Errors() > 0 {
		c.t.Fatal(ds)
	}
	return ts
}

// complete sets what does not matter here.
func complete(o fleet.RolloutOptions) fleet.RolloutOptions {
	o.Apply = fleet.ApplyOptions{Tool: "test", Now: time.Now, Poll: executor.Poll{First: time.Millisecond, Max: 5 * time.Millisecond}, Rollout: o.Apply.Rollout, Hard: o.Apply.Hard}
	o.Past = fleet.PastOptions{Now: time.Now}
	return o
}

// rollOut plans for all tenants and rolls the plan out, as apply does.
func (c *crowd) rollOut(ctx context.Context, o fleet.RolloutOptions) []fleet.Result {
	c.t.Helper()
	ts := c.open()
	p := fleet.PlanAll(ctx, ts, "test", fleet.PlanOptions{Progress: o.Progress})
	o = complete(o)
	record, err := fleet.Record(c.store, o, "apply", p)
	if err != nil {
		c.t.Fatal(err)
	}
	o.Apply.Rollout = record.Name
	return fleet.RollOut(ctx, fleet.Parts(ts, p, nil), o)
}

// resume takes the newest rollout up again, as a new process does.
func (c *crowd) resume() []fleet.Result {
	c.t.Helper()
	c.dieAt.Store(0)
	c.store.dead.Store(false)
	record, p, o, err := fleet.Recorded(c.store, "")
	if err != nil {
		c.t.Fatal(err)
	}
	ts := c.open()
	o = complete(o)
	o.Apply.Rollout = record.Name
	return fleet.RollOut(context.Background(), fleet.PastParts(ts, record, p, nil), o)
}

// written counts the writes that a tenant was sent.
func (c *crowd) written(name string) int {
	n := 0
	for _, r := range c.sims[name].Requests() {
		if r.Method != "GET" && !strings.HasPrefix(r.Path, "/oauth/") {
			n++
		}
	}
	return n
}

// asBefore says how a tenant differs from its beginning, nil if it does not.
func (c *crowd) asBefore(name string) error {
	return differ(name+" is not as before", canonical(c.t, c.sims[name]), c.start[name])
}

// asDeclared says what a new plan for a tenant would do, nil if nothing.
func (c *crowd) asDeclared(name string) error {
	for _, t := range c.open() {
		if t.Tenant.Name != name {
			continue
		}
		if err := c.sims[name].SetFaults(); err != nil {
			return err
		}
		var p planner.TenantPlan
		p, err := t.Plan(context.Background(), fleet.PlanOptions{})
		if err == nil && len(p.Steps) > 0 {
			err = fmt.Errorf("%s is not as declared: %s", name, indent(p.Steps))
		}
		return err
	}
	return fmt.Errorf("there is no tenant %s", name)
}

// SaveRollout writes nothing when the process is dead.
func (m *mortal) SaveRollout(name string, record, plan []byte) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Store.SaveRollout(name, record, plan)
}
