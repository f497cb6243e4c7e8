package tenant

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// auth is the bearer in use. turn is held by whoever fetches one.
type auth struct {
	turn  chan struct{}
	mu    sync.Mutex
	token oauth2.Token
	scope string
	// fresh is until when the token is used; zero means there is none.
	fresh time.Time
	// style is how the client secret was accepted.
	style oauth2.AuthStyle
}

func (a *auth) current() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token.AccessToken
}

// drop forgets bearer, which the tenant refused, if it was fetched. It reports
// whether a new one can be had.
func (a *auth) drop(bearer string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token.AccessToken == bearer {
		a.fresh = time.Time{}
	}
	return a.token.AccessToken != ""
}

func (a *auth) valid() (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token.AccessToken, time.Now().Before(a.fresh)
}

func (a *auth) set(tok *oauth2.Token, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = *tok
	a.scope, _ = tok.Extra("scope").(string)
	life := 24 * time.Hour // Auth0's default (facts §3.11)
	if !tok.Expiry.IsZero() {
		life = tok.Expiry.Sub(now)
	}
	a.fresh = now.Add(life - min(life/4, time.Minute))
}

// checkCredentials says what is wrong with the credentials, and reads the key.
func checkCredentials(cfg Config) (*rsa.PrivateKey, error) {
	given := 0
	for _, s := range []string{cfg.Token, cfg.ClientSecret, cfg.PrivateKey} {
		if s != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return nil, errors.New("there are no credentials; give client_id with client_secret or private_key, or a token")
	case given > 1:
		return nil, errors.New("there are several credentials; give one of client_secret, private_key and token")
	case cfg.Token == "" && cfg.ClientID == "":
		return nil, errors.New("the client_id is missing beside client_secret or private_key")
	case strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the token has blanks, line breaks or other characters that no token has; was it copied whole?")
	case cfg.PrivateKey != "":
		return parseKey(cfg.PrivateKey)
	}
	return nil, nil
}

// parseKey reads an RSA key in PEM format, PKCS #1 or #8. Errors never quote it.
func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the private key is not in PEM format; it begins with -----BEGIN PRIVATE KEY-----")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		if _, encrypted := block.Headers["DEK-Info"]; encrypted {
			return nil, errors.New("the private key is protected by a passphrase, which can't be asked for; store it without one")
		}
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the private key is protected by a passphrase, which can't be asked for; store it without one")
	case "PUBLIC KEY", "CERTIFICATE", "RSA PUBLIC KEY":
		return nil, fmt.Errorf("a private key is needed, but this is a %s; the public half belongs in the application's credentials", strings.ToLower(block.Type))
	default:
		return nil, fmt.Errorf("a private RSA key is needed, but the PEM block is a %q", block.Type)
	}
	if err != nil {
		return nil, errors.New("the private key is damaged: its PEM block does not hold what it says")
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not an RSA key; Auth0 takes only those (facts §3.4)")
	}
	if n := rsaKey.N.BitLen(); n < 2048 || n > 4096 {
		return nil, fmt.Errorf("the private key has %d bits; Auth0 takes 2048 to 4096", n)
	}
	return rsaKey, nil
}

// bearer returns the token to send, fetched once and used until shortly before it
// expires. Its error is an *Error.
func (t *Tenant) bearer(ctx context.Context) (string, error) {
	if t.cfg.Token != "" {
		return t.cfg.Token, nil
	}
	if token, ok := t.auth.valid(); ok {
		return token, nil
	}
	c := call{method: http.MethodPost, op: "POST oauth/token"}
	select {
	case t.auth.turn <- struct{}{}:
		defer func() { <-t.auth.turn }()
	case <-ctx.Done():
		return "", t.fail(c, notSent(ctx.Err()))
	}
	if token, ok := t.auth.valid(); ok {
		return token, nil // somebody else fetched it meanwhile
	}
	return t.fetch(ctx, c)
}

