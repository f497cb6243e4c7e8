package auth0sim

import (
	"maps"
	"slices"
)

// sandboxVersions are only in the answer to a read (facts, recorded §8).
var sandboxVersions = []any{"22", "18"}

// formerVersions are taken still, for a client may be as old: 16 was set in REC-tf
// Tenant_EnableSSO, 12 was on offer in terraform (alexkappa) #338; 8 and 4 are UNCONFIRMED.
var formerVersions = []any{"16", "12", "8", "4"}

// lifetimes are settings in hours that a PATCH may give in minutes instead; a read
// shows hours, with a fraction if need be (OAS UpdateTenantSettingsRequestContent,
// go-auth0's TestTenantManager, deploy-cli #1261).
var lifetimes = []string{"session_lifetime", "idle_session_lifetime", "ephemeral_session_lifetime", "idle_ephemeral_session_lifetime"}

// lockedFlag can't be changed from what the answer to a PATCH says of it, and shows only in the answer to a PATCH, with another that
// says so (all 28 recorded PATCHes and none of 61 GETs; deploy-cli #792).
const lockedFlag = "enforce_client_authentication_on_passwordless_start"

func (c *call) getSettings() answer {
	o := maps.Clone(c.t.settings)
	o["sandbox_versions_available"] = sandboxVersions
	return ok(c.fields(o))
}

// updateSettings merges at the top level and flag by flag; null takes a setting
// away (facts §3.7, REC-tf TenantDefaults #2).
func (c *call) updateSettings() answer {
	if fail := c.refuseSettings(); fail != nil {
		return *fail
	}
	for _, name := range lifetimes {
		if minutes, given := c.body[name+"_in_minutes"].(float64); given {
			c.body[name] = minutes / 60
			delete(c.body, name+"_in_minutes")
		}
	}
	delete(object(c.body["flags"]), lockedFlag)
	mergeKey(c.t.settings, c.body, "flags")
	merge(c.t.settings, c.body)
	if c.t.settings["default_redirection_uri"] == "" { // REC-tf Tenant_DefaultRedirectionURI: empty is not set
		delete(c.t.settings, "default_redirection_uri")
	}
	o := clone(c.t.settings)
	merge(object(o["flags"]), obj{lockedFlag: true, "cannot_change_" + lockedFlag: true})
	return ok(o)
}

// refuseSettings holds the rules that no schema states. The error codes are UNCONFIRMED.
func (c *call) refuseSettings() *answer {
	for _, name := range lifetimes {
		if c.body[name] != nil && c.body[name+"_in_minutes"] != nil {
			return c.invalidBody("Cannot set both " + name + " and " + name + "_in_minutes") // OAS: "Cannot be specified together"; wording UNCONFIRMED
		}
	}
	if v := c.body["sandbox_version"]; v != nil && !slices.Contains(slices.Concat(sandboxVersions, formerVersions), v) {
		return c.invalidBody("The sandbox_version provided is invalid. Please use one of the available options: " + string(encode(sandboxVersions))) // terraform (alexkappa) #338
	}
	// Other flags can't be set on some tenants (deploy-cli #374, #590, terraform #127), but
	// can on most: deploy-cli's allowedTenantFlags has them since.
	if v, given := object(c.body["flags"])[lockedFlag]; given && v != true {
		return c.invalidBody("Updating the " + lockedFlag + " flag is not allowed. Please contact us if you need additional information.")
	}
	return nil
}
