package tenant

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"
)

// NewTransport makes the transport that Open uses by default: proxies from the
// environment, HTTP/2 where there is TLS, dead connections found by pings. Tenants
// may share one.
func NewTransport() *http.Transport {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConns = 0 // one tenant must not throw out another's
	tr.MaxIdleConnsPerHost = 16
	tr.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}
	return tr
}

func transportFor(cfg Config) (*http.Transport, error) {
	tr := cfg.Transport
	if tr == nil {
		tr = NewTransport()
	}
	if cfg.CAFile == "" {
		return tr, nil
	}
	pem, err := os.ReadFile(cfg.CAFile) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, fmt.Errorf("the CA file can't be read: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %s holds no certificate in PEM format", cfg.CAFile)
	}
	tr = tr.Clone()
	if tr.TLSClientConfig == nil {
		tr.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	tr.TLSClientConfig.RootCAs = roots
	tr.ForceAttemptHTTP2 = true // a TLS configuration of one's own would turn it off
	return tr, nil
}

// sending is one attempt to send one request; it travels in the request's context.
type sending struct {
	bearer string
	// written says that the request, or a part, may have been written to a connection.
	written atomic.Bool
	// redirect is where the answer would have sent us.
	redirect string
}

type sendingKey struct{}

// watched returns ctx with s in it, set to note whether anything is written. The
// transport takes a second connection for a write only if nothing reached the
// first, so that each new search for one begins anew.
func watched(ctx context.Context, s *sending) context.Context {
	ctx = context.WithValue(ctx, sendingKey{}, s)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { s.written.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { s.written.Store(true) },
	})
}

// carrier puts the bearer in, and hides where a redirect leads: the client of
// go-auth0 drops CheckRedirect and would carry the bearer there.
type carrier struct{ base http.RoundTripper }

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	s, ok := r.Context().Value(sendingKey{}).(*sending)
	if !ok {
		return nil, fmt.Errorf("%s %s was not sent by this package", r.Method, r.URL.Path)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+s.bearer)
	resp, err := c.base.RoundTrip(r)
	if err == nil && resp.StatusCode/100 == 3 {
		s.redirect = resp.Header.Get("Location")
		resp.Header.Del("Location")
	}
	return resp, err
}

// named sets the user agent of requests that go-auth0 does not make.
type named struct {
	base      http.RoundTripper
	userAgent string
}

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.userAgent != "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", n.userAgent)
	}
	return n.base.RoundTrip(r)
}
