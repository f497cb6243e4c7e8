package auth0sim

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"time"
)

// Snapshot is the whole state as indented JSON with sorted keys: what the API shows
// of each object, and what it never shows (secret values, PEMs, passwords). Objects
// stand in the order of their creation. It is a Seed for another tenant: the domain
// in it is replaced by that tenant's. The same state gives the same bytes.
func (s *Server) Snapshot() []byte {
	t := s.current()
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.dump(false)
}

// Essence is Snapshot without what a server makes up anew at each write: times, ids
// and numbers of Action versions and bindings. Two tenants that are alike but for
// how they came to be have the same Essence.
func (s *Server) Essence() []byte {
	var state obj
	if err := json.Unmarshal(s.Snapshot(), &state); err != nil {
		panic("auth0sim: " + err.Error()) // it was just written
	}
	for _, x := range list(state["actions"]) {
		a := x.(obj)
		for _, v := range list(a["versions"]) {
			if v := v.(obj); v["id"] == a["deployed_version"] {
				a["runs"] = v
				delete(v, "id")
				delete(v, "number")
			}
		}
		delete(a, "versions")
		delete(a, "deployed_version")
	}
	bindings, _ := state["bindings"].(obj)
	for _, all := range bindings {
		for _, b := range list(all) {
			delete(b.(obj), "id")
		}
	}
	dropTimes(state)
	return indent(state)
}

func dropTimes(v any) {
	switch v := v.(type) {
	case obj:
		for _, k := range []string{"created_at", "updated_at", "built_at", "building_since", "live_since"} {
			delete(v, k)
		}
		for _, x := range v {
			dropTimes(x)
		}
	case []any:
		for _, x := range v {
			dropTimes(x)
		}
	}
}

func indent(v any) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, encode(v), "", "  "); err != nil {
		panic("auth0sim: " + err.Error())
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// dump writes the state; whole adds what only a restart needs.
func (t *tenant) dump(whole bool) []byte {
	state := obj{
		"complete": true, "domain": t.domain, "tenant": t.settings,
		"resource_servers": dumpAll(t.resourceServers.all, func(rs *resourceServer, o obj) { o["id"] = rs.id }),
		"client_grants":    dumpAll(t.grants.all, func(g *grant, o obj) { o["id"] = g.id }),
		"roles": dumpAll(t.roles.all, func(r *role, o obj) {
			o["id"], o["permissions"] = r.id, dumpPermissions(r.permissions)
			users := []any{}
			for _, u := range t.users.all {
				for _, id := range u.roles {
					if id == r.id {
						users = append(users, u.id)
					}
				}
			}
			o["users"] = users
		}),
		"clients":                 dumpAll(t.clients.all, dumpClient),
		"actions":                 dumpAll(t.actions.all, dumpAction),
		"bindings":                t.dumpBindings(),
		"organizations":           dumpAll(t.organizations.all, dumpOrganization),
		"connections":             dumpAll(t.connections.all, dumpConnection),
		"user_attribute_profiles": dumpAll(t.attributes.all, func(p *profile, o obj) { o["id"] = p.id }),
		"connection_profiles":     dumpAll(t.profiles.all, func(p *profile, o obj) { o["id"] = p.id }),
		"users": dumpAll(t.users.all, func(u *user, o obj) {
			o["user_id"], o["permissions"] = u.id, dumpPermissions(u.permissions)
			if u.password != "" {
				o["password"] = u.password
			}
		}),
	}
	if whole {
		state["drawn"] = t.draw.drawn
		for name, times := range map[string]map[string]time.Time{"used_assertions": t.usedJTIs, "deleting": t.deleting} {
			kept := obj{}
			for key, until := range times {
				kept[key] = until.Format(time.RFC3339Nano)
			}
			state[name] = kept
		}
		if t.signingKey != nil {
			state["signing_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(t.signingKey)}))
		}
	}
	return indent(state)
}

func dumpAll[T interface{ rec() *record }](all []T, more func(T, obj)) []obj {
	out := make([]obj, 0, len(all))
	for _, x := range all {
		o := maps.Clone(x.rec().o)
		more(x, o)
		out = append(out, o)
	}
	return out
}

func dumpPermissions(all []permission) []any {
	out := []any{}
	for _, p := range all {
		out = append(out, obj{"resource_server_identifier": p.api, "permission_name": p.name})
	}
	return out
}

func dumpClient(cl *client, o obj) {
	o["client_id"], o["client_secret"] = cl.id, cl.secret
	if len(cl.used) > 0 {
		o["client_authentication_methods"] = cl.used
	}
	o["credentials"] = dumpAll(cl.credentials, func(cr *credential, o obj) {
		o["id"] = cr.id
		if cr.pem != "" {
			o["pem"] = cr.pem
		}
	})
}

func dumpSecrets(all []secret) []any {
	out := []any{}
	for _, s := range all {
		out = append(out, obj{"name": s.name, "value": s.value, "updated_at": s.updatedAt})
	}
	return out
}

func dumpAction(a *action, o obj) {
	o["id"], o["secrets"], o["all_changes_deployed"] = a.id, dumpSecrets(a.secrets), a.saved
	o["building_since"] = stampNano(a.building)
	if a.deployed != "" {
		o["deployed_version"] = a.deployed
	}
	o["versions"] = dumpAll(a.versions, func(v *version, o obj) {
		o["id"], o["secrets"], o["live_since"] = v.id, dumpSecrets(v.secrets), stampNano(v.live)
		if v.broken {
			o["broken"] = true
		}
	})
}

func (t *tenant) dumpBindings() obj {
	out := obj{}
	for trigger, all := range t.bindings {
		if len(all) > 0 {
			out[trigger] = dumpAll(all, func(b *binding, o obj) { o["id"], o["action"] = b.id, b.action })
		}
	}
	return out
}

func dumpOrganization(g *organization, o obj) {
	o["id"], o["connections"], o["members"], o["client_grants"] = g.id, g.connections, anys(g.members), anys(g.grants)
	roles := obj{}
	for member, ids := range g.memberRoles {
		if len(ids) > 0 {
			roles[member] = anys(ids)
		}
	}
	o["member_roles"] = roles
}

func dumpConnection(c *connection, o obj) {
	o["id"], o["clients"] = c.id, anys(c.clients)
	if c.scim != nil {
		o["scim_configuration"] = c.scim
		o["scim_tokens"] = c.tokens
	}
}
