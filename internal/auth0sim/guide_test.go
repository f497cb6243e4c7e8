package auth0sim_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

const expressAPI = "https://system.okta.com/actions/express-configure/v1"

// guide sends the commands of Okta's guide, in their order (facts, "What the guide's
// commands really send").
func guide(t *tenant) (client obj, action string) {
	t.Helper()
	t.post("/resource-servers", obj{
		"name": "Okta Express Configure API", "identifier": expressAPI,
		"scopes":           []any{obj{"value": "expressconfigure:sso", "description": "Configure SSO with Express Configuration"}},
		"enforce_policies": true, "token_lifetime": 300, "allow_offline_access": false, "skip_consent_for_verifiable_first_party_clients": false,
	})
	role := t.post("/roles", obj{"name": "EXPRESS_CONFIGURE_ADMIN_ROLE", "description": "Administrator role for Express Configuration"})
	t.get("/resource-servers/https:%2F%2Fsystem.okta.com%2Factions%2Fexpress-configure%2Fv1")
	t.post("/roles/"+role["id"].(string)+"/permissions", obj{"permissions": []any{obj{"resource_server_identifier": expressAPI, "permission_name": "expressconfigure:sso"}}})
	t.get("/roles/" + role["id"].(string))
	client = t.post("/clients", obj{
		"name": "Okta OIN Integration Client", "description": "For Okta OIN Integration", "app_type": "regular_web",
		"callbacks":       []any{"https://system-admin.okta.com/admin/app/generic/oauth20redirect"},
		"oidc_conformant": true, "grant_types": []any{"authorization_code", "client_credentials"}, "jwt_configuration": obj{"alg": "RS256"},
		"client_authentication_methods": obj{"private_key_jwt": obj{"credentials": []any{
			obj{"name": "OIN Public Key", "credential_type": "public_key", "pem": publicPEM(testKey()), "alg": "RS256"},
		}}},
		"organization_require_behavior": "post_login_prompt", "organization_usage": "require",
		"client_metadata": obj{"express_configure_sp_client_id": "abc", "is_express_configure_app": "true"},
	})
	t.post("/client-grants", obj{"client_id": client["client_id"], "audience": "https://" + t.Domain() + "/api/v2/", "scope": strings2any(
		"create:connections", "read:connections", "update:connections", "read:connections_options", "update:connections_options",
		"read:organization_connections", "create:organization_connections", "update:organization_connections")})
	t.get("/actions/triggers")
	a := t.post("/actions/actions", obj{
		"name": "express_configure_postlogin_action", "runtime": "node22", "code": "exports.onExecutePostLogin = async () => {}", "dependencies": []any{},
		"supported_triggers": []any{obj{"id": "post-login", "version": "v3"}},
		"secrets":            []any{obj{"name": "SERVICE_INIT_LOGIN_URL", "value": "https://x"}, obj{"name": "TENANT_DOMAIN", "value": "https://y"}},
	})
	action = a["id"].(string)
	if a["status"] != "pending" {
		t.Fatalf("a created action is %v", a["status"])
	}
	undeployed := t.get("/actions/actions?deployed=false&per_page=50")
	if n := len(undeployed["actions"].([]any)); n != 1 {
		t.Fatalf("%d undeployed actions", n)
	}
	if w := t.raw("POST", "/actions/actions/"+action+"/deploy", "", ""); w.Code != 200 {
		t.Fatalf("deploy: %d %s", w.Code, w.Body)
	}
	t.get("/actions/actions/" + action)
	t.patch("/actions/triggers/post-login/bindings", obj{"bindings": []any{
		obj{"ref": obj{"type": "action_name", "value": "express_configure_postlogin_action"}, "display_name": "express_configure_postlogin_action"},
	}})
	t.patch("/tenants/settings", obj{"flags": obj{"use_scope_descriptions_for_consent": true}})
	return client, action
}

func strings2any(s ...string) []any {
	out := make([]any, len(s))
	for i, x := range s {
		out[i] = x
	}
	return out
}

func TestGuide(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	client, action := guide(s)
	id := client["client_id"].(string)
	whole := client["client_authentication_methods"].(obj)["private_key_jwt"].(obj)["credentials"].([]any)[0].(obj)
	if whole["kid"] == "" || whole["pem"] != nil {
		t.Errorf("the answer to the create has the credential %v", whole)
	}
	later := s.get("/clients/" + id)["client_authentication_methods"].(obj)["private_key_jwt"].(obj)["credentials"].([]any)[0].(obj)
	if len(later) != 1 || later["id"] != whole["id"] {
		t.Errorf("a later read has the credential %v", later)
	}
	if s.get("/clients/" + id)["client_secret"] != nil {
		t.Error("a client with a credential shows a secret")
	}
	a := s.get("/actions/actions/" + action)
	if a["all_changes_deployed"] != true || a["deployed_version"].(obj)["deployed"] != true || a["current_version"].(obj)["status"] != "BUILT" {
		t.Errorf("the deployed action is %v", a)
	}
	flags := s.get("/tenants/settings")["flags"].(obj)
	if flags["use_scope_descriptions_for_consent"] != true || flags["enable_sso"] != true {
		t.Errorf("flags are not merged: %v", flags)
	}
}

