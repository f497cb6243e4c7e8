package auth0sim_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// discard is an http.ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkGet: at least 20,000 a second on one core (run it with -cpu 1).
func BenchmarkGet(b *testing.B) {
	s := newTenant(b, auth0sim.Options{})
	client, action := guide(s)
	for name, path := range map[string]string{
		"settings": "/tenants/settings", "client": "/clients/" + client["client_id"].(string), "action": "/actions/actions/" + action,
		"resource-server": "/resource-servers/https:%2F%2Fsystem.okta.com%2Factions%2Fexpress-configure%2Fv1", "roles": "/roles?include_totals=true&per_page=100",
	} {
		b.Run(name, func(b *testing.B) {
			s, err := auth0sim.New(auth0sim.Options{Token: token, Domain: "tenant.example", Seed: s.Snapshot()})
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/api/v2"+path, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := &discard{http.Header{}}
			s.Handler().ServeHTTP(w, r) // the first one makes the process's keys
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				s.Handler().ServeHTTP(w, r)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "GETs/s")
		})
	}
}

// BenchmarkStart: a tenant that answers, under 50 ms.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := auth0sim.New(auth0sim.Options{Token: token})
		if err == nil {
			err = s.Listen("127.0.0.1:0")
		}
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/start")
}

// BenchmarkTenants: 200 tenants with the guide's objects on them, under 200 MB.
func BenchmarkTenants(b *testing.B) {
	seed := newTenant(b, auth0sim.Options{})
	guide(seed)
	state := seed.Snapshot()
	for b.Loop() {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var all []*auth0sim.Server
		for range 200 {
			s, err := auth0sim.New(auth0sim.Options{Token: token, Seed: state})
			if err == nil {
				err = s.Listen("127.0.0.1:0")
			}
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, s)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		used := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
		b.ReportMetric(used, "MB/200tenants")
		if used > 200 {
			b.Errorf("200 tenants use %.0f MB", used)
		}
		for _, s := range all {
			s.Close()
		}
	}
}
