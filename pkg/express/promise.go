package express

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// What Okta promises of the connections that it makes (the guide's last section;
// facts §1.4.7).
const (
	promisedName   = "Okta"
	promisedScopes = "openid email profile"
	promisedLogo   = "https://cdn.brandfolder.io/R30ALRIS/at/scvv8tj7w545j3r5gmxq4jrb/Okta_Aura_Logomark_Black_RGB.png"
)

// Promise is one promised setting and what a connection has instead of it, or as it.
type Promise struct {
	Setting  string `json:"setting"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
	Kept     bool   `json:"kept"`
	// Unread says that the setting could not be read.
	Unread bool `json:"unread,omitempty"`
}

// OktaConnection is a connection body as Okta promises to make it. Names of classic
// connections are UNCONFIRMED (facts §1.4.7), so the caller gives one.
func OktaConnection(name, oktaDomain, clientID string) map[string]any {
	return map[string]any{
		"name": name, "strategy": "okta", "display_name": promisedName, "show_as_button": false,
		"options": map[string]any{
			"client_id": clientID, "domain": oktaDomain, "type": "back_channel", "scope": promisedScopes,
			"icon_url": promisedLogo, "domain_aliases": []any{},
			"attribute_map":       map[string]any{"mapping_mode": "basic_profile"},
			"connection_settings": map[string]any{"pkce": "auto"},
		},
	}
}

// OrganizationConnection is how Okta enables a connection for an organization.
func OrganizationConnection(connectionID string) map[string]any {
	return map[string]any{"connection_id": connectionID, "assign_membership_on_login": true, "show_as_button": true}
}

// Promises compares a connection, and its entry in an organization, with what Okta
// promises, setting by setting. Home realm discovery may be filled where aliases were
// asked for. What Auth0 left out counts as its default.
func Promises(connection, inOrganization map[string]any, aliases []string) []Promise {
	options, readable := connection["options"].(map[string]any)
	inner := func(object, field string) any {
		m, _ := options[object].(map[string]any)
		return m[field]
	}
	var out []Promise
	add := func(setting string, expected, found any, unread bool) {
		p := Promise{Setting: setting, Expected: shown(expected), Found: shown(found), Unread: unread}
		p.Kept = !unread && p.Expected == p.Found
		if unread {
			p.Found = "not readable without read:connections_options"
		}
		out = append(out, p)
	}
	add("scopes", sortedWords(promisedScopes), sortedWords(text(options, "scope")), !readable)
	add("mapping mode", "basic_profile", inner("attribute_map", "mapping_mode"), !readable)
	add("PKCE", "auto", inner("connection_settings", "pkce"), !readable)
	var have []string
	list, _ := options["domain_aliases"].([]any)
	for _, a := range list {
		have = append(have, fmt.Sprint(a))
	}
	add("home realm discovery", domainList(aliases), domainList(have), !readable)
	add("button on the connection", false, connection["show_as_button"] == true, false)
	add("button name", promisedName, connection["display_name"], false)
	add("button logo", promisedLogo, options["icon_url"], !readable)
	add("auto-membership of the organization", true, inOrganization["assign_membership_on_login"] == true, false)
	add("button in the organization", true, inOrganization["show_as_button"] != false, false)
	return out
}

func domainList(names []string) string {
	if len(names) == 0 {
		return "empty"
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

func sortedWords(s string) string {
	return strings.Join(slices.Sorted(slices.Values(strings.Fields(s))), " ")
}

func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "not set"
	case string:
		if v == "" {
			return "not set"
		}
		return v
	case bool:
		if v {
			return "on"
		}
		return "off"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
