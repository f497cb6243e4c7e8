package fleet_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// TestNarrowingIsTold: scopes and permissions that a plan takes away are named, can be
// acknowledged, and stand in the way of nothing.
func TestNarrowingIsTold(t *testing.T) {
	b := newBench(t, nil)
	docs := func(scopes, permissions []any, more object) []object {
		grant := doc("ClientGrant", "g", object{"client_id": "${Client/c.client_id}", "audience": "https://" + b.sim.Domain() + "/api/v2/", "scope": scopes})
		role := doc("Role", "r", object{"name": "ops", "permissions": permissions})
		for _, d := range []object{grant, role} {
			for id, why := range more {
				d["metadata"].(object)["acknowledge"].(object)[id] = why
			}
		}
		return []object{
			grant, role, doc("Client", "c", object{"name": "c", "app_type": "non_interactive"}),
			doc("ResourceServer", "api", object{"identifier": "https://api.example", "scopes": []any{object{"value": "read:x"}, object{"value": "write:x"}}}),
		}
	}
	permission := func(name string) any {
		return object{"resource_server_identifier": "https://api.example", "permission_name": name}
	}
	told := func() map[string]kind.Notice {
		out := map[string]kind.Notice{}
		for _, n := range b.plan().Notices {
			out[n.ID] = n
		}
		return out
	}
	b.manifest(docs([]any{"read:roles", "read:clients"}, []any{permission("read:x"), permission("write:x")}, nil))
	if n := told(); n["grant-narrowed"].ID != "" || n["role-narrowed"].ID != "" {
		t.Errorf("of what is new, narrowing is told: %v", n)
	}
	b.apply()
	if n := told(); n["grant-narrowed"].ID != "" || n["role-narrowed"].ID != "" {
		t.Errorf("where nothing changes, narrowing is told: %v", n)
	}
	b.manifest(docs([]any{"read:clients"}, []any{permission("read:x")}, nil))
	n := told()
	if g := n["grant-narrowed"]; g.Level != kind.Info || !strings.Contains(g.Summary, "read:roles") || strings.Contains(g.Summary, "read:clients") {
		t.Errorf("of the grant it is told: %+v", g)
	}
	if r := n["role-narrowed"]; r.Level != kind.Info || !strings.Contains(r.Summary, "write:x") || strings.Contains(r.Summary, "read:x") {
		t.Errorf("of the role it is told: %+v", r)
	}
	b.manifest(docs([]any{"read:clients"}, []any{permission("read:x")}, object{"grant-narrowed": "SEC-1", "role-narrowed": "SEC-2"}))
	if n := told(); n["grant-narrowed"].Acknowledged != "SEC-1" || n["role-narrowed"].Acknowledged != "SEC-2" {
		t.Errorf("acknowledged: %v", n)
	}
	b.apply()
}

// TestDeletionShowsWhatAManifestSays: of keys and secrets their names, and nothing that
// only the tenant knows, such as times.
func TestDeletionShowsWhatAManifestSays(t *testing.T) {
	b := guide(t)
	b.apply()
	p, err := b.target().Plan(t.Context(), fleet.PlanOptions{Mode: planner.Destroy})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, s := range p.Steps {
		text, err := json.Marshal(s.Changes)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "_at") || strings.Contains(string(text), "cred_") {
			t.Errorf("%s shows what no manifest says: %s", s.ID, text)
		}
		for _, c := range s.Changes {
			paths = append(paths, c.Path)
		}
	}
	for _, want := range []string{"credentials[OIN Public Key]", "secrets.TENANT_DOMAIN"} {
		if !strings.Contains(strings.Join(paths, " "), want) {
			t.Errorf("%s is not shown: %v", want, paths)
		}
	}
}
