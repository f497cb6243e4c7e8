package express

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Kind is the composite kind that Expand knows.
const Kind = "ExpressConfiguration"

// Expand replaces each ExpressConfiguration by the objects of the guide on tenant t;
// other resources pass unchanged. Objects that all applications of a tenant share
// (API, role, settings) come once; configurations that ask for different ones are
// reported.
func Expand(t *manifest.Tenant, rs []*manifest.Resource) ([]*manifest.Resource, manifest.Diagnostics) {
	var apps, out []*manifest.Resource
	for _, r := range rs {
		if r.Kind == Kind {
			apps = append(apps, r)
		} else {
			out = append(out, r)
		}
	}
	slices.SortFunc(apps, func(a, b *manifest.Resource) int { return strings.Compare(a.Name, b.Name) })
	e := &expansion{domain: t.Domain, several: len(apps) > 1, shared: map[string]*manifest.Resource{}}
	for _, app := range apps {
		e.scim = e.scim || provisions(app)
	}
	for _, r := range out {
		if r.Address() == "TenantSettings/tenant" {
			e.shared[r.Address()] = r
		}
	}
	for _, app := range apps {
		e.app(app)
	}
	switch {
	case e.several:
		e.sharedAction(apps, actionAddress)
	case len(apps) == 1 && apps[0].Spec["home_realm_discovery"] != nil:
		e.sharedAction(apps, "Action/"+apps[0].Name+".post-login")
	}
	return append(out, e.out...), e.problems
}

// provisions says whether an application's users are to be provisioned by Okta.
func provisions(app *manifest.Resource) bool {
	all, _ := app.Spec["capabilities"].([]any)
	return slices.Contains(all, "scim")
}

type expansion struct {
	domain string
	// several says that there is more than one application, scim that at least one of
	// them has provisioning.
	several  bool
	scim     bool
	shared   map[string]*manifest.Resource
	out      []*manifest.Resource
	problems manifest.Diagnostics
	loginURL []loginURL
}

// loginURL is where an application's users begin to log in.
type loginURL struct {
	client any // the application's client id, or a reference to it
	url    any
}

// app adds the objects of one application.
func (e *expansion) app(r *manifest.Resource) {
	section := func(name string) map[string]any {
		m, _ := r.Spec[name].(map[string]any)
		return m
	}
	appAddress := "Client/" + r.Name + ".app"
	lookup := e.add(r, "app", "Client", r.Name+".app", section("app"))
	lookup.Meta.Existing = true
	clientID := section("app")["client_id"]
	if clientID == nil {
		clientID = manifest.Ref(appAddress, "client_id")
	}

	api := override(guideAPI(e.scim), section("api"))
	e.share(r, "api", "ResourceServer", "express", api)
	identifier := api["identifier"]

	role := section("role")
	permissions := guidePermissions(identifier, e.scim)
	if existing, ok := role["existing"]; ok {
		e.share(r, "role", "Role", "express-admin", map[string]any{"name": existing, "permissions": permissions}).Meta.Existing = true
	} else {
		spec := guideRole()
		spec["permissions"] = permissions
		renamedFrom(e.share(r, "role", "Role", "express-admin", override(spec, role)), spec["name"])
	}

	oin := manifest.Clone(section("oin_client"))
	former, _ := oin["former_key"].(map[string]any)
	keys := guideKeys(oin["public_key"], former)
	delete(oin, "public_key")
	delete(oin, "former_key")
	client := e.add(r, "oin_client", "Client", r.Name+".okta-oin", override(guideClient(clientID, keys), oin))
	client.Meta.Match = map[string]any{"client_metadata." + metadataApp: clientID}
	if e.several {
		// No token may be issued for this client before the Action knows its application.
		client.Meta.After = append(client.Meta.After, actionAddress)
	}

	scopes := guideScopes()
	if provisions(r) {
		scopes = append(scopes, scimScopes()...)
	}
	e.add(r, "grant", "ClientGrant", r.Name+".okta-oin", override(map[string]any{
		"client_id": manifest.Ref(client.Address(), "client_id"),
		"audience":  "https://" + e.domain + "/api/v2/",
		"scope":     scopes,
	}, section("grant")))

	e.loginURL = append(e.loginURL, loginURL{clientID, r.Spec["init_login_url"]})

	if !e.several && r.Spec["home_realm_discovery"] == nil {
		e.guideAction(r)
	}

	e.share(r, "tenant_settings", "TenantSettings", "tenant", override(map[string]any{
		"flags": map[string]any{"use_scope_descriptions_for_consent": true},
	}, section("tenant_settings")))
}

