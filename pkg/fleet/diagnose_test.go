package fleet_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestDiagnose explains logs that a tenant hands out; the simulator, which keeps none,
// answers everything else.
func TestDiagnose(t *testing.T) {
	seed, err := examples.Express.ReadFile("express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	var sim *auth0sim.Server
	var asked string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v2/logs" {
			sim.Handler().ServeHTTP(w, r)
			return
		}
		asked = r.URL.Query().Get("q")
		logs := []any{
			map[string]any{"date": "2026-11-20T10:00:00.000Z", "type": "f", "description": "Unable to issue token for Express Configure API - missing data.", "user_name": "ada@globex.example"},
			map[string]any{"date": "2026-11-20T10:01:00.000Z", "type": "f", "description": "Unable to issue token for Express Configure API - missing data.", "user_name": "ada@globex.example"},
			map[string]any{"date": "2026-11-20T11:00:00.000Z", "type": "feccft", "description": `Client "x" is not authorized to access resource server "y".`},
			map[string]any{"date": "2026-11-20T12:00:00.000Z", "type": "seccft"},
			map[string]any{"date": "2026-11-20T12:00:00.000Z", "type": "gd_something_else"},
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]any{"start": 0, "limit": 100, "length": len(logs), "total": len(logs), "logs": logs}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(front.Close)
	domain := strings.TrimPrefix(front.URL, "http://")
	if sim, err = auth0sim.New(auth0sim.Options{Token: "bench-token", Seed: seed, Domain: domain}); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, sim: sim, dir: t.TempDir()}
	for _, f := range []string{"express.yaml", "tenants.yaml", "okta-public-key.pem"} {
		data, err := examples.Express.ReadFile("express/" + f)
		if err != nil {
			t.Fatal(err)
		}
		b.write(f, strings.ReplaceAll(string(data), "127.0.0.1:4010", domain))
	}
	if _, clients, err := b.target().Diagnose(t.Context(), time.Now()); err != nil || clients != 0 {
		t.Fatalf("before anything is applied: %d clients, %v", clients, err)
	}
	b.apply()
	since := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	ins, clients, err := b.target().Diagnose(t.Context(), since)
	if err != nil || clients != 1 {
		t.Fatalf("%d clients, %v", clients, err)
	}
	if !strings.Contains(asked, "date:[2026-11-20T00:00:00Z TO *]") || !strings.Contains(asked, "client_id:") {
		t.Errorf("the logs were asked for with %q", asked)
	}
	var got []string
	for _, in := range ins {
		got = append(got, fmt.Sprintf("%v %d %s", in.Failed, in.Times, in.Says))
	}
	want := []string{
		"true 1 The OIN client has no grant on the Management API",
		"true 2 The guide's Action refused: the OIN client does not name its application, or the admin logged in without an organization",
		"false 1 Okta signed in for the Management API",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}
