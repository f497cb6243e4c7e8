package auth0sim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

func noConnection() answer {
	return failure(http.StatusNotFound, "inexistent_connection", "The connection does not exist") // REC-tf
}

// showConnection renders a connection; its options only for the scope that opens
// them (OAS ConnectionForList, facts §3.9).
func (c *call) showConnection(con *connection) obj {
	o := maps.Clone(con.o)
	o["id"] = con.id
	o["enabled_clients"] = anys(con.clients)
	if !c.who.has("read:connections_options") {
		delete(o, "options")
	}
	return o
}

// readableConnection applies fields; some show whatever was asked (REC-tf
// ConnectionClients).
func (c *call) readableConnection(con *connection) obj {
	out := c.fields(c.showConnection(con), "id", "is_domain_connection", "authentication", "connected_accounts")
	if options, _ := out["options"].(obj); str(options["client_secret"]) != "" {
		c.secret = "options.client_secret" // its name in a log is UNCONFIRMED
	}
	return out
}

func (c *call) listConnections() answer {
	strategies := c.query["strategy"]
	name := c.query.Get("name")
	var all []*connection
	for _, con := range c.t.connections.all {
		if (len(strategies) == 0 || slices.Contains(strategies, con.field("strategy"))) && (name == "" || con.field("name") == name) {
			all = append(all, con)
		}
	}
	// By name, capitals or not (REC-tf DataSourceConnection #8: 31 of them).
	place := func(con *connection) string { return strings.ToLower(con.field("name")) + " " + con.id }
	slices.SortFunc(all, func(a, b *connection) int { return strings.Compare(place(a), place(b)) })
	var places []string
	items, _ := listing(c, all, nil, func(con *connection) obj {
		places = append(places, place(con))
		return c.readableConnection(con)
	})
	return c.page(style{key: "connections", perPage: 100, checkpoint: true, capped: beyondCap, links: true}, items, func(i int) string { return places[i] })
}

// connectionConflict has the texts of facts §3.0 and the code of deploy-cli #221, which
// shows the first; that the second has it too is UNCONFIRMED.
func connectionConflict(message string) answer {
	return failure(http.StatusConflict, "connection_conflict", "%s", message)
}

func (c *call) createConnection() answer {
	o := c.body
	name := str(o["name"])
	if _, taken := c.t.connections.find(func(x *connection) bool { return x.field("name") == name }); taken {
		return connectionConflict("A connection with the same name already exists")
	}
	if until, going := c.t.deleting[name]; going && c.now.Before(until) {
		return connectionConflict("A connection with the same name is being deleted, try again later")
	}
	if len(c.t.connections.all) >= c.s.entities().connections {
		return tooMany()
	}
	con := &connection{record: record{o: obj{"name": name, "strategy": o["strategy"]}}, clients: strs(o["enabled_clients"])}
	delete(o, "enabled_clients")
	dropNulls(o)
	dropNulls(object(o["metadata"])) // as an organization's
	if fail := c.checkConnection(con, o); fail != nil {
		return *fail
	}
	c.t.fillConnection(o)
	c.hideConfiguration(o)
	con.record = c.newRecord("con_"+c.t.draw.alnum(16), o)
	c.t.connections.add(con)
	return created(c.showConnection(con))
}

func (c *call) theConnection() (*connection, *answer) {
	con, found := c.t.connections.get(c.params["id"])
	if !found {
		fail := noConnection()
		return nil, &fail
	}
	return con, nil
}

func (c *call) getConnection() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	return ok(c.readableConnection(con))
}

func (c *call) updateConnection() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	body := c.body
	if _, given := body["options"]; given && !c.who.has("update:connections_options") {
		return insufficient("any", []string{"update:connections_options"}) // facts §3.9; wording UNCONFIRMED
	}
	dropNulls(object(body["metadata"]))
	if fail := c.checkConnection(con, body); fail != nil {
		return *fail
	}
	if clients, given := body["enabled_clients"]; given {
		con.clients = strs(clients)
		delete(body, "enabled_clients")
	}
	next := clone(con.o)
	if _, given := body["display_name"]; !given && next["display_name"] != nil {
		next["display_name"] = next["name"] // facts §3.9: omitted is reset to the name
	}
	former, _ := next["options"].(obj)
	merge(next, body) // options are replaced as a whole (facts §3.9) …
	if options, given := body["options"].(obj); given {
		refillOptions(str(next["strategy"]), options, former) // … but for what Auth0 adds itself
		next["options"] = options
	}
	c.hideConfiguration(next)
	con.o = next
	return ok(c.showConnection(con))
}

// deleteConnection is 202 with a time first, 204 when it is gone (facts §3.0). Its name
// stays taken while the deletion takes time (Options.DeleteTime); that it can't be read
// any more meanwhile is UNCONFIRMED.
func (c *call) deleteConnection() answer {
	con, found := c.t.connections.get(c.params["id"])
	if !found {
		return noContent()
	}
	c.t.connections.remove(con.id)
	for name, until := range c.t.deleting {
		if !c.now.Before(until) {
			delete(c.t.deleting, name)
		}
	}
	if c.s.o.DeleteTime > 0 {
		c.t.deleting[con.field("name")] = c.now.Add(c.s.o.DeleteTime)
	}
	// Its users go with it (community.auth0.com 151148).
	c.t.removeUsers(func(u *user) bool { return slices.Contains(u.connections(), con.field("name")) })
	for _, g := range c.t.organizations.all {
		g.connections = slices.DeleteFunc(g.connections, func(x obj) bool { return x["connection_id"] == c.params["id"] })
	}
	return answer{status: http.StatusAccepted, body: obj{"deleted_at": stamp(c.now)}}
}

func (c *call) listConnectionClients() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	items := []obj{}
	for _, id := range con.clients {
		items = append(items, obj{"client_id": id})
	}
	return c.page(style{key: "clients", checkpoint: true, always: true}, items, nil)
}

func (c *call) updateConnectionClients() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	next := slices.Clone(con.clients)
	for _, x := range c.items {
		o := object(x)
		id := str(o["client_id"])
		if _, found := c.t.clients.get(id); !found {
			return noClient() // OAS
		}
		if truth(o["status"]) {
			next = addOnce(next, id)
		} else {
			next = slices.DeleteFunc(next, func(had string) bool { return had == id })
		}
	}
	con.clients = next
	return noContent()
}

// connectionStatus tells whether the connector of an AD connection is online, and no
// connector ever calls here (OAS GET /connections/{id}/status; the code of its 404 and
// the 200 of other strategies are UNCONFIRMED).
func (c *call) connectionStatus() answer {
	con, fail := c.theConnection()
	if fail != nil {
		return *fail
	}
	if con.field("strategy") == "ad" {
		return failure(http.StatusNotFound, "", "not connected to any node")
	}
	return answer{status: http.StatusOK}
}
