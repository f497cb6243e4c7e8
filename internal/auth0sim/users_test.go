package auth0sim_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

const ownStore = "Username-Password-Authentication"

func atUser(id any) string { return "/users/" + strings.Replace(id.(string), "|", "%7C", 1) }

// TestUserCase: Auth0's own user store keeps addresses and user names in lower case; what
// other stores have stays as it is (user-profile-structure and require-username below
// https://auth0.com/docs, OAS GET /users-by-email).
func TestUserCase(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	s.post("/connections", obj{"name": "mail", "strategy": "email"})
	s.post("/connections", obj{"name": "custom", "strategy": "auth0", "options": obj{"enabledDatabaseCustomization": true}})
	byMail := func(mail string) int {
		return len(s.send("GET", "/users-by-email?email="+url.QueryEscape(mail), nil, 200).([]any))
	}
	u := s.post("/users", obj{"connection": ownStore, "email": "Ada.L@Example.COM", "username": "AdaL", "password": "x"})
	if u["email"] != "ada.l@example.com" || u["username"] != "adal" || u["name"] != "ada.l@example.com" || u["nickname"] != "ada.l" {
		t.Errorf("%v", u)
	}
	if byMail("ada.l@example.com") != 1 || byMail("Ada.L@Example.COM") != 0 {
		t.Error("it is not found as it is kept")
	}
	if u = s.patch(atUser(u["user_id"]), obj{"email": "ADA@example.com"}); u["email"] != "ada@example.com" {
		t.Errorf("%v", u)
	}
	for _, connection := range []string{"mail", "custom"} {
		if u := s.post("/users", obj{"connection": connection, "email": "Bob@" + connection, "password": "x"}); u["email"] != "Bob@"+connection {
			t.Errorf("%v", u)
		}
		if byMail("Bob@"+connection) != 1 || byMail("bob@"+connection) != 0 {
			t.Errorf("%s: it is not found as it is kept", connection)
		}
	}
}

// TestUserUpdate holds PATCH /users/{id} to its document, to user-profile-structure below
// https://auth0.com/docs and to reports of real answers.
func TestUserUpdate(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newTenant(t, auth0sim.Options{Now: func() time.Time { return now }, Seed: []byte(`{
	 "connections": [{"name": "staff", "strategy": "okta", "options": {"domain": "x.okta.com"}}, {"name": "guests", "strategy": "okta", "options": {"domain": "y.okta.com", "set_user_root_attributes": "on_first_login"}}],
	 "users": [{"user_id": "okta|staff|1", "email": "Eve@x.example", "identities": [{"connection": "staff", "provider": "okta", "user_id": "staff|1", "isSocial": false}]},
	           {"user_id": "okta|guests|1", "email": "guest@x.example", "identities": [{"connection": "guests", "provider": "okta", "user_id": "guests|1", "isSocial": false}]}]}`)})
	u := s.post("/users", obj{"connection": ownStore, "email": "a@b.example", "username": "a", "password": "x"})
	at := atUser(u["user_id"])
	if u["last_password_reset"] != nil {
		t.Errorf("no password was changed: %v", u)
	}
	now = now.Add(time.Minute)
	if got := s.patch(at, obj{"password": "y", "connection": ownStore}); got["last_password_reset"] != got["updated_at"] || got["updated_at"] == u["updated_at"] {
		t.Errorf("%v", got)
	}
	s.refused("PATCH", at, obj{"email": "c@d.example", "connection": "none"}, 400, "invalid_body", "Connection does not exist.")
	got := s.send("PATCH", at, obj{"user_id": "auth0|other", "identities": []any{}, "locale": "en"}, 400).(obj)
	if text := got["message"].(string); !strings.HasPrefix(text, "Payload validation error: 'Additional properties not allowed: ") || !strings.HasSuffix(text,
		` (consider storing them in app_metadata or user_metadata. See "Users Metadata" in https://auth0.com/docs/api/v2/changes for more details)'.`) {
		t.Error(text)
	}
	s.refused("PATCH", at, obj{"app_metadata": obj{"email": nil}}, 400, "invalid_body", "Payload validation error: 'Data matches schema from 'not'' on property app_metadata.email.")
	s.refused("POST", "/users", obj{"connection": ownStore, "email": "e@b.example", "password": "x", "app_metadata": obj{"user_id": "x"}}, 400, "invalid_body", "Payload validation error: 'Data matches schema from 'not'' on property app_metadata.user_id.")

	staff, guest := atUser("okta|staff|1"), atUser("okta|guests|1")
	s.refused("PATCH", staff, obj{"email": "x@x.example"}, 400, "invalid_body", "Cannot update email for non-database user.")
	s.refused("PATCH", staff, obj{"email_verified": true}, 400, "invalid_body", "Email verification is not supported for enterprise users.")
	s.refused("PATCH", staff, obj{"password": "x"}, 400, "invalid_body", "Connection is not supported for this operation.")
	s.refused("PATCH", staff, obj{"nickname": "x", "name": "y"}, 400, "invalid_body", "The following user attributes cannot be updated: name, nickname. The connection must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'.")
	s.patch(staff, obj{"password": nil, "username": nil, "email": nil}) // as for two that can't be changed at once
	s.patch(staff, obj{"user_metadata": obj{"a": "b"}, "blocked": true})
	s.patch(guest, obj{"nickname": "x"})
}

// TestUserCreate: what a user must have is up to the connection (OAS POST /users).
func TestUserCreate(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	s.post("/connections", obj{"name": "mail", "strategy": "email"})
	s.post("/connections", obj{"name": "text", "strategy": "sms"})
	s.post("/connections", obj{"name": "keys", "strategy": "auth0", "options": obj{"authentication_methods": obj{"password": obj{"enabled": true, "api_behavior": "optional"}}}})
	for connection, missing := range map[string]string{ownStore: "email", "mail": "email", "text": "phone_number"} {
		s.refused("POST", "/users", obj{"connection": connection, "password": "x"}, 400, "invalid_body", "Payload validation error: 'Missing required property: "+missing+"'.")
	}
	s.refused("POST", "/users", obj{"connection": ownStore, "email": "a@b.example"}, 400, "invalid_body", "Payload validation error: 'Missing required property: password'.")
	s.post("/users", obj{"connection": "keys", "email": "a@b.example"})
	s.post("/users", obj{"connection": ownStore, "username": "a", "password": "x"})
	s.post("/users", obj{"connection": "text", "phone_number": "+15550100"})
}

// TestUserPermissionLimit: 1,000 of a user's own (entity-limit-policy below
// https://auth0.com/docs; the text is OAS's).
func TestUserPermissionLimit(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	at := atUser(s.post("/users", obj{"connection": ownStore, "email": "a@b.example", "password": "x"})["user_id"]) + "/permissions"
	for i, n := range []int{999, 2} {
		api := fmt.Sprint("https://api/", i)
		var scopes, permissions []any
		for i := range n {
			scopes = append(scopes, obj{"value": fmt.Sprint("s", i)})
			permissions = append(permissions, obj{"resource_server_identifier": api, "permission_name": fmt.Sprint("s", i)})
		}
		s.post("/resource-servers", obj{"identifier": api, "scopes": scopes})
		if i == 0 {
			s.send("POST", at, obj{"permissions": permissions}, 201)
			continue
		}
		s.refused("POST", at, obj{"permissions": permissions}, 400, "", "No more permissions can be assigned to this user.")
		s.send("POST", at, obj{"permissions": permissions[:1]}, 201)
	}
}
