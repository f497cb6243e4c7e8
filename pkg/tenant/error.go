package tenant

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// Error is a request that failed, or whose outcome nobody knows.
type Error struct {
	// Tenant is the Tenant resource's name, Domain its host.
	Tenant, Domain string
	// Op is what was attempted, method and path: "POST clients".
	Op string
	// For is the address on whose behalf it was, "" if unknown.
	For string
	// Status is that of the last answer; 0 if there was none.
	Status int
	// Code is Auth0's errorCode ("insufficient_scope") or, from the token endpoint,
	// its error ("access_denied"). Many answers have none.
	Code string
	// Message is what the tenant said, shortened, without control characters or secrets.
	Message string
	// RequestID is the tenant's name for the request, for Auth0's support.
	RequestID string
	// Scopes, with a 403 for lack of scope, are those of which one is needed.
	Scopes []string
	// Sent says that the last attempt may have reached the tenant.
	Sent bool
	// Unknown says that this was a write that may or may not have taken effect.
	Unknown bool
	// Why continues "POST clients on tenant prod …": "was refused with 403 …".
	Why string
	// Advice says in full sentences what to do.
	Advice string
	// notFound says that a 404 is the API's own, and not that of something before it.
	notFound bool
	// Err is the cause, if there is one besides the answer. Its text may quote the
	// request; only errors.Is and errors.As should look at it.
	Err error
}

// Error says what was attempted on which tenant, why it failed, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.For != "" {
		b.WriteString(" (for " + e.For + ")")
	}
	fmt.Fprintf(&b, " on tenant %s (%s) %s.", e.Tenant, e.Domain, strings.TrimRight(e.Why, ". "))
	if e.Unknown {
		b.WriteString(" Whether it took effect is not known: read the tenant before anything is sent again.")
	}
	if e.RequestID != "" && e.Status >= 500 {
		b.WriteString(" The tenant calls the request " + e.RequestID + ".")
	}
	if e.Advice != "" {
		b.WriteString(" " + e.Advice)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// fail completes e with what c and t know, and clears its texts of what could forge a line.
func (t *Tenant) fail(c call, e *Error) *Error {
	e.Tenant, e.Domain, e.Op, e.For = t.cfg.Name, t.cfg.Domain, c.op, c.about
	for _, s := range []*string{&e.Op, &e.Why, &e.Message, &e.Code, &e.RequestID} {
		*s = clean(*s, 600)
	}
	return e
}

// quote makes a text that came from outside fit for a message: without any secret
// that the package knows, short, and in one line. A token of a few letters, as
// simulators have, is no secret: it would be found in every word.
func (t *Tenant) quote(s string, c call) string {
	known := slices.Clone(c.secrets)
	for _, k := range []string{t.cfg.ClientSecret, t.cfg.Token, t.cfg.PrivateKey, t.auth.current()} {
		if len(k) >= 8 {
			known = append(known, k)
		}
	}
	return clean(Mask(s, known), 400)
}

// Mask replaces secrets in a text that came from outside. A short one is replaced only
// where it stands as a word of its own: in the middle of others it would show itself by
// what is missing.
func Mask(s string, secrets []string) string {
	const short = 8
	known := slices.Clone(secrets)
	// Longest first, so that one secret within another does not leave a rest.
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	for _, k := range known {
		switch {
		case k == "":
		case len(k) >= short:
			s = strings.ReplaceAll(s, k, "(sensitive)")
		default:
			alone := regexp.MustCompile(`(^|[^\pL\pN])` + regexp.QuoteMeta(k) + `($|[^\pL\pN])`)
			s = alone.ReplaceAllString(s, "${1}(sensitive)${2}")
		}
	}
	return s
}

// clean drops what could forge a line on a terminal, and cuts s to most runes.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + " …"
	}
	return s
}

// excerpt is the beginning of a body that is not what it should be.
func (t *Tenant) excerpt(body []byte, c call) string {
	return fmt.Sprintf("%q", clean(t.quote(string(body), c), 120))
}

