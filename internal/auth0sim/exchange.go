package auth0sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2/maybe"
)

// maxBody is hapi's limit for a request body, in bytes (UNCONFIRMED for Auth0).
const maxBody = 1 << 20

const tokenPath = "/oauth/token"

// quiet keeps net/http from writing about connections that end early; a panic of
// the simulator itself still reaches stderr.
var quiet = log.New(panicsOnly{}, "", 0)

type panicsOnly struct{}

func (panicsOnly) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("panic serving")) {
		os.Stderr.Write(b) //nolint:errcheck // nowhere else to go
	}
	return len(b), nil
}

// ServeHTTP runs one request: number, fault, body, rate limit, hooks, handler, log,
// answer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if s.o.Control && strings.HasPrefix(path, "/_sim/") {
		s.control(w, r)
		return
	}
	began := s.o.Now()
	t := s.current()
	req := Request{Time: began, Tenant: t.domain, Method: r.Method, Path: path, Query: r.URL.RawQuery}
	raw, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	f, before, after := s.number(&req)
	if s.o.KeepBodies {
		req.Body = raw
	}
	c := &call{s: s, t: t, now: began, remote: r.RemoteAddr, method: r.Method, path: path, query: r.URL.Query(), header: r.Header, raw: raw}

	a, committed := answer{}, false
	switch {
	case f != nil && f.before():
		req.Fault = f.action
		a = f.early(c)
	case readErr != nil:
		a = unreadable(readErr)
	case before != nil && !before(req):
		req.Fault = "hook before"
	default:
		a = s.run(c, &req, r.Header.Get("Content-Type"))
		committed = true
	}
	if committed {
		if after != nil && !after(req) {
			req.Fault = "hook after"
			f = &fault{action: "drop after"}
		} else if f != nil {
			req.Fault = f.action
			a = f.late(c, a)
		}
	} else if req.Fault == "hook before" {
		f = &fault{action: "drop before"}
	}
	var body []byte
	if a.body != nil {
		body = a.encoded
	}
	s.wait(r, s.o.Latency)
	if f != nil && f.action == "delay" {
		s.wait(r, f.duration)
	}
	req.Status = a.status
	req.Ms = float64(s.o.Now().Sub(began).Microseconds()) / 1000
	s.record(req, raw, body)
	s.send(w, r, a, body, f)
}

