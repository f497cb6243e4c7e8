package auth0sim

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // for x5t
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Messages of facts §3.0; they are hapi-auth-jwt's.
const (
	expiredToken = "Expired token received for JSON Web Token validation"
	invalidToken = "Invalid signature received for JSON Web Token validation"
)

// claims are those of an access token (facts §3.11); one of the RFC 9068 profile has
// client_id and jti, and neither azp nor gty (docs-v2 access-token-profiles.mdx).
type claims struct {
	jwt.Claims
	Azp      string `json:"azp,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Gty      string `json:"gty,omitempty"`
	OrgID    string `json:"org_id,omitempty"`
	OrgName  string `json:"org_name,omitempty"`
}

// verified remembers tokens whose signature was checked; their times and audience
// are looked at on every call.
type verified struct {
	mu  sync.Mutex
	set map[[32]byte]claims
}

func (v *verified) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set = nil
}

// unauthorized is what boom.unauthorized makes: the message is in a header too, and in
// attributes, which the recorded bodies have (facts §3.0).
func unauthorized(message string) *answer {
	a := failure(http.StatusUnauthorized, "", "%s", message)
	a.body.(obj)["attributes"] = obj{"error": message}
	a.header = http.Header{"Www-Authenticate": {`Bearer error="` + message + `"`}}
	return &a
}

// authenticate reads the Authorization header as hapi-auth-jwt does (facts §3.0).
func (c *call) authenticate() (*bearer, *answer) {
	h := c.header.Get("Authorization")
	parts := strings.Fields(h)
	isBearer := len(parts) > 1 && strings.EqualFold(parts[0], "bearer")
	switch fixed := c.s.o.Token; {
	case isBearer && fixed != "" && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(h[len("bearer"):])), []byte(fixed)) == 1:
		return c.s.fixed, nil
	case h == "" || len(parts) == 2 && !isBearer: // another scheme is none
		a := failure(http.StatusUnauthorized, "", "Missing authentication") // REC-rb
		a.header = http.Header{"Www-Authenticate": {"Bearer"}}
		return nil, &a
	case len(parts) != 2 || strings.Count(parts[1], ".") != 2:
		a := badRequest("Bearer", "Bad HTTP authentication header format")
		return nil, &a
	}
	token := parts[1]
	cl, err := c.verify(token)
	if err != nil {
		return nil, unauthorized(invalidToken)
	}
	if cl.Expiry == nil || !c.now.Before(cl.Expiry.Time()) {
		return nil, unauthorized(expiredToken)
	}
	if cl.Issuer != c.t.issuer() {
		return nil, unauthorized(invalidToken)
	}
	if !slices.Contains(cl.Audience, c.t.managementAPI()) {
		return nil, unauthorized("Bad audience: " + strings.Join(cl.Audience, ",")) // node-auth0 #787; how several are joined is UNCONFIRMED
	}
	b := &bearer{scopes: map[string]bool{}, scope: cl.Scope, clientID: cmp.Or(cl.Azp, cl.ClientID)}
	for _, s := range strings.Fields(cl.Scope) {
		b.scopes[s] = true
	}
	return b, nil
}

func (c *call) verify(token string) (claims, error) {
	key := sha256.Sum256([]byte(token))
	v := &c.s.verified
	v.mu.Lock()
	defer v.mu.Unlock()
	if cl, known := v.set[key]; known {
		return cl, nil
	}
	var cl claims
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return cl, err
	}
	if err := parsed.Claims(&c.t.key().PublicKey, &cl); err != nil {
		return cl, err
	}
	if v.set == nil || len(v.set) > 1000 {
		v.set = map[[32]byte]claims{}
	}
	v.set[key] = cl
	return cl, nil
}

// oauthError is the token endpoint's envelope (facts §3.11).
func oauthError(status int, code, description string) answer {
	return answer{status: status, body: obj{"error": code, "error_description": description}}
}

// token is POST /oauth/token.
func (c *call) token(contentType string) answer {
	form, err := readForm(contentType, c.raw)
	if err != nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "The request body could not be read.") // UNCONFIRMED
	}
	c.form = form
	switch grant := form["grant_type"]; grant {
	case "client_credentials":
	case "":
		return oauthError(http.StatusForbidden, "invalid_request", "Missing required parameter: grant_type") // UNCONFIRMED
	default:
		return oauthError(http.StatusForbidden, "unsupported_grant_type", "Unsupported grant type: "+grant) // UNCONFIRMED; only this one is simulated
	}
	cl, fail := c.authenticateClient(form)
	if fail != nil {
		return *fail
	}
	if !slices.Contains(strs(cl.o["grant_types"]), "client_credentials") {
		return oauthError(http.StatusForbidden, "unauthorized_client", "Grant type 'client_credentials' not allowed for the client.") // alexkappa/terraform-provider-auth0 #466; its error by facts §3.11
	}
	audience := form["audience"]
	if audience == "" {
		audience = str(c.t.settings["default_audience"])
	}
	if audience == "" {
		return oauthError(http.StatusForbidden, "access_denied", "No audience parameter was provided, and no default audience has been configured") // public reports of the error with this text; its status UNCONFIRMED
	}
	if audience == "http://"+c.t.domain+"/api/v2/" {
		audience = c.t.managementAPI() // a client told to use plain http asks for this one
	}
	rs, found := c.t.byIdentifier(audience)
	if !found {
		return oauthError(http.StatusForbidden, "access_denied", "Service not enabled within domain: "+audience) // facts §3.11
	}
	g, found := c.t.grantFor(cl, audience)
	// No application gets a token where the policy is deny_all, "regardless of any other
	// settings or grants" (docs-v2 api-access-policies-for-applications.mdx); its text is UNCONFIRMED.
	if !found || object(object(rs.o["subject_type_authorization"])["client"])["policy"] == "deny_all" {
		return oauthError(http.StatusForbidden, "access_denied",
			`Client "`+cl.id+`" is not authorized to access resource server "`+audience+`". You need to create a "client-grant" associated to this API.`) // facts §3.11, 2026
	}
	org, why := c.tokenOrganization(cl, g)
	if why != "" {
		return oauthError(http.StatusForbidden, "access_denied", why) // UNCONFIRMED
	}
	scopes := strs(g.o["scope"])
	if truth(g.o["allow_all_scopes"]) {
		scopes = nil
		for _, s := range c.t.scopesOf(rs) {
			scopes = append(scopes, str(object(s)["value"]))
		}
	}
	if asked := strings.Fields(form["scope"]); len(asked) > 0 {
		if more := slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return slices.Contains(scopes, s) }); len(more) > 0 {
			// Many public reports, with one scope each; how several are joined is UNCONFIRMED.
			return oauthError(http.StatusForbidden, "access_denied", "Client has not been granted scopes: "+strings.Join(more, ", "))
		}
		scopes = asked
	}
	return c.issue(cl, rs, org, strings.Join(scopes, " "))
}

// grantFor is a client's grant for an API: its own, or for a third party's the one that
// all of those have (OAS CreateClientGrantRequestContent.default_for).
func (t *tenant) grantFor(cl *client, audience string) (*grant, bool) {
	find := func(field, value string) (*grant, bool) {
		return t.grants.find(func(g *grant) bool {
			return g.field(field) == value && g.field("audience") == audience && subjectType(g) == "client"
		})
	}
	g, found := find("client_id", cl.id)
	if !found && cl.o["is_first_party"] == false {
		g, found = find("default_for", "third_party_clients")
	}
	return g, found
}

// tokenOrganization is the organization that a token is asked for, nil if none, or why it
// can't be (docs-v2 configure-your-application-for-m2m-access.mdx).
func (c *call) tokenOrganization(cl *client, g *grant) (org *organization, why string) {
	asked, usage := c.form["organization"], g.field("organization_usage")
	if byDefault := object(cl.o["default_organization"]); asked == "" && usage == "require" && slices.Contains(strs(byDefault["flows"]), "client_credentials") {
		asked = str(byDefault["organization_id"])
	}
	switch {
	case asked == "" && usage == "require":
		return nil, "An organization is required"
	case asked == "":
		return nil, ""
	case usage != "require" && usage != "allow": // deny is the default
		return nil, "The client grant does not allow an organization"
	}
	org, found := c.t.organizations.find(func(o *organization) bool {
		return o.id == asked || c.t.namesOrganizations() && o.field("name") == asked
	})
	switch {
	case !found:
		return nil, "Invalid organization: " + asked
	case !truth(g.o["allow_any_organization"]) && !slices.Contains(org.grants, g.id):
		return nil, "The client is not authorized to access the organization " + asked
	}
	return org, ""
}

// namesOrganizations says whether tokens and their requests have names of organizations
// (docs-v2 use-org-name-authentication-api.mdx).
func (t *tenant) namesOrganizations() bool {
	return truth(t.settings["allow_organization_name_in_authentication_api"])
}

// issue signs an access token as the API wants it: by its algorithm and token profile.
func (c *call) issue(cl *client, rs *resourceServer, org *organization, scope string) answer {
	lifetime := time.Duration(num(rs.o["token_lifetime"])) * time.Second
	content, kind := claims{
		Claims: jwt.Claims{
			Issuer: c.t.issuer(), Subject: cl.id + "@clients", Audience: jwt.Audience{rs.field("identifier")},
			IssuedAt: jwt.NewNumericDate(c.now), Expiry: jwt.NewNumericDate(c.now.Add(lifetime)),
		},
		Azp: cl.id, Scope: scope, Gty: "client-credentials",
	}, "JWT"
	if strings.HasPrefix(rs.field("token_dialect"), "rfc9068_profile") {
		content.Azp, content.Gty, content.ClientID, content.ID, kind = "", "", cl.id, c.t.draw.short(22), "at+jwt"
	}
	if org != nil {
		content.OrgID = org.id
		if c.t.namesOrganizations() {
			content.OrgName = org.field("name")
		}
	}
	key := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(cmp.Or(rs.field("signing_alg"), "RS256")), Key: jose.JSONWebKey{Key: c.t.key(), KeyID: thumbprint(&c.t.key().PublicKey)}}
	if key.Algorithm == jose.HS256 {
		secret := []byte(rs.field("signing_secret")) // 16 bytes or more (OAS); HMAC fills up with zeros, so that the signer's 32 change nothing
		key.Key = append(secret, make([]byte, max(0, 32-len(secret)))...)
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
	var token string
	if err == nil {
		token, err = jwt.Signed(signer).Claims(content).Serialize()
	}
	if err != nil {
		return oauthError(http.StatusInternalServerError, "server_error", err.Error())
	}
	if c.s.o.StateFile != "" {
		c.t.signingKey = c.t.key() // kept, so that the token outlives a restart
	}
	body := obj{"access_token": token, "expires_in": int(lifetime / time.Second), "token_type": "Bearer"}
	if scope != "" {
		body["scope"] = scope
	}
	a := ok(body)
	a.header = http.Header{"Cache-Control": {"no-store"}, "Pragma": {"no-cache"}}
	return a
}

// readForm reads a form or a JSON object of strings.
func readForm(contentType string, raw []byte) (map[string]string, error) {
	form := map[string]string{}
	if strings.HasPrefix(contentType, "application/json") {
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			return nil, err
		}
		for k, v := range body {
			if s, isString := v.(string); isString {
				form[k] = s
			}
		}
		return form, nil
	}
	for pair := range strings.SplitSeq(string(raw), "&") {
		k, v, _ := strings.Cut(pair, "=")
		k, errK := unescapeForm(k)
		v, errV := unescapeForm(v)
		if err := errors.Join(errK, errV); err != nil {
			return nil, err
		}
		form[k] = v
	}
	return form, nil
}

// keys is GET /.well-known/jwks.json, with the properties of docs-v2
// json-web-key-set-properties.mdx. Whether it has alg is a setting (OAS TenantSettingsFlags).
func (c *call) keys() answer {
	cert, err := c.t.keyCertificate()
	if err != nil {
		return failure(http.StatusInternalServerError, "", "%v", err)
	}
	sum := sha1.Sum(cert.Raw) //nolint:gosec // what x5t is
	key := jose.JSONWebKey{Key: &c.t.key().PublicKey, KeyID: thumbprint(&c.t.key().PublicKey), Use: "sig", Certificates: []*x509.Certificate{cert}, CertificateThumbprintSHA1: sum[:]}
	if !truth(object(c.t.settings["flags"])["remove_alg_from_jwks"]) {
		key.Algorithm = "RS256"
	}
	return ok(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
}

// discovery is GET /.well-known/openid-configuration. Its addresses are where the
// tenant is served; the issuer is its identifier.
func (c *call) discovery() answer {
	at := c.s.base() + "/"
	body := obj{
		"issuer": c.t.issuer(), "authorization_endpoint": at + "authorize", "token_endpoint": at + "oauth/token",
		"userinfo_endpoint": at + "userinfo", "jwks_uri": at + ".well-known/jwks.json", "device_authorization_endpoint": at + "oauth/device/code",
		"registration_endpoint": at + "oidc/register", "revocation_endpoint": at + "oauth/revoke", "mfa_challenge_endpoint": at + "mfa/challenge",
		"scopes_supported":         []string{"openid", "profile", "offline_access", "name", "given_name", "family_name", "nickname", "email", "email_verified", "picture", "created_at", "identities", "phone", "address"},
		"response_types_supported": []string{"code", "token", "id_token", "code token", "code id_token", "token id_token", "code token id_token"},
		"response_modes_supported": []string{"query", "fragment", "form_post"}, "subject_types_supported": []string{"public"},
		"code_challenge_methods_supported":                 []string{"S256", "plain"},
		"token_endpoint_auth_methods_supported":            []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "RS384", "PS256"},
		"id_token_signing_alg_values_supported":            []string{"HS256", "RS256", "PS256"},
		"claims_supported":                                 []string{"aud", "auth_time", "created_at", "email", "email_verified", "exp", "family_name", "given_name", "iat", "identities", "iss", "name", "nickname", "phone_number", "picture", "sub"},
		"request_uri_parameter_supported":                  false, "request_parameter_supported": true,
	}
	if truth(object(c.t.settings["oidc_logout"])["rp_logout_end_session_endpoint_discovery"]) { // OAS TenantOIDCLogoutSettings
		body["end_session_endpoint"] = at + "oidc/logout"
	}
	return ok(body)
}