func requestID(h http.Header) string {
	for _, k := range []string{"X-Auth0-Requestid", "X-Request-Id", "Ot-Baggage-Auth0-Request-Id", "Cf-Ray"} {
		if v := h.Get(k); v != "" {
			return v
		}
	}
	return ""
}

// notSent is the error of a request that was given up before it was sent.
func notSent(err error) *Error {
	e := &Error{Why: "was not sent, because ecplan was told to stop", Err: err}
	if errors.Is(err, context.DeadlineExceeded) {
		e.Why = "was not sent, because the time for it was over"
	}
	return e
}

// explain makes an error of an answer that is not a success.
func (t *Tenant) explain(ctx context.Context, c call, a answer, attempts int) *Error {
	e := &Error{Status: a.status, Sent: a.written, Unknown: a.unknown(c), RequestID: requestID(a.header), Err: a.err}
	switch {
	case a.err != nil && ctx.Err() != nil:
		e.Why, e.Err = "was given up, because ecplan was told to stop", ctx.Err()
	case a.timedOut:
		e.Why = fmt.Sprintf("got no answer within %v%s", t.cfg.Timeout, times(attempts))
		e.Advice = "Check the network and https://status.auth0.com, or give the tenant a longer timeout."
	case a.err != nil:
		why, advice := t.reason(a.err, c)
		e.Why, e.Advice = "failed"+times(attempts)+": "+why, advice
	case a.status < 400:
		e.Why = fmt.Sprintf("was answered with %d, a redirect to %s, which is not followed because the token would travel with it", a.status, hostOf(a.redirect))
		e.Advice = "Use the tenant's canonical domain, not its custom domain, and check that no proxy answers in its place."
	default:
		t.explainRefusal(e, c, a, attempts)
	}
	return e
}

func (t *Tenant) explainRefusal(e *Error, c call, a answer, attempts int) {
	var body struct {
		Message   string `json:"message"`
		ErrorCode string `json:"errorCode"`
	}
	if err := json.Unmarshal(a.body, &body); (err != nil || body.Message == "") && len(a.body) > 0 {
		body.Message = t.excerpt(a.body, c)
	}
	body.Message, body.ErrorCode = t.quote(body.Message, c), t.quote(body.ErrorCode, c)
	e.Code, e.Message = body.ErrorCode, body.Message
	e.notFound = a.status == http.StatusNotFound && auth0Says(a.body, a.status)
	verb := "was refused"
	if a.status >= 500 {
		verb = "failed" + times(attempts)
	}
	e.Why = strings.TrimRight(fmt.Sprintf("%s with %d %s: %s", verb, a.status, http.StatusText(a.status), body.Message), ": ")
	if body.ErrorCode != "" {
		e.Why += " (" + body.ErrorCode + ")"
	}
	switch {
	case a.status >= 500:
		e.Advice = "Look at https://status.auth0.com, and try again later."
	case a.status == http.StatusUnauthorized, a.status == http.StatusBadRequest && body.Message == "Bad HTTP authentication header format":
		e.Advice = t.tokenAdvice(a) // the 400 is for what does not look like a token (facts §3.0)
	case a.status == http.StatusNotFound && !e.notFound:
		e.Advice = "This is not an answer of the Management API. Check that the domain is the tenant's own, and that no proxy answers in its place."
	case a.status == http.StatusForbidden && strings.HasPrefix(body.Message, "Insufficient scope"):
		e.Scopes = scopesIn(body.Message)
		if len(e.Scopes) == 0 {
			e.Scopes = c.scopes
		}
		e.Advice = t.scopeAdvice(e.Scopes)
	}
}

