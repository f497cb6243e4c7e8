package auth0sim

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Limits of client assertions (A0-PKJ2, facts §3.11).
const (
	assertionType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertion     = 2048 // bytes
	maxAssertionID   = 64   // of iss, sub and jti
	maxAlgorithm     = 16
	maxAssertionLife = 5 * time.Minute
	assertionSkew    = 10 * time.Second
)

func unescapeForm(s string) (string, error) { return url.QueryUnescape(s) }

// wrongSecret is the answer to a client that is not who it says: widely reported;
// today's exact body is UNCONFIRMED (facts §3.11).
func wrongSecret() *answer {
	a := oauthError(http.StatusUnauthorized, "access_denied", "Unauthorized")
	return &a
}

// badAssertion: status and text UNCONFIRMED; 401 invalid_client by facts §3.11.
func badAssertion(why string) *answer {
	a := oauthError(http.StatusUnauthorized, "invalid_client", why)
	return &a
}

// authenticateClient finds who asks for a token: by assertion, by basic
// authentication or by form parameters.
func (c *call) authenticateClient(form map[string]string) (*client, *answer) {
	if form["client_assertion"] != "" || form["client_assertion_type"] != "" {
		c.caller = form["client_id"]
		cl, fail := c.authenticateByAssertion(form)
		if fail != nil {
			c.reason = str(fail.body.(obj)["error_description"])
		}
		return cl, fail
	}
	id, secret := form["client_id"], form["client_secret"]
	if scheme, raw, _ := strings.Cut(c.header.Get("Authorization"), " "); strings.EqualFold(scheme, "basic") {
		pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(raw))
		if err != nil {
			return nil, wrongSecret()
		}
		id, secret, _ = strings.Cut(string(pair), ":")
		// RFC 6749 §2.3.1: both parts are form-encoded.
		id, secret = unescapedOr(id), unescapedOr(secret)
	}
	c.caller = id
	cl, found := c.t.clients.get(id)
	// A client with a credential method in use has no secret (facts §3.3).
	if !found || len(cl.used) > 0 || secret == "" || secret != cl.secret || cl.field("token_endpoint_auth_method") == "none" {
		return nil, wrongSecret()
	}
	return cl, nil
}

func unescapedOr(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func (c *call) authenticateByAssertion(form map[string]string) (*client, *answer) {
	raw := form["client_assertion"]
	if form["client_assertion_type"] != assertionType {
		return nil, badAssertion("Invalid client_assertion_type")
	}
	if len(raw) > maxAssertion {
		return nil, badAssertion("The client assertion exceeds the maximum size of 2048 bytes")
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.PS256})
	if err != nil {
		return nil, badAssertion("The client assertion is malformed or its algorithm is not supported")
	}
	var seen jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&seen); err != nil {
		return nil, badAssertion("The client assertion is malformed")
	}
	c.caller = seen.Subject
	if id := form["client_id"]; id != "" && id != seen.Subject {
		return nil, badAssertion("The client assertion's subject is not the client_id")
	}
	cl, found := c.t.clients.get(seen.Subject)
	if !found || cl.used["private_key_jwt"] == nil {
		return nil, badAssertion("Client authentication failed")
	}
	header := parsed.Headers[0]
	if !c.signedByOne(cl, parsed, header.KeyID, header.Algorithm) {
		return nil, badAssertion("The client assertion's signature is invalid")
	}
	if why := c.checkAssertion(seen, header.Algorithm); why != "" {
		return nil, badAssertion(why)
	}
	return cl, nil
}

// signedByOne says whether one of the client's attached, unexpired keys signed; the
// algorithm must be the credential's, kid may be left out.
func (c *call) signedByOne(cl *client, parsed *jwt.JSONWebToken, kid, alg string) bool {
	for _, id := range attachedIDs(cl.used["private_key_jwt"]) {
		cr, found := cl.credential(id)
		if !found || cr.field("alg") != alg || kid != "" && kid != cr.field("kid") {
			continue
		}
		if at, err := time.Parse(time.RFC3339Nano, cr.field("expires_at")); err == nil && !c.now.Before(at) {
			continue
		}
		pub, err := parsePublicKey(cr.pem)
		if err == nil && parsed.Claims(pub, &jwt.Claims{}) == nil {
			return true
		}
	}
	return false
}

func (c *call) checkAssertion(a jwt.Claims, alg string) string {
	audiences := []string{c.t.issuer(), "http://" + c.t.domain + "/"} // with the slash; http is what a client told to use plain http sends
	switch {
	case a.Issuer != a.Subject:
		return "The client assertion's issuer is not its subject"
	case len(a.Issuer) > maxAssertionID || len(a.ID) > maxAssertionID || len(alg) > maxAlgorithm:
		return "A claim of the client assertion is too long"
	case !slices.ContainsFunc(a.Audience, func(x string) bool { return slices.Contains(audiences, x) }):
		return "The client assertion's audience is invalid"
	case a.Expiry == nil:
		return "The client assertion has no expiration"
	case !c.now.Before(a.Expiry.Time()):
		return "The client assertion has expired"
	case a.IssuedAt != nil && a.Expiry.Time().Sub(a.IssuedAt.Time()) > maxAssertionLife:
		// https://community.auth0.com/t/…/191217, where the log entry has it
		return "'exp' claim must specify a time that is no more than 5 minutes after 'iat'"
	case a.Expiry.Time().Sub(c.now) > maxAssertionLife+assertionSkew:
		return "The client assertion lives too long"
	case a.IssuedAt != nil && a.IssuedAt.Time().Sub(c.now) > assertionSkew:
		return "The client assertion was issued in the future"
	case a.NotBefore != nil && a.NotBefore.Time().Sub(c.now) > assertionSkew:
		return "The client assertion is not valid yet"
	case a.ID == "":
		return "The client assertion has no jti"
	}
	for id, until := range c.t.usedJTIs {
		if !c.now.Before(until) {
			delete(c.t.usedJTIs, id)
		}
	}
	key := a.Issuer + " " + a.ID
	if _, used := c.t.usedJTIs[key]; used {
		return "The client assertion has been used already"
	}
	c.t.usedJTIs[key] = a.Expiry.Time()
	return ""
}
