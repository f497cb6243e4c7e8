package auth0sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// call sends one request over the network.
func call(t *testing.T, s *auth0sim.Server, method, path, body string) (int, string, http.Header, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.URL()+"/api/v2"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header, err
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault  string
		status int  // of the request; 0: no answer
		torn   bool // the answer breaks off
		there  bool // the role exists then
	}{
		{"POST /roles = status 500", 500, false, false},
		{"POST /roles #1 = status 503 after", 503, false, true},
		{"write #1 = drop", 0, false, false},
		{"write #1 = drop after", 0, false, true},
		{"any #1 = hang", 0, false, false},
		{"POST /rol* = hang after", 0, false, true},
		{"POST /roles = truncate", 200, true, true},
		{"POST /roles = 429 retry-after 7", 429, false, false},
		{"POST /** = slow 50ms", 200, false, true},
		{"POST /** = delay 50ms", 200, false, true},
		{"POST /roles #2- = drop", 200, false, true},
		{"POST /clients = drop", 200, false, true},
		{"GET = drop", 200, false, true},
		{"POST /roles = status 204", 204, false, false},
		{"POST /roles = status 304 after", 304, false, true},
		{"POST /roles = status 429", 429, false, false},
	} {
		t.Run(c.fault, func(t *testing.T) {
			s := auth0sim.Start(t, auth0sim.Options{Token: token, Faults: []string{c.fault}})
			status, _, header, err := call(t, s, "POST", "/roles", `{"name":"x"}`)
			if status != c.status || (err != nil) != (c.status == 0 || c.torn) {
				t.Fatalf("status %d, error %v", status, err)
			}
			if c.status == 429 && (header.Get("X-RateLimit-Remaining") != "0" || header.Get("X-RateLimit-Reset") == "") { // facts §3.0: every answer has them
				t.Errorf("the headers of a 429 are %v", header)
			}
			if strings.Contains(c.fault, "retry-after") && header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After is %q", header.Get("Retry-After"))
			}
			if c.status == 204 && header.Get("Content-Type") != "" { // HTTP/2 has no such answer
				t.Errorf("the headers of a 204 are %v", header)
			}
			if got := bytes.Contains(s.Snapshot(), []byte(`"name": "x"`)); got != c.there {
				t.Errorf("the role exists: %v", got)
			}
		})
	}
	s := newTenant(t, auth0sim.Options{Faults: []string{"POST /oauth/token = 429"}})
	if status, body := s.oauth(nil); status != 429 || body["error"] != "too_many_requests" { // facts §3.11: not the API's envelope
		t.Errorf("429 of the token endpoint: %d %v", status, body)
	}
	cut := auth0sim.Start(t, auth0sim.Options{Token: token, Faults: []string{"DELETE /clients/* = truncate"}})
	if status, _, _, err := call(t, cut, "DELETE", "/clients/x", ""); err == nil {
		t.Errorf("an answer without a body that is cut: %d", status)
	}
	for _, bad := range []string{"", "FETCH /x = drop", "POST /x = delay -1s", "POST /x = 429 retry-after -1", "POST", "POST /x = ", "= drop", "POST /x #0 = drop", "POST /x #3-2 = drop", "POST /x = status 99", "POST /x = explode", "POST /x every 0 = drop", "POST p2 = drop", "POST pNaN = drop"} {
		if _, err := auth0sim.New(auth0sim.Options{Faults: []string{bad}}); err == nil || !strings.Contains(err.Error(), "WHICH") {
			t.Errorf("fault %q: %v", bad, err)
		}
	}
}

func TestHooksAndLog(t *testing.T) {
	var log bytes.Buffer
	var before, after []int
	s := auth0sim.Start(t, auth0sim.Options{
		Token: token, LogWriter: &log,
		BeforeCommit: func(r auth0sim.Request) bool { before = append(before, r.Write); return r.Write != 2 },
		AfterCommit:  func(r auth0sim.Request) bool { after = append(after, r.Write); return r.Write != 1 },
	})
	for _, name := range []string{"first", "second", "third"} {
		status, _, _, err := call(t, s, "POST", "/roles", `{"name":"`+name+`"}`)
		if (name == "third") != (err == nil) {
			t.Fatalf("%s: %d %v", name, status, err)
		}
	}
	state := string(s.Snapshot())
	if !strings.Contains(state, `"first"`) || strings.Contains(state, `"second"`) || !strings.Contains(state, `"third"`) {
		t.Errorf("state: %s", state)
	}
	if len(before) != 3 || len(after) != 2 {
		t.Errorf("hooks ran for %v, %v", before, after)
	}
	if _, _, _, err := call(t, s, "GET", "/resource-servers/https:%2F%2Fx?include_fields=true", ""); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines[3]), &line); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 4 || line["path"] != "/api/v2/resource-servers/https:%2F%2Fx" || line["query"] != "include_fields=true" || line["status"] != 404.0 || line["tenant"] != s.Domain() || line["time"] == nil || line["ms"] == nil {
		t.Errorf("log: %v", line)
	}
	if got := s.Requests(); len(got) != 4 || got[3].N != 4 || got[3].Write != 0 {
		t.Errorf("requests: %v", got)
	}
}

