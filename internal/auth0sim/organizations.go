package auth0sim

import (
	"maps"
	"net/http"
	"slices"
)

// Limits of A0-LIM, facts §3.8; that of grants is the OAS's.
const (
	maxOrganizationConnections = 10
	maxOrganizationGrants      = 100
)

func noOrganization() answer {
	return failure(http.StatusNotFound, "", "No organization found by that id or name") // REC-tf
}

func noOrganizationConnection() answer {
	return failure(http.StatusNotFound, "", "No connection found by that id") // facts §3.0
}

// organizationDefaults are what organizations of 2026 show (facts §3.8).
func organizationDefaults() obj {
	return obj{"third_party_client_access": "block", "is_app_entitlement_active": false}
}

// organizationConnectionDefaults are those of a database connection (REC-tf
// DataSourceOrganization). Sign-up is a matter of databases alone (enable-connections,
// deploy-cli #905): others do not show it.
func organizationConnectionDefaults(strategy string) obj {
	o := obj{"assign_membership_on_login": false, "show_as_button": true, "is_enabled": true, "organization_access_level": "none"}
	if strategy == "auth0" {
		o["is_signup_enabled"] = false
	}
	return o
}

func showOrganization(g *organization) obj {
	o := maps.Clone(g.o)
	o["id"] = g.id
	if meta, _ := o["metadata"].(obj); meta != nil && len(meta) == 0 {
		delete(o, "metadata") // REC-tf Organization
	}
	return o
}

func (c *call) listOrganizations() answer {
	items, place := listing(c, c.t.organizations.all, nil, showOrganization)
	if by := c.query.Get("sort"); by == "created_at:-1" { // organizations do not show it, and are listed as they were made
		slices.Reverse(items)
		place = nil
	} else if by != "" && by != "created_at:1" {
		if fail := c.sort(items); fail != nil {
			return *fail
		}
		place = nil
	}
	return c.page(style{key: "organizations", checkpoint: true, capped: beyondCap}, items, place)
}

func (c *call) createOrganization() answer {
	o := c.body
	if given := list(o["enabled_connections"]); len(given) > 0 && !c.who.has("create:organization_connections") {
		return insufficient("any", []string{"create:organization_connections"}) // OAS: the second scope
	}
	name := str(o["name"])
	if _, taken := c.t.organizations.find(func(g *organization) bool { return g.field("name") == name }); taken {
		return organizationConflict()
	}
	g := &organization{memberRoles: map[string][]string{}}
	for _, x := range list(o["enabled_connections"]) {
		if _, found := c.t.connections.get(str(object(x)["connection_id"])); !found {
			// auth0-b2b-saas-starter #53; its status is UNCONFIRMED
			return failure(http.StatusNotFound, "", "Connections: %s not found.", str(object(x)["connection_id"]))
		}
		if fail := c.addConnection(g, object(x)); fail != nil {
			return *fail
		}
	}
	delete(o, "enabled_connections")
	dropNulls(o)
	dropNulls(object(o["metadata"])) // OAS: a value may be null; that it leaves nothing is UNCONFIRMED
	defaults(o, organizationDefaults())
	defaults(o, obj{"display_name": name}) // UNCONFIRMED; recordings always send it
	g.record = c.newRecord("org_"+c.t.draw.alnum(16), o)
	c.t.organizations.add(g)
	shown := showOrganization(g)
	if len(g.connections) > 0 { // this answer alone has them (OAS CreateOrganizationResponseContent, auth0-java #604)
		all := []obj{}
		for _, x := range g.connections {
			all = append(all, c.showOrganizationConnection(x, true))
		}
		shown["enabled_connections"] = all
	}
	return created(shown)
}

func organizationConflict() answer {
	return failure(http.StatusConflict, "organization_conflict", "An organization with the same name already exists.") // facts §3.0
}

