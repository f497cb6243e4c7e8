package auth0sim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is one simulated tenant.
type Server struct {
	o        Options
	fixed    *bearer // of Options.Token
	verified verified
	limits   *limiter // nil: off
	lag      sync.Mutex

	tenantMu sync.RWMutex // guards the pointer, which reset replaces
	tenant   *tenant

	resetting sync.Mutex

	mu        sync.Mutex // guards what follows
	n, writes int
	requests  []Request
	faults    []*fault
	onRequest func(Request)
	logMu     sync.Mutex

	http   *http.Server
	addr   net.Addr
	ca     []byte // PEM
	done   chan struct{}
	closed sync.Once
}

// keptRequests bounds what Requests remembers: the newest.
const keptRequests = 50_000

// New makes a tenant without a listener. It fails on options that can't be: a seed
// that is no state, a rate limit or fault that can't be read, a state file that is
// damaged.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Exchanges == nil {
		o.Exchanges = exchangesFile()
	}
	go table() // read the document while the caller goes on
	if o.ClientID != "" {
		go newSigningKey() // it will ask for a token
	}
	s := &Server{o: o, done: make(chan struct{}), onRequest: o.OnRequest}
	s.fixed = &bearer{all: o.TokenScopes == nil, scopes: map[string]bool{}}
	s.fixed.scope = strings.Join(o.TokenScopes, " ")
	for _, scope := range o.TokenScopes {
		s.fixed.scopes[scope] = true
	}
	var err error
	if s.limits, err = newLimiter(o.RateLimit); err != nil {
		return nil, err
	}
	if err := s.SetFaults(o.Faults...); err != nil {
		return nil, err
	}
	domain := o.Domain
	if domain == "" {
		domain = "auth0sim.localhost" // until Listen
	}
	return s, s.start(domain)
}

// start makes the tenant that the options describe.
func (s *Server) start(domain string) error {
	t := newTenant(domain, s.o.Random)
	seed := bytes.ReplaceAll(s.o.Seed, []byte("{{domain}}"), []byte(domain)) // not in a state that was kept: it may say so itself
	if s.o.StateFile != "" {
		dropLeftovers(s.o.StateFile)
		switch kept, err := os.ReadFile(s.o.StateFile); {
		case err == nil:
			seed = kept
		case !errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("read the simulator's state: %w", err)
		default: // it will be made, if there is a folder for it
			if _, err := os.Stat(filepath.Dir(s.o.StateFile)); err != nil {
				return fmt.Errorf("keep the simulator's state: %w", err)
			}
		}
	}
	if len(seed) > 0 {
		if err := t.load(seed, s.o.Now()); err != nil {
			return fmt.Errorf("read the simulator's state: %w", err)
		}
	}
	if s.o.ClientID != "" {
		t.addManagementClient(s.o.ClientID, s.o.ClientSecret)
	}
	s.tenantMu.Lock()
	s.tenant = t
	s.tenantMu.Unlock()
	s.verified.forget() // the key may be another
	return nil
}

// dropLeftovers removes what a kill while a state was written left beside it: files that
// renameio names by the state's and a number.
func dropLeftovers(file string) {
	dir, name := filepath.Split(file)
	others, _ := os.ReadDir(cmp.Or(dir, ".")) //nolint:errcheck // reading the state will say it
	for _, other := range others {
		number, isTemp := strings.CutPrefix(other.Name(), "."+name)
		if isTemp && number != "" && strings.Trim(number, "0123456789") == "" {
			os.Remove(filepath.Join(dir, other.Name())) //nolint:errcheck // it is only in the way
		}
	}
}

// addManagementClient makes the client that a caller authenticates as, with every
// scope of the Management API, unless the state has it already.
func (t *tenant) addManagementClient(id, secret string) {
	if cl, found := t.clients.get(id); found {
		cl.secret = secret
		return
	}
	o := obj{"name": "Simulator management client", "app_type": "non_interactive", "grant_types": []any{"client_credentials"}, "token_endpoint_auth_method": "client_secret_post"}
	clientDefaults(o)
	t.clients.add(&client{record: record{id: id, o: o}, secret: secret, used: map[string]obj{}})
	var scopes []any
	for _, s := range managementScopes() {
		scopes = append(scopes, s.(obj)["value"])
	}
	t.grants.add(&grant{record{id: "cgr_" + t.draw.alnum(16), o: obj{"client_id": id, "audience": t.managementAPI(), "scope": scopes, "subject_type": "client"}}})
}