func TestRateLimits(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newTenant(t, auth0sim.Options{RateLimit: "enterprise-nonprod", RetryAfter: true, Now: func() time.Time { return now }})
	for i := range 10 {
		w := s.raw("GET", "/roles", "", "")
		if w.Code != 200 || w.Header().Get("X-RateLimit-Limit") != "10" || w.Header().Get("X-RateLimit-Remaining") != string(rune('9'-i)) {
			t.Fatalf("call %d: %d %v", i, w.Code, w.Header())
		}
	}
	w := s.raw("GET", "/roles", "", "")
	if w.Code != 429 || w.Header().Get("X-RateLimit-Remaining") != "0" || w.Header().Get("X-RateLimit-Reset") != "1800000001" || w.Header().Get("Retry-After") != "1" ||
		!strings.Contains(w.Body.String(), `"errorCode":"too_many_requests"`) {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		s.send("GET", "/roles", nil, 200)
	}
	now = now.Add(500 * time.Millisecond) // one of 2 a second
	s.send("GET", "/roles", nil, 200)
	s.send("GET", "/roles", nil, 429)
	now = now.Add(time.Hour)
	for range 5 {
		s.raw("POST", "/organizations", "application/json", `{}`)
	}
	if w := s.raw("POST", "/organizations", "application/json", `{}`); w.Code != 429 || w.Header().Get("X-RateLimit-Limit") != "5" {
		t.Fatalf("the endpoint's own bucket: %d %v", w.Code, w.Header())
	}
	s.send("GET", "/roles", nil, 200)
	for _, c := range []struct {
		plan, path string
		burst      int
	}{
		{"free", "/clients", 2},
		{"private-cloud-dev", "/clients", 20},
		{"private-cloud-dev", "/organizations", 10},
		{"private-cloud", "/users", 50},
		{"private-cloud", "/organizations/org_x", 40},
		{"private-cloud-5x", "/users", 250},
		{"private-cloud-15x", "/organizations/name/x", 300},
		{"private-cloud-100x", "/organizations", 1000},
		{"enterprise", "/clients", 50},
		{"enterprise", "/clients?take=1&q=client_grant.allow_any_organization:true", 5},
		{"enterprise", "/organizations/org_x", 10},
		{"enterprise", "/organizations/name/x", 20},
		{"enterprise", "/organizations/org_x/members", 40},
		{"essentials", "/organizations/name/x", 10},
		{"essentials", "/organizations/org_x/members", 40},
		{"essentials", "/organizations/org_x/members/u/roles", 20},
		{"essentials", "/organizations/org_x/client-grants", 10},
		{"essentials", "/connections/con_x/status", 100},
		{"essentials", "/logs", 10},
		{"professional", "/clients", 5},
		{"essentials", "/connections", 5},
		{"essentials", "/organizations", 5},
		{"essentials", "/organizations/org_x", 20},
		{"essentials", "/users", 40},
		{"essentials", "/roles", 10},
		{"essentials", "/organizations/org_x/connections", 5},
		{"7,1", "/roles", 7},
	} {
		s := newTenant(t, auth0sim.Options{RateLimit: c.plan, Now: func() time.Time { return now }})
		for i := range c.burst + 1 {
			w := s.raw("GET", c.path, "", "")
			if (w.Code == 429) != (i == c.burst) {
				t.Errorf("%s, %s: call %d of %d is answered with %d", c.plan, c.path, i+1, c.burst, w.Code)
			}
		}
	}
	// What has a bucket of its own takes nothing from the rest.
	self := newTenant(t, auth0sim.Options{RateLimit: "essentials", Now: func() time.Time { return now }})
	for range 10 {
		self.send("GET", "/roles", nil, 200)
	}
	self.send("GET", "/roles", nil, 429)
	self.send("GET", "/clients", nil, 200)
	// Reads and writes of member roles have a bucket each.
	for range 20 {
		self.send("GET", "/organizations/org_x/members/u/roles", nil, 404)
	}
	self.send("GET", "/organizations/org_x/members/u/roles", nil, 429)
	self.send("POST", "/organizations/org_x/members/u/roles", obj{}, 400)
	// The token endpoint has the Authentication API's limit and on the free plan its own.
	for plan, burst := range map[string]int{"free": 30, "essentials": 25, "enterprise": 100, "private-cloud-dev": 20, "private-cloud-5x": 500} {
		s := newTenant(t, auth0sim.Options{RateLimit: plan, Now: func() time.Time { return now }})
		for i := range burst + 1 {
			if status, body := s.oauth(nil); (status == 429) != (i == burst) {
				t.Errorf("%s: token request %d of %d: %d %v", plan, i+1, burst, status, body)
			}
		}
	}
	for _, bad := range []string{"many", "private-cloud-2x", "0,1", "1,0", "NaN,1", "1,NaN", "Inf,1", "1,Inf"} {
		if _, err := auth0sim.New(auth0sim.Options{RateLimit: bad}); err == nil {
			t.Errorf("the rate limit %q was taken", bad)
		}
	}
	if got := newTenant(t, auth0sim.Options{}).raw("GET", "/roles", "", "").Header().Get("X-RateLimit-Remaining"); got != "49" {
		t.Errorf("without a limit: %q", got)
	}
}

