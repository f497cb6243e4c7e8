package auth0sim

import (
	"io"
	"time"
)

// Options configures a simulated tenant. The zero value is a healthy tenant with
// nothing on it but what every tenant has, no rate limit and builds that take no time.
type Options struct {
	// Token is a fixed bearer with every scope; "" means none.
	Token string
	// TokenScopes, if not nil, are the only scopes of the fixed bearer.
	TokenScopes []string
	// ClientID and ClientSecret make a management client: client_credentials, with
	// a grant of every Management API scope.
	ClientID, ClientSecret string

	// Seed is the JSON state to begin with, in the format of Snapshot. "{{domain}}"
	// in its strings becomes the tenant's domain.
	Seed []byte
	// StateFile keeps the state: read at the start if it is there (then Seed is not
	// used), replaced atomically after each write.
	StateFile string
	// Domain is the canonical domain that the tenant answers for, with the port if
	// there is one; default the listen address.
	Domain string
	// Random tells apart what is drawn (ids, secrets). The same number and the same
	// requests give the same ids.
	Random int64
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// Latency is added to every answer.
	Latency time.Duration
	// RateLimit is one of Plans (facts §4); "" is off.
	RateLimit string
	// RetryAfter sends a Retry-After header with a 429 of the rate limit. Whether
	// the Management API does is UNCONFIRMED (facts §3.0), so it is off by default.
	RetryAfter bool
	// BuildTime is how long an Action's build takes. With 0 a draft is "pending" in
	// the answer to the write and "built" at the next read.
	BuildTime time.Duration
	// FailBuilds lists dependencies ("name" or "name@version") whose builds fail,
	// besides those that fail always (see builds.go); "*" fails every build.
	FailBuilds []string
	// ListLag and ListLagReads make a created object appear late in lists: after
	// that time, or not in that many first listings. It can be read by id at once.
	ListLag      time.Duration
	ListLagReads int
	// DeleteTime is how long the deletion of a connection takes: until it is over, its
	// name is taken (409).
	DeleteTime time.Duration
	// Faults are rules of the grammar in faults.go.
	Faults []string

	// BeforeCommit and AfterCommit, if set, are called for every request that is
	// let through to its handler: before it changes anything, and after it did but
	// before it is answered. Returning false drops the connection (and, in
	// BeforeCommit, leaves the state alone). They may block, and kill the client.
	BeforeCommit, AfterCommit func(Request) bool
	// OnRequest, if set, is called after each request is decided, before its answer
	// is sent.
	OnRequest func(Request)
	// LogWriter gets one JSON line a request, before the answer is sent.
	LogWriter io.Writer
	// KeepBodies makes Requests carry the request bodies.
	KeepBodies bool
	// Exchanges, if set, gets one JSON line a request with both bodies, for tests.
	Exchanges io.Writer

	// TLS serves https with a certificate of a CA of its own (Server.CA).
	TLS bool
	// Control serves /_sim/state, /_sim/reset, /_sim/faults and /_sim/requests.
	Control bool
}

// Request is one request that the simulator got.
type Request struct {
	// N counts all requests of the tenant from 1, Write those that are not GET (0
	// for a GET). Token requests count in N only.
	N, Write int       `json:"-"`
	Time     time.Time `json:"time"`
	Tenant   string    `json:"tenant"` // domain
	Method   string    `json:"method"`
	Path     string    `json:"path"` // as requested, escaped
	Query    string    `json:"query"`
	Status   int       `json:"status"` // 0 if the connection was dropped before there was one
	Ms       float64   `json:"ms"`     // up to the answer
	Fault    string    `json:"fault,omitempty"`
	Unknown  bool      `json:"unknown,omitempty"` // no such path in the simulator
	Body     []byte    `json:"-"`
}
