package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
)

// TestScenes holds the plans and the reports of runs from which the tests of pkg/report
// show every format to what this program makes of manifests and tenants.
//
//	go test ./cmd/ecplan -run TestScenes -update && go test ./pkg/report -update
func TestScenes(t *testing.T) {
	for name, play := range scenes() {
		t.Run(name, func(t *testing.T) {
			for made, got := range play(t) {
				file := filepath.Join(sourceFolder, "pkg/report/testdata/scenes", made+".json")
				if *update {
					if err := os.WriteFile(file, got, 0o600); err != nil {
						t.Fatal(err)
					}
					continue
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s is not what is made now; look at both, and run the tests with -update if it is right:\n%s", file, got)
				}
			}
		})
	}
}

// scenes are the situations, by name; each returns plans ("plan-NAME") and reports of
// runs ("run-NAME") as JSON.
func scenes() map[string]func(*testing.T) map[string][]byte {
	type made = map[string][]byte
	return map[string]func(*testing.T) made{
		"first": func(t *testing.T) made {
			return made{"plan-first": newStage(t, "express", 1).plan()}
		},
		"nothing": func(t *testing.T) made {
			s := newStage(t, "express", 1)
			s.apply()
			return made{"plan-nothing": s.plan()}
		},
		"update of every kind": func(t *testing.T) made {
			s := newStage(t, "onboarding", 1)
			s.keep("tenants.yaml", "okta-public-key.pem")
			s.copy("next-key.pem", "next-key.pem")
			s.copy("before.yaml", "objects.yaml")
			s.apply()
			s.call(0, "PATCH", "clients/"+s.id(0, "clients", "Acme CRM backend", "client_id"), `{"client_metadata": {"cost-center": "4711"}}`)
			s.call(0, "PATCH", "actions/actions/"+s.id(0, "actions", "audit", "id"), `{"secrets": [{"name": "LEGACY_TOKEN", "value": "by hand"}]}`)
			s.copy("after.yaml", "objects.yaml")
			return made{"plan-update": s.plan(), "plan-forced": s.plan("--force")}
		},
		"rotation": func(t *testing.T) made {
			s := newStage(t, "express", 1)
			s.apply()
			s.copy("next-key.pem", "okta-public-key.pem")
			return made{"plan-rotation": s.plan()}
		},
		"destroy": func(t *testing.T) made {
			s := newStage(t, "express", 1)
			s.apply()
			return made{"plan-destroy": s.plan("--destroy")}
		},
		"drift": func(t *testing.T) made {
			s := newStage(t, "express", 2)
			s.apply("--all")
			s.widen(0)
			s.call(0, "PATCH", "tenants/settings", `{"flags": {"use_scope_descriptions_for_consent": false}}`)
			s.edit("express.yaml", "spec:\n", "spec:\n  api: {token_lifetime: 600}\n")
			return made{"plan-drift": s.plan("--tenant", "acme-01"), "plan-drift-only": s.drift()}
		},
		"forty tenants": forty,
		"a run that is rolled back": func(t *testing.T) made {
			s := newStage(t, "express", 1)
			s.fault(0, "POST /client-grants = status 403")
			return made{"run-rolled-back": s.run(exitRolledBack)}
		},
		"a run of which everything becomes": func(t *testing.T) made {
			s := newStage(t, "express", 5)
			s.apply("--tenant", "acme-02")
			s.fault(2, "GET /clients = status 403")
			s.fault(3, "POST /client-grants = status 403", "DELETE /clients/* = status 403")
			s.fault(4, "PATCH /tenants/settings = status 403")
			return made{"run-mixed": s.run(exitChanged, "--all")}
		},
	}
}

// forty is what a fleet looks like: most tenants in line, some new, one that somebody
// changed, one with a stranger in its flow, one that loses a client, one out of reach.
func forty(t *testing.T) map[string][]byte {
	s := newStage(t, "express", 40)
	s.edit("express.yaml", "spec:\n", "spec:\n  tenant_settings: {flags: {enable_client_connections: false}}\n")
	s.edit("tenants.yaml", "https://crm.acme.example/login # acme-09\n", "https://nine.acme.example/login\n")
	s.write("legacy.yaml", "apiVersion: ecplan/v1\nkind: Client\nmetadata: {name: legacy, tenants: number=30}\nspec: {name: Legacy portal, app_type: spa}\n")
	var there []string
	for i := range s.sims {
		if i%4 != 0 {
			there = append(there, "--tenant", stageName(i))
		}
	}
	s.apply(there...)
	s.fault(6, "GET /clients = status 403")
	s.widen(11)
	s.call(17, "POST", "actions/actions", `{"name": "send-to-crm", "code": "exports.onExecutePostLogin = async () => {};", "supported_triggers": [{"id": "post-login", "version": "v3"}]}`)
	s.call(17, "POST", "actions/actions/"+s.id(17, "actions", "send-to-crm", "id")+"/deploy", "")
	s.call(17, "PATCH", "actions/triggers/post-login/bindings", `{"bindings": [{"ref": {"type": "action_name", "value": "send-to-crm"}},
		{"ref": {"type": "action_name", "value": "add-roles-claim"}}, {"ref": {"type": "action_name", "value": "express_configure_postlogin_action"}}]}`)
	s.write("legacy.yaml", "")
	return map[string][]byte{"plan-forty": s.plan("--prune")}
}

