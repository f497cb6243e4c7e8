package express

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Setup is the part of a tenant's resources that is Express Configuration, whether
// the composite kind stands for them or people wrote them out.
type Setup struct {
	// API, Role and Settings are shared by all applications; nil if none is declared.
	API, Role, Settings *manifest.Resource
	// Apps are the applications, by name.
	Apps []App
	// Others are the resources that have nothing to do with it.
	Others []*manifest.Resource
}

// App is what one application has of its own; the Action may be shared. Each part is
// nil if it is not declared.
type App struct {
	// Name is that of the ExpressConfiguration, else that of the OIN client's resource.
	Name string
	// App is the application, Client the OIN client that stands for Okta.
	App, Client, Grant, Action *manifest.Resource
}

// FindSetup finds Express Configuration among expanded and linked resources: an OIN
// client is known by its metadata, an Action by the secret that names the API.
func FindSetup(rs []*manifest.Resource) Setup {
	var s Setup
	used := map[*manifest.Resource]bool{}
	use := func(into **manifest.Resource, r *manifest.Resource) {
		if *into == nil {
			*into = r
			used[r] = true
		}
	}
	for _, r := range rs {
		if meta, _ := r.Spec["client_metadata"].(map[string]any); r.Kind == "Client" && meta[metadataApp] != nil {
			app := App{Name: strings.TrimSuffix(r.Name, ".okta-oin")}
			if _, name, ok := strings.Cut(r.From, "/"); ok {
				app.Name = name
			}
			use(&app.Client, r)
			s.Apps = append(s.Apps, app)
		}
	}
	slices.SortFunc(s.Apps, func(a, b App) int { return strings.Compare(a.Name, b.Name) })
	for i := range s.Apps {
		app := &s.Apps[i]
		meta, _ := app.Client.Spec["client_metadata"].(map[string]any)
		if grant := grantOf(app.Client, rs); grant != nil {
			use(&app.Grant, grant)
		}
		for _, r := range rs {
			switch {
			case r.Kind == "Client" && names(meta[metadataApp], r, "client_id"):
				use(&app.App, r)
			case r.Kind == "Action" && isExpressAction(r) && (r.From == "" || r.From == app.Client.From || r.Address() == actionAddress):
				use(&app.Action, r)
			}
		}
	}
	for _, r := range rs {
		switch {
		case r.Kind == "ResourceServer" && s.isAPI(r):
			use(&s.API, r)
		case r.Kind == "TenantSettings":
			use(&s.Settings, r)
		}
	}
	for _, r := range rs {
		if r.Kind == "Role" && s.API != nil && permits(r, s.API.Spec["identifier"]) {
			use(&s.Role, r)
		}
	}
	for _, r := range rs {
		if !used[r] {
			s.Others = append(s.Others, r)
		}
	}
	return s
}

// names reports whether v is r's attribute, by value or by reference.
func names(v any, r *manifest.Resource, attr string) bool {
	if r == nil || v == nil {
		return false
	}
	if address, name, ok := manifest.AsRef(v); ok {
		return address == r.Address() && name == attr
	}
	return v == r.Spec[attr]
}

// grantOf is a client's grant on the Management API, of the grants that it may have on
// other APIs, or for users, besides. If none is, the first one: its audience is wrong then.
func grantOf(client *manifest.Resource, rs []*manifest.Resource) *manifest.Resource {
	var first *manifest.Resource
	for _, r := range rs {
		if r.Kind != "ClientGrant" || !names(r.Spec["client_id"], client, "client_id") || r.Spec["subject_type"] == "user" {
			continue
		}
		if strings.HasSuffix(text(r.Spec, "audience"), "/api/v2/") {
			return r
		}
		first = cmp.Or(first, r)
	}
	return first
}

// isExpressAction reports whether an Action is for Okta's tokens: ExpressConfiguration
// made it, it has the secret that names the API, or (import leaves secrets out) it is the
// guide's code.
func isExpressAction(r *manifest.Resource) bool {
	secrets, _ := r.Spec["secrets"].(map[string]any)
	_, named := secrets[secretIdentifier]
	return r.Spec["trigger"] == "post-login" && (named || r.From != "" || sameCode(text(r.Spec, "code"), GuideCode))
}

// isAPI reports whether r is the API that Okta gets tokens for: the one that an
// Action names, else the guide's.
func (s *Setup) isAPI(r *manifest.Resource) bool {
	for _, app := range s.Apps {
		if app.Action == nil {
			continue
		}
		secrets, _ := app.Action.Spec["secrets"].(map[string]any)
		if secrets[secretIdentifier] != nil && secrets[secretIdentifier] == r.Spec["identifier"] {
			return true
		}
	}
	return r.Spec["identifier"] == APIIdentifier || r.From != ""
}

func permits(role *manifest.Resource, api any) bool {
	list, _ := role.Spec["permissions"].([]any)
	return slices.ContainsFunc(list, func(p any) bool {
		m, _ := p.(map[string]any)
		return m["resource_server_identifier"] == api
	})
}

// Resources lists the set-up's resources, those that others refer to first.
func (s *Setup) Resources() []*manifest.Resource {
	out := []*manifest.Resource{s.API, s.Role}
	for _, app := range s.Apps {
		out = append(out, app.App, app.Client, app.Grant, app.Action)
	}
	out = append(out, s.Settings)
	seen := map[*manifest.Resource]bool{nil: true}
	return slices.DeleteFunc(out, func(r *manifest.Resource) bool {
		had := seen[r]
		seen[r] = true
		return had
	})
}

// LoginURL is where a login of the application begins, as its Action is declared to say;
// "" if that can't be told.
func (app App) LoginURL(appID string) string {
	if app.Action == nil {
		return ""
	}
	secrets, _ := app.Action.Spec["secrets"].(map[string]any)
	if one, ok := secrets[secretLoginURL].(string); ok {
		return one
	}
	all, _ := secrets[secretLoginURLs].(string)
	var byApp map[string]string
	if json.Unmarshal([]byte(all), &byApp) != nil {
		return ""
	}
	return byApp[appID]
}

// Provisions reports whether Okta may set up provisioning (SCIM) for the application.
func (app App) Provisions() bool {
	if app.Grant == nil {
		return false
	}
	scopes, _ := app.Grant.Spec["scope"].([]any)
	return slices.Contains(scopes, any("create:scim_config"))
}

// NeededScopes are the scopes of the Management API that Okta needs (facts §1.2). They
// are written out here once more: what is checked must not come from what is checked.
func NeededScopes(scim bool) []string {
	out := []string{
		"create:connections", "read:connections", "update:connections", "read:connections_options", "update:connections_options",
		"read:organization_connections", "create:organization_connections", "update:organization_connections",
	}
	if scim {
		out = append(out, "read:scim_config", "create:scim_config", "read:scim_token", "create:scim_token", "delete:scim_token")
	}
	return out
}

// AskedScopes are the scopes that Okta asks an admin's token to have.
func AskedScopes(scim bool) []string {
	if scim {
		return []string{ScopeSSO, "expressconfigure:scim"}
	}
	return []string{ScopeSSO}
}
