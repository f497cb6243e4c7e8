package auth0sim

import (
	"net/http"
	"slices"
	"strings"
)

func noClient() answer {
	return failure(http.StatusNotFound, "inexistent_client", "The client does not exist") // REC-tf
}

// The fields of a client that a scope opens (facts §3.3).
var (
	alwaysReadable  = []string{"client_id", "app_type", "name", "description"}
	secretFields    = []string{"client_secret", "client_authentication_methods", "signing_keys", "encryption_key"}
	keyFields       = map[string]bool{"client_secret": true, "encryption_key": true}
	authentication  = map[string]bool{"client_authentication_methods": true}
	vaultPrivileged = "token_vault_privileged_access"
)

// showClient renders a client for someone who may read its secrets, or not.
func (c *call) showClient(cl *client) obj {
	secrets := c.who.has("read:client_keys", "read:client_credentials")
	if !c.who.has("read:clients", "read:client_keys") {
		out := obj{"client_id": cl.id}
		for _, f := range alwaysReadable {
			if v, given := cl.o[f]; given {
				out[f] = v
			}
		}
		if secrets {
			c.addSecrets(out, cl)
		}
		return out
	}
	out := make(obj, len(cl.o)+6)
	for k, v := range cl.o {
		if k != "encryption_key" || secrets {
			out[k] = v
		}
	}
	out["client_id"] = cl.id
	out["tenant"], _, _ = strings.Cut(c.t.domain, ".")
	defaults(out, obj{"global": false, "callback_url_template": false}) // OAS Client; the recorder dropped them (facts, recorded §0)
	if secrets {
		c.addSecrets(out, cl)
	}
	return out
}

// addSecrets adds what only keys and credentials scopes show. client_secret and
// token_endpoint_auth_method are gone while a credential method is in use and come
// back after it (REC-tf ClientAuthenticationMethodsPrivateKeyJWT).
func (c *call) addSecrets(out obj, cl *client) {
	if len(cl.used) > 0 {
		methods := obj{}
		for method, settings := range cl.used {
			methods[method] = settings
		}
		out["client_authentication_methods"] = methods
	} else {
		out["client_secret"] = cl.secret
	}
	out["signing_keys"] = []any{obj{"cert": signingCertificate, "subject": "/CN=" + c.t.domain}}
}

// readableClient applies fields, and refuses fields that the scopes do not open.
func (c *call) readableClient(cl *client) obj {
	out := c.fields(c.showClient(cl))
	if _, shown := out["client_secret"]; shown {
		c.secret = "client_secret"
	}
	return out
}

// unreadable says which fields that are asked for the scopes do not let be read (OAS
// GET /clients).
func (c *call) unreadable() *answer {
	asked := c.query.Get("fields")
	if asked == "" || c.query.Get("include_fields") == "false" {
		return nil
	}
	settings, secrets := c.who.has("read:clients", "read:client_keys"), c.who.has("read:client_keys", "read:client_credentials")
	var closed []string
	for _, f := range strings.Split(asked, ",") {
		f = strings.TrimSpace(f)
		open := settings || slices.Contains(alwaysReadable, f)
		if slices.Contains(secretFields, f) {
			open = secrets
		}
		if !open {
			closed = append(closed, f)
		}
	}
	if closed == nil {
		return nil
	}
	// Terraform provider #774 (facts, recorded §10)
	a := failure(http.StatusForbidden, "insufficient_scope", "You cannot read the following fields: %s", strings.Join(closed, ", "))
	return &a
}

func (c *call) listClients() answer {
	if fail := c.unreadable(); fail != nil {
		return *fail
	}
	granted, fail := c.grantQuery()
	if fail != nil {
		return *fail
	}
	types := map[string]bool{}
	for _, t := range strings.Split(c.query.Get("app_type"), ",") {
		types[t] = true
	}
	is := func(want string, got bool) bool { return want == "" || got == (want == "true") }
	items, place := listing(c, c.t.clients.all, func(cl *client) bool {
		if c.query.Get("app_type") != "" && !types[cl.field("app_type")] {
			return false
		}
		if granted != nil && !granted[cl.id] {
			return false
		}
		if id := c.query.Get("external_client_id"); id != "" && cl.field("external_client_id") != id {
			return false
		}
		return is(c.query.Get("is_global"), truth(cl.o["global"])) && is(c.query.Get("is_first_party"), truth(cl.o["is_first_party"]))
	}, c.readableClient)
	return c.page(style{key: "clients", checkpoint: true}, items, place)
}

