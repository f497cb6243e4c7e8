// Package tenant is one Auth0 tenant: how ecplan authenticates to it, how fast it may
// ask, what it asks and what it sends. It is the only importer of go-auth0.
//
// Read answers the planner's questions, all pages of them; Send carries out one
// write and tells a failure from an outcome that nobody knows. The package does not
// know what a client or an Action is, what a plan is, or in what order writes go;
// planner and executor hand it paths and bodies, and it hands back value trees.
//
// Requests are paced by what the tenant says of its limits (pacing.go), and only
// repeated where that is safe (send.go). go-auth0 makes the requests, but its own
// retries are off, its token sources unused (they know no context) and redirects,
// which it would follow with the bearer, refused.
package tenant

import (
	"cmp"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/auth0/go-auth0/management"
	"golang.org/x/sync/semaphore"
)

// Config says which tenant, who asks, and how.
type Config struct {
	// Name is the Tenant resource's name, for messages.
	Name string
	// Domain is the canonical host, with a port on loopback only: "acme.eu.auth0.com".
	Domain string
	// Insecure sends plain http; loopback only.
	Insecure bool
	// CAFile names a PEM file with certificate authorities to trust besides the system's.
	CAFile string
	// Timeout bounds one request, from the connection to the last byte of the answer;
	// 0 means 30 seconds.
	Timeout time.Duration

	// ClientID with ClientSecret, or with PrivateKey (the PEM of an RSA key whose
	// public half is a credential of the client); or Token, a Management API token.
	ClientID, ClientSecret, PrivateKey, Token string

	// UserAgent is sent with each request; "" means that of go-auth0.
	UserAgent string
	// RateShare is the part of the tenant's rate limit that may be used, above 0 and
	// up to 1; 0 means all of it.
	RateShare float64
	// Concurrency bounds the requests under way at once; 0 means 8.
	Concurrency int
	// Transport, if there, is shared with other tenants (see NewTransport). With a
	// CAFile the tenant uses a copy.
	Transport *http.Transport
	// Observe, if there, is told of each request and each wait. It is called from
	// several goroutines and must not block. No event holds a secret.
	Observe func(Event)

	// Backoff is the wait before a GET is asked again, doubled each time; 0 means half a second.
	Backoff time.Duration
	// LimitWait bounds how long one request goes on waiting while it is answered with
	// 429; 0 means two minutes.
	LimitWait time.Duration
	// Jitter draws from [0, 1) to spread waits; nil means random.
	Jitter func() float64
}

// Event is one thing that happened: a request that was answered or failed, or a wait
// that begins.
type Event struct {
	Tenant string
	// Op is method and path: "GET clients". Query is as sent.
	Op, Query string
	// Attempt counts the sendings of one request from 1.
	Attempt int
	// Status is the answer's; 0 if there was none.
	Status int
	// Took is how long the request took.
	Took time.Duration
	// Wait, if not 0, says that this is a wait of about that length, and Why what
	// for: "rate limit" or "next try".
	Wait time.Duration
	Why  string
}

// Tenant is one tenant. Its methods may be called at the same time.
type Tenant struct {
	cfg   Config
	key   *rsa.PrivateKey
	api   *management.Management
	plain *http.Client // for the token endpoint
	pace  *pacer
	slots *semaphore.Weighted
	auth  auth
}

// Open prepares a tenant. Nothing is sent yet; what is wrong with the configuration
// itself, such as an unreadable key, is found here; the caller says of which tenant.
func Open(cfg Config) (*Tenant, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, 30*time.Second)
	cfg.Concurrency = cmp.Or(cfg.Concurrency, 8)
	cfg.Backoff = cmp.Or(cfg.Backoff, 500*time.Millisecond)
	cfg.LimitWait = cmp.Or(cfg.LimitWait, 2*time.Minute)
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64 //nolint:gosec // spreading waits needs no secrecy
	}
	if err := checkDomain(cfg.Domain, cfg.Insecure); err != nil {
		return nil, err
	}
	if cfg.RateShare < 0 || cfg.RateShare > 1 {
		return nil, fmt.Errorf("the rate share is %v; it must be above 0 and at most 1", cfg.RateShare)
	}
	if cfg.Timeout < 0 || cfg.Concurrency < 0 || cfg.Backoff < 0 || cfg.LimitWait < 0 {
		return nil, errors.New("timeout, concurrency and waits must not be negative")
	}
	key, err := checkCredentials(cfg)
	if err != nil {
		return nil, err
	}
	transport, err := transportFor(cfg)
	if err != nil {
		return nil, err
	}
	t := &Tenant{
		cfg:   cfg,
		key:   key,
		pace:  newPacer(cmp.Or(cfg.RateShare, 1)),
		slots: semaphore.NewWeighted(int64(cfg.Concurrency)),
		auth:  auth{turn: make(chan struct{}, 1)},
	}
	t.plain = &http.Client{
		Transport:     named{transport, cfg.UserAgent},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var options []management.Option
	if cfg.Insecure {
		options = append(options, management.WithInsecure()) // first: it sets a token of its own
	}
	// The bearer is put in by carrier, which knows the context of each request.
	options = append(options, management.WithStaticToken("unused"), management.WithNoRetries(),
		management.WithClient(&http.Client{Transport: carrier{transport}}))
	if cfg.UserAgent != "" {
		options = append(options, management.WithUserAgent(cfg.UserAgent))
	}
	if t.api, err = management.New(cfg.Domain, options...); err != nil {
		return nil, fmt.Errorf("the domain %q can't be used: %w", cfg.Domain, err)
	}
	return t, nil
}

// Name is the Tenant resource's name.
func (t *Tenant) Name() string { return t.cfg.Name }

// Domain is the canonical domain.
func (t *Tenant) Domain() string { return t.cfg.Domain }

// audience is the identifier of the tenant's Management API, over plain http too (facts §1.2 e).
func (t *Tenant) audience() string { return "https://" + t.cfg.Domain + "/api/v2/" }

func (t *Tenant) observe(e Event) {
	if t.cfg.Observe != nil {
		e.Tenant = t.cfg.Name
		t.cfg.Observe(e)
	}
}

// pause waits for d, or until ctx ends, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func checkDomain(domain string, insecure bool) error {
	if domain == "" {
		return errors.New("no domain is given; it is the host of the tenant, such as acme.eu.auth0.com")
	}
	u, err := url.Parse("https://" + domain)
	if err != nil || u.Host != domain || u.Hostname() == "" {
		return fmt.Errorf("the domain %q is not a host name; give it without scheme, path or trailing slash, such as acme.eu.auth0.com", domain)
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	local := host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
	if insecure && !local {
		return fmt.Errorf("plain http to %q is refused, because the token would travel unencrypted; insecure is for loopback only", domain)
	}
	if u.Port() != "" && !local {
		return fmt.Errorf("the domain %q has a port; Auth0 has none, ports are for loopback only", domain)
	}
	return nil
}
