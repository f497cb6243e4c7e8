package auth0sim_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// logged lists what a query finds, newest first.
func (t *tenant) logged(query string) []obj {
	t.Helper()
	var out []obj
	for _, e := range t.send("GET", "/logs?"+query, nil, 200).([]any) {
		out = append(out, e.(obj))
	}
	return out
}

// TestLogsOfTheAPI: writes are logged, and reads that show a secret; failures, other
// reads and token requests that are refused before a client is looked at are not.
func TestLogsOfTheAPI(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	s := newTenant(t, auth0sim.Options{ClientID: "mgmt", ClientSecret: "secret", Now: func() time.Time { now = now.Add(time.Second); return now }})
	s.bearer = s.token("mgmt", "secret")
	role := s.post("/roles", obj{"name": "admin"})["id"].(string)
	s.send("POST", "/roles", obj{"name": "admin"}, 409)
	s.get("/roles/" + role)
	s.get("/clients/mgmt")
	s.get("/clients/mgmt?fields=name")
	s.send("DELETE", "/roles/"+role, nil, 200)
	got := ""
	for _, e := range s.logged("q=" + url.QueryEscape("client_id:mgmt AND NOT type:seccft")) {
		got += fmt.Sprintln(e["type"], e["description"], e["client_name"])
	}
	if want := "sapi Delete a role \nmgmt_api_read Get client by ID \nsapi Create a role \n"; got != want {
		t.Errorf("logged:\n%s", got)
	}
	read := s.logged("q=type:mgmt_api_read")[0]
	details := read["details"].(obj)
	if fmt.Sprint(details["accessedSecrets"]) != "[client_secret]" || details["request"].(obj)["path"] != "/api/v2/clients/mgmt" || details["request"].(obj)["method"] != "get" {
		t.Errorf("a read of a secret: %v", read)
	}
	if scopes := details["request"].(obj)["auth"].(obj)["credentials"].(obj)["scopes"].([]any); len(scopes) < 50 {
		t.Errorf("the token's scopes: %v", scopes)
	}
	if one := s.get("/logs/" + read["log_id"].(string)); one["log_id"] != read["log_id"] {
		t.Errorf("by id: %v", one)
	}
	s.refused("GET", "/logs/90020200101", nil, 404, "", "Log not found.")
	if id := read["log_id"].(string); len(id) != 56 || !strings.HasPrefix(id, "90020260102") {
		t.Errorf("log_id %q", id)
	}

	// Paging: the total is that of the page, and 1,000 are the most.
	page := s.get("/logs?include_totals=true&per_page=2&page=1&sort=date:1&fields=type")
	if page["total"] != 2.0 || page["length"] != 2.0 || page["start"] != 2.0 || page["limit"] != 2.0 || fmt.Sprint(page["logs"]) != "[map[type:mgmt_api_read] map[type:sapi]]" {
		t.Errorf("a page: %v", page)
	}
	s.refused("GET", "/logs?per_page=100&page=10", nil, 400, "invalid_paging", "Requesting page 10 exceeds the allowed maximum of 1000 records: …")
	s.send("GET", "/logs?per_page=101", nil, 400)
	s.send("GET", "/logs?q=type:*x", nil, 400)
	s.send("GET", "/logs?search=x", nil, 400)

	// By checkpoint: what is newer, oldest first, and a way on, which stays at the end.
	all := s.logged("sort=date:1&q=" + url.QueryEscape("type:(sapi OR mgmt_api_read)"))
	w := s.raw("GET", "/logs?from="+all[0]["log_id"].(string)+"&take=1&q=ignored", "", "")
	if !strings.Contains(w.Body.String(), all[1]["log_id"].(string)) || strings.Contains(w.Body.String(), all[2]["log_id"].(string)) || !strings.Contains(w.Header().Get("Link"), "from="+all[1]["log_id"].(string)+"&take=1>; rel=\"next\"") {
		t.Errorf("from a checkpoint: %s %s", w.Header().Get("Link"), w.Body)
	}
	w = s.raw("GET", "/logs?from="+all[2]["log_id"].(string), "", "")
	if w.Body.String() != "[]" || !strings.Contains(w.Header().Get("Link"), "from="+all[2]["log_id"].(string)) {
		t.Errorf("at the end: %s %s", w.Header().Get("Link"), w.Body)
	}

	s.bearer = token // with every scope; one that lacks it:
	other := newTenant(t, auth0sim.Options{TokenScopes: []string{"read:clients"}})
	other.refused("GET", "/logs", nil, 403, "insufficient_scope", "Insufficient scope, expected any of: read:logs,read:logs_users")
}

