package auth0sim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestTorture sends random requests, several at once: no panic, no race (run it with
// -race), no 5xx, an error envelope for every error, and memory that stays bounded.
// ECPLAN_TORTURE=1 makes it 100,000.
func TestTorture(t *testing.T) {
	total := 4000
	if os.Getenv("ECPLAN_TORTURE") != "" {
		total = 100_000
	}
	var sent int
	statuses := map[int]int{}
	for _, o := range []auth0sim.Options{
		{},
		{ListLagReads: 2, ClientID: "m", ClientSecret: "s", RateLimit: "100000,100000", KeepBodies: true, Control: true},
	} {
		o.Domain, o.Token, o.Exchanges = "tenant.example", token, io.Discard // hostile: nothing for the document
		s, err := auth0sim.New(o)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		const workers = 8
		for w := range workers {
			wg.Add(1)
			go func() {
				defer wg.Done()
				r := &rioter{Rand: rand.New(rand.NewPCG(uint64(w), uint64(len(o.ClientID)))), t: t, h: s.Handler()}
				for n := 0; n < total/2/workers; {
					if r.send() {
						n++
					}
				}
			}()
		}
		wg.Wait()
		sent += len(s.Requests())
		for _, q := range s.Requests() {
			statuses[q.Status]++
		}
		snapshot := s.Snapshot()
		if _, err := auth0sim.New(auth0sim.Options{Seed: snapshot, Domain: "tenant.example"}); err != nil {
			t.Errorf("what the riot left can't be read back: %v", err)
		}
		s.Close()
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 400<<20 {
		t.Errorf("%d MB are in use", m.HeapAlloc>>20)
	}
	t.Logf("%d requests kept, %d MB in use, by status: %v", sent, m.HeapAlloc>>20, statuses)
}

// rioter makes requests: valid, mutated and hostile.
type rioter struct {
	*rand.Rand
	t   *testing.T
	h   http.Handler
	ids []string // that answers had
}

var idLike = regexp.MustCompile(`"(?:id|client_id|user_id|connection_id|identifier|token_id)":"([^"]{3,80})"`)

func (r *rioter) pick(s ...string) string { return s[r.IntN(len(s))] }

// send sends one, and says whether it could be sent.
func (r *rioter) send() bool {
	ops := auth0sim.Served()
	method, path, _ := strings.Cut(ops[r.IntN(len(ops))], " ")
	last := regexp.MustCompile(`/\{[a-zA-Z_]+\}$`).ReplaceAllString(path, "")
	last = last[strings.LastIndexByte(last, '/')+1:]
	path = regexp.MustCompile(`\{[a-zA-Z_]+\}`).ReplaceAllStringFunc(path, func(p string) string {
		switch {
		case p == "{triggerId}":
			return r.pick("post-login", "credentials-exchange", "event-stream", "nonsense")
		case len(r.ids) > 0 && r.IntN(10) > 0:
			return strings.ReplaceAll(r.ids[r.IntN(len(r.ids))], "/", "%2F")
		}
		return r.pick("x", "%00", "%2e%2e", "%F0%9F%92%A9", "..", "a%2Fb%2F", strings.Repeat("z", 3000), "auth0%7Cx", "%zz", "-1")
	})
	path = "/api/v2" + path
	if r.IntN(4) == 0 {
		path += "?" + r.pick("per_page=0", "per_page=100&page=999999999999999999", "page=-1", "take=1", "take=0", "from=%FF", "from=YWZ0ZXI6LTE", "include_totals=true",
			"fields=name,,client_secret&include_fields=false", "q=a:b AND c", "%", "per_page=1&per_page=2", "name_filter=%00", "a[b]=c", "sort=name:-1", "triggerId=x")
	}
	if r.IntN(40) == 0 {
		method, path = "POST", "/oauth/token"
	}
	if r.IntN(40) == 0 {
		path = r.pick("/", "//", "/api/v2", "/api/v2/", "/api/v2//", "/.well-known/jwks.json", "/.well-known/openid-configuration", "/api/v2/clients/", "/api/v1/x", "/_sim/x", "/_sim/state")
	}
	body := r.body(last)
	req := &http.Request{}
	func() {
		defer func() { // httptest refuses what no client could send
			if recover() != nil {
				req = nil
			}
		}()
		req = httptest.NewRequest(method, strings.ReplaceAll(path, " ", "+"), strings.NewReader(body))
	}()
	if req == nil {
		return false
	}
	req.Header.Set("Content-Type", r.pick("application/json", "application/json", "application/json", "application/json; charset=utf-8", "text/plain", "", "application/x-www-form-urlencoded"))
	req.Header.Set("Authorization", "Bearer "+token)
	if r.IntN(50) == 0 {
		req.Header.Set("Authorization", r.pick("", "Bearer", "Basic eDp5", "Bearer a.b.c", "Bearer "+strings.Repeat("A", 5000), "bearer "+token))
	}
	w := httptest.NewRecorder()
	r.h.ServeHTTP(w, req)
	if w.Code >= 500 {
		r.t.Errorf("%s %s %.200q: %d %s", method, path, body, w.Code, w.Body)
	}
	if w.Code >= 400 && !strings.HasPrefix(path, "/_sim") {
		var e map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e["error"] == nil {
			r.t.Errorf("%s %s: %d without an envelope: %s", method, path, w.Code, w.Body)
		}
	}
	for _, m := range idLike.FindAllStringSubmatch(w.Body.String(), 5) {
		r.ids = append(r.ids, m[1])
	}
	if len(r.ids) > 200 {
		r.ids = r.ids[100:]
	}
	return true
}

func (r *rioter) id() any {
	if len(r.ids) == 0 {
		return "x"
	}
	return r.ids[r.IntN(len(r.ids))]
}

// body is now and then what an operation wants, and often not.
func (r *rioter) body(last string) string {
	name := fmt.Sprint("n", r.IntN(50))
	valid := []any{
		obj{"name": name},
		obj{"name": name, "display_name": name},
		obj{"identifier": "https://" + name, "scopes": []any{obj{"value": name}}},
		obj{"name": name, "strategy": r.pick("okta", "auth0", "oidc", "samlp"), "options": obj{"domain": "x.example"}},
		obj{"permissions": []any{obj{"resource_server_identifier": "https://n1", "permission_name": "n1"}}},
		obj{"client_id": r.id(), "audience": r.pick("https://tenant.example/api/v2/", "https://n1"), "scope": []any{name}},
		obj{"name": name, "supported_triggers": []any{obj{"id": "post-login", "version": "v3"}}, "deploy": r.IntN(2) == 0, "secrets": []any{obj{"name": name, "value": name}}},
		obj{"bindings": []any{obj{"ref": obj{"type": r.pick("action_id", "action_name", "binding_id"), "value": r.id()}}}},
		obj{"flags": obj{"enable_client_connections": false}},
		obj{"scope": []any{"a"}},
		obj{"code": name},
		obj{"description": name},
		obj{"credential_type": "public_key", "pem": publicPEM(testKey())},
		obj{"client_authentication_methods": obj{"private_key_jwt": obj{"credentials": []any{obj{"id": r.id()}}}}},
		obj{"client_authentication_methods": nil},
		obj{"members": []any{r.id()}},
		obj{"roles": []any{r.id()}},
		obj{"users": []any{r.id()}},
		obj{"connection_id": r.id()},
		obj{"connection": "Username-Password-Authentication", "email": name + "@x.example", "password": "p"},
		[]any{obj{"client_id": r.id(), "status": true}},
		obj{"name": name, "user_attributes": obj{"email": obj{"auth0_mapping": "email", "label": "l", "description": "d", "profile_required": true}}},
		obj{"update_draft": true},
		obj{"grant_id": r.id()},
		obj{"user_metadata": obj{name: nil}},
		obj{"client_metadata": obj{name: name}},
		obj{"expires_at": "2090-01-01T00:00:00Z"},
	}
	v := valid[r.IntN(len(valid))]
	if fits, known := map[string]any{
		"roles": valid[0], "clients": valid[0], "connection-profiles": valid[0], "organizations": valid[1], "resource-servers": valid[2], "connections": valid[3],
		"permissions": valid[4], "client-grants": valid[5], "actions": valid[6], "bindings": valid[7], "settings": valid[8], "credentials": valid[12],
		"members": valid[15], "enabled_connections": valid[18], "users": valid[19], "user-attribute-profiles": valid[21],
	}[last]; known && r.IntN(3) > 0 {
		v = fits
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	text := string(b)
	switch r.IntN(12) {
	case 0: // cut
		return text[:r.IntN(len(text))]
	case 1: // one byte else
		i := r.IntN(len(text))
		return text[:i] + string(rune(r.IntN(256))) + text[i+1:]
	case 2: // another type somewhere
		return strings.Replace(text, `"`+name+`"`, r.pick("null", "1e308", "-1", "[]", "{}", "true", `"\u0000"`, `"<script>"`, `"`+strings.Repeat("é", 700)+`"`), 1)
	case 3:
		return hostile[r.IntN(len(hostile))]
	}
	return text
}

var hostile = []string{
	"", "null", "[]", "{}", "0", `""`, "\xff\xfe", "{\"a\":1}{\"b\":2}", `{"name":"a","name":"b"}`, "1e999", strings.Repeat("[", 20000),
	`{"name":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + "}",
	`{"name":"deep","addons":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + "}",
	"grant_type=client_credentials&client_id=m&client_secret=s&audience=https%3A%2F%2Ftenant.example%2Fapi%2Fv2%2F",
	`{"client_secret":"` + strings.Repeat("s", 2<<20) + `"}`,
}

// FuzzRequest is the same for Go's fuzzer: any method, path and body.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/api/v2/clients?per_page=1", "")
	f.Add("POST", "/api/v2/resource-servers", `{"identifier":"https://x"}`)
	f.Add("POST", "/oauth/token", "grant_type=client_credentials")
	f.Add("PATCH", "/api/v2/actions/triggers/post-login/bindings", `{"bindings":[]}`)
	s, err := auth0sim.New(auth0sim.Options{Token: token, Exchanges: io.Discard})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://x"+path, strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
		}
	})
}

