package auth0sim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Limits of A0-LIM, facts §3.2.
const (
	maxRoles           = 1000
	maxRolePermissions = 1000
	maxUserRoles       = 50
	maxUserPermissions = 1000
)

// The roles service leaves out error codes (facts §3.0).
func noRole() answer {
	return failure(http.StatusNotFound, "", "The role does not exist.")
}

// showRole always has a description, save in the answer to a create without one
// (REC-tf Role).
func showRole(r *role) obj {
	o := maps.Clone(r.o)
	o["id"] = r.id
	defaults(o, obj{"description": ""})
	return o
}

func (c *call) listRoles() answer {
	filter := strings.ToLower(c.query.Get("name_filter"))
	items, place := listing(c, c.t.roles.all, func(r *role) bool {
		// Case-insensitive; substring or whole is UNCONFIRMED (facts §3.2): a
		// substring finds more, so a client must compare names itself.
		if !strings.Contains(strings.ToLower(r.field("name")), filter) {
			return false
		}
		for _, f := range []string{"type", "owner_id"} { // REC-tf DataSourceOrganizationRole
			if want := c.query.Get(f); want != "" && r.field(f) != want {
				return false
			}
		}
		return true
	}, showRole)
	return c.page(style{key: "roles"}, items, place)
}

func (c *call) createRole() answer {
	name, owner := str(c.body["name"]), str(c.body["owner_id"])
	if len(c.t.roles.all) >= maxRoles {
		return tooMany()
	}
	if c.t.roleNamed(name, owner, "") {
		return failure(http.StatusConflict, "", "The role already exists.") // text OAS, code UNCONFIRMED (facts §3.0)
	}
	if owner != "" {
		if _, found := c.t.organizations.get(owner); !found {
			return noOrganization()
		}
	}
	o := c.body
	dropNulls(o)
	defaults(o, obj{"type": "tenant"}) // REC-tf Role, 2026
	r := &role{record: c.newRecord("rol_"+c.t.draw.alnum(16), o)}
	c.t.roles.add(r)
	shown := maps.Clone(o)
	shown["id"] = r.id
	return ok(shown) // 200, not 201 (facts §3.2)
}

func (t *tenant) roleNamed(name, owner, except string) bool {
	_, found := t.roles.find(func(r *role) bool {
		return r.field("name") == name && r.field("owner_id") == owner && r.id != except
	})
	return found
}

func (c *call) getRole() answer {
	r, found := c.t.roles.get(c.params["id"])
	if !found {
		return noRole()
	}
	return ok(showRole(r))
}

func (c *call) updateRole() answer {
	r, found := c.t.roles.get(c.params["id"])
	if !found {
		return noRole()
	}
	if name := str(c.body["name"]); name != "" && c.t.roleNamed(name, r.field("owner_id"), r.id) {
		return failure(http.StatusConflict, "", "The role already exists.") // UNCONFIRMED for PATCH
	}
	merge(r.o, c.body)
	return ok(showRole(r))
}

func (c *call) deleteRole() answer {
	if !c.t.removeRole(c.params["id"]) {
		return noRole() // 404 again (facts §3.0)
	}
	return ok(obj{}) // 200 {} (facts §3.0)
}

// removeRole takes a role away, from whoever has it too.
func (t *tenant) removeRole(id string) bool {
	if !t.roles.remove(id) {
		return false
	}
	gone := func(had string) bool { return had == id }
	for _, u := range t.users.all {
		u.roles = slices.DeleteFunc(u.roles, gone)
	}
	for _, g := range t.organizations.all {
		for member, roles := range g.memberRoles {
			g.memberRoles[member] = slices.DeleteFunc(roles, gone)
		}
	}
	return true
}

