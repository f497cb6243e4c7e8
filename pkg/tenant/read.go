package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// Read answers all reads, by Read.Key, asking the tenant for each once and for
// several at the same time. An answer is []any of all pages where Read.List names a
// collection, else map[string]any; nil where the object is not there, or the object
// that a collection belongs to ("roles/rol_1/permissions").
//
// If some reads are refused for lack of scopes, the error joins all those refusals.
// Any other failure stops the rest.
func (t *Tenant) Read(ctx context.Context, reads []kind.Read) (map[string]any, error) {
	wanted := map[string]kind.Read{}
	for _, r := range reads {
		wanted[r.Key()] = r
	}
	if len(wanted) == 0 {
		return map[string]any{}, nil
	}
	// One token first: without one every read would fail for the same reason.
	if _, err := t.bearer(ctx); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	answers, failed := map[string]any{}, map[string]error{}
	var g sync.WaitGroup
	for key, r := range wanted {
		g.Go(func() {
			a, err := t.read(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			if answers[key] = a; err != nil {
				failed[key] = err
			}
		})
	}
	g.Wait()
	// What is told does not depend on which answer came first: all refusals, for each
	// names a scope, or else the first failure by key, for the others are like it.
	var refusals []error
	for _, key := range manifest.Keys(failed) {
		if e := (*Error)(nil); !errors.As(failed[key], &e) || e.Status != http.StatusForbidden {
			return nil, failed[key]
		}
		refusals = append(refusals, failed[key])
	}
	if len(refusals) > 0 {
		return nil, errors.Join(refusals...)
	}
	return answers, nil
}

func (t *Tenant) read(ctx context.Context, r kind.Read) (any, error) {
	if r.List == "" {
		body, found, err := t.get(ctx, r, "")
		if err != nil || !found {
			return nil, err
		}
		if _, ok := body.(map[string]any); !ok {
			return nil, t.misread(r, "is not an object")
		}
		return body, nil
	}
	items, found, err := t.collect(ctx, r)
	if err != nil || !found {
		return nil, err
	}
	return items, nil
}

// get sends one GET. found is false for the 404 of an object that is not there; a
// 404 of anything else than the API, or of a collection as such, is an error.
func (t *Tenant) get(ctx context.Context, r kind.Read, paging string) (body any, found bool, err error) {
	c := t.callOf(r)
	c.query = strings.Trim(r.Query+"&"+paging, "&")
	resp, err := t.do(ctx, c)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound && e.notFound && (r.List == "" || strings.Count(r.Path, "/") >= 2) {
		return nil, false, nil
	}
	return resp.Body, true, err
}

func (t *Tenant) callOf(r kind.Read) call {
	return call{
		method: http.MethodGet, op: http.MethodGet + " " + r.Path, uri: t.api.URI() + r.Path,
		scopes: r.Scopes, about: r.For, query: r.Query,
	}
}

// misread is the error of an answer that has not the shape it should have. To take
// it for "nothing there" could make duplicates.
func (t *Tenant) misread(r kind.Read, what string) error {
	return t.fail(t.callOf(r), &Error{
		Status: http.StatusOK, Sent: true,
		Why:    "was answered with something that " + what,
		Advice: "Check that the domain is the tenant's own, and that no proxy answers in its place.",
	})
}

// auth0Says reports whether body is an error of the Management API (facts §3.0), and
// not of something in front of it.
func auth0Says(body []byte, status int) bool {
	var b struct {
		StatusCode int `json:"statusCode"`
	}
	return json.Unmarshal(body, &b) == nil && b.StatusCode == status
}

// collect reads all pages of a collection.
func (t *Tenant) collect(ctx context.Context, r kind.Read) (items []any, found bool, err error) {
	s := styleOf(r)
	if s.paging == byCursor {
		return t.follow(ctx, r, s)
	}
	// A total that changes from page to page means that items moved between pages, so
	// that one may have been missed: then all is read again.
	for range 3 {
		items, found, err = t.turn(ctx, r, s)
		if !errors.Is(err, errMoved) {
			return items, found, err
		}
	}
	return nil, false, t.fail(t.callOf(r), &Error{
		Sent:   true,
		Why:    "could not be read as a whole: somebody adds or removes items all the time, so that pages don't fit together",
		Advice: "Try again when nobody else changes the tenant.",
		Err:    errMoved,
	})
}

var errMoved = errors.New("the collection changed while it was read")

// turn reads a collection by page numbers: the first page tells how many there are,
// the others are asked for at the same time.
func (t *Tenant) turn(ctx context.Context, r kind.Read, s style) ([]any, bool, error) {
	first, found, err := t.page(ctx, r, s.query(0))
	if err != nil || !found || first.complete(s) {
		return first.items, found, err
	}
	if first.total < 0 {
		return t.turnOn(ctx, r, s, first)
	}
	if first.total > offsetLimit && s.cursor {
		return t.follow(ctx, r, s)
	}
	size := len(first.items) // all but the last page are full
	if size == 0 {
		return nil, false, errMoved
	}
	pages := make([][]any, (first.total+size-1)/size)
	pages[0] = first.items
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.cfg.Concurrency)
	for i := 1; i < len(pages); i++ {
		g.Go(func() error {
			p, found, err := t.page(ctx, r, s.query(i))
			if err != nil {
				return err
			}
			if !found || p.total != first.total || i < len(pages)-1 && len(p.items) != size {
				return errMoved
			}
			pages[i] = p.items
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, false, err
	}
	return slices.Concat(pages...), true, nil
}

// turnOn reads page after page of a collection that does not tell its total. Of a log,
// what lies beyond offsetLimit stays unread.
func (t *Tenant) turnOn(ctx context.Context, r kind.Read, s style, p page) ([]any, bool, error) {
	items := p.items
	for i := 1; !p.complete(s) && (s.paging != byLog || i*s.size < offsetLimit); i++ {
		var found bool
		var err error
		if p, found, err = t.page(ctx, r, s.query(i)); err != nil {
			return nil, false, err
		}
		if !found {
			return nil, false, errMoved
		}
		items = append(items, p.items...)
	}
	return items, true, nil
}

// follow reads a collection by checkpoints, one page after the other.
func (t *Tenant) follow(ctx context.Context, r kind.Read, s style) ([]any, bool, error) {
	items, from := []any{}, ""
	for seen := map[string]bool{}; ; {
		p, found, err := t.page(ctx, r, s.take(from))
		if err != nil || !found {
			return nil, false, err
		}
		items = append(items, p.items...)
		if p.next == "" {
			return items, true, nil
		}
		if seen[p.next] {
			return nil, false, t.misread(r, fmt.Sprintf("leads back to the checkpoint %q of an earlier page", clean(p.next, 40)))
		}
		seen[p.next], from = true, p.next
	}
}