// scopesIn reads "Insufficient scope, expected any of: a,b" (facts §3.0).
func scopesIn(message string) []string {
	_, list, ok := strings.Cut(message, "of: ")
	if !ok {
		return nil
	}
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

func (t *Tenant) scopeAdvice(scopes []string) string {
	if t.cfg.Token != "" {
		return fmt.Sprintf("Use a token that has the scope %s.", strings.Join(scopes, " or "))
	}
	return fmt.Sprintf("Grant the scope %s on the Auth0 Management API to the application %s "+
		"(Dashboard, Applications, APIs, Auth0 Management API, Machine to Machine Applications).", strings.Join(scopes, " or "), t.cfg.ClientID)
}

// tokenAdvice is for a 401 of the API, which says that the bearer itself is no good.
func (t *Tenant) tokenAdvice(a answer) string {
	claims, ok := claimsOf(a.bearer)
	switch {
	case ok && claims.Exp != 0 && time.Now().After(time.Unix(int64(claims.Exp), 0)):
		return fmt.Sprintf("The token expired at %s. Get a new one.", time.Unix(int64(claims.Exp), 0).UTC().Format(time.RFC3339))
	case ok && len(claims.Aud) > 0 && !slices.Contains(claims.Aud, t.audience()):
		return fmt.Sprintf("The token is for %s, not for %s. Get one for this tenant.", clean(strings.Join(claims.Aud, ", "), 200), t.audience())
	case t.cfg.Token != "":
		return "Get a new token for " + t.audience() + "."
	}
	return "The tenant does not take the token that it gave itself a moment ago; check that the application still exists."
}

// limitError is for 429s that do not end. wait is what the next try would take.
func (t *Tenant) limitError(c call, a answer, attempts int, wait time.Duration) *Error {
	limit := "a rate limit"
	if l := a.header.Get("X-RateLimit-Limit"); l != "" {
		limit = "its rate limit (X-RateLimit-Limit: " + l + ")"
	}
	e := &Error{Status: a.status, Sent: true, RequestID: requestID(a.header)}
	var body struct {
		Message   string `json:"message"`
		ErrorCode string `json:"errorCode"`
	}
	if json.Unmarshal(a.body, &body) == nil {
		e.Code, e.Message = t.quote(body.ErrorCode, c), t.quote(body.Message, c)
	}
	e.Why = fmt.Sprintf("was refused%s with 429 for %s, and waiting on would take more than %v: the next try would be in %v",
		times(attempts), limit, t.cfg.LimitWait, wait.Round(time.Second))
	e.Advice = "Nothing was changed by it. Something else is using up the tenant's limit; try again when it is quieter."
	return e
}

func times(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" %d times", n)
}

func hostOf(location string) string {
	u, err := url.Parse(location)
	switch {
	case err != nil || location == "":
		return "nowhere"
	case u.Host == "":
		return "another path"
	}
	return u.Host
}

// hopeless says that trying again won't help.
func hopeless(err error) bool {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &cert) || errors.As(err, &record) || plainAnswer(err)
}

// plainAnswer recognises an answer in plain http to TLS; net/http has no type for it.
func plainAnswer(err error) bool {
	return strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// reason says why a request got no answer, and what to do.
func (t *Tenant) reason(err error, c call) (why, advice string) {
	var (
		dns       *net.DNSError
		op        *net.OpError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy can't be reached", "Check HTTPS_PROXY and NO_PROXY."
	case errors.As(err, &dns):
		return "the host name can't be resolved", "Check the domain of the tenant, and the name service of this network."
	case errors.As(err, &authority):
		return "the certificate is signed by an authority that is not trusted here",
			"If a private authority or an inspecting proxy is meant to sign it, name its certificate as the tenant's ca_file."
	case errors.As(err, &hostname):
		return "the certificate is not for this host", "Check the domain of the tenant, and that no proxy answers in its place."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet", "Check the clock of this machine; it says " + time.Now().UTC().Format(time.RFC3339) + "."
	case errors.As(err, &invalid):
		return "the certificate is not valid for this use", "Check the domain of the tenant, and its ca_file."
	case errors.As(err, &record), plainAnswer(err):
		return "the host speaks plain http where TLS was expected", "For a simulator on loopback, set the tenant's insecure: true."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused: nothing listens there", "Check the domain and port of the tenant."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("there was no answer within %v", t.cfg.Timeout), "Check the network, or give the tenant a longer timeout."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke before the whole answer was there", "Check the network and its proxies, and try again."
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which says nothing new
	}
	return t.quote(err.Error(), c), "Check the network and the domain of the tenant."
}