// Listen serves on a loopback address ("127.0.0.1:0" takes a free port) until
// Close. It refuses any other address, for the simulator guards nothing.
// Options.Domain, if empty, becomes host:port.
func (s *Server) Listen(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen address %q: the simulator listens on loopback only (127.0.0.1, ::1, localhost)", addr)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	ip := net.ParseIP(hostOf(l.Addr().String()))
	if ip == nil || !ip.IsLoopback() {
		return errors.Join(fmt.Errorf("listen address %q: it is not loopback", addr), l.Close())
	}
	s.addr = l.Addr()
	if s.o.Domain == "" {
		if err := s.start(l.Addr().String()); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: quiet}
	if s.o.TLS {
		config, ca, err := newTLS(ip)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		s.http.TLSConfig, s.ca = config, ca
		go s.http.ServeTLS(l, "", "") //nolint:errcheck // ends with Close
		return nil
	}
	go s.http.Serve(l) //nolint:errcheck // ends with Close
	return nil
}

func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}

// Close stops listening and drops every connection. It may be called again.
func (s *Server) Close() error {
	s.closed.Do(func() { close(s.done) })
	if s.http != nil {
		return s.http.Close()
	}
	return nil
}

// Handler serves the tenant without a listener. A dropped connection is a panic
// with http.ErrAbortHandler, as net/http wants it.
func (s *Server) Handler() http.Handler { return s }

// Domain is the tenant's canonical domain, with the port if it has one.
func (s *Server) Domain() string { return s.current().domain }

// URL is where the tenant is served: "http://127.0.0.1:4010". Before Listen it is
// made of the domain.
func (s *Server) URL() string { return s.base() }

// CA is the certificate authority of a TLS server in PEM; nil before Listen or
// without TLS.
func (s *Server) CA() []byte { return s.ca }

func (s *Server) base() string {
	scheme, host := "http://", s.Domain()
	if s.o.TLS {
		scheme = "https://"
	}
	if s.addr != nil {
		host = s.addr.String()
	}
	return scheme + host
}

func (s *Server) current() *tenant {
	s.tenantMu.RLock()
	defer s.tenantMu.RUnlock()
	return s.tenant
}

// Reset brings the tenant back to its seed, forgets requests and their count and fills
// the buckets of rate limits; faults stay, counting anew. A state file is overwritten.
func (s *Server) Reset() error {
	s.resetting.Lock()
	defer s.resetting.Unlock()
	old := s.current()
	old.mu.Lock() // so that no write that began before comes after
	defer old.mu.Unlock()
	old.gone = true
	domain := old.domain
	if s.o.StateFile != "" {
		if err := os.Remove(s.o.StateFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("reset the simulator: %w", err)
		}
	}
	if err := s.start(domain); err != nil {
		return err
	}
	s.limits.fill()
	s.ResetRequests()
	return nil
}

// Requests are the newest requests, oldest first, up to 50,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetRequests forgets the requests and begins to count at 1 again.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.writes, s.requests = 0, 0, nil
	for _, f := range s.faults {
		f.seen = 0
	}
}

// OnRequest sets (or with nil takes away) what is called after each request is
// decided, before its answer is sent.
func (s *Server) OnRequest(f func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onRequest = f
}

// SetHooks sets Options.BeforeCommit and AfterCommit of a running server; nil takes
// one away. See Options.
func (s *Server) SetHooks(before, after func(Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.BeforeCommit, s.o.AfterCommit = before, after
}

// Addr is the address that Listen took, "" before it.
func (s *Server) Addr() string {
	if s.addr == nil {
		return ""
	}
	return s.addr.String()
}
