package fleet_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/kind"
)

// call sends one request to the tenant, as somebody else than ecplan.
func (b *bench) call(method, path string, body any) object {
	b.t.Helper()
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		send = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, b.sim.URL()+"/api/v2/"+path, send)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+benchToken)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 400 {
		b.t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, data, err)
	}
	var out object
	if len(data) > 0 && data[0] == '{' {
		if err := json.Unmarshal(data, &out); err != nil {
			b.t.Fatal(err)
		}
	}
	return out
}

// byHand does what the guide's commands send (seed; facts/go-auth0.md), with what the
// shell makes of them: the login URL between literal apostrophes, the code without its
// final newline.
func (b *bench) byHand(app, publicKey string) {
	b.call("POST", "resource-servers", object{
		"name": "Okta Express Configure API", "identifier": express.APIIdentifier,
		"scopes":           []any{object{"value": "expressconfigure:sso", "description": "Configure SSO with Express Configuration"}},
		"enforce_policies": true, "token_lifetime": 300, "allow_offline_access": false, "skip_consent_for_verifiable_first_party_clients": false,
	})
	role := b.call("POST", "roles", object{"name": "EXPRESS_CONFIGURE_ADMIN_ROLE", "description": "Administrator role for Express Configuration"})
	b.call("POST", "roles/"+role["id"].(string)+"/permissions", object{"permissions": []any{
		object{"resource_server_identifier": express.APIIdentifier, "permission_name": "expressconfigure:sso"},
	}})
	client := b.call("POST", "clients", object{
		"name": "Okta OIN Integration Client", "description": "For Okta OIN Integration", "app_type": "regular_web",
		"callbacks":       []any{"https://system-admin.okta.com/admin/app/generic/oauth20redirect"},
		"oidc_conformant": true, "grant_types": []any{"authorization_code", "client_credentials"},
		"jwt_configuration": object{"alg": "RS256"},
		"client_authentication_methods": object{"private_key_jwt": object{"credentials": []any{
			object{"name": "OIN Public Key", "credential_type": "public_key", "pem": publicKey, "alg": "RS256"},
		}}},
		"organization_require_behavior": "post_login_prompt", "organization_usage": "require",
		"client_metadata": object{"express_configure_sp_client_id": app, "is_express_configure_app": "true"},
	})
	b.call("POST", "client-grants", object{
		"client_id": client["client_id"], "audience": "https://" + b.sim.Domain() + "/api/v2/",
		"scope": []any{
			"create:connections", "read:connections", "update:connections", "read:connections_options",
			"update:connections_options", "read:organization_connections", "create:organization_connections", "update:organization_connections",
		},
	})
	action := b.call("POST", "actions/actions", object{
		"name": "express_configure_postlogin_action", "supported_triggers": []any{object{"id": "post-login", "version": "v3"}},
		"runtime": "node22", "dependencies": []any{}, "code": strings.TrimRight(express.GuideCode, "\n"),
		"secrets": []any{
			object{"name": "EXPRESS_CONFIGURE_API_IDENTIFIER", "value": express.APIIdentifier},
			object{"name": "TENANT_DOMAIN", "value": "https://" + b.sim.Domain()},
			object{"name": "SERVICE_INIT_LOGIN_URL", "value": "'https://crm.acme.example/login'"},
		},
	})
	id := action["id"].(string)
	b.call("GET", "actions/actions/"+id, nil)
	b.call("POST", "actions/actions/"+id+"/deploy", nil)
	b.call("GET", "actions/actions/"+id, nil)
	b.call("PATCH", "actions/triggers/post-login/bindings", object{"bindings": []any{object{
		"ref":          object{"type": "action_name", "value": "express_configure_postlogin_action"},
		"display_name": "express_configure_postlogin_action",
	}}})
	b.call("PATCH", "tenants/settings", object{"flags": object{"use_scope_descriptions_for_consent": true}})
}

// TestAdoptsWhatTheGuideMade: a tenant that was set up by hand is taken over as it is.
// Only what can't be read back is set again, and that mends what the shell spoiled.
func TestAdoptsWhatTheGuideMade(t *testing.T) {
	b := guide(t)
	key, err := examples.Express.ReadFile("express/okta-public-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	b.byHand("7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu", string(key))
	p := b.plan()
	for _, s := range p.Steps {
		if s.Address != "Action/acme-crm.post-login" || s.Action == kind.Create || s.Action == kind.Delete {
			t.Errorf("%s %s: %s %v", s.Action, s.ID, s.Reason, s.Changes)
		}
		for _, c := range s.Changes {
			if !strings.HasPrefix(c.Path, "secrets.") || !strings.Contains(c.Note, "can't be read back") {
				t.Errorf("%s changes %s (%s), want the secrets only, and why", s.ID, c.Path, c.Note)
			}
		}
	}
	if len(p.Steps) != 2 || len(p.Steps[0].Changes) != 3 || !strings.Contains(p.Steps[0].Reason, "can't be read back") {
		t.Errorf("want one update of three secrets, with its reason, and the deployment; got %s", indent(p.Steps))
	}
	before := b.state()
	b.apply()
	if p := b.plan(); len(p.Steps) != 0 {
		t.Errorf("the second plan is not empty: %s", indent(p.Steps))
	}
	for _, collection := range []string{"clients", "roles", "resource_servers", "client_grants"} {
		if got, want := indent(b.state()[collection]), indent(before[collection]); got != want {
			t.Errorf("%s changed from %s to %s", collection, want, got)
		}
	}
	for _, a := range list(b.state()["actions"]) {
		for _, s := range list(a.(object)["secrets"]) {
			if v := s.(object)["value"]; a.(object)["name"] == "express_configure_postlogin_action" && strings.Contains(v.(string), "'") {
				t.Errorf("the secret %v is still %v", s.(object)["name"], v)
			}
		}
	}
}
