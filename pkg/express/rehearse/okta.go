package rehearse

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ecplan/ecplan/pkg/express"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionLife = time.Minute // Auth0 takes at most five (facts §3.11)
	oktaDomain    = "rehearsal.okta.com"
)

// okta plays Okta's side with a key pair that is made for the rehearsal.
type okta struct {
	stage  *Stage
	client string
	key    *rsa.PrivateKey
	now    time.Time
}

// The keys of a rehearsal are made for it and live as long as the process: the tenant's
// that signs tokens, Okta's, and one of somebody else.
var tenantKey, oktaKey, strangersKey = onceKey(), onceKey(), onceKey()

func onceKey() func() (*rsa.PrivateKey, error) {
	return sync.OnceValues(func() (*rsa.PrivateKey, error) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, fmt.Errorf("make a key for the rehearsal: %w", err)
		}
		return key, nil
	})
}

// publicPEM is the half of a key that is handed out.
func publicPEM(key *rsa.PrivateKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", fmt.Errorf("write the rehearsal's public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

func thumbprint(key any) string {
	if k, ok := key.(*rsa.PrivateKey); ok {
		key = &k.PublicKey
	}
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// assertion is what Okta signs in with at a domain of the tenant: it can be used once
// (facts §3.11).
func (o *okta) assertion(domain string, key *rsa.PrivateKey, from time.Time) (string, object, error) {
	claims := object{
		"iss": o.client, "sub": o.client, "aud": "https://" + domain + "/",
		"iat": from.Unix(), "exp": from.Add(assertionLife).Unix(), "jti": draw(),
	}
	token, err := sign(key, jose.RS256, "JWT", claims)
	return token, claims, err
}

// exchange swaps the code of a login for its token. The simulator has no such grant, so
// Auth0's part, checking who asks, is played here too.
func (o *okta) exchange(l login, attached []object) Step {
	s := Step{Who: "Okta", To: "Auth0", Title: "exchanges the code for the access token, signed in with its key (private_key_jwt)", Result: "ok"}
	raw, claims, err := o.assertion(o.stage.login(), o.key, o.now)
	if err == nil {
		s.Lines = append(s.Lines, "client_assertion: "+masked(raw))
		s.Data = object{"client assertion": claims}
		err = signedBy(raw, attached)
	}
	if err != nil {
		s.Result, s.Lines = "fail", append(s.Lines, err.Error())
		s.Advice = "Attach Okta's public key to the OIN client: name it in oin_client.public_key and apply."
		return s
	}
	s.Lines = append(s.Lines, "access_token: "+masked(l.Token))
	s.Data["access token"] = l.Claims
	return s
}

func signedBy(raw string, credentials []object) error {
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fmt.Errorf("the assertion can't be read: %w", err)
	}
	for _, c := range credentials {
		block, _ := pem.Decode([]byte(str(c, "pem")))
		if block == nil {
			continue
		}
		if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil && parsed.Claims(key, &object{}) == nil {
			return nil
		}
	}
	if len(credentials) == 0 {
		return errors.New("the OIN client has no key, so nobody can sign in as it")
	}
	return errors.New("the assertion is signed by none of the client's keys")
}

// wants is what Okta takes from the token of a login.
type wants struct {
	App, Audience, LoginURI string
	Aliases                 []string
}

// accept checks a token as Okta must to go on: its signature by the tenant's published
// keys, its times and audience, the scope, and the claims that the Action sets.
func (o *okta) accept(ctx context.Context, l login, audience string, scopes []string, apps []object) (Step, wants) {
	s := Step{Who: "Okta", To: "Okta", Title: "checks the token", Result: "ok"}
	var w wants
	fail := func(line, advice string) {
		s.Result = "fail"
		s.Lines = append(s.Lines, line)
		if s.Advice == "" {
			s.Advice = advice
		}
	}
	if err := o.verify(ctx, l.Token, audience); err != nil {
		fail(err.Error(), "")
		return s, w
	}
	s.Lines = append(s.Lines, "signed by the tenant (RS256), for the audience "+audience)
	granted := strings.Fields(str(l.Claims, "scope"))
	for _, scope := range scopes {
		if slices.Contains(granted, scope) {
			continue
		}
		line := "the scope " + scope + " is missing, so the admin may not configure"
		if by := l.Set["scope "+scope]; by != "" {
			line += "; the Action " + by + " took it away"
		}
		fail(line, "The user must have a role with the permission "+scope+" on the API, or an Action must add the scope.")
	}
	claim := func(name string) string {
		v, there := l.Claims[name]
		text, isText := v.(string)
		switch {
		case !there:
			fail("the claim "+name+" is missing", "The Action that sets it must be deployed, bound to post-login, and have its secrets.")
		case !isText || text == "":
			fail("the claim "+name+" is "+compact(v)+", where a text is needed", "Look at what the Action "+l.Set[name]+" sets.")
		default:
			s.Lines = append(s.Lines, name+" = "+text+"  (set by "+l.Set[name]+")")
		}
		return text
	}
	w.App, w.Audience, w.LoginURI = claim("sp_client_id"), claim("management_api_audience"), claim("init_login_uri")
	if w.App != "" && with(apps, "client_id", w.App) == nil {
		fail("sp_client_id names no application of the tenant: "+w.App, "express_configure_sp_client_id in the OIN client's client_metadata must be the client id of the application.")
	}
	if u, err := url.Parse(w.LoginURI); w.LoginURI != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		why := "init_login_uri is no https address: " + w.LoginURI
		if strings.ContainsAny(w.LoginURI, `'"`) {
			why += "; it has quotation marks in it, as the guide's command for the Action makes them"
		}
		fail(why, "Set SERVICE_INIT_LOGIN_URL of the Action to the address itself: apply does.")
	}
	if hrd, ok := l.Claims["express_configuration"].(object); ok {
		w.Aliases = texts(hrd["domain_aliases"])
		s.Lines = append(s.Lines, "home realm discovery for "+strings.Join(w.Aliases, ", ")+"  (set by "+l.Set["express_configuration"]+")")
	}
	return s, w
}

