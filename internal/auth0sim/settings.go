package auth0sim

import "maps"

// sandboxVersions are only in the answer to a read (facts, recorded §8).
var sandboxVersions = []any{"22", "18"}

func (c *call) getSettings() answer {
	o := maps.Clone(c.t.settings)
	o["sandbox_versions_available"] = sandboxVersions
	return ok(c.fields(o))
}

// updateSettings merges at the top level and flag by flag; null takes a setting
// away (facts §3.7, REC-tf TenantDefaults #2).
func (c *call) updateSettings() answer {
	mergeKey(c.t.settings, c.body, "flags")
	merge(c.t.settings, c.body)
	if c.t.settings["default_redirection_uri"] == "" { // REC-tf Tenant_DefaultRedirectionURI: empty is not set
		delete(c.t.settings, "default_redirection_uri")
	}
	return ok(c.t.settings)
}
