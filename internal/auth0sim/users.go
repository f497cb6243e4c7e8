package auth0sim

import (
	"crypto/md5" //nolint:gosec // gravatar's
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func noUser() answer {
	return failure(http.StatusNotFound, "inexistent_user", "The user does not exist.") // REC-tf
}

func showUser(u *user) obj {
	o := maps.Clone(u.o)
	o["user_id"] = u.id
	if meta, isObj := o["app_metadata"].(obj); isObj && len(meta) == 0 {
		delete(o, "app_metadata") // REC-tf User; user_metadata stays
	}
	return o
}

// fillUser adds what Auth0 makes up for a created user (REC-tf User).
func (c *call) fillUser(u *user, connection, provider string) {
	at := stamp(c.now)
	mail := u.field("email")
	name, _, _ := strings.Cut(mail, "@")
	_, plainID, _ := strings.Cut(u.id, "|")
	first := name
	if len(first) > 2 {
		first = first[:2]
	}
	sum := md5.Sum([]byte(strings.ToLower(mail))) //nolint:gosec // as above
	if mail != "" {
		defaults(u.o, obj{
			"email_verified": false, "name": mail, "nickname": name,
			"picture": "https://s.gravatar.com/avatar/" + hex.EncodeToString(sum[:]) + "?s=480&r=pg&d=" + url.QueryEscape("https://cdn.auth0.com/avatars/"+first+".png"),
		})
	}
	defaults(u.o, obj{
		"created_at": at, "updated_at": at,
		"identities": []any{obj{"connection": connection, "user_id": plainID, "provider": provider, "isSocial": false}},
	})
}

// userSearch is the search of users, version 3 (user-search-query-syntax). Which
// fields a term without one is looked for in is UNCONFIRMED, but that user_metadata
// is not among them.
var userSearch = &dialect{
	bare:   []string{"email", "name", "given_name", "family_name", "nickname", "username", "user_id", "phone_number"},
	folded: map[string]bool{"email": true, "name": true, "given_name": true, "family_name": true, "nickname": true},
	exact:  "user_metadata",
}

// lookupUser finds the fields of a user that can be searched for.
func (c *call) lookupUser(u *user) lookup {
	return func(field string) []any {
		switch field {
		case "user_id":
			return []any{u.id}
		case "email.domain":
			if _, domain, isMail := strings.Cut(u.field("email"), "@"); isMail {
				return []any{domain}
			}
			return nil
		case "organization_id":
			var ids []any
			for _, g := range c.t.organizations.all {
				if slices.Contains(g.members, u.id) {
					ids = append(ids, g.id)
				}
			}
			return ids
		}
		return leaves(u.o, field)
	}
}

func (c *call) listUsers() answer {
	switch engine := c.query.Get("search_engine"); engine { // OAS GET /users
	case "v1":
		return badRequest("invalid_query_string", "You are not allowed to use search_engine=v1.")
	case "v2":
		return badRequest("invalid_query_string", "You are not allowed to use search_engine=v2. Use search_engine=v3 instead.")
	}
	// "connection" applies to search_engine=v1 alone (OAS GET /users).
	var keep func(*user) bool
	if q := strings.TrimSpace(c.query.Get("q")); q != "" {
		fits, err := userSearch.parseQuery(q)
		if err != nil {
			return badQuery(err)
		}
		keep = func(u *user) bool { return fits(c.lookupUser(u)) }
	}
	items, _ := listing(c, c.t.users.all, keep, showUser)
	if fail := c.sort(items, "app_metadata", "user_metadata"); fail != nil {
		return *fail
	}
	for i, o := range items {
		items[i] = c.fields(o)
	}
	return c.page(style{
		key: "users", length: true, capped: "You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation", // OAS GET /users
	}, items, nil)
}

// badQuery is the answer to a q that can't be read; code and text are UNCONFIRMED.
func badQuery(err error) answer {
	return badRequest("invalid_query_string", "The query is invalid: %v.", err)
}

// listUsersByEmail answers with a bare array; addresses are compared as they are stored
// (OAS GET /users-by-email).
func (c *call) listUsersByEmail() answer {
	found := []obj{}
	for _, u := range c.t.users.all {
		if u.field("email") == c.query.Get("email") {
			found = append(found, c.fields(showUser(u)))
		}
	}
	return ok(found)
}

// providers of the strategies that users can be created in (OAS POST /users).
var providers = map[string]string{"auth0": "auth0", "email": "email", "sms": "sms"}

func (c *call) createUser() answer {
	o := c.body
	con, found := c.t.connectionNamed(str(o["connection"]))
	if !found {
		return badRequest("invalid_body", "Connection does not exist.") // OAS; its code UNCONFIRMED, as of those below
	}
	provider := providers[con.field("strategy")]
	if provider == "" {
		return badRequest("invalid_body", "Connection does not support user creation through the API. It must either be a database or passwordless connection.")
	}
	options, _ := con.o["options"].(obj)
	if o["username"] != nil && !truth(options["requires_username"]) && options["attributes"] == nil {
		return badRequest("invalid_body", "Cannot set username for connection without requires_username.")
	}
	if missing := missingOfUser(o, provider, options); missing != "" {
		return badRequest("invalid_body", "Payload validation error: 'Missing required property: %s'.", missing) // UNCONFIRMED
	}
	if ownStore(con) {
		lower(o)
	}
	if c.t.taken(con.field("name"), "email", str(o["email"]), "") || c.t.taken(con.field("name"), "username", str(o["username"]), "") {
		return failure(http.StatusConflict, "auth0_idp_error", "The user already exists.") // facts §3.10 has "User already exists."; real bodies are worded like this, UNCONFIRMED
	}
	id := str(o["user_id"])
	if id == "" {
		id = c.t.draw.hex24()
	}
	u := &user{password: str(o["password"])}
	for _, k := range []string{"connection", "password", "user_id", "verify_email"} {
		delete(o, k)
	}
	dropNulls(o)
	u.record = c.newRecord(provider+"|"+id, o)
	if _, taken := c.t.users.get(u.id); taken {
		return failure(http.StatusConflict, "auth0_idp_error", "The user already exists.")
	}
	c.fillUser(u, con.field("name"), provider)
	c.t.users.add(u)
	return created(showUser(u))
}

// foreign refuses who has only the scopes for oneself: the token of a client is nobody's
// (OAS GET PATCH DELETE /users/{id}; the code is UNCONFIRMED).
func (c *call) foreign(scopes ...string) *answer {
	if c.who.has(scopes...) {
		return nil
	}
	a := failure(http.StatusForbidden, "", "User to be acted on does not match subject in bearer token.")
	return &a
}

// missingOfUser is what a new user lacks: it "depends upon the type of connection" (OAS
// POST /users); which property of a database's is named is UNCONFIRMED.
func missingOfUser(o obj, provider string, options obj) string {
	has := func(k string) bool { return str(o[k]) != "" }
	password := object(object(options["authentication_methods"])["password"])
	switch {
	case provider == "sms" && !has("phone_number"):
		return "phone_number"
	case provider != "sms" && !has("email") && (provider == "email" || !has("username") && !has("phone_number")):
		return "email"
	case provider == "auth0" && !has("password") && password["api_behavior"] != "optional":
		return "password"
	}
	return ""
}

// ownStore says whether a connection's users are in Auth0's own store: those of a database
// with scripts are, if they are imported (custom-db below https://auth0.com/docs).
func ownStore(con *connection) bool {
	options := object(con.o["options"])
	return con.field("strategy") == "auth0" && (!truth(options["enabledDatabaseCustomization"]) || truth(options["import_mode"]))
}

// lower writes what Auth0's own store keeps in lower case (user-profile-structure below
// https://auth0.com/docs).
func lower(o obj) {
	for _, k := range []string{"email", "username"} {
		if v := str(o[k]); v != "" {
			o[k] = strings.ToLower(v)
		}
	}
}

func (c *call) theUser() (*user, *answer) {
	u, found := c.t.users.get(c.params["id"])
	if !found {
		fail := noUser()
		return nil, &fail
	}
	return u, nil
}

func (c *call) getUser() answer {
	if fail := c.foreign("read:users", "read:user_idp_tokens"); fail != nil {
		return *fail
	}
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	return ok(c.fields(showUser(u)))
}

func (c *call) deleteUser() answer {
	if fail := c.foreign("delete:users"); fail != nil {
		return *fail
	}
	c.t.removeUsers(func(u *user) bool { return u.id == c.params["id"] })
	return noContent() // again 204 (facts §3.0)
}

// removeUsers takes those away that match accepts, from organizations too.
func (t *tenant) removeUsers(match func(*user) bool) {
	gone := t.users.removeAll(match)
	if len(gone) == 0 {
		return
	}
	for _, g := range t.organizations.all {
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return gone[m] })
		maps.DeleteFunc(g.memberRoles, func(m string, _ []string) bool { return gone[m] })
	}
}

