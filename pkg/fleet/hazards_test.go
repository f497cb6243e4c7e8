package fleet_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// edit replaces text of a manifest.
func (b *bench) edit(name, old, new string) {
	b.t.Helper()
	text := b.read(name)
	if !strings.Contains(text, old) {
		b.t.Fatalf("%s does not hold %q", name, old)
	}
	b.write(name, strings.Replace(text, old, new, 1))
}

// attached lists the kids with which the OIN client signs in.
func (b *bench) attached() []string {
	var out []string
	client := b.find("clients", "name", "Okta OIN Integration Client")
	methods, _ := client["client_authentication_methods"].(object)
	jwt, _ := methods["private_key_jwt"].(object)
	for _, c := range list(jwt["credentials"]) {
		out = append(out, c.(object)["id"].(string))
	}
	return out
}

// TestFormerKeyGoesLast: a run that swaps the key and fails elsewhere is taken back to
// the former key; the client is never left without one.
func TestFormerKeyGoesLast(t *testing.T) {
	b := guide(t)
	b.apply()
	former := b.attached()
	b.write("okta-public-key.pem", testKeys()[0])
	b.edit("express.yaml", "spec:\n", "spec:\n  api: {token_lifetime: 600}\n  action: {runtime: node18}\n")
	p := b.plan()
	needed := map[string]bool{p.Steps[len(p.Steps)-1].ID: true}
	for _, s := range slices.Backward(p.Steps) {
		for _, id := range s.Needs {
			if needed[s.ID] {
				needed[id] = true
			}
		}
	}
	if last := p.Steps[len(p.Steps)-1]; last.Action != kind.Delete || len(needed) != len(p.Steps) {
		t.Errorf("the last step is to %s %s after %v, want the former key's deletion after all others", last.Action, last.ID, last.Needs)
	}
	if err := b.sim.SetFaults("POST /actions/actions/*/deploy = status 400"); err != nil {
		t.Fatal(err)
	}
	target := b.target()
	out, err := target.Apply(context.Background(), p, fleet.ApplyOptions{Tool: "test", Now: time.Now})
	if err != nil || out.OK() {
		t.Fatalf("the apply was to fail: %v", err)
	}
	if err := b.sim.SetFaults(); err != nil {
		t.Fatal(err)
	}
	_, back, err := target.TakeBack(context.Background(), out.Run, fleet.PastOptions{Now: time.Now}, fleet.ApplyOptions{Tool: "test", Now: time.Now})
	if err != nil || !back.OK() {
		t.Fatalf("taking it back: %v %v", err, back.Error())
	}
	if got := b.attached(); strings.Join(got, " ") != strings.Join(former, " ") {
		t.Errorf("the client signs in with %v, want %v as before", got, former)
	}
}

