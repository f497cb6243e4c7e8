package fleet_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/planner"
)

// customerSeed is a tenant with people, connections, and an organization that others use.
const customerSeed = `{
 "connections": [
  {"id": "con_0000000000000001", "name": "globex-db", "strategy": "auth0"},
  {"id": "con_0000000000000002", "name": "staff", "strategy": "auth0"},
  {"id": "con_0000000000000003", "name": "okta-of-globex", "strategy": "okta", "options": {"domain": "globex.okta.com", "client_id": "x"}}
 ],
 "users": [
  {"user_id": "auth0|000000000000000000000001", "email": "ada@globex.example"},
  {"user_id": "auth0|000000000000000000000002", "email": "bob@globex.example"},
  {"user_id": "auth0|000000000000000000000003", "email": "twice@globex.example"},
  {"user_id": "google-oauth2|000000000000000000001", "email": "twice@globex.example"}
 ],
 "roles": [{"name": "support"}, {"name": "sales"}],
 "organizations": [
  {"name": "initech", "display_name": "Initech", "metadata": {"plan": "gold", "owner": "ops"},
   "connections": [{"connection_id": "okta-of-globex"}, {"connection_id": "staff", "assign_membership_on_login": true}],
   "members": ["bob@globex.example"], "member_roles": {"bob@globex.example": ["support"]}}
 ]
}`

func connectionOf(name string, more ...any) object {
	c := object{"connection": name}
	for i := 0; i+1 < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
	}
	return c
}

func person(user string, roles ...any) object {
	if roles == nil {
		return object{"user": user}
	}
	return object{"user": user, "roles": roles}
}

// admins is a role of the same manifest.
func admins() object { return doc("Role", "admins", object{"name": "admins"}) }

// customerSpecs are one organization as it is declared one time after the other, each
// with the number of writes that it takes.
var customerSpecs = []struct {
	spec   object
	writes int
}{
	{object{"name": "globex"}, 1},
	{object{"name": "globex", "display_name": "Globex"}, 1},
	{object{"name": "globex", "display_name": "Globex Inc.", "metadata": object{"domains": "globex.example", "plan": "gold"}}, 1},
	{object{"name": "globex", "metadata": object{"domains": "globex.example,globex.test", "plan": nil}}, 1},
	{object{"name": "globex", "connections": []any{connectionOf("globex-db")}}, 2}, // the metadata that runs added goes
	{object{"name": "globex", "connections": []any{connectionOf("globex-db", "assign_membership_on_login", true, "show_as_button", false), connectionOf("con_0000000000000002")}}, 2},
	{object{"name": "globex", "connections": []any{connectionOf("con_0000000000000001", "is_signup_enabled", true)}}, 2},
	{object{"name": "globex", "members": []any{person("ada@globex.example", "${Role/admins.name}")}}, 3},
	{object{"name": "globex", "members": []any{person("ada@globex.example", "${Role/admins.name}", "support"), person("auth0|000000000000000000000002")}}, 2},
	{object{"name": "globex", "members": []any{person("ADA@globex.example", "support"), person("bob@globex.example", "sales")}}, 2},
	{object{"name": "globex", "members": []any{person("ada@globex.example")}}, 2},
	{object{"name": "globex"}, 1},
	{object{"name": "globex", "display_name": "G", "metadata": object{"a": "1"}, "connections": []any{connectionOf("staff")}, "members": []any{person("bob@globex.example", "sales")}}, 4},
}

