package auth0sim

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const maxResourceServerScopes = 1000 // A0-LIM, facts §3.1

// systemAPI is the resource server that Auth0 makes of an identifier of its own.
type systemAPI struct {
	is   func(t *tenant, identifier string) bool
	make func() obj
}

var systemAPIs = []systemAPI{
	{ // REC-go TestResourceServer_ExpressConfiguration, facts §1.3
		func(_ *tenant, id string) bool { return id == expressAPI },
		func() obj {
			return obj{
				"name": "Okta OIN Express Configuration API", "signing_alg": "RS256", "allow_offline_access": false,
				"scopes": []any{
					obj{"value": "express_configure:sso", "description": "Ability to create SSO configurations"},
					obj{"value": "express_configure:scim", "description": "Ability to create scim configurations"},
				},
				"token_lifetime": 300, "token_lifetime_for_web": 7200, "skip_consent_for_verifiable_first_party_clients": false,
				"enforce_policies": true, "is_system": true,
				"subject_type_authorization": obj{"user": obj{"policy": "allow_all"}, "client": obj{"policy": "deny_all"}},
			}
		},
	},
	{ // REC-tf ResourceServer_ACR: the answer to the create has three of the scopes, later reads all
		func(t *tenant, id string) bool { return ownPath(t, id, "/me/") },
		func() obj {
			return obj{
				"name": "Auth0 My Account API", "signing_alg": "RS256", "allow_offline_access": true,
				"scopes": []any{
					obj{"value": "create:me:connected_accounts", "description": "Create Connected Accounts"},
					obj{"value": "read:me:connected_accounts", "description": "Read Connected Accounts"},
					obj{"value": "delete:me:connected_accounts", "description": "Delete Connected Accounts"},
				},
				"token_lifetime": 600, "token_lifetime_for_web": 600, "skip_consent_for_verifiable_first_party_clients": true,
				"is_system": true, "proof_of_possession": obj{"mechanism": "dpop", "required": false},
				"subject_type_authorization": obj{"user": obj{"policy": "require_client_grant"}, "client": obj{"policy": "deny_all"}},
			}
		},
	},
}

// laterAccountScopes join the My Account API's scopes after its creation.
var laterAccountScopes = []any{
	obj{"value": "read:me:authentication_methods", "description": "Read Authentication Methods"},
	obj{"value": "delete:me:authentication_methods", "description": "Delete Authentication Methods"},
	obj{"value": "update:me:authentication_methods", "description": "Update Authentication Methods"},
	obj{"value": "read:me:factors", "description": "Read Factors"},
	obj{"value": "create:me:authentication_methods", "description": "Create Authentication Methods"},
}

// ownPath says whether an identifier is the tenant's domain, or a real Auth0
// domain (recordings name theirs), with that path.
func ownPath(t *tenant, identifier, path string) bool {
	u, err := url.Parse(identifier)
	return err == nil && u.Path == path && (u.Host == t.domain || strings.HasSuffix(u.Host, ".auth0.com"))
}

func defaultSubjectTypes() obj {
	return obj{"client": obj{"policy": "require_client_grant"}, "user": obj{"policy": "allow_all"}}
}

// resourceServer finds by id or by identifier, encoded once more than needed too
// (facts §3.1, REC-tf DataSourceResourceServer).
func (t *tenant) resourceServer(key string) (*resourceServer, bool) {
	for range 3 {
		if rs, ok := t.resourceServers.get(key); ok {
			return rs, true
		}
		if rs, ok := t.byIdentifier(key); ok {
			return rs, true
		}
		next, err := url.PathUnescape(key)
		if err != nil || next == key {
			break
		}
		key = next
	}
	return nil, false
}

func (t *tenant) byIdentifier(identifier string) (*resourceServer, bool) {
	return t.resourceServers.find(func(rs *resourceServer) bool { return rs.field("identifier") == identifier })
}

// scopesOf are the scopes of a resource server: the Management API's are not stored.
func (t *tenant) scopesOf(rs *resourceServer) []any {
	if rs.field("identifier") == t.managementAPI() {
		return managementScopes()
	}
	return list(rs.o["scopes"])
}

func (c *call) showResourceServer(rs *resourceServer) obj {
	o := maps.Clone(rs.o)
	o["id"] = rs.id
	if rs.field("signing_alg") != "HS256" {
		delete(o, "signing_secret") // facts §6
	}
	if rs.field("identifier") == c.t.managementAPI() {
		o["scopes"] = managementScopes()
	}
	// REC-tf ClientResourceServer: the client of app type resource_server shows.
	if cl, ok := c.t.clients.find(func(cl *client) bool {
		return cl.field("app_type") == "resource_server" && cl.field("resource_server_identifier") == rs.field("identifier")
	}); ok {
		o["client_id"] = cl.id
	}
	return o
}

func noResourceServer() answer {
	return failure(http.StatusNotFound, "inexistent_resource_server", "The resource server does not exist")
}

func (c *call) listResourceServers() answer {
	wanted := c.query["identifiers"]
	items, _ := listing(c, c.t.resourceServers.all, func(rs *resourceServer) bool {
		return len(wanted) == 0 || slices.Contains(wanted, rs.field("identifier"))
	}, func(rs *resourceServer) obj { return c.fields(c.showResourceServer(rs)) })
	return c.page(style{key: "resource_servers"}, items, nil)
}