// fetch asks for a token. Asking twice changes nothing on the tenant, so it is
// tried again after lost answers and 5xx too.
func (t *Tenant) fetch(ctx context.Context, c call) (string, error) {
	style := t.auth.style
	if t.key != nil || style == oauth2.AuthStyleAutoDetect {
		style = oauth2.AuthStyleInParams
	}
	var waited time.Duration
	for attempt, failures, limited := 1, 0, 0; ; attempt++ {
		tok, a, err := t.ask(ctx, style, &c, attempt)
		if err == nil {
			t.auth.style = style
			t.auth.set(tok, time.Now())
			return tok.AccessToken, nil
		}
		if a.status == http.StatusTooManyRequests {
			limited++
			wait := t.limitDelay(a, limited)
			if waited += wait; waited > t.cfg.LimitWait {
				return "", t.fail(c, t.limitError(c, a, limited, wait))
			}
			if err := t.sleep(ctx, c, attempt, wait, "rate limit"); err != nil {
				return "", err
			}
			continue
		}
		// Auth0's default takes the secret in the form; an application set to
		// client_secret_basic wants it in the header.
		if a.status == http.StatusUnauthorized && t.key == nil && style == oauth2.AuthStyleInParams && t.auth.style == oauth2.AuthStyleAutoDetect {
			style = oauth2.AuthStyleInHeader
			continue
		}
		failures++
		transient := a.status >= 500 || a.status == 0 && !hopeless(err) && !noToken(err)
		if !transient || failures >= tries || a.timedOut && failures > 1 || ctx.Err() != nil {
			return "", t.fail(c, t.explainToken(ctx, c, a, err, attempt))
		}
		if err := t.sleep(ctx, c, attempt, t.backoff(failures, a.header), "next try"); err != nil {
			return "", err
		}
	}
}

// ask sends one token request. Of the answer it gives what messages and waits need;
// into c it puts what they must not quote.
func (t *Tenant) ask(ctx context.Context, style oauth2.AuthStyle, c *call, attempt int) (*oauth2.Token, answer, error) {
	cfg := clientcredentials.Config{
		ClientID:       t.cfg.ClientID,
		ClientSecret:   t.cfg.ClientSecret,
		TokenURL:       t.scheme() + "://" + t.cfg.Domain + "/oauth/token",
		AuthStyle:      style,
		EndpointParams: url.Values{"audience": {t.audience()}},
	}
	if t.key != nil {
		assertion, err := t.assertion(time.Now())
		if err != nil {
			return nil, answer{}, err
		}
		cfg.EndpointParams.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		cfg.EndpointParams.Set("client_assertion", assertion)
		c.secrets = []string{assertion}
	}
	s := &sending{}
	timed, cancel := context.WithTimeout(watched(ctx, s), t.cfg.Timeout)
	defer cancel()
	begin := time.Now()
	tok, err := cfg.Token(context.WithValue(timed, oauth2.HTTPClient, t.plain))
	a := answer{sent: begin, written: s.written.Load()}
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		a.status = http.StatusOK
	case errors.As(err, &refused) && refused.Response != nil:
		a.status, a.header, a.body = refused.Response.StatusCode, refused.Response.Header, refused.Body
	default:
		a.timedOut = ctx.Err() == nil && errors.Is(timed.Err(), context.DeadlineExceeded)
	}
	t.observe(Event{Op: c.op, Attempt: attempt, Status: a.status, Took: time.Since(begin)})
	return tok, a, err
}

// assertion is the JWT by which a client proves that it has its private key. The
// audience has its slash, the id is used once, and two minutes are well below the
// five that Auth0 allows (facts §3.11, https://auth0.com/docs/get-started/authentication-and-authorization-flow/authenticate-with-private-key-jwt).
func (t *Tenant) assertion(now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: t.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("signing with the private key: %w", err)
	}
	return jwt.Signed(signer).Claims(map[string]any{
		"iss": t.cfg.ClientID,
		"sub": t.cfg.ClientID,
		"aud": "https://" + t.cfg.Domain + "/",
		"iat": now.Unix(),
		"exp": now.Add(2 * time.Minute).Unix(),
		"jti": rand.Text(),
	}).Serialize()
}

func (t *Tenant) scheme() string {
	if t.cfg.Insecure {
		return "http"
	}
	return "https"
}

