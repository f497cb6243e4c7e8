package auth0sim

import (
	"net/http"
	"slices"
	"strings"
)

// taken says whether another user than except has an address or a name in a connection.
func (t *tenant) taken(connection, field, value, except string) bool {
	_, found := t.users.find(func(u *user) bool {
		return value != "" && u.id != except && strings.EqualFold(u.field(field), value) && slices.Contains(u.connections(), connection)
	})
	return found
}

// connections are those that a user's identities are in.
func (u *user) connections() []string {
	var names []string
	for _, x := range list(u.o["identities"]) {
		names = append(names, str(object(x)["connection"]))
	}
	return names
}

func (t *tenant) connectionNamed(name string) (*connection, bool) {
	return t.connections.find(func(x *connection) bool { return x.field("name") == name })
}

// updateUser merges metadata at its first level; {} empties it (REC-tf User).
func (c *call) updateUser() answer {
	if fail := c.foreign("update:users", "update:users_app_metadata"); fail != nil {
		return *fail
	}
	u, fail := c.theUser()
	if fail != nil {
		return *fail
	}
	if closed := slices.DeleteFunc(sortedKeys(c.body), func(f string) bool { return f == "app_metadata" }); len(closed) > 0 && !c.who.has("update:users") {
		return failure(http.StatusForbidden, "insufficient_scope", "You cannot update the following fields: %s", strings.Join(closed, ", ")) // OAS; worded as for clients
	}
	if fail := c.checkUserUpdate(u); fail != nil {
		return *fail
	}
	if password := str(c.body["password"]); password != "" {
		u.password = password
		u.o["last_password_reset"] = stamp(c.now) // user-profile-structure: not there before
	}
	for _, k := range []string{"connection", "password", "client_id", "verify_email", "verify_phone_number"} {
		delete(c.body, k)
	}
	for _, k := range []string{"app_metadata", "user_metadata"} {
		if patch, isObj := c.body[k].(obj); isObj && len(patch) == 0 {
			u.o[k] = obj{}
			delete(c.body, k)
		}
		mergeKey(u.o, c.body, k)
	}
	merge(u.o, c.body)
	u.o["updated_at"] = stamp(c.now)
	return ok(showUser(u))
}

// checkUserUpdate refuses what can't be changed of a user, or not at once (texts: OAS
// PATCH /users/{id}). What it is changed to is lowered where Auth0 does.
func (c *call) checkUserUpdate(u *user) *answer {
	refuse := func(code, format string, args ...any) *answer {
		a := badRequest(code, format, args...)
		return &a
	}
	if name := str(c.body["connection"]); name != "" {
		if _, found := c.t.connectionNamed(name); !found {
			return refuse("invalid_body", "Connection does not exist.")
		}
	}
	for _, f := range []string{"email", "username"} {
		for _, connection := range u.connections() {
			if c.t.taken(connection, f, str(c.body[f]), u.id) {
				return refuse("auth0_idp_error", "The specified new %s already exists", f) // text UNCONFIRMED; the code is node-auth0 #139's
			}
		}
	}
	for _, pair := range [][2]string{{"password", "email"}, {"password", "email_verified"}, {"username", "email"}, {"username", "email_verified"}, {"username", "password"}} {
		if c.body[pair[0]] != nil && c.body[pair[1]] != nil {
			return refuse("invalid_body", "Cannot update %s and %s simultaneously.", pair[0], pair[1])
		}
	}
	var first obj // the primary identity
	if all := list(u.o["identities"]); len(all) > 0 {
		first = object(all[0])
	}
	con, found := c.t.connectionNamed(str(first["connection"]))
	if found && ownStore(con) {
		lower(c.body)
	}
	provider := str(first["provider"])
	if provider == "" || provider == "auth0" {
		return nil
	}
	sent := func(k string) bool { _, given := c.body[k]; return given }
	passwordless := provider == "email" || provider == "sms"
	synced := false // at each login, as is the default (OAS ConnectionSetUserRootAttributesEnum)
	if found {
		when := str(object(con.o["options"])["set_user_root_attributes"])
		synced = when == "" || when == "on_each_login"
	}
	roots := slices.DeleteFunc([]string{"family_name", "given_name", "name", "nickname", "picture"}, func(k string) bool { return !sent(k) })
	switch {
	case c.body["password"] != nil || c.body["username"] != nil:
		return refuse("invalid_body", "Connection is not supported for this operation.")
	case c.body["email"] != nil && provider != "email":
		return refuse("invalid_body", "Cannot update email for non-database user.")
	case sent("email_verified") && !passwordless && !truth(first["isSocial"]):
		return refuse("invalid_body", "Email verification is not supported for enterprise users.")
	case len(roots) > 0 && !passwordless && synced:
		return refuse("invalid_body", "The following user attributes cannot be updated: %s. The connection must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'.", strings.Join(roots, ", "))
	}
	return nil
}
