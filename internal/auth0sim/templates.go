package auth0sim

import "net/http"

// attributeTemplate is the generic user attribute profile template (facts §1.3: its
// id is recorded; the body is the part of it that the documents give, so
// UNCONFIRMED in its details).
func attributeTemplate() obj {
	attribute := func(name, label, description string, required bool, scim string) obj {
		return obj{
			"label": label, "description": description, "auth0_mapping": name, "profile_required": required,
			"oidc_mapping": obj{"mapping": "${context.tokenset." + name + "}", "display_name": name},
			"saml_mapping": []any{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/" + name}, "scim_mapping": scim,
		}
	}
	return obj{
		"id": "auth0-generic", "display_name": "Auth0 Generic User Profile",
		"template": obj{
			"name": "Auth0 Generic User Profile", "user_id": defaultUserID(),
			"user_attributes": obj{
				"email":       attribute("email", "Email", "Email of the User", true, "emails[primary eq true].value"),
				"name":        attribute("name", "Full Name", "Full Name of the User", false, "displayName"),
				"given_name":  attribute("given_name", "Given Name", "Given Name of the User", false, "name.givenName"),
				"family_name": attribute("family_name", "Family Name", "Family Name of the User", false, "name.familyName"),
				"nickname":    attribute("nickname", "Nickname", "Nickname of the User", false, "nickName"),
			},
		},
	}
}

// connectionTemplate is a connection profile template. No recording has one: id and
// body are UNCONFIRMED.
func connectionTemplate() obj {
	return obj{
		"id": "auth0-generic", "display_name": "Auth0 Generic Connection Profile",
		"template": obj{
			"name": "Auth0 Generic Connection Profile", "connection_name_prefix_template": "con-{org_id}-",
			"organization":     obj{"show_as_button": "required", "assign_membership_on_login": "required"},
			"enabled_features": []any{"scim", "universal_logout"},
		},
	}
}

func (c *call) listAttributeTemplates() answer {
	return ok(obj{"user_attribute_profile_templates": []any{attributeTemplate()}})
}

func (c *call) getAttributeTemplate() answer {
	return oneTemplate(attributeTemplate(), c.params["id"], "User attribute profile template not found.")
}

func (c *call) listConnectionTemplates() answer {
	return ok(obj{"connection_profile_templates": []any{connectionTemplate()}})
}

func (c *call) getConnectionTemplate() answer {
	return oneTemplate(connectionTemplate(), c.params["id"], "Connection profile template not found.")
}

func oneTemplate(t obj, id, missing string) answer {
	if t["id"] != id {
		return failure(http.StatusNotFound, "", "%s", missing)
	}
	return ok(t)
}