// TestOrganizationConforms: whatever is declared one time after the other, each costs the
// writes that it must, a second plan is empty, and what others set up stays.
func TestOrganizationConforms(t *testing.T) {
	b := newBench(t, []byte(customerSeed))
	b.manifest([]object{admins()})
	b.apply()
	before := named(b.state(), "organizations", "name")
	for i, c := range customerSpecs {
		b.manifest([]object{admins(), doc("Organization", "globex", c.spec)})
		b.requests()
		p := b.apply()
		if _, writes := b.requests(); writes != c.writes {
			t.Errorf("spec %d takes %d writes, want %d: %s", i, writes, c.writes, indent(p.Steps))
		}
		if p := b.plan(); len(p.Steps) > 0 {
			t.Fatalf("spec %d: the second plan is not empty: %s", i, indent(p.Steps))
		}
	}
	b.carryOut(fleet.PlanOptions{Mode: planner.Destroy, Force: true})
	if after := named(b.state(), "organizations", "name"); !reflect.DeepEqual(before, after) {
		t.Errorf("after destroy there are %v, before there were %v", after, before)
	}
}

// TestOrganizationFromNothing: role, organization, connections, members and roles in one
// run, the connections with the organization itself.
func TestOrganizationFromNothing(t *testing.T) {
	b := newBench(t, []byte(customerSeed))
	b.manifest([]object{admins(), doc("Organization", "globex", object{
		"name": "globex", "display_name": "Globex", "metadata": object{"domains": "globex.example"},
		"connections": []any{connectionOf("globex-db", "assign_membership_on_login", true), connectionOf("staff")},
		"members":     []any{person("ada@globex.example", "${Role/admins.name}", "support"), person("bob@globex.example", "admins")},
	})})
	b.requests()
	b.apply()
	if reads, writes := b.requests(); writes != 5 || reads > 8 {
		t.Errorf("%d reads and %d writes", reads, writes)
	}
	if p := b.plan(); len(p.Steps) > 0 {
		t.Errorf("the second plan is not empty: %s", indent(p.Steps))
	}
}

// TestOrganizationOfOthers: an organization that was there is adopted; its metadata,
// members, roles and connections stay, Okta's connection above all.
func TestOrganizationOfOthers(t *testing.T) {
	b := newBench(t, []byte(customerSeed))
	was := b.find("organizations", "name", "initech")
	spec := object{
		"name": "initech", "metadata": object{"domains": "initech.example"}, "exclusive": false,
		"connections": []any{connectionOf("globex-db")}, "members": []any{person("ada@globex.example", "support"), person("bob@globex.example", "sales")},
	}
	b.manifest([]object{doc("Organization", "initech", spec)})
	b.apply()
	b.manifest([]object{doc("Organization", "initech", object{"name": "initech"})})
	b.apply()
	if now := b.find("organizations", "name", "initech"); !reflect.DeepEqual(was, now) {
		t.Errorf("after it was declared and no longer declared it is\n%s\nand was\n%s", indent(now), indent(was))
	}
	b.manifest([]object{doc("Organization", "initech", object{"name": "initech", "exclusive": true, "metadata": object{}, "connections": []any{}, "members": []any{}})})
	b.apply()
	now := b.find("organizations", "name", "initech")
	if len(list(now["members"])) > 0 || now["metadata"] != nil && len(now["metadata"].(object)) > 0 {
		t.Errorf("the manifest owns members and metadata, and left %s", indent(now))
	}
	if !reflect.DeepEqual(was["connections"], now["connections"]) {
		t.Errorf("connections are nobody's to own whole; they are %s", indent(now["connections"]))
	}
	if p := b.plan(); len(p.Steps) > 0 {
		t.Errorf("the second plan is not empty: %s", indent(p.Steps))
	}
}

// TestSignUpIsForDatabases: is_signup_enabled is not sent for a connection to which it does
// not belong, unless the manifest has it so.
func TestSignUpIsForDatabases(t *testing.T) {
	b := newBench(t, []byte(customerSeed))
	for name, sent := range map[string]bool{"okta-of-globex": false, "staff": true} {
		b.manifest([]object{doc("Organization", "initech", object{"name": "initech", "connections": []any{connectionOf(name, "show_as_button", false)}})})
		steps := b.plan().Steps
		if len(steps) != 1 || steps[0].Request.Method != "PATCH" {
			t.Fatalf("%s: %s", name, indent(steps))
		}
		if _, is := steps[0].Request.Body.(object)["is_signup_enabled"]; is != sent {
			t.Errorf("%s: the request's body is %v", name, steps[0].Request.Body)
		}
	}
}