// showPermissions lists permissions as roles and users have them, by name (REC-tf
// DataSourceRole).
func (t *tenant) showPermissions(all []permission) []obj {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b permission) int { return cmp.Compare(a.name, b.name) })
	out := make([]obj, 0, len(sorted))
	for _, p := range sorted {
		rs, found := t.byIdentifier(p.api)
		if !found {
			continue
		}
		description := ""
		for _, s := range t.scopesOf(rs) {
			if s := object(s); str(s["value"]) == p.name {
				description = str(s["description"])
			}
		}
		out = append(out, obj{
			"permission_name": p.name, "description": description,
			"resource_server_identifier": p.api, "resource_server_name": rs.field("name"),
		})
	}
	return out
}

// readPermissions reads the body of a permissions request; each must exist if they
// are to be added.
func (c *call) readPermissions(adding bool) ([]permission, *answer) {
	var out []permission
	for _, x := range list(c.body["permissions"]) {
		x := object(x)
		p := permission{str(x["resource_server_identifier"]), str(x["permission_name"])}
		if adding {
			if _, found := c.t.byIdentifier(p.api); !found {
				a := noResourceServer() // facts §3.2
				return nil, &a
			}
			if !c.t.defines(p) {
				// REC-rb, seen at users/{id}/permissions (facts §3.0)
				a := failure(http.StatusNotFound, "inexistent_resource_server_permission", "This permission does not exist: '%s - %s'", p.api, p.name)
				return nil, &a
			}
		}
		out = append(out, p)
	}
	return out, nil
}

func addPermissions(have, more []permission) []permission {
	for _, p := range more {
		if !slices.Contains(have, p) {
			have = append(have, p)
		}
	}
	return have
}

func removePermissions(have, gone []permission) []permission {
	return slices.DeleteFunc(have, func(p permission) bool { return slices.Contains(gone, p) })
}

func (c *call) listRolePermissions() answer {
	r, found := c.t.roles.get(c.params["id"])
	if !found {
		return noRole()
	}
	return c.page(style{key: "permissions"}, c.t.showPermissions(r.permissions), nil)
}

func (c *call) addRolePermissions() answer {
	r, found := c.t.roles.get(c.params["id"])
	if !found {
		return noRole()
	}
	more, fail := c.readPermissions(true)
	if fail != nil {
		return *fail
	}
	all := addPermissions(slices.Clone(r.permissions), more)
	if len(all) > maxRolePermissions {
		return tooMany() // the limit is A0-LIM, the answer UNCONFIRMED
	}
	r.permissions = all
	return created(obj{}) // 201 {} (REC-tf RolePermission)
}

func (c *call) removeRolePermissions() answer {
	r, found := c.t.roles.get(c.params["id"])
	if !found {
		return noRole()
	}
	gone, _ := c.readPermissions(false)
	r.permissions = removePermissions(r.permissions, gone)
	return noContent() // 204 in traffic (200 in the OAS), for what is not there too (REC-tf RolePermissions #130)
}

func (c *call) listRoleUsers() answer {
	if _, found := c.t.roles.get(c.params["id"]); !found {
		return noRole()
	}
	items, place := listing(c, c.t.users.all, func(u *user) bool { return slices.Contains(u.roles, c.params["id"]) }, func(u *user) obj {
		out := obj{"user_id": u.id}
		for _, f := range []string{"email", "name", "picture"} { // REC-tf DataSourceRole
			if v, given := u.o[f]; given {
				out[f] = v
			}
		}
		return out
	})
	return c.page(style{key: "users", checkpoint: true, capped: beyondCap}, items, place)
}

func (c *call) addRoleUsers() answer {
	r, found := c.t.roles.get(c.params["id"])
	if !found {
		return noRole()
	}
	ids := strs(c.body["users"])
	for _, id := range ids {
		if _, found := c.t.users.get(id); !found {
			return failure(http.StatusNotFound, "", "One or more of the users do not exist.") // OAS
		}
	}
	for _, id := range ids {
		u, _ := c.t.users.get(id)
		if !slices.Contains(u.roles, r.id) {
			u.roles = append(u.roles, r.id)
		}
	}
	return ok(obj{})
}
