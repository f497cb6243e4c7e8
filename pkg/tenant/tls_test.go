package tenant

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecplan/ecplan/pkg/kind"
)

func TestTLS(t *testing.T) {
	a := serveTLS(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("%s came by %s, want HTTP/2", r.URL.Path, r.Proto)
		}
		if r.URL.Path == "/oauth/token" {
			reply(w, 200, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 3600})
			return
		}
		reply(w, 200, map[string]any{})
	})
	cfg := a.config()
	cfg.Token, cfg.ClientID, cfg.ClientSecret = "", "me", clientSecret
	read := []kind.Read{{Path: "tenants/settings"}}

	_, err := open(t, cfg).Read(context.Background(), read)
	if e := failure(t, err, "signed by an authority that is not trusted here", "ca_file"); e.Sent || len(a.requests()) != 0 {
		t.Errorf("%+v", e)
	}

	cfg.CAFile = caFile(t, a.Server)
	if _, err := open(t, cfg).Read(context.Background(), read); err != nil {
		t.Error(err)
	}
	if n := len(a.requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}

	// A shared transport is left as it is.
	cfg.Transport = NewTransport()
	if _, err := open(t, cfg).Read(context.Background(), read); err != nil {
		t.Error(err)
	}
	if c := cfg.Transport.TLSClientConfig; c != nil && c.RootCAs != nil {
		t.Error("the shared transport was given the tenant's CA")
	}

	// A write that fails in the handshake was not sent.
	cfg = a.config()
	_, err = open(t, cfg).Send(context.Background(), post(nil))
	if e := failure(t, err, "not trusted"); e.Sent || e.Unknown {
		t.Errorf("%+v", e)
	}

	// TLS where the host speaks plain http.
	plain := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { reply(w, 200, nil) })
	cfg = plain.config()
	cfg.Insecure = false
	_, err = open(t, cfg).Send(context.Background(), post(nil))
	failure(t, err, "plain http where TLS was expected", "insecure: true")
}

func caFile(t testing.TB, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, certPEM(s.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
