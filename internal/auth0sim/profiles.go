package auth0sim

import (
	"maps"
	"net/http"
)

// User attribute profiles and connection profiles (facts §1.3, §3.10) work alike.

func showProfile(p *profile) obj {
	o := maps.Clone(p.o)
	o["id"] = p.id
	return o
}

// defaultUserID is what user_id is filled up with (REC-tf UserAttributeProfile).
func defaultUserID() obj {
	const claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	return obj{"oidc_mapping": "sub", "saml_mapping": []any{claims + "nameidentifier", claims + "upn", claims + "name"}, "scim_mapping": "externalId"}
}

func (c *call) listAttributeProfiles() answer {
	items, place := listing(c, c.t.attributes.all, nil, showProfile)
	return c.page(style{key: "user_attribute_profiles", take: 5, checkpoint: true, always: true}, items, place)
}

func (c *call) createAttributeProfile() answer {
	return c.createProfile(&c.t.attributes, "uap_", "User attribute profile conflict.", fillAttributeProfile)
}

func (c *call) getAttributeProfile() answer {
	return c.getProfile(&c.t.attributes, "User attribute profile not found.")
}

func (c *call) updateAttributeProfile() answer {
	return c.updateProfile(&c.t.attributes, "User attribute profile not found.", "User attribute profile conflict.", fillAttributeProfile)
}

func (c *call) deleteAttributeProfile() answer {
	c.t.attributes.remove(c.params["id"])
	return noContent() // again 204 (facts §3.0)
}

func fillAttributeProfile(o obj) {
	id, isObj := o["user_id"].(obj)
	if !isObj {
		id = obj{}
	}
	dropNulls(id)
	defaults(id, defaultUserID())
	o["user_id"] = id
}

func (c *call) listConnectionProfiles() answer {
	items, place := listing(c, c.t.profiles.all, nil, showProfile)
	return c.page(style{key: "connection_profiles", take: 5, checkpoint: true, always: true}, items, place)
}

func (c *call) createConnectionProfile() answer {
	return c.createProfile(&c.t.profiles, "cop_", "Connection profile conflict.", fillConnectionProfile)
}

func (c *call) getConnectionProfile() answer {
	return c.getProfile(&c.t.profiles, "Connection profile not found.")
}

func (c *call) updateConnectionProfile() answer {
	return c.updateProfile(&c.t.profiles, "Connection profile not found.", "Connection profile conflict.", fillConnectionProfile)
}

func (c *call) deleteConnectionProfile() answer {
	c.t.profiles.remove(c.params["id"])
	return noContent()
}

// fillConnectionProfile: strategy_overrides shows as null while unset, as does
// connection_config (REC-tf ConnectionProfile, ClientExpressAppConfiguration).
func fillConnectionProfile(o obj) {
	defaults(o, obj{"strategy_overrides": nil, "connection_config": nil})
}

func (c *call) createProfile(in *collection[*profile], prefix, conflict string, fill func(obj)) answer {
	o := c.body
	dropNulls(o)
	if taken(in, str(o["name"]), "") {
		return failure(http.StatusConflict, "", "%s", conflict) // OAS; code UNCONFIRMED
	}
	fill(o)
	p := &profile{c.newRecord(prefix+c.t.draw.short(22), o)}
	in.add(p)
	return created(showProfile(p))
}

// taken says whether another profile has the name. That it must be unique is what a
// 409 of the OAS can only mean; UNCONFIRMED.
func taken(in *collection[*profile], name, except string) bool {
	_, found := in.find(func(p *profile) bool { return p.field("name") == name && p.id != except })
	return found
}

func (c *call) getProfile(in *collection[*profile], missing string) answer {
	p, found := in.get(c.params["id"])
	if !found {
		return failure(http.StatusNotFound, "", "%s", missing) // REC-go
	}
	return ok(showProfile(p))
}

func (c *call) updateProfile(in *collection[*profile], missing, conflict string, fill func(obj)) answer {
	p, found := in.get(c.params["id"])
	if !found {
		return failure(http.StatusNotFound, "", "%s", missing)
	}
	if taken(in, str(c.body["name"]), p.id) {
		return failure(http.StatusConflict, "", "%s", conflict)
	}
	merge(p.o, c.body)
	fill(p.o)
	return ok(showProfile(p))
}