func (o *okta) verify(ctx context.Context, token, audience string) error {
	req, err := newGet(ctx, "https://"+o.stage.login()+"/.well-known/jwks.json")
	if err != nil {
		return err
	}
	a, err := o.stage.send(req)
	if err != nil {
		return err
	}
	data, err := json.Marshal(a.body)
	if err != nil {
		return fmt.Errorf("read the tenant's keys: %w", err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("read the tenant's keys: %w", err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return fmt.Errorf("the token can't be read: %w", err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys, &claims); err != nil {
		return fmt.Errorf("the token is not signed by the tenant: %w", err)
	}
	if err := claims.Validate(jwt.Expected{Issuer: "https://" + o.stage.login() + "/", AnyAudience: jwt.Audience{audience}, Time: o.now}); err != nil {
		return fmt.Errorf("the token is not good for this: %w", err)
	}
	return nil
}

// signIn gets a token for the Management API with an assertion (facts §1.4.5).
func (o *okta) signIn(ctx context.Context, assertion, audience string) (answer, error) {
	return o.stage.form(ctx, "/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType},
		"client_assertion": {assertion}, "audience": {audience},
	})
}

// manager signs Okta in for the Management API and compares the scopes it gets with
// those that it needs.
func (o *okta) manager(ctx context.Context, audience string, needed []string) (Step, string, error) {
	s := Step{Who: "Okta", To: "Auth0", Title: "signs in for the Management API (client_credentials, private_key_jwt)", Result: "ok"}
	raw, claims, err := o.assertion(o.stage.Domain, o.key, o.now)
	if err != nil {
		return s, "", err
	}
	a, err := o.signIn(ctx, raw, audience)
	if err != nil {
		return s, "", err
	}
	s.Lines = []string{"client_assertion: " + masked(raw), "audience=" + audience}
	s.Data = object{"client assertion": claims}
	if !a.ok() {
		s.Result = "fail"
		s.Lines = append(s.Lines, "refused: "+a.problem())
		s.Advice = "The OIN client needs a grant on the Management API of the canonical domain, the grant type client_credentials, a key in use, and TENANT_DOMAIN of the Action must be https:// and that domain."
		return s, "", nil
	}
	token := str(a.object(), "access_token")
	payload := decoded(token)
	s.Lines = append(s.Lines, "access_token: "+masked(token))
	s.Data["access token"] = payload
	have := strings.Fields(str(payload, "scope"))
	var lacks, extra []string
	for _, n := range needed {
		if !slices.Contains(have, n) {
			lacks = append(lacks, n)
		}
	}
	for _, h := range have {
		if !slices.Contains(needed, h) {
			extra = append(extra, h)
		}
	}
	if len(extra) > 0 {
		s.Result = "warn"
		s.Lines = append(s.Lines, "scopes that Okta does not need: "+strings.Join(extra, ", "))
		s.Advice = "Take them out of the grant: whoever holds the key can use them."
	}
	if len(lacks) > 0 {
		s.Result = "fail"
		s.Lines = append(s.Lines, "scopes that Okta needs and does not get: "+strings.Join(lacks, ", "))
		s.Advice = "Add them to the grant of the OIN client: apply does."
	}
	return s, token, nil
}

// use is one call of the Management API and the scopes that it is there to use.
type use struct {
	method, path string
	body         any
	scopes       string
	what         string
}

// configure makes the connection and enables it for the organization. The sequence that
// Okta sends is not public (facts §1.4.6); this one needs each granted scope.
func (o *okta) configure(ctx context.Context, token string, w wants, org object, scim bool) ([]Step, object, object, error) {
	name := "okta-" + str(org, "name")
	body := express.OktaConnection(name, oktaDomain, "rehearsal-at-okta")
	if len(w.Aliases) > 0 {
		aliases := []any{}
		for _, a := range w.Aliases {
			aliases = append(aliases, a)
		}
		body["options"].(object)["domain_aliases"] = aliases
	}
	var steps []Step
	call := func(u use) (answer, bool, error) {
		s := Step{Who: "Okta", To: "Auth0", Title: u.what, Result: "ok", Lines: []string{u.method + " /api/v2/" + u.path + "  (" + u.scopes + ")"}}
		a, err := o.stage.manage(ctx, token, u.method, u.path, u.body)
		if err != nil {
			return a, false, err
		}
		if !a.ok() {
			s.Result = "fail"
			s.Lines = append(s.Lines, "refused: "+a.problem())
			s.Advice = "Look at the grant of the OIN client."
		}
		steps = append(steps, s)
		return a, a.ok(), nil
	}
	if _, ok, err := call(use{"GET", "connections?strategy=okta", nil, "read:connections", "looks for a connection that is there already"}); err != nil || !ok {
		return steps, nil, nil, err
	}
	a, ok, err := call(use{"POST", "connections", body, "create:connections", "creates the Okta connection " + name})
	if err != nil || !ok {
		return steps, nil, nil, err
	}
	id := str(a.object(), "id")
	path, enabled := "connections/"+id, "organizations/"+str(org, "id")+"/enabled_connections"
	change := object{"display_name": body["display_name"], "show_as_button": false, "options": body["options"]}
	for _, u := range []use{
		{"PATCH", path, change, "update:connections, update:connections_options", "settles its options"},
		{"PATCH", path + "/clients", []any{object{"client_id": w.App, "status": true}}, "update:connections", "enables it for the application"},
		{"POST", enabled, express.OrganizationConnection(id), "create:organization_connections", "enables it for the organization"},
		{"PATCH", enabled + "/" + id, object{"assign_membership_on_login": true, "show_as_button": true}, "update:organization_connections", "lets those who log in become members"},
	} {
		if _, ok, err := call(u); err != nil || !ok {
			return steps, nil, nil, err
		}
	}
	if scim {
		for _, u := range []use{
			{"POST", path + "/scim-configuration", nil, "create:scim_config", "turns on SCIM for it"},
			{"GET", path + "/scim-configuration", nil, "read:scim_config", "reads the SCIM configuration"},
			{"POST", path + "/scim-configuration/tokens", nil, "create:scim_token", "makes a SCIM token"},
			{"GET", path + "/scim-configuration/tokens", nil, "read:scim_token", "lists the SCIM tokens"},
		} {
			a, ok, err = call(u)
			if err != nil || !ok {
				return steps, nil, nil, err
			}
		}
		if list, _ := a.body.([]any); len(list) > 0 {
			if _, ok, err := call(use{"DELETE", path + "/scim-configuration/tokens/" + str(objects(list)[0], "token_id"), nil, "delete:scim_token", "takes the SCIM token back"}); err != nil || !ok {
				return steps, nil, nil, err
			}
		}
	}
	made, ok, err := call(use{"GET", path, nil, "read:connections, read:connections_options", "reads the connection back"})
	if err != nil || !ok {
		return steps, nil, nil, err
	}
	there, ok, err := call(use{"GET", enabled + "/" + id, nil, "read:organization_connections", "reads the organization's entry back"})
	if err != nil || !ok {
		return steps, nil, nil, err
	}
	return steps, made.object(), there.object(), nil
}

// masked shows that there is a token and of what sort, not the token.
func masked(token string) string {
	head, _, ok := strings.Cut(token, ".")
	if !ok {
		return "(masked)"
	}
	return head[:min(8, len(head))] + "….(masked)"
}

// decoded is what a JWT says.
func decoded(token string) object {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var out object
	if json.Unmarshal(data, &out) != nil {
		return nil
	}
	return out
}
