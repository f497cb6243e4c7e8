package fleet_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// carryOut plans in the mode and applies; it returns the plan.
func (b *bench) carryOut(o fleet.PlanOptions) planner.TenantPlan {
	b.t.Helper()
	target := b.target()
	p, err := target.Plan(context.Background(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := target.Apply(context.Background(), p, fleet.ApplyOptions{Tool: "test", Now: time.Now})
	if err != nil {
		b.t.Fatal(err)
	}
	if !out.OK() {
		b.t.Fatalf("%v", out.Error())
	}
	return p
}

func named(state object, collection, field string) []string {
	var out []string
	for _, e := range list(state[collection]) {
		out = append(out, e.(object)[field].(string))
	}
	return out
}

func TestDestroyLeavesWhatWasThere(t *testing.T) {
	b := guide(t)
	before := b.state()
	b.apply()
	p := b.carryOut(fleet.PlanOptions{Mode: planner.Destroy, Force: true})
	if summary, _ := noticed(p, "client-connections-enabled"); summary != "" {
		t.Errorf("what is destroyed is told to lack something: %s", summary)
	}
	after := b.state()
	for collection, field := range map[string]string{"clients": "name", "roles": "name", "resource_servers": "identifier", "actions": "name", "client_grants": "audience"} {
		if got, want := named(after, collection, field), named(before, collection, field); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s are %v, want %v as before", collection, got, want)
		}
	}
	if got, want := indent(bound(after)), indent(bound(before)); got != want {
		t.Errorf("bound are %s, want %s as before", got, want)
	}
	if on := after["tenant"].(object)["flags"].(object)["use_scope_descriptions_for_consent"]; on == true {
		t.Error("the consent flag is still on")
	}
	order := map[string]int{}
	for i, s := range p.Steps {
		order[s.ID] = i
	}
	for _, pair := range [][2]string{
		{"ClientGrant/acme-crm.okta-oin", "Client/acme-crm.okta-oin"},
		{"Role/express-admin", "ResourceServer/express"},
		{"Action/acme-crm.post-login#binding", "Action/acme-crm.post-login"},
	} {
		if order[pair[0]] >= order[pair[1]] {
			t.Errorf("%s goes after %s", pair[0], pair[1])
		}
	}
	for _, s := range p.Steps[:len(p.Steps)-2] {
		if s.Undo.Effect == kind.None && s.Undo.With == "" {
			t.Errorf("%s, which can't be taken back, does not go last", s.ID)
		}
	}
	again, err := b.target().Plan(context.Background(), fleet.PlanOptions{Mode: planner.Destroy})
	if err != nil || len(again.Steps) != 0 {
		t.Errorf("a second destroy has %d steps: %v", len(again.Steps), err)
	}
}

func bound(state object) []string {
	var out []string
	for _, e := range list(state["bindings"].(object)["post-login"]) {
		out = append(out, e.(object)["display_name"].(string))
	}
	return out
}

const twoActions = `
apiVersion: ecplan/v1
kind: Action
metadata: {name: one}
spec: {name: one, trigger: post-login, code: "exports.onExecutePostLogin = async () => {};", bind: {position: first}}
---
apiVersion: ecplan/v1
kind: Action
metadata: {name: two}
spec: {name: two, trigger: post-login, code: "exports.onExecutePostLogin = async () => {};", bind: {position: last}}
---
`

func TestPruneDeletesOnlyWhatRunsCreated(t *testing.T) {
	b := guide(t)
	b.write("actions.yaml", twoActions)
	b.apply()
	if got := strings.Join(bound(b.state()), " "); got != "one add-roles-claim express_configure_postlogin_action two" {
		t.Errorf("bound are %s", got)
	}
	if err := os.Remove(filepath.Join(b.dir, "actions.yaml")); err != nil {
		t.Fatal(err)
	}
	stays := b.plan()
	if len(stays.Steps) != 0 {
		t.Errorf("without --prune something would be done: %s", indent(stays.Steps))
	}
	if got, _ := noticed(stays, "no-longer-declared"); got != ": 2 objects that earlier runs created are no longer declared, and stay" {
		t.Errorf("what stays is told as %q", got)
	}
	p := b.carryOut(fleet.PlanOptions{Mode: planner.Prune})
	for _, p := range []planner.TenantPlan{p, b.plan()} {
		if got, _ := noticed(p, "no-longer-declared"); got != "" {
			t.Errorf("what goes is told to stay: %s", got)
		}
	}
	if got := strings.Join(bound(b.state()), " "); got != "add-roles-claim express_configure_postlogin_action" {
		t.Errorf("bound are %s", got)
	}
	if got := strings.Join(named(b.state(), "actions", "name"), " "); got != "add-roles-claim express_configure_postlogin_action" {
		t.Errorf("the Actions are %s", got)
	}
	for _, s := range p.Steps {
		if s.Action != kind.Delete && s.Action != kind.Unbind {
			t.Errorf("pruning would %s %s", s.Action, s.ID)
		}
	}
}

// TestPruneKnowsWhatMoved: an API that is declared under another address now is what the
// steps of others wait for, not its former address.
func TestPruneKnowsWhatMoved(t *testing.T) {
	b := newBench(t, nil)
	b.manifest([]object{doc("ResourceServer", "before", object{"identifier": "urn:moved"})})
	b.apply()
	b.manifest([]object{
		doc("ResourceServer", "after", object{"identifier": "urn:moved", "scopes": []any{object{"value": "read:x"}}}),
		doc("Role", "ops", object{"name": "ops", "permissions": []any{object{"resource_server_identifier": "urn:moved", "permission_name": "read:x"}}}),
	})
	if got, _ := noticed(b.plan(), "no-longer-declared"); got != "" {
		t.Errorf("what moved is told to stay: %s", got)
	}
	p := b.carryOut(fleet.PlanOptions{Mode: planner.Prune})
	for _, s := range p.Steps {
		if s.ID == "Role/ops#permissions" && !slices.Contains(s.Needs, "ResourceServer/after") {
			t.Errorf("%s does not wait for its API: %v", s.ID, s.Needs)
		}
	}
	if len(p.Steps) != 3 {
		t.Errorf("the plan is %s", indent(p.Steps))
	}
}

// TestDestroyKnowsItsOwn: an address under which a run created something may mean another
// object by now, one that was there before; that one stays.
func TestDestroyKnowsItsOwn(t *testing.T) {
	b := newBench(t, []byte(`{"resource_servers": [{"identifier": "urn:theirs", "name": "Theirs"}]}`))
	b.manifest([]object{doc("ResourceServer", "api", object{"identifier": "urn:ours"})})
	b.apply()
	b.manifest([]object{doc("ResourceServer", "api", object{"identifier": "urn:theirs"})})
	p := b.carryOut(fleet.PlanOptions{Mode: planner.Destroy, Force: true})
	if len(p.Steps) > 0 || !slices.Contains(named(b.state(), "resource_servers", "identifier"), "urn:theirs") {
		t.Errorf("an API was deleted that no run had created: %s", indent(p.Steps))
	}
	b.manifest([]object{doc("ResourceServer", "api", object{"identifier": "urn:third"}), doc("ResourceServer", "other", object{"identifier": "urn:fourth"})})
	b.apply()
	b.manifest([]object{doc("ResourceServer", "api", object{"identifier": "urn:fourth"})}) // as "other" before
	if p := b.carryOut(fleet.PlanOptions{Mode: planner.Destroy, Force: true}); len(p.Steps) != 1 || slices.Contains(named(b.state(), "resource_servers", "identifier"), "urn:fourth") {
		t.Errorf("an object was not destroyed once: %s", indent(p.Steps))
	}
}

func TestProtectedIsNotDestroyed(t *testing.T) {
	b := guide(t)
	b.apply()
	manifests, err := os.ReadFile(filepath.Join(b.dir, "express.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b.write("express.yaml", strings.Replace(string(manifests), "metadata:\n", "metadata:\n  prevent_destroy: true\n", 1))
	if _, err := b.target().Plan(context.Background(), fleet.PlanOptions{Mode: planner.Destroy}); err == nil || !strings.Contains(err.Error(), "prevent_destroy") {
		t.Errorf("a protected set-up would be destroyed: %v", err)
	}
}

// noticed returns the notices of one id, and what refuses the plan.
func noticed(p planner.TenantPlan, id string) (summary string, refused error) {
	for _, n := range p.Notices {
		if n.ID == id {
			summary += n.Address + ": " + n.Summary
		}
	}
	return summary, fleet.Refused(p, planner.Identity{})
}

// TestManyDeletionsNeedForce: one may go, and half of a kind; more is refused without --force.
func TestManyDeletionsNeedForce(t *testing.T) {
	const apis = 4
	b := newBench(t, nil)
	docs := func(n int) []object {
		var out []object
		for i := range n {
			out = append(out, doc("ResourceServer", "api-"+strconv.Itoa(i), object{"identifier": "https://api-" + strconv.Itoa(i) + ".example"}))
		}
		return append(out, doc("Role", "r", object{"name": "r"}))
	}
	b.manifest(docs(apis))
	b.apply()
	for left, refused := range map[int]bool{apis - 1: false, apis / 2: false, apis/2 - 1: true, 0: true} {
		b.manifest(docs(left))
		p, err := b.target().Plan(context.Background(), fleet.PlanOptions{Mode: planner.Prune})
		if err != nil {
			t.Fatal(err)
		}
		summary, err := noticed(p, "many-deletions")
		if (err != nil) != refused || refused && !strings.Contains(summary, "of the tenant's 4 objects of kind ResourceServer") {
			t.Errorf("with %d of %d left: %q, %v", left, apis, summary, err)
		}
		forced, err := b.target().Plan(context.Background(), fleet.PlanOptions{Mode: planner.Prune, Force: true})
		if err != nil || fleet.Refused(forced, planner.Identity{}) != nil {
			t.Errorf("with %d of %d left, --force does not do: %v", left, apis, err)
		}
	}
}

// TestLastRoleStays: of an API that the manifests declare, whatever is forced; of another
// one, unless it is forced.
func TestLastRoleStays(t *testing.T) {
	b := newBench(t, []byte(`{"resource_servers": [{"identifier": "https://old.example", "scopes": [{"value": "read:x"}]}]}`))
	role := func(name, api string) object {
		return doc("Role", name, object{"name": name, "permissions": []any{object{"resource_server_identifier": api, "permission_name": "read:x"}}})
	}
	api := doc("ResourceServer", "new", object{"identifier": "https://new.example", "scopes": []any{object{"value": "read:x"}}})
	b.manifest([]object{api, role("new", "https://new.example"), role("newer", "https://new.example"), role("old", "https://old.example")})
	b.apply()
	prune := func(force bool, docs ...object) (planner.TenantPlan, error) {
		b.manifest(docs)
		return b.target().Plan(context.Background(), fleet.PlanOptions{Mode: planner.Prune, Force: force})
	}
	if _, err := prune(true, api, role("old", "https://old.example")); err == nil || !strings.Contains(err.Error(), "the last one declared that opens https://new.example") {
		t.Errorf("the roles of a declared API go: %v", err)
	}
	if p, err := prune(false, api, role("newer", "https://new.example"), role("old", "https://old.example")); err != nil || fleet.Refused(p, planner.Identity{}) != nil {
		t.Errorf("one of two roles can't go: %v", err)
	}
	if p, err := prune(true); err != nil || fleet.Refused(p, planner.Identity{}) != nil {
		t.Errorf("role and API can't go together: %v", err)
	}
	p, err := prune(false, api, role("new", "https://new.example"), role("newer", "https://new.example"))
	if err != nil {
		t.Fatal(err)
	}
	if summary, refused := noticed(p, "last-admin-role"); refused == nil || !strings.Contains(summary, "Role/old: The role is the last one declared that opens https://old.example") {
		t.Errorf("the role of an undeclared API goes unasked: %q", summary)
	}
}

// TestOwnClientIsNeverDeleted: not even one that ecplan made itself.
func TestOwnClientIsNeverDeleted(t *testing.T) {
	b := newBench(t, nil)
	robot := []object{
		doc("Client", "robot", object{"name": "Robot", "app_type": "non_interactive", "grant_types": []any{"client_credentials"}}),
		doc("ClientGrant", "robot", object{"client_id": "${Client/robot.client_id}", "audience": "https://" + b.sim.Domain() + "/api/v2/", "scope": []any{
			"read:clients", "update:clients", "delete:clients", "read:client_grants", "delete:client_grants", "read:client_credentials",
		}}),
	}
	b.manifest(robot)
	b.apply()
	client := b.find("clients", "name", "Robot")
	b.env = map[string]string{"ID": client["client_id"].(string), "SECRET": client["client_secret"].(string)}
	b.manifest(nil)
	text := b.read("manifest.yaml")
	b.write("manifest.yaml", regexp.MustCompile(`(?s)auth:.*`).ReplaceAllString(text, "auth: {client_id: \"${env.ID}\", client_secret: \"${env.SECRET}\"}\n"))
	_, err := b.target().Plan(context.Background(), fleet.PlanOptions{Mode: planner.Prune, Force: true})
	if err == nil || !strings.Contains(err.Error(), "this is the client that ecplan signs in as") {
		t.Errorf("the plan says %v", err)
	}
}