const actionAddress = "Action/express.post-login"

// guideAction adds the Action of a tenant's only application: the guide's own.
func (e *expansion) guideAction(r *manifest.Resource) {
	section, _ := r.Spec["action"].(map[string]any)
	spec := guideAction()
	spec["secrets"] = map[string]any{
		secretLoginURL:   r.Spec["init_login_url"],
		secretIdentifier: e.shared["ResourceServer/express"].Spec["identifier"],
		secretDomain:     "https://" + e.domain,
	}
	action := renamedFrom(e.add(r, "action", "Action", r.Name+".post-login", placed(override(spec, section))), spec["name"])
	action.Meta.Formerly = []string{actionAddress}
	action.Meta.Outdated = []string{"secrets." + secretLoginURLs, "secrets." + secretDomains}
	action.Meta.AfterRemoved = "Client" // until another application's client is gone, the Action must know it
}

// sharedAction adds at address the one Action that serves all applications of the
// tenant: with one deployment the claims of all of them change together
// (docs/decisions/0002).
func (e *expansion) sharedAction(apps []*manifest.Resource, address string) {
	first := apps[0]
	section, _ := first.Spec["action"].(map[string]any)
	spec := guideAction()
	spec["code"] = appsCode
	merged := override(spec, section)
	var former []string
	for _, app := range apps {
		other, _ := app.Spec["action"].(map[string]any)
		if !reflect.DeepEqual(section, other) {
			e.problem(app, "spec.action", "the applications of one tenant share one Action, and "+first.Address()+" asks for another one",
				"Write the same spec.action in both, or leave it out of both.")
		}
		if code, own := section["code"].(string); own && len(apps) > 1 && !strings.Contains(code, secretLoginURLs) {
			e.problem(app, "spec.action.code", "the tenant has several applications, and this code does not read "+secretLoginURLs,
				"With several applications the Action gets the login URLs of all of them in that secret, as JSON by client id, in place of "+secretLoginURL+". Without reading it, one application's tokens would carry no login URL, or another's.")
			return
		}
		if !reflect.DeepEqual(first.Spec["home_realm_discovery"], app.Spec["home_realm_discovery"]) {
			e.problem(app, "spec.home_realm_discovery", "the applications of one tenant share one Action, and "+first.Address()+" asks for other domains",
				"Write the same spec.home_realm_discovery in both, or leave it out of both.")
		}
		former = append(former, "Action/"+app.Name+".post-login")
	}
	var parts []any
	for i, l := range e.loginURL {
		// Without a value it is only not known yet, as when manifests are validated.
		if path, secret := manifest.AsSecret(l.url); secret && apps[i].Secrets[path] != "" {
			e.problem(apps[i], "spec.init_login_url", "a sensitive login URL can't be put into the Action that serves several applications or home realm discovery", "Give the URL as it is; it is no secret: the token carries it to Okta.")
			return
		}
		sep := ","
		if i == 0 {
			sep = "{"
		}
		if _, known := l.url.(string); !known {
			parts = append(parts, sep+`"`, l.client, `":"`, l.url, `"`)
			continue
		}
		url, err := json.Marshal(l.url)
		if err != nil {
			panic("express: not JSON: " + err.Error()) // a programming error, never input
		}
		parts = append(parts, sep+`"`, l.client, `":`+string(url))
	}
	parts = append(parts, "}")
	identifier := e.shared["ResourceServer/express"].Spec["identifier"]
	own, _ := merged["secrets"].(map[string]any)
	secrets := map[string]any{
		secretLoginURLs:  manifest.Join(parts...),
		secretIdentifier: identifier,
		secretDomain:     "https://" + e.domain,
	}
	if discovery, ok := first.Spec["home_realm_discovery"].(map[string]any); ok {
		secrets[secretDomains] = discovery["organization_metadata"]
	}
	merged["secrets"] = override(secrets, own)
	action := renamedFrom(e.add(first, "action", "Action", strings.TrimPrefix(address, "Action/"), placed(merged)), spec["name"])
	action.Meta.Formerly = append(former, actionAddress)
	action.Meta.Outdated = []string{"secrets." + secretLoginURL, "secrets." + secretDomains}
	action.Meta.AfterRemoved = "Client"
}

// placed lets an explicit null take the Action out of the flow.
func placed(spec map[string]any) map[string]any {
	if spec["bind"] == nil {
		delete(spec, "bind")
	}
	return spec
}

