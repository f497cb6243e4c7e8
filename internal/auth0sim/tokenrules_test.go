package auth0sim_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// claimsOf asks for a token of an API that takes any, and returns its header and claims.
func (t *tenant) claimsOf(form url.Values, key any) (jose.Header, obj) {
	t.Helper()
	status, body := t.oauth(form)
	if status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	parsed, err := jwt.ParseSigned(body["access_token"].(string), []jose.SignatureAlgorithm{jose.RS256, jose.RS512, jose.PS256, jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	if key == nil {
		var keys jose.JSONWebKeySet
		if err := json.Unmarshal(t.raw("GET", "/.well-known/jwks.json", "", "").Body.Bytes(), &keys); err != nil {
			t.Fatal(err)
		}
		key = keys.Keys[0].Key
	}
	var claims obj
	if err := parsed.Claims(key, &claims); err != nil {
		t.Fatal(err)
	}
	return parsed.Headers[0], claims
}

// TestTokensOfAPIs: a token follows the settings of the API that it is for.
func TestTokensOfAPIs(t *testing.T) {
	s := newTenant(t, auth0sim.Options{Seed: []byte(`{"clients": [{"client_id": "m2m", "client_secret": "s", "name": "m2m"}, {"client_id": "tpc", "client_secret": "s", "name": "third", "is_first_party": false}]}`)})
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"m2m"}, "client_secret": {"s"}, "audience": {"https://api"}}
	api := s.post("/resource-servers", obj{"identifier": "https://api", "token_lifetime": 60})["id"].(string)
	s.post("/client-grants", obj{"client_id": "m2m", "audience": "https://api", "scope": []any{}})
	if _, claims := s.claimsOf(form, nil); claims["azp"] != "m2m" || claims["exp"].(float64)-claims["iat"].(float64) != 60 || claims["client_id"] != nil || claims["jti"] != nil {
		t.Errorf("%v", claims)
	}
	s.patch("/resource-servers/"+api, obj{"token_dialect": "rfc9068_profile"})
	header, claims := s.claimsOf(form, nil)
	if header.ExtraHeaders["typ"] != "at+jwt" || claims["client_id"] != "m2m" || claims["jti"] == nil || claims["azp"] != nil || claims["gty"] != nil {
		t.Errorf("%v %v", header, claims)
	}
	for _, alg := range []string{"RS512", "PS256"} {
		s.patch("/resource-servers/"+api, obj{"signing_alg": alg})
		if header, _ := s.claimsOf(form, nil); header.Algorithm != alg {
			t.Errorf("signed with %s, not %s", header.Algorithm, alg)
		}
	}
	for _, secret := range []string{"0123456789abcdef" + strings.Repeat("\x00", 16), strings.Repeat("s", 64)} {
		s.patch("/resource-servers/"+api, obj{"signing_alg": "HS256", "signing_secret": strings.TrimRight(secret, "\x00")})
		if header, _ := s.claimsOf(form, []byte(secret)); header.Algorithm != "HS256" || header.KeyID != "" {
			t.Errorf("%v", header)
		}
	}
	s.patch("/resource-servers/"+api, obj{"subject_type_authorization": obj{"client": obj{"policy": "deny_all"}}})
	if status, body := s.oauth(form); status != 403 || body["error"] != "access_denied" {
		t.Errorf("of an API that denies all clients: %d %v", status, body)
	}

	form.Set("client_id", "tpc")
	form.Set("audience", "https://open")
	s.post("/resource-servers", obj{"identifier": "https://open"})
	if status, _ := s.oauth(form); status != 403 {
		t.Errorf("a third party without a grant: %d", status)
	}
	s.post("/client-grants", obj{"default_for": "third_party_clients", "audience": "https://open", "scope": []any{"read"}})
	if _, claims := s.claimsOf(form, nil); claims["scope"] != "read" {
		t.Errorf("%v", claims)
	}
	form.Set("client_id", "m2m")
	if status, _ := s.oauth(form); status != 403 {
		t.Errorf("a first party by the grant of third parties: %d", status)
	}
}

// TestTokensOfOrganizations: the grant says whether a token is for an organization, and
// for which it may be.
func TestTokensOfOrganizations(t *testing.T) {
	s := newTenant(t, auth0sim.Options{Seed: []byte(`{"clients": [{"client_id": "m2m", "client_secret": "s", "name": "m2m"}], "resource_servers": [{"identifier": "https://api"}]}`)})
	mine, other := s.post("/organizations", obj{"name": "mine"})["id"].(string), s.post("/organizations", obj{"name": "other"})["id"].(string)
	grant := s.post("/client-grants", obj{"client_id": "m2m", "audience": "https://api", "scope": []any{}})["id"].(string)
	ask := func(organization string) (int, any) {
		t.Helper()
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"m2m"}, "client_secret": {"s"}, "audience": {"https://api"}}
		if organization != "" {
			form.Set("organization", organization)
		}
		if status, body := s.oauth(form); status != 200 {
			return status, body["error"]
		}
		_, claims := s.claimsOf(form, nil)
		return 200, claims["org_id"]
	}
	want := func(organization string, status int, what any) {
		t.Helper()
		if gotStatus, got := ask(organization); gotStatus != status || got != what {
			t.Errorf("for %q: %d %v, want %d %v", organization, gotStatus, got, status, what)
		}
	}
	want("", 200, nil)
	want(mine, 403, "access_denied") // deny is the default
	s.patch("/client-grants/"+grant, obj{"organization_usage": "allow"})
	want("", 200, nil)
	want(mine, 403, "access_denied") // not associated
	s.post("/organizations/"+mine+"/client-grants", obj{"grant_id": grant})
	want(mine, 200, mine)
	want("mine", 403, "access_denied")
	s.patch("/tenants/settings", obj{"allow_organization_name_in_authentication_api": true})
	want("mine", 200, mine)
	want(other, 403, "access_denied")
	want("org_nowhere", 403, "access_denied")
	s.patch("/client-grants/"+grant, obj{"organization_usage": "require", "allow_any_organization": true})
	want("", 403, "access_denied")
	want(other, 200, other)
	s.patch("/clients/m2m", obj{"default_organization": obj{"organization_id": other, "flows": []any{"client_credentials"}}})
	want("", 200, other)
}
