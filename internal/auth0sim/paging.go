package auth0sim

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// beyondCap is facts §3.0 as it was reported of real tenants (terraform-provider-auth0
// #863 of organizations, auth0-python #277 of a role's users); {page} is the page.
const beyondCap = "Requesting page {page} exceeds the allowed maximum of 1000 records. To fetch results beyond 1000, use the checkpoint pagination method."

// style is how one endpoint lists (facts §3.0 "Paging").
type style struct {
	key        string // of the array in an envelope
	perPage    int    // default; 0 means 50
	take       int    // default of checkpoint paging; 0 means 50
	checkpoint bool   // take and from are known
	alwaysNext bool   // next even on the last page, unless that is empty
	always     bool   // checkpoint paging even without take and from
	capped     string // what refuses offsets beyond 1000 records; "": they are not
	links      bool   // a Link header (REC-rb, GET /connections)
	length     bool   // the envelope also has "length" (REC-tf DataSourceUser)
	pageTotal  bool   // total is that of the page (log-search-query-syntax, "Pagination")
}

// page cuts items by the request's paging parameters. place says where an item stands in
// the listing's order, as a text that sorts like it; nil: by its number in the list.
func (c *call) page(s style, items []obj, place func(i int) string) answer {
	if s.checkpoint && (c.query.Has("take") || c.query.Has("from") || s.always) {
		return c.checkpoint(s, items, place)
	}
	page, perPage := c.intQuery("page", 0), c.perPage(s.perPage)
	if s.capped != "" && (page+1)*perPage > 1000 && page > 0 {
		return badRequest("invalid_paging", "%s", strings.Replace(s.capped, "{page}", strconv.Itoa(page), 1))
	}
	start, end := c.window(len(items), s.perPage)
	cut := items[start:end]
	var a answer
	if c.query.Get("include_totals") == "true" {
		body := obj{s.key: cut, "start": page * perPage, "limit": perPage, "total": len(items)}
		if s.pageTotal {
			body["total"] = len(cut)
		}
		if s.length {
			body["length"] = len(cut)
		}
		a = ok(body)
	} else {
		a = ok(cut)
	}
	if s.links {
		a.header = http.Header{"Link": {c.links(page, perPage, len(items))}}
	}
	return a
}

func (c *call) perPage(otherwise int) int {
	if n := c.intQuery("per_page", otherwise); n > 0 {
		return n
	}
	return 50
}

// window is where in a list of n the page is that the request asks for.
func (c *call) window(n, otherwise int) (start, end int) {
	page, perPage := c.intQuery("page", 0), c.perPage(otherwise)
	start = n
	if page <= n/perPage {
		start = page * perPage
	}
	start = min(start, n)
	return start, min(start+perPage, n)
}

func (c *call) links(page, perPage, total int) string {
	last := max(0, (total-1)/perPage)
	link := func(rel string, p int) string {
		q := maps.Clone(c.query)
		q.Set("page", strconv.Itoa(p))
		q.Set("per_page", strconv.Itoa(perPage))
		return fmt.Sprintf(`<https://%s%s?%s>; rel="%s"`, c.t.domain, c.path, q.Encode(), rel)
	}
	out := []string{link("first", 0)}
	if page > 0 {
		out = append(out, link("prev", page-1))
	}
	if page < last {
		out = append(out, link("next", page+1))
	}
	return strings.Join(append(out, link("last", last)), ", ")
}

// checkpoint is the take/from paging: next is there only if more follows. It names the
// last item by its id and, should that be gone by then, by its place, so that what is
// deleted or created meanwhile neither repeats nor hides another. (A place in the order of
// creation is another one after a restart.)
func (c *call) checkpoint(s style, items []obj, place func(i int) string) answer {
	take := c.intQuery("take", s.take)
	if take == 0 {
		take = 50
	}
	if place == nil {
		place = func(i int) string { return ordinal(i + 1) }
	}
	after := ""
	if from := c.query.Get("from"); from != "" {
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(from), "="))
		if err != nil || !utf8.Valid(raw) {
			return badRequest("invalid_paging", "The 'from' parameter is invalid.") // wording UNCONFIRMED
		}
		after = string(utf8.MaxRune) // a cursor to something that is not here: nothing follows it; UNCONFIRMED
		id := ""
		text, known := strings.CutPrefix(string(raw), "after:")
		if i := strings.LastIndexByte(text, ':'); known && i >= 0 {
			after, id = text[:i], text[i+1:]
		}
		if i := slices.IndexFunc(items, func(o obj) bool { return id != "" && idOf(o) == id }); i >= 0 {
			after = place(i)
		}
	}
	cut, next := []obj{}, -1
	for i, item := range items {
		if place(i) <= after {
			continue
		}
		if len(cut) == take {
			next = i - 1
			break
		}
		cut = append(cut, item)
	}
	body := obj{s.key: cut}
	if next < 0 && s.alwaysNext && len(cut) > 0 {
		next = len(items) - 1
	}
	if next >= 0 {
		body["next"] = base64.RawURLEncoding.EncodeToString([]byte("after:" + place(next) + ":" + idOf(items[next])))
	}
	return ok(body)
}