func (c *call) theOrganization() (*organization, *answer) {
	g, found := c.t.organizations.get(c.params["id"])
	if !found {
		fail := noOrganization()
		return nil, &fail
	}
	return g, nil
}

func (c *call) getOrganization() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	return ok(showOrganization(g))
}

func (c *call) getOrganizationByName() answer {
	g, found := c.t.organizations.find(func(g *organization) bool { return g.field("name") == c.params["name"] })
	if !found {
		return noOrganization()
	}
	return ok(showOrganization(g))
}

func (c *call) updateOrganization() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	if name := str(c.body["name"]); name != "" {
		if _, taken := c.t.organizations.find(func(x *organization) bool { return x != g && x.field("name") == name }); taken {
			return organizationConflict()
		}
	}
	dropNulls(object(c.body["metadata"]))
	merge(g.o, c.body) // metadata is replaced (REC-tf Organization)
	return ok(showOrganization(g))
}

func (c *call) deleteOrganization() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail // 404 again (facts §3.0)
	}
	for _, r := range slices.Clone(c.t.roles.all) { // its own roles go with it; UNCONFIRMED
		if r.field("owner_id") == g.id {
			c.t.removeRole(r.id)
		}
	}
	c.t.organizations.remove(g.id)
	return noContent()
}

// addConnection puts a connection on an organization.
func (c *call) addConnection(g *organization, body obj) *answer {
	id := str(body["connection_id"])
	con, found := c.t.connections.get(id)
	if !found {
		fail := noOrganizationConnection()
		return &fail
	}
	if g.connection(id) != nil {
		fail := failure(http.StatusConflict, "", "The organization connection already exists.") // OAS
		return &fail
	}
	if len(g.connections) >= maxOrganizationConnections {
		fail := tooMany() // the limit is A0-LIM; the answer UNCONFIRMED
		return &fail
	}
	if fail := checkSignup(con, body, nil); fail != nil {
		return fail
	}
	defaults(body, organizationConnectionDefaults(con.field("strategy")))
	g.connections = append(g.connections, body)
	return nil
}

// checkSignup refuses sign-up where it can't be (go-auth0's test of it; deploy-cli #905;
// the code is UNCONFIRMED), and leaves out false where there is none: that it is taken for
// any connection is UNCONFIRMED. former is what a PATCH changes.
func checkSignup(con *connection, body, former obj) *answer {
	merged := maps.Clone(body)
	defaults(merged, former)
	database := con.field("strategy") == "auth0"
	if truth(merged["is_signup_enabled"]) && !(database && truth(merged["assign_membership_on_login"])) {
		fail := badRequest("invalid_body", "Only database connections with assign_membership_on_login = true support is_signup_enabled = true.")
		return &fail
	}
	if !database {
		delete(body, "is_signup_enabled")
	}
	return nil
}

func (g *organization) connection(id string) obj {
	for _, x := range g.connections {
		if str(x["connection_id"]) == id {
			return x
		}
	}
	return nil
}

// olderView says whether the path is .../enabled_connections, which shows only what
// is enabled and knows nothing of is_enabled and organization_access_level.
func (c *call) olderView() bool { return c.route.segments[2] == "enabled_connections" }

func (c *call) showOrganizationConnection(x obj, older bool) obj {
	o := maps.Clone(x)
	if con, found := c.t.connections.get(str(x["connection_id"])); found {
		o["connection"] = obj{"name": con.o["name"], "strategy": con.o["strategy"]}
	}
	if older {
		for _, k := range []string{"is_enabled", "organization_access_level", "organization_connection_name"} {
			delete(o, k)
		}
	}
	return o
}

func (c *call) listOrganizationConnections() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	items := []obj{}
	for _, x := range g.connections {
		if want := c.query.Get("is_enabled"); want != "" && truth(x["is_enabled"]) != (want == "true") || c.olderView() && !truth(x["is_enabled"]) {
			continue
		}
		items = append(items, c.showOrganizationConnection(x, c.olderView()))
	}
	key := "connections"
	if c.olderView() {
		key = "enabled_connections"
	}
	return c.page(style{key: key}, items, nil)
}