// TestOrganizationRenamed: renamed_from keeps the organization.
func TestOrganizationRenamed(t *testing.T) {
	b := newBench(t, []byte(customerSeed))
	id := b.find("organizations", "name", "initech")["id"]
	d := doc("Organization", "initech", object{"name": "initech-2"})
	d["metadata"].(object)["renamed_from"] = "initech"
	b.manifest([]object{d})
	b.apply()
	if now := b.find("organizations", "name", "initech-2")["id"]; now != id {
		t.Errorf("the organization is %v, and was %v", now, id)
	}
}

// TestOrganizationMistakes: what is not there is told before anything is sent.
func TestOrganizationMistakes(t *testing.T) {
	b := newBench(t, []byte(customerSeed))
	for want, spec := range map[string]object{
		`no connection "nope"`:                            {"connections": []any{connectionOf("nope")}},
		`no connection "con_0000000000000009"`:            {"connections": []any{connectionOf("con_0000000000000009")}},
		`no user with the e-mail address "x@y.example"`:   {"members": []any{person("x@y.example")}},
		`no user "auth0|000000000000000000000009"`:        {"members": []any{person("auth0|000000000000000000000009")}},
		`2 users with the e-mail address "twice@globex.e`: {"members": []any{person("twice@globex.example")}},
		`no role "boss"`:                                  {"members": []any{person("ada@globex.example", "boss")}},
	} {
		spec["name"] = "globex"
		b.manifest([]object{doc("Organization", "globex", spec)})
		_, err := b.target().Plan(t.Context(), fleet.PlanOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestRoleGoesAfterItsMembers: whoever names a role, by reference or by name, is done with
// it before it is deleted; and after it, when that is taken back.
func TestRoleGoesAfterItsMembers(t *testing.T) {
	s := customerScenarios()[2]
	w, first := s.prepared(t)
	run, p, out, err := s.change(w, first)
	if err != nil || !out.OK() {
		t.Fatal(err, out.Error())
	}
	if last := p.Steps[len(p.Steps)-1]; last.ID != "Role/admins" || len(last.Needs) != 2 {
		t.Errorf("the last step is %s, which needs %v", last.ID, last.Needs)
	}
	back, err := w.open().PlanRollback(t.Context(), run, true, w.past())
	if err != nil {
		t.Fatal(err)
	}
	if next := back.Plan.Steps[0]; next.ID != "Role/admins" {
		t.Errorf("the rollback begins with %s", next.ID)
	}
}

// customerScenarios are those of organizations, for the torture.
func customerScenarios() []scenario {
	full := func(version int) []object {
		spec := object{
			"name": "globex", "display_name": "Globex", "metadata": object{"a": "1"},
			"connections": []any{connectionOf("globex-db", "show_as_button", false)}, "members": []any{person("ada@globex.example", "${Role/admins.name}")},
		}
		if version == 1 {
			spec = object{
				"name": "globex", "display_name": "Globex Inc.", "metadata": object{"b": "2"},
				"connections": []any{connectionOf("globex-db", "show_as_button", true), connectionOf("staff")},
				"members":     []any{person("ada@globex.example", "support"), person("bob@globex.example", "admins")},
			}
		}
		return []object{
			admins(), doc("Organization", "globex", spec),
			doc("Organization", "initech", object{"name": "initech", "members": []any{person("ada@globex.example", "admins")}}),
		}
	}
	seed := []byte(customerSeed)
	return []scenario{
		{name: "customers from nothing", docs: full(0), seed: seed},
		{name: "customers changed", first: full(0), docs: full(1), seed: seed},
		{name: "customers destroyed", first: full(0), docs: full(0), seed: seed, mode: planner.Destroy},
	}
}
