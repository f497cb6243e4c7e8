package auth0sim_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/auth0/go-auth0/management"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// oauth asks for a token and returns status and body.
func (t *tenant) oauth(form url.Values, header ...string) (int, obj) {
	t.Helper()
	w := t.raw("POST", "/oauth/token", "application/x-www-form-urlencoded", form.Encode(), append([]string{"Authorization", ""}, header...)...)
	var body obj
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return w.Code, body
}

func TestClientCredentials(t *testing.T) {
	now := time.Now()
	s := newTenant(t, auth0sim.Options{ClientID: "mgmt", ClientSecret: "s3cret", Now: func() time.Time { return now }})
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"mgmt"}, "client_secret": {"s3cret"}, "audience": {"https://tenant.example/api/v2/"}}
	status, body := s.oauth(form)
	if status != 200 || body["token_type"] != "Bearer" || body["expires_in"] != 86400.0 || !strings.Contains(body["scope"].(string), "create:actions") {
		t.Fatalf("%d %v", status, body)
	}
	var claims obj
	parsed, err := jwt.ParseSigned(body["access_token"].(string), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(s.raw("GET", "/.well-known/jwks.json", "", "").Body.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	if err := parsed.Claims(keys.Key(parsed.Headers[0].KeyID)[0], &claims); err != nil {
		t.Fatalf("the published key does not verify: %v", err)
	}
	if claims["iss"] != "https://tenant.example/" || claims["sub"] != "mgmt@clients" || claims["azp"] != "mgmt" || claims["gty"] != "client-credentials" {
		t.Errorf("claims: %v", claims)
	}
	s.bearer = body["access_token"].(string)
	s.get("/tenants/settings")

	now = now.Add(25 * time.Hour)
	s.refused("GET", "/tenants/settings", nil, 401, "", "Expired token received for JSON Web Token validation")
	s.bearer = s.bearer[:len(s.bearer)-4] + "AAAA"
	s.refused("GET", "/tenants/settings", nil, 401, "", "Invalid signature received for JSON Web Token validation")
	s.bearer = "nonsense"
	s.refused("GET", "/tenants/settings", nil, 400, "Bearer", "Bad HTTP authentication header format")
	s.bearer = ""
	s.refused("GET", "/tenants/settings", nil, 401, "", "Missing authentication")
	for header, want := range map[string]struct {
		status    int
		challenge string
	}{
		"":                      {401, "Bearer"},
		"Basic bWdtdDpzM2NyZXQ": {401, "Bearer"},
		"Bearer":                {400, ""},
		"Bearer a b":            {400, ""},
		"Bearer a.b.c":          {401, `Bearer error="Invalid signature received for JSON Web Token validation"`},
		"bearer   " + token:     {200, ""},
	} {
		w := s.raw("GET", "/tenants/settings", "", "", "Authorization", header)
		if w.Code != want.status || w.Header().Get("WWW-Authenticate") != want.challenge {
			t.Errorf("Authorization: %s: %d, %q", header, w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}

	for _, c := range []struct {
		key, value  string
		status      int
		error, text string
	}{
		{"client_secret", "wrong", 401, "access_denied", "Unauthorized"},
		{"client_id", "nobody", 401, "access_denied", "Unauthorized"},
		{"audience", "https://nowhere/", 403, "access_denied", "Service not enabled within domain: https://nowhere/"},
		{"grant_type", "password", 403, "unsupported_grant_type", "Unsupported grant type: password"},
	} {
		changed := url.Values{}
		for k, v := range form {
			changed[k] = v
		}
		changed.Set(c.key, c.value)
		if status, body := s.oauth(changed); status != c.status || body["error"] != c.error || body["error_description"] != c.text {
			t.Errorf("%s=%s: %d %v", c.key, c.value, status, body)
		}
	}
	// Basic works too, and so does the http form of the audience.
	form.Del("client_secret")
	form.Set("audience", "http://tenant.example/api/v2/")
	for _, scheme := range []string{"Basic", "basic"} {
		if status, body := s.oauth(form, "Authorization", scheme+" bWdtdDpzM2NyZXQ="); status != 200 {
			t.Errorf("%s: %d %v", scheme, status, body)
		}
	}
}

// TestWellKnown: the key has a certificate, which is the same each time, and what the two
// documents say follows the settings.
func TestWellKnown(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	read := func(name string) obj {
		t.Helper()
		w := s.raw("GET", "/.well-known/"+name, "", "")
		var body obj
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %v", name, w.Code, err)
		}
		if w := s.raw("HEAD", "/.well-known/"+name, "", ""); w.Code != 200 {
			t.Errorf("HEAD of %s: %d", name, w.Code)
		}
		return body
	}
	key := func() obj { t.Helper(); return read("jwks.json")["keys"].([]any)[0].(obj) }
	first := key()
	der, err := base64.StdEncoding.DecodeString(first["x5c"].([]any)[0].(string))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	n := base64.RawURLEncoding.EncodeToString(cert.PublicKey.(*rsa.PublicKey).N.Bytes())
	if n != first["n"] || first["x5t"] == nil || first["alg"] != "RS256" || !maps.EqualFunc(first, key(), func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("%v", first)
	}
	if at := read("openid-configuration")["end_session_endpoint"]; at != "http://tenant.example/oidc/logout" {
		t.Errorf("end_session_endpoint: %v", at)
	}
	s.patch("/tenants/settings", obj{"flags": obj{"remove_alg_from_jwks": true}, "oidc_logout": obj{"rp_logout_end_session_endpoint_discovery": false}})
	if alg := key()["alg"]; alg != nil {
		t.Errorf("alg: %v", alg)
	}
	if at := read("openid-configuration")["end_session_endpoint"]; at != nil {
		t.Errorf("end_session_endpoint: %v", at)
	}
}

func TestTokenScopesAndGrants(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	c := s.post("/clients", obj{"name": "m2m", "app_type": "non_interactive", "token_endpoint_auth_method": "client_secret_post"})
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c["client_id"].(string)}, "client_secret": {c["client_secret"].(string)}, "audience": {"https://tenant.example/api/v2/"}}
	if status, body := s.oauth(form); status != 403 || !strings.Contains(body["error_description"].(string), `is not authorized to access resource server "https://tenant.example/api/v2/"`) {
		t.Fatalf("without a grant: %d %v", status, body)
	}
	g := s.post("/client-grants", obj{"client_id": c["client_id"], "audience": "https://tenant.example/api/v2/", "scope": []any{"read:roles", "read:clients"}})
	s.refused("POST", "/client-grants", obj{"client_id": c["client_id"], "audience": "https://tenant.example/api/v2/", "scope": []any{}}, 409, "client_grant_conflict",
		"A client grant already exists between "+c["client_id"].(string)+" and https://tenant.example/api/v2/")
	status, body := s.oauth(form)
	if status != 200 || body["scope"] != "read:roles read:clients" {
		t.Fatalf("%d %v", status, body)
	}
	fixed := s.bearer
	s.bearer = body["access_token"].(string)
	s.send("GET", "/roles", nil, 200)
	s.refused("POST", "/roles", obj{"name": "x"}, 403, "insufficient_scope", "Insufficient scope, expected any of: create:roles")
	one := s.get("/clients/" + c["client_id"].(string))
	if one["client_secret"] != nil || one["grant_types"] == nil {
		t.Errorf("with read:clients alone: %v", one)
	}
	s.refused("GET", "/clients?fields=client_id,client_secret", nil, 403, "insufficient_scope", "You cannot read the following fields: client_secret")
	s.bearer = fixed
	s.post("/resource-servers", obj{"identifier": "https://other"})
	s.post("/client-grants", obj{"client_id": c["client_id"], "audience": "https://other", "scope": []any{}})
	form.Set("audience", "https://other")
	_, body = s.oauth(form)
	s.bearer = body["access_token"].(string)
	s.refused("GET", "/roles", nil, 401, "", "Bad audience: https://other")
	form.Set("audience", "https://tenant.example/api/v2/")
	s.bearer = fixed
	s.send("DELETE", "/client-grants/"+g["id"].(string), nil, 204)
	s.send("DELETE", "/client-grants/"+g["id"].(string), nil, 204)
	if status, _ := s.oauth(form); status != 403 {
		t.Errorf("after the grant went: %d", status)
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	o := auth0sim.Options{StateFile: filepath.Join(t.TempDir(), "state.json")}
	s := newTenant(t, o)
	client, _ := guide(s)
	id := client["client_id"].(string)
	kid := client["client_authentication_methods"].(obj)["private_key_jwt"].(obj)["credentials"].([]any)[0].(obj)["kid"].(string)
	now := time.Now()
	n := 0
	audience := "https://tenant.example/api/v2/"
	ask := func(alg jose.SignatureAlgorithm, kid string, change func(obj)) (int, obj) {
		t.Helper()
		n++
		claims := obj{"iss": id, "sub": id, "aud": "https://tenant.example/", "jti": strings.Repeat("j", n), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
		if change != nil {
			change(claims)
		}
		o := &jose.SignerOptions{}
		if kid != "" {
			o.WithHeader("kid", kid)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: testKey()}, o)
		if err != nil {
			t.Fatal(err)
		}
		assertion, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return s.oauth(url.Values{
			"grant_type": {"client_credentials"}, "audience": {audience},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
		})
	}
	if status, body := ask(jose.RS256, "", nil); status != 200 {
		t.Fatalf("%d %v", status, body)
	}
	if status, body := ask(jose.RS256, kid, nil); status != 200 {
		t.Fatalf("with kid: %d %v", status, body)
	}
	for name, bad := range map[string]func(obj){
		"audience without its slash": func(c obj) { c["aud"] = "https://tenant.example" },
		"another's subject":          func(c obj) { c["sub"] = "other" },
		"another's issuer":           func(c obj) { c["iss"] = "other" },
		"not valid yet":              func(c obj) { c["nbf"] = now.Add(time.Minute).Unix() },
		"expired":                    func(c obj) { c["exp"] = now.Add(-time.Minute).Unix() },
		"no expiry":                  func(c obj) { delete(c, "exp") },
		"too long a life":            func(c obj) { c["exp"] = now.Add(time.Hour).Unix() },
		"from the future":            func(c obj) { c["iat"] = now.Add(time.Minute).Unix() },
		"no jti":                     func(c obj) { delete(c, "jti") },
		"a jti used before":          func(c obj) { c["jti"] = "j" },
		"too long a jti":             func(c obj) { c["jti"] = strings.Repeat("x", 65) },
		"too big":                    func(c obj) { c["more"] = strings.Repeat("x", 2048) },
	} {
		if status, body := ask(jose.RS256, "", bad); status != 401 || body["error"] != "invalid_client" {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	if status, _ := ask(jose.PS256, "", nil); status != 401 {
		t.Errorf("an algorithm that is not the credential's: %d", status)
	}
	if status, _ := ask(jose.RS256, "other", nil); status != 401 {
		t.Errorf("an unknown kid: %d", status)
	}
	if status, _ := s.oauth(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {"x"}, "audience": {"https://tenant.example/api/v2/"}}); status != 401 {
		t.Errorf("a secret in place of the key: %d", status)
	}
	// A jti is used up by a request that is refused for another reason too, and stays so
	// when the tenant is killed.
	again := func(c obj) { c["jti"] = "refused" }
	audience = "https://nowhere/"
	if status, body := ask(jose.RS256, "", again); status != 403 {
		t.Fatalf("%d %v", status, body)
	}
	audience = "https://tenant.example/api/v2/"
	s = newTenant(t, o)
	if status, body := ask(jose.RS256, "", again); status != 401 || body["error_description"] != "The client assertion has been used already" {
		t.Errorf("a jti used before a kill: %d %v", status, body)
	}
}

// TestGoAuth0 lets Auth0's own client take the simulator for Auth0, over plain http.
func TestGoAuth0(t *testing.T) {
	s := auth0sim.Start(t, auth0sim.Options{ClientID: "mgmt", ClientSecret: "s3cret", Exchanges: exchanges})
	ctx := context.Background()
	m, err := management.New(s.Domain(), management.WithInsecure(), management.WithClientCredentials(ctx, "mgmt", "s3cret"), management.WithNoRetries())
	if err != nil {
		t.Fatal(err)
	}
	name := "by the SDK"
	if err := m.Role.Create(ctx, &management.Role{Name: &name}); err != nil {
		t.Fatal(err)
	}
	roles, err := m.Role.List(ctx)
	if err != nil || len(roles.Roles) != 1 {
		t.Fatalf("%v, %v", roles, err)
	}
	clients, err := m.Client.List(ctx, management.IncludeFields("client_id", "name"))
	if err != nil || len(clients.Clients) != 2 { // the global client and this one
		t.Fatalf("%v, %v", clients, err)
	}

	key := testKey()
	id := "pkjwt"
	seed := `{"clients":[{"client_id":"pkjwt","name":"key","app_type":"non_interactive","client_authentication_methods":{"private_key_jwt":{"credentials":[{"credential_type":"public_key","pem":` +
		quote(publicPEM(key)) + `}]}}}],"client_grants":[{"client_id":"key","audience":"https://{{domain}}/api/v2/","scope":["read:roles"]}]}`
	s = auth0sim.Start(t, auth0sim.Options{Seed: []byte(seed), Exchanges: exchanges})
	m, err = management.New(s.Domain(), management.WithInsecure(), management.WithClientCredentialsPrivateKeyJwt(ctx, id, privatePEM(key), "RS256"), management.WithNoRetries())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Role.List(ctx); err != nil {
		t.Fatalf("with a private key: %v", err)
	}
	if err := m.Role.Create(ctx, &management.Role{Name: &name}); err == nil || !strings.Contains(err.Error(), "Insufficient scope") {
		t.Fatalf("beyond the grant: %v", err)
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
