package auth0sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const maxSCIMTokens = 2 // OAS, facts §1.4: 409 for a third

// scimStrategies support SCIM.
var scimStrategies = map[string]string{ // to the default user_id_attribute
	"okta": "externalId", "oidc": "externalId", "samlp": "userName", "waad": "externalId",
}

// defaultMapping is the mapping that Auth0 gives an enterprise connection: what is
// public of it; the exact list is UNCONFIRMED.
func defaultMapping(strategy string) []any {
	name := "preferred_username"
	if strategy == "samlp" {
		name = "username" // inbound-scim-for-okta-workforce-saml-connections
	}
	pairs := [][2]string{
		{name, "userName"},
		{"email", "emails[primary eq true].value"},
		{"app_metadata.external_id", "externalId"},
		{"blocked", "active"},
		{"name", "displayName"},
		{"given_name", "name.givenName"},
		{"family_name", "name.familyName"},
		{"app_metadata.middle_name", "name.middleName"},
		{"nickname", "nickName"},
		{"app_metadata.title", "title"},
		{"app_metadata.phones", "phoneNumbers"},
		{"app_metadata.department", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department"},
	}
	out := make([]any, len(pairs))
	for i, p := range pairs {
		out[i] = obj{"auth0": p[0], "scim": p[1]}
	}
	return out
}

// theSCIM finds a connection and its configuration; without one the answer is hapi's
// 404 (REC-tf DataSCIMConfiguration #3).
func (c *call) theSCIM() (*connection, *answer) {
	con, fail := c.theConnection()
	if fail != nil {
		return nil, fail
	}
	if con.scim == nil {
		fail := unknownPath()
		return con, &fail
	}
	return con, nil
}

func (c *call) getSCIM() answer {
	con, fail := c.theSCIM()
	if fail != nil {
		return *fail
	}
	return ok(con.scim)
}

func (c *call) createSCIM() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	attribute, supported := scimStrategies[con.field("strategy")]
	if !supported {
		// REC-tf SCIMConfiguration #3
		return failure(http.StatusNotFound, "", "This connection type does not support SCIM. Please see our documentation for the currently supported connection types: https://auth0.com/docs/authenticate/protocols/scim/")
	}
	if con.scim != nil {
		return badRequest("", "SCIM configuration alreay exists for connection") // OAS, its spelling
	}
	if truth(object(con.o["options"])["useCommonEndpoint"]) {
		return badRequest("", "SCIM cannot be enabled for this connection when the Azure AD common endpoint is used.") // OAS
	}
	name, _, _ := strings.Cut(c.t.domain, ".")
	at := stamp(c.now)
	o := clone(c.body)
	dropNulls(o)
	defaults(o, obj{
		"connection_id": con.id, "connection_name": con.o["name"], "strategy": con.o["strategy"], "tenant_name": name,
		"created_at": at, "updated_on": at, "mapping": defaultMapping(con.field("strategy")), "user_id_attribute": attribute,
	})
	con.scim = o
	return created(o)
}

func (c *call) updateSCIM() answer {
	con, fail := c.theSCIM()
	if fail != nil {
		return *fail
	}
	merge(con.scim, c.body)
	con.scim["updated_on"] = stamp(c.now)
	return ok(con.scim)
}

func (c *call) deleteSCIM() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	con.scim, con.tokens = nil, nil
	return noContent()
}

func (c *call) defaultSCIMMapping() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	if scimStrategies[con.field("strategy")] == "" {
		return unknownPath()
	}
	return ok(obj{"mapping": defaultMapping(con.field("strategy"))})
}

func (c *call) listSCIMTokens() answer {
	con, fail := c.theSCIM()
	if fail != nil {
		return *fail
	}
	out := []obj{}
	for _, token := range con.tokens {
		o := maps.Clone(token)
		delete(o, "token") // shown once, by the create (OAS ScimTokenItem)
		out = append(out, o)
	}
	return ok(out)
}

func (c *call) createSCIMToken() answer {
	con, fail := c.theSCIM()
	if fail != nil {
		return *fail
	}
	if len(con.tokens) >= maxSCIMTokens {
		return failure(http.StatusConflict, "", "Maximum of 2 tokens already issued for this connection") // OAS
	}
	id := "tok_" + c.t.draw.alnum(16)
	o := obj{
		"token_id": id, "token": id + "." + c.t.draw.alnum(48), "created_at": stamp(c.now),
		"scopes": []any{"get:users", "post:users", "put:users", "patch:users", "delete:users"},
	}
	if scopes, given := c.body["scopes"]; given && scopes != nil {
		o["scopes"] = scopes
	}
	if life := num(c.body["token_lifetime"]); life > 0 {
		o["valid_until"] = stamp(c.now.Add(time.Duration(min(life, 1e9)) * time.Second))
	}
	con.tokens = append(con.tokens, o)
	return created(o)
}

func (c *call) deleteSCIMToken() answer {
	con, fail := c.theSCIM()
	if fail != nil {
		return *fail
	}
	con.tokens = slices.DeleteFunc(con.tokens, func(o obj) bool { return o["token_id"] == c.params["tokenId"] })
	return noContent()
}
