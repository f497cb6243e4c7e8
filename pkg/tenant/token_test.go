package tenant

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/ecplan/ecplan/pkg/kind"
)

const clientSecret = "client-secret-that-nobody-may-see"

func encode(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0") // to make one that is too short
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaPEM(t testing.TB, bits int) string {
	return encode(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey(t, bits)), nil)
}

func publicPEM(t testing.TB) string {
	der, err := x509.MarshalPKIXPublicKey(&rsaKey(t, 2048).PublicKey)
	return encode(t, "PUBLIC KEY", der, err)
}

func ecPEM(t testing.TB) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode(t, "PRIVATE KEY", der, err)
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func jwtOf(claims map[string]any) string {
	b, _ := json.Marshal(claims)
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256"}`)) + "." + part(b) + "." + part([]byte("signature"))
}

// issuer answers token requests with answer, and everything else with {}.
func issuer(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) (*api, Config) {
	var mu sync.Mutex
	n := 0
	a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth/token" {
			reply(w, 200, map[string]any{})
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		n++
		mine := n
		mu.Unlock()
		answer(mine, w, r)
	})
	cfg := a.config()
	cfg.Token, cfg.ClientID, cfg.ClientSecret = "", "me", clientSecret
	return a, cfg
}

func grant(w http.ResponseWriter, token string, seconds int) {
	reply(w, 200, map[string]any{"access_token": token, "expires_in": seconds, "token_type": "Bearer", "scope": "read:clients read:roles"})
}

var settings = []kind.Read{{Path: "tenants/settings"}}

func TestTokenIsFetchedOnce(t *testing.T) {
	var form map[string][]string
	a, cfg := issuer(t, func(_ int, w http.ResponseWriter, r *http.Request) { form = r.PostForm; grant(w, "opaque", 86400) })
	tn := open(t, cfg)
	var wg sync.WaitGroup
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := tn.Read(context.Background(), settings); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	id, err := tn.Identity(context.Background())
	if d := cmp.Diff(Identity{ClientID: "me", Scopes: []string{"read:clients", "read:roles"}, Known: true}, id); err != nil || d != "" {
		t.Error(err, d)
	}
	want := map[string][]string{
		"grant_type": {"client_credentials"}, "client_id": {"me"}, "client_secret": {clientSecret},
		"audience": {"https://" + a.domain() + "/api/v2/"},
	}
	if d := cmp.Diff(want, form); d != "" {
		t.Error(d)
	}
	if n := len(a.requests()); n != 21 {
		t.Errorf("%d requests, want 20 and one for the token", n)
	}
}

// A token is replaced a minute before it expires, or in the last quarter of its life.
func TestTokenIsRefreshed(t *testing.T) {
	for life, want := range map[int]int{86400: 1, 61: 1, 0: 2} {
		fetched := 0
		_, cfg := issuer(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			fetched = n
			reply(w, 200, map[string]any{"access_token": "x", "expires_in": max(life, 1), "token_type": "Bearer"})
		})
		tn := open(t, cfg)
		if _, err := tn.Read(context.Background(), settings); err != nil {
			t.Fatal(err)
		}
		if life == 0 { // as if the time were over
			tn.auth.fresh = time.Now().Add(-time.Millisecond)
		}
		if _, err := tn.Read(context.Background(), settings); err != nil {
			t.Fatal(err)
		}
		if fetched != want {
			t.Errorf("life of %d s: fetched %d times, want %d", life, fetched, want)
		}
	}
	var a auth
	a.turn = make(chan struct{}, 1)
	now := time.Now()
	for life, fresh := range map[time.Duration]time.Duration{time.Hour: 59 * time.Minute, 80 * time.Second: time.Minute} {
		a.set(tokenOf("x", now.Add(life)), now)
		if got := a.fresh.Sub(now); got != fresh {
			t.Errorf("a token for %v is used for %v, want %v", life, got, fresh)
		}
	}
}

// A token that the tenant does not take any more is replaced once, for every verb:
// a 401 says that nothing was done.
func TestTokenIsRenewedAfter401(t *testing.T) {
	issued, posts := 0, 0
	var good string
	a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			issued++
			grant(w, "t"+string(rune('0'+issued)), 86400)
			return
		}
		posts++
		if r.Header.Get("Authorization") != good {
			reply(w, 401, apiError(401, "", "Expired token received for JSON Web Token validation"))
			return
		}
		reply(w, 201, map[string]any{})
	})
	cfg := a.config()
	cfg.Token, cfg.ClientID, cfg.ClientSecret = "", "me", clientSecret
	tn := open(t, cfg)
	good = "Bearer t2"
	if _, err := tn.Send(context.Background(), post(nil)); err != nil || posts != 2 {
		t.Errorf("%v after %d POSTs", err, posts)
	}
	good = "none"
	_, err := tn.Send(context.Background(), post(nil))
	if e := failure(t, err, "401 Unauthorized: Expired token"); e.Unknown || posts != 4 || issued != 3 {
		t.Errorf("%+v after %d POSTs, %d tokens", e, posts, issued)
	}
}