// number gives a request its place and finds the fault that is meant for it.
func (s *Server) number(req *Request) (f *fault, before, after func(Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	req.N = s.n
	if strings.HasPrefix(req.Path, "/api/v2/") && req.Method != http.MethodGet && req.Method != http.MethodHead {
		s.writes++
		req.Write = s.writes
	}
	for _, x := range s.faults {
		if x.hits(req, s.o.Random) && f == nil {
			f = x
		}
	}
	return f, s.o.BeforeCommit, s.o.AfterCommit
}

func unreadable(err error) answer {
	var tooBig *http.MaxBytesError
	if errors.As(err, &tooBig) {
		a := failure(http.StatusRequestEntityTooLarge, "", "Payload content length greater than maximum allowed: %d", maxBody) // hapi; UNCONFIRMED
		a.encoded = encode(a.body)
		return a
	}
	a := badRequest("", "The request could not be read.")
	a.encoded = encode(a.body)
	return a
}

// run routes a request and lets its handler answer, with the state held.
func (s *Server) run(c *call, req *Request, contentType string) answer {
	endpoint, pattern := s.route(c, req, contentType)
	if endpoint == nil {
		req.Unknown = true
		endpoint = unknownPath
	}
	limits := http.Header{}
	if strings.HasPrefix(c.path, "/api/v2/") || req.Path == tokenPath {
		if refused := s.limit(c, req, pattern, limits); refused != nil {
			c.t.mu.RLock()
			defer c.t.mu.RUnlock()
			c.log(pattern, *refused)
			return *refused
		}
	}
	write := req.Method != http.MethodGet && req.Method != http.MethodHead
	if write {
		c.t.mu.Lock()
		defer c.t.mu.Unlock()
	} else {
		c.t.mu.RLock()
		defer c.t.mu.RUnlock()
	}
	a := endpoint()
	if a.body != nil {
		a.encoded = encode(a.body) // while the state is held: answers share it
	}
	c.log(pattern, a)
	// A refused token request changes the state too: its assertion's jti is used up.
	if write && (a.status < 400 || c.path == tokenPath) && s.o.StateFile != "" && !c.t.gone {
		if err := maybe.WriteFile(s.o.StateFile, c.t.dump(true), 0o600); err != nil {
			a = failure(http.StatusInternalServerError, "", "The simulator could not keep its state: %v", err)
			a.encoded = encode(a.body)
		}
	}
	if len(limits) > 0 {
		if a.header == nil {
			a.header = limits
		} else {
			for k, v := range limits {
				a.header[k] = v
			}
		}
	}
	return a
}

// route finds what answers a path; nil is an unknown one.
func (s *Server) route(c *call, req *Request, contentType string) (func() answer, string) {
	below, isAPI := strings.CutPrefix(c.path, "/api/v2/")
	reads := req.Method == http.MethodGet || req.Method == http.MethodHead
	switch {
	case isAPI:
		r, params := find(req.Method, below)
		if r == nil {
			return nil, ""
		}
		c.route, c.params = r, params
		return func() answer {
			if fail := c.admit(contentType); fail != nil {
				return *fail
			}
			return r.handle(c)
		}, r.method + " " + strings.Join(r.segments, "/")
	case c.path == tokenPath && req.Method == http.MethodPost:
		return func() answer { return c.token(contentType) }, "token"
	case c.path == "/.well-known/jwks.json" && reads:
		return c.keys, ""
	case c.path == "/.well-known/openid-configuration" && reads:
		return c.discovery, ""
	}
	return nil, ""
}

// record remembers and logs a request.
func (s *Server) record(req Request, raw, body []byte) {
	s.mu.Lock()
	s.requests = append(s.requests, req)
	if len(s.requests) > keptRequests+keptRequests/4 {
		s.requests = append([]Request(nil), s.requests[len(s.requests)-keptRequests:]...)
	}
	onRequest := s.onRequest
	s.mu.Unlock()
	if s.o.LogWriter != nil || s.o.Exchanges != nil {
		s.logMu.Lock()
		if s.o.LogWriter != nil {
			s.o.LogWriter.Write(append(encode(req), '\n')) //nolint:errcheck // a full disk must not stop the tenant
		}
		if s.o.Exchanges != nil {
			s.o.Exchanges.Write(append(encode(exchange{req, jsonOrNil(raw), jsonOrNil(body)}), '\n')) //nolint:errcheck // as above
		}
		s.logMu.Unlock()
	}
	if onRequest != nil {
		onRequest(req)
	}
}

// exchange is a line of Options.Exchanges.
type exchange struct {
	Request
	Sent     json.RawMessage `json:"body"`
	Answered json.RawMessage `json:"response"`
}

func jsonOrNil(b []byte) json.RawMessage {
	if json.Valid(b) {
		return b
	}
	return nil
}

// send writes the answer, or what a fault makes of it.
func (s *Server) send(w http.ResponseWriter, r *http.Request, a answer, body []byte, f *fault) {
	if f != nil && (f.silent() || f.action == "truncate" && len(body) == 0) {
		if f.hangs() {
			select {
			case <-r.Context().Done():
			case <-s.done:
			}
		}
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for k, v := range a.header {
		h[k] = v
	}
	// facts §3.0 "Other headers seen" (REC-rb)
	h.Set("Vary", "origin,accept-encoding")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	if len(body) > 0 {
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	if len(body) == 0 {
		return
	}
	if f == nil {
		w.Write(body) //nolint:errcheck // the client is gone
		return
	}
	f.write(s, w, r, body)
}

// wait sleeps unless the client or the server goes first.
func (s *Server) wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.done:
	}
}

// String names a request in a message.
func (r Request) String() string {
	return fmt.Sprintf("%s %s → %d", r.Method, r.Path, r.Status)
}
