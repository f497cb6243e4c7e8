package fleet_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestDiagnose does what goes wrong when a customer's admin presses the button, on the
// simulator, and holds diagnose to what its logs then say. Logins, which the simulator
// does not play, are put into its log.
func TestDiagnose(t *testing.T) {
	seed, err := examples.Express.ReadFile("express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC).Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	b := &bench{t: t, sim: auth0sim.Start(t, auth0sim.Options{Token: benchToken, Seed: seed, Now: now}), dir: t.TempDir()}
	for _, f := range []string{"express.yaml", "tenants.yaml"} {
		data, err := examples.Express.ReadFile("express/" + f)
		if err != nil {
			t.Fatal(err)
		}
		b.write(f, strings.ReplaceAll(string(data), "127.0.0.1:4010", b.sim.Domain()))
	}
	key := newOktaKey(t, "okta")
	b.write("okta-public-key.pem", key.pem(t))
	if _, clients, err := b.target().Diagnose(t.Context(), time.Now()); err != nil || clients != 0 {
		t.Fatalf("before anything is applied: %d clients, %v", clients, err)
	}
	b.apply()
	var since time.Time
	diagnose := func() []string {
		t.Helper()
		ins, clients, err := b.target().Diagnose(t.Context(), since)
		if err != nil || clients != 1 {
			t.Fatalf("%d clients, %v", clients, err)
		}
		var got []string
		for _, in := range ins {
			mark := "✓"
			if in.Failed {
				mark = "✗"
			}
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %d %s | %s %s", mark, in.Times, in.Says, in.Description, in.User)))
		}
		return got
	}
	if got := diagnose(); len(got) != 0 {
		t.Errorf("before Okta came: %v", got)
	}
	var id, grant string
	for _, c := range send(t, b, benchToken, "GET", "clients?include_totals=true", "", 200)["clients"].([]any) {
		if meta, _ := c.(object)["client_metadata"].(object); meta["express_configure_sp_client_id"] != nil {
			id = c.(object)["client_id"].(string)
		}
	}
	for _, g := range send(t, b, benchToken, "GET", "client-grants?include_totals=true&client_id="+id, "", 200)["client_grants"].([]any) {
		grant = g.(object)["id"].(string)
	}
	okta := oktaClient{t: t, b: b, now: now, id: id, key: key, n: new(atomic.Int64)}
	const signedIn = "✓ 1 Okta signed in for the Management API | Client Credentials for Access Token"
	for _, c := range []struct {
		name string
		do   func()
		want []string
	}{
		{"all is well", func() {
			send(t, b, okta.token(nil), "POST", "connections", `{"name":"okta-acme","strategy":"okta","options":{"domain":"acme.okta.com"}}`, 201)
		}, []string{"✓ 1 Okta changed something through the Management API | Create a connection", signedIn}},
		{"another key", func() {
			other := okta
			other.key = newOktaKey(t, "other")
			other.token(nil)
		}, []string{"✗ 1 Okta could not sign in for the Management API: its key was not taken | Failed client authentication: The client assertion's signature is invalid"}},
		{
			"a proof that lives too long", func() { okta.token(map[string]any{"exp": now().Add(time.Hour).Unix()}) },
			[]string{"✗ 1 Okta could not sign in for the Management API: its proof was late, used before or for another tenant | Failed client authentication: 'exp' claim must specify a time that is no more than 5 minutes after 'iat'"},
		},
		{"a proof that was used", func() {
			okta.token(map[string]any{"jti": "once"})
			okta.token(map[string]any{"jti": "once"})
			okta.token(map[string]any{"jti": "once"})
		}, []string{"✗ 2 Okta could not sign in for the Management API: its proof was late, used before or for another tenant | Failed client authentication: The client assertion has been used already", signedIn}},
		{
			"another tenant's domain", func() { okta.ask(nil, "https://login.acme.example/api/v2/", "") },
			[]string{"✗ 1 Okta asked for a Management API that is not there: TENANT_DOMAIN of the Action is wrong | Service not enabled within domain: https://login.acme.example/api/v2/"},
		},
		{
			"a scope that is not granted", func() { okta.ask(nil, okta.audience(), "read:connections delete:connections") },
			[]string{"✗ 1 Okta asked for a scope that the OIN client's grant does not have | Client has not been granted scopes: delete:connections"},
		},
		{"a grant that lost a scope", func() {
			send(t, b, benchToken, "PATCH", "client-grants/"+grant, `{"scope":["read:connections","update:connections","read:connections_options","update:connections_options","read:organization_connections","create:organization_connections","update:organization_connections"]}`, 200)
			send(t, b, okta.token(nil), "POST", "connections", `{"name":"okta-globex","strategy":"okta","options":{"domain":"globex.okta.com"}}`, 403)
		}, []string{"✗ 1 Okta signed in for the Management API with a token that lacks create:connections; calls that need it are refused, and Auth0 logs no refused call | Client Credentials for Access Token"}},
		{"no grant", func() {
			send(t, b, benchToken, "DELETE", "client-grants/"+grant, "", 204)
			okta.token(nil)
		}, []string{"✗ 1 The OIN client has no grant on the Management API | Client \"ID\" is not authorized to access resource server \"API\". You need to create a \"client-grant\" associated to this API."}},
		{"no client_credentials", func() {
			send(t, b, benchToken, "PATCH", "clients/"+okta.id, `{"grant_types":["authorization_code"]}`, 200)
			okta.token(nil)
		}, []string{"✗ 1 The OIN client may not use client_credentials | Grant type 'client_credentials' not allowed for the client."}},
		{"logins", func() {
			for _, e := range [][3]string{
				{"f", "Unable to issue token for Express Configure API - missing data.", "ada@globex.example"},
				{"f", "Unable to issue token for Express Configure API - missing data.", "ada@globex.example"},
				{"fp", "Wrong email or password.", "bob@globex.example"},
				{"s", "", "ada@globex.example"},
				{"gd_something_else", "", "ada@globex.example"},
			} {
				if err := b.sim.AddLog(map[string]any{"type": e[0], "description": e[1], "user_name": e[2], "client_id": okta.id}); err != nil {
					t.Fatal(err)
				}
			}
		}, []string{
			"✗ 1 The password was wrong | Wrong email or password. bob@globex.example",
			"✗ 2 The guide's Action refused: the OIN client does not name its application, or the admin logged in without an organization | Unable to issue token for Express Configure API - missing data. ada@globex.example",
			"✓ 1 An admin logged in |  ada@globex.example",
		}},
	} {
		clock.Add(3600) // what was logged before is not asked for
		since = now()
		c.do()
		got := strings.Join(diagnose(), "\n")
		got = strings.NewReplacer(okta.id, "ID", okta.audience(), "API").Replace(got)
		if got != strings.Join(c.want, "\n") {
			t.Errorf("%s: diagnose says\n%s", c.name, got)
		}
	}
}

// oktaClient is Okta as the OIN client.
type oktaClient struct {
	t   *testing.T
	b   *bench
	now func() time.Time
	id  string
	key oktaKey
	n   *atomic.Int64
}

func (o oktaClient) audience() string { return "https://" + o.b.sim.Domain() + "/api/v2/" }

// token asks for a token of the Management API with a proof that claims change; "" if
// it is refused.
func (o oktaClient) token(claims map[string]any) string {
	return o.ask(claims, o.audience(), "")
}

func (o oktaClient) ask(claims map[string]any, audience, scope string) string {
	o.t.Helper()
	all := map[string]any{"iss": o.id, "sub": o.id, "aud": "https://" + o.b.sim.Domain() + "/", "jti": fmt.Sprint(o.n.Add(1)), "iat": o.now().Unix(), "exp": o.now().Unix() + 60}
	maps.Copy(all, claims)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: o.key.private}, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	proof, err := jwt.Signed(signer).Claims(all).Serialize()
	if err != nil {
		o.t.Fatal(err)
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "audience": {audience}, "scope": {scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {proof},
	}
	answer, err := http.PostForm(o.b.sim.URL()+"/oauth/token", form)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		o.t.Fatal(err)
	}
	return body.Token
}

// send calls the Management API and wants a status.
func send(t *testing.T, b *bench, token, method, path, body string, status int) (answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.sim.URL()+"/api/v2/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close() //nolint:errcheck // it was read
	if got.StatusCode != status {
		t.Fatalf("%s %s: status %d, want %d", method, path, got.StatusCode, status)
	}
	if status != http.StatusNoContent {
		if err := json.NewDecoder(got.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
	}
	return answer
}