// grantQuery reads q of GET /clients, which knows two queries, only by checkpoint and
// without another filter (OAS GET /clients): the clients with a grant that an
// organization may use, and those with one that any may. nil: there is no q. The texts
// of its refusals are UNCONFIRMED.
func (c *call) grantQuery() (map[string]bool, *answer) {
	if !c.query.Has("q") {
		return nil, nil
	}
	refuse := func(why string) (map[string]bool, *answer) {
		a := badRequest("invalid_query_string", "%s", why)
		return nil, &a
	}
	for _, other := range []string{"is_global", "is_first_party", "app_type", "external_client_id"} {
		if c.query.Has(other) {
			return refuse("The 'q' parameter cannot be used in combination with other filters.")
		}
	}
	if !c.query.Has("take") && !c.query.Has("from") {
		return refuse("The 'q' parameter requires the 'from' and 'take' paging parameters.")
	}
	field, value, _ := strings.Cut(strings.TrimSpace(c.query.Get("q")), ":")
	value = strings.Trim(value, `"`)
	var fits func(*grant) bool
	switch {
	case field == "client_grant.allow_any_organization" && value == "true":
		fits = func(g *grant) bool { return truth(g.o["allow_any_organization"]) }
	case field == "client_grant.organization_id" && value != "" && !strings.ContainsAny(value, " *"):
		fits = func(g *grant) bool {
			o, found := c.t.organizations.get(value)
			return found && slices.Contains(o.grants, g.id)
		}
	default:
		return refuse("The 'q' parameter must be client_grant.organization_id:{organization_id} or client_grant.allow_any_organization:true.")
	}
	ids := map[string]bool{}
	for _, g := range c.t.grants.all {
		if fits(g) {
			ids[g.field("client_id")] = true
		}
	}
	return ids, nil
}

func (c *call) getClient() answer {
	if fail := c.unreadable(); fail != nil {
		return *fail
	}
	cl, found := c.t.clients.get(c.params["id"])
	if !found {
		return noClient()
	}
	return ok(c.readableClient(cl))
}

func (c *call) createClient() answer {
	o := c.body
	if len(c.t.clients.all) > c.s.entities().clients { // the global client does not count
		return tooMany()
	}
	if _, inline := o["client_authentication_methods"]; inline && !c.who.has("create:client_credentials") {
		// OAS POST /clients: the scope is required to configure them (facts §1.2).
		return insufficient("any", []string{"create:client_credentials"})
	}
	id := c.t.draw.alnum(32)
	if strictThirdParty(o) {
		id = "tpc_" + c.t.draw.short(22) // REC-tf Client_ThirdPartySecurityMode
	}
	cl := &client{record: c.newRecord(id, o), secret: c.t.draw.alnum(64), used: map[string]obj{}}
	inline, fail := c.takeInlineCredentials(cl)
	if fail != nil {
		return *fail
	}
	dropNulls(o)
	clientDefaults(o)
	fillExpressClient(cl)
	if fail := c.checkClient(cl); fail != nil {
		return *fail
	}
	c.t.clients.add(cl)
	if str(o["app_type"]) == "express_configuration" {
		c.addSystemGrant(cl)
	}
	c.who = &bearer{all: true} // the answer to a create shows everything
	out := clone(c.showClient(cl))
	// facts §3.3, go-auth0's test of Token Vault: whole once; later reads have ids alone.
	for at, whole := range inline {
		slot := out
		for _, name := range strings.Split(at, ".") {
			slot = object(slot[name])
		}
		slot["credentials"] = whole
	}
	return created(out)
}

func (c *call) updateClient() answer {
	cl, found := c.t.clients.get(c.params["id"])
	if !found {
		return noClient()
	}
	if fail := c.closedForUpdate(); fail != nil {
		return *fail
	}
	if len(c.body) == 0 {
		return *c.invalidBody("Payload validation error: 'Too few properties defined (0), minimum 1'.")
	}
	if fail := c.checkSettled(cl); fail != nil {
		return *fail
	}
	// Checked on a copy: a refused PATCH changes nothing.
	next := &client{record: cl.record, secret: cl.secret, credentials: cl.credentials, used: cl.used}
	next.o = clone(cl.o)
	c.applyClient(next)
	if fail := c.checkClient(next); fail != nil {
		return *fail
	}
	cl.o, cl.secret, cl.used = next.o, next.secret, next.used
	return ok(c.showClient(cl))
}

