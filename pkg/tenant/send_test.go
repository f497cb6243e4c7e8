package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/pkg/kind"
)

var quiet = log.New(io.Discard, "", 0)

func TestSend(t *testing.T) {
	var body, contentType string
	a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, contentType = string(b), r.Header.Get("Content-Type")
		w.Header().Set("X-Extra", "1")
		reply(w, 201, map[string]any{"id": "x", "n": 3})
	})
	tn := open(t, a.config())
	got, err := tn.Send(context.Background(), Request{
		Method: http.MethodPatch, Path: []string{"resource-servers", "https://a.example/v1"}, Query: "force=true",
		Body: map[string]any{"name": nil, "scopes": []any{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 201 || got.Header.Get("X-Extra") != "1" || !cmp.Equal(got.Body, any(map[string]any{"id": "x", "n": 3.0})) {
		t.Errorf("response is %+v", got)
	}
	want := []string{"PATCH /api/v2/resource-servers/https:%2F%2Fa.example%2Fv1?force=true"}
	if d := cmp.Diff(want, a.requests()); d != "" {
		t.Error(d)
	}
	if strings.TrimSpace(body) != `{"name":null,"scopes":[]}` || contentType != "application/json" {
		t.Errorf("sent %q as %q", body, contentType)
	}
}

func TestSendEmpty(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			t.Errorf("length %d, want an empty body", r.ContentLength)
		}
		w.WriteHeader(204)
	})
	got, err := open(t, a.config()).Send(context.Background(), Request{Method: http.MethodDelete, Path: []string{"clients", "abc"}})
	if err != nil || got.Body != nil || got.Status != 204 {
		t.Errorf("%+v, %v", got, err)
	}
}

// An id that is empty would make DELETE clients/ID a request about all clients.
func TestSendRefusesPaths(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reply(w, 204, nil) })
	for _, path := range [][]string{nil, {"clients", ""}, {"clients", ".."}, {"clients", ".", "x"}} {
		_, err := open(t, a.config()).Send(context.Background(), Request{Method: http.MethodDelete, Path: path})
		if e := failure(t, err, "was not sent"); e.Sent || e.Unknown {
			t.Errorf("%v: %+v", path, e)
		}
	}
	if n := len(a.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// A write whose outcome is not known goes out once, whatever happens to it.
func TestWriteIsSentOnce(t *testing.T) {
	cut := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(201)
		_, _ = io.WriteString(w, `{"client_id": "`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		says   string
		status int
	}{
		"dropped":   {drop, "the connection broke", 0},
		"500":       {func(w http.ResponseWriter, _ *http.Request) { reply(w, 500, apiError(500, "", "oops")) }, "500 Internal Server Error: oops", 500},
		"503 later": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "0"); reply(w, 503, nil) }, "503", 503},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) { cut(w) }, "the connection broke", 201},
		"not JSON":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>\x1b[31m") }, "not JSON (text/html", 200},
		"a redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/x")
			w.WriteHeader(303)
		}, "a redirect to elsewhere.example", 303},
	} {
		for _, reused := range []bool{false, true} {
			t.Run(name+" reused="+strconv.FormatBool(reused), func(t *testing.T) {
				var posts atomic.Int32
				a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodGet {
						reply(w, 200, map[string]any{})
						return
					}
					posts.Add(1)
					c.answer(w, r)
				})
				a.Config.ErrorLog = quiet
				tn := open(t, a.config())
				if reused { // an idle connection is what net/http repeats requests on
					if _, err := tn.Read(context.Background(), []kind.Read{{Path: "tenants/settings"}}); err != nil {
						t.Fatal(err)
					}
				}
				_, err := tn.Send(context.Background(), post(map[string]any{"name": "x"}))
				e := failure(t, err, c.says, "Whether it took effect is not known", "POST clients on tenant local ("+a.domain()+")")
				if !e.Unknown || !e.Sent || e.Status != c.status {
					t.Errorf("%+v", e)
				}
				if strings.ContainsAny(err.Error(), "\x1b\n") {
					t.Errorf("control characters in %q", err)
				}
				if posts.Load() != 1 {
					t.Errorf("%d POSTs, want 1", posts.Load())
				}
			})
		}
	}
}

