package auth0sim_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestWording holds messages that were recorded or reported (facts §3.0).
func TestWording(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	role := s.post("/roles", obj{"name": "r"})["id"].(string)
	client := s.post("/clients", obj{"name": "c"})["client_id"].(string)
	s.post("/resource-servers", obj{"identifier": "https://api"})
	for _, c := range []struct {
		method, path  string
		body          any
		status        int
		code, message string
	}{
		{"GET", "/nowhere", nil, 404, "", "Not Found"},
		{"PUT", "/clients", obj{}, 404, "", "Not Found"},
		{"GET", "/clients/x", nil, 404, "inexistent_client", "The client does not exist"},
		{"GET", "/resource-servers/x", nil, 404, "inexistent_resource_server", "The resource server does not exist"},
		{"GET", "/client-grants/cgr_x", nil, 404, "inexistent_client_grant", "The grant does not exist."},
		{"GET", "/connections/con_x", nil, 404, "inexistent_connection", "The connection does not exist"},
		{"GET", "/users/auth0%7Cx", nil, 404, "inexistent_user", "The user does not exist."},
		{"GET", "/roles/rol_x", nil, 404, "", "The role does not exist."},
		{"GET", "/actions/actions/x", nil, 404, "", "That action does not exist."},
		{"GET", "/organizations/org_x", nil, 404, "", "No organization found by that id or name"},
		{"GET", "/user-attribute-profiles/uap_x", nil, 404, "", "User attribute profile not found."},
		{"POST", "/roles", obj{"name": "r"}, 409, "", "The role already exists."},
		{"POST", "/resource-servers", obj{"identifier": "https://api"}, 409, "resource_server_conflict", "A resource server with the same identifier already exists."},
		{"POST", "/resource-servers", obj{"identifier": "https://tenant.example/api/v2/"}, 400, "invalid_body", "The selected identifier is reserved."},
		{"POST", "/roles/" + role + "/permissions", obj{"permissions": nil}, 400, "invalid_body", "Payload validation error: 'Expected type array but found type null' on property permissions…"},
		{"POST", "/roles/" + role + "/permissions", obj{"permissions": []any{obj{"resource_server_identifier": "https://api", "permission_name": "p"}}}, 404, "inexistent_resource_server_permission", "This permission does not exist: 'https://api - p'"},
		{"POST", "/roles/" + role + "/permissions", obj{"permissions": []any{obj{"resource_server_identifier": "https://other", "permission_name": "p"}}}, 404, "inexistent_resource_server", "The resource server does not exist"},
		{"PATCH", "/tenants/settings", obj{}, 400, "invalid_body", "Payload validation error: 'Too few properties defined (0), minimum 1'."},
		{"POST", "/resource-servers", obj{"identifier": "https://x", "zzz": 1}, 400, "invalid_body", "Payload validation error: 'Additional properties not allowed: zzz'."},
		{"POST", "/resource-servers", obj{"name": "x"}, 400, "invalid_body", "Payload validation error: 'Missing required property: identifier'."},
		{"PATCH", "/resource-servers/https:%2F%2Fapi", obj{"identifier": "https://y"}, 400, "invalid_body", "Payload validation error: 'Additional properties not allowed: identifier'."},
		{"POST", "/clients", obj{"name": "<x>"}, 400, "invalid_body", "Payload validation error: 'String does not match pattern ^[^<>]+$: <x>' on property name (Name of this client…"},
		{"POST", "/clients", obj{"name": "x", "description": strings.Repeat("x", 141)}, 400, "invalid_body", "Payload validation error: 'String is too long (141 chars), maximum 140' on property description (Free text description of this client (max length: 140 characters))."},
		{"POST", "/clients", obj{"name": "x", "organization_usage": "true"}, 400, "invalid_body", "Payload validation error: 'No enum match for: true' on property organization_usage…"},
		{"POST", "/clients", obj{"name": "x", "my_organization_configuration": obj{"allowed_strategies": []any{"okta"}, "connection_deletion_behavior": "allow", "connection_profile_id": "cop_WRONG"}}, 400, "invalid_body", "Payload validation error: 'Object didn't pass validation for format connection-profile-id: cop_WRONG' on property my_organization_configuration.connection_profile_id…"},
		{"POST", "/clients", obj{"name": "x", "organization_require_behavior": "post_login_prompt"}, 400, "invalid_body", "organization_require_behavior post_login_prompt requires oidc_conformant to be true."},
		{"PATCH", "/clients/" + client, obj{"client_metadata": manyKeys(11)}, 400, "invalid_body", "Payload validation error: 'Too many properties defined (11), maximum 10' on property client_metadata…"},
		{"GET", "/clients?per_page=101", nil, 400, "invalid_query_string", "Query validation error: 'Value 101 is greater than maximum 100' on property per_page (Number of results per page. Default value is 50, maximum value is 100)."},
		{"GET", "/clients?nonsense=1", nil, 400, "invalid_query_string", "Query validation error: 'Additional properties not allowed: nonsense'."},
		{"GET", "/users-by-email", nil, 400, "invalid_query_string", "Query validation error: 'Missing required property: email'."},
		{"GET", "/clients?type=organization", nil, 400, "invalid_query_string", "Query validation error: 'Additional properties not allowed: type'."},
		{"GET", "/roles?sort=name:1", nil, 400, "invalid_query_string", "Query validation error: 'Additional properties not allowed: sort'."},
		{"GET", "/resource-servers?identifiers=" + strings.Repeat("x&identifiers=", 10) + "x", nil, 400, "invalid_query_string", "Query validation error: 'Array is too long (11), maximum 10' on property identifiers…"},
		{"GET", "/organizations?page=20&per_page=50", nil, 400, "invalid_paging", "Requesting page 20 exceeds the allowed maximum of 1000 records. To fetch results beyond 1000, use the checkpoint pagination method."},
		{"GET", "/roles/" + role + "/users?page=10&per_page=100", nil, 400, "invalid_paging", "Requesting page 10 exceeds the allowed maximum of 1000 records. To fetch results beyond 1000, use the checkpoint pagination method."},
		{"PATCH", "/actions/triggers/post-login/bindings", obj{"bindings": []any{obj{"x": 1}}}, 400, "invalid_body", "Payload validation error: 'Data does not match any schemas from 'oneOf'' on property bindings[0]."},
		{"PATCH", "/actions/triggers/post-login/bindings", obj{"bindings": []any{obj{"ref": obj{"value": "none"}}}}, 400, "invalid_body", "Payload validation error: 'Data does not match any schemas from 'oneOf'' on property bindings[0]."},
		{"PATCH", "/actions/triggers/post-login/bindings", obj{"bindings": []any{obj{"ref": obj{"type": "action_name", "value": "none"}}}}, 404, "", "That action does not exist."},
		{"GET", "/actions/triggers/nope/bindings", nil, 400, "invalid_uri", "Path validation error: 'No enum match for: nope' on property triggerId (An actions extensibility point)."},
		{"GET", "/actions/triggers?include_totals=true&per_page=50&page=0", nil, 400, "invalid_query_string", "Query validation error: 'Additional properties not allowed: include_totals'."},
		{"GET", "/actions/actions?include_totals=true", nil, 400, "invalid_query_string", "Query validation error: 'Additional properties not allowed: include_totals'."},
		{"GET", "/actions/triggers/event-stream/bindings", nil, 400, "", "cannot list action bindings for an entity-bound trigger"},
		{"POST", "/client-grants", obj{"client_id": client, "audience": "https://none", "scope": []any{}}, 404, "inexistent_resource_server", "No resource with identifier https://none"},
		{"DELETE", "/resource-servers/https:%2F%2Ftenant.example%2Fapi%2Fv2%2F", nil, 400, "invalid_body", "System resource servers cannot be deleted."},
	} {
		t.Run(fmt.Sprint(c.method, c.path, c.status), func(t *testing.T) {
			(&tenant{t, s.Server, s.bearer}).refused(c.method, c.path, c.body, c.status, c.code, c.message)
		})
	}
	w := s.raw("POST", "/resource-servers", "application/json", `{"identifier":"x","first":1,"second":2}`)
	if !strings.Contains(w.Body.String(), "not allowed: second,first") {
		t.Errorf("properties are not named from last to first: %s", w.Body)
	}
}

