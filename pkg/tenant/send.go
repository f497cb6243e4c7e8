package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// tries bounds how often a request is sent where sending it again is safe.
	tries = 4
	// maxAnswer bounds an answer, in bytes. A page of 100 clients has some 300 kB.
	maxAnswer = 64 << 20
)

// Request is one write.
type Request struct {
	Method string
	// Path holds the segments below /api/v2/, not escaped.
	Path []string
	// Query is encoded.
	Query string
	// Body is a value tree, sent as JSON; nil sends none.
	Body any
	// Secrets are values in Body that no error may quote, should the tenant repeat them.
	Secrets []string
}

// Response is the answer to a write that was done.
type Response struct {
	Status int
	// Body is a value tree, numbers float64; nil if the answer was empty.
	Body   any
	Header http.Header
}

// Send carries out a write. What goes wrong is an *Error, whose Unknown says that
// the write may have taken effect: then the tenant must be read before anything
// is sent again.
func (t *Tenant) Send(ctx context.Context, r Request) (Response, error) {
	c := call{method: r.Method, op: r.Method + " " + strings.Join(r.Path, "/"), query: r.Query, body: r.Body, secrets: r.Secrets}
	if len(r.Path) == 0 || slices.ContainsFunc(r.Path, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		return Response{}, t.fail(c, &Error{
			Why:    "was not sent: its path has an empty or relative segment, so that it would address something else",
			Advice: "This is a mistake in ecplan; please report it.",
		})
	}
	c.uri = t.api.URI(r.Path...)
	return t.do(ctx, c)
}

// call is a request with what its messages need.
type call struct {
	method, uri, query, op string
	body                   any
	secrets                []string
	scopes                 []string // of which one is needed, if known
	about                  string   // on whose behalf
}

func (c call) write() bool { return c.method != http.MethodGet }

// answer is what came of one attempt.
type answer struct {
	bearer   string
	status   int // 0 if not even that was answered
	header   http.Header
	body     []byte
	redirect string
	written  bool
	timedOut bool
	sent     time.Time
	err      error // there was no answer, or not all of it
}

// unknown says whether a write may or may not have taken effect: it may have
// reached the tenant, and the tenant did not say that it refused it.
func (a answer) unknown(c call) bool {
	refused := a.status >= 400 && a.status < 500
	return c.write() && a.written && !refused
}

// do sends c, again where that is safe: after a 429 or an expired token, for then
// the tenant did nothing, whatever the method; after a lost answer or a 5xx a GET
// only; and whatever of which no byte was written.
func (t *Tenant) do(ctx context.Context, c call) (Response, error) {
	var failures, limited int
	var waited time.Duration
	renewed := false
	for attempt := 1; ; attempt++ {
		a, err := t.attempt(ctx, c, attempt)
		if err != nil {
			return Response{}, err
		}
		switch {
		case a.err == nil && a.status >= 200 && a.status < 300:
			return t.decode(c, a)
		case a.status == http.StatusTooManyRequests:
			limited++
			wait := t.limitDelay(a, limited)
			if waited += wait; waited > t.cfg.LimitWait {
				return Response{}, t.fail(c, t.limitError(c, a, limited, wait))
			}
			if err := t.sleep(ctx, c, attempt, wait, "rate limit"); err != nil {
				return Response{}, err
			}
			continue
		case a.status == http.StatusUnauthorized && !renewed && t.auth.drop(a.bearer):
			renewed = true
			continue
		}
		failures++
		safe := !c.write() || !a.written
		transient := a.status >= 500 || a.err != nil && !hopeless(a.err)
		most := tries
		if a.timedOut {
			most = 2 // a tenant that hangs is asked once more, not for minutes
		}
		if !safe || !transient || failures >= most || ctx.Err() != nil {
			return Response{}, t.fail(c, t.explain(ctx, c, a, attempt))
		}
		if err := t.sleep(ctx, c, attempt, t.backoff(failures, a.header), "next try"); err != nil {
			return Response{}, err
		}
	}
}

