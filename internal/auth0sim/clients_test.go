package auth0sim_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestClientReading: which scopes open which fields of a client, and its connections
// (OAS GET /clients/{id}, GET /clients/{id}/connections).
func TestClientReading(t *testing.T) {
	seed := []byte(`{"clients": [{"name": "c", "client_id": "c"}]}`)
	with := func(scopes ...string) *tenant {
		return newTenant(t, auth0sim.Options{Seed: seed, TokenScopes: scopes})
	}
	s := with("read:client_summary")
	if got := s.get("/clients/c"); got["name"] != "c" || got["grant_types"] != nil || got["client_secret"] != nil {
		t.Errorf("%v", got)
	}
	s.get("/clients/c?fields=name,app_type")
	s.get("/clients/c?fields=callbacks&include_fields=false")
	const closed = "You cannot read the following fields: "
	s.refused("GET", "/clients/c?fields=name,callbacks,client_secret", nil, 403, "insufficient_scope", closed+"callbacks, client_secret")
	s.refused("GET", "/clients?fields=grant_types", nil, 403, "insufficient_scope", closed+"grant_types")
	s.refused("GET", "/clients/c/connections", nil, 403, "insufficient_scope", "Insufficient scope, expected any of: read:connections")

	s = with("read:client_credentials")
	s.get("/clients/c?fields=client_secret")
	s.refused("GET", "/clients/c?fields=callbacks", nil, 403, "insufficient_scope", closed+"callbacks")
	s = with("read:clients")
	s.get("/clients/c?fields=callbacks")
	s.refused("GET", "/clients/c?fields=callbacks,client_secret", nil, 403, "insufficient_scope", closed+"client_secret")

	with("read:connections", "read:client_summary").get("/clients/c/connections")
	both := newTenant(t, auth0sim.Options{Seed: []byte(`{"clients": [{"name": "c", "client_id": "c"}], "connections": [
		{"name": "a", "strategy": "okta", "options": {"domain": "a.okta.com"}, "clients": ["c"]}, {"name": "b", "strategy": "auth0", "clients": ["c"]}
	]}`)})
	for query, n := range map[string]int{"": 2, "?strategy=okta": 1, "?strategy%5B%5D=okta": 1, "?strategy=okta&strategy=auth0": 2} {
		if got := both.get("/clients/c/connections" + query)["connections"].([]any); len(got) != n {
			t.Errorf("%s: %d connections", query, len(got))
		}
	}
	with("read:connections").refused("GET", "/clients/c/connections", nil, 403, "insufficient_scope", "Insufficient scope, expected any of: read:clients,read:client_summary")
}

// TestGrantRules: whom a grant is for, and what it can't hold (OAS POST /client-grants;
// reports name the system APIs' text).
func TestGrantRules(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	const api, management = "https://api.example", "https://tenant.example/api/v2/"
	s.post("/resource-servers", obj{"identifier": api})
	client := s.post("/clients", obj{"name": "c"})["client_id"]
	outsider := s.post("/clients", obj{"name": "t", "is_first_party": false, "third_party_security_mode": "strict"})["client_id"]
	const one = "Exactly one of `client_id` and `default_for` must be provided."
	const scopes = "`scope` cannot be provided when `allow_all_scopes` is true"
	const system = "`allow_all_scopes` cannot be provided when `audience` is a system API"
	const thirdParty = "Client grants for this API cannot be created for third-party clients."
	const anyOrganization = "`allow_any_organization` cannot be provided for third-party clients"
	for _, c := range []struct {
		body    obj
		message string
	}{
		{obj{"audience": api, "scope": []any{}}, one},
		{obj{"audience": api, "client_id": client, "default_for": "third_party_clients"}, one},
		{obj{"audience": api, "client_id": client, "allow_all_scopes": true, "scope": []any{"a"}}, scopes},
		{obj{"audience": management, "client_id": client, "allow_all_scopes": true}, system},
		{obj{"audience": management, "client_id": client, "allow_all_scopes": false, "scope": []any{"read:clients"}}, system},
		{obj{"audience": management, "client_id": outsider, "scope": []any{}}, thirdParty},
		{obj{"audience": management, "default_for": "third_party_clients", "scope": []any{}}, thirdParty},
		{obj{"audience": api, "client_id": outsider, "scope": []any{}, "allow_any_organization": true}, anyOrganization},
	} {
		s.refused("POST", "/client-grants", c.body, 400, "invalid_body", c.message)
	}
	s.post("/client-grants", obj{"audience": api, "client_id": outsider, "scope": []any{}, "allow_any_organization": false})
	s.post("/client-grants", obj{"audience": api, "default_for": "third_party_clients"})
	all := "/client-grants/" + s.post("/client-grants", obj{"audience": api, "client_id": client, "allow_all_scopes": true, "scope": []any{}})["id"].(string)
	s.refused("PATCH", all, obj{"allow_all_scopes": true, "scope": []any{"a"}}, 400, "invalid_body", scopes)
	own := "/client-grants/" + s.post("/client-grants", obj{"audience": management, "client_id": client})["id"].(string)
	s.refused("PATCH", own, obj{"allow_all_scopes": true}, 400, "invalid_body", system)
	s.patch(own, obj{"scope": []any{"read:clients"}, "allow_all_scopes": nil})
}