func (c *call) addOrganizationConnection() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	if fail := c.addConnection(g, c.body); fail != nil {
		return *fail
	}
	return created(c.showOrganizationConnection(c.body, c.olderView()))
}

func (c *call) theOrganizationConnection() (*organization, obj, *answer) {
	g, fail := c.theOrganization()
	if fail != nil {
		return nil, nil, fail
	}
	id := c.params["connection_id"] + c.params["connectionId"]
	x := g.connection(id)
	if x == nil {
		fail := noOrganizationConnection()
		return g, nil, &fail
	}
	return g, x, nil
}

func (c *call) getOrganizationConnection() answer {
	_, x, fail := c.theOrganizationConnection()
	if fail != nil {
		return *fail
	}
	return ok(c.showOrganizationConnection(x, c.olderView()))
}

func (c *call) updateOrganizationConnection() answer {
	_, x, fail := c.theOrganizationConnection()
	if fail != nil {
		return *fail
	}
	con, _ := c.t.connections.get(str(x["connection_id"]))
	if fail := checkSignup(con, c.body, x); fail != nil {
		return *fail
	}
	merge(x, c.body)
	defaults(x, organizationConnectionDefaults(con.field("strategy"))) // null resets (OAS; to the default is UNCONFIRMED)
	return ok(c.showOrganizationConnection(x, c.olderView()))
}

func (c *call) removeOrganizationConnection() answer {
	g, x, fail := c.theOrganizationConnection()
	if fail != nil {
		if g == nil {
			return *fail
		}
		return noContent() // UNCONFIRMED for the second time
	}
	g.connections = slices.DeleteFunc(g.connections, func(y obj) bool { return y["connection_id"] == x["connection_id"] })
	return noContent()
}

func (c *call) listOrganizationGrants() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	q := c.query
	items, place := listing(c, c.t.grants.all, func(x *grant) bool {
		return slices.Contains(g.grants, x.id) &&
			(q.Get("audience") == "" || x.field("audience") == q.Get("audience")) &&
			(q.Get("client_id") == "" || x.field("client_id") == q.Get("client_id")) &&
			(len(q["grant_ids"]) == 0 || slices.Contains(q["grant_ids"], x.id))
	}, briefGrant)
	return c.page(style{key: "client_grants"}, items, place)
}

func (c *call) addOrganizationGrant() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	x, found := c.t.grants.get(str(c.body["grant_id"]))
	if !found {
		return noGrant()
	}
	if usage := x.field("organization_usage"); usage != "allow" && usage != "require" {
		return badRequest("", "The client grant does not allow organizations.") // UNCONFIRMED
	}
	switch { // both OAS; their code UNCONFIRMED
	case slices.Contains(g.grants, x.id):
		return failure(http.StatusConflict, "", "The client grant has already been added to this organization.")
	case len(g.grants) >= maxOrganizationGrants:
		return failure(http.StatusConflict, "", "Quota exceeded; cannot add more than 100 client grants to a single organization")
	}
	g.grants = append(g.grants, x.id)
	return created(briefGrant(x))
}

// briefGrant is a grant as an organization shows it (OAS OrganizationClientGrant).
func briefGrant(g *grant) obj {
	o := showGrant(g)
	maps.DeleteFunc(o, func(k string, _ any) bool {
		return !slices.Contains([]string{"id", "client_id", "audience", "scope", "organization_usage", "allow_any_organization"}, k)
	})
	return o
}

func (c *call) removeOrganizationGrant() answer {
	g, fail := c.theOrganization()
	if fail != nil {
		return *fail
	}
	g.grants = slices.DeleteFunc(g.grants, func(id string) bool { return id == c.params["grant_id"] })
	return noContent()
}
