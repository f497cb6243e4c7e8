package auth0sim

import (
	"errors"
	"fmt"
	"time"
)

// This file reads Actions, their bindings, organizations, connections and users of a
// seed; seed.go reads the rest.

func (l *loader) actions() error {
	return l.each("actions", func(o obj) error {
		if err := need(o, "name"); err != nil {
			return err
		}
		deployed := truth(o["deployed"])
		delete(o, "deployed")
		id := take(o, "id", l.t.draw.uuid)
		versions, running := takeList(o, "versions"), take(o, "deployed_version", func() string { return "" })
		saved := truth(o["all_changes_deployed"])
		since, times := parseTime(take(o, "building_since", func() string { return "" })), obj{}
		for _, f := range []string{"created_at", "updated_at"} {
			if v, given := o[f]; given {
				times[f] = v
			}
		}
		kept := list(o["secrets"])
		a := &action{record: record{id: id, o: obj{}}}
		defaults(o, obj{"supported_triggers": []any{obj{"id": "post-login"}}})
		if fail := l.applyAction(a, o, "seed"); fail != nil {
			return problem(fail)
		}
		delete(a.o, "all_changes_deployed")
		defaults(a.o, obj{"code": "", "dependencies": []any{}, "runtime": "node22", "created_at": a.o["updated_at"]})
		merge(a.o, times)
		if secrets := l.secrets(kept); len(secrets) > 0 {
			a.secrets = secrets
		}
		if a.secrets == nil {
			a.secrets = []secret{}
		}
		a.building = since
		for i, x := range versions {
			v, isObj := x.(obj)
			if !isObj {
				return fmt.Errorf("versions[%d]: it must be an object", i)
			}
			broken := truth(v["broken"])
			delete(v, "broken")
			a.versions = append(a.versions, &version{
				secrets: l.secrets(takeList(v, "secrets")), live: parseTime(take(v, "live_since", func() string { return "" })), broken: broken,
				record: record{id: take(v, "id", l.t.draw.uuid), o: v},
			})
		}
		a.deployed, a.saved = running, saved
		if deployed {
			a.deployed, a.saved = l.newVersion(a, a.o, a.secrets).id, true
		}
		l.t.actions.add(a)
		return nil
	})
}

// parseTime reads a time of a state; what is missing lies long ago, so that a seeded
// Action has been built.
func parseTime(s string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, s) //nolint:errcheck // the zero time is meant
	return t
}

func (l *loader) secrets(all []any) []secret {
	out := []secret{}
	for _, x := range all {
		o, _ := x.(obj)
		at := str(o["updated_at"])
		if at == "" {
			at = stampNano(l.now)
		}
		out = append(out, secret{str(o["name"]), str(o["value"]), at})
	}
	return out
}

func (l *loader) bindings() error {
	flows, isObj := l.state["bindings"].(obj)
	if !isObj && l.state["bindings"] != nil {
		return errors.New("bindings: it must be an object with a list for each trigger")
	}
	for _, trigger := range sortedKeys(flows) {
		for i, x := range list(flows[trigger]) {
			o, isObj := x.(obj)
			if !isObj {
				o = obj{"action": x}
			}
			id, err := named(&l.t.actions, take(o, "action", func() string { return "" }), "name", "action")
			if err != nil {
				return fmt.Errorf("bindings.%s[%d]: %w", trigger, i, err)
			}
			a, _ := l.t.actions.get(id)
			if a.deployed == "" {
				return fmt.Errorf("bindings.%s[%d]: the action %q is not deployed", trigger, i, a.field("name"))
			}
			now := stampNano(l.now)
			bid := take(o, "id", l.t.draw.uuid)
			defaults(o, obj{"created_at": now, "updated_at": now, "display_name": a.field("name")})
			l.t.bindings[trigger] = append(l.t.bindings[trigger], &binding{record{id: bid, o: o}, id})
		}
	}
	return nil
}

func (l *loader) connections() error {
	return l.each("connections", func(o obj) error {
		if err := need(o, "name"); err != nil {
			return err
		}
		con := &connection{}
		con.record = record{id: take(o, "id", func() string { return "con_" + l.t.draw.alnum(16) }), o: o}
		clients, err := namedAll(l, &l.t.clients, takeList(o, "clients"), "name", "client")
		if err != nil {
			return err
		}
		con.clients = clients
		con.scim, _ = o["scim_configuration"].(obj)
		for _, x := range takeList(o, "scim_tokens") {
			if token, isObj := x.(obj); isObj {
				con.tokens = append(con.tokens, token)
			}
		}
		delete(o, "scim_configuration")
		if !l.whole {
			defaults(o, obj{"strategy": "auth0"})
			l.t.fillConnection(o)
			l.hideConfiguration(o)
		}
		if had, found := l.t.connections.find(func(x *connection) bool { return x.field("name") == str(o["name"]) }); found {
			l.t.connections.remove(had.id)
		}
		l.t.connections.add(con)
		return nil
	})
}

func (l *loader) users() error {
	return l.each("users", func(o obj) error {
		u := &user{permissions: l.permissions(takeList(o, "permissions"))}
		roles, err := namedAll(l, &l.t.roles, takeList(o, "roles"), "name", "role")
		if err != nil {
			return err
		}
		u.roles = roles
		u.password = take(o, "password", func() string { return "" })
		in := take(o, "connection", func() string { return "Username-Password-Authentication" })
		con, found := l.t.connections.find(func(x *connection) bool { return x.field("name") == in })
		if !found && !l.whole {
			return fmt.Errorf("there is no connection %q", in)
		}
		u.record = record{id: take(o, "user_id", func() string { return "auth0|" + l.t.draw.hex24() }), o: o}
		if !l.whole {
			l.fillUser(u, in, con.field("strategy"))
		}
		l.t.users.add(u)
		return nil
	})
}

func (l *loader) organizations() error {
	return l.each("organizations", func(o obj) error {
		if err := need(o, "name"); err != nil {
			return err
		}
		g := &organization{memberRoles: map[string][]string{}}
		for _, x := range takeList(o, "connections") {
			con, isObj := x.(obj)
			if !isObj {
				con = obj{"connection_id": x}
			}
			id, err := named(&l.t.connections, str(con["connection_id"]), "name", "connection")
			if err != nil {
				return err
			}
			con["connection_id"] = id
			c, _ := l.t.connections.get(id)
			defaults(con, organizationConnectionDefaults(c.field("strategy")))
			g.connections = append(g.connections, con)
		}
		members, err := namedAll(l, &l.t.users, takeList(o, "members"), "email", "user")
		if err != nil {
			return err
		}
		g.members, g.grants = members, strs(takeList(o, "client_grants"))
		roles, _ := o["member_roles"].(obj)
		delete(o, "member_roles")
		for _, member := range sortedKeys(roles) {
			id, err := named(&l.t.users, member, "email", "user")
			if err != nil {
				return err
			}
			if g.memberRoles[id], err = namedAll(l, &l.t.roles, list(roles[member]), "name", "role"); err != nil {
				return err
			}
		}
		g.record = record{id: take(o, "id", func() string { return "org_" + l.t.draw.alnum(16) }), o: o}
		if !l.whole {
			defaults(o, organizationDefaults())
			defaults(o, obj{"display_name": o["name"]})
		}
		l.t.organizations.add(g)
		return nil
	})
}
