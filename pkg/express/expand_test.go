package express_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/manifest"
)

const tenantDocument = `
apiVersion: ecplan/v1
kind: Tenant
metadata: {name: local}
spec: {domain: acme.eu.auth0.com, auth: {token: "${env.TOKEN}"}}
`

// app writes a document of one application.
func app(name, more string) string {
	return "apiVersion: ecplan/v1\nkind: ExpressConfiguration\nmetadata: {name: " + name + "}\nspec:\n" +
		"  app: {client_id: " + name + "-id}\n  init_login_url: https://" + name + ".example/login\n" + more
}

// expand returns what documents expand to, by address, and what is wrong with them.
func expand(t *testing.T, docs ...string) (map[string]*manifest.Resource, manifest.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	text := strings.Join(append(docs, tenantDocument), "\n---\n")
	if err := os.WriteFile(filepath.Join(dir, "m.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old.pem", "new.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), publicKey(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), certificate(t, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)), 0o600); err != nil {
		t.Fatal(err)
	}
	set, ds := manifest.Load([]string{dir})
	if err := ds.Err(); err != nil {
		return nil, ds
	}
	_, rs, ds := set.Prepare("local", manifest.Inputs{Expand: express.Expand, Env: func(string) (string, bool) { return "t", true }})
	out := map[string]*manifest.Resource{}
	for _, r := range rs {
		out[r.Address()] = r
	}
	return out, ds
}

// mustExpand is expand for documents that are right.
func mustExpand(t *testing.T, docs ...string) map[string]*manifest.Resource {
	t.Helper()
	rs, ds := expand(t, docs...)
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	return rs
}

// strs picks a member of each element, or the elements themselves.
func strs(t *testing.T, v any, member string) []string {
	t.Helper()
	list, ok := v.([]any)
	if !ok {
		t.Fatalf("not a list: %v", v)
	}
	var out []string
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			e = m[member]
		}
		s, ok := e.(string)
		if !ok {
			t.Fatalf("not a text: %v", e)
		}
		out = append(out, s)
	}
	return out
}

var (
	ssoScopes = []string{
		"create:connections", "read:connections", "update:connections", "read:connections_options", "update:connections_options",
		"read:organization_connections", "create:organization_connections", "update:organization_connections",
	}
	scimScopes = []string{"read:scim_config", "create:scim_config", "read:scim_token", "create:scim_token", "delete:scim_token"}
)

