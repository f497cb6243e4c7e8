package fleet_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/fleet"
)

// hand is somebody who changes the tenant behind ecplan's back.
type hand struct{ *bench }

func (h hand) call(method, path string, body any) map[string]any {
	h.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	if body == nil {
		data = nil
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.sim.URL()+"/api/v2/"+path, bytes.NewReader(data))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+benchToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		h.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	var out map[string]any
	_ = json.Unmarshal(answer, &out) // an answer without an object is not looked at
	return out
}

// find returns the object of a collection whose member has the value.
func (h hand) find(collection, member, value string) map[string]any {
	h.t.Helper()
	var state map[string]any
	if err := json.Unmarshal(h.sim.Snapshot(), &state); err != nil {
		h.t.Fatal(err)
	}
	list, _ := state[collection].([]any)
	for _, x := range list {
		if o, _ := x.(map[string]any); o[member] == value {
			return o
		}
	}
	h.t.Fatalf("no %s with %s %q", collection, member, value)
	return nil
}

func (h hand) id(collection, member, value string) string {
	o := h.find(collection, member, value)
	for _, k := range []string{"id", "client_id"} {
		if s, ok := o[k].(string); ok {
			return s
		}
	}
	return ""
}

const ownAction = "express_configure_postlogin_action"

func (h hand) client() string { return h.id("clients", "name", "Okta OIN Integration Client") }
func (h hand) api() string    { return "resource-servers/" + url.PathEscape(express.APIIdentifier) }
func (h hand) grant() string {
	return "client-grants/" + h.id("client_grants", "audience", "https://"+h.sim.Domain()+"/api/v2/")
}
func (h hand) action() string { return "actions/actions/" + h.id("actions", "name", ownAction) }
func (h hand) role() string {
	return "roles/" + h.id("roles", "name", "EXPRESS_CONFIGURE_ADMIN_ROLE")
}

// bind makes Actions, by name, the login flow.
func (h hand) bind(names ...string) {
	list := []any{}
	for _, n := range names {
		list = append(list, map[string]any{"ref": map[string]any{"type": "action_name", "value": n}, "display_name": n})
	}
	h.call("PATCH", "actions/triggers/post-login/bindings", map[string]any{"bindings": list})
}

// colleague adds somebody's Action to the login flow, first or last.
func (h hand) colleague(first bool, body string) {
	code := "exports.onExecutePostLogin = async (event, api) => { " + body + " };"
	h.call("POST", "actions/actions", map[string]any{"name": "colleague", "code": code, "deploy": true, "supported_triggers": []any{map[string]any{"id": "post-login", "version": "v3"}}})
	id := h.id("actions", "name", "colleague")
	h.call("GET", "actions/actions/"+id, nil) // lets the simulator's build end
	if first {
		h.bind("colleague", "add-roles-claim", ownAction)
	} else {
		h.bind("add-roles-claim", ownAction, "colleague")
	}
}

// secrets sets the Action's secrets and deploys.
func (h hand) secrets(values map[string]string) {
	list := []any{}
	for k, v := range values {
		list = append(list, map[string]any{"name": k, "value": v})
	}
	h.call("PATCH", h.action(), map[string]any{"secrets": list})
	h.deploy()
}

func (h hand) deploy() {
	h.call("GET", h.action(), nil)
	h.call("POST", h.action()+"/deploy", nil)
	h.call("GET", h.action(), nil)
}

// sabotage is one way in which a set-up breaks.
type sabotage struct {
	name string
	// declare is what the manifest says besides, below spec.
	declare string
	do      func(h hand)
	// verify are the set-up checks that fail, and no others; found is what one of them says.
	verify []string
	found  string
	// rehearse is what the step says that fails, "" if the rehearsal passes.
	rehearse string
	// later moves the clock.
	later time.Duration
	// given are the values of secrets that the rehearsal is told.
	given map[string]string
}

var allSecrets = []string{"action.secret.EXPRESS_CONFIGURE_API_IDENTIFIER", "action.secret.SERVICE_INIT_LOGIN_URL", "action.secret.TENANT_DOMAIN"}