func (c *call) createResourceServer() answer {
	identifier := str(c.body["identifier"])
	if fail := c.checkScopes(); fail != nil {
		return *fail
	}
	if len(c.t.resourceServers.all) > c.s.entities().apis { // the Management API does not count
		return tooMany()
	}
	if identifier == c.t.managementAPI() || identifier == c.t.issuer()+"userinfo" {
		return badRequest("invalid_body", "The selected identifier is reserved.") // OAS POST /resource-servers
	}
	if _, ok := c.t.byIdentifier(identifier); ok {
		// The text is OAS; the code is from third-party code only, so UNCONFIRMED.
		return failure(http.StatusConflict, "resource_server_conflict", "A resource server with the same identifier already exists.")
	}
	o := c.body
	for _, sys := range systemAPIs {
		if sys.is(c.t, identifier) {
			// REC-tf ResourceServer_ACR: what was sent stays, but the name is Auth0's.
			own := sys.make()
			o["name"] = own["name"]
			defaults(o, own)
		}
	}
	c.fillResourceServer(o)
	rs := &resourceServer{c.newRecord(c.t.draw.hex24(), o)}
	c.t.resourceServers.add(rs)
	shown := created(clone(c.showResourceServer(rs)))
	if str(o["name"]) == "Auth0 My Account API" {
		o["scopes"] = append(slices.Clone(list(o["scopes"])), laterAccountScopes...)
	}
	return shown
}

// fillResourceServer adds what Auth0 adds to a create: facts §3.1, REC-tf
// ResourceServer; signing_alg is HS256 by the OAS, RS256 in traffic.
func (c *call) fillResourceServer(o obj) {
	dropNulls(o)
	defaults(o, obj{
		"allow_offline_access": false, "skip_consent_for_verifiable_first_party_clients": false, "signing_alg": "RS256",
		"token_lifetime": 86400, "token_lifetime_for_web": 7200, "subject_type_authorization": defaultSubjectTypes(),
	})
	c.completeResourceServer(o)
}

// completeResourceServer makes up what depends on what was sent.
func (c *call) completeResourceServer(o obj) {
	if str(o["signing_alg"]) == "HS256" && o["signing_secret"] == nil {
		o["signing_secret"] = c.t.draw.alnum(32) // facts §6: only with HS256
	}
	if sub, ok := o["subject_type_authorization"].(obj); ok {
		defaults(sub, defaultSubjectTypes())
	}
	if enc, ok := o["token_encryption"].(obj); ok {
		if key, ok := enc["encryption_key"].(obj); ok && key["pem"] != nil {
			// REC-tf ResourceServer: the PEM is not shown, its thumbprint is.
			if pub, err := parsePublicKey(str(key["pem"])); err == nil {
				key["thumbprint_sha256"] = thumbprint(pub)
			}
			delete(key, "pem")
		}
	}
}

func (c *call) checkScopes() *answer {
	if n := len(list(c.body["scopes"])); n > maxResourceServerScopes {
		return c.invalidBody("Payload validation error: 'Array is too long (" + plain(float64(n)) + "), maximum 1000' on property scopes (List of permissions (scopes) that this API uses).")
	}
	return nil
}

func (c *call) getResourceServer() answer {
	rs, found := c.t.resourceServer(c.params["id"])
	if !found {
		return noResourceServer()
	}
	return ok(c.fields(c.showResourceServer(rs)))
}

func (c *call) updateResourceServer() answer {
	rs, found := c.t.resourceServer(c.params["id"])
	if !found {
		return noResourceServer()
	}
	if truth(rs.o["is_system"]) {
		return badRequest("invalid_body", "System resource servers cannot be patched.") // OAS; 400 in REC-go
	}
	if fail := c.checkScopes(); fail != nil {
		return *fail
	}
	merge(rs.o, c.body) // scopes are replaced (REC-tf ResourceServerScopes)
	c.completeResourceServer(rs.o)
	c.t.dropStalePermissions()
	return ok(c.showResourceServer(rs)) // 200 in traffic, 201 in the OAS (facts §2)
}

func (c *call) deleteResourceServer() answer {
	rs, found := c.t.resourceServer(c.params["id"])
	if !found {
		return noContent() // again 204 (facts §3.0)
	}
	if rs.field("identifier") == c.t.managementAPI() {
		return badRequest("invalid_body", "System resource servers cannot be deleted.") // OAS; others of the system can (REC-go)
	}
	c.t.resourceServers.remove(rs.id)
	// What becomes of grants and permissions is UNCONFIRMED (facts §3.1): grants were
	// once seen left behind, so they are; permissions that no API defines go.
	c.t.dropStalePermissions()
	return noContent()
}

// defines says whether an API has a scope.
func (t *tenant) defines(p permission) bool {
	rs, found := t.byIdentifier(p.api)
	return found && slices.ContainsFunc(t.scopesOf(rs), func(s any) bool { return str(object(s)["value"]) == p.name })
}

// dropStalePermissions takes permissions whose scope is gone from roles and users.
// UNCONFIRMED (facts §8).
func (t *tenant) dropStalePermissions() {
	stale := func(p permission) bool { return !t.defines(p) }
	for _, r := range t.roles.all {
		r.permissions = slices.DeleteFunc(r.permissions, stale)
	}
	for _, u := range t.users.all {
		u.permissions = slices.DeleteFunc(u.permissions, stale)
	}
}

func dropNulls(o obj) {
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
}

// newRecord is a record created by this call.
func (c *call) newRecord(id string, o obj) record {
	return record{id: id, o: o, born: c.now, unseen: c.s.o.ListLagReads}
}