func TestStaticTokenRefused(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		reply(w, 401, apiError(401, "", "Invalid token."))
	})
	expired := time.Now().Add(-time.Hour)
	for token, says := range map[string]string{
		"opaque": "Get a new token for https://" + a.domain() + "/api/v2/",
		jwtOf(map[string]any{"exp": expired.Unix()}):                                                  "The token expired at " + expired.UTC().Format(time.RFC3339),
		jwtOf(map[string]any{"aud": []string{"https://other.example/api/v2/", "https://x/userinfo"}}): "The token is for https://other.example/api/v2/, https://x/userinfo, not for https://" + a.domain(),
	} {
		cfg := a.config()
		cfg.Token = token
		_, err := open(t, cfg).Read(context.Background(), settings)
		failure(t, err, says)
		if strings.Contains(err.Error(), token) {
			t.Errorf("the token is in %s", err)
		}
	}
	if n := len(a.requests()); n != 3 {
		t.Errorf("%d requests, want 3: a given token can't be renewed", n)
	}
}

func TestTokenFailures(t *testing.T) {
	oauth := func(status int, code, text string) func(int, http.ResponseWriter, *http.Request) {
		return func(_ int, w http.ResponseWriter, _ *http.Request) {
			reply(w, status, map[string]any{"error": code, "error_description": text})
		}
	}
	for name, c := range map[string]struct {
		answer   func(int, http.ResponseWriter, *http.Request)
		says     []string
		requests int
	}{
		// the secret goes in the form, then in the header, as applications differ in what they take
		"wrong secret": {oauth(401, "access_denied", "Unauthorized"), []string{"401 Unauthorized: access_denied: Unauthorized", "The client id or the client secret is wrong", "application me"}, 2},
		"no grant": {
			oauth(403, "access_denied", `Client "me" is not authorized to access resource server "x". You need to create a "client-grant" associated to this API.`),
			[]string{"You need to create a", "Authorize the application me for the Auth0 Management API"},
			1,
		},
		"custom domain":    {oauth(403, "access_denied", "Service not enabled within domain: x"), []string{"canonical domain, not its custom domain"}, 1},
		"grant type":       {oauth(403, "unauthorized_client", "Grant type 'client_credentials' not allowed for the client."), []string{"Enable the grant type client_credentials"}, 1},
		"no such endpoint": {func(_ int, w http.ResponseWriter, _ *http.Request) { http.Error(w, "Not found.", 404) }, []string{"has no token endpoint"}, 1},
		"not JSON":         {func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, []string{"holds no token"}, 1},
		"down":             {oauth(503, "", ""), []string{"failed 4 times with 503", "status.auth0.com"}, 4},
		"dropped":          {func(_ int, w http.ResponseWriter, r *http.Request) { drop(w, r) }, []string{"the connection broke"}, 4},
		"echo": {
			func(_ int, w http.ResponseWriter, r *http.Request) {
				reply(w, 400, map[string]any{"error": "invalid_request", "error_description": "bad: " + r.PostForm.Encode()})
			},
			[]string{"client_secret=(sensitive)"},
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, cfg := issuer(t, c.answer)
			_, err := open(t, cfg).Send(context.Background(), post(nil))
			if e := failure(t, err, c.says...); e.Unknown || e.Op != "POST oauth/token" {
				t.Errorf("%+v", e)
			}
			if n := len(a.requests()); n != c.requests {
				t.Errorf("%d requests, want %d: %v", n, c.requests, a.requests())
			}
		})
	}
}

// Who waits for somebody else's token request can stop on his own.
func TestTokenWaitStops(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	_, cfg := issuer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		grant(w, "x", 86400)
	})
	tn := open(t, cfg)
	first := make(chan error)
	go func() {
		_, err := tn.Read(context.Background(), settings)
		first <- err
	}()
	<-asked
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := tn.Read(ctx, settings)
	failure(t, err, "POST oauth/token", "was not sent, because ecplan was told to stop")
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestTokenUnreachable(t *testing.T) {
	cfg := Config{Name: "local", Domain: refusedAddress(t), Insecure: true, ClientID: "me", ClientSecret: clientSecret, Backoff: time.Millisecond}
	_, err := open(t, cfg).Read(context.Background(), settings)
	failure(t, err, "POST oauth/token", "nothing listens there", "Check the domain and port")

	// The name service is asked once if it is sure that there is no such name.
	for sure, tried := range map[bool]int{true: 1, false: tries} {
		asked := 0
		cfg = Config{Name: "prod", Domain: "acme.auth0.example", ClientID: "me", ClientSecret: clientSecret, Backoff: time.Millisecond, Transport: NewTransport()}
		cfg.Transport.Proxy = nil
		cfg.Transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
			asked++
			return nil, &net.DNSError{Err: "no such host", Name: cfg.Domain, IsNotFound: sure, IsTemporary: !sure}
		}
		_, err = open(t, cfg).Read(context.Background(), settings)
		failure(t, err, "POST oauth/token on tenant prod (acme.auth0.example) failed", "the host name can't be resolved")
		if asked != tried {
			t.Errorf("asked %d times, want %d", asked, tried)
		}
	}
}