func sabotages() []sabotage {
	good := map[string]string{"EXPRESS_CONFIGURE_API_IDENTIFIER": express.APIIdentifier, "SERVICE_INIT_LOGIN_URL": "https://crm.acme.example/login", "TENANT_DOMAIN": "https://x"}
	without := func(name string) map[string]string {
		out := map[string]string{}
		for k, v := range good {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	but := func(name, value string) map[string]string {
		out := without(name)
		out[name] = value
		return out
	}
	quoted, custom := but("SERVICE_INIT_LOGIN_URL", "'https://crm.acme.example/login'"), but("TENANT_DOMAIN", "https://login.acme.example")
	out := []sabotage{
		{name: "nothing", do: func(hand) {}},
		{name: "a secret was set by someone else", do: func(h hand) { h.secrets(good) }, verify: allSecrets, found: "set by someone else since"},
		{name: "the Action was unbound", do: func(h hand) { h.bind("add-roles-claim") }, verify: []string{"action.bound"}, found: "add-roles-claim", rehearse: "the claim sp_client_id is missing"},
		{name: "no Action is bound", do: func(h hand) { h.bind() }, verify: []string{"action.bound"}, found: "no Action is bound", rehearse: "the claim sp_client_id is missing"},
		{name: "the order of the Actions was changed", declare: "  action: {bind: {position: last}}\n", do: func(h hand) { h.bind(ownAction, "add-roles-claim") }, verify: []string{"action.bound"}, found: ownAction + " → add-roles-claim"},
		{name: "the login URL was set with quotation marks", do: func(h hand) { h.secrets(quoted) }, verify: allSecrets, found: "set by someone else since", given: quoted, rehearse: "it has quotation marks in it"},
		{name: "TENANT_DOMAIN was set to a custom domain", do: func(h hand) { h.secrets(custom) }, verify: allSecrets, found: "set by someone else since", given: custom, rehearse: "Service not enabled within domain"},
		{name: "the draft was changed and not deployed", do: func(h hand) {
			h.call("PATCH", h.action(), map[string]any{"code": "exports.onExecutePostLogin = async () => {};"})
		}, verify: []string{"action", "action.deployed"}, found: "the draft has changes that do not run"},
		{name: "other code was deployed", do: func(h hand) {
			h.call("PATCH", h.action(), map[string]any{"code": "exports.onExecutePostLogin = async () => {};"})
			h.deploy()
		}, verify: []string{"action", "action.version"}, found: "runs other code", rehearse: "the claim sp_client_id is missing"},
		{name: "other code runs below the right draft", do: func(h hand) {
			h.call("PATCH", h.action(), map[string]any{"code": "exports.onExecutePostLogin = async () => {};"})
			h.deploy()
			h.call("PATCH", h.action(), map[string]any{"code": express.GuideCode})
			h.call("GET", h.action(), nil)
		}, verify: []string{"action.deployed", "action.version"}, found: "runs other code", rehearse: "the claim sp_client_id is missing"},
		{name: "the Action's build fails", do: func(h hand) {
			h.call("PATCH", h.action(), map[string]any{"dependencies": []any{map[string]any{"name": "crypto", "version": "17.7.1"}}})
		}, verify: []string{"action.built", "action.deployed"}, found: "failed"},
		{name: "the Action was deleted", do: func(h hand) { h.call("DELETE", h.action()+"?force=true", nil) }, verify: []string{"action"}, found: "not on the tenant", rehearse: "the claim sp_client_id is missing"},
		{name: "a colleague's Action denies access", do: func(h hand) { h.colleague(false, `api.access.deny("not from abroad")`) }, rehearse: "it denies access: not from abroad"},
		{name: "a colleague's Action throws", do: func(h hand) { h.colleague(true, `event.user.app_metadata.plan.name`) }, rehearse: "it ends with an error: TypeError"},
		{name: "a colleague's Action takes the scope away", do: func(h hand) { h.colleague(false, `api.accessToken.removeScope("expressconfigure:sso")`) }, rehearse: "the Action colleague took it away"},
		{name: "a colleague's Action overwrites a claim", do: func(h hand) {
			h.colleague(false, `api.accessToken.setCustomClaim("init_login_uri", "https://elsewhere.example")`)
		}, rehearse: "init_login_uri is https://elsewhere.example"},
		{name: "a colleague's Action never ends", do: func(h hand) { h.colleague(true, `await new Promise(() => {})`) }, rehearse: "never settled"},
		{name: "the role lost its permission", do: func(h hand) {
			h.call("DELETE", h.role()+"/permissions", map[string]any{"permissions": []any{map[string]any{"resource_server_identifier": express.APIIdentifier, "permission_name": express.ScopeSSO}}})
		}, verify: []string{"role"}, found: "expressconfigure:sso", rehearse: "the scope expressconfigure:sso is missing"},
		{name: "the role was deleted", do: func(h hand) { h.call("DELETE", h.role(), nil) }, verify: []string{"role"}, found: "not on the tenant", rehearse: "the scope expressconfigure:sso is missing"},
		{name: "the API does not enforce RBAC", do: func(h hand) { h.call("PATCH", h.api(), map[string]any{"enforce_policies": false}) }, verify: []string{"api"}, found: "enforce_policies: off", rehearse: "a token was issued"},
		{name: "the API's tokens live longer", do: func(h hand) { h.call("PATCH", h.api(), map[string]any{"token_lifetime": 86400}) }, verify: []string{"api"}, found: "token_lifetime: 86400"},
		{name: "the OIN client demands no organization", do: func(h hand) {
			h.call("PATCH", "clients/"+h.client(), map[string]any{"organization_usage": "allow"})
		}, verify: []string{"client"}, found: "organization_usage: allow", rehearse: "missing data"},
		{name: "the OIN client prompts for no organization", do: func(h hand) {
			h.call("PATCH", "clients/"+h.client(), map[string]any{"organization_require_behavior": "no_prompt"})
		}, verify: []string{"client"}, found: "organization_require_behavior: no_prompt", rehearse: "neither asks for one"},
		{name: "the OIN client lost Okta's callback", do: func(h hand) {
			h.call("PATCH", "clients/"+h.client(), map[string]any{"callbacks": []any{"https://other.example"}})
		}, verify: []string{"client"}, found: "https://other.example", rehearse: "not among the client's callbacks"},
		{name: "the OIN client may not use client_credentials", do: func(h hand) {
			h.call("PATCH", "clients/"+h.client(), map[string]any{"grant_types": []any{"authorization_code"}})
		}, verify: []string{"client"}, found: "grant_types", rehearse: "client_credentials"},
		{name: "the OIN client was deleted", do: func(h hand) { h.call("DELETE", "clients/"+h.client(), nil) }, verify: []string{"client", "grant"}, found: "not on the tenant", rehearse: "there is no OIN client"},
		{name: "the key was detached", do: func(h hand) {
			h.call("PATCH", "clients/"+h.client(), map[string]any{"client_authentication_methods": nil, "token_endpoint_auth_method": "client_secret_post"})
		}, verify: []string{"key"}, found: "no key", rehearse: "has no key"},
		{name: "another key was attached", do: func(h hand) {
			made := h.call("POST", "clients/"+h.client()+"/credentials", map[string]any{"name": "another", "credential_type": "public_key", "pem": anotherKey(h.t)})
			h.call("PATCH", "clients/"+h.client(), map[string]any{"client_authentication_methods": map[string]any{"private_key_jwt": map[string]any{"credentials": []any{map[string]any{"id": made["id"]}}}}})
		}, verify: []string{"key"}, found: "kid "},
		{name: "the key has ended", do: func(h hand) {
			creds, _ := h.find("clients", "name", "Okta OIN Integration Client")["credentials"].([]any)
			id, _ := creds[0].(map[string]any)["id"].(string)
			h.call("PATCH", "clients/"+h.client()+"/credentials/"+id, map[string]any{"expires_at": time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)})
		}, later: 48 * time.Hour, verify: []string{"key.valid"}, found: "ended on"},
		{name: "the grant is too wide", do: func(h hand) {
			h.call("PATCH", h.grant(), map[string]any{"scope": append(anys(express.NeededScopes(false)), "delete:connections")})
		}, verify: []string{"grant.narrow"}, found: "also delete:connections", rehearse: "the connection was deleted"},
		{name: "the grant is on another API", do: func(h hand) {
			h.call("DELETE", h.grant(), nil)
			h.call("POST", "client-grants", map[string]any{"client_id": h.client(), "audience": "https://api.crm.acme.example", "scope": []any{}})
		}, verify: []string{"grant"}, found: "not on the tenant", rehearse: "refused: 403"},
		{name: "the API has another identifier", do: func(h hand) {
			h.call("DELETE", h.api(), nil)
			h.call("POST", "resource-servers", map[string]any{"identifier": express.APIIdentifier + "/", "name": "Okta Express Configure API", "scopes": []any{map[string]any{"value": express.ScopeSSO}}})
		}, verify: []string{"api", "role"}, found: "not on the tenant", rehearse: "there is no API with the identifier"},
		{name: "the OIN client names another application", do: func(h hand) {
			h.call("PATCH", "clients/"+h.client(), map[string]any{"client_metadata": map[string]any{"express_configure_sp_client_id": h.id("clients", "name", "Acme Mobile")}})
		}, verify: []string{"client", "grant"}, found: "not on the tenant", rehearse: "there is no OIN client"},
		{name: "the grant was deleted", do: func(h hand) { h.call("DELETE", h.grant(), nil) }, verify: []string{"grant"}, found: "not on the tenant", rehearse: "refused: 403"},
		{name: "consent shows raw scope names", do: func(h hand) {
			h.call("PATCH", "tenants/settings", map[string]any{"flags": map[string]any{"use_scope_descriptions_for_consent": false}})
		}, verify: []string{"settings"}, found: "use_scope_descriptions_for_consent: off"},
	}
	for _, name := range []string{"EXPRESS_CONFIGURE_API_IDENTIFIER", "SERVICE_INIT_LOGIN_URL", "TENANT_DOMAIN"} {
		rehearsed := map[string]string{"EXPRESS_CONFIGURE_API_IDENTIFIER": "the claim sp_client_id is missing", "SERVICE_INIT_LOGIN_URL": "the claim init_login_uri is missing", "TENANT_DOMAIN": "refused: 403"}
		out = append(out, sabotage{name: "the secret " + name + " is gone", do: func(h hand) { h.secrets(without(name)) }, verify: allSecrets, found: "not there", rehearse: rehearsed[name]})
	}
	for _, scope := range express.NeededScopes(false) {
		out = append(out, sabotage{name: "the grant lacks " + scope, do: func(h hand) {
			h.call("PATCH", h.grant(), map[string]any{"scope": slices.DeleteFunc(anys(express.NeededScopes(false)), func(s any) bool { return s == scope })})
		}, verify: []string{"grant.complete"}, found: "without " + scope, rehearse: "does not get: " + scope})
	}
	return out
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// TestSabotage holds verify and rehearse to finding each of many ways in which a set-up
// breaks, and nothing else; docs/guides/prove.md lists them.
func TestSabotage(t *testing.T) {
	page, err := os.ReadFile("../../docs/guides/prove.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sabotages() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if row := s.row(); !strings.Contains(string(page), row) {
				t.Errorf("docs/guides/prove.md lacks the row\n%s", row)
			}
			h := hand{guide(t)}
			if s.declare != "" {
				h.edit("express.yaml", "spec:\n", "spec:\n"+s.declare)
			}
			h.apply()
			s.do(h)
			target := h.target()
			target.Now = target.Now.Add(s.later)
			report, err := target.Verify(t.Context(), express.LookOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			var said strings.Builder
			for _, c := range report.Broken() {
				failed = append(failed, c.ID)
				said.WriteString(c.Found + "\n")
			}
			slices.Sort(failed)
			if diff := cmp.Diff(s.verify, failed); diff != "" {
				t.Errorf("verify fails other checks than it should (- want, + got):\n%s\n%s", diff, said.String())
			}
			if !strings.Contains(said.String(), s.found) {
				t.Errorf("verify says\n%s\nand nothing of %q", said.String(), s.found)
			}
			if s.later == 0 {
				rehearsed(t, target, s)
			}
		})
	}
}