// renamedFrom lets an object that bears the guide's name still be found when the manifest
// gives it another one.
func renamedFrom(r *manifest.Resource, guide any) *manifest.Resource {
	if name, ok := guide.(string); ok && r.Spec["name"] != guide {
		r.Meta.RenamedFrom = name
	}
	return r
}

// add makes a resource that comes from r.
func (e *expansion) add(r *manifest.Resource, section, kind, name string, spec map[string]any) *manifest.Resource {
	out := &manifest.Resource{
		Kind: kind, Name: name, Spec: spec, Secrets: r.Secrets, Pos: r.At(section), Positions: places(r, section), From: r.Address(),
		Meta: manifest.Meta{
			Labels: r.Meta.Labels, Acknowledge: r.Meta.Acknowledge, PreventDestroy: r.Meta.PreventDestroy,
			AssumeSecretsUnchanged: r.Meta.AssumeSecretsUnchanged, After: slices.Clone(r.Meta.After),
		},
	}
	e.out = append(e.out, out)
	return out
}

// sources are, by section and field, the fields of the composite that a value comes from
// where the section does not give it; the first that is there counts.
var sources = map[string]map[string][]string{
	"api":        {"scopes": {"capabilities"}},
	"role":       {"name": {"role.existing"}, "permissions": {"role.existing", "api.identifier", "capabilities"}},
	"oin_client": {"credentials": {"oin_client.public_key"}, "client_metadata." + metadataApp: {"app.client_id", "app.name", "app"}},
	"grant":      {"scope": {"capabilities"}},
	"action": {
		"secrets." + secretLoginURL: {"init_login_url"}, "secrets." + secretLoginURLs: {"init_login_url"},
		"secrets." + secretIdentifier: {"api.identifier"}, "secrets." + secretDomains: {"home_realm_discovery.organization_metadata"},
	},
}

// places returns where a section's resource has its fields from.
func places(r *manifest.Resource, section string) map[string]manifest.Position {
	out := map[string]manifest.Position{}
	for field, from := range sources[section] {
		for _, path := range slices.Backward(from) {
			if p, ok := r.Positions[path]; ok {
				out[field] = p
			}
		}
	}
	for path, p := range r.Positions {
		if rest, below := strings.CutPrefix(path, section+"."); below {
			out[rest] = p
		}
	}
	return out
}

// share adds a resource that all applications of the tenant have in common. What is
// there already is completed; where the two contradict each other it is an error.
func (e *expansion) share(r *manifest.Resource, section, kind, name string, spec map[string]any) *manifest.Resource {
	address := kind + "/" + name
	there := e.shared[address]
	if there == nil {
		out := e.add(r, section, kind, name, spec)
		e.shared[address] = out
		return out
	}
	if path := contradiction(there.Spec, spec, ""); path != "" {
		from := there.From
		if from == "" {
			from = there.Address()
		}
		e.problem(r, "", fmt.Sprintf("%s is shared by the whole tenant, and %s (%s) asks for another value of %s", address, from, there.Pos, path),
			"Give both the same value, or leave it out of one of them.")
		return there
	}
	there.Spec = override(there.Spec, spec)
	for path, p := range places(r, section) {
		if _, both := there.Positions[path]; !both && there.Positions != nil {
			there.Positions[path] = p
		}
	}
	return there
}

// contradiction returns the path of the first value that a and b both have and differ in.
func contradiction(a, b map[string]any, at string) string {
	for _, k := range manifest.Keys(b) {
		have, both := a[k]
		if !both || reflect.DeepEqual(have, b[k]) {
			continue
		}
		x, ok1 := have.(map[string]any)
		y, ok2 := b[k].(map[string]any)
		if !ok1 || !ok2 {
			return at + k
		}
		if p := contradiction(x, y, at+k+"."); p != "" {
			return p
		}
	}
	return ""
}

// override lays over on base: objects field by field, all else as a whole. null stays,
// for it clears a field.
func override(base, over map[string]any) map[string]any {
	out := manifest.Clone(base)
	for k, v := range over {
		b, ok1 := out[k].(map[string]any)
		o, ok2 := v.(map[string]any)
		if _, secret := manifest.AsSecret(v); ok1 && ok2 && !secret && len(o) > 0 {
			out[k] = override(b, o)
		} else {
			out[k] = v
		}
	}
	return out
}

func (e *expansion) problem(r *manifest.Resource, path, summary, detail string) {
	e.problems = append(e.problems, manifest.Diagnostic{
		Severity: manifest.Error, Pos: r.At(strings.TrimPrefix(path, "spec.")), Address: r.Address(), Path: path, Summary: summary, Detail: detail,
	})
}