// TestForms: every operation with a body takes a form too (OAS).
func TestForms(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	const form = "application/x-www-form-urlencoded"
	if w := s.raw("POST", "/roles", form, "name=a+b&description=c"); w.Code != 200 || !strings.Contains(w.Body.String(), `"name":"a b"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	user := s.post("/users", obj{"connection": "Username-Password-Authentication", "email": "a@b.example", "password": "x"})["user_id"].(string)
	var roles []string
	for _, name := range []string{"b", "c"} {
		roles = append(roles, s.post("/roles", obj{"name": name})["id"].(string))
	}
	at := "/users/" + url.PathEscape(user) + "/roles"
	if w := s.raw("POST", at, form, url.Values{"roles": roles}.Encode()); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for body, why := range map[string]string{
		`{"name":"d"}`: "Missing required property: identifier", "identifier=x&token_lifetime=5": "Expected type integer but found type string", "identifier=%zz": "Invalid request payload",
	} {
		if w := s.raw("POST", "/resource-servers", form, body); w.Code != 400 || !strings.Contains(w.Body.String(), why) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// TestResourceServerStyles: APIs are paged by offset alone (OAS GET /resource-servers), and
// the secret shows with the algorithm that uses it (facts §6).
func TestResourceServerStyles(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	const secret = "a-secret-of-16-characters"
	rs := s.post("/resource-servers", obj{"identifier": "https://api", "signing_alg": "HS256", "signing_secret": secret})
	at := "/resource-servers/" + rs["id"].(string)
	if rs["signing_secret"] != secret {
		t.Errorf("%v", rs)
	}
	if got := s.patch(at, obj{"signing_alg": "RS256"}); got["signing_secret"] != nil {
		t.Errorf("%v", got)
	}
	if got := s.get(at); got["signing_secret"] != nil {
		t.Errorf("%v", got)
	}
	s.get("/actions/triggers?page=0&per_page=50") // which it has not
	if got := s.get("/resource-servers?take=1&include_totals=true"); got["total"] != 2.0 || len(got["resource_servers"].([]any)) != 2 {
		t.Errorf("%v", got["total"])
	}
}

// TestManagementScopes: the Management API has the scopes of all of it, not only of what
// is served here (REC-tf ResourceServerAuth0APIManagementImport), so that a role can have them.
func TestManagementScopes(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	const api = "https://tenant.example/api/v2/"
	known := map[string]any{}
	for _, x := range s.get("/resource-servers/" + url.QueryEscape(api))["scopes"].([]any) {
		known[x.(obj)["value"].(string)] = x.(obj)["description"]
	}
	var permissions []any
	for _, scope := range strings.Fields("read:attack_protection read:log_streams create:email_templates update:guardian_factors read:self_service_profiles read:limits create:device_credentials read:connections_options") {
		if known[scope] == nil {
			t.Errorf("%s is missing", scope)
		}
		permissions = append(permissions, obj{"resource_server_identifier": api, "permission_name": scope})
	}
	role := s.post("/roles", obj{"name": "r"})["id"].(string)
	s.send("POST", "/roles/"+role+"/permissions", obj{"permissions": permissions}, 201)
}

func manyKeys(n int) obj {
	o := obj{}
	for i := range n {
		o[fmt.Sprint("k", i)] = "v"
	}
	return o
}

func TestCredentials(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	c := s.post("/clients", obj{"name": "c", "token_endpoint_auth_method": "client_secret_post"})
	at := "/clients/" + c["client_id"].(string)
	cred := s.post(at+"/credentials", obj{"name": "k", "credential_type": "public_key", "pem": publicPEM(testKey())})
	if cred["alg"] != "RS256" || cred["pem"] != nil || len(cred["kid"].(string)) != 43 {
		t.Fatalf("%v", cred)
	}
	s.refused("POST", at+"/credentials", obj{"credential_type": "public_key", "pem": publicPEM(testKey())}, 400, "invalid_body", "credentials contains public keys that already exist in client")
	attach := obj{"client_authentication_methods": obj{"private_key_jwt": obj{"credentials": []any{obj{"id": cred["id"]}}}}}
	s.refused("PATCH", at, attach, 400, "invalid_body", "Payload validation error: 'token_endpoint_auth_method' and 'client_authentication_methods'…")
	attach["token_endpoint_auth_method"] = nil
	if got := s.patch(at, attach); got["client_secret"] != nil || got["token_endpoint_auth_method"] != nil {
		t.Errorf("attached: %v", got)
	}
	s.refused("POST", at+"/rotate-secret", nil, 400, "invalid_body", "Cannot rotate the secret…")
	s.refused("DELETE", at+"/credentials/"+cred["id"].(string), nil, 400, "invalid_body", "Cannot delete credential still associated with a client")
	if got := s.patch(at, obj{"client_authentication_methods": nil, "token_endpoint_auth_method": "client_secret_post"}); got["client_secret"] != c["client_secret"] {
		t.Errorf("the secret is not back: %v", got)
	}
	s.send("DELETE", at+"/credentials/"+cred["id"].(string), nil, 204)
	s.send("DELETE", at+"/credentials/"+cred["id"].(string), nil, 204)
	s.refused("PATCH", at, attach, 400, "invalid_body", "One or more of the credentials in client_authentication_methods.private_key_jwt do not exist")
	if again := s.post(at+"/rotate-secret", nil); again["client_secret"] == c["client_secret"] {
		t.Error("the secret did not change")
	}
}

// TestTokenVault is what go-auth0's tests of it want, and the kinds of addresses.
func TestTokenVault(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	access := func(without string, addresses ...any) obj {
		o := obj{"credentials": []any{}, "grants": []any{obj{"connection": "github", "scopes": []any{"repo"}}}, "ip_allowlist": append([]any{}, addresses...)}
		delete(o, without)
		return obj{"token_vault_privileged_access": o}
	}
	body := access("")
	body["name"] = "worker"
	const refused = "Payload validation error: '%s' on property token_vault_privileged_access%s"
	s.refused("POST", "/clients", body, 400, "invalid_body", fmt.Sprintf(refused, "Array is too short (0), minimum 1", ".ip_allowlist."))
	body["token_vault_privileged_access"].(obj)["ip_allowlist"] = []any{"10.0.0.1", "192.168.1.0/24", "2001:db8::1", "2001:db8::/32"}
	at := "/clients/" + s.post("/clients", body)["client_id"].(string)
	s.patch(at, access(""))
	s.refused("PATCH", at, access("", strings2any(strings.Fields(strings.Repeat("10.0.0.1 ", 11))...)...), 400, "invalid_body", fmt.Sprintf(refused, "Array is too long (11), maximum 10", ".ip_allowlist."))
	for _, name := range []string{"credentials", "grants", "ip_allowlist"} {
		s.refused("PATCH", at, access(name, "10.0.0.1"), 400, "invalid_body", fmt.Sprintf(refused, "Missing required property: "+name, " (Settings for Token Vault Privileged Access)."))
	}
	for _, address := range []string{"here", "10.0.0.256", "10.0.0.0/33", "2001:db8::/129", ""} {
		s.refused("PATCH", at, access("", "10.0.0.1", address), 400, "invalid_body", fmt.Sprintf(refused, "Data does not match any schemas from 'oneOf'", ".ip_allowlist[1]."))
	}

	// What a create brings along comes back whole, once.
	body = access("", "10.0.0.1")
	body["name"] = "worker"
	slot := body["token_vault_privileged_access"].(obj)
	slot["credentials"] = []any{obj{"name": "mine", "credential_type": "public_key", "pem": publicPEM(testKey())}}
	credential := func(c obj) obj {
		return c["token_vault_privileged_access"].(obj)["credentials"].([]any)[0].(obj)
	}
	made := s.post("/clients", body)
	whole, later := credential(made), credential(s.get("/clients/"+made["client_id"].(string)))
	if whole["kid"] == nil || whole["alg"] != "RS256" || whole["name"] != "mine" || whole["pem"] != nil || len(later) != 1 || later["id"] != whole["id"] {
		t.Errorf("the create showed the credential %v, a read %v", whole, later)
	}
	slot["grants"] = []any{obj{"connection": "a", "scopes": strings2any(strings.Fields(strings.Repeat("s ", 11))...)}, obj{"connection": "b", "scopes": strings2any(strings.Fields(strings.Repeat("s ", 10))...)}}
	s.refused("POST", "/clients", body, 400, "invalid_body", "A client can have a maximum of 20 scopes in token_vault_privileged_access.grants.")
	slot["grants"].([]any)[1].(obj)["connection"] = "a"
	s.refused("POST", "/clients", body, 400, "invalid_body", "The connection a is twice in token_vault_privileged_access.grants.")
}

// TestCredentialsAreListedByKey: not by age, nor by id.
func TestCredentialsAreListedByKey(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	at := "/clients/" + s.post("/clients", obj{"name": "c"})["client_id"].(string) + "/credentials"
	for _, kid := range []string{"bbbbbbbbbb", "cccccccccc", "aaaaaaaaaa"} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		s.post(at, obj{"credential_type": "public_key", "kid": kid, "pem": publicPEM(key)})
	}
	var kids []any
	for _, x := range s.send("GET", at+"?include_totals=true", nil, 200).([]any) {
		kids = append(kids, x.(obj)["kid"])
	}
	if want := strings2any("aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"); !slices.Equal(kids, want) {
		t.Errorf("listed: %v", kids)
	}
}

func TestNativeExpress(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	rs := s.post("/resource-servers", obj{"identifier": "urn:auth0:express-configure"})
	if rs["name"] != "Okta OIN Express Configuration API" || rs["token_lifetime"] != 300.0 || rs["is_system"] != true {
		t.Errorf("%v", rs)
	}
	s.refused("PATCH", "/resource-servers/urn:auth0:express-configure", obj{"token_lifetime": 5}, 400, "invalid_body", "System resource servers cannot be patched.")
	c := s.post("/clients", obj{"name": "oin", "app_type": "express_configuration"})
	if c["organization_usage"] != "require" || c["client_secret"] != nil || c["organization_require_behavior"] != "pre_login_prompt" {
		t.Errorf("%v", c)
	}
	grants := s.get("/client-grants?include_totals=true&client_id=" + c["client_id"].(string))["client_grants"].([]any)
	if len(grants) != 1 || grants[0].(obj)["is_system"] != true || len(grants[0].(obj)["scope"].([]any)) != 16 {
		t.Errorf("%v", grants)
	}
	s.refused("POST", "/client-grants", obj{"client_id": c["client_id"], "audience": "https://tenant.example/api/v2/", "scope": []any{}}, 400, "validation_error", "Client of type express_configuration cannot be used")
	s.send("DELETE", "/resource-servers/urn:auth0:express-configure", nil, 204)
}

func TestPaging(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	for i := range 7 {
		s.post("/roles", obj{"name": fmt.Sprint("role ", i)})
		s.post("/clients", obj{"name": "same name"})
	}
	if all := s.send("GET", "/roles", nil, 200).([]any); len(all) != 7 {
		t.Errorf("%d roles", len(all))
	}
	page := s.get("/roles?include_totals=true&per_page=3&page=2&name_filter=ROLE")
	if page["total"] != 7.0 || page["start"] != 6.0 || page["limit"] != 3.0 || len(page["roles"].([]any)) != 1 {
		t.Errorf("%v", page)
	}
	if got := s.get("/roles?include_totals=true&per_page=2&page=1e0"); got["start"] != 2.0 || len(got["roles"].([]any)) != 2 {
		t.Errorf("a number may be written otherwise: %v", got)
	}
	seen, from := 0, ""
	for n := 0; ; n++ {
		got := s.get("/clients?take=3" + from)
		seen += len(got["clients"].([]any))
		next, more := got["next"].(string)
		if !more {
			if n != 2 {
				t.Errorf("%d pages", n+1)
			}
			break
		}
		from = "&from=" + next
	}
	if seen != 8 { // and the global client
		t.Errorf("%d clients by checkpoint", seen)
	}
	if w := s.raw("GET", "/connections", "", ""); !strings.Contains(w.Header().Get("Link"), `rel="first"`) {
		t.Errorf("Link: %q", w.Header().Get("Link"))
	}
	if got := s.get("/actions/actions?page=1&per_page=100"); len(got) != 3 || got["page"] != 1.0 {
		t.Errorf("%v", got)
	}
}

// TestOrganizationEntitlement is go-auth0's TestOrganizationManager_IsAppEntitlementActive.
func TestOrganizationEntitlement(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	g := s.post("/organizations", obj{"name": "acme", "is_app_entitlement_active": true, "third_party_client_access": "allow"})
	if g["is_app_entitlement_active"] != true || g["third_party_client_access"] != "allow" {
		t.Errorf("%v", g)
	}
	at := "/organizations/" + g["id"].(string)
	s.patch(at, obj{"is_app_entitlement_active": false})
	if g := s.get(at); g["is_app_entitlement_active"] != false {
		t.Errorf("%v", g)
	}
}

// TestBrackets: lists in a query are also written as Node's qs does.
func TestBrackets(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	s.post("/resource-servers", obj{"identifier": "https://a"})
	s.post("/resource-servers", obj{"identifier": "https://b"})
	if got := s.get("/resource-servers?include_totals=true&identifiers=https://a&identifiers[]=https://b"); got["total"] != 2.0 {
		t.Errorf("%v", got)
	}
	s.refused("GET", "/connections?strategy[]=nope", nil, 400, "invalid_query_string", "Query validation error: 'No enum match for: nope' on property strategy[0]…")
	if got := s.send("GET", "/connections?strategy[]=okta", nil, 200).([]any); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestOrganizations(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	org := s.post("/organizations", obj{"name": "acme", "display_name": "Acme"})
	at := "/organizations/" + org["id"].(string)
	s.refused("POST", "/organizations", obj{"name": "acme"}, 409, "organization_conflict", "An organization with the same name already exists.")
	s.refused("POST", "/organizations", obj{"name": "Acme"}, 400, "invalid_body", "Payload validation error: 'Object didn't pass validation for format organization-name: Acme' on property name (The name of this organization).")
	con := s.post("/connections", obj{"name": "okta-1", "strategy": "okta", "options": obj{"client_id": "a", "client_secret": "b", "domain": "x.okta.com"}})
	s.post(at+"/enabled_connections", obj{"connection_id": con["id"], "assign_membership_on_login": true})
	s.refused("POST", at+"/connections", obj{"connection_id": con["id"]}, 409, "", "The organization connection already exists.")
	if got := s.get(at + "/enabled_connections/" + con["id"].(string)); got["is_enabled"] != nil || got["show_as_button"] != true {
		t.Errorf("%v", got)
	}
	if got := s.get(at + "/connections/" + con["id"].(string)); got["is_enabled"] != true || got["connection"].(obj)["strategy"] != "okta" {
		t.Errorf("%v", got)
	}
	scim := s.post("/connections/"+con["id"].(string)+"/scim-configuration", nil)
	if scim["connection_name"] != "okta-1" {
		t.Errorf("%v", scim)
	}
	for range 2 {
		s.post("/connections/"+con["id"].(string)+"/scim-configuration/tokens", obj{})
	}
	s.refused("POST", "/connections/"+con["id"].(string)+"/scim-configuration/tokens", obj{}, 409, "", "Maximum of 2 tokens already issued for this connection")
	user := s.post("/users", obj{"connection": "Username-Password-Authentication", "email": "a@b.example", "password": "x", "username": "abc"})["user_id"].(string)
	s.send("POST", at+"/members", obj{"members": []any{user}}, 204)
	role := s.post("/roles", obj{"name": "member"})
	s.send("POST", at+"/members/auth0%7C"+strings.TrimPrefix(user, "auth0|")+"/roles", obj{"roles": []any{role["id"]}}, 204)
	s.send("DELETE", "/connections/"+con["id"].(string), nil, 202)
	s.send("DELETE", "/connections/"+con["id"].(string), nil, 204)
	s.refused("GET", at+"/connections/"+con["id"].(string), nil, 404, "", "No connection found by that id")
	s.send("DELETE", at, nil, 204)
	s.refused("DELETE", at, nil, 404, "", "No organization found by that id or name")
}

func TestSettings(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	const at = "/tenants/settings"
	got := s.patch(at, obj{"idle_ephemeral_session_lifetime_in_minutes": 15, "session_lifetime_in_minutes": 10080, "idle_session_lifetime": 48})
	if got["idle_ephemeral_session_lifetime"] != 0.25 || got["session_lifetime"] != 168.0 || got["idle_session_lifetime"] != 48.0 || got["session_lifetime_in_minutes"] != nil {
		t.Errorf("minutes became %v", got)
	}
	const flag, lock = "enforce_client_authentication_on_passwordless_start", "cannot_change_enforce_client_authentication_on_passwordless_start"
	if flags := got["flags"].(obj); flags[flag] != true || flags[lock] != true {
		t.Errorf("the answer to a PATCH has the flags %v", flags)
	}
	if flags := s.get(at)["flags"].(obj); flags[flag] != nil || flags[lock] != nil {
		t.Errorf("a GET has the flags %v", flags)
	}
	s.refused("PATCH", at, obj{"session_lifetime": 1, "session_lifetime_in_minutes": 60}, 400, "invalid_body", "Cannot set both session_lifetime and session_lifetime_in_minutes")
	s.refused("PATCH", at, obj{"session_lifetime": 20160}, 400, "invalid_body", "Payload validation error: 'Value 20160 is greater than maximum 8760' on property session_lifetime…")
	if got := s.patch(at, obj{"sandbox_version": "12", "flags": obj{flag: true}}); got["sandbox_version"] != "12" {
		t.Errorf("an older sandbox: %v", got)
	}
	if flags := s.get(at)["flags"].(obj); flags[flag] != nil {
		t.Errorf("a flag that stays as it is: %v", flags)
	}
	s.refused("PATCH", at, obj{"sandbox_version": "9"}, 400, "invalid_body", `The sandbox_version provided is invalid. Please use one of the available options: ["22","18"]`)
	s.refused("PATCH", at, obj{"friendly_name": "n", "flags": obj{flag: false}}, 400, "invalid_body", "Updating the "+flag+" flag is not allowed. Please contact us if you need additional information.")
	s.patch(at, obj{"flags": obj{"trust_azure_adfs_email_verified_connection_property": true, "disable_clickjack_protection_headers": true, "require_pushed_authorization_requests": true, "enable_custom_domain_in_emails": false, "enable_legacy_logs_search_v2": false}})
	if got := s.get(at); got["friendly_name"] == "n" {
		t.Error("a refused PATCH changed something")
	}
}

// TestUserIdentifiers: an address and a user name are taken within a connection, not
// across them.
func TestUserIdentifiers(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	s.post("/connections", obj{"name": "second", "strategy": "auth0", "options": obj{"requires_username": true}})
	ada := obj{"connection": "second", "email": "ada@b.example", "username": "ada", "password": "x"}
	s.post("/users", ada)
	ada["connection"] = "Username-Password-Authentication"
	s.post("/users", ada)
	s.refused("POST", "/users", obj{"connection": "second", "email": "ADA@b.example", "username": "other", "password": "x"}, 409, "auth0_idp_error", "The user already exists.")
	s.refused("POST", "/users", obj{"connection": "second", "email": "other@b.example", "username": "Ada", "password": "x"}, 409, "auth0_idp_error", "The user already exists.")
	bob := s.post("/users", obj{"connection": "second", "email": "bob@b.example", "username": "bob", "password": "x"})["user_id"].(string)
	at := "/users/" + strings.Replace(bob, "|", "%7C", 1)
	s.refused("PATCH", at, obj{"email": "ada@b.example"}, 400, "auth0_idp_error", "The specified new email already exists")
	s.refused("PATCH", at, obj{"username": "ada"}, 400, "auth0_idp_error", "The specified new username already exists")
	s.patch(at, obj{"email": "BOB@b.example"})
}

// TestUserScopes: the scopes for oneself open nobody else, and that for metadata opens
// metadata alone (OAS, GET PATCH DELETE /users/{id}).
func TestUserScopes(t *testing.T) {
	seed := []byte(`{"users": [{"email": "a@b.example"}]}`)
	with := func(scopes ...string) (*tenant, string) {
		s := newTenant(t, auth0sim.Options{Seed: seed, TokenScopes: scopes})
		full := newTenant(t, auth0sim.Options{Seed: seed})
		id := full.send("GET", "/users", nil, 200).([]any)[0].(obj)["user_id"].(string)
		return s, "/users/" + strings.Replace(id, "|", "%7C", 1)
	}
	const other = "User to be acted on does not match subject in bearer token."
	s, at := with("read:current_user", "update:current_user_metadata", "delete:current_user")
	s.refused("GET", at, nil, 403, "", other)
	s.refused("PATCH", at, obj{"user_metadata": obj{"a": "b"}}, 403, "", other)
	s.refused("DELETE", at, nil, 403, "", other)
	s, at = with("update:users_app_metadata")
	s.patch(at, obj{"app_metadata": obj{"a": "b"}})
	s.refused("PATCH", at, obj{"app_metadata": obj{}, "nickname": "x"}, 403, "insufficient_scope", "You cannot update the following fields: nickname")
	s, at = with("read:users", "read:roles")
	s.get(at)
	s.refused("GET", at+"/roles", nil, 403, "insufficient_scope", "Insufficient scope, expected all of: read:users,read:roles,read:role_members")
	s, at = with("read:users", "read:roles", "read:role_members")
	s.send("GET", at+"/roles", nil, 200)
}

// TestEncode holds the encoder to encoding/json.
func TestEncode(t *testing.T) {
	for _, v := range []any{
		nil, true, 1, -3.0, 1.5, 1e20, 1e21, 123456789012345678.0, "", "a<b>&c", "\"\\\n\u2028\x7fé\xff\x00",
		obj{},
		obj(nil),
		[]any{},
		[]any(nil),
		[]obj{{"b": 1, "a": nil}},
		obj{"z": []any{obj{"é": "\t"}}, "a": []string{"x"}},
	} {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		if got := string(auth0sim.Encode(v)) + "\n"; got != want.String() {
			t.Errorf("%#v: %s, want %s", v, got, want.String())
		}
	}
}
