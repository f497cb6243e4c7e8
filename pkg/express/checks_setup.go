package express

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

func itoa(n int) string { return strconv.Itoa(n) }

// expirySoon is how long before its end a key is worth a warning.
const expirySoon = 30 * 24 * time.Hour

// shared checks what all applications of a tenant have in common.
func (v *verifier) shared() {
	if v.Setup.API == nil {
		v.add(Check{
			ID: "api", Title: "Okta's API is as declared, with its scopes", Result: Fail, Found: "the manifests declare none",
			Expected: "an API with the identifier " + APIIdentifier, Advice: "Declare a ResourceServer with this identifier: Okta asks for tokens for it.",
		})
	} else {
		v.declared("api", "Okta's API is as declared, with its scopes", v.Setup.API, "", nil)
		v.obstacles(v.Setup.API, APIObstacles(v.State.Found(v.Setup.API).Object))
	}
	if v.Setup.Role != nil {
		v.declared("role", "The role allows what an admin needs", v.Setup.Role, "", nil)
	}
	if v.Setup.Settings != nil {
		v.declared("settings", "The tenant's settings are as declared", v.Setup.Settings, "", nil)
	}
}

// app checks one application's objects.
func (v *verifier) app(app App, st AppState) {
	if app.App != nil && !v.missing("app", "The application is on the tenant", app.App) {
		v.add(Check{ID: "app", Title: "The application is on the tenant", Address: app.App.Address(), Result: OK, Found: text(v.State.Found(app.App).Object, "name")})
	}
	v.declared("client", "The OIN client is as declared", app.Client, "", func(c kind.Change) bool { return strings.HasPrefix(c.Path, "credentials") })
	v.keys(app, st)
	v.grant(app)
	if client := v.State.Found(app.Client).Object; client != nil {
		v.obstacles(app.Client, ClientObstacles(v.State.Found(v.Setup.API).Object, client, v.State.Found(app.Grant).Object, st.UserGrants, AskedScopes(app.Provisions())))
	}
	switch {
	case app.Action == nil:
		v.undeclaredAction(app)
	case v.firstUseOf(app.Action):
		v.action(app)
	}
}

// obstacles adds a failed check for each of them.
func (v *verifier) obstacles(of *manifest.Resource, list []Obstacle) {
	for _, o := range list {
		v.add(Check{ID: o.ID, Title: o.Title, Address: of.Address(), Result: Fail, Found: o.Found, Expected: o.Expected, Advice: o.Advice})
	}
}

// firstUseOf reports whether an Action that applications share was not checked yet.
func (v *verifier) firstUseOf(action *manifest.Resource) bool {
	return !slices.ContainsFunc(v.checks, func(c Check) bool { return c.Address == action.Address() })
}

// keys checks what Okta signs in with.
func (v *verifier) keys(app App, st AppState) {
	at := app.Client.Address()
	client := v.State.Found(app.Client)
	declared := objects(app.Client.Spec["credentials"])
	named := Check{ID: "key", Title: "The OIN client signs in with Okta's key", Address: at}
	switch {
	case !client.Exists:
		named.Result = Skipped
		v.add(named)
		return
	case len(declared) == 0 && len(st.Keys) == 0:
		named.Result, named.Found, named.Expected = Fail, "no key", "Okta's public key"
		named.Advice = "The key is what is missing. Ask Okta for it with 'ecplan handoff --request-key', name it in oin_client.public_key, and apply."
		v.add(named)
		return
	}
	var want, have []string
	for _, c := range declared {
		want = append(want, kidOf(c))
	}
	for _, k := range st.Keys {
		have = append(have, text(k, "kid"))
	}
	named.Result, named.Found = OK, "kid "+strings.Join(have, ", ")
	if len(have) == 0 {
		named.Found = "no key"
	}
	for _, s := range v.steps(app.Client) {
		if strings.HasPrefix(s.Part, "credential") {
			named.Result, named.Expected, named.Advice = Fail, "kid "+strings.Join(want, ", "), adviceApply
		}
	}
	v.add(named)
	strong := Check{ID: "key.strong", Title: "The key is strong enough for Auth0", Address: at, Result: OK, Expected: "RSA, 2048 to 4096 bits"}
	var sizes []string
	for _, c := range declared {
		bits, err := manifest.KeyBits(text(c, "pem"))
		sizes = append(sizes, itoa(bits)+" bits")
		if err != nil {
			strong.Result, strong.Advice = Fail, "The key can't be used: "+err.Error()+". Ask Okta for another one."
		}
	}
	strong.Found = strings.Join(sizes, ", ")
	if len(declared) == 0 {
		strong.Result, strong.Found = Unknown, "Auth0 does not give a key back, and the manifest declares none"
		strong.Advice = "Name the key in oin_client.public_key; then its size can be told."
	}
	v.add(strong)
	v.expiry(at, st)
}

