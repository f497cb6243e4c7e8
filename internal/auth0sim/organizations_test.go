package auth0sim_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

const userDatabase = "Username-Password-Authentication"

// newConnection makes a connection and returns its id.
func (t *tenant) newConnection(name, strategy string, options obj) string {
	t.Helper()
	return t.post("/connections", obj{"name": name, "strategy": strategy, "options": options})["id"].(string)
}

// TestOrganizationCreate: what a create takes and answers beside the name (OAS
// CreateOrganizationRequestContent, CreateOrganizationResponseContent).
func TestOrganizationCreate(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	for _, name := range []string{"Acme", "acme-", "-acme", "ac me", "org_acme"} { // OAS EventStreamCloudEventOrgCreatedObject
		s.refused("POST", "/organizations", obj{"name": name}, 400, "invalid_body", "Payload validation error: 'Object didn't pass validation for format organization-name: "+name+"' on property name (The name of this organization).")
	}
	con := s.newConnection("okta", "okta", obj{"domain": "x.okta.com"})
	s.refused("POST", "/organizations", obj{"name": "a", "enabled_connections": []any{obj{"connection_id": "con_none"}}}, 404, "", "Connections: con_none not found.")
	org := s.post("/organizations", obj{
		"name": "a", "third_party_client_access": "allow", "metadata": obj{"k": "v", "gone": nil},
		"enabled_connections": []any{obj{"connection_id": con}},
	})
	enabled, _ := org["enabled_connections"].([]any)
	if len(enabled) != 1 || enabled[0].(obj)["connection"].(obj)["name"] != "okta" || enabled[0].(obj)["is_enabled"] != nil || org["third_party_client_access"] != "allow" {
		t.Errorf("%v", org)
	}
	if meta := org["metadata"].(obj); len(meta) != 1 {
		t.Errorf("metadata is %v", meta)
	}
	at := "/organizations/" + org["id"].(string)
	if got := s.get(at); got["enabled_connections"] != nil {
		t.Errorf("%v", got)
	}
	if got := s.patch(at, obj{"third_party_client_access": "block", "metadata": obj{"k": nil}}); got["third_party_client_access"] != "block" || got["metadata"] != nil {
		t.Errorf("%v", got)
	}
	s.send("PATCH", at, obj{"third_party_client_access": nil}, 400)
}

// TestOrganizationSignup: it is a matter of database connections that make members
// (enable-connections; deploy-cli #905).
func TestOrganizationSignup(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	okta, users := s.newConnection("okta", "okta", obj{"domain": "x.okta.com"}), s.newConnection("users", "auth0", obj{})
	at := "/organizations/" + s.post("/organizations", obj{"name": "a"})["id"].(string) + "/connections"
	const signup = "Only database connections with assign_membership_on_login = true support is_signup_enabled = true."
	s.refused("POST", at, obj{"connection_id": okta, "is_signup_enabled": true, "assign_membership_on_login": true}, 400, "invalid_body", signup)
	if got := s.post(at, obj{"connection_id": okta}); got["is_signup_enabled"] != nil {
		t.Errorf("%v", got)
	}
	s.refused("PATCH", at+"/"+okta, obj{"is_signup_enabled": true}, 400, "invalid_body", signup)
	if got := s.patch(at+"/"+okta, obj{"is_signup_enabled": false}); got["is_signup_enabled"] != nil {
		t.Errorf("%v", got)
	}
	s.refused("POST", at, obj{"connection_id": users, "is_signup_enabled": true}, 400, "invalid_body", signup)
	s.post(at, obj{"connection_id": users, "is_signup_enabled": true, "assign_membership_on_login": true})
	s.refused("PATCH", at+"/"+users, obj{"assign_membership_on_login": false}, 400, "invalid_body", signup)
	got := s.patch(at+"/"+users, obj{"assign_membership_on_login": false, "is_signup_enabled": false, "is_enabled": nil, "organization_access_level": nil, "organization_connection_name": "U"})
	if got["is_enabled"] != true || got["organization_access_level"] != "none" || got["organization_connection_name"] != "U" {
		t.Errorf("null does not reset: %v", got)
	}
}

// TestOrganizationGrants: a grant is added once, and a hundred at most (OAS).
func TestOrganizationGrants(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	at := "/organizations/" + s.post("/organizations", obj{"name": "a"})["id"].(string) + "/client-grants"
	client := s.post("/clients", obj{"name": "c"})["client_id"]
	for i := range 101 {
		api := fmt.Sprintf("https://api-%d", i)
		s.post("/resource-servers", obj{"identifier": api})
		grant := obj{"grant_id": s.post("/client-grants", obj{"client_id": client, "audience": api, "scope": []any{}, "organization_usage": "allow"})["id"]}
		if i == 100 {
			s.refused("POST", at, grant, 409, "", "Quota exceeded; cannot add more than 100 client grants to a single organization")
			break
		}
		s.post(at, grant)
		s.refused("POST", at, grant, 409, "", "The client grant has already been added to this organization.")
	}
}

// TestMembersWithRoles: the roles of members need a scope of their own (OAS GET
// /organizations/{id}/members).
func TestMembersWithRoles(t *testing.T) {
	seed := []byte(`{"users": [{"email": "a@b.example", "user_id": "auth0|a"}], "roles": [{"name": "r"}],
		"organizations": [{"id": "org_aaaaaaaaaaaaaaaa", "name": "a", "members": ["auth0|a"], "member_roles": {"auth0|a": ["r"]}}]}`)
	const at = "/organizations/org_aaaaaaaaaaaaaaaa/members"
	s := newTenant(t, auth0sim.Options{Seed: seed, TokenScopes: []string{"read:organization_members"}})
	s.send("GET", at+"?fields=user_id", nil, 200)
	s.send("GET", at+"?fields=roles&include_fields=false", nil, 200)
	s.refused("GET", at+"?fields=user_id,roles", nil, 403, "insufficient_scope", "Insufficient scope, expected any of: read:organization_member_roles")
	s = newTenant(t, auth0sim.Options{Seed: seed})
	member := s.send("GET", at+"?fields="+url.QueryEscape("user_id, roles"), nil, 200).([]any)[0].(obj)
	if roles, _ := member["roles"].([]any); len(roles) != 1 || roles[0].(obj)["name"] != "r" {
		t.Errorf("%v", member)
	}
}
