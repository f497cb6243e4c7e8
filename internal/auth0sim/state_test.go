package auth0sim_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

func TestState(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	client, action := guide(s)
	s.post("/organizations", obj{"name": "acme"})
	s.post("/users", obj{"connection": "Username-Password-Authentication", "email": "a@b.example", "password": "x"})
	first := s.Snapshot()
	again := newTenant(t, auth0sim.Options{Seed: first})
	if second := again.Snapshot(); !bytes.Equal(first, second) {
		t.Fatalf("a snapshot read back differs:\n%s\n%s", first, second)
	}
	if got := again.get("/actions/actions/" + action); got["status"] != "built" || got["deployed_version"] == nil {
		t.Errorf("%v", got)
	}
	got := again.get("/clients/" + client["client_id"].(string))
	if got["client_secret"] != nil {
		t.Errorf("%v", got)
	}
	block, _ := pem.Decode([]byte(got["signing_keys"].([]any)[0].(obj)["cert"].(string)))
	if cert, err := x509.ParseCertificate(block.Bytes); err != nil || time.Now().Before(cert.NotBefore) {
		t.Errorf("signing_keys: %v %v", cert, err)
	}
	moved := newTenant(t, auth0sim.Options{Seed: first, Domain: "other.example"})
	if got := moved.Snapshot(); bytes.Contains(got, []byte("https://tenant.example/")) || !bytes.Contains(got, []byte("https://other.example/api/v2/")) {
		t.Error("the domain did not move with the state")
	}
	same := newTenant(t, auth0sim.Options{})
	guide(same)
	same.post("/organizations", obj{"name": "acme"})
	same.post("/users", obj{"connection": "Username-Password-Authentication", "email": "a@b.example", "password": "x"})
	if !bytes.Equal(s.Essence(), same.Essence()) {
		t.Error("the same requests made another essence")
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if got := s.get("/roles?include_totals=true")["total"]; got != 0.0 {
		t.Errorf("%v roles after a reset", got)
	}
}

// TestDanglingIDs holds that what went away leaves nothing that breaks a read or a
// snapshot.
func TestDanglingIDs(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	org := s.post("/organizations", obj{"name": "acme"})["id"].(string)
	role := s.post("/roles", obj{"name": "own", "type": "organization", "owner_id": org})["id"].(string)
	user := s.post("/users", obj{"connection": "Username-Password-Authentication", "email": "a@b.example", "password": "x"})["user_id"].(string)
	at := "/users/auth0%7C" + strings.TrimPrefix(user, "auth0|")
	s.send("POST", at+"/roles", obj{"roles": []any{role}}, 204)
	client := s.post("/clients", obj{"name": "c"})["client_id"]
	s.post("/connections", obj{"name": "con", "strategy": "auth0", "enabled_clients": []any{client, "gone"}})
	s.send("DELETE", "/organizations/"+org, nil, 204)
	s.send("GET", at+"/permissions", nil, 200)
	s.send("GET", at+"/roles", nil, 200)
	first := s.Snapshot()
	if second := newTenant(t, auth0sim.Options{Seed: first}).Snapshot(); !bytes.Equal(first, second) {
		t.Errorf("read back it differs: %s", second)
	}
}

func TestStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	o := auth0sim.Options{StateFile: file, ClientID: "mgmt", ClientSecret: "s"}
	s := newTenant(t, o)
	guide(s)
	status, body := s.oauth(map[string][]string{"grant_type": {"client_credentials"}, "client_id": {"mgmt"}, "client_secret": {"s"}, "audience": {"https://tenant.example/api/v2/"}})
	if status != 200 {
		t.Fatal(status, body)
	}
	s.post("/actions/actions", obj{"name": "says", "code": "// {{domain}}", "supported_triggers": []any{obj{"id": "post-login", "version": "v3"}}})
	want := s.Snapshot()
	// No Close: the tenant is killed.
	again := newTenant(t, o)
	if !bytes.Equal(want, again.Snapshot()) {
		t.Error("the state did not survive")
	}
	again.bearer = body["access_token"].(string)
	a, b := s.post("/roles", obj{"name": "one more"})["id"], again.post("/roles", obj{"name": "one more"})["id"]
	if a != b {
		t.Errorf("after a restart an id is drawn anew: %v, %v", a, b)
	}
	// A listing that was begun before the kill goes on after it.
	first := s.post("/organizations", obj{"name": "gone"})["id"].(string)
	for _, name := range []string{"one", "two", "three"} {
		s.post("/organizations", obj{"name": name})
	}
	s.send("DELETE", "/organizations/"+first, nil, 204)
	page := s.get("/organizations?take=1")
	again = newTenant(t, o)
	if rest := again.get("/organizations?take=2&from=" + page["next"].(string))["organizations"].([]any); len(rest) != 2 || rest[0].(obj)["name"] != "two" {
		t.Errorf("after a kill %v follows", rest)
	}
	if err := os.WriteFile(file, []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auth0sim.New(o); err == nil {
		t.Error("a torn state was taken")
	}
	o.StateFile = filepath.Join(t.TempDir(), "nowhere", "state.json")
	if _, err := auth0sim.New(o); err == nil {
		t.Error("a state that can't be kept was begun")
	}
}

// TestResetAmongWrites: what was begun before a reset does not come back after it.
func TestResetAmongWrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	left := filepath.Join(filepath.Dir(file), ".state.json123")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := auth0sim.Options{StateFile: file}
	s := newTenant(t, o)
	if _, err := os.Stat(left); err == nil {
		t.Error("what a kill left beside the state is still there")
	}
	for n := range 40 {
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() { s.raw("POST", "/roles", "application/json", fmt.Sprintf(`{"name":"%d %d"}`, n, i)) })
		}
		wg.Go(func() {
			if err := s.Reset(); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if want, got := s.Snapshot(), newTenant(t, o).Snapshot(); !bytes.Equal(want, got) {
			t.Fatalf("kept was\n%s\nnot\n%s", got, want)
		}
	}
}

