package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

const (
	client = "Client/acme-crm.okta-oin"
	grant  = "ClientGrant/acme-crm.okta-oin"
	action = "Action/acme-crm.post-login"
)

// read returns a file of testdata/scenes, which TestScenes of cmd/ecplan makes: what the
// program plans and does on simulated tenants.
func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "scenes", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// scenes returns the plans there by name: for each of them every format has a golden file.
func scenes(t testing.TB) map[string]*planner.Plan {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "scenes", "plan-*.json"))
	if err != nil || len(files) < 8 {
		t.Fatalf("there are %d plans (%v)", len(files), err)
	}
	out := map[string]*planner.Plan{}
	for _, f := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "plan-"), ".json")
		out[name] = scene(t, name)
	}
	return out
}

func scene(t testing.TB, name string) *planner.Plan {
	t.Helper()
	p, err := planner.Read(read(t, "plan-"+name))
	if err != nil {
		t.Fatalf("plan-%s: %v", name, err)
	}
	return p
}

// tenantOf returns the first tenant of a scene, under another name and domain.
func tenantOf(t testing.TB, name, tenant string) planner.TenantPlan {
	t.Helper()
	var p planner.Plan
	if err := json.Unmarshal(bytes.ReplaceAll(read(t, "plan-"+name), []byte("acme-01"), []byte(tenant)), &p); err != nil {
		t.Fatal(err)
	}
	return p.Tenants[0]
}

// runScenes returns the reports of runs by name.
func runScenes(t testing.TB) map[string]RunReport {
	t.Helper()
	out := map[string]RunReport{}
	for _, name := range []string{"rolled-back", "mixed"} {
		var r RunReport
		if err := json.Unmarshal(read(t, "run-"+name), &r); err != nil {
			t.Fatal(err)
		}
		out[name] = r
	}
	return out
}

func add(path string, v any) kind.Change { return kind.Change{Path: path, Op: "add", After: v} }

func from(path string, before, after any) kind.Change {
	return kind.Change{Path: path, Op: "change", Before: before, After: after}
}

func drop(path string, v any) kind.Change { return kind.Change{Path: path, Op: "remove", Before: v} }

func set(c kind.Change) kind.Change { c.Set = true; return c }

func program(c kind.Change) kind.Change { c.Code = true; return c }

func secret(path, op string, after any, note string) kind.Change {
	_, sensitive := manifest.AsSecret(after)
	return kind.Change{Path: path, Op: op, After: after, Sensitive: sensitive, Note: note}
}

func step(address, part string, verb kind.Verb, reason, undo string, changes ...kind.Change) kind.Step {
	return kind.Step{
		ID: kind.StepID(address, part), Address: address, Part: part, Action: verb, Reason: reason, Changes: changes,
		Request: kind.Request{Method: "POST", Path: []any{strings.ToLower(address)}}, Undo: kind.Undo{Effect: kind.Exact, How: undo},
	}
}

func undo(s kind.Step, e kind.Effect, how string) kind.Step {
	s.Undo = kind.Undo{Effect: e, How: how}
	return s
}

func planOf(ts ...planner.TenantPlan) *planner.Plan {
	p := &planner.Plan{Format: planner.Format, Tool: "0.1.0", ManifestDigest: planner.Digest("manifest"), Tenants: ts}
	p.Seal()
	return p
}

func diagnostics() manifest.Diagnostics {
	return manifest.Diagnostics{
		{
			Severity: manifest.Error, Pos: manifest.Position{File: "tenants.yaml", Line: 3, Column: 8}, Address: "Tenant/prod-eu", Path: "spec.domain",
			Summary: "the domain has a path", Detail: "A domain is a host name such as acme.eu.auth0.com.\nLeave out what follows the first slash.",
		},
		{Severity: manifest.Warning, Pos: manifest.Position{File: "with space/ä.yaml", Line: 1, Column: 1}, Summary: "nothing refers to this role"},
		{Severity: manifest.Error, Summary: "there are no manifests in the folder"},
	}
}
