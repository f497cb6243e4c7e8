package tenant

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Identity is who asks, as far as the token tells.
type Identity struct {
	// ClientID is the client that the token was issued to, "" if unknown.
	ClientID string
	// Scopes are those that the token has, in its order.
	Scopes []string
	// Known says whether Scopes can be relied on: an opaque token does not tell.
	Known bool
}

// Identity reads the token, which it fetches first if there is none yet. The
// token's signature is not checked: it is the tenant's to take it or not.
func (t *Tenant) Identity(ctx context.Context) (Identity, error) {
	token, err := t.bearer(ctx)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{ClientID: t.cfg.ClientID}
	if c, ok := claimsOf(token); ok {
		if c.Azp != "" {
			id.ClientID = c.Azp
		} else if machine, ok := strings.CutSuffix(c.Sub, "@clients"); ok {
			id.ClientID = machine
		}
		if c.Scope != nil {
			id.Scopes, id.Known = strings.Fields(*c.Scope), true
			return id, nil
		}
		// A machine's token without any scope has no such claim.
		id.Known = c.Gty == "client-credentials" || c.Gty == "client_credentials"
	}
	if scope := t.auth.scopes(); len(id.Scopes) == 0 && scope != "" {
		id.Scopes, id.Known = strings.Fields(scope), true
	}
	return id, nil
}

// scopes are those that the token endpoint named beside the token.
func (a *auth) scopes() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.scope
}

// claims are those of an access token that matter here (facts §3.11).
type claims struct {
	Azp   string   `json:"azp"`
	Sub   string   `json:"sub"`
	Gty   string   `json:"gty"`
	Scope *string  `json:"scope"`
	Exp   float64  `json:"exp"`
	Aud   audience `json:"aud"`
}

// audience is one identifier or several (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON takes both forms.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// claimsOf reads a JWT's payload; ok is false if token is none.
func claimsOf(token string) (c claims, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return c, false
	}
	return c, json.Unmarshal(raw, &c) == nil
}