func TestActionStates(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s := newTenant(t, auth0sim.Options{BuildTime: 10 * time.Second, Now: func() time.Time { return now }, FailBuilds: []string{"left-pad@9"}})
	a := s.post("/actions/actions", obj{"name": "a", "supported_triggers": []any{obj{"id": "post-login"}}, "code": "1", "secrets": []any{obj{"name": "S", "value": "one"}}})
	at := "/actions/actions/" + a["id"].(string)
	want := func(status string) {
		t.Helper()
		if got := s.get(at)["status"]; got != status {
			t.Fatalf("status %v, want %s", got, status)
		}
	}
	want("pending")
	now = now.Add(3 * time.Second)
	want("building")
	s.refused("POST", at+"/deploy", nil, 400, "", "A draft must be in the 'built' state before it can be deployed.")
	now = now.Add(8 * time.Second)
	want("built")
	bind := obj{"bindings": []any{obj{"ref": obj{"type": "action_id", "value": a["id"]}}}}
	s.refused("PATCH", "/actions/triggers/post-login/bindings", bind, 400, "", "Trying to create a binding for an action that has not been deployed yet")
	first := s.post(at+"/deploy", nil)
	if first["deployed"] != false || first["number"] != 1.0 {
		t.Fatalf("deploy answered %v", first)
	}
	s.refused("PATCH", "/actions/triggers/post-login/bindings", bind, 400, "", "Trying to create a binding for an action that has not been deployed yet")
	deployed := func() (out []any) {
		for _, o := range []obj{s.get(at)["deployed_version"].(obj), s.get(at + "/versions/" + first["id"].(string))} {
			out = append(out, o["deployed"], o["status"])
		}
		return out
	}
	if got, want := deployed(), []any{false, "built", false, "built"}; !reflect.DeepEqual(got, want) {
		t.Errorf("while it can't be bound, it is %v", got)
	}
	now = now.Add(2 * time.Second)
	if got, want := deployed(), []any{true, "built", true, "built"}; !reflect.DeepEqual(got, want) {
		t.Errorf("when it can be bound, it is %v", got)
	}
	one := s.patch("/actions/triggers/post-login/bindings", bind)["bindings"].([]any)[0].(obj)["id"]
	if two := s.patch("/actions/triggers/post-login/bindings", bind)["bindings"].([]any)[0].(obj)["id"]; one == two {
		t.Error("a PATCH left the binding its id")
	}
	s.refused("DELETE", at, nil, 409, "", "Unable to delete an action bound to a trigger.")

	changed := s.patch(at, obj{"code": "2", "secrets": []any{obj{"name": "S", "value": "two"}, obj{"name": "T", "value": "x"}}})
	if changed["status"] != "pending" || changed["all_changes_deployed"] != false || changed["deployed_version"].(obj)["code"] != "1" {
		t.Fatalf("PATCH answered %v", changed)
	}
	now = now.Add(11 * time.Second)
	s.post(at+"/deploy", nil)
	s.patch("/actions/triggers/post-login/bindings", bind) // it runs, while its next version is being deployed
	back := s.post(at+"/versions/"+first["id"].(string)+"/deploy", obj{"update_draft": true})
	if back["number"] != 3.0 || back["code"] != "1" {
		t.Fatalf("the version's deploy answered %v", back)
	}
	if !strings.Contains(string(s.Snapshot()), `"value": "one"`) {
		t.Error("the former secret is not back")
	}
	if got := s.get(at); got["code"] != "1" || got["all_changes_deployed"] != true || len(got["secrets"].([]any)) != 1 {
		t.Errorf("the draft is %v", got)
	}
	if versions := s.get(at + "/versions"); versions["total"] != 3.0 || versions["page"] != nil {
		t.Errorf("versions: %v", versions)
	}

	s.patch(at, obj{"dependencies": []any{obj{"name": "left-pad", "version": "9"}}})
	now = now.Add(6 * time.Second)
	want("retrying")
	now = now.Add(6 * time.Second)
	want("failed")
	s.refused("PATCH", at, obj{"supported_triggers": []any{obj{"id": "credentials-exchange"}}}, 400, "", "can't upgrade to this trigger.")
	s.send("DELETE", at+"?force=true", nil, 204)
	s.refused("DELETE", at, nil, 404, "", "That action does not exist.")
	if all := s.get("/actions/triggers/post-login/bindings"); len(all["bindings"].([]any)) != 0 || all["total"] != nil {
		t.Errorf("bindings: %v", all)
	}
}

func TestCreateWithDeploy(t *testing.T) {
	now := time.Now()
	s := newTenant(t, auth0sim.Options{BuildTime: time.Second, Now: func() time.Time { return now }})
	body := obj{"name": "a", "supported_triggers": []any{obj{"id": "post-login"}}, "code": "1", "deploy": true}
	a := s.post("/actions/actions", body)
	v := a["deployed_version"].(obj)
	if a["status"] != "pending" || a["all_changes_deployed"] != true || v["deployed"] != true || v["number"] != 1.0 || v["status"] != "pending" {
		t.Fatalf("the create answered %v", a)
	}
	now = now.Add(2 * time.Second)
	a = s.get("/actions/actions/" + a["id"].(string))
	if v := a["deployed_version"].(obj); a["status"] != "built" || v["status"] != "built" {
		t.Fatalf("then: %v", a)
	}
	body["name"], body["dependencies"] = "b", []any{obj{"name": "crypto", "version": "17.7.1"}}
	b := s.post("/actions/actions", body)
	now = now.Add(2 * time.Second)
	b = s.get("/actions/actions/" + b["id"].(string))
	if v := b["deployed_version"].(obj); b["status"] != "failed" || v["deployed"] != false {
		t.Fatalf("a build that can't be: %v", b)
	}
	at := "/actions/actions/" + b["id"].(string) + "/versions/" + b["deployed_version"].(obj)["id"].(string)
	s.refused("POST", at+"/deploy", nil, 400, "", "A draft must be in the 'built' state before it can be deployed.")
	if v := s.get(at); v["status"] != "failed" || v["deployed"] != false || v["built_at"] != nil {
		t.Errorf("its version: %v", v)
	}
}