func TestOneApplication(t *testing.T) {
	rs := mustExpand(t, app("crm", ""))
	want := []string{
		"Action/crm.post-login", "Client/crm.app", "Client/crm.okta-oin", "ClientGrant/crm.okta-oin",
		"ResourceServer/express", "Role/express-admin", "TenantSettings/tenant",
	}
	if diff := cmp.Diff(manifest.Keys(rs), want); diff != "" {
		t.Error(diff)
	}
	action := rs["Action/crm.post-login"]
	if action.Spec["code"] != express.GuideCode {
		t.Error("the code is not the guide's")
	}
	if diff := cmp.Diff(action.Spec["secrets"], map[string]any{
		"SERVICE_INIT_LOGIN_URL": "https://crm.example/login", "EXPRESS_CONFIGURE_API_IDENTIFIER": express.APIIdentifier,
		"TENANT_DOMAIN": "https://acme.eu.auth0.com",
	}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(strs(t, rs["ClientGrant/crm.okta-oin"].Spec["scope"], ""), ssoScopes); diff != "" {
		t.Error(diff)
	}
	if got := strs(t, rs["ResourceServer/express"].Spec["scopes"], "value"); !slices.Equal(got, []string{express.ScopeSSO}) {
		t.Errorf("the API's scopes are %v", got)
	}
	if rs["Client/crm.okta-oin"].Spec["credentials"] != nil {
		t.Error("without a key the client has credentials")
	}
}

// TestProvisioning: with scim there are one scope, one permission and five scopes of the
// grant more, and nothing else differs (facts §1.2).
func TestProvisioning(t *testing.T) {
	before, after := mustExpand(t, app("crm", "")), mustExpand(t, app("crm", "  capabilities: [sso, scim]\n"))
	if diff := cmp.Diff(strs(t, after["ClientGrant/crm.okta-oin"].Spec["scope"], ""), append(slices.Clone(ssoScopes), scimScopes...)); diff != "" {
		t.Error(diff)
	}
	both := []string{express.ScopeSSO, express.ScopeSCIM}
	if got := strs(t, after["ResourceServer/express"].Spec["scopes"], "value"); !slices.Equal(got, both) {
		t.Errorf("the API's scopes are %v", got)
	}
	if got := strs(t, after["Role/express-admin"].Spec["permissions"], "permission_name"); !slices.Equal(got, both) {
		t.Errorf("the role's permissions are %v", got)
	}
	for _, a := range manifest.Keys(before) {
		if k := before[a].Kind; k == "ClientGrant" || k == "ResourceServer" || k == "Role" {
			continue
		}
		if diff := cmp.Diff(before[a].Spec, after[a].Spec); diff != "" {
			t.Errorf("%s differs:\n%s", a, diff)
		}
	}
}

// TestSeveralApplications: one API, role, Action and flag; a client, a grant and a login
// URL each. What one may do, the grant of another does not allow.
func TestSeveralApplications(t *testing.T) {
	rs := mustExpand(t, app("crm", "  capabilities: [sso, scim]\n"), app("shop", "  oin_client: {public_key: {file: new.pem}}\n"))
	want := []string{
		"Action/express.post-login", "Client/crm.app", "Client/crm.okta-oin", "Client/shop.app", "Client/shop.okta-oin",
		"ClientGrant/crm.okta-oin", "ClientGrant/shop.okta-oin", "ResourceServer/express", "Role/express-admin", "TenantSettings/tenant",
	}
	if diff := cmp.Diff(manifest.Keys(rs), want); diff != "" {
		t.Fatal(diff)
	}
	secrets, _ := rs["Action/express.post-login"].Spec["secrets"].(map[string]any)
	if got, want := secrets["SERVICE_INIT_LOGIN_URLS"], `{"crm-id":"https://crm.example/login","shop-id":"https://shop.example/login"}`; got != want {
		t.Errorf("login URLs: %v", got)
	}
	if secrets["DOMAIN_ALIASES_METADATA"] != nil {
		t.Error("home realm discovery is on though nobody asked")
	}
	for _, name := range []string{"crm", "shop"} {
		client := rs["Client/"+name+".okta-oin"]
		metadata, _ := client.Spec["client_metadata"].(map[string]any)
		if metadata["express_configure_sp_client_id"] != name+"-id" {
			t.Errorf("the client of %s is for %v", name, metadata)
		}
		if !slices.Contains(client.Meta.After, "Action/express.post-login") {
			t.Errorf("the client of %s does not wait for the Action", name)
		}
	}
	if got := strs(t, rs["ClientGrant/shop.okta-oin"].Spec["scope"], ""); !slices.Equal(got, ssoScopes) {
		t.Errorf("the application without provisioning may do %v", got)
	}
	if got := strs(t, rs["ClientGrant/crm.okta-oin"].Spec["scope"], ""); len(got) != len(ssoScopes)+len(scimScopes) {
		t.Errorf("the application with provisioning may do %v", got)
	}
	if got := strs(t, rs["ResourceServer/express"].Spec["scopes"], "value"); len(got) != 2 {
		t.Errorf("the API's scopes are %v", got)
	}
}

// TestDomains: home realm discovery is an option of the Action, for one application and
// for several.
func TestDomains(t *testing.T) {
	const hrd = "  home_realm_discovery: {organization_metadata: domains}\n"
	for name, docs := range map[string][]string{
		"Action/crm.post-login":     {app("crm", hrd)},
		"Action/express.post-login": {app("crm", hrd), app("shop", hrd)},
	} {
		action := mustExpand(t, docs...)[name]
		if action == nil {
			t.Errorf("there is no %s", name)
			continue
		}
		secrets, _ := action.Spec["secrets"].(map[string]any)
		if secrets["DOMAIN_ALIASES_METADATA"] != "domains" || secrets["SERVICE_INIT_LOGIN_URL"] != nil || action.Spec["code"] == express.GuideCode {
			t.Errorf("%s: %v", name, secrets)
		}
	}
}

// TestOverrides: whatever is given takes the guide's place, and the rest stays.
func TestOverrides(t *testing.T) {
	rs := mustExpand(t, app("crm", `
  api: {token_lifetime: 120}
  role: {name: Admins}
  oin_client: {name: Okta, public_key: {file: new.pem}, client_metadata: {team: crm}}
  grant: {scope: [read:connections]}
  action: {name: okta, bind: null, secrets: {MORE: {env: MORE, sensitive: true}}}
  tenant_settings: {flags: {enable_client_connections: false}}
`))
	api, role, client, action := rs["ResourceServer/express"].Spec, rs["Role/express-admin"].Spec, rs["Client/crm.okta-oin"].Spec, rs["Action/crm.post-login"].Spec
	if api["token_lifetime"] != 120.0 || api["enforce_policies"] != true {
		t.Errorf("API: %v", api)
	}
	if role["name"] != "Admins" || role["description"] == nil || len(strs(t, role["permissions"], "permission_name")) != 1 {
		t.Errorf("role: %v", role)
	}
	metadata, _ := client["client_metadata"].(map[string]any)
	if client["name"] != "Okta" || client["public_key"] != nil || metadata["team"] != "crm" || metadata["express_configure_sp_client_id"] != "crm-id" {
		t.Errorf("client: %v", client)
	}
	if got := strs(t, rs["ClientGrant/crm.okta-oin"].Spec["scope"], ""); !slices.Equal(got, []string{"read:connections"}) {
		t.Errorf("grant: %v", got)
	}
	secrets, _ := action["secrets"].(map[string]any)
	if _, bound := action["bind"]; bound || action["name"] != "okta" || len(secrets) != 4 {
		t.Errorf("Action: %v", action)
	}
	if _, secret := manifest.AsSecret(secrets["MORE"]); !secret {
		t.Error("a secret is written out")
	}
	existing := mustExpand(t, app("crm", "  role: {existing: Ops}\n"))["Role/express-admin"]
	if !existing.Meta.Existing || existing.Spec["name"] != "Ops" || existing.Spec["description"] != nil {
		t.Errorf("existing role: %+v", existing)
	}
}

// TestContradictions: what the applications of a tenant share can't be two things.
func TestContradictions(t *testing.T) {
	for name, tt := range map[string]struct {
		docs []string
		want string
	}{
		"API":      {[]string{app("crm", "  api: {token_lifetime: 120}\n"), app("shop", "  api: {token_lifetime: 60}\n")}, "token_lifetime"},
		"role":     {[]string{app("crm", "  role: {name: A}\n"), app("shop", "  role: {name: B}\n")}, "Role/express-admin"},
		"Action":   {[]string{app("crm", "  action: {name: a}\n"), app("shop", "")}, "share one Action"},
		"domains":  {[]string{app("crm", "  home_realm_discovery: {organization_metadata: a}\n"), app("shop", "")}, "asks for other domains"},
		"settings": {[]string{app("crm", "  tenant_settings: {flags: {enable_client_connections: false}}\n"), app("shop", "  tenant_settings: {flags: {enable_client_connections: true}}\n")}, "enable_client_connections"},
		"secret":   {[]string{app("crm", ""), strings.Replace(app("shop", ""), "https://shop.example/login", "{env: URL, sensitive: true}", 1)}, "sensitive login URL"},
		"scim":     {[]string{app("crm", "  capabilities: [scim]\n")}, "must name sso as well"},
		"two keys": {[]string{app("crm", "  oin_client: {public_key: {file: new.pem}, former_key: {retire_after: 2027-01-31T00:00:00Z}}\n")}, `"public_key" is missing`},
	} {
		_, ds := expand(t, tt.docs...)
		found := false
		for _, d := range ds {
			found = found || d.Severity == manifest.Error && strings.Contains(d.Summary, tt.want) && d.Pos.Line > 0
		}
		if !found {
			t.Errorf("%s: got %v, want %q", name, ds, tt.want)
		}
	}
}

// TestFormerKey: while Okta goes over from one key to the next, both are credentials,
// told apart by their names.
func TestFormerKey(t *testing.T) {
	rs := mustExpand(t, app("crm", "  oin_client:\n    public_key: {file: new.pem}\n    former_key: {public_key: {file: old.pem}, retire_after: 2027-01-31T00:00:00Z}\n"))
	keys, _ := rs["Client/crm.okta-oin"].Spec["credentials"].([]any)
	if len(keys) != 2 {
		t.Fatalf("the client has %d keys", len(keys))
	}
	old, next := keys[0].(map[string]any), keys[1].(map[string]any)
	kid, err := manifest.Thumbprint(string(publicKey(t, "new.pem")))
	if err != nil {
		t.Fatal(err)
	}
	if old["pem"] != string(publicKey(t, "old.pem")) || old["name"] != "OIN Public Key" || old["retire_after"] != "2027-01-31T00:00:00Z" {
		t.Errorf("the former key: %v", old)
	}
	if next["pem"] != string(publicKey(t, "new.pem")) || next["name"] != "OIN Public Key "+kid[:8] || next["retire_after"] != nil {
		t.Errorf("the next key: %v", next)
	}
	alone := mustExpand(t, app("crm", "  oin_client: {public_key: {file: new.pem}}\n"))["Client/crm.okta-oin"].Spec["credentials"].([]any)
	if len(alone) != 1 || alone[0].(map[string]any)["name"] != "OIN Public Key" {
		t.Errorf("a key alone: %v", alone)
	}
}

// TestCertificate: a certificate brings its own end, a bare key has none.
func TestCertificate(t *testing.T) {
	for file, want := range map[string]any{"cert.pem": true, "new.pem": nil} {
		keys := mustExpand(t, app("crm", "  oin_client: {public_key: {file: "+file+"}}\n"))["Client/crm.okta-oin"].Spec["credentials"].([]any)
		if got := keys[0].(map[string]any)["parse_expiry_from_cert"]; got != want {
			t.Errorf("%s: parse_expiry_from_cert is %v", file, got)
		}
	}
}