// TestGrantTypes: which grant types a client can have (deploy-cli #45 and #205,
// auth0.net #188, Terraform provider #123; docs-v2 application-grant-types.mdx).
func TestGrantTypes(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	const password, legacy = "http://auth0.com/oauth/grant-type/password-realm", "http://auth0.com/oauth/legacy/grant-type/"
	for _, c := range []struct {
		client  obj
		grants  []any
		invalid string
	}{
		{obj{}, []any{"passwordless", "implicit", "passwordless_otp"}, "passwordless, passwordless_otp"},
		{obj{}, []any{"authorization_code", "client_credentials", "password", password, "urn:ietf:params:oauth:grant-type:device_code", "http://auth0.com/oauth/grant-type/passwordless/otp"}, ""},
		{obj{"token_endpoint_auth_method": "none"}, []any{"refresh_token", "client_credentials"}, "client_credentials"},
		{obj{"token_endpoint_auth_method": "client_secret_post"}, []any{"client_credentials"}, ""},
		{obj{"is_first_party": false}, []any{"implicit", "password", password}, "password, " + password},
		{obj{"is_first_party": false, "third_party_security_mode": "strict"}, []any{"authorization_code", "refresh_token", "client_credentials"}, ""},
		{obj{"is_first_party": false, "third_party_security_mode": "strict"}, []any{"implicit", "urn:ietf:params:oauth:grant-type:device_code"}, "implicit, urn:ietf:params:oauth:grant-type:device_code"},
		{obj{}, []any{legacy + "ro", legacy + "delegation/id_token", legacy + "access_token"}, legacy + "ro, " + legacy + "delegation/id_token, " + legacy + "access_token"},
	} {
		c.client["name"] = "c"
		at := "/clients/" + s.post("/clients", c.client)["client_id"].(string)
		c.client["grant_types"] = c.grants
		if c.invalid == "" {
			s.post("/clients", c.client)
			s.patch(at, obj{"grant_types": c.grants})
			continue
		}
		s.refused("POST", "/clients", c.client, 400, "invalid_body", "Invalid grant types: "+c.invalid)
		s.refused("PATCH", at, obj{"grant_types": c.grants}, 400, "invalid_body", "Invalid grant types: "+c.invalid)
	}
	at := "/clients/" + s.post("/clients", obj{"name": "c"})["client_id"].(string)
	s.patch(at, obj{"token_endpoint_auth_method": "none"}) // what it has is not looked at
	s.patch("/tenants/settings", obj{"flags": obj{"allow_legacy_ro_grant_types": true}})
	s.refused("PATCH", at, obj{"grant_types": []any{legacy + "ro/jwt-bearer", legacy + "delegation/id_token"}}, 400, "invalid_body", "Invalid grant types: "+legacy+"delegation/id_token")
	s.patch(at, obj{"grant_types": []any{legacy + "ro/jwt-bearer"}})
}