// stage is tenants of the simulator, and a folder with manifests for them, which is the
// working folder. Nothing on it depends on time or place.
type stage struct {
	t    *testing.T
	sims []*auth0sim.Server
}

func stageName(i int) string { return fmt.Sprintf("acme-%02d", i+1) }

// stageDomain stands for the address of a tenant in what is made.
func stageDomain(i int) string { return stageName(i) + ".eu.auth0.com" }

// sourceFolder is the top of the project, absolute because a stage changes the folder.
var sourceFolder = func() string {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		panic(err)
	}
	return dir
}()

// newStage sets the stage with the manifests of an example, for n tenants with its seed.
func newStage(t *testing.T, example string, n int) *stage {
	t.Helper()
	s := &stage{t: t}
	files, err := filepath.Glob(filepath.Join(sourceFolder, "examples", example, "*"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var seed []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(file) {
		case ".json":
			seed = data
		case ".yaml", ".pem":
			s.write(filepath.Base(file), string(data))
		}
	}
	clock := func() time.Time { return time.Date(2026, 11, 20, 10, 15, 0, 0, time.UTC) }
	var tenants strings.Builder
	for i := range n {
		s.sims = append(s.sims, auth0sim.Start(t, auth0sim.Options{Token: "stage-token", Seed: seed, Random: int64(i), Now: clock}))
		fmt.Fprintf(&tenants, "---\napiVersion: ecplan/v1\nkind: Tenant\nmetadata: {name: %s, labels: {number: \"%d\"}}\nspec:\n"+
			"  domain: %s\n  insecure: true\n  auth: {token: \"${env.STAGE_TOKEN}\"}\n"+
			"  vars:\n    app_client_id: 7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu\n    init_login_url: https://crm.acme.example/login # %[1]s\n", stageName(i), i+1, s.sims[i].Domain())
	}
	s.write("tenants.yaml", tenants.String())
	return s
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// copy takes a file of testdata/scenes over.
func (s *stage) copy(from, to string) {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(sourceFolder, "cmd/ecplan/testdata/scenes", from))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(to, string(data))
}

// keep deletes all files but those named.
func (s *stage) keep(names ...string) {
	s.t.Helper()
	all, err := filepath.Glob("*")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range all {
		if slices.Contains(names, name) {
			continue
		}
		if err := os.Remove(name); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stage) edit(name, old, new string) {
	s.t.Helper()
	data, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(data), old) {
		s.t.Fatalf("%s does not hold %q (%v)", name, old, err)
	}
	s.write(name, strings.Replace(string(data), old, new, 1))
}

func (s *stage) fault(i int, specs ...string) {
	s.t.Helper()
	if err := s.sims[i].SetFaults(specs...); err != nil {
		s.t.Fatal(err)
	}
}

// call changes a tenant behind ecplan's back.
func (s *stage) call(i int, method, path, body string) {
	s.t.Helper()
	if code, answer := callSim(s.sims[i], "stage-token", method, path, body); code >= 400 {
		s.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
}

// objects lists a collection of a tenant.
func (s *stage) objects(i int, collection string) []map[string]any {
	s.t.Helper()
	var state map[string]json.RawMessage
	if err := json.Unmarshal(s.sims[i].Snapshot(), &state); err != nil {
		s.t.Fatal(err)
	}
	var all []map[string]any
	if err := json.Unmarshal(state[collection], &all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// id finds an object of a tenant by its name.
func (s *stage) id(i int, collection, name, member string) string {
	s.t.Helper()
	for _, o := range s.objects(i, collection) {
		if o["name"] == name {
			return o[member].(string)
		}
	}
	s.t.Fatalf("there is nothing called %s among the %s", name, collection)
	return ""
}

// widen gives the OIN client of a tenant one scope more.
func (s *stage) widen(i int) {
	s.t.Helper()
	oin := s.id(i, "clients", "Okta OIN Integration Client", "client_id")
	for _, g := range s.objects(i, "client_grants") {
		if g["client_id"] != oin {
			continue
		}
		scope, err := json.Marshal(append(g["scope"].([]any), "delete:connections"))
		if err != nil {
			s.t.Fatal(err)
		}
		s.call(i, "PATCH", "client-grants/"+g["id"].(string), `{"scope": `+string(scope)+`}`)
	}
}

// ecplan runs the program and returns what it writes.
func (s *stage) ecplan(args ...string) (code int, stdout []byte, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	env := map[string]string{"STAGE_TOKEN": "stage-token", "AUDIT_TOKEN": "canary-first", "NEXT_TOKEN": "canary-next"}
	code = Run(s.t.Context(), append([]string{"ecplan"}, args...), Streams{
		In: strings.NewReader(""), Out: &out, Err: &errs,
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	if strings.Contains(out.String()+errs.String(), "canary-") {
		s.t.Errorf("a secret is told:\n%s\n%s", out.String(), errs.String())
	}
	return code, out.Bytes(), errs.String()
}

func (s *stage) apply(args ...string) {
	s.t.Helper()
	if code, _, errs := s.ecplan(append([]string{"apply", "--yes", "--parallel", "1"}, args...)...); code != exitDone {
		s.t.Fatalf("apply ends with %d:\n%s", code, errs)
	}
}

// plan saves a plan and returns it.
func (s *stage) plan(args ...string) []byte {
	s.t.Helper()
	code, _, errs := s.ecplan(append([]string{"plan", "--out", "plan.json"}, args...)...)
	data, err := os.ReadFile("plan.json")
	if err != nil {
		s.t.Fatalf("plan ends with %d: %v\n%s", code, err, errs)
	}
	return s.steadyPlan(data)
}

// drift returns the report of drift, of which there is some.
func (s *stage) drift() []byte {
	s.t.Helper()
	code, out, errs := s.ecplan("plan", "--drift", "--detailed-exitcode", "--format", "json")
	if code != exitPending {
		s.t.Fatalf("plan --drift ends with %d:\n%s", code, errs)
	}
	return s.steadyPlan(out)
}

// run applies, which ends with the exit code want, and returns the report.
func (s *stage) run(want int, args ...string) []byte {
	s.t.Helper()
	code, out, errs := s.ecplan(append([]string{"apply", "--yes", "--parallel", "1", "--settle", "0s", "--format", "json"}, args...)...)
	if code != want {
		s.t.Fatalf("apply ends with %d, not %d:\n%s", code, want, errs)
	}
	var r report.RunReport
	if err := json.Unmarshal(s.steady(out), &r); err != nil {
		s.t.Fatal(err)
	}
	r.Seconds = 3.2
	for i := range r.Tenants {
		t := &r.Tenants[i]
		t.Seconds = 2.5
		for j := range t.Steps {
			if t.Steps[j].Seconds > 0 {
				t.Steps[j].Seconds = float64(30+j) / 100
			}
		}
		for j := range t.Rollback {
			if t.Rollback[j].Seconds > 0 {
				t.Rollback[j].Seconds = 0.2
			}
		}
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	return append(data, '\n')
}

var (
	runName = regexp.MustCompile(`\b20\d{6}T\d{6}\.\d{3}Z-([a-z0-9-]+)-[0-9a-f]{8}\b`)
	digest  = regexp.MustCompile(`\bsha256:[0-9a-f]{64}\b`)
)

// steady gives tenants their domains, and to runs names that are the same each time.
func (s *stage) steady(data []byte) []byte {
	text := string(data)
	for i, sim := range s.sims {
		text = strings.ReplaceAll(text, sim.Domain(), stageDomain(i))
	}
	names := map[string]string{}
	return []byte(runName.ReplaceAllStringFunc(text, func(run string) string {
		if names[run] == "" {
			names[run] = fmt.Sprintf("20261120T1015%02d.000Z-%s-%08x", len(names), runName.FindStringSubmatch(run)[1], 0xc0ffee01+len(names))
		}
		return names[run]
	}))
}

// steadyPlan makes digests the same each time as well: most of them cover the address of
// a tenant. Which of them are equal stays.
func (s *stage) steadyPlan(data []byte) []byte {
	s.t.Helper()
	digests := map[string]string{}
	data = digest.ReplaceAllFunc(s.steady(data), func(d []byte) []byte {
		if digests[string(d)] == "" {
			digests[string(d)] = planner.Digest(len(digests))
		}
		return []byte(digests[string(d)])
	})
	var p planner.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		s.t.Fatal(err)
	}
	for i := range p.Tenants {
		for _, fields := range p.Tenants[i].Declared {
			for name := range fields {
				fields[name] = "0123456789abcdef"
			}
		}
	}
	p.Seal()
	out, err := planner.Encode(&p)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}