// row is the sabotage's line in the documentation.
func (s sabotage) row() string {
	verify, rehearse := "passes", "it works"
	if s.verify != nil {
		verify = "`" + strings.Join(s.verify, "` `") + "`"
	}
	if s.rehearse != "" {
		rehearse = "“… " + s.rehearse + " …”"
	}
	if s.later > 0 {
		rehearse = "–"
	}
	return "| " + s.name + " | " + verify + " | " + rehearse + " |\n"
}

func rehearsed(t *testing.T, target *fleet.Target, s sabotage) {
	t.Helper()
	tr, err := target.Rehearse(t.Context(), fleet.RehearseOptions{Live: true, Secrets: s.given})
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, a := range tr.Acts {
		for _, step := range a.Steps {
			if step.Result == express.Fail {
				said.WriteString(step.Title + "\n" + strings.Join(step.Lines, "\n") + "\n")
			}
		}
	}
	if s.rehearse == "" && tr.Failures() > 0 {
		t.Errorf("the rehearsal fails, and should not:\n%s", said.String())
	}
	if s.rehearse != "" && !strings.Contains(said.String(), s.rehearse) {
		t.Errorf("the rehearsal says\n%s\nand nothing of %q", said.String(), s.rehearse)
	}
}

// anotherKey is a public key that is not Okta's, in PEM.
func anotherKey(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