// TestThirdPartyClients: what is settled when they are made, and what strict ones can't
// be (docs-v2 third-party-applications: security-controls.mdx, permissive-mode.mdx).
func TestThirdPartyClients(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	strict := obj{"name": "s", "is_first_party": false, "third_party_security_mode": "strict"}
	at := "/clients/" + s.post("/clients", strict)["client_id"].(string)
	const mode, owner = "third_party_security_mode cannot be changed after the client was created.", "A third-party client cannot become a first-party one, with third_party_security_mode strict."
	s.refused("PATCH", at, obj{"third_party_security_mode": "permissive"}, 400, "invalid_body", mode)
	s.refused("PATCH", at, obj{"is_first_party": true}, 400, "invalid_body", owner)
	s.patch(at, obj{"third_party_security_mode": "strict", "is_first_party": false})
	for property, value := range map[string]any{
		"app_type": "box", "jwt_configuration": obj{"alg": "HS256"},
		"refresh_token": obj{"rotation_type": "rotating", "expiration_type": "non-expiring"},
	} {
		message := property + " cannot have this value with third_party_security_mode strict."
		s.refused("PATCH", at, obj{property: value}, 400, "invalid_body", message)
		bad := obj{property: value}
		for k, v := range strict {
			bad[k] = v
		}
		s.refused("POST", "/clients", bad, 400, "invalid_body", message)
	}
	s.patch(at, obj{"app_type": "spa", "refresh_token": obj{"rotation_type": "rotating", "expiration_type": "expiring", "infinite_idle_token_lifetime": false}})

	first := "/clients/" + s.post("/clients", obj{"name": "f"})["client_id"].(string)
	if got := s.patch(first, obj{"is_first_party": false}); got["third_party_security_mode"] != "permissive" {
		t.Errorf("a third party's client without a mode: %v", got)
	}
	s.refused("PATCH", first, obj{"third_party_security_mode": "strict"}, 400, "invalid_body", mode)
	second := "/clients/" + s.post("/clients", obj{"name": "f"})["client_id"].(string)
	s.refused("PATCH", second, obj{"is_first_party": false, "third_party_security_mode": "strict"}, 400, "invalid_body", mode)
	s.patch(second, obj{"is_first_party": false, "third_party_security_mode": "permissive"})
}

// TestClientReferences: what a client names must be free, or be there (OAS POST and PATCH
// /clients).
func TestClientReferences(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	landing := s.post("/clients", obj{"name": "a", "client_aliases": []any{"urn:a", "urn:b"}})["client_id"]
	const taken = "Another client exists with the same alias."
	s.refused("POST", "/clients", obj{"name": "b", "client_aliases": []any{"urn:c", "urn:b"}}, 409, "", taken)
	at := "/clients/" + s.post("/clients", obj{"name": "b", "client_aliases": []any{"urn:c"}})["client_id"].(string)

	invites := func(client any) obj {
		return obj{"name": "m", "my_organization_configuration": obj{
			"allowed_strategies": []any{"okta"}, "connection_deletion_behavior": "allow", "invitation_landing_client_id": client,
		}}
	}
	const missing = "The Client ID for Invitations could not be found."
	s.refused("POST", "/clients", invites("nobody"), 404, "inexistent_client", missing)
	s.refused("PATCH", at, invites("nobody"), 404, "inexistent_client", missing)
	s.post("/clients", invites(landing))
	s.patch(at, invites(landing))
	s.send("DELETE", "/clients/"+landing.(string), nil, 204)
	s.patch(at, obj{"description": "its invitations lead nowhere now"})
}

// TestClientMetadata holds names and values to what Auth0's document says of them.
func TestClientMetadata(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	at := "/clients/" + s.post("/clients", obj{"name": "c", "client_metadata": obj{`aZ9:,-+=_*?"/\()<>@	 `: "fits"}})["client_id"].(string)
	for _, name := range []string{"a.b", "ä", "a\nb", "$a"} {
		s.refused("PATCH", at, obj{"client_metadata": obj{name: "x"}}, 400, "invalid_body", "Payload validation error: client_metadata property names…")
	}
	s.refused("PATCH", at, obj{"client_metadata": obj{"a": 1}}, 400, "invalid_body", "Payload validation error: client_metadata property values…")
	s.patch(at, obj{"client_metadata": obj{"a.b": nil, "a": "x"}})
}