func TestListLag(t *testing.T) {
	s := newTenant(t, auth0sim.Options{ListLagReads: 2})
	role := s.post("/roles", obj{"name": "late"})
	for i := range 3 {
		if n := len(s.send("GET", "/roles", nil, 200).([]any)); n != i/2 {
			t.Fatalf("listing %d has %d roles", i, n)
		}
		s.get("/roles/" + role["id"].(string))
	}
}

// TestDeleteTime: the name of a connection is taken until its deletion is over, after a
// kill too.
func TestDeleteTime(t *testing.T) {
	now := time.Now()
	o := auth0sim.Options{DeleteTime: time.Minute, StateFile: filepath.Join(t.TempDir(), "state.json"), Now: func() time.Time { return now }}
	s := newTenant(t, o)
	con := obj{"name": "okta-acme", "strategy": "okta", "options": obj{"domain": "acme.okta.com"}}
	id := s.post("/connections", con)["id"].(string)
	s.refused("POST", "/connections", con, 409, "connection_conflict", "A connection with the same name already exists")
	s.send("DELETE", "/connections/"+id, nil, 202)
	s.send("GET", "/connections/"+id, nil, 404)
	s.send("DELETE", "/connections/"+id, nil, 204)
	now = now.Add(59 * time.Second)
	s = newTenant(t, o)
	s.refused("POST", "/connections", con, 409, "connection_conflict", "A connection with the same name is being deleted, try again later")
	s.post("/connections", obj{"name": "other", "strategy": "okta", "options": obj{"domain": "acme.okta.com"}})
	now = now.Add(time.Second)
	s.post("/connections", con)
}

func TestControl(t *testing.T) {
	s := newTenant(t, auth0sim.Options{Control: true})
	s.post("/roles", obj{"name": "x"})
	if w := s.raw("GET", "/_sim/state", "", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"name": "x"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.raw("PUT", "/_sim/faults", "", `["GET /roles = status 500"]`)
	s.send("GET", "/roles", nil, 500)
	if w := s.raw("PUT", "/_sim/faults", "", `["nonsense"]`); w.Code != 400 {
		t.Errorf("%d", w.Code)
	}
	s.raw("DELETE", "/_sim/faults", "", "")
	s.raw("POST", "/_sim/reset", "", "")
	if n := len(s.send("GET", "/roles", nil, 200).([]any)); n != 0 {
		t.Errorf("%d roles after a reset", n)
	}
	if w := s.raw("GET", "/_sim/requests", "", ""); !strings.Contains(w.Body.String(), "/api/v2/roles") {
		t.Errorf("%s", w.Body)
	}
	s.raw("DELETE", "/_sim/requests", "", "")
	if w := s.raw("GET", "/_sim/requests", "", ""); w.Body.String() != "[]" {
		t.Errorf("%s", w.Body)
	}
	if w := newTenant(t, auth0sim.Options{}).raw("GET", "/_sim/state", "", ""); w.Code != 404 {
		t.Errorf("control answers without being asked for: %d", w.Code)
	}
}

func TestLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "nonsense"} {
		s, err := auth0sim.New(auth0sim.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(addr); err == nil {
			t.Errorf("it listens on %s", addr)
			s.Close()
		}
	}
}
