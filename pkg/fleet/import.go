package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// Imported is an object of a tenant as a document of a manifest.
type Imported struct {
	*manifest.Resource
	// Notes say what of the object could not be taken along.
	Notes []string
	// Code is the text of an Action, which the document names as the file Name.js.
	Code string
}

// collection is where the objects of a kind are.
type collection struct {
	kind string
	read kind.Read
	// key are the members by which an object is found again.
	key []string
	// skip passes over objects that are Auth0's own.
	skip func(o map[string]any) bool
}

// organizations are imported where they are asked for: they are customers, with people
// in them, and may be many.
var organizations = collection{
	"Organization",
	kind.Read{Path: "organizations", List: "organizations", Scopes: []string{"read:organizations"}},
	[]string{"name"},
	func(map[string]any) bool { return false },
}

// collections are what is imported, in the order in which documents stand.
var collections = []collection{
	{
		"ResourceServer",
		kind.Read{Path: "resource-servers", List: "resource_servers", Scopes: []string{"read:resource_servers"}},
		[]string{"identifier"},
		func(o map[string]any) bool { return o["is_system"] == true },
	},
	{
		"Role",
		kind.Read{Path: "roles", List: "roles", Scopes: []string{"read:roles"}},
		[]string{"name"},
		func(o map[string]any) bool { return o["type"] == "organization" },
	},
	{
		"Client",
		kind.Read{Path: "clients", Query: "is_global=false", List: "clients", Scopes: []string{"read:clients"}},
		[]string{"client_id", "name"},
		func(o map[string]any) bool { return o["global"] == true },
	},
	{
		"ClientGrant",
		kind.Read{Path: "client-grants", List: "client_grants", Scopes: []string{"read:client_grants"}},
		[]string{"client_id", "audience", "subject_type"},
		func(o map[string]any) bool { return o["is_system"] == true },
	},
	{
		"Action",
		kind.Read{Path: "actions/actions", List: "actions", Scopes: []string{"read:actions"}},
		[]string{"name"},
		func(o map[string]any) bool { return o["installed_integration_id"] != nil },
	},
}

// Import reads what the tenant has and makes documents of it. What nobody can read back
// (secrets, keys) is left out and noted, so that a plan of the documents changes nothing.
// Organizations come along if customers is true.
func (t *Target) Import(ctx context.Context, customers bool) ([]Imported, error) {
	from := collections
	if customers {
		from = append(slices.Clone(from), organizations)
	}
	view := &kind.View{Counts: map[string]int{}}
	for _, c := range from {
		view.Counts[c.kind] = 2 // collections are read whole
	}
	for {
		out := t.imported(view, from)
		missing := view.Missing()
		if len(missing) == 0 {
			return out, nil
		}
		answers, err := t.client.Read(ctx, missing)
		if err != nil {
			return nil, err
		}
		view.Answer(answers)
	}
}

func (t *Target) imported(v *kind.View, from []collection) []Imported {
	var out []Imported
	names := map[string]bool{}
	clients := map[string]string{} // addresses by client id
	for _, c := range from {
		items, _ := v.Items(c.read)
		for _, o := range items {
			if c.skip(o) {
				continue
			}
			im, ok := t.document(c.kind, c.key, o, v)
			if !ok {
				continue
			}
			im.Name = unused(names, c.kind, slug(o, clients))
			switch c.kind {
			case "Client":
				id, _ := o["client_id"].(string)
				clients[id] = im.Address()
			case "ClientGrant":
				id, _ := o["client_id"].(string)
				if a, known := clients[id]; known {
					im.Spec["client_id"] = "${" + a + ".client_id}"
				}
			}
			out = append(out, im)
		}
	}
	if settings, ok := t.document("TenantSettings", nil, nil, v); ok && len(settings.Spec) > 0 {
		settings.Name = "tenant"
		out = append(out, settings)
	}
	return out
}

// document makes the document of one object; ok is false while an answer is missing, or
// if it can't be described.
func (t *Target) document(kindName string, key []string, o map[string]any, v *kind.View) (Imported, bool) {
	spec := map[string]any{}
	for _, k := range key {
		if o[k] != nil {
			spec[k] = o[k]
		}
	}
	switch kindName {
	case "Role":
		spec["permissions"] = []any{}
	case "Organization":
		spec["connections"], spec["members"] = []any{}, []any{}
	case "Action":
		spec["trigger"], spec["bind"] = triggerOf(o), map[string]any{}
	}
	r := &manifest.Resource{Kind: kindName, Name: "import", Spec: spec}
	found, err := kind.All()[kindName].Observe(kind.Desired{Resource: r, Spec: spec}, v)
	if err != nil || !found.Exists {
		return Imported{}, false
	}
	im := Imported{Resource: &manifest.Resource{Kind: kindName, Name: "import", Spec: map[string]any{}}}
	rules := schemas.Rules(kindName)
	for _, f := range manifest.Keys(rules.Properties) {
		value, there := found.Spec[f]
		rule := rules.Properties[f]
		if !there || value == nil || rule.WriteOnly || rule.Sensitive {
			continue
		}
		im.Spec[f] = manifest.Clone(value)
	}
	im.settle(found)
	im.fit()
	for _, f := range manifest.Keys(im.Spec) {
		im.Spec[f] = t.written(im.Spec[f], rules.Properties[f])
	}
	return im, true
}

