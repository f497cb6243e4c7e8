package fleet_test

import (
	"fmt"
	"hash/fnv"
	"os"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/planner"
)

// wholeTorture says that every case is run, not a sample.
var wholeTorture = os.Getenv("ECPLAN_TORTURE") != ""

// fault is one way in which a request can go wrong.
type fault struct {
	name string
	// spec is the simulator's word for it, "" for the death of the process.
	spec string
	// after says that the write has its effect, read that the fault befalls reads too.
	after, read bool
}

var faults = []fault{
	{"400", "status 400", false, true},
	{"403", "status 403", false, true},
	{"409", "status 409", false, false},
	{"429", "429 retry-after 0", false, true},
	{"500 before commit", "status 500 before", false, true},
	{"500 after commit", "status 500 after", true, false},
	{"dropped before commit", "drop before", false, true},
	{"dropped after commit", "drop after", true, false},
	{"hang before commit", "hang before", false, true},
	{"hang after commit", "hang after", true, false},
	{"death before commit", "", false, true},
	{"death after commit", "", true, false},
}

// patient is how long a tenant may take to answer where it never does; a slow machine
// that takes longer makes a case of another kind, which must come out well too.
const patient = "1s"

// scenario is a change of a tenant.
type scenario struct {
	name string
	// first, if there, is applied before; docs is the change.
	first, docs []object
	seed        []byte
	// mode is how the change is planned: planner.Prune, planner.Destroy, "" to apply.
	mode string
	// reverse makes the change of taking the first run back, which deletes what it made.
	reverse bool
}

func scenarios() []scenario {
	seed := []byte(tortureSeed)
	return append([]scenario{
		{name: "set-up from nothing", docs: tortureDocs(0), seed: seed},
		{name: "update of every kind", first: tortureDocs(0), docs: tortureDocs(1), seed: seed},
		{name: "key rotation", first: tortureDocs(0), docs: tortureDocs(2), seed: seed},
		{name: "destroy", first: tortureDocs(0), docs: tortureDocs(0), seed: seed, mode: planner.Destroy},
		{name: "prune", first: tortureDocs(0), docs: tortureDocs(0)[5:], seed: seed, mode: planner.Prune},
		{name: "set-up taken back", first: tortureDocs(0), docs: tortureDocs(0), seed: seed, reverse: true},
	}, customerScenarios()...)
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

// tortureSecret is in every Action of the torture.
const tortureSecret = canary + "8d1f06a7-never-on-disk"

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
	w.how = fleet.PlanOptions{Mode: s.mode, Force: s.mode != ""}
	return w, first
}

// change does the scenario's change once, as far as the faults let it. An error means
// that nothing was begun.
func (s *scenario) change(w *world, first string) (run string, p planner.TenantPlan, out executor.Outcome, err error) {
	w.t.Helper()
	if !s.reverse {
		return w.try()
	}
	run, back, out, err := w.rollback(first, true)
	if err != nil {
		return run, p, out, err
	}
	return run, back.Plan, out, nil
}

// undisturbed counts the requests that the change takes, and gives start and end.
func (s *scenario) undisturbed(t testing.TB) (reads, writes int, start, end object) {
	t.Helper()
	w, first := s.prepared(t)
	start = canonical(t, w.sim)
	w.sim.ResetRequests()
	_, _, out, err := s.change(w, first)
	if err != nil || !out.OK() {
		t.Fatalf("%s: undisturbed: %v, %v", s.name, err, out.Error())
	}
	reads, writes = w.requests()
	return reads, writes, start, canonical(t, w.sim)
}

// sampled says whether a case is run in the everyday test.
func sampled(name string, share uint32) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return wholeTorture || h.Sum32()%share == 0
}

// torment is one case: a fault at one request of a scenario's change, and how that is
// mended.
type torment struct {
	*scenario
	fault
	which      string // "read" or "write"
	at         int
	mode       string // modeResume or modeRollback
	start, end object
}

func (c *torment) String() string {
	name := c.fault.name
	if c.which == "read" {
		name = strings.TrimSuffix(name, " before commit")
	}
	return fmt.Sprintf("%s/%s %d/%s/%s", c.scenario.name, c.which, c.at, name, c.mode)
}