// attempt sends c once. Its error is an *Error that ends the matter; what became
// of the request itself is in the answer.
func (t *Tenant) attempt(ctx context.Context, c call, n int) (answer, error) {
	bearer, err := t.bearer(ctx)
	if err != nil {
		return answer{}, err
	}
	if err := t.slots.Acquire(ctx, 1); err != nil {
		return answer{}, t.fail(c, notSent(err))
	}
	defer t.slots.Release(1)
	family := familyOf(c.method, c.uri)
	if err := t.pace.enter(ctx, family, func(d time.Duration) {
		t.observe(Event{Op: c.op, Query: c.query, Attempt: n, Wait: d, Why: "rate limit"})
	}); err != nil {
		return answer{}, t.fail(c, notSent(err))
	}
	a := answer{bearer: bearer, sent: time.Now()}
	t.exchange(ctx, c, &a)
	now := time.Now()
	t.pace.leave(family, a.sent, now, a.status, a.header)
	t.observe(Event{Op: c.op, Query: c.query, Attempt: n, Status: a.status, Took: now.Sub(a.sent)})
	return a, nil
}

// exchange sends c and reads the whole answer, within the timeout.
func (t *Tenant) exchange(ctx context.Context, c call, a *answer) {
	timed, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	s := &sending{bearer: a.bearer}
	defer func() {
		a.written, a.redirect = s.written.Load(), s.redirect
		a.timedOut = a.err != nil && ctx.Err() == nil && errors.Is(timed.Err(), context.DeadlineExceeded)
	}()
	req, err := t.api.NewRequest(watched(timed, s), c.method, c.uri, c.body)
	if err != nil {
		a.err = err
		return
	}
	req.URL.RawQuery = c.query
	resp, err := t.api.Do(req)
	if err != nil {
		a.err = err
		return
	}
	defer resp.Body.Close() //nolint:errcheck // the answer is read; there is nothing to do about it
	a.status, a.header = resp.StatusCode, resp.Header
	a.body, a.err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if a.err == nil && len(a.body) > maxAnswer {
		a.err = fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	}
}

// decode makes a value tree of a 2xx. A write whose answer can't be read was done,
// but what it made is not known.
func (t *Tenant) decode(c call, a answer) (Response, error) {
	r := Response{Status: a.status, Header: a.header}
	if len(a.body) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(a.body, &r.Body); err != nil {
		return Response{}, t.fail(c, &Error{
			Status: a.status, Sent: true, Unknown: c.write(), RequestID: requestID(a.header),
			Why:    fmt.Sprintf("was answered with %d and something that is not JSON (%s): %s", a.status, a.header.Get("Content-Type"), t.excerpt(a.body, c)),
			Advice: "Check that the domain is the tenant's own, and that no proxy or login page answers in its place.",
			Err:    err,
		})
	}
	return r, nil
}

// backoff is the wait before the try after n failures: what the tenant asks for,
// else Config.Backoff doubled each time, a half of it drawn.
func (t *Tenant) backoff(n int, h http.Header) time.Duration {
	d := t.cfg.Backoff << min(n-1, 10)
	d = min(d, 10*time.Second)
	d = d/2 + time.Duration(t.cfg.Jitter()*float64(d/2))
	if asked := retryAfter(h, time.Now()); asked > d && asked <= 30*time.Second {
		d = asked
	}
	return d
}

// limitDelay is the wait after the nth 429: until the tenant says, and longer the
// more often it did not hold.
func (t *Tenant) limitDelay(a answer, n int) time.Duration {
	d := t.backoff(n, nil)
	if asked := retryAfter(a.header, time.Now()); asked > 0 {
		return max(d, asked)
	}
	return max(d, t.pace.untilReset(a.header, time.Now()))
}

// sleep waits, tells so, and stops at once when ctx ends.
func (t *Tenant) sleep(ctx context.Context, c call, attempt int, d time.Duration, why string) error {
	t.observe(Event{Op: c.op, Query: c.query, Attempt: attempt, Wait: d, Why: why})
	if err := pause(ctx, d); err != nil {
		return t.fail(c, notSent(err))
	}
	return nil
}

// familyOf names the endpoints that Auth0 may count together: reads or writes of
// one collection, ids left out (facts §4).
func familyOf(method, uri string) string {
	family := "write "
	if method == http.MethodGet {
		family = "read "
	}
	u, err := url.Parse(uri)
	if err != nil {
		return family
	}
	_, below, _ := strings.Cut(u.EscapedPath(), "/api/v2/")
	parts := strings.Split(below, "/")
	family += parts[0]
	if len(parts) > 2 {
		family += "/" + parts[2]
	}
	return family
}