// idOf is the id that a listed object shows, "" if it was not asked for.
func idOf(o obj) string {
	return cmp.Or(str(o["id"]), str(o["client_id"]), str(o["user_id"]))
}

// sparsePage is the paging of /actions: always an envelope, and a zero is left out
// of it (facts §3.0, REC-tf DataSourceAction).
func (c *call) sparsePage(key string, items []obj) answer {
	perPage := c.intQuery("per_page", 20)
	if perPage == 0 {
		perPage = 20
	}
	page := c.intQuery("page", 0)
	start := len(items)
	if page <= len(items)/perPage {
		start = page * perPage
	}
	end := min(start+perPage, len(items))
	body := obj{key: items[start:end], "per_page": perPage}
	if page > 0 {
		body["page"] = page
	}
	// REC-tf DataSourceAction #15: a page beyond the end has no total either.
	if end > start {
		body["total"] = len(items)
	}
	return ok(body)
}

// ordinal writes a number so that it sorts as a text.
func ordinal(n int) string { return fmt.Sprintf("%010d", n) }

// listing collects what a list shows: records that are old enough to be listed, and their
// places in the order of creation.
func listing[T interface{ rec() *record }](c *call, all []T, keep func(T) bool, show func(T) obj) ([]obj, func(int) string) {
	items, places := []obj{}, []int{}
	for _, x := range all {
		r := x.rec()
		if c.hidden(r) || keep != nil && !keep(x) {
			continue
		}
		items, places = append(items, show(x)), append(places, r.n)
	}
	return items, func(i int) string { return ordinal(places[i]) }
}

// hidden says whether r is too young to be listed (Options.ListLag).
func (c *call) hidden(r *record) bool {
	if c.s.o.ListLag > 0 && !r.born.IsZero() && c.now.Sub(r.born) < c.s.o.ListLag {
		return true
	}
	if c.s.o.ListLagReads > 0 {
		c.s.lag.Lock() // lists run at the same time
		defer c.s.lag.Unlock()
		if r.unseen > 0 {
			r.unseen--
			return true
		}
	}
	return false
}

// fields applies fields and include_fields. Some fields stay whatever was asked,
// as the recordings show (REC-tf ConnectionClients: id and others beside
// fields=strategy,name).
func (c *call) fields(o obj, always ...string) obj {
	asked := c.query.Get("fields")
	if asked == "" {
		return o
	}
	named := map[string]bool{}
	for _, f := range strings.Split(asked, ",") {
		named[strings.TrimSpace(f)] = true
	}
	include := c.query.Get("include_fields") != "false"
	if include {
		for _, f := range always {
			named[f] = true
		}
	}
	out := obj{}
	for k, v := range o {
		if named[k] == include {
			out[k] = v
		}
	}
	return out
}

func (c *call) intQuery(name string, otherwise int) int {
	given := c.query.Get(name)
	if given == "" {
		return otherwise
	}
	// far is beyond every list, and its product with a page size still fits.
	const far = 1_000_000_000
	n, err := strconv.ParseFloat(given, 64) // as checkParameters does
	if err != nil || n > far || math.IsNaN(n) {
		return far
	}
	return int(max(n, 0))
}

// sort puts items in the order that sort asks for: "field:1" or "field:-1" (OAS GET
// /users, GET /logs). What lacks the field comes last; that, and the 400 of a sort that
// can't be read or is of a field that the documents exclude, are UNCONFIRMED.
func (c *call) sort(items []obj, excluded ...string) *answer {
	by := c.query.Get("sort")
	if by == "" {
		return nil
	}
	field, order, _ := strings.Cut(by, ":")
	top, _, _ := strings.Cut(field, ".")
	if field == "" || order != "1" && order != "-1" || slices.Contains(excluded, top) {
		a := badRequest("invalid_query_string", "The 'sort' parameter is invalid: %s.", by)
		return &a
	}
	first := func(o obj) any {
		if all := leaves(o, field); len(all) > 0 {
			return all[0]
		}
		return nil
	}
	slices.SortStableFunc(items, func(a, b obj) int {
		x, y := first(a), first(b)
		textX, hasX := textOf(x)
		textY, hasY := textOf(y)
		switch {
		case !hasX || !hasY:
			return compareBool(hasY, hasX)
		case order == "-1":
			x, y, textX, textY = y, x, textY, textX
		}
		switch x.(type) {
		case float64, int:
			return cmp.Compare(num(x), num(y))
		}
		return strings.Compare(textX, textY)
	})
	return nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
