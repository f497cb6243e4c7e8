package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// api is a Management API that answers as the test says, and remembers what it got.
type api struct {
	*httptest.Server
	mu  sync.Mutex
	got []string // "METHOD path?query"
}

// serve starts a server on plain http. answer gets the number of the request, from 1.
func serve(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(a.handler(answer))
	t.Cleanup(a.Close)
	return a
}

func serveTLS(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *api {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewUnstartedServer(a.handler(answer))
	a.EnableHTTP2 = true
	a.Config.ErrorLog = quiet
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

func (a *api) handler(answer func(n int, w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		line := r.Method + " " + r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			line += "?" + r.URL.RawQuery
		}
		a.mu.Lock()
		a.got = append(a.got, line)
		n := len(a.got)
		a.mu.Unlock()
		answer(n, w, r)
	}
}

func (a *api) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.got...)
}

func (a *api) domain() string {
	_, host, _ := strings.Cut(a.URL, "://")
	return host
}

// secretToken is what no message may hold.
const secretToken = "token-that-nobody-may-see"

// config is one for a, with waits that don't make tests slow.
func (a *api) config() Config {
	return Config{
		Name: "local", Domain: a.domain(), Insecure: strings.HasPrefix(a.URL, "http:"), Token: secretToken,
		Backoff: time.Millisecond, LimitWait: time.Minute, Timeout: 20 * time.Second,
		Jitter: func() float64 { return 0.5 },
	}
}

func open(t testing.TB, cfg Config) *Tenant {
	t.Helper()
	tn, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tn
}

// failure asserts that err is an *Error that has all the texts and holds no secret.
func failure(t testing.TB, err error, texts ...string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T %v, want *Error", err, err)
	}
	for _, text := range append(texts, e.Op, e.Tenant) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error does not say %q:\n%s", text, err)
		}
	}
	for _, secret := range []string{secretToken, clientSecret} {
		for i := error(e); i != nil; i = errors.Unwrap(i) {
			if strings.Contains(i.Error(), secret) {
				t.Errorf("error %T holds the secret %s: %s", i, secret, i)
			}
		}
	}
	return e
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(w).Encode(body)
	}
}

func apiError(status int, code, message string) map[string]any {
	e := map[string]any{"statusCode": status, "error": http.StatusText(status), "message": message}
	if code != "" {
		e["errorCode"] = code
	}
	return e
}

// drop closes the connection without an answer, after the request was read.
func drop(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func post(body any) Request {
	return Request{Method: http.MethodPost, Path: []string{"clients"}, Body: body}
}

func TestOpenRefuses(t *testing.T) {
	good := func() Config { return Config{Name: "prod", Domain: "acme.eu.auth0.com", Token: "t"} }
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"no domain":           {func(c *Config) { c.Domain = "" }, "no domain is given"},
		"a scheme":            {func(c *Config) { c.Domain = "https://acme.eu.auth0.com" }, "without scheme"},
		"a path":              {func(c *Config) { c.Domain = "acme.eu.auth0.com/" }, "trailing slash"},
		"a user":              {func(c *Config) { c.Domain = "me@acme.eu.auth0.com" }, "is not a host name"},
		"a blank":             {func(c *Config) { c.Domain = "acme .com" }, "is not a host name"},
		"a port":              {func(c *Config) { c.Domain = "acme.eu.auth0.com:443" }, "has a port"},
		"plain http":          {func(c *Config) { c.Insecure = true }, "for loopback only"},
		"no credentials":      {func(c *Config) { c.Token = "" }, "there are no credentials"},
		"two credentials":     {func(c *Config) { c.ClientSecret = "s" }, "several credentials"},
		"secret without id":   {func(c *Config) { c.Token, c.ClientSecret = "", "s" }, "client_id is missing"},
		"a token of two":      {func(c *Config) { c.Token = "a\nb" }, "copied whole"},
		"a share above 1":     {func(c *Config) { c.RateShare = 1.5 }, "rate share"},
		"a negative timeout":  {func(c *Config) { c.Timeout = -1 }, "must not be negative"},
		"a missing CA":        {func(c *Config) { c.CAFile = "/nonexistent/ca.pem" }, "CA file"},
		"a key that is none":  {func(c *Config) { c.Token, c.ClientID, c.PrivateKey = "", "id", "nonsense" }, "not in PEM format"},
		"a key that is short": {func(c *Config) { c.Token, c.ClientID, c.PrivateKey = "", "id", rsaPEM(t, 1024) }, "1024 bits"},
		"a public key":        {func(c *Config) { c.Token, c.ClientID, c.PrivateKey = "", "id", publicPEM(t) }, "public key"},
		"an EC key":           {func(c *Config) { c.Token, c.ClientID, c.PrivateKey = "", "id", ecPEM(t) }, "not an RSA key"},
		"a damaged key": {func(c *Config) {
			c.Token, c.ClientID = "", "id"
			c.PrivateKey = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"
		}, "damaged"},
		"an encrypted key": {func(c *Config) {
			c.Token, c.ClientID = "", "id"
			c.PrivateKey = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
		}, "passphrase"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			c.change(&cfg)
			_, err := Open(cfg)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v, want one that says %q", err, c.says)
			}
		})
	}
	if _, err := Open(good()); err != nil {
		t.Errorf("the good one: %v", err)
	}
	for _, local := range []string{"localhost:3000", "127.0.0.1:3000", "[::1]:3000", "tenant.localhost:1"} {
		if _, err := Open(Config{Domain: local, Insecure: true, Token: "t"}); err != nil {
			t.Errorf("%s: %v", local, err)
		}
	}
}

// Two tenants opened and used at once must not share anything that they write to:
// go-auth0 has a global that some of its options change.
func TestTenantsAtOnce(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reply(w, 200, map[string]any{"ok": true}) })
	shared := NewTransport()
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			cfg := a.config()
			cfg.Transport, cfg.UserAgent = shared, "ecplan/test"
			tn, err := Open(cfg)
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				if _, err := tn.Send(context.Background(), post(nil)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	if n := len(a.requests()); n != 40 {
		t.Errorf("%d requests, want 40", n)
	}
}

func TestHeaders(t *testing.T) {
	var got []http.Header
	a := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Clone())
		if n == 1 {
			reply(w, 200, map[string]any{"access_token": secretToken, "expires_in": 86400, "token_type": "Bearer"})
			return
		}
		reply(w, 200, nil)
	})
	cfg := a.config()
	cfg.Token, cfg.ClientID, cfg.ClientSecret, cfg.UserAgent = "", "me", clientSecret, "ecplan/1.2"
	if _, err := open(t, cfg).Send(context.Background(), post(nil)); err != nil {
		t.Fatal(err)
	}
	for i, h := range got {
		if h.Get("User-Agent") != "ecplan/1.2" {
			t.Errorf("request %d: user agent %q", i, h.Get("User-Agent"))
		}
	}
	if got[1].Get("Authorization") != "Bearer "+secretToken {
		t.Errorf("authorization is %q", got[1].Get("Authorization"))
	}
}

// refusedAddress is one where nothing listens.
func refusedAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
