package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/kind"
)

// collection is a server's side of one list, strict about parameters as Auth0 is.
type collection struct {
	list   string // member
	paging string // "totals", "plain" (an array whatever is asked), "sparse", "checkpoint", "both", "array"
	max    int    // per page; 0 is 100
	n      int
	// reads counts; total, if set, replaces the true number in the answer to the nth.
	reads atomic.Int32
	total func(nth int) int
}

func (c *collection) item(i int) any { return map[string]any{"id": c.list + strconv.Itoa(i)} }

func (c *collection) items(from, to int) []any {
	out := []any{}
	for i := max(from, 0); i < min(to, c.n); i++ {
		out = append(out, c.item(i))
	}
	return out
}

func (c *collection) answer(w http.ResponseWriter, q url.Values) {
	nth := int(c.reads.Add(1))
	allowed := map[string]string{
		"totals": "page per_page include_totals", "plain": "page per_page include_totals", "sparse": "page per_page",
		"checkpoint": "take from", "both": "page per_page include_totals take from", "array": "",
	}[c.paging]
	for name := range q {
		if name != "filter" && !strings.Contains(" "+allowed+" ", " "+name+" ") {
			reply(w, 400, apiError(400, "invalid_query_string", "Additional properties not allowed: "+name))
			return
		}
	}
	most := c.max
	if most == 0 {
		most = 100
	}
	number := func(name string) int { n, _ := strconv.Atoi(q.Get(name)); return n }
	switch {
	case c.paging == "array":
		reply(w, 200, c.items(0, c.n))
	case q.Has("take") || c.paging == "checkpoint":
		from, take := number("from"), number("take")
		if take > most || take < 1 {
			reply(w, 400, apiError(400, "invalid_query_string", "take"))
			return
		}
		body := map[string]any{c.list: c.items(from, from+take)}
		if from+take < c.n {
			body["next"] = strconv.Itoa(from + take)
		}
		reply(w, 200, body)
	default:
		page, size := number("page"), number("per_page")
		if size > 100 || size < 1 {
			reply(w, 400, apiError(400, "invalid_query_string", "per_page"))
			return
		}
		size = min(size, most)
		if c.paging == "both" && (page+1)*size > 1000 {
			reply(w, 400, apiError(400, "invalid_paging", "Requesting page exceeds the allowed maximum of 1000 records."))
			return
		}
		items, total := c.items(page*size, (page+1)*size), c.n
		if c.total != nil {
			total = c.total(nth)
		}
		switch c.paging {
		case "plain":
			reply(w, 200, items)
		case "sparse":
			body := map[string]any{c.list: items, "per_page": size}
			if page > 0 {
				body["page"] = page
			}
			if total > 0 && len(items) > 0 {
				body["total"] = total
			}
			reply(w, 200, body)
		default:
			reply(w, 200, map[string]any{c.list: items, "start": page * size, "limit": size, "total": total})
		}
	}
}

// serveLists serves collections by path below /api/v2/.
func serveLists(t testing.TB, lists map[string]*collection) *api {
	return serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		c := lists[strings.TrimPrefix(r.URL.EscapedPath(), "/api/v2/")]
		if c == nil {
			reply(w, 404, apiError(404, "", "Not Found"))
			return
		}
		c.answer(w, r.URL.Query())
	})
}