// kidOf is the key id of a declared credential.
func kidOf(c map[string]any) string {
	if kid := text(c, "kid"); kid != "" {
		return kid
	}
	kid, _ := manifest.Thumbprint(text(c, "pem")) //nolint:errcheck // a key that can't be read was refused when the manifest was loaded
	return kid
}

func (v *verifier) expiry(at string, st AppState) {
	c := Check{ID: "key.valid", Title: "The key is valid and not near its end", Address: at, Result: OK, Expected: "valid for more than 30 days", Found: "no end is set"}
	working := 0
	for _, k := range st.Keys {
		end, err := time.Parse(time.RFC3339, text(k, "expires_at"))
		if err != nil {
			working++
			continue
		}
		c.Found = fmt.Sprintf("kid %s ends on %s", text(k, "kid"), end.UTC().Format(time.DateOnly))
		switch left := end.Sub(v.Now); {
		case left <= 0:
			c.Found = fmt.Sprintf("kid %s ended on %s", text(k, "kid"), end.UTC().Format(time.DateOnly))
		case left < expirySoon:
			working++
			c.Result, c.Advice = Warn, "Ask Okta for the next key now, and add it with 'ecplan rotate' before this one ends."
		default:
			working++
		}
	}
	if len(st.Keys) == 0 {
		c.Result, c.Found = Skipped, "no key"
	} else if working == 0 {
		c.Result, c.Advice = Fail, "Okta can't sign in any more. Ask Okta for another key and put it into the manifest."
	}
	v.add(c)
}

// grant checks that the OIN client may do what Okta needs, and no more.
func (v *verifier) grant(app App) {
	if app.Grant == nil {
		v.add(Check{
			ID: "grant", Title: "The OIN client has a grant on the Management API", Result: Fail, Address: app.Client.Address(),
			Found: "the manifests declare none", Expected: "a ClientGrant", Advice: "Declare a ClientGrant for the OIN client.",
		})
		return
	}
	title := "The OIN client has a grant on the Management API"
	if v.missing("grant", title, app.Grant) {
		return
	}
	g := v.State.Found(app.Grant)
	at := app.Grant.Address()
	audience := "https://" + v.Domain + "/api/v2/"
	c := Check{ID: "grant", Title: title, Address: at, Result: OK, Found: text(g.Object, "audience"), Expected: audience}
	if c.Found != audience {
		c.Result = Fail
		c.Advice = "Tokens for the Management API are issued for the canonical domain only. Take the audience out of the manifest, or write https://${tenant.domain}/api/v2/."
	}
	v.add(c)
	need := map[string]bool{}
	wanted, _ := app.Grant.Spec["scope"].([]any)
	for _, s := range wanted {
		need[fmt.Sprint(s)] = true
	}
	var lacks, extra []string
	have, _ := g.Object["scope"].([]any)
	for _, s := range have {
		if name := fmt.Sprint(s); !need[name] {
			extra = append(extra, name)
		}
		delete(need, fmt.Sprint(s))
	}
	lacks = manifest.Keys(need)
	all := g.Object["allow_all_scopes"] == true
	complete := Check{ID: "grant.complete", Title: "The grant has every scope that Okta needs", Address: at, Result: OK, Expected: count(len(wanted), "scope")}
	if len(lacks) > 0 && !all {
		complete.Result, complete.Found, complete.Expected, complete.Advice = Fail, "without "+strings.Join(lacks, ", "), strings.Join(lacks, ", "), adviceApply
	}
	v.add(complete)
	narrow := Check{ID: "grant.narrow", Title: "The grant is not wider than needed", Address: at, Result: OK, Expected: "no other scope"}
	if all {
		extra = []string{"every scope of the API (allow_all_scopes)"}
	}
	if len(extra) > 0 {
		narrow.Result, narrow.Found = Fail, "also "+strings.Join(extra, ", ")
		narrow.Advice = "Whoever holds Okta's key can use them. " + adviceApply
	}
	v.add(narrow)
}

// WithoutKey says why Okta can't sign in as the OIN client: the manifest declares a key
// and the tenant has none, or all have ended. "" if it can, or if no key is declared.
func (st AppState) WithoutKey(app App, now time.Time) string {
	if app.Client.Spec["credentials"] == nil {
		return ""
	}
	if len(st.Keys) == 0 {
		return "on the tenant the OIN client has no key, though the manifest declares one"
	}
	for _, k := range st.Keys {
		if end, err := time.Parse(time.RFC3339, text(k, "expires_at")); err != nil || end.After(now) {
			return ""
		}
	}
	return "on the tenant every key of the OIN client has ended"
}