// TestRollbackKeepsTheOnlyKey: once the former key is gone for good, taking the run back
// leaves the present one.
func TestRollbackKeepsTheOnlyKey(t *testing.T) {
	b := guide(t)
	b.apply()
	b.write("okta-public-key.pem", testKeys()[0])
	target := b.target()
	p, err := target.Plan(context.Background(), fleet.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := target.Apply(context.Background(), p, fleet.ApplyOptions{Tool: "test", Now: time.Now})
	if err != nil || !out.OK() {
		t.Fatalf("%v %v", err, out.Error())
	}
	if _, _, err := target.TakeBack(context.Background(), out.Run, fleet.PastOptions{Now: time.Now}, fleet.ApplyOptions{Tool: "test", Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	if got := b.attached(); len(got) != 1 {
		t.Errorf("the client signs in with %v, want one key", got)
	}
}

// TestRenamedOINClientIsFound: by its metadata, whatever its name has become.
func TestRenamedOINClientIsFound(t *testing.T) {
	b := guide(t)
	b.apply()
	id := b.find("clients", "name", "Okta OIN Integration Client")["client_id"].(string)
	b.call("PATCH", "clients/"+id, object{"name": "Renamed by hand"})
	for _, s := range b.plan().Steps {
		if s.Action == kind.Create {
			t.Errorf("after a rename on the tenant, %s would be created", s.ID)
		}
	}
	b.edit("express.yaml", "  oin_client:\n", "  oin_client:\n    name: Renamed in git\n")
	for _, s := range b.plan().Steps {
		if s.Action == kind.Create {
			t.Errorf("after a rename in the manifest, %s would be created", s.ID)
		}
	}
}

// TestKeyOnTheTenantIsNotMissing: a key that is on the tenant though the manifest names none
// is seen, whichever way the application is named.
func TestKeyOnTheTenantIsNotMissing(t *testing.T) {
	for _, app := range []string{"client_id: 7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu", "name: Acme CRM"} {
		b := guide(t)
		b.write("express.yaml", `apiVersion: ecplan/v1
kind: ExpressConfiguration
metadata: {name: acme-crm}
spec:
  app: {`+app+`}
  init_login_url: https://crm.acme.example/login
`)
		if summary, _ := noticed(b.plan(), "oin-key-missing"); summary == "" {
			t.Errorf("%s: nobody is told that there is no key", app)
		}
		b.edit("express.yaml", "  init_login_url", "  oin_client: {public_key: {file: okta-public-key.pem}}\n  init_login_url")
		b.apply()
		b.edit("express.yaml", "  oin_client: {public_key: {file: okta-public-key.pem}}\n", "")
		if summary, _ := noticed(b.plan(), "oin-key-missing"); summary != "" {
			t.Errorf("%s: %s, and it has one", app, summary)
		}
	}
}

func (b *bench) planError() string {
	b.t.Helper()
	_, err := b.target().Plan(context.Background(), fleet.PlanOptions{})
	if err == nil {
		b.t.Fatal("there is a plan")
	}
	return err.Error()
}

func TestNoClientIsMadeForAnUnknownID(t *testing.T) {
	b := newBench(t, nil)
	b.manifest([]object{doc("Client", "ghost", object{"client_id": "AaaaBbbbCcccDdddEeeeFfffGggg0001", "name": "Ghost"})})
	if got := b.planError(); !strings.Contains(got, "AaaaBbbbCcccDdddEeeeFfffGggg0001") {
		t.Errorf("the error is %q", got)
	}
}

func TestActionBesideItself(t *testing.T) {
	for _, relation := range []string{"before", "after"} {
		b := newBench(t, nil)
		b.manifest([]object{doc("Action", "a", object{"name": "a", "trigger": "post-login", "code": codeOne, "bind": object{relation: "a"}})})
		if got := b.planError(); !strings.Contains(got, "itself") {
			t.Errorf("the error is %q", got)
		}
	}
}

func TestNullInANewObject(t *testing.T) {
	b := guide(t)
	b.edit("express.yaml", "  oin_client:\n", "  oin_client:\n    client_metadata: {is_express_configure_app: null}\n")
	b.apply()
	client := b.find("clients", "name", "Okta OIN Integration Client")
	if _, there := client["client_metadata"].(object)["is_express_configure_app"]; there {
		t.Error("the field is there")
	}
	if p := b.plan(); len(p.Steps) > 0 {
		t.Errorf("the second plan is not empty: %s", indent(p.Steps))
	}
}

// TestOwnGrantIsNeverChanged: the grant of the client that ecplan signs in as.
func TestOwnGrantIsNeverChanged(t *testing.T) {
	b := newBenchWith(t, nil, "ecplan-client-id", canary+"client-secret")
	b.write("manifest.yaml", `
apiVersion: ecplan/v1
kind: ClientGrant
metadata: {name: own}
spec: {client_id: ecplan-client-id, audience: "https://${tenant.domain}/api/v2/", scope: ["read:clients"]}
---
apiVersion: ecplan/v1
kind: Tenant
metadata: {name: local}
spec:
  domain: `+b.sim.Domain()+`
  insecure: true
  auth: {client_id: "${env.ID}", client_secret: "${env.SECRET}"}
`)
	if got := b.planError(); !strings.Contains(got, "signs in as") {
		t.Errorf("the error is %q", got)
	}
}

// TestRenamedConfigurationCanBeDestroyed: its objects are on record under their former
// addresses as well, and each goes once.
func TestRenamedConfigurationCanBeDestroyed(t *testing.T) {
	b := guide(t)
	b.apply()
	b.edit("express.yaml", "name: acme-crm", "name: crm")
	b.edit("express.yaml", "spec:\n", "spec:\n  api: {token_lifetime: 600}\n")
	b.apply()
	if p := b.carryOut(fleet.PlanOptions{Mode: planner.Prune}); len(p.Steps) > 0 {
		t.Errorf("pruning would do %s", indent(p.Steps))
	}
	b.carryOut(fleet.PlanOptions{Mode: planner.Destroy, Force: true})
	for _, c := range list(b.state()["clients"]) {
		if c.(object)["name"] == "Okta OIN Integration Client" {
			t.Error("the client is still there")
		}
	}
}

// TestDestroyTellsWhatIsLost: the client's id and the role's members, and needs --force.
func TestDestroyTellsWhatIsLost(t *testing.T) {
	b := guide(t)
	b.apply()
	p, err := b.target().Plan(context.Background(), fleet.PlanOptions{Mode: planner.Destroy})
	if err != nil {
		t.Fatal(err)
	}
	if err := fleet.Refused(p, planner.Identity{}); err == nil || !strings.Contains(err.Error(), "client-id-lost") {
		t.Errorf("apply says %v", err)
	}
}

// TestNoDriftWithoutARecord: nobody is told that all is well where nothing is known.
func TestNoDriftWithoutARecord(t *testing.T) {
	b := guide(t)
	if p := planner.DriftOnly(b.plan()); p.Error == "" {
		t.Error("a report of drift without a record says that all is well")
	}
}

// TestFullDiskLeavesTheStoreUsable: a run whose folder was made and no more never began.
func TestFullDiskLeavesTheStoreUsable(t *testing.T) {
	b := guide(t)
	b.apply()
	b.folder(".ecplan/runs/20261123T012459.310Z-local-fd0d61e5")
	if p := b.plan(); len(p.Steps) > 0 {
		t.Errorf("the plan is %s", indent(p.Steps))
	}
}

// TestPermissionsGoBeforeTheirScope: a role lets go of a scope before its API does, forth
// and back. The other way round the scope may take the permission along, and of a request
// without an answer nobody could tell what became of it.
func TestPermissionsGoBeforeTheirScope(t *testing.T) {
	const docs = `apiVersion: ecplan/v1
kind: ResourceServer
metadata: {name: api}
spec: {identifier: urn:api, name: Api, exclusive: true, scopes: [SCOPES]}
---
apiVersion: ecplan/v1
kind: Role
metadata: {name: role}
spec: {name: Role, exclusive: true, permissions: [PERMISSIONS]}
---
apiVersion: ecplan/v1
kind: Tenant
metadata: {name: local}
spec: {domain: 'DOMAIN', insecure: true, auth: {token: '${env.T}'}}
`
	scope := func(s string) string { return "{value: " + s + "}" }
	permission := func(s string) string {
		return "{resource_server_identifier: urn:api, permission_name: " + s + "}"
	}
	all := func(of func(string) string, values string) string {
		var out []string
		for _, v := range strings.Fields(values) {
			out = append(out, of(v))
		}
		return strings.Join(out, ", ")
	}
	b := newBench(t, nil)
	write := func(scopes string) {
		b.write("manifest.yaml", strings.NewReplacer("SCOPES", all(scope, scopes), "PERMISSIONS", all(permission, scopes), "DOMAIN", b.sim.Domain()).Replace(docs))
	}
	order := func(steps []kind.Step) string {
		var ids []string
		for i, s := range steps {
			ids = append(ids, s.ID)
			if i > 0 && !slices.Contains(s.Needs, steps[i-1].ID) {
				t.Errorf("%s needs %v, and not %s", s.ID, s.Needs, steps[i-1].ID)
			}
		}
		return strings.Join(ids, " ")
	}
	const want = "Role/role#permissions-removed ResourceServer/api Role/role#permissions"
	write("a b")
	b.apply()
	write("a c")
	p, target := b.plan(), b.target()
	if got := order(p.Steps); got != want {
		t.Errorf("forth: %s, want %s", got, want)
	}
	out, err := target.Apply(context.Background(), p, fleet.ApplyOptions{Tool: "test", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	back, err := target.PlanRollback(context.Background(), out.Run, false, fleet.PastOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if got := order(back.Plan.Steps); got != want {
		t.Errorf("back: %s, want %s", got, want)
	}
}

// TestUndoOfAFlagSaysWhatItBecomes: a flag can't be made absent again; it is set to what its
// absence meant, which is not false for every flag.
func TestUndoOfAFlagSaysWhatItBecomes(t *testing.T) {
	b := newBench(t, nil)
	b.manifest([]object{doc("TenantSettings", "tenant", object{"flags": object{"enable_client_connections": false}})})
	p := b.plan()
	want := "puts the former values back; a flag that was never set becomes true (enable_client_connections), which means the same"
	if len(p.Steps) != 1 || p.Steps[0].Undo.How != want {
		t.Errorf("the plan is %s", indent(p.Steps))
	}
	b.manifest([]object{doc("TenantSettings", "tenant", object{"flags": object{"enable_client_connections": false, "use_scope_descriptions_for_consent": true}})})
	want = "puts the former values back; a flag that was never set becomes false, or true (enable_client_connections), which means the same"
	if p = b.plan(); p.Steps[0].Undo.How != want {
		t.Errorf("the plan is %s", indent(p.Steps))
	}
}