func TestReadCollections(t *testing.T) {
	for _, c := range []struct {
		path     string
		paging   string
		max      int
		requests map[int]int // for so many items
	}{
		{"resource-servers", "totals", 0, map[int]int{0: 1, 1: 1, 99: 1, 100: 1, 101: 2, 1000: 10, 1001: 11}},
		{"roles/rol_1/permissions", "totals", 0, map[int]int{0: 1, 1: 1, 100: 1, 101: 2, 1000: 10}},
		// beyond 1000, where there are checkpoints: one page in vain, then all by checkpoints
		{"clients", "both", 0, map[int]int{0: 1, 1: 1, 100: 1, 101: 2, 1000: 10, 1001: 12}},
		{"organizations/org_1/members", "both", 0, map[int]int{0: 1, 100: 1, 101: 2, 1001: 12}},
		{"actions/actions", "sparse", 0, map[int]int{0: 1, 1: 1, 100: 1, 101: 2, 1001: 11}},
		{"actions/actions", "sparse", 50, map[int]int{0: 1, 50: 1, 51: 2, 100: 2, 101: 3}}, // should the server's largest page be smaller
		{"actions/triggers/post-login/bindings", "sparse", 0, map[int]int{0: 1, 1: 1, 20: 1, 101: 2}},
		{"connections/con_1/clients", "checkpoint", 1000, map[int]int{0: 1, 1: 1, 100: 1, 1000: 1, 1001: 2}},
		{"connection-profiles", "checkpoint", 10, map[int]int{0: 1, 10: 1, 11: 2, 101: 11}},
		{"user-attribute-profiles", "checkpoint", 0, map[int]int{0: 1, 50: 1, 51: 2, 101: 3}},
		{"clients/abc/credentials", "array", 0, map[int]int{0: 1, 1: 1, 101: 1}},
		{"logs", "plain", 0, map[int]int{0: 1, 99: 1, 100: 2, 999: 10, 1000: 10}},
		{"unlike-others", "plain", 0, map[int]int{0: 1, 1: 1, 99: 1, 100: 2, 101: 2, 1001: 11}},
	} {
		for n, requests := range c.requests {
			t.Run(fmt.Sprintf("%s of %d, %d items", c.path, c.max, n), func(t *testing.T) {
				list := &collection{list: "things", paging: c.paging, max: c.max, n: n}
				a := serveLists(t, map[string]*collection{c.path: list})
				r := kind.Read{Path: c.path, Query: "filter=1", List: "things"}
				if c.paging == "array" {
					r.List = "[]"
				}
				got, err := open(t, a.config()).Read(context.Background(), []kind.Read{r})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(map[string]any{r.Key(): any(list.items(0, n))}, got); d != "" {
					t.Error(d)
				}
				if sent := a.requests(); len(sent) != requests {
					t.Errorf("%d requests, want %d: %v", len(sent), requests, sent)
				}
				for _, line := range a.requests() {
					if !strings.Contains(line, "?filter=1") {
						t.Errorf("%s lost the query", line)
					}
				}
			})
		}
	}
}

// Whatever the style, the page size that the server allows, and the number of items:
// all of them come, each once, in their order.
func TestReadWhole(t *testing.T) {
	lists := map[string]*collection{}
	a := serveLists(t, lists)
	tn := open(t, a.config())
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([][2]string{
			{"clients", "both"}, {"roles", "totals"}, {"actions/actions", "sparse"}, {"odd", "plain"}, {"connections/con_1/clients", "checkpoint"},
		}).Draw(t, "path and style")
		list := &collection{list: "things", paging: p[1], n: rapid.IntRange(0, 1200).Draw(t, "items")}
		if p[1] == "checkpoint" {
			list.max = 1000
		} else if p[1] != "both" && p[1] != "plain" { // those tell no smaller size
			list.max = rapid.SampledFrom([]int{20, 50, 99, 100}).Draw(t, "largest page")
		}
		lists[p[0]] = list
		got, err := tn.Read(context.Background(), []kind.Read{{Path: p[0], List: "things"}})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(any(list.items(0, list.n)), got[p[0]+"?"]); d != "" {
			t.Error(d)
		}
	})
}

func TestReadObjects(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.EscapedPath()) {
		case "here", "https:%2F%2Fa.example%2Fv1":
			reply(w, 200, map[string]any{"n": 1})
		case "array":
			reply(w, 200, []any{})
		case "page":
			http.Error(w, "<h1>not found</h1>", 404)
		default:
			reply(w, 404, apiError(404, "inexistent_client", "The client does not exist"))
		}
	})
	tn := open(t, a.config())
	reads := []kind.Read{
		{Path: "clients/here"},
		{Path: "clients/here"}, // asked twice, read once
		{Path: "clients/here", Query: "fields=a%2Cb&include_fields=true"},
		{Path: "resource-servers/https:%2F%2Fa.example%2Fv1"},
		{Path: "clients/gone"},
		{Path: "clients/gone/credentials", List: "[]"},
		{Path: "roles/gone/permissions", List: "permissions"},
	}
	got, err := tn.Read(context.Background(), reads)
	one := map[string]any{"n": 1.0}
	want := map[string]any{
		"clients/here?": one, "clients/here?fields=a%2Cb&include_fields=true": one, "resource-servers/https:%2F%2Fa.example%2Fv1?": one,
		"clients/gone?": nil, "clients/gone/credentials?": nil, "roles/gone/permissions?": nil,
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
	if n := len(a.requests()); n != 6 {
		t.Errorf("%d requests, want 6", n)
	}
	if got, err := tn.Read(context.Background(), nil); err != nil || len(got) != 0 {
		t.Errorf("no reads: %v, %v", got, err)
	}
	// What is not the shape that was asked for must never pass for "nothing there".
	for _, r := range []kind.Read{
		{Path: "clients", List: "clients"}, // 404 of the collection itself
		{Path: "clients/page"},             // 404, but not the API's
		{Path: "clients/array"},
		{Path: "clients/here", List: "clients"},
		{Path: "clients/here", List: "[]"},
	} {
		_, err := tn.Read(context.Background(), []kind.Read{r})
		failure(t, err, "GET "+r.Path)
	}
}

