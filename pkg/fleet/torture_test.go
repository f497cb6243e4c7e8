package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
	"github.com/ecplan/ecplan/schemas"
)

// wholeTorture says that every case is run, not a sample.
var wholeTorture = os.Getenv("ECPLAN_TORTURE") != ""

// fault is one way in which a write can go wrong.
type fault struct {
	name string
	// spec is the simulator's word for it, "" for the death of the process.
	spec string
	// after says that the write has its effect.
	after bool
}

var faults = []fault{
	{"400", "status 400", false},
	{"403", "status 403", false},
	{"409", "status 409", false},
	{"429", "429 retry-after 0", false},
	{"500 before commit", "status 500 before", false},
	{"500 after commit", "status 500 after", true},
	{"dropped before commit", "drop before", false},
	{"dropped after commit", "drop after", true},
	{"hang before commit", "hang before", false},
	{"hang after commit", "hang after", true},
	{"death before commit", "", false},
	{"death after commit", "", true},
}

// patient is how long a tenant may take to answer where it never does; a slow machine
// that takes longer makes a case of another kind, which must come out well too.
const patient = "1s"

// world is a tenant, a store, and manifests, in which a process can die.
type world struct {
	*bench
	store *mortal
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
	env := func(string) (string, bool) { return "bench-token", true }
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

// hurt makes the n-th write from now on go wrong.
func (w *world) hurt(f fault, n int) {
	w.t.Helper()
	w.sim.ResetRequests()
	if f.spec != "" {
		if err := w.sim.SetFaults(fmt.Sprintf("write #%d = %s", n, f.spec)); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	var writes atomic.Int64
	die := func(r auth0sim.Request) bool {
		if r.Method == "GET" || writes.Add(1) != int64(n) {
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

// apply plans and carries out; run is "" where there was nothing to do.
func (w *world) applyOnce() (run string, p planner.TenantPlan, out executor.Outcome) {
	w.t.Helper()
	target := w.open()
	p, err := target.Plan(context.Background(), fleet.PlanOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	out, err = target.Apply(context.Background(), p, w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Run, p, out
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

// rollback takes a run back and says under which run.
func (w *world) rollback(run string) (string, *executor.Rollback, executor.Outcome, error) {
	target := w.open()
	back, err := target.PlanRollback(context.Background(), run, true, w.past())
	if err != nil {
		return "", nil, executor.Outcome{}, err
	}
	o := w.options()
	o.RollsBack = run
	out, err := target.Apply(context.Background(), back.Plan, o)
	return out.Run, back, out, err
}

// canonical is a tenant's whole state, ids and times aside: objects bear their names
// where they bear ids, collections are sorted, and a value that means the same as its
// absence is absent.
func canonical(t testing.TB, sim *auth0sim.Server) object {
	t.Helper()
	var state object
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(sim.Essence()), sim.Domain(), "DOMAIN")), &state); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	label := func(o object, id, prefix string) {
		if s, _ := o[id].(string); s != "" {
			labels[s] = "<" + prefix + ">"
		}
	}
	for _, e := range list(state["resource_servers"]) {
		label(e.(object), "id", fmt.Sprint("api ", e.(object)["identifier"]))
	}
	for _, e := range list(state["roles"]) {
		label(e.(object), "id", fmt.Sprint("role ", e.(object)["name"]))
	}
	for _, e := range list(state["clients"]) {
		c := e.(object)
		label(c, "client_id", fmt.Sprint("client ", c["name"]))
		delete(c, "client_secret")
		if m, ok := c["client_metadata"].(object); ok && len(m) == 0 {
			delete(c, "client_metadata")
		}
		for _, k := range list(c["credentials"]) {
			label(k.(object), "id", fmt.Sprint("key ", k.(object)["kid"]))
		}
	}
	for _, e := range list(state["actions"]) {
		label(e.(object), "id", fmt.Sprint("action ", e.(object)["name"]))
	}
	for _, e := range list(state["client_grants"]) {
		g := e.(object)
		label(g, "id", fmt.Sprint("grant ", labels[fmt.Sprint(g["client_id"])], " ", g["audience"]))
	}
	for _, e := range list(state["organizations"]) {
		label(e.(object), "id", fmt.Sprint("organization ", e.(object)["name"]))
	}
	for collection, k := range map[string]string{
		"resource_servers": "ResourceServer", "roles": "Role", "clients": "Client", "client_grants": "ClientGrant",
	} {
		for _, e := range list(state[collection]) {
			plain(schemas.Rules(k), e.(object))
		}
	}
	if s, ok := state["tenant"].(object); ok {
		plain(schemas.Rules("TenantSettings"), s)
		if flags, ok := s["flags"].(object); ok {
			plain(schemas.Rules("TenantSettings").Properties["flags"], flags)
		}
	}
	return relabel(state, labels, "").(object)
}

// plain drops fields that say what their absence says.
func plain(rules *schemas.Rule, o object) {
	for f, v := range o {
		rule := rules.Field(f)
		if nested, ok := v.(object); ok && rule != nil {
			plain(rule, nested)
		}
		if v == nil || rule != nil && rule.HasAbsent && reflect.DeepEqual(v, rule.Absent) {
			delete(o, f)
		}
	}
}

// relabel replaces ids and sorts what has no order. Bindings have one.
func relabel(v any, labels map[string]string, name string) any {
	switch v := v.(type) {
	case string:
		if l, ok := labels[v]; ok {
			return l
		}
	case object:
		out := object{}
		for k, e := range v {
			out[k] = relabel(e, labels, k)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = relabel(e, labels, name)
		}
		if name != "post-login" {
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(indent(a), indent(b)) })
		}
		return out
	}
	return v
}

// scenario is a change of a tenant.
type scenario struct {
	name string
	// first, if there, is applied before; docs is the change.
	first, docs []object
	seed        []byte
	// reverse makes the change of taking the first run back, which deletes what it made.
	reverse bool
}

func scenarios(t testing.TB) []scenario {
	t.Helper()
	seed := []byte(tortureSeed)
	return []scenario{
		{name: "set-up from nothing", docs: tortureDocs(0), seed: seed},
		{name: "update of every kind", first: tortureDocs(0), docs: tortureDocs(1), seed: seed},
		{name: "key rotation", first: tortureDocs(0), docs: tortureDocs(2), seed: seed},
		{name: "destroy", first: tortureDocs(0), docs: tortureDocs(0), seed: seed, reverse: true},
	}
}

const tortureSeed = `{
 "clients": [{"name": "App", "app_type": "regular_web"}],
 "actions": [
  {"name": "theirs", "code": "exports.onExecutePostLogin = async () => {};", "supported_triggers": [{"id": "post-login", "version": "v3"}], "deployed": true},
  {"name": "other", "code": "exports.onExecutePostLogin = async () => {};", "supported_triggers": [{"id": "post-login", "version": "v3"}], "deployed": true}
 ],
 "bindings": {"post-login": ["theirs", "other"]},
 "resource_servers": [{"identifier": "urn:theirs", "name": "Theirs", "scopes": [{"value": "x", "description": "X"}]}]
}`

// tortureSecret is in every Action of the torture, and must be in no file of any run.
const tortureSecret = "canary-8d1f06a7-never-on-disk"

// tortureDocs are the guide's objects and an Action that keeps a secret: 0 as first
// set up, 1 with every kind changed, 2 with another key.
func tortureDocs(version int) []object {
	pick := func(a, b any) any {
		if version == 1 {
			return b
		}
		return a
	}
	key := testKeys()[0]
	if version == 2 {
		key = testKeys()[1]
	}
	doc := func(kind, name string, spec object) object {
		return object{"apiVersion": "ecplan/v1", "kind": kind, "metadata": object{"name": name}, "spec": spec}
	}
	scopes := []any{object{"value": "expressconfigure:sso", "description": pick("Configure SSO", "Configure single sign-on")}}
	permissions := []any{object{"resource_server_identifier": "urn:express", "permission_name": "expressconfigure:sso"}}
	if version == 1 {
		scopes = append(scopes, object{"value": "expressconfigure:scim", "description": "SCIM"})
		permissions = append(permissions, object{"resource_server_identifier": "urn:express", "permission_name": "expressconfigure:scim"})
	}
	return []object{
		doc("ResourceServer", "express", object{
			"identifier": "urn:express", "name": pick("Express", "Express Configure"), "scopes": scopes, "enforce_policies": true,
			"token_lifetime": pick(300, 600), "allow_offline_access": pick(false, true),
		}),
		doc("Role", "admin", object{"name": "ADMIN", "description": pick("one", "two"), "permissions": permissions}),
		doc("Client", "oin", object{
			"name": "OIN", "description": pick("one", "two"), "app_type": "regular_web", "callbacks": pick([]string{"https://a.example"}, []string{"https://b.example"}),
			"grant_types": []string{"authorization_code", "client_credentials"}, "oidc_conformant": true,
			"jwt_configuration": pick(object{"alg": "RS256"}, object{"alg": "RS256", "lifetime_in_seconds": 600}),
			"client_metadata":   pick(object{"a": "1"}, object{"a": "2", "b": "1"}),
			"credentials":       []any{object{"name": "key", "pem": key, "alg": "RS256"}},
		}),
		doc("ClientGrant", "oin", object{
			"client_id": "${Client/oin.client_id}", "audience": "https://${tenant.domain}/api/v2/",
			"scope": pick([]string{"read:connections"}, []string{"read:connections", "create:connections"}),
		}),
		doc("Action", "claims", object{
			"name": "claims", "trigger": "post-login", "runtime": "node22",
			"code":    pick("exports.onExecutePostLogin = async () => {};", "exports.onExecutePostLogin = async (event) => {};"),
			"secrets": object{"S": tortureSecret + fmt.Sprint(pick("", "-2"))}, "bind": pick(object{"position": "last"}, object{"position": "first"}),
		}),
		doc("TenantSettings", "tenant", object{"flags": object{"use_scope_descriptions_for_consent": pick(true, false), "enable_client_connections": false}}),
	}
}

// prepared brings a world to where the scenario's change begins, and returns the run
// to take back, if that is the change.
func (s *scenario) prepared(t testing.TB) (w *world, first string) {
	t.Helper()
	docs := s.docs
	if s.first != nil {
		docs = s.first
	}
	w = newWorld(t, s.seed, docs)
	if s.first != nil {
		run, _, out := w.applyOnce()
		if !out.OK() {
			t.Fatalf("%s: preparing: %v", s.name, out.Error())
		}
		first = run
		w.manifest(s.docs)
	}
	return w, first
}

// change does the scenario's change once, as far as the faults let it.
func (s *scenario) change(w *world, first string) (run string, p planner.TenantPlan, out executor.Outcome) {
	w.t.Helper()
	if !s.reverse {
		return w.applyOnce()
	}
	run, back, out, err := w.rollback(first)
	if err != nil {
		w.t.Fatalf("%s: %v", s.name, err)
	}
	return run, back.Plan, out
}

// writes counts the writes that the change takes, and gives start and end.
func (s *scenario) writes(t testing.TB) (n int, start, end object, lost []string) {
	t.Helper()
	w, first := s.prepared(t)
	start = canonical(t, w.sim)
	w.sim.ResetRequests()
	_, p, out := s.change(w, first)
	if !out.OK() {
		t.Fatalf("%s: undisturbed: %v", s.name, out.Error())
	}
	for _, st := range p.Steps {
		if st.Undo.Effect == kind.None {
			lost = append(lost, st.Address)
		}
	}
	_, n = w.requests()
	return n, start, canonical(t, w.sim), lost
}

// sampled says whether a case is run in the everyday test.
func sampled(name string, share uint32) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return wholeTorture || h.Sum32()%share == 0
}

// TestEveryFaultAtEveryWrite: for each scenario, each write and each fault, resume ends
// exactly as the undisturbed run, and rollback exactly as the start.
func TestEveryFaultAtEveryWrite(t *testing.T) {
	var table strings.Builder
	total := 0
	for _, s := range scenarios(t) {
		n, start, end, lost := s.writes(t)
		cases := 0
		fmt.Fprintf(&table, "| %s | %d | %d |\n", s.name, n, n*len(faults)*2)
		total += n * len(faults) * 2
		for at := 1; at <= n; at++ {
			for _, f := range faults {
				for _, mode := range []string{"resume", "rollback"} {
					name := fmt.Sprintf("%s/write %d/%s/%s", s.name, at, f.name, mode)
					if !sampled(name, 15) {
						continue
					}
					cases++
					t.Run(name, func(t *testing.T) {
						w, first := s.prepared(t)
						s.hurtAndMend(t, w, first, f, at, mode, start, end, lost)
						noSecretOnDisk(t, w)
					})
				}
			}
		}
		t.Logf("%s: %d writes, %d cases", s.name, n, cases)
	}
	fmt.Fprintf(&table, "| **all** | | **%d** |\n", total)
	tortureTable(t, table.String())
}

// tortureTable holds the table in the docs to the cases that there are; the whole
// torture writes it.
func tortureTable(t *testing.T, rows string) {
	t.Helper()
	const page, head, foot = "../../docs/torture.md", "| scenario | writes | cases |\n|---|---:|---:|\n", "\n\n<!-- end of the table -->"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), head)
	old, after, ok2 := strings.Cut(rest, foot)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the table", page)
	}
	rows = strings.TrimSuffix(rows, "\n")
	if old == rows {
		return
	}
	if !wholeTorture {
		t.Fatalf("the table in %s is not what there is; run make torture. It should be:\n%s%s", page, head, rows)
	}
	if err := os.WriteFile(page, []byte(before+head+rows+foot+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *scenario) hurtAndMend(t *testing.T, w *world, first string, f fault, at int, mode string, start, end object, lost []string) {
	t.Helper()
	w.t = t
	if strings.HasPrefix(f.name, "hang") {
		w.impatient()
	}
	w.hurt(f, at)
	run, p, out := s.change(w, first)
	w.heal()
	if out.OK() != (f.name == "429") {
		t.Fatalf("the run came out as %+v, %v", out, out.Error())
	}
	switch mode {
	case "resume":
		if err := w.resume(run); err != nil {
			t.Fatalf("resume: %v", err)
		}
		equalStates(t, "after resume", canonical(t, w.sim), end, nil)
	case "rollback":
		_, back, undone, err := w.rollback(run)
		if err != nil || !undone.OK() {
			t.Fatalf("rollback: %v, %v", err, undone.Error())
		}
		var gone []string
		for _, l := range back.Lost {
			if !slices.Contains(lost, l.Address) {
				t.Errorf("%s is lost (%s), and the plan did not say so: %s", l.Step, l.Why, indent(p.Steps))
			}
			gone = append(gone, l.Address)
		}
		if len(back.Left) > 0 {
			t.Errorf("left alone though nobody else was there: %+v", back.Left)
		}
		equalStates(t, "after rollback", canonical(t, w.sim), start, gone)
	}
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

// equalStates compares two states, but for what is lost.
func equalStates(t testing.TB, when string, got, want object, lost []string) {
	t.Helper()
	if err := differ(when, without(got, lost), without(want, lost)); err != nil {
		t.Error(err)
	}
}

// differ says how a state differs from what it should be.
func differ(when string, got, want object) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("%s (- as it should be, + as it is):\n%s", when, diff)
	}
	return nil
}

// without leaves out the objects that a rollback said it could not bring back, and
// what went with them.
func without(state object, lost []string) object {
	out := object{}
	for k, v := range state {
		out[k] = v
	}
	for _, address := range lost {
		switch kindName, _, _ := strings.Cut(address, "/"); kindName {
		case "Client":
			out["clients"] = nil
		case "ClientGrant":
			out["client_grants"] = nil
		case "Action":
			out["actions"], out["bindings"] = nil, nil
		default:
			out[kindName] = "lost" // nothing else is ever lost
		}
	}
	return out
}

// noSecretOnDisk looks for the secret in every file of the store.
func noSecretOnDisk(t testing.TB, w *world) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(w.store.Where(), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), tortureSecret) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("looking through %d files: %v", files, err)
	}
}