func (t *tenant) token(id, secret string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "audience": {"https://tenant.example/api/v2/"}}
	return t.send("POST", "/oauth/token", map[string]string{
		"grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": form.Get("audience"),
	}, 200).(obj)["access_token"].(string)
}

// TestLogsOfTokens: what a client_credentials exchange leaves behind, for each way it ends.
func TestLogsOfTokens(t *testing.T) {
	s := newTenant(t, auth0sim.Options{ClientID: "mgmt", ClientSecret: "secret"})
	ask := func(form map[string]string, status int) obj {
		form["grant_type"] = "client_credentials"
		s.send("POST", "/oauth/token", form, status)
		return s.logged("per_page=1")[0]
	}
	const api = "https://tenant.example/api/v2/"
	good := ask(map[string]string{"client_id": "mgmt", "client_secret": "secret", "audience": api, "scope": "read:logs read:roles"}, 200)
	if good["type"] != "seccft" || good["scope"] != "read:logs read:roles" || good["audience"] != api || good["client_id"] != "mgmt" || good["client_name"] != "Simulator management client" || good["description"] != "Client Credentials for Access Token" {
		t.Errorf("a token: %v", good)
	}
	for want, form := range map[string]map[string]string{
		"Unauthorized": {"client_id": "mgmt", "client_secret": "wrong", "audience": api},
		"Service not enabled within domain: https://other":            {"client_id": "mgmt", "client_secret": "secret", "audience": "https://other"},
		"Client has not been granted scopes: read:nothing, read:none": {"client_id": "mgmt", "client_secret": "secret", "audience": api, "scope": "read:roles read:nothing read:none"},
	} {
		status := 403
		if want == "Unauthorized" {
			status = 401
		}
		if e := ask(form, status); e["type"] != "feccft" || e["description"] != want || e["client_id"] != "mgmt" || e["audience"] != form["audience"] {
			t.Errorf("%s: logged %v", want, e)
		}
	}
	e := ask(map[string]string{"client_id": "mgmt", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": "x"}, 401)
	if e["description"] != "Failed client authentication" || !strings.Contains(fmt.Sprint(e["details"]), "client_authentication_error") {
		t.Errorf("a bad assertion: %v", e)
	}
	s.send("POST", "/oauth/token", map[string]string{"grant_type": "password"}, 403)
	if again := s.logged("per_page=1")[0]; again["log_id"] != e["log_id"] {
		t.Errorf("a grant type that is not simulated was logged: %v", again)
	}
}

// TestLogsOfLimits: the rate limit leaves one entry a run.
func TestLogsOfLimits(t *testing.T) {
	now := time.Now()
	s := newTenant(t, auth0sim.Options{RateLimit: "2,1", Now: func() time.Time { return now }})
	for range 5 {
		s.raw("GET", "/roles", "", "")
	}
	now = now.Add(time.Minute)
	if got := s.logged("q=type:api_limit"); len(got) != 1 {
		t.Errorf("logged: %v", got)
	}
}

// TestAddedLogs: events that the simulator does not make itself; those that can't be
// are refused, and what is kept is bounded.
func TestAddedLogs(t *testing.T) {
	s := newTenant(t, auth0sim.Options{Control: true})
	if w := s.raw("POST", "/_sim/logs", "application/json", `{"type":"f","description":"denied","user_name":"ada","date":"2026-01-02T03:04:05Z"}`); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, bad := range []string{`{}`, `[]`, `{"type":"f","date":"yesterday"}`, `{"type":"f","description":"` + strings.Repeat("x", 20<<10) + `"}`} {
		if w := s.raw("POST", "/_sim/logs", "application/json", bad); w.Code != 400 {
			t.Errorf("%.40s: %d", bad, w.Code)
		}
	}
	got := s.logged("q=" + url.QueryEscape("denied AND date:[2026-01-02 TO 2026-01-02]"))
	if len(got) != 1 || got[0]["user_name"] != "ada" || got[0]["tenant_name"] != "tenant" {
		t.Errorf("added: %v", got)
	}
	for i := range 3000 {
		if err := s.AddLog(obj{"type": "s", "description": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if left := s.logged("q=denied"); len(left) != 0 {
		t.Errorf("kept: %v", left)
	}
	if err := s.Reset(); err != nil || len(s.logged("")) != 0 {
		t.Errorf("a reset keeps the log: %v", err)
	}
}
