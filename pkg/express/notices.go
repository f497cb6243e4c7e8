package express

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// Notices tells what a reviewer of Express Configuration must know: its generation,
// and prerequisites that are unmet as far as v, what planning read, shows. removed are
// the resources whose objects the plan deletes.
func Notices(rs []*manifest.Resource, v *kind.View, removed []*manifest.Resource) []kind.Notice {
	var out []kind.Notice
	configured := false
	for _, r := range rs {
		if r.From == "" {
			continue
		}
		if !configured {
			configured = true
			out = append(out, generation(r.From))
			if !turnsOff(rs, "enable_client_connections") {
				out = append(out, connections(r.From, v)...)
			}
		}
		if r.Kind == "Action" {
			out = append(out, domainsClaim(r)...)
			out = append(out, strangers(r, rs, v, removed)...)
		}
		if r.Kind != "Client" {
			continue
		}
		switch {
		case r.Meta.Existing:
			out = append(out, organizations(r, v)...)
		case r.Spec["credentials"] == nil && !hasKey(r, rs, v):
			out = append(out, kind.Notice{
				ID: "oin-key-missing", Address: r.Address(), Level: kind.Warn,
				Summary: "The client for Okta has no key yet, so Okta can't sign in as it",
				Detail:  "Okta sends a public key once it knows the client_id. Put it beside the manifest, name it in oin_client.public_key and apply again.",
			})
		}
	}
	return out
}

// turnsOff reports whether a resource sets the tenant's flag to false.
func turnsOff(rs []*manifest.Resource, flag string) bool {
	for _, r := range rs {
		if flags, ok := r.Spec["flags"].(map[string]any); ok && r.Kind == "TenantSettings" && flags[flag] == false {
			return true
		}
	}
	return false
}

// hasKey reports whether the client for Okta that is on the tenant has a key, though the
// manifest names none. Clients for one application are told apart by their metadata.
func hasKey(r *manifest.Resource, rs []*manifest.Resource, v *kind.View) bool {
	clients := clientsOf(v)
	app := appOf(r.From, rs, clients)
	for _, m := range clients {
		metadata, _ := m["client_metadata"].(map[string]any)
		methods, _ := m["client_authentication_methods"].(map[string]any)
		jwt, _ := methods["private_key_jwt"].(map[string]any)
		if keys, _ := jwt["credentials"].([]any); metadata[metadataApp] == app && app != nil && len(keys) > 0 {
			return true
		}
	}
	return false
}

// clientsOf are the tenant's clients, as far as planning read them.
func clientsOf(v *kind.View) []map[string]any {
	clients, _ := v.Answers[kind.Read{Path: "clients", Query: "is_global=false"}.Key()].([]any)
	return objects(clients)
}

// appOf is the client id of the application that the ExpressConfiguration at address is
// for, which may be looked up by name; nil if it is not on the tenant.
func appOf(address string, rs []*manifest.Resource, clients []map[string]any) any {
	var app map[string]any
	for _, r := range rs {
		if r.From == address && r.Kind == "Client" && r.Meta.Existing {
			app = r.Spec
		}
	}
	if id := app["client_id"]; id != nil {
		return id
	}
	for _, c := range clients {
		if c["name"] == app["name"] {
			return c["client_id"]
		}
	}
	return nil
}

// generation: facts §1.1 and §1.3.
func generation(address string) kind.Notice {
	return kind.Notice{
		ID: "classic-generation", Address: address, Level: kind.Info,
		Summary: "This is the first generation of Express Configuration, which Okta called deprecated in November 2025",
		Detail:  "It goes on working. Auth0 has since built a second one in (app type express_configuration), without Action and manual grant; ecplan does not set that up.",
	}
}

// connections: Auth0 wants application connections disabled (facts §1.2 h). The flag
// is on by default, so a tenant that does not show it has it on.
func connections(address string, v *kind.View) []kind.Notice {
	settings, ok := v.Answers[kind.Read{Path: "tenants/settings"}.Key()].(map[string]any)
	if !ok {
		return nil
	}
	flags, _ := settings["flags"].(map[string]any)
	if on, set := flags["enable_client_connections"].(bool); set && !on {
		return nil
	}
	return []kind.Notice{{
		ID: "client-connections-enabled", Address: address, Level: kind.Warn,
		Summary: "The tenant enables new connections for every application (flags.enable_client_connections)",
		Detail:  "Auth0's prerequisites for Express Configuration want it off, so that a customer's connection serves the intended application only. Set it in tenant_settings.flags if no other set-up counts on it.",
	}}
}

// domainsClaim: the claim is documented for the second generation only (facts §1.3).
func domainsClaim(action *manifest.Resource) []kind.Notice {
	secrets, _ := action.Spec["secrets"].(map[string]any)
	if secrets[secretDomains] == nil {
		return nil
	}
	return []kind.Notice{{
		ID: "domains-unconfirmed", Address: action.Address(), Level: kind.Info,
		Summary: "Whether Okta reads the e-mail domains in the token (home_realm_discovery) is not documented for this generation",
		Detail:  "Auth0 documents the claim express_configuration for the second generation. Look at the connection that Okta makes for the first customer: its identity provider domains should be filled in.",
	}}
}

// strangers: the guide's Action gives its one login URL to every client that has the
// metadata, so no client of another application may be there (docs/decisions/0002).
func strangers(action *manifest.Resource, rs []*manifest.Resource, v *kind.View, removed []*manifest.Resource) []kind.Notice {
	secrets, _ := action.Spec["secrets"].(map[string]any)
	if secrets[secretLoginURL] == nil {
		return nil
	}
	clients := clientsOf(v)
	own := appOf(action.From, rs, clients)
	var others []string
	for _, c := range clients {
		metadata, _ := c["client_metadata"].(map[string]any)
		of := metadata[metadataApp]
		goes := slices.ContainsFunc(removed, func(r *manifest.Resource) bool { return r.Kind == "Client" && r.Spec["client_id"] == c["client_id"] })
		if of != nil && own != nil && of != own && !goes {
			others = append(others, fmt.Sprintf("%q (client_id %s, for the application %s)", c["name"], c["client_id"], of))
		}
	}
	if len(others) == 0 {
		return nil
	}
	slices.Sort(others)
	return []kind.Notice{{
		ID: "foreign-oin-client", Address: action.Address(), Level: kind.Refusal,
		Summary: "The tenant has an OIN client of another application, whose tokens would carry this one's login URL: " + strings.Join(others, ", "),
		Detail:  "The guide's Action knows one application only. Declare an ExpressConfiguration for the other one too, remove its client (--prune, if ecplan made it), or acknowledge this if nobody uses it.",
	}}
}

// organizations: the application's users log in through organizations.
func organizations(r *manifest.Resource, v *kind.View) []kind.Notice {
	for _, m := range clientsOf(v) {
		same := m["client_id"] == r.Spec["client_id"] || r.Spec["client_id"] == nil && m["name"] == r.Spec["name"]
		usage, _ := m["organization_usage"].(string)
		if !same || usage == "allow" || usage == "require" {
			continue
		}
		return []kind.Notice{{
			ID: "app-without-organizations", Address: r.Address(), Level: kind.Warn,
			Summary: "The application does not let users log in through organizations (organization_usage)",
			Detail:  "Okta enables each customer's connection for an organization of the tenant. Set organization_usage of the application to allow or require.",
		}}
	}
	return nil
}
