package auth0sim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
)

func noGrant() answer {
	return failure(http.StatusNotFound, "inexistent_client_grant", "The grant does not exist.")
}

// showGrant leaves scope out where all scopes are allowed (REC-tf ClientGrant #38).
func showGrant(g *grant) obj {
	o := maps.Clone(g.o)
	o["id"] = g.id
	if truth(o["allow_all_scopes"]) {
		delete(o, "scope")
	}
	return o
}

func (c *call) listGrants() answer {
	items, place := listing(c, c.t.grants.all, func(g *grant) bool {
		for _, f := range []string{"audience", "client_id", "subject_type", "default_for"} {
			if want := c.query.Get(f); want != "" && g.field(f) != want {
				return false
			}
		}
		if want := c.query.Get("allow_any_organization"); want != "" && truth(g.o["allow_any_organization"]) != (want == "true") {
			return false
		}
		return true
	}, showGrant)
	return c.page(style{key: "client_grants", checkpoint: true}, items, place)
}

func (c *call) createGrant() answer {
	o := c.body
	dropNulls(o)
	audience, clientID, defaultFor := str(o["audience"]), str(o["client_id"]), str(o["default_for"])
	if (clientID == "") == (defaultFor == "") { // OAS; auth0-cli #1598; wording UNCONFIRMED
		return *c.invalidBody("Exactly one of `client_id` and `default_for` must be provided.")
	}
	api, found := c.t.byIdentifier(audience)
	if !found {
		return failure(http.StatusNotFound, "inexistent_resource_server", "No resource with identifier %s", audience) // facts §3.5; code UNCONFIRMED
	}
	thirdParty := defaultFor == "third_party_clients"
	if clientID != "" {
		cl, found := c.t.clients.get(clientID)
		if !found {
			return noClient()
		}
		if cl.field("app_type") == "express_configuration" {
			return badRequest("validation_error", "Client of type express_configuration cannot be used") // facts §1.3
		}
		thirdParty = strictThirdParty(cl.o)
	}
	if thirdParty { // docs-v2 third-party-applications/security-controls.mdx
		if truth(api.o["is_system"]) {
			return *c.invalidBody("Client grants for this API cannot be created for third-party clients.") // OAS
		}
		if truth(o["allow_any_organization"]) {
			return *c.invalidBody("`allow_any_organization` cannot be provided for third-party clients") // wording UNCONFIRMED
		}
	}
	if fail := c.checkAllScopes(api); fail != nil {
		return *fail
	}
	defaults(o, obj{"subject_type": "client"}) // facts §3.5
	if !truth(o["allow_all_scopes"]) {
		defaults(o, obj{"scope": []any{}})
	}
	if c.t.granted(clientID, audience, str(o["subject_type"]), defaultFor) {
		// terraform #255, alexkappa #404; the code is UNCONFIRMED, third-party code says so (facts §2).
		return failure(http.StatusConflict, "client_grant_conflict", "A client grant already exists between %s and %s", cmp.Or(clientID, defaultFor), audience)
	}
	if len(c.t.grants.all) >= c.s.entities().grants {
		return tooMany()
	}
	g := &grant{c.newRecord("cgr_"+c.t.draw.alnum(16), o)}
	c.t.grants.add(g)
	return created(showGrant(g))
}

// checkAllScopes holds allow_all_scopes of a body to what goes with it.
func (c *call) checkAllScopes(api *resourceServer) *answer {
	if c.body["allow_all_scopes"] != nil && api != nil && truth(api.o["is_system"]) {
		return c.invalidBody("`allow_all_scopes` cannot be provided when `audience` is a system API") // pulumi-auth0 #1069, Terraform provider #1466: false too
	}
	if truth(c.body["allow_all_scopes"]) && len(list(c.body["scope"])) > 0 { // deploy-cli #1278; wording UNCONFIRMED
		return c.invalidBody("`scope` cannot be provided when `allow_all_scopes` is true")
	}
	return nil
}

// granted says whether there is a grant with that key: client, audience and subject
// type (facts §3.5); grants without a client are told apart by default_for.
func (t *tenant) granted(clientID, audience, subject, defaultFor string) bool {
	_, found := t.grants.find(func(g *grant) bool {
		return g.field("client_id") == clientID && g.field("audience") == audience && subjectType(g) == subject && g.field("default_for") == defaultFor
	})
	return found
}

// subjectType: absent is "client" (facts §3.5, TF normalizeSubjectType).
func subjectType(g *grant) string {
	if s := g.field("subject_type"); s != "" {
		return s
	}
	return "client"
}

func (c *call) getGrant() answer {
	g, found := c.t.grants.get(c.params["id"])
	if !found {
		return noGrant()
	}
	return ok(showGrant(g))
}

func (c *call) updateGrant() answer {
	g, found := c.t.grants.get(c.params["id"])
	if !found {
		return noGrant()
	}
	if truth(g.o["is_system"]) {
		return badRequest("invalid_body", "System client grants cannot be modified.") // facts §3.5; wording UNCONFIRMED
	}
	api, _ := c.t.byIdentifier(g.field("audience")) // deleting an API leaves its grants
	if fail := c.checkAllScopes(api); fail != nil {
		return *fail
	}
	// Scopes are not checked against the API (REC-go TestClientGrantManager_Update),
	// their order stays (facts §3.5).
	merge(g.o, c.body)
	if truth(g.o["allow_all_scopes"]) {
		delete(g.o, "scope")
	} else if g.o["scope"] == nil {
		g.o["scope"] = []any{}
	}
	return ok(showGrant(g))
}

func (c *call) deleteGrant() answer {
	g, found := c.t.grants.get(c.params["id"])
	if !found {
		return noContent() // again 204 (facts §3.0)
	}
	if truth(g.o["is_system"]) {
		return badRequest("invalid_body", "System client grants cannot be deleted.") // as updateGrant
	}
	c.t.removeGrant(g.id)
	return noContent()
}

func (t *tenant) removeGrant(id string) {
	t.grants.remove(id)
	for _, o := range t.organizations.all {
		o.grants = slices.DeleteFunc(o.grants, func(g string) bool { return g == id })
	}
}

func (c *call) listGrantOrganizations() answer {
	g, found := c.t.grants.get(c.params["id"])
	if !found {
		return noGrant()
	}
	items, place := listing(c, c.t.organizations.all, func(o *organization) bool { return slices.Contains(o.grants, g.id) }, showOrganization)
	return c.page(style{key: "organizations", checkpoint: true}, items, place)
}