// closedForUpdate says which fields the scopes do not let be written (facts §9,
// PATCH /clients: the message varies; its wording is UNCONFIRMED).
func (c *call) closedForUpdate() *answer {
	var closed []string
	for _, f := range sortedKeys(c.body) {
		open := c.who.has("update:clients")
		switch {
		case keyFields[f]:
			open = c.who.has("update:client_keys")
		case authentication[f]:
			open = c.who.has("update:client_credentials")
		case f == "signed_request_object" || f == "token_endpoint_auth_method":
			open = open || c.who.has("update:client_credentials")
		case f == vaultPrivileged:
			open = c.who.has("update:client_token_vault_privileged_access")
		}
		if !open {
			closed = append(closed, f)
		}
	}
	if closed == nil {
		return nil
	}
	a := failure(http.StatusForbidden, "insufficient_scope", "You cannot update the following fields: %s", strings.Join(closed, ", "))
	return &a
}

// deepMerged are the settings whose objects PATCH merges instead of replacing them.
var deepMerged = []string{
	"client_metadata",       // REC-tf ClientMetadataBehavior
	"jwt_configuration",     // REC-tf ClientAuthenticationMethodsTLSClientAuth
	"signed_request_object", // REC-tf ClientAuthenticationMethodsSignedRequestObject
	"mobile",                // REC-tf ClientMobile
	"native_social_login",   // REC-tf ClientMobile
	"session_transfer",      // REC-tf ClientSessionTransfer
	"fedcm_login",           // OAS FedCMLoginPatch: as native_social_login
	"refresh_token",         // UNCONFIRMED: every recorded one has all its settings
}

func (c *call) applyClient(cl *client) {
	if methods, given := c.body["client_authentication_methods"]; given {
		delete(c.body, "client_authentication_methods")
		cl.used = map[string]obj{}
		if m, isObj := methods.(obj); isObj {
			for method, settings := range m {
				cl.used[method] = object(settings)
			}
		}
	}
	if secret, given := c.body["client_secret"]; given {
		delete(c.body, "client_secret")
		cl.secret = str(secret)
	}
	for _, key := range deepMerged {
		mergeKey(cl.o, c.body, key)
	}
	for _, key := range []string{"native_social_login", "fedcm_login"} { // OAS Client: one property at least
		if login, given := cl.o[key].(obj); given && len(login) == 0 {
			delete(cl.o, key)
		}
	}
	// REC-tf ClientOIDCLogout: two names of one thing, of which the deprecated one has
	// the URLs alone.
	deprecated, urls := c.body["oidc_backchannel_logout"].(obj)
	logout, has := cl.o["oidc_logout"].(obj)
	if _, both := c.body["oidc_logout"]; urls && has && !both {
		logout["backchannel_logout_urls"] = deprecated["backchannel_logout_urls"]
	}
	for _, f := range []string{"oidc_logout", "oidc_backchannel_logout"} {
		if v, given := c.body[f]; given && v == nil {
			delete(cl.o, "oidc_logout")
			delete(cl.o, "oidc_backchannel_logout")
		}
	}
	merge(cl.o, c.body)
	fillClient(cl.o)
}

func (c *call) deleteClient() answer {
	cl, found := c.t.clients.get(c.params["id"])
	if !found {
		return noContent() // again 204 (facts §3.0)
	}
	if truth(cl.o["global"]) {
		return badRequest("invalid_body", "Global client cannot be deleted.") // OAS
	}
	c.t.clients.remove(cl.id)
	for _, g := range slices.Clone(c.t.grants.all) { // "deletes related config", facts §3.3
		if g.field("client_id") == cl.id {
			c.t.removeGrant(g.id)
		}
	}
	for _, con := range c.t.connections.all {
		con.clients = slices.DeleteFunc(con.clients, func(id string) bool { return id == cl.id })
	}
	return noContent()
}

func (c *call) rotateSecret() answer {
	cl, found := c.t.clients.get(c.params["id"])
	if !found {
		return noClient()
	}
	if len(cl.used) > 0 {
		return badRequest("invalid_body", "Cannot rotate the secret of a client that uses client_authentication_methods.") // facts §3.3; wording UNCONFIRMED
	}
	cl.secret = c.t.draw.alnum(64)
	c.who = &bearer{all: true}
	return ok(c.showClient(cl))
}

// listClientConnections needs a scope for the client too, besides that of its route.
func (c *call) listClientConnections() answer {
	if mine := []string{"read:clients", "read:client_summary"}; !c.who.has(mine...) {
		return insufficient("any", mine)
	}
	cl, found := c.t.clients.get(c.params["id"])
	if !found {
		return failure(http.StatusNotFound, "inexistent_client", "Client does not exist.") // OAS
	}
	strategies := c.query["strategy"]
	items, place := listing(c, c.t.connections.all, func(con *connection) bool {
		return slices.Contains(con.clients, cl.id) && (len(strategies) == 0 || slices.Contains(strategies, con.field("strategy")))
	}, func(con *connection) obj { return c.fields(c.showConnection(con)) })
	return c.page(style{key: "connections", checkpoint: true, always: true}, items, place)
}
