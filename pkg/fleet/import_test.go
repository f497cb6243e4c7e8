package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/fleet"
)

// TestImportPlansNothing: whatever is on a tenant, the plan of what was imported from it
// is empty, and ecplan writes nothing while it imports.
func TestImportPlansNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		state := drawSeed(rt)
		drawCustomers(rt, state)
		seed, err := json.Marshal(state)
		if err != nil {
			rt.Fatal(err)
		}
		b := newBench(t, seed)
		defer b.sim.Close() //nolint:errcheck // closed again at the end of the test
		b.write("tenant.yaml", fmt.Sprintf(tenantDocument, b.sim.Domain()))
		b.take(rt)
		if p := b.plan(); len(p.Steps) > 0 {
			rt.Fatalf("the plan of what was imported is not empty:\n%s", indent(p.Steps))
		}
		for _, r := range b.sim.Requests() {
			if r.Method != "GET" {
				rt.Fatalf("importing sent %s", r)
			}
		}
	})
}

// drawCustomers adds organizations to a seed, with connections, people and roles.
func drawCustomers(t *rapid.T, seed object) {
	connections := []string{"db-one", "db-two"}
	people := []string{"ada@x.example", "bob@x.example"}
	var roles []string
	for _, r := range list(seed["roles"]) {
		roles = append(roles, r.(object)["name"].(string))
	}
	var all, users, orgs []any
	for _, c := range connections {
		all = append(all, object{"name": c, "strategy": rapid.SampledFrom([]string{"auth0", "okta"}).Draw(t, "strategy")})
	}
	for _, p := range people {
		users = append(users, object{"email": p})
	}
	for _, name := range some(t, "organizations", []string{"globex", "initech"}) {
		g := object{"name": name}
		maybe(t, g, "display_name", "${one}", "Two: # three")
		maybe(t, g, "metadata", object{"a": "1", "b": "${x}"}, object{"no": "yes", "007": "null"})
		var enabled []any
		for _, c := range some(t, "enabled", connections) {
			of := object{"connection_id": c}
			maybe(t, of, "assign_membership_on_login", true, false)
			maybe(t, of, "show_as_button", true, false)
			enabled = append(enabled, of)
		}
		members := some(t, "members", people)
		had := object{}
		for _, m := range members {
			if len(roles) > 0 {
				had[m] = some(t, "roles", roles)
			}
		}
		g["connections"], g["members"], g["member_roles"] = enabled, members, had
		orgs = append(orgs, g)
	}
	seed["connections"], seed["users"], seed["organizations"] = all, users, orgs
}

// TestImportTheGuide imports the example's set-up, in place of the manifest that made it.
func TestImportTheGuide(t *testing.T) {
	b := guide(t)
	b.apply()
	if err := os.Remove(filepath.Join(b.dir, "express.yaml")); err != nil {
		t.Fatal(err)
	}
	b.take(t)
	if p := b.plan(); len(p.Steps) > 0 || len(p.Unchanged) != 13 {
		t.Fatalf("%d as declared, and the plan: %s", len(p.Unchanged), indent(p.Steps))
	}
}

// take imports the tenant into the bench's folder.
func (b *bench) take(t interface{ Fatal(args ...any) }) {
	ims, err := b.target().Import(b.t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fleet.Files(ims)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestImportCustomers: organizations come along with their people, and without Okta's
// connections.
func TestImportCustomers(t *testing.T) {
	b := newBench(t, []byte(customerSeed))
	b.write("tenant.yaml", fmt.Sprintf(tenantDocument, b.sim.Domain()))
	b.take(t)
	if p := b.plan(); len(p.Steps) > 0 || !slices.Contains(p.Unchanged, "Organization/initech") {
		t.Fatalf("as declared: %v, and the plan: %s", p.Unchanged, indent(p.Steps))
	}
	text := b.read("customers.yaml")
	for _, want := range []string{"connection: staff", "auth0|000000000000000000000002", "- support", "owner: ops", "# The connection okta-of-globex is not taken along"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "connection: okta-of-globex") {
		t.Errorf("Okta's connection is managed:\n%s", text)
	}
}
