package auth0sim

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// limiter holds the token buckets of a tenant (facts §4). Auth0's limits need their
// fill and their time of being full in headers, which x/time/rate does not tell.
type limiter struct {
	mu        sync.Mutex
	global    *bucket            // nil: rest is for what has no bucket of its own
	rest      *bucket            // of "All other endpoints combined"
	tokens    []*bucket          // of the token endpoint: the Authentication API's limits
	endpoints map[string]*bucket // by what endpoint says
}

// bucket refills every millisecond if its rate is per second, every second if it is
// per minute (facts §4).
type bucket struct {
	burst, perSecond float64
	step             time.Duration
	left             float64
	at               time.Time
}

func perSecond(burst, rate float64) *bucket {
	return &bucket{burst: burst, perSecond: rate, step: time.Millisecond, left: burst}
}

func perMinute(burst, rate float64) *bucket {
	return &bucket{burst: burst, perSecond: rate / 60, step: time.Second, left: burst}
}

// Plans are what Options.RateLimit may be.
const Plans = "off, free, essentials, professional, enterprise-nonprod, enterprise, private-cloud-dev, private-cloud[-5x|-15x|-30x|-60x|-100x] or BURST,PER_SECOND"

// privateClouds are the tiers of facts §4, by how many times the basic one they are.
var privateClouds = map[string]float64{
	"private-cloud": 1, "private-cloud-5x": 5, "private-cloud-15x": 15, "private-cloud-30x": 30, "private-cloud-60x": 60, "private-cloud-100x": 100,
}

// rates are burst and requests a minute, by what endpoint says: facts §4, and where they
// are silent the page of the plan below A0-RL, rate-limit-configurations.
type rates map[string][2]float64

var (
	selfServiceRates = rates{
		"read clients": {5, 100}, "read connections": {5, 50}, "read users": {40, 500}, "write users": {20, 200}, "delete users": {20, 200}, "read logs": {10, 100},
		"read organizations": {5, 50}, "read one organization": {20, 200}, "read organization by name": {10, 100}, "write organizations": {5, 25},
		"read organization connections": {5, 50}, "write organization connections": {5, 25},
		"read organization members": {40, 500}, "write organization members": {20, 200}, "read member roles": {20, 200}, "write member roles": {20, 200},
		"read organization client grants": {10, 100}, "create organization client grants": {5, 150}, "read clients with q": {5, 150},
	}
	enterpriseRates = rates{
		"read organizations": {10, 100}, "read organization by name": {20, 200}, "write organizations": {5, 150},
		"read organization connections": {10, 100}, "write organization connections": {5, 150},
		"read organization members": {40, 500}, "write organization members": {20, 200}, "read member roles": {20, 200}, "write member roles": {20, 200},
		"read organization client grants": {10, 100}, "create organization client grants": {5, 150}, "read clients with q": {5, 150},
	}
)

// buckets makes those of a plan that has n times these rates. Every plan has the same for
// the status of connections.
func (r rates) buckets(n float64) map[string]*bucket {
	out := map[string]*bucket{"read connection status": perSecond(100, 15)}
	for name, rate := range r {
		out[name] = perMinute(n*rate[0], n*rate[1])
	}
	return out
}

// newLimiter reads a plan's name or BURST,PER_SECOND; nil is no limit.
func newLimiter(plan string) (*limiter, error) {
	switch plan {
	case "", "off":
		return nil, nil
	case "free":
		return &limiter{global: perSecond(2, 2), tokens: []*bucket{perMinute(300, 300), perSecond(30, 30)}, endpoints: rates{}.buckets(1)}, nil
	case "essentials", "professional": // no limit for all of the API, but one for each of some endpoints and one for the rest
		return &limiter{rest: perMinute(10, 150), tokens: []*bucket{perSecond(25, 25)}, endpoints: selfServiceRates.buckets(1)}, nil
	case "enterprise-nonprod":
		return &limiter{global: perSecond(10, 2), tokens: []*bucket{perSecond(100, 100)}, endpoints: enterpriseRates.buckets(1)}, nil
	case "enterprise":
		return &limiter{global: perSecond(50, 16), tokens: []*bucket{perSecond(100, 100)}, endpoints: enterpriseRates.buckets(1)}, nil
	case "private-cloud-dev":
		return privateCloud(20, 20, 1), nil
	}
	if n := privateClouds[plan]; n > 0 {
		return privateCloud(50*n, 100*n, n), nil
	}
	b, r, found := strings.Cut(plan, ",")
	burst, errB := strconv.ParseFloat(strings.TrimSpace(b), 64)
	rate, errR := strconv.ParseFloat(strings.TrimSpace(r), 64)
	if !found || errB != nil || errR != nil || burst < 1 || rate <= 0 || math.IsNaN(burst+rate) || math.IsInf(burst+rate, 0) {
		return nil, fmt.Errorf("rate limit %q: it is %s", plan, Plans)
	}
	return &limiter{global: perSecond(burst, rate), tokens: []*bucket{perSecond(100, 100)}}, nil
}

// privateCloud has Enterprise's endpoint buckets n times, and one for single organizations.
func privateCloud(management, authentication, n float64) *limiter {
	l := &limiter{global: perSecond(management, management), tokens: []*bucket{perSecond(authentication, authentication)}, endpoints: enterpriseRates.buckets(n)}
	l.endpoints["read one organization"] = perMinute(40*n, 500*n)
	return l
}