func TestWriteRefused(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req-1")
		reply(w, 409, apiError(409, "resource_server_conflict", "A resource server with the same identifier already exists."))
	})
	_, err := open(t, a.config()).Send(context.Background(), post(nil))
	e := failure(t, err, "was refused with 409 Conflict: A resource server with the same identifier already exists. (resource_server_conflict).")
	if e.Unknown || !e.Sent || e.Status != 409 || e.Code != "resource_server_conflict" || e.RequestID != "req-1" || len(a.requests()) != 1 {
		t.Errorf("%+v after %d requests", e, len(a.requests()))
	}
}

func TestWriteTimesOut(t *testing.T) {
	release := make(chan struct{})
	a := serve(t, func(_ int, _ http.ResponseWriter, _ *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	cfg := a.config()
	cfg.Timeout = 50 * time.Millisecond
	_, err := open(t, cfg).Send(context.Background(), post(nil))
	if e := failure(t, err, "got no answer within 50ms", "not known"); !e.Unknown || !e.Sent {
		t.Errorf("%+v", e)
	}
	if n := len(a.requests()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// A hang is asked about twice, not four times: it costs the whole timeout each time.
func TestReadTimesOut(t *testing.T) {
	release := make(chan struct{})
	a := serve(t, func(_ int, _ http.ResponseWriter, _ *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	cfg := a.config()
	cfg.Timeout = 50 * time.Millisecond
	_, err := open(t, cfg).Read(context.Background(), []kind.Read{{Path: "tenants/settings"}})
	if e := failure(t, err, "got no answer within 50ms 2 times"); e.Unknown {
		t.Errorf("%+v", e)
	}
	if n := len(a.requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// What never reached the tenant is not unknown, and may be tried again.
func TestWriteUnreachable(t *testing.T) {
	cfg := Config{Name: "local", Domain: refusedAddress(t), Insecure: true, Token: secretToken, Backoff: time.Millisecond}
	var sent atomic.Int32
	cfg.Observe = func(e Event) {
		if e.Wait == 0 {
			sent.Add(1)
		}
	}
	_, err := open(t, cfg).Send(context.Background(), post(nil))
	if e := failure(t, err, "failed 4 times: the connection was refused: nothing listens there"); e.Unknown || e.Sent {
		t.Errorf("%+v", e)
	}
	if sent.Load() != tries {
		t.Errorf("%d tries, want %d", sent.Load(), tries)
	}
}

// The transport looks for a second connection only if nothing reached the first; if
// there is none, the request was not sent.
func TestWrittenBeginsAnew(t *testing.T) {
	var s sending
	trace := httptrace.ContextClientTrace(watched(context.Background(), &s))
	trace.GetConn("")
	if s.written.Load() {
		t.Error("written before there was a connection")
	}
	trace.GotConn(httptrace.GotConnInfo{Reused: true})
	if !s.written.Load() {
		t.Error("a connection was there, so something may have been written")
	}
	trace.GetConn("")
	if s.written.Load() {
		t.Error("nothing was written to the second")
	}
}

func TestReadIsRetried(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter, r *http.Request){
		"dropped": drop,
		"502":     func(w http.ResponseWriter, _ *http.Request) { reply(w, 502, nil) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"a":`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n < tries {
					fail(w, r)
					return
				}
				reply(w, 200, map[string]any{"n": n})
			})
			cfg := a.config()
			cfg.Transport = NewTransport()
			cfg.Transport.DisableKeepAlives = true // else net/http repeats some by itself
			got, err := open(t, cfg).Read(context.Background(), []kind.Read{{Path: "tenants/settings"}})
			if d := cmp.Diff(map[string]any{"tenants/settings?": map[string]any{"n": float64(tries)}}, got); err != nil || d != "" {
				t.Errorf("%v %s", err, d)
			}
		})
	}
}

func TestReadGivesUp(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reply(w, 503, apiError(503, "", "down")) })
	_, err := open(t, a.config()).Read(context.Background(), []kind.Read{{Path: "roles", List: "roles", For: "Role/x"}})
	failure(t, err, "GET roles (for Role/x)", "failed 4 times with 503 Service Unavailable: down", "status.auth0.com")
	if n := len(a.requests()); n != tries {
		t.Errorf("%d requests, want %d", n, tries)
	}
}

func limited(w http.ResponseWriter, in time.Duration) {
	w.Header().Set("X-RateLimit-Limit", "10")
	w.Header().Set("X-RateLimit-Remaining", "0")
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(in).Unix(), 10))
	reply(w, 429, apiError(429, "too_many_requests", "Global limit has been reached"))
}

func TestLimitIsWaitedFor(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		a := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n <= 3 {
				limited(w, 0)
				return
			}
			reply(w, 200, map[string]any{})
		})
		if _, err := open(t, a.config()).Send(context.Background(), Request{Method: method, Path: []string{"clients"}}); err != nil {
			t.Errorf("%s: %v", method, err)
		}
		if n := len(a.requests()); n != 4 {
			t.Errorf("%s: %d requests, want 4", method, n)
		}
	}
}

func TestLimitStorm(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { limited(w, 0) })
	cfg := a.config()
	cfg.LimitWait = 20 * time.Millisecond
	_, err := open(t, cfg).Send(context.Background(), post(nil))
	e := failure(t, err, "with 429 for its rate limit (X-RateLimit-Limit: 10)", "more than 20ms", "Nothing was changed by it")
	if e.Unknown || e.Status != 429 || e.Code != "too_many_requests" {
		t.Errorf("%+v", e)
	}
	if n := len(a.requests()); n < 2 || n > 8 {
		t.Errorf("%d requests", n)
	}
}

// A tenant that asks for more patience than there is gets none.
func TestLimitFarAway(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		reply(w, 429, nil)
	})
	_, err := open(t, a.config()).Send(context.Background(), post(nil))
	failure(t, err, "was refused with 429 for a rate limit", "the next try would be in 1h0m0s")
}

// Waiting for a limit ends at once with the context, whichever wait it is.
func TestWaitsStop(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"after a 429": func(w http.ResponseWriter) { limited(w, 30*time.Second) },
		"for the bucket": func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Limit", "10")
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
			reply(w, 200, map[string]any{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { answer(w) })
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			cfg := a.config()
			cfg.Observe = func(e Event) {
				if e.Wait > 0 && e.Why == "rate limit" {
					cancel()
				}
			}
			tn := open(t, cfg)
			var err error
			for range 2 {
				_, err = tn.Send(ctx, post(nil))
			}
			e := failure(t, err, "was not sent, because ecplan was told to stop")
			if !errors.Is(err, context.Canceled) || e.Sent || e.Unknown {
				t.Errorf("%+v", e)
			}
			if n := len(a.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestStoppedWhileSending(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	a := serve(t, func(_ int, _ http.ResponseWriter, _ *http.Request) { cancel(); <-release })
	t.Cleanup(func() { close(release) })
	_, err := open(t, a.config()).Send(ctx, post(nil))
	e := failure(t, err, "was given up", "not known")
	if !e.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v", e)
	}
}

// The bearer must not travel to where a redirect leads.
func TestRedirectIsNotFollowed(t *testing.T) {
	other := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reply(w, 200, map[string]any{}) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/api/v2/x", status)
		})
		_, err := open(t, a.config()).Read(context.Background(), []kind.Read{{Path: "tenants/settings"}})
		failure(t, err, "was answered with "+strconv.Itoa(status)+", a redirect to "+other.domain(), "not its custom domain")

		cfg := a.config()
		cfg.Token, cfg.ClientID, cfg.ClientSecret = "", "me", clientSecret
		_, err = open(t, cfg).Identity(context.Background())
		failure(t, err, "POST oauth/token", "a redirect to "+other.domain())
	}
	if n := len(other.requests()); n != 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

// What the tenant repeats of a request must not bring secrets into messages.
func TestErrorsHoldNoSecrets(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		var body struct{ Value string }
		_ = json.Unmarshal(b, &body)
		reply(w, 400, apiError(400, "invalid_body", "Object didn't pass validation: "+body.Value+" and "+r.Header.Get("Authorization")+"\n\x1b[2Jforged\u202e"))
	})
	r := post(map[string]any{"value": clientSecret})
	r.Secrets = []string{clientSecret}
	_, err := open(t, a.config()).Send(context.Background(), r)
	e := failure(t, err, "Object didn't pass validation: (sensitive) and Bearer (sensitive)", "forged")
	if strings.ContainsAny(err.Error()+e.Message, "\n\x1b\u202e") {
		t.Errorf("what could forge a line is in %q", err)
	}
	long := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		reply(w, 400, apiError(400, "", strings.Repeat("é", 100000)))
	})
	_, err = open(t, long.config()).Send(context.Background(), post(nil))
	if failure(t, err); len(err.Error()) > 2000 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}