// settle turns what is read of some kinds into what is written of them.
func (im *Imported) settle(found kind.Observed) {
	switch im.Kind {
	case "Client":
		delete(im.Spec, "credentials")
		if methods, ok := found.Object["client_authentication_methods"].(map[string]any); ok && len(methods) > 0 {
			im.Notes = append(im.Notes, "It signs in with a key. Auth0 does not give keys back: declare credentials to have them managed.")
		}
	case "Organization":
		im.Spec["members"] = kind.DeclaredMembers(found)
		connections, okta := kind.DeclaredConnections(found)
		im.Spec["connections"] = connections
		for _, name := range okta {
			im.Notes = append(im.Notes, "The connection "+name+" is not taken along: connections to Okta are Okta's.")
		}
		for _, f := range []string{"members", "connections"} {
			if l, _ := im.Spec[f].([]any); len(l) == 0 {
				delete(im.Spec, f)
			}
		}
	case "ClientGrant":
		if im.Spec["subject_type"] == "client" {
			delete(im.Spec, "subject_type")
		}
	case "Action":
		if secrets, _ := im.Spec["secrets"].(map[string]any); len(secrets) > 0 {
			im.Notes = append(im.Notes, "Its secrets' values can't be read back: "+strings.Join(manifest.Keys(secrets), ", ")+". Declare all of them to have them managed.")
		}
		delete(im.Spec, "secrets")
		if deps, _ := im.Spec["dependencies"].(map[string]any); len(deps) == 0 {
			delete(im.Spec, "dependencies")
		}
		im.Spec["deploy"] = found.Spec["all_changes_deployed"] == true && found.Spec["deployed_version"] != nil
		bound, _ := found.Spec["bindings"].([]any)
		if slices.ContainsFunc(bound, func(b any) bool { m, _ := b.(map[string]any); return m["id"] == found.ID }) {
			im.Spec["bind"] = map[string]any{}
		}
		im.Code, _ = im.Spec["code"].(string)
	case "TenantSettings":
		flags := im.Spec["flags"]
		im.Spec = map[string]any{}
		if m, ok := flags.(map[string]any); ok && len(m) > 0 {
			im.Spec["flags"] = flags
		}
	}
}

// fit leaves out what the schema does not take, one field after the other.
func (im *Imported) fit() {
	for again := true; again; {
		again = false
		for _, d := range manifest.CheckSpec(im.Resource) {
			path := strings.TrimPrefix(d.Path, "spec.")
			if d.Severity != manifest.Warning && drop(im.Spec, path) {
				im.Notes = append(im.Notes, fmt.Sprintf("Left out: %s (%s).", path, d.Summary))
				again = true
				break
			}
		}
	}
}

// drop takes the field at path out of m: the innermost one that is a member of an
// object. It reports whether there was one.
func drop(m map[string]any, path string) bool {
	name, rest, nested := strings.Cut(path, ".")
	if inner, ok := m[name].(map[string]any); nested && ok && drop(inner, rest) {
		return true
	}
	name, _, _ = strings.Cut(name, "[")
	_, there := m[name]
	delete(m, name)
	return there
}

// written is a value as it stands in a manifest: ${ is a literal there only as $${, and
// the tenant's own domain is named as such.
func (t *Target) written(v any, rule *schemas.Rule) any {
	switch v := v.(type) {
	case string:
		if rule != nil && rule.Text {
			return v
		}
		own := "https://" + t.Tenant.Domain + "/"
		if rest, ok := strings.CutPrefix(v, own); ok && rest == "api/v2/" {
			return "https://${tenant.domain}/" + rest
		}
		return strings.ReplaceAll(v, "${", "$${")
	case map[string]any:
		for k, e := range v {
			v[k] = t.written(e, rule.Field(k))
		}
	case []any:
		for i, e := range v {
			var item *schemas.Rule
			if rule != nil {
				item = rule.Items
			}
			v[i] = t.written(e, item)
		}
	}
	return v
}

func triggerOf(action map[string]any) any {
	list, _ := action["supported_triggers"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		return m["id"]
	}
	return nil
}

// slug makes a document's name of an object's: that of a grant comes from its client.
func slug(o map[string]any, clients map[string]string) string {
	name, _ := o["name"].(string)
	if id, isGrant := o["client_id"].(string); isGrant && o["audience"] != nil {
		_, name, _ = strings.Cut(clients[id], "/")
		audience, _ := o["audience"].(string)
		audience = strings.TrimSuffix(strings.TrimPrefix(audience, "https://"), "/")
		name += "." + audience
	}
	if name == "" {
		name, _ = o["identifier"].(string)
		name = strings.TrimPrefix(name, "https://")
	}
	const most = 90
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.ToLower(name))
	out = strings.Trim(out[:min(most, len(out))], "-._")
	if out == "" {
		return "object"
	}
	return out
}

func unused(names map[string]bool, kindName, name string) string {
	out := name
	for i := 2; names[kindName+"/"+out]; i++ {
		out = fmt.Sprintf("%s-%d", name, i)
	}
	names[kindName+"/"+out] = true
	return out
}

// Files are documents as files of a folder: one for each kind, and one for each Action's
// code.
func Files(ims []Imported) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, im := range ims {
		name := map[string]string{
			"ResourceServer": "apis.yaml", "Role": "roles.yaml", "Client": "clients.yaml", "ClientGrant": "grants.yaml",
			"Action": "actions.yaml", "TenantSettings": "settings.yaml", "Organization": "customers.yaml",
		}[im.Kind]
		r := *im.Resource
		if im.Code != "" {
			out[r.Name+".js"] = []byte(im.Code)
			r.Spec = manifest.Clone(r.Spec)
			r.Spec["code"] = map[string]any{"file": r.Name + ".js"}
		}
		text, err := manifest.YAML([]*manifest.Resource{&r})
		if err != nil {
			return nil, err
		}
		if len(out[name]) > 0 {
			out[name] = append(out[name], "---\n"...)
		}
		for _, n := range im.Notes {
			out[name] = append(out[name], "# "+strings.ReplaceAll(n, "\n", " ")+"\n"...)
		}
		out[name] = append(out[name], text...)
	}
	return out, nil
}
