package tenant_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/tenant"
)

func open(t testing.TB, s *auth0sim.Server, change func(*tenant.Config)) *tenant.Tenant {
	t.Helper()
	cfg := tenant.Config{Name: "sim", Domain: s.Domain(), Insecure: true, Token: "t", Backoff: time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	tn, err := tenant.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

// guideReads are those of a plan for the guide's set-up that is there already.
var guideReads = []kind.Read{
	{Path: "clients", List: "clients"},
	{Path: "client-grants", List: "client_grants"},
	{Path: "roles", List: "roles", Query: "name_filter=EXPRESS_CONFIGURE_ADMIN_ROLE"},
	{Path: "resource-servers/https:%2F%2Fsystem.okta.com%2Factions%2Fexpress-configure%2Fv1"},
	{Path: "actions/actions", List: "actions"},
	{Path: "actions/triggers/post-login/bindings", List: "bindings"},
	{Path: "tenants/settings"},
}

// A log is read beyond its first page, whose total is its own, and up to what page
// numbers reach.
func TestSimulatorLogs(t *testing.T) {
	s := auth0sim.Start(t, auth0sim.Options{Token: "t"})
	r := kind.Read{Path: "logs", Query: "q=type%3Af&sort=date%3A-1", List: "logs"}
	logged := 0
	for range 2 {
		for range 550 {
			if err := s.AddLog(map[string]any{"type": "f"}); err != nil {
				t.Fatal(err)
			}
		}
		logged += 550
		got, err := open(t, s, nil).Read(context.Background(), []kind.Read{r})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got[r.Key()].([]any)); n != min(logged, 1000) {
			t.Errorf("read %d of %d entries", n, logged)
		}
	}
}

// The simulator is as strict about queries as Auth0 is.
func TestSimulatorReads(t *testing.T) {
	s := auth0sim.Start(t, auth0sim.Options{Token: "t"})
	got, err := open(t, s, nil).Read(context.Background(), append(guideReads,
		kind.Read{Path: "connections", List: "connections"},
		kind.Read{Path: "organizations", List: "organizations"},
		kind.Read{Path: "connection-profiles", List: "connection_profiles"},
		kind.Read{Path: "user-attribute-profiles", List: "user_attribute_profiles"},
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range guideReads {
		_, isList := got[r.Key()].([]any)
		if answer, ok := got[r.Key()]; !ok || isList != (r.List != "") {
			t.Errorf("%s: %v", r.Key(), answer)
		}
	}
	if n := len(s.Requests()); n != len(got) {
		t.Errorf("%d requests for %d reads", n, len(got))
	}
}

func TestSimulatorPages(t *testing.T) {
	for n, want := range map[int]int{1: 1, 99: 1, 100: 2, 1001: 12} { // besides the global client
		var seed struct {
			Clients []map[string]any `json:"clients"`
			Roles   []map[string]any `json:"roles"`
		}
		for i := range n {
			seed.Clients = append(seed.Clients, map[string]any{"name": fmt.Sprintf("client %d", i)})
			seed.Roles = append(seed.Roles, map[string]any{"name": fmt.Sprintf("role %d", i)})
		}
		raw, err := json.Marshal(seed)
		if err != nil {
			t.Fatal(err)
		}
		s := auth0sim.Start(t, auth0sim.Options{Token: "t", Seed: raw})
		tn := open(t, s, nil)
		for _, r := range []kind.Read{{Path: "clients", List: "clients"}, {Path: "roles", List: "roles"}} {
			s.ResetRequests()
			got, err := tn.Read(context.Background(), []kind.Read{r})
			if err != nil {
				t.Fatal(err)
			}
			names := map[string]bool{}
			for _, o := range got[r.Key()].([]any) {
				if name, _ := o.(map[string]any)["name"].(string); strings.HasPrefix(name, "client ") || strings.HasPrefix(name, "role ") {
					names[name] = true
				}
			}
			if len(names) != n {
				t.Errorf("%s: %d of %d", r.Path, len(names), n)
			}
			if sent := len(s.Requests()); r.Path == "clients" && sent > want {
				t.Errorf("%d clients took %d requests, want at most %d", n, sent, want)
			}
		}
	}
}

func TestSimulatorFaults(t *testing.T) {
	s := auth0sim.Start(t, auth0sim.Options{Token: "t"})
	tn := open(t, s, func(c *tenant.Config) { c.LimitWait = 50 * time.Millisecond })
	for _, c := range []struct {
		fault    string
		unknown  bool
		requests int
	}{
		{"POST /roles = drop before", true, 1},
		{"POST /roles = drop after", true, 1},
		{"POST /roles = status 503 after", true, 1},
		{"POST /roles = truncate", true, 1},
		{"POST /roles = status 400", false, 1},
		{"POST /roles = 429 retry-after 60", false, 1},
	} {
		s.ResetRequests()
		if err := s.SetFaults(c.fault); err != nil {
			t.Fatal(err)
		}
		_, err := tn.Send(context.Background(), tenant.Request{
			Method: http.MethodPost, Path: []string{"roles"}, Body: map[string]any{"name": c.fault},
		})
		var e *tenant.Error
		if !errors.As(err, &e) || e.Unknown != c.unknown {
			t.Errorf("%s: %v", c.fault, err)
		}
		if n := len(s.Requests()); n != c.requests {
			t.Errorf("%s: %d requests, want %d", c.fault, n, c.requests)
		}
	}
	if err := s.SetFaults("GET /roles #1 = drop", "GET /roles #2 = status 500", "GET /roles #3 = truncate"); err != nil {
		t.Fatal(err)
	}
	// a tenant of its own: the one above is still told to wait a minute
	if _, err := open(t, s, nil).Read(context.Background(), []kind.Read{{Path: "roles", List: "roles"}}); err != nil {
		t.Error(err)
	}
}

// With Auth0's limits for enterprises: 150 requests, and not one is refused.
func TestSimulatorLimits(t *testing.T) {
	s := auth0sim.Start(t, auth0sim.Options{Token: "t", RateLimit: "50,60", Latency: 5 * time.Millisecond})
	tn := open(t, s, nil)
	var reads []kind.Read
	for i := range 150 {
		reads = append(reads, kind.Read{Path: fmt.Sprintf("roles/rol_%016d", i)})
	}
	if _, err := tn.Read(context.Background(), reads); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, r := range s.Requests() {
		if r.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	if n := len(s.Requests()); n != 150 || refused > 0 {
		t.Errorf("%d requests, %d of them refused", n, refused)
	}
}

// Client secret and private key, over TLS with the simulator's own authority.
func TestSimulatorCredentials(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	seed, err := json.Marshal(map[string]any{
		"clients": []any{map[string]any{
			"client_id": "pkjwt", "name": "key", "app_type": "non_interactive", "jwt_configuration": map[string]any{"alg": "RS256"},
			"client_authentication_methods": map[string]any{"private_key_jwt": map[string]any{"credentials": []any{
				map[string]any{"credential_type": "public_key", "pem": public, "alg": "RS256"},
			}}},
		}, map[string]any{"client_id": "stranger", "client_secret": "stranger-secret", "name": "no grant", "app_type": "non_interactive"}},
		"client_grants": []any{map[string]any{"client_id": "pkjwt", "audience": "https://{{domain}}/api/v2/", "scope": []any{"read:roles", "read:clients"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := auth0sim.Start(t, auth0sim.Options{ClientID: "me", ClientSecret: "my-secret", Seed: seed, TLS: true})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	roles := []kind.Read{{Path: "roles", List: "roles"}}
	with := func(id, secret, key string) *tenant.Tenant {
		return open(t, s, func(c *tenant.Config) {
			c.Insecure, c.CAFile, c.Token, c.ClientID, c.ClientSecret, c.PrivateKey = false, ca, "", id, secret, key
		})
	}
	for _, tn := range []*tenant.Tenant{with("me", "my-secret", ""), with("pkjwt", "", private)} {
		id, err := tn.Identity(context.Background())
		if err != nil || !id.Known || len(id.Scopes) < 2 {
			t.Errorf("%+v, %v", id, err)
		}
		if _, err := tn.Read(context.Background(), roles); err != nil {
			t.Error(err)
		}
	}
	if id, _ := with("pkjwt", "", private).Identity(context.Background()); id.ClientID != "pkjwt" || len(id.Scopes) != 2 {
		t.Errorf("%+v", id)
	}
	for says, tn := range map[string]*tenant.Tenant{
		"The client id or the client secret is wrong":       with("me", "wrong-secret", ""),
		"Check that the application nobody exists":          with("nobody", "", private),
		"Authorize the application stranger for the Auth0":  with("stranger", "stranger-secret", ""),
		"Grant the scope read:actions on the Auth0 Managem": with("pkjwt", "", private),
	} {
		_, err := tn.Read(context.Background(), []kind.Read{{Path: "actions/actions", List: "actions"}})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "-secret ") {
			t.Errorf("error does not say %q: %v", says, err)
		}
	}
}

func BenchmarkSimulatorRead1000(b *testing.B) {
	var clients []map[string]any
	for i := range 999 { // and the global one
		clients = append(clients, map[string]any{"name": fmt.Sprintf("client %d", i)})
	}
	raw, err := json.Marshal(map[string]any{"clients": clients})
	if err != nil {
		b.Fatal(err)
	}
	s := auth0sim.Start(b, auth0sim.Options{Token: "t", Seed: raw})
	tn := open(b, s, nil)
	for b.Loop() {
		if _, err := tn.Read(context.Background(), []kind.Read{{Path: "clients", List: "clients"}}); err != nil {
			b.Fatal(err)
		}
	}
}
