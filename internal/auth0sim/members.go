package auth0sim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

func (c *call) listMembers() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	asked := strings.FieldsFunc(c.query.Get("fields"), func(r rune) bool { return r == ',' || r == ' ' })
	withRoles := slices.Contains(asked, "roles") && c.query.Get("include_fields") != "false" // OAS: only when asked for …
	if withRoles && !c.who.has("read:organization_member_roles") {
		return insufficient("any", []string{"read:organization_member_roles"}) // … and with this scope; wording UNCONFIRMED
	}
	items := []obj{}
	for _, id := range g.members {
		u, found := c.t.users.get(id)
		if !found {
			continue
		}
		o := obj{"user_id": id}
		for _, f := range []string{"email", "name", "picture"} {
			if v, given := u.o[f]; given {
				o[f] = v
			}
		}
		if withRoles {
			held := c.memberRoles(g, id)
			for _, r := range held {
				delete(r, "description") // OAS OrganizationMemberRole: id and name
			}
			o["roles"] = held
		}
		items = append(items, c.fields(o))
	}
	// REC-tf OrganizationMemberRole: a page that is not empty always names a next one.
	return c.page(style{key: "members", checkpoint: true, capped: beyondCap, alwaysNext: true}, items, nil)
}

func (c *call) addMembers() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	ids := strs(c.body["members"])
	for _, id := range ids {
		if _, found := c.t.users.get(id); !found {
			return badRequest("", "One or more of the users do not exist.") // UNCONFIRMED
		}
	}
	for _, id := range ids {
		g.members = addOnce(g.members, id)
	}
	return noContent()
}

func (c *call) removeMembers() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	for _, id := range strs(c.body["members"]) {
		g.members = slices.DeleteFunc(g.members, func(m string) bool { return m == id })
		delete(g.memberRoles, id)
	}
	return noContent() // 204 again (facts §3.0)
}

// memberRoles lists the roles of a member by name (REC-tf OrganizationMemberRole).
func (c *call) memberRoles(g *organization, member string) []obj {
	return c.t.briefRoles(g.memberRoles[member])
}

// briefRoles shows roles as their holders list them: id, name and description.
func (t *tenant) briefRoles(ids []string) []obj {
	out := []obj{}
	for _, id := range ids {
		if r, found := t.roles.get(id); found {
			out = append(out, obj{"id": id, "name": r.o["name"], "description": r.field("description")})
		}
	}
	slices.SortStableFunc(out, func(a, b obj) int { return cmp.Compare(str(a["name"]), str(b["name"])) })
	return out
}

func (c *call) theMember() (*organization, string, *answer) {
	g, fail := c.theOrganization()
	if fail != nil {
		return nil, "", fail
	}
	id := c.params["user_id"]
	if _, found := c.t.users.get(id); !found || !slices.Contains(g.members, id) {
		fail := failure(http.StatusNotFound, "", "The user does not exist.") // OAS; code UNCONFIRMED
		return nil, "", &fail
	}
	return g, id, nil
}

func (c *call) listMemberRoles() answer {
	g, id, fail := c.theMember()
	if fail != nil {
		return *fail
	}
	return c.page(style{key: "roles", capped: beyondCap}, c.memberRoles(g, id), nil)
}

func (c *call) addMemberRoles() answer {
	g, id, fail := c.theMember()
	if fail != nil {
		return *fail
	}
	roles := slices.Clone(g.memberRoles[id])
	for _, r := range strs(c.body["roles"]) {
		if _, found := c.t.roles.get(r); !found {
			return noRole()
		}
		roles = addOnce(roles, r)
	}
	if len(roles) > maxUserRoles {
		return failure(http.StatusConflict, "", "No more roles can be assigned to this organization member.") // OAS
	}
	g.memberRoles[id] = roles
	return noContent()
}

func (c *call) removeMemberRoles() answer {
	g, id, fail := c.theMember()
	if fail != nil {
		return *fail
	}
	gone := strs(c.body["roles"])
	g.memberRoles[id] = slices.DeleteFunc(g.memberRoles[id], func(r string) bool { return slices.Contains(gone, r) })
	return noContent()
}
