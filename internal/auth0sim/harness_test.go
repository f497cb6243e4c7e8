package auth0sim_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

type obj = map[string]any

const token = "fixed-token"

// tenant is a simulator that is called in process with the fixed bearer.
type tenant struct {
	testing.TB
	*auth0sim.Server
	bearer string
}

func newTenant(t testing.TB, o auth0sim.Options) *tenant {
	t.Helper()
	if o.Token == "" {
		o.Token = token
	}
	if o.Domain == "" {
		o.Domain = "tenant.example"
	}
	o.Exchanges = exchanges
	s, err := auth0sim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &tenant{t, s, o.Token}
}

// raw sends a request and returns the answer.
func (t *tenant) raw(method, path, contentType, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/oauth") && !strings.HasPrefix(path, "/.well") && !strings.HasPrefix(path, "/_sim") {
		path = "/api/v2" + path
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if t.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+t.bearer)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	t.Handler().ServeHTTP(w, r)
	return w
}

// send sends JSON and wants a status; the answer is decoded.
func (t *tenant) send(method, path string, body any, status int) any {
	t.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	w := t.raw(method, path, "application/json", text)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if w.Body.Len() == 0 {
		return nil
	}
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
	}
	return v
}

func (t *tenant) get(path string) obj { t.Helper(); return t.send("GET", path, nil, 200).(obj) }
func (t *tenant) post(path string, body any) obj {
	t.Helper()
	status := 201
	if path == "/roles" || strings.HasSuffix(path, "/deploy") || strings.HasSuffix(path, "/rotate-secret") {
		status = 200
	}
	return t.send("POST", path, body, status).(obj)
}

func (t *tenant) patch(path string, body any) obj {
	t.Helper()
	return t.send("PATCH", path, body, 200).(obj)
}

// refused sends and wants an error body with this status, code and message; a
// message that ends in "…" is a prefix.
func (t *tenant) refused(method, path string, body any, status int, code, message string) {
	t.Helper()
	got := t.send(method, path, body, status).(obj)
	have, _ := got["errorCode"].(string)
	text, _ := got["message"].(string)
	prefix, open := strings.CutSuffix(message, "…")
	fits := text == message || open && strings.HasPrefix(text, prefix)
	if have != code || !fits {
		t.Fatalf("%s %s: code %q, message %q; want %q, %q", method, path, have, text, code, message)
	}
	if got["error"] != http.StatusText(status) || got["statusCode"] != float64(status) {
		t.Fatalf("%s %s: %v", method, path, got)
	}
}

// testKey is an RSA key that tests of this package share.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicPEM(key *rsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func privatePEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// locked is a writer that goroutines share.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// exchanges collects what all tests of this package send and get, for the check
// against Auth0's document (oas_test.go).
var exchanges io.Writer = &allExchanges

var allExchanges locked