// endpoint names the buckets that a route may have, the first that the plan knows being
// its: pattern is "GET organizations/{id}".
func endpoint(pattern string, query url.Values) []string {
	method, path, _ := strings.Cut(pattern, " ")
	kind := "write "
	if method == http.MethodGet {
		kind = "read "
	}
	switch {
	case path == "organizations/{id}" && method == http.MethodGet:
		return []string{"read one organization", "read organizations"}
	case path == "organizations/name/{name}":
		return []string{"read organization by name"}
	case path == "organizations" || path == "organizations/{id}":
		return []string{kind + "organizations"}
	case strings.HasPrefix(path, "organizations/{id}/connections") || strings.HasPrefix(path, "organizations/{id}/enabled_connections"):
		return []string{kind + "organization connections"}
	case path == "organizations/{id}/members":
		return []string{kind + "organization members"}
	case path == "organizations/{id}/members/{user_id}/roles":
		return []string{kind + "member roles"}
	case pattern == "GET organizations/{id}/client-grants":
		return []string{"read organization client grants"}
	case pattern == "POST organizations/{id}/client-grants":
		return []string{"create organization client grants"}
	case path == "clients" && query.Has("q"):
		return []string{kind + "clients with q", kind + "clients"}
	case path == "clients" || path == "clients/{id}":
		return []string{kind + "clients"}
	case path == "connections" || path == "connections/{id}":
		return []string{kind + "connections"}
	case path == "connections/{id}/status":
		return []string{"read connection status"}
	case pattern == "DELETE users/{id}":
		return []string{"delete users"}
	case path == "users" || path == "users/{id}":
		return []string{kind + "users"}
	case path == "logs" || path == "logs/{id}":
		return []string{"read logs"}
	}
	return nil
}

// take takes one token, and says how many are left and when the bucket is full.
func (b *bucket) take(now time.Time) (taken bool, left int, full time.Time) {
	if b.at.IsZero() {
		b.at = now
	}
	if steps := now.Sub(b.at) / b.step; steps > 0 {
		b.left = min(b.burst, b.left+b.perSecond*(steps*b.step).Seconds())
		b.at = b.at.Add(steps * b.step)
	}
	if b.left >= 1 {
		b.left--
		taken = true
	}
	missing := (b.burst - b.left) / b.perSecond
	if !taken {
		missing = (1 - b.left) / b.perSecond // until one more call is let through
	}
	return taken, int(b.left), now.Add(time.Duration(missing * float64(time.Second)))
}

// fill fills all buckets.
func (l *limiter) fill() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append([]*bucket{l.global, l.rest}, l.tokens...)
	for _, b := range slices.AppendSeq(all, maps.Values(l.endpoints)) {
		if b != nil {
			b.left, b.at = b.burst, time.Time{}
		}
	}
}

// buckets are those that a request takes from, the global one first (facts §4).
func (l *limiter) buckets(pattern string, query url.Values) []*bucket {
	if pattern == "token" {
		return l.tokens
	}
	var own *bucket
	for _, name := range endpoint(pattern, query) {
		if own = l.endpoints[name]; own != nil {
			break
		}
	}
	switch {
	case l.global == nil && own == nil:
		return []*bucket{l.rest}
	case l.global == nil:
		return []*bucket{own}
	case own == nil:
		return []*bucket{l.global}
	}
	return []*bucket{l.global, own}
}

// idleLimit is what a tenant without a limit shows (REC-rb: 50, of which 49 are left).
const idleLimit = 50

// setLimit sets the headers that every answer has (facts §3.0).
func setLimit(h http.Header, limit, left int, reset time.Time) {
	h["X-Ratelimit-Limit"] = []string{strconv.Itoa(limit)}
	h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(left)}
	h["X-Ratelimit-Reset"] = []string{strconv.FormatInt(int64(math.Ceil(float64(reset.UnixMilli())/1000)), 10)}
}

// limit takes from the buckets that a request falls under, the global one first,
// and fills in the headers.
func (s *Server) limit(c *call, req *Request, pattern string, h http.Header) *answer {
	if s.limits == nil {
		setLimit(h, idleLimit, idleLimit-1, c.now.Add(time.Second))
		return nil
	}
	l := s.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.buckets(pattern, c.query) {
		taken, left, reset := b.take(c.now)
		setLimit(h, int(b.burst), left, reset)
		if taken {
			continue
		}
		a := tooManyRequests(pattern == "token")
		a.encoded, a.header = encode(a.body), h
		if s.o.RetryAfter {
			h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(reset.Sub(c.now).Seconds())))))
		}
		return &a
	}
	return nil
}

// entities are how many objects of a kind a tenant may have (A0-LIM, facts §4).
type entities struct{ clients, apis, grants, connections int }

// entities goes by the plan that the rate limit names; all else has those of Enterprise
// (for whose connections no source has a number).
func (s *Server) entities() entities {
	switch s.o.RateLimit {
	case "free":
		return entities{clients: 10, apis: 10, grants: 100, connections: 100}
	case "essentials", "professional":
		return entities{clients: 100, apis: 100, grants: 10_000, connections: 100}
	}
	return entities{clients: 100_000, apis: 100_000, grants: 100_000, connections: math.MaxInt}
}

// tooManyRequests is facts §3.0 (auth0-reset-tenant #31), or that of the token endpoint:
// facts §3.11, its description UNCONFIRMED.
func tooManyRequests(token bool) answer {
	const text = "Global limit has been reached"
	if token {
		return oauthError(http.StatusTooManyRequests, "too_many_requests", text)
	}
	return failure(http.StatusTooManyRequests, "too_many_requests", text)
}