func TestSeed(t *testing.T) {
	s := newTenant(t, auth0sim.Options{Seed: []byte(`{
		"tenant": {"friendly_name": "Seeded", "flags": {"use_scope_descriptions_for_consent": true}},
		"resource_servers": [{"identifier": "https://api", "scopes": [{"value": "read"}]}],
		"roles": [{"name": "admin", "permissions": [{"resource_server_identifier": "https://api", "permission_name": "read"}], "users": ["a@b.example"]}],
		"clients": [{"name": "app"}, {"name": "m2m", "client_id": "fixed", "client_secret": "s"}],
		"client_grants": [{"client_id": "app", "audience": "https://{{domain}}/api/v2/", "scope": ["read:roles"]}],
		"actions": [{"name": "old", "code": "x", "secrets": [{"name": "S", "value": "v"}], "deployed": true}],
		"bindings": {"post-login": ["old"]},
		"connections": [{"name": "okta", "strategy": "okta", "options": {"domain": "x.okta.com"}, "clients": ["app"]}],
		"users": [{"email": "a@b.example"}],
		"organizations": [{"name": "acme", "connections": ["okta"], "members": ["a@b.example"], "member_roles": {"a@b.example": ["admin"]}}]}`)})
	bound := s.get("/actions/triggers/post-login/bindings")["bindings"].([]any)
	if len(bound) != 1 || bound[0].(obj)["display_name"] != "old" {
		t.Errorf("%v", bound)
	}
	settings := s.get("/tenants/settings")
	if settings["friendly_name"] != "Seeded" || settings["flags"].(obj)["enable_sso"] != true {
		t.Errorf("%v", settings)
	}
	if got := s.get("/clients/fixed"); got["client_secret"] != "s" || got["grant_types"] == nil {
		t.Errorf("%v", got)
	}
	// What is seeded is what a create would have made of it, with the same ids each time.
	ids := map[string]bool{}
	for range 20 {
		s = newTenant(t, auth0sim.Options{Seed: []byte(`{
			"clients": [{"name": "OIN", "client_id": "oin", "app_type": "express_configuration"}],
			"connections": [{"name": "staff", "strategy": "auth0"}],
			"users": [{"email": "a@b.example", "connection": "staff"}],
			"organizations": [{"name": "acme"}],
			"user_attribute_profiles": [{"name": "p"}], "connection_profiles": [{"name": "p"}]}`)})
		ids[fmt.Sprint(s.get("/user-attribute-profiles"), s.get("/connection-profiles"))] = true
	}
	if got := s.get("/connection-profiles")["connection_profiles"].([]any)[0].(obj); len(ids) != 1 || !slices.Equal(slices.Sorted(maps.Keys(got)), []string{"connection_config", "id", "name", "strategy_overrides"}) {
		t.Errorf("%d different profiles, one of them %v", len(ids), got)
	}
	if got := s.get("/clients/oin"); got["client_authentication_methods"] == nil || got["client_secret"] != nil {
		t.Errorf("%v", got)
	}
	if got := s.send("GET", "/client-grants?client_id=oin", nil, 200).([]any); len(got) != 1 || got[0].(obj)["is_system"] != true {
		t.Errorf("%v", got)
	}
	user := s.send("GET", "/users", nil, 200).([]any)[0].(obj)
	if user["connection"] != nil || user["identities"].([]any)[0].(obj)["connection"] != "staff" {
		t.Errorf("%v", user)
	}
	if got := s.get("/organizations/name/acme")["display_name"]; got != "acme" {
		t.Errorf("%v", got)
	}
	for seed, want := range map[string]string{
		`{"users": [{"email": "a@b.example", "connection": "nowhere"}]}`: `users[0]: there is no connection "nowhere"`,
		`{"connection_profiles": [{}]}`:                                  "connection_profiles[0]: it has no name",
		`{"role": []}`:                                                   `"role" is no part of a state`,
		`{"roles": [{}]}`:                                                "roles[0]: it has no name",
		`{"roles": [1]}`:                                                 "roles[0]: it must be an object",
		`{"bindings": {"post-login": ["x"]}}`:                            `bindings.post-login[0]: there is no action "x"`,
		`{"actions": [{"name":"x"}], "bindings": {"post-login": ["x"]}}`: "is not deployed",
		`[]`: "cannot unmarshal",
	} {
		if _, err := auth0sim.New(auth0sim.Options{Seed: []byte(seed)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("seed %s: %v", seed, err)
		}
	}
}

// TestSnapshotAsSeed: what is made on a tenant that goes on from a snapshot has ids of
// its own, the same each time.
func TestSnapshotAsSeed(t *testing.T) {
	create := func(s *tenant, name string) string {
		id, _ := s.post("/roles", obj{"name": name})["id"].(string)
		return id
	}
	s := newTenant(t, auth0sim.Options{})
	first := create(s, "one")
	ids := map[string]bool{}
	for range 2 {
		again := newTenant(t, auth0sim.Options{Seed: s.Snapshot()})
		ids[create(again, "two")] = true
	}
	if len(ids) != 1 || ids[first] {
		t.Errorf("the second role is %v, and the first one was %s", ids, first)
	}
}