func TestTokenLimited(t *testing.T) {
	a, cfg := issuer(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n <= 2 {
			reply(w, 429, map[string]any{"error": "too_many_requests"})
			return
		}
		grant(w, "x", 86400)
	})
	if _, err := open(t, cfg).Read(context.Background(), settings); err != nil {
		t.Error(err)
	}
	if n := len(a.requests()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
	_, cfg = issuer(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reply(w, 429, nil) })
	cfg.LimitWait = 10 * time.Millisecond
	_, err := open(t, cfg).Read(context.Background(), settings)
	failure(t, err, "POST oauth/token", "429 for a rate limit")
}

// An application that is set to client_secret_basic takes the secret in the header only.
func TestTokenByHeader(t *testing.T) {
	a, cfg := issuer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if id, secret, ok := r.BasicAuth(); !ok || id != "me" || secret != clientSecret {
			reply(w, 401, map[string]any{"error": "access_denied", "error_description": "Unauthorized"})
			return
		}
		grant(w, "x", 86400)
	})
	tn := open(t, cfg)
	for range 2 {
		if _, err := tn.Read(context.Background(), settings); err != nil {
			t.Fatal(err)
		}
		tn.auth.fresh = time.Time{} // so that the next read fetches one again
	}
	if n := len(a.requests()); n != 5 {
		t.Errorf("%d requests, want 5: what worked is used again", n)
	}
}

func TestAssertion(t *testing.T) {
	key := rsaKey(t, 2048)
	var ids []string
	var a *api
	a, cfg := issuer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 { // each try has an assertion of its own: Auth0 takes one once
			reply(w, 500, nil)
		}
		form := r.PostForm
		if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || form.Has("client_secret") || form.Get("grant_type") != "client_credentials" {
			t.Errorf("form is %v", form)
		}
		parsed, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Error(err)
			return
		}
		var std jwt.Claims
		var raw map[string]any
		if err := parsed.Claims(&key.PublicKey, &std, &raw); err != nil {
			t.Error(err)
		}
		if std.Issuer != "me" || std.Subject != "me" || raw["aud"] != "https://"+a.domain()+"/" {
			t.Errorf("claims are %v", raw)
		}
		// facts §3.11: at most five minutes, jti at most 64 characters, all of it 2048 bytes
		if life := std.Expiry.Time().Sub(std.IssuedAt.Time()); life != 2*time.Minute || len(std.ID) > 64 || len(form.Get("client_assertion")) > 2048 {
			t.Errorf("it lives %v, its id is %q", life, std.ID)
		}
		ids = append(ids, std.ID)
		if n > 1 {
			grant(w, jwtOf(map[string]any{"azp": "me", "gty": "client-credentials", "scope": "read:clients"}), 86400)
		}
	})
	for _, private := range []string{
		encode(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil),
		func() string { der, err := x509.MarshalPKCS8PrivateKey(key); return encode(t, "PRIVATE KEY", der, err) }(),
	} {
		cfg.ClientSecret, cfg.PrivateKey = "", private
		if _, err := open(t, cfg).Read(context.Background(), settings); err != nil {
			t.Error(err)
		}
	}
	if len(ids) != 3 || ids[0] == ids[1] || ids[1] == ids[2] {
		t.Errorf("ids are %v, want three different ones", ids)
	}
}

func TestAssertionRefused(t *testing.T) {
	_, cfg := issuer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
		reply(w, 401, map[string]any{"error": "invalid_client", "error_description": "bad assertion " + r.PostForm.Get("client_assertion")})
	})
	cfg.ClientSecret, cfg.PrivateKey = "", rsaPEM(t, 2048)
	_, err := open(t, cfg).Read(context.Background(), settings)
	failure(t, err, "authenticates with Private Key JWT", "bad assertion (sensitive)", "differs from the tenant's by 5m")
}

func tokenOf(s string, expiry time.Time) *oauth2.Token {
	return &oauth2.Token{AccessToken: s, Expiry: expiry}
}
