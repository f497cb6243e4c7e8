package auth0sim_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestEveryOperation calls every served operation with success at least once: what
// the simulator's documentation lists is there, and the check against Auth0's
// document (oas_test.go) has seen all of it.
func TestEveryOperation(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	client, action := guide(s)
	id := client["client_id"].(string)

	s.send("GET", "/resource-servers?identifiers="+url.QueryEscape(expressAPI), nil, 200)
	rs := s.post("/resource-servers", obj{"identifier": "https://api", "name": "API", "scopes": []any{obj{"value": "read"}}, "token_lifetime_for_web": 60})["id"].(string)
	s.patch("/resource-servers/"+rs, obj{"token_lifetime": 100})

	role := s.post("/roles", obj{"name": "r"})["id"].(string)
	permissions := obj{"permissions": []any{obj{"resource_server_identifier": "https://api", "permission_name": "read"}}}
	s.patch("/roles/"+role, obj{"description": "d"})
	s.send("GET", "/roles", nil, 200)
	s.post("/roles/"+role+"/permissions", permissions)
	s.send("GET", "/roles/"+role+"/permissions", nil, 200)
	user := s.post("/users", obj{"connection": "Username-Password-Authentication", "email": "a@b.example", "password": "x"})["user_id"].(string)
	person := "/users/" + url.PathEscape(user)
	s.send("POST", "/roles/"+role+"/users", obj{"users": []any{user}}, 200)
	s.send("GET", "/roles/"+role+"/users", nil, 200)

	s.send("GET", "/users", nil, 200)
	s.send("GET", "/users-by-email?email=a%40b.example", nil, 200)
	s.get(person)
	logged := s.send("GET", "/logs?q=type:sapi&per_page=2", nil, 200).([]any)
	s.get("/logs/" + logged[0].(obj)["log_id"].(string))
	s.get("/logs?include_totals=true")
	s.patch(person, obj{"user_metadata": obj{"a": "b"}})
	s.send("POST", person+"/roles", obj{"roles": []any{role}}, 204)
	s.send("GET", person+"/roles", nil, 200)
	s.send("POST", person+"/permissions", permissions, 201)
	s.send("GET", person+"/permissions", nil, 200)
	s.send("DELETE", person+"/permissions", permissions, 204)
	s.send("DELETE", person+"/roles", obj{"roles": []any{role}}, 204)
	s.send("DELETE", "/roles/"+role+"/permissions", permissions, 204)

	one := s.post("/clients", obj{"name": "c", "app_type": "regular_web"})["client_id"].(string)
	s.get("/clients/" + one)
	s.get("/tenants/settings")
	s.patch("/clients/"+one, obj{"description": "d"})
	s.send("GET", "/clients?take=2", nil, 200)
	s.post("/clients/"+one+"/rotate-secret", nil)
	cred := s.post("/clients/"+one+"/credentials", obj{"credential_type": "public_key", "name": "k", "pem": publicPEM(testKey())})["id"].(string)
	s.get("/clients/" + one + "/credentials/" + cred)
	s.send("GET", "/clients/"+one+"/credentials", nil, 200)
	s.patch("/clients/"+one+"/credentials/"+cred, obj{"expires_at": "2090-01-01T00:00:00Z"})
	s.send("DELETE", "/clients/"+one+"/credentials/"+cred, nil, 204)

	grant := s.post("/client-grants", obj{"client_id": one, "audience": "https://api", "scope": []any{"read"}, "organization_usage": "allow", "allow_any_organization": false})["id"].(string)
	s.send("GET", "/client-grants", nil, 200)
	s.get("/client-grants/" + grant)
	s.patch("/client-grants/"+grant, obj{"scope": []any{}})
	org := s.post("/organizations", obj{"name": "acme", "display_name": "Acme"})["id"].(string)
	at := "/organizations/" + org
	s.post(at+"/client-grants", obj{"grant_id": grant})
	s.send("GET", at+"/client-grants", nil, 200)
	s.send("GET", "/client-grants/"+grant+"/organizations", nil, 200)
	s.send("DELETE", at+"/client-grants/"+grant, nil, 204)
	s.send("DELETE", "/client-grants/"+grant, nil, 204)

	s.send("GET", "/organizations?sort=name:1", nil, 200)
	s.get("/organizations/name/acme")
	s.get(at)
	s.patch(at, obj{"display_name": "A"})
	con := s.post("/connections", obj{"name": "okta", "strategy": "okta", "options": obj{"client_id": "a", "client_secret": "b", "domain": "x.okta.com"}})["id"].(string)
	s.post(at+"/enabled_connections", obj{"connection_id": con})
	s.send("GET", at+"/enabled_connections", nil, 200)
	s.get(at + "/enabled_connections/" + con)
	s.patch(at+"/enabled_connections/"+con, obj{"assign_membership_on_login": true})
	s.send("DELETE", at+"/enabled_connections/"+con, nil, 204)
	s.post(at+"/connections", obj{"connection_id": con})
	s.send("GET", at+"/connections", nil, 200)
	s.get(at + "/connections/" + con)
	s.patch(at+"/connections/"+con, obj{"is_enabled": false})
	s.send("DELETE", at+"/connections/"+con, nil, 204)
	s.send("POST", at+"/members", obj{"members": []any{user}}, 204)
	s.send("GET", at+"/members", nil, 200)
	roles := at + "/members/" + url.PathEscape(user) + "/roles"
	s.send("POST", roles, obj{"roles": []any{role}}, 204)
	s.send("GET", roles, nil, 200)
	s.send("DELETE", roles, obj{"roles": []any{role}}, 204)
	s.send("GET", person+"/organizations", nil, 200)
	s.send("DELETE", at+"/members", obj{"members": []any{user}}, 204)
	s.send("DELETE", at, nil, 204)

	s.send("GET", "/connections", nil, 200)
	s.get("/connections/" + con)
	s.patch("/connections/"+con, obj{"display_name": "Okta"})
	s.send("GET", "/connections/"+con+"/status", nil, 200)
	s.send("PATCH", "/connections/"+con+"/clients", []any{obj{"client_id": id, "status": true}}, 204)
	s.get("/connections/" + con + "/clients")
	s.get("/clients/" + id + "/connections")
	scim := "/connections/" + con + "/scim-configuration"
	s.post(scim, nil)
	s.get(scim)
	s.get(scim + "/default-mapping")
	s.patch(scim, obj{"user_id_attribute": "userName", "mapping": []any{obj{"auth0": "email", "scim": "userName"}}})
	tok := s.post(scim+"/tokens", obj{"token_lifetime": 1000})["token_id"].(string)
	s.send("GET", scim+"/tokens", nil, 200)
	s.send("DELETE", scim+"/tokens/"+tok, nil, 204)
	s.send("DELETE", scim, nil, 204)
	s.send("DELETE", "/connections/"+con, nil, 202)

	for path, body := range map[string]obj{
		"/user-attribute-profiles": {"name": "p", "user_attributes": obj{"email": obj{"auth0_mapping": "email", "label": "E", "description": "d", "profile_required": true}}},
		"/connection-profiles":     {"name": "p"},
	} {
		p := s.post(path, body)["id"].(string)
		s.get(path)
		s.get(path + "/" + p)
		s.patch(path+"/"+p, obj{"name": "q"})
		s.get(path + "/templates")
		s.get(path + "/templates/auth0-generic")
		s.send("DELETE", path+"/"+p, nil, 204)
	}

	code := "/actions/actions/" + action
	s.patch(code, obj{"code": "2"})
	s.send("POST", code+"/test", obj{"payload": obj{}}, 200)
	version := s.get(code + "/versions")["versions"].([]any)[0].(obj)["id"].(string)
	s.get(code + "/versions/" + version)
	s.post(code+"/versions/"+version+"/deploy", obj{})
	s.get("/actions/triggers/post-login/bindings")
	s.send("DELETE", code+"?force=true", nil, 204)
	s.send("DELETE", person, nil, 204)
	s.send("DELETE", "/clients/"+one, nil, 204)
	s.send("DELETE", "/roles/"+role, nil, 200)
	s.send("DELETE", "/resource-servers/"+rs, nil, 204)

	var done []string
	for _, r := range s.Requests() {
		if r.Status < 300 {
			done = append(done, auth0sim.Pattern(r.Method, r.Path))
		}
	}
	for _, op := range auth0sim.Served() {
		if !slices.Contains(done, op) && op != "GET /actions/executions/{id}" { // nothing runs here, so it is always 404
			t.Errorf("%s was not called", op)
		}
	}
}