func TestReadForbidden(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/roles"):
			reply(w, 403, apiError(403, "insufficient_scope", "Insufficient scope, expected any of: read:roles,read:role_members"))
		case strings.HasSuffix(r.URL.Path, "/clients"):
			reply(w, 403, apiError(403, "insufficient_scope", "Insufficient scope"))
		default:
			reply(w, 200, map[string]any{})
		}
	})
	cfg := a.config()
	tn := open(t, cfg)
	_, err := tn.Read(context.Background(), []kind.Read{
		{Path: "tenants/settings"},
		{Path: "roles", List: "roles", For: "Role/admin", Scopes: []string{"read:roles"}},
		{Path: "clients", List: "clients", For: "Client/oin", Scopes: []string{"read:clients"}},
	})
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // what errors.Join makes, to count them
	if !ok || len(joined.Unwrap()) != 2 {
		t.Fatalf("error is %v, want both refusals", err)
	}
	clients := failure(t, joined.Unwrap()[0], "GET clients (for Client/oin)", "Use a token that has the scope read:clients.")
	roles := failure(t, joined.Unwrap()[1], "Use a token that has the scope read:roles or read:role_members.")
	if d := cmp.Diff([][]string{{"read:clients"}, {"read:roles", "read:role_members"}}, [][]string{clients.Scopes, roles.Scopes}); d != "" {
		t.Error(d)
	}
}

// One failure that concerns the whole tenant is told once, not once a read.
func TestReadStopsAtFailure(t *testing.T) {
	cfg := Config{Name: "local", Domain: refusedAddress(t), Insecure: true, Token: secretToken, Backoff: 1}
	var reads []kind.Read
	for i := range 20 {
		reads = append(reads, kind.Read{Path: "clients/" + strconv.Itoa(i)})
	}
	_, err := open(t, cfg).Read(context.Background(), reads)
	failure(t, err, "nothing listens there")
	if strings.Count(err.Error(), "nothing listens there") != 1 {
		t.Errorf("repeated: %v", err)
	}
}

// Pages that don't fit together may hide an object, which would then be made twice.
func TestReadWhileItChanges(t *testing.T) {
	list := &collection{list: "roles", paging: "totals", n: 250}
	list.total = func(nth int) int {
		if nth == 2 {
			return 251
		}
		return 250
	}
	a := serveLists(t, map[string]*collection{"roles": list})
	r := []kind.Read{{Path: "roles", List: "roles"}}
	got, err := open(t, a.config()).Read(context.Background(), r)
	if d := cmp.Diff(any(list.items(0, 250)), got["roles?"]); err != nil || d != "" {
		t.Error(err, d)
	}
	list = &collection{list: "roles", paging: "totals", n: 250, total: func(nth int) int { return 200 + nth }}
	a = serveLists(t, map[string]*collection{"roles": list}) // requests that were given up may still be under way at the other
	_, err = open(t, a.config()).Read(context.Background(), r)
	failure(t, err, "could not be read as a whole")
	if !errors.Is(err, errMoved) {
		t.Error("the cause is lost")
	}
}

func TestReadLoopingCheckpoint(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"connection_profiles": []any{}, "next": "again"})
	})
	_, err := open(t, a.config()).Read(context.Background(), []kind.Read{{Path: "connection-profiles", List: "connection_profiles"}})
	failure(t, err, `leads back to the checkpoint "again"`)
	if n := len(a.requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	var now, most atomic.Int32
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		reply(w, 200, map[string]any{})
		now.Add(-1)
	})
	cfg := a.config()
	cfg.Concurrency = 3
	var reads []kind.Read
	for i := range 200 {
		reads = append(reads, kind.Read{Path: "clients/" + strconv.Itoa(i)})
	}
	if _, err := open(t, cfg).Read(context.Background(), reads); err != nil {
		t.Fatal(err)
	}
	if m := most.Load(); m > 3 || m < 1 {
		t.Errorf("%d requests at once, want at most 3", m)
	}
}

func BenchmarkRead1000(b *testing.B) {
	list := &collection{list: "clients", paging: "both", n: 1000}
	a := serveLists(b, map[string]*collection{"clients": list})
	tn := open(b, a.config())
	b.ReportAllocs()
	for b.Loop() {
		got, err := tn.Read(context.Background(), []kind.Read{{Path: "clients", List: "clients"}})
		if err != nil || len(got["clients?"].([]any)) != 1000 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(a.requests()))/float64(b.N), "requests/op")
}