func (c *call) listUserRoles() answer {
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	return c.page(style{key: "roles"}, c.t.briefRoles(u.roles), nil)
}

func (c *call) addUserRoles() answer {
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	roles := slices.Clone(u.roles)
	for _, id := range strs(c.body["roles"]) {
		if _, found := c.t.roles.get(id); !found {
			return noRole()
		}
		roles = addOnce(roles, id)
	}
	if len(roles) > maxUserRoles {
		return tooMany() // the limit is A0-LIM; the answer UNCONFIRMED
	}
	u.roles = roles
	return noContent()
}

func (c *call) removeUserRoles() answer {
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	gone := strs(c.body["roles"])
	u.roles = slices.DeleteFunc(u.roles, func(id string) bool { return slices.Contains(gone, id) })
	return noContent()
}

// listUserPermissions lists direct permissions and those of roles, with where they
// come from (REC-tf UserPermission).
func (c *call) listUserPermissions() answer {
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	sources := map[permission][]any{}
	all := slices.Clone(u.permissions)
	for _, p := range all {
		sources[p] = append(sources[p], obj{"source_id": "", "source_name": "", "source_type": "DIRECT"})
	}
	for _, id := range u.roles {
		r, found := c.t.roles.get(id)
		if !found {
			continue
		}
		for _, p := range r.permissions {
			sources[p] = append(sources[p], obj{"source_id": r.id, "source_name": r.o["name"], "source_type": "ROLE"})
			all = addPermissions(all, []permission{p})
		}
	}
	items := c.t.showPermissions(all)
	for _, o := range items {
		o["sources"] = sources[permission{str(o["resource_server_identifier"]), str(o["permission_name"])}]
	}
	return c.page(style{key: "permissions"}, items, nil)
}

func (c *call) addUserPermissions() answer {
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	more, fail := c.readPermissions(true)
	if fail != nil {
		return *fail
	}
	all := addPermissions(slices.Clone(u.permissions), more)
	if len(all) > maxUserPermissions {
		return badRequest("", "No more permissions can be assigned to this user.") // OAS; its code UNCONFIRMED
	}
	u.permissions = all
	return created(obj{}) // REC-tf UserPermission
}

func (c *call) removeUserPermissions() answer {
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	gone, _ := c.readPermissions(false)
	u.permissions = removePermissions(u.permissions, gone)
	return noContent()
}

func (c *call) listUserOrganizations() answer {
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	items, place := listing(c, c.t.organizations.all, func(g *organization) bool { return slices.Contains(g.members, u.id) }, showOrganization)
	return c.page(style{key: "organizations"}, items, place)
}