// explainToken says why there is no token, and what to do. The wordings that it
// looks for are in facts §3.11.
func (t *Tenant) explainToken(ctx context.Context, c call, a answer, err error, attempts int) *Error {
	e := &Error{Status: a.status, Sent: a.written, RequestID: requestID(a.header), Err: err}
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		switch {
		case ctx.Err() != nil:
			e.Why, e.Err = "was given up, because ecplan was told to stop", ctx.Err()
		case a.timedOut:
			e.Why = fmt.Sprintf("got no answer within %v%s", t.cfg.Timeout, times(attempts))
			e.Advice = "Check the domain of the tenant, the network, and https://status.auth0.com."
		case noToken(err):
			e.Why = "was answered with something that holds no token"
			e.Advice = "Check that the domain is the tenant's own, and that no proxy or login page answers in its place."
		default:
			why, advice := t.reason(err, c)
			e.Why, e.Advice = "failed"+times(attempts)+": "+why, advice
		}
		return e
	}
	e.Err = nil // its text quotes the whole answer
	e.Code, e.Message = t.quote(refused.ErrorCode, c), t.quote(refused.ErrorDescription, c)
	said := strings.Trim(e.Code+": "+e.Message, ": ")
	if said == "" && len(a.body) > 0 {
		said = t.excerpt(a.body, c)
	}
	e.Why = strings.TrimRight(fmt.Sprintf("was refused with %d %s: %s", a.status, http.StatusText(a.status), said), ": ")
	const apis = "(Dashboard, Applications, APIs, Auth0 Management API, Machine to Machine Applications)"
	switch {
	case a.status/100 == 3:
		e.Why = fmt.Sprintf("was answered with %d, a redirect to %s, which is not followed because the credentials would travel with it", a.status, hostOf(a.header.Get("Location")))
		e.Advice = "Check the domain of the tenant, and that no proxy answers in its place."
	case a.status >= 500:
		e.Why = strings.TrimRight(fmt.Sprintf("failed%s with %d %s: %s", times(attempts), a.status, http.StatusText(a.status), said), ": ")
		e.Advice = "Look at https://status.auth0.com, and try again later."
	case strings.Contains(e.Message, "Service not enabled within domain"):
		e.Advice = fmt.Sprintf("The tenant does not know %s. Use its canonical domain, not its custom domain.", t.audience())
	case strings.Contains(e.Message, "client-grant") || strings.Contains(e.Message, "not authorized to access"):
		e.Advice = fmt.Sprintf("Authorize the application %s for the Auth0 Management API %s.", t.cfg.ClientID, apis)
	case e.Code == "unauthorized_client":
		e.Advice = fmt.Sprintf("Enable the grant type client_credentials for the application %s, which must be of type Machine to Machine.", t.cfg.ClientID)
	case a.status == http.StatusUnauthorized && t.key != nil:
		e.Advice = fmt.Sprintf("Check that the application %s exists on this tenant, that it authenticates with Private Key JWT, and that the public half of this key "+
			"is one of its credentials, with the algorithm RS256 and not expired.", t.cfg.ClientID)
	case a.status == http.StatusUnauthorized:
		e.Advice = fmt.Sprintf("The client id or the client secret is wrong. Check that the application %s exists on this tenant, and that the secret is its current one.", t.cfg.ClientID)
	case a.status == http.StatusForbidden:
		e.Advice = fmt.Sprintf("Check that the application %s is of type Machine to Machine and authorized for the Auth0 Management API %s.", t.cfg.ClientID, apis)
	case a.status == http.StatusNotFound:
		e.Advice = "The host answers, but has no token endpoint. Check the domain of the tenant."
	default:
		e.Advice = "Check the domain of the tenant and its credentials."
	}
	if date, dateErr := http.ParseTime(a.header.Get("Date")); dateErr == nil && t.key != nil {
		// iat may be off by 10 seconds (facts §3.11).
		if off := time.Since(date).Round(time.Second); off.Abs() > 10*time.Second {
			e.Advice += fmt.Sprintf(" The clock of this machine differs from the tenant's by %v; set it right, for Auth0 refuses assertions from the future and the past.", off)
		}
	}
	return e
}

// noToken recognises a 2xx that is not a token response; the library has no type for it.
func noToken(err error) bool {
	return strings.HasPrefix(err.Error(), "oauth2: cannot parse") || strings.HasPrefix(err.Error(), "oauth2: server response missing")
}