// torments are all cases of a scenario.
func (s *scenario) torments(t testing.TB) (reads, writes int, cases []torment) {
	t.Helper()
	reads, writes, start, end := s.undisturbed(t)
	for which, n := range map[string]int{"read": reads, "write": writes} {
		for at := 1; at <= n; at++ {
			for _, f := range faults {
				for _, mode := range []string{modeResume, modeRollback} {
					if which == "write" || f.read {
						cases = append(cases, torment{s, f, which, at, mode, start, end})
					}
				}
			}
		}
	}
	return reads, writes, cases
}

// TestEveryFaultAtEveryRequest: for each scenario, each request and each fault, resume
// ends exactly as the undisturbed run, and rollback exactly as the start.
func TestEveryFaultAtEveryRequest(t *testing.T) {
	var table strings.Builder
	total := 0
	for _, s := range scenarios() {
		reads, writes, cases := s.torments(t)
		fmt.Fprintf(&table, "| %s | %d | %d | %d |\n", s.name, reads, writes, len(cases))
		total += len(cases)
		for _, c := range cases {
			if sampled(c.String(), 60) {
				t.Run(c.String(), func(t *testing.T) {
					t.Parallel() // a tenant that does not answer costs time, not work
					c.run(t)
				})
			}
		}
	}
	fmt.Fprintf(&table, "| **all** | | | **%d** |\n", total)
	tortureTable(t, table.String())
}

// tortureTable holds the table in the docs to the cases that there are; the whole
// torture writes it.
func tortureTable(t *testing.T, rows string) {
	t.Helper()
	const page, head, foot = "../../docs/torture.md", "| scenario | reads | writes | cases |\n|---|---:|---:|---:|\n", "\n\n<!-- end of the table -->"
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

// outlived says that the fault does not end the run: what was not done, or only read,
// is asked for again.
func (c *torment) outlived() bool {
	return c.fault.name == "429" || c.which == "read" && c.spec != "" && !strings.HasPrefix(c.spec, "status 40")
}

// optional says that the run may come out well or not: a read that is refused can be
// one that the run does without, and where a tenant hangs others may time out as well.
func (c *torment) optional() bool {
	return c.which == "read" && strings.HasPrefix(c.spec, "status 40") || strings.HasPrefix(c.spec, "hang")
}

func (c *torment) run(t *testing.T) {
	t.Helper()
	w, first := c.prepared(t)
	if strings.HasPrefix(c.spec, "hang") {
		w.impatient()
	}
	w.hurt(c.fault, c.which, c.at)
	run, p, out, err := c.change(w, first)
	w.heal()
	fine := err == nil && out.OK()
	if fine != c.outlived() && !c.optional() {
		t.Fatalf("the run came out as %+v, %v, %v", out, out.Error(), err)
	}
	noSecretOnDisk(t, w.store.Where(), map[bool]int{false: 3, true: 1}[run == ""]) // plan and journal; the key
	switch {
	case fine:
		equalStates(t, "after a run that went on", canonical(t, w.sim), c.end, nil)
	case run == "":
		equalStates(t, "after a run that never began", canonical(t, w.sim), c.start, nil)
	}
	switch {
	case c.mode == modeResume && run == "":
		if _, _, out, err := c.change(w, first); err != nil || !out.OK() {
			t.Fatalf("once more: %v, %v", err, out.Error())
		}
		equalStates(t, "once more", canonical(t, w.sim), c.end, nil)
	case c.mode == modeResume && !fine:
		if err := w.resume(run); err != nil {
			t.Fatalf("resume: %v", err)
		}
		equalStates(t, "after resume", canonical(t, w.sim), c.end, nil)
	case c.mode == modeRollback && run != "":
		_, back, undone, err := w.rollback(run, fine) // what just failed needs no force
		if err != nil || !undone.OK() {
			t.Fatalf("rollback: %v, %v", err, undone.Error())
		}
		gone, err := saidToBeLost(back, p)
		if err != nil {
			t.Error(err)
		}
		if len(back.Left) > 0 {
			t.Errorf("left alone though nobody else was there: %+v", back.Left)
		}
		equalStates(t, "after rollback", canonical(t, w.sim), c.start, gone)
	}
}