// FuzzSeed holds that no seed breaks the simulator: it is refused, or what it makes
// can be listed and written again.
func FuzzSeed(f *testing.F) {
	f.Add([]byte(`{"roles":[{"name":"x","users":["a"]}],"users":[{"email":"a"}]}`))
	f.Add([]byte(`{"actions":[{"name":"x","deployed":true,"secrets":[{"name":"a"}]}],"bindings":{"post-login":["x"]}}`))
	f.Add([]byte(`{"complete":true,"clients":[{"name":"x","client_id":"y","credentials":[{}]}],"tenant":{"flags":null}}`))
	f.Add([]byte(`{"resource_servers":[{"identifier":"x","scopes":[1]}],"connections":[{"name":"x","options":1}],"organizations":[{"name":"x","connections":["x"]}]}`))
	f.Fuzz(func(t *testing.T, seed []byte) {
		s, err := auth0sim.New(auth0sim.Options{Token: token, Seed: seed, Exchanges: io.Discard})
		if err != nil {
			return
		}
		for _, path := range []string{"resource-servers", "roles", "clients", "client-grants", "actions/actions", "actions/triggers/post-login/bindings", "organizations", "connections", "users", "tenants/settings"} {
			r := httptest.NewRequest("GET", "/api/v2/"+path, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}
		s.Snapshot()
		s.Essence()
	})
}