// certificatePEM is a certificate of the tests' key.
func certificatePEM(t *testing.T, until time.Time) string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "c"}, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &testKey().PublicKey, testKey())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestCredentialSources: what of a credential can't come from two places, or from none
// (docs-v2 configure-private-key-jwt.mdx, OAS POST /clients/{client_id}/credentials).
func TestCredentialSources(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	at := "/clients/" + s.post("/clients", obj{"name": "c"})["client_id"].(string) + "/credentials"
	until := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	certificate := certificatePEM(t, until)
	key := func(more obj) obj {
		body := obj{"credential_type": "public_key", "pem": certificate}
		for k, v := range more {
			body[k] = v
		}
		return body
	}
	const explicit = "2039-01-01T00:00:00.000Z"
	s.refused("POST", at, key(obj{"pem": publicPEM(testKey()), "parse_expiry_from_cert": true}), 400, "invalid_body", "parse_expiry_from_cert requires pem to be an X.509 certificate.")
	s.refused("POST", at, key(obj{"parse_expiry_from_cert": true, "expires_at": explicit}), 400, "invalid_body", "parse_expiry_from_cert and expires_at cannot be set at the same time.")
	s.refused("POST", at, obj{"credential_type": "cert_subject_dn", "pem": certificate, "subject_dn": "CN=c"}, 400, "invalid_body", "pem and subject_dn cannot be set at the same time.")
	if got := s.post(at, key(obj{"parse_expiry_from_cert": true})); got["expires_at"] != "2040-01-02T03:04:05.000Z" {
		t.Errorf("expiry of the certificate: %v", got)
	}
	s = newTenant(t, auth0sim.Options{})
	at = "/clients/" + s.post("/clients", obj{"name": "c"})["client_id"].(string) + "/credentials"
	if got := s.post(at, key(obj{"parse_expiry_from_cert": false, "expires_at": explicit})); got["expires_at"] != explicit {
		t.Errorf("explicit expiry: %v", got)
	}
}

// TestClientPatches: what a PATCH keeps, and what it can't do.
func TestClientPatches(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	at := "/clients/" + s.post("/clients", obj{"name": "c", "oidc_logout": obj{
		"backchannel_logout_urls": []any{"https://a.example"}, "backchannel_logout_initiators": obj{"mode": "all"},
	}})["client_id"].(string)

	// Both names of the logout settings show what either of them sets.
	got := s.patch(at, obj{"oidc_backchannel_logout": obj{"backchannel_logout_urls": []any{"https://b.example"}}})
	for _, name := range []string{"oidc_logout", "oidc_backchannel_logout"} {
		if urls := got[name].(obj)["backchannel_logout_urls"].([]any); urls[0] != "https://b.example" {
			t.Errorf("%s: %v", name, got[name])
		}
	}
	if got["oidc_logout"].(obj)["backchannel_logout_initiators"] == nil {
		t.Errorf("the initiators are gone: %v", got["oidc_logout"])
	}

	got = s.patch(at, obj{"refresh_token": obj{"rotation_type": "rotating", "expiration_type": "expiring", "policies": nil, "leeway": 5}})
	if refresh := got["refresh_token"].(obj); len(refresh) != 7 || refresh["leeway"] != 5.0 || refresh["token_lifetime"] != 2592000.0 {
		t.Errorf("%v", refresh)
	}
	s.patch(at, obj{"fedcm_login": obj{"google": obj{"is_enabled": true}}})
	if got := s.patch(at, obj{"fedcm_login": obj{"google": nil}}); got["fedcm_login"] != nil {
		t.Errorf("%v", got["fedcm_login"])
	}
	if got := s.patch(at, obj{"cross_origin_auth": true}); got["cross_origin_auth"] != true || got["cross_origin_authentication"] != false {
		t.Errorf("the deprecated name: %v", got)
	}

	two := obj{"backchannel_logout_urls": []any{"https://a.example", "https://b.example"}}
	s.refused("PATCH", at, obj{"oidc_logout": two}, 400, "invalid_body", "Payload validation error: 'Array is too long (2), maximum 1' on property oidc_logout.backchannel_logout_urls…")
	twice := []any{obj{"id": "cred_a"}, obj{"id": "cred_a"}}
	s.refused("PATCH", at, obj{"client_authentication_methods": obj{"private_key_jwt": obj{"credentials": twice}}}, 400, "invalid_body", "Payload validation error: 'Array items are not unique (indexes 0 and 1)' on property client_authentication_methods.private_key_jwt.credentials…")
	s.refused("PATCH", at, obj{"client_authentication_methods": nil, "token_endpoint_auth_method": nil}, 400, "invalid_body", "One of token_endpoint_auth_method and client_authentication_methods must be set.")
	oin := "/clients/" + s.post("/clients", obj{"name": "oin", "app_type": "express_configuration"})["client_id"].(string)
	for _, property := range []string{"token_endpoint_auth_method", "signed_request_object"} {
		s.refused("PATCH", oin, obj{property: nil}, 400, "invalid_body", property+" cannot be set for a client of type express_configuration.")
	}
}
