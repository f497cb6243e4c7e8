package tenant

import (
	"context"
	"net/url"
	"path"
	"strconv"

	"github.com/ecplan/ecplan/pkg/kind"
)

// paging is how an endpoint gives a collection in pieces (facts §3.0, and the
// OpenAPI document's query parameters).
type paging int

const (
	byNumber paging = iota // page, per_page, include_totals
	byAction               // page, per_page; always an envelope, from which zeros are left out
	byLog                  // page, per_page; its total is that of the page, and it ends at offsetLimit
	byCursor               // take, from
	whole                  // all at once, as a bare array
)

// offsetLimit is how many items page numbers reach: beyond, Auth0 answers
// invalid_paging where it knows checkpoints (facts §3.0).
const offsetLimit = 1000

// style is how one endpoint pages.
type style struct {
	paging paging
	// cursor says that take and from are understood beside page numbers.
	cursor bool
	// size is the most that a page can have.
	size int
}

// styles are those that differ from the usual, by the path's pattern.
var styles = []struct {
	pattern string
	style   style
}{
	{"actions/actions", style{byAction, false, 100}},
	{"actions/actions/*/versions", style{byAction, false, 100}},
	{"actions/triggers/*/bindings", style{byAction, false, 100}},
	// https://auth0.com/docs/deploy-monitor/logs/log-search-query-syntax, "Pagination".
	{"logs", style{byLog, false, 100}},
	{"connections/*/clients", style{byCursor, true, 1000}},
	{"clients/*/connections", style{byCursor, true, 100}},
	{"connection-profiles", style{byCursor, true, 10}},
	{"user-attribute-profiles", style{byCursor, true, 50}}, // go-auth0 asks for 50; no maximum is documented
	{"clients", style{byNumber, true, 100}},
	{"client-grants", style{byNumber, true, 100}},
	{"client-grants/*/organizations", style{byNumber, true, 100}},
	{"connections", style{byNumber, true, 100}},
	{"organizations", style{byNumber, true, 100}},
	{"organizations/*/members", style{byNumber, true, 100}},
	{"roles/*/users", style{byNumber, true, 100}},
}

func styleOf(r kind.Read) style {
	if r.List == "[]" {
		return style{paging: whole}
	}
	for _, s := range styles {
		if ok, err := path.Match(s.pattern, r.Path); err == nil && ok {
			return s.style
		}
	}
	return style{byNumber, false, 100}
}

// query asks for page n, counted from 0.
func (s style) query(n int) string {
	switch s.paging {
	case whole, byCursor:
		return ""
	case byAction, byLog: // include_totals is not among its parameters, or tells nothing
		return "page=" + strconv.Itoa(n) + "&per_page=" + strconv.Itoa(s.size)
	case byNumber:
	}
	return "include_totals=true&page=" + strconv.Itoa(n) + "&per_page=" + strconv.Itoa(s.size)
}

// take asks for what follows the checkpoint from.
func (s style) take(from string) string {
	q := "take=" + strconv.Itoa(s.size)
	if from != "" {
		q = "from=" + url.QueryEscape(from) + "&" + q
	}
	return q
}

// page is one answer of a collection.
type page struct {
	items []any
	total int // -1 if the answer does not tell
	size  int // as the answer gives it; 0 if it does not
	next  string
}

// complete says that nothing follows p.
func (p page) complete(s style) bool {
	switch {
	case s.paging == whole:
		return true
	case p.total >= 0:
		return len(p.items) >= p.total
	}
	size := s.size
	if p.size > 0 {
		size = min(size, p.size)
	}
	return len(p.items) < size
}

// page asks for one page. What has not the shape of one is an error, never empty.
func (t *Tenant) page(ctx context.Context, r kind.Read, query string) (page, bool, error) {
	p := page{total: -1}
	body, found, err := t.get(ctx, r, query)
	if err != nil || !found {
		return p, found, err
	}
	var ok bool
	switch body := body.(type) {
	case []any: // a bare array, asked for or not
		p.items, ok = body, true
	case map[string]any:
		p.items, ok = body[r.List].([]any)
		p.next, _ = body["next"].(string)
		p.size = number(body, "per_page", 0)
		p.total = number(body, "total", -1)
	}
	if !ok {
		return p, false, t.misread(r, "has no list of "+r.List)
	}
	if p.items == nil {
		p.items = []any{}
	}
	return p, true, nil
}

func number(body map[string]any, name string, otherwise int) int {
	if n, ok := body[name].(float64); ok {
		return int(n)
	}
	return otherwise
}
