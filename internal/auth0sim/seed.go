package auth0sim

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// loader reads a seed or a kept state into a tenant.
type loader struct {
	*call // with every right, and no request
	state obj
	whole bool // a Snapshot: nothing is filled in
}

// load reads the format that dump writes. In a seed made by hand much may be left
// out: ids, what Auth0 fills in, whole collections; a name may stand for an id; an
// Action may say "deployed": true.
func (t *tenant) load(raw []byte, now time.Time) (err error) {
	defer func() { // a state of another shape than the checks below think of
		if r := recover(); r != nil {
			err = fmt.Errorf("it has not the shape of a state: %v", r)
		}
	}()
	var state obj
	if err := json.Unmarshal(raw, &state); err != nil {
		return err
	}
	if old := str(state["domain"]); old != "" && old != t.domain {
		raw = []byte(strings.ReplaceAll(string(raw), "https://"+old+"/", t.issuer()))
		if err := json.Unmarshal(raw, &state); err != nil {
			return err
		}
	}
	l := &loader{state: state, whole: truth(state["complete"]), call: &call{
		s: &Server{}, t: t, now: now, route: &route{}, who: &bearer{all: true},
	}}
	if err := l.checkNames(); err != nil {
		return err
	}
	if l.whole {
		t.resourceServers, t.clients, t.connections = collection[*resourceServer]{}, collection[*client]{}, collection[*connection]{}
		t.settings = obj{}
	}
	for _, step := range []func() error{
		l.settings, l.resourceServers, l.roles, l.clients, l.grants, l.actions, l.bindings,
		l.connections, l.users, l.organizations, l.profiles, l.roleUsers, l.rest,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// checkNames refuses what no seed has, so that a misspelt collection is not lost.
func (l *loader) checkNames() error {
	known := strings.Fields(`complete domain tenant resource_servers roles clients client_grants actions bindings organizations connections
 users user_attribute_profiles connection_profiles drawn used_assertions deleting signing_key`)
	for _, k := range sortedKeys(l.state) {
		if !slices.Contains(known, k) {
			return fmt.Errorf("%q is no part of a state; there are: %s", k, strings.Join(known, ", "))
		}
	}
	return nil
}

// each calls read for every object of a collection.
func (l *loader) each(name string, read func(o obj) error) error {
	if _, isList := l.state[name].([]any); !isList && l.state[name] != nil {
		return fmt.Errorf("%s: it must be a list", name)
	}
	for i, x := range list(l.state[name]) {
		o, isObj := x.(obj)
		if !isObj {
			return fmt.Errorf("%s[%d]: it must be an object", name, i)
		}
		if err := read(o); err != nil {
			return fmt.Errorf("%s[%d]: %w", name, i, err)
		}
	}
	return nil
}

// take removes a string from o and returns it, or what make makes.
func take(o obj, key string, otherwise func() string) string {
	s := str(o[key])
	delete(o, key)
	if s == "" {
		s = otherwise()
	}
	return s
}

func takeList(o obj, key string) []any {
	l := list(o[key])
	delete(o, key)
	return l
}

func need(o obj, key string) error {
	if str(o[key]) == "" {
		return fmt.Errorf("it has no %s", key)
	}
	return nil
}

// problem makes an error of an answer.
func problem(a *answer) error {
	if a == nil {
		return nil
	}
	return errors.New(str(a.body.(obj)["message"]))
}

func (l *loader) settings() error {
	o, _ := l.state["tenant"].(obj)
	mergeKey(l.t.settings, o, "flags")
	merge(l.t.settings, o)
	return nil
}

func (l *loader) resourceServers() error {
	return l.each("resource_servers", func(o obj) error {
		if err := need(o, "identifier"); err != nil {
			return err
		}
		id := take(o, "id", l.t.draw.hex24)
		if had, found := l.t.byIdentifier(str(o["identifier"])); found {
			merge(had.o, o)
			return nil
		}
		if !l.whole {
			l.fillResourceServer(o)
		}
		l.t.resourceServers.add(&resourceServer{record{id: id, o: o}})
		return nil
	})
}

func (l *loader) permissions(all []any) []permission {
	var out []permission
	for _, x := range all {
		o, _ := x.(obj)
		out = append(out, permission{str(o["resource_server_identifier"]), str(o["permission_name"])})
	}
	return out
}

func (l *loader) roles() error {
	return l.each("roles", func(o obj) error {
		if err := need(o, "name"); err != nil {
			return err
		}
		id := take(o, "id", func() string { return "rol_" + l.t.draw.alnum(16) })
		r := &role{record: record{id: id, o: o}, permissions: l.permissions(takeList(o, "permissions"))}
		for _, p := range r.permissions {
			if !l.t.defines(p) {
				return fmt.Errorf("the permission %s of %s is not defined by a resource server", p.name, p.api)
			}
		}
		if !l.whole {
			defaults(o, obj{"type": "tenant"})
		}
		l.t.roles.add(r)
		return nil
	})
}

func (l *loader) clients() error {
	return l.each("clients", func(o obj) error {
		if err := need(o, "name"); err != nil {
			return err
		}
		cl := &client{used: map[string]obj{}}
		id := take(o, "client_id", func() string { return l.t.draw.alnum(32) })
		cl.record = record{id: id, o: o}
		cl.secret = take(o, "client_secret", func() string { return l.t.draw.alnum(64) })
		for _, x := range takeList(o, "credentials") {
			given, _ := x.(obj)
			cr, fail := l.newCredential(cl, given)
			if fail != nil {
				return fmt.Errorf("credentials: %w", problem(fail))
			}
			if l.whole {
				cr.o = given
				cr.pem = take(given, "pem", func() string { return "" })
			}
			if id := str(given["id"]); id != "" {
				cr.id = id
			}
			delete(cr.o, "id")
			cl.credentials = append(cl.credentials, cr)
		}
		if _, fail := l.takeInlineCredentials(cl); fail != nil {
			return problem(fail)
		}
		if !l.whole {
			clientDefaults(o)
			fillExpressClient(cl)
		}
		if truth(o["global"]) {
			if had, found := l.t.clients.find(func(c *client) bool { return truth(c.o["global"]) }); found {
				l.t.clients.remove(had.id)
			}
		}
		if _, taken := l.t.clients.get(id); taken {
			return fmt.Errorf("the client_id %s is there twice", id)
		}
		l.t.clients.add(cl)
		return problem(l.checkAttached(cl))
	})
}

// named finds an id by id or by one field; two objects with the name are an error.
func named[T interface{ rec() *record }](c *collection[T], key, field, what string) (string, error) {
	if _, found := c.get(key); found {
		return key, nil
	}
	id := ""
	for _, x := range c.all {
		if x.rec().field(field) == key {
			if id != "" {
				return "", fmt.Errorf("two %ss are called %q: name the id", what, key)
			}
			id = x.rec().id
		}
	}
	if id == "" {
		return "", fmt.Errorf("there is no %s %q", what, key)
	}
	return id, nil
}

// namedAll is named for a list. A Snapshot has ids, and some of things that are gone.
func namedAll[T interface{ rec() *record }](l *loader, c *collection[T], keys []any, field, what string) ([]string, error) {
	if l.whole {
		return strs(keys), nil
	}
	var out []string
	for _, k := range keys {
		id, err := named(c, str(k), field, what)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

func (l *loader) grants() error {
	err := l.each("client_grants", func(o obj) error {
		if key := str(o["client_id"]); key != "" && !l.whole {
			id, err := named(&l.t.clients, key, "name", "client")
			if err != nil {
				return err
			}
			o["client_id"] = id
		}
		if err := need(o, "audience"); err != nil {
			return err
		}
		id := take(o, "id", func() string { return "cgr_" + l.t.draw.alnum(16) })
		if !l.whole {
			defaults(o, obj{"subject_type": "client", "scope": []any{}})
		}
		l.t.grants.add(&grant{record{id: id, o: o}})
		return nil
	})
	for _, cl := range l.t.clients.all {
		_, has := l.t.grants.find(func(g *grant) bool { return g.field("client_id") == cl.id })
		if err == nil && !l.whole && !has && cl.field("app_type") == "express_configuration" {
			l.addSystemGrant(cl)
		}
	}
	return err
}

func (l *loader) profiles() error {
	read := func(name, prefix string, into *collection[*profile], fill func(obj)) error {
		return l.each(name, func(o obj) error {
			if err := need(o, "name"); err != nil {
				return err
			}
			id := take(o, "id", func() string { return prefix + l.t.draw.short(22) })
			if !l.whole {
				fill(o)
			}
			into.add(&profile{record{id: id, o: o}})
			return nil
		})
	}
	if err := read("user_attribute_profiles", "uap_", &l.t.attributes, fillAttributeProfile); err != nil {
		return err
	}
	return read("connection_profiles", "cop_", &l.t.profiles, fillConnectionProfile)
}

// roleUsers reads the users of roles, which stand with the roles.
func (l *loader) roleUsers() error {
	for _, r := range l.t.roles.all {
		ids, err := namedAll(l, &l.t.users, takeList(r.o, "users"), "email", "user")
		if err != nil {
			return fmt.Errorf("role %q: %w", r.field("name"), err)
		}
		for _, id := range ids {
			if u, found := l.t.users.get(id); found {
				u.roles = addOnce(u.roles, r.id)
			}
		}
	}
	return nil
}

func addOnce(all []string, x string) []string {
	if slices.Contains(all, x) {
		return all
	}
	return append(all, x)
}

// rest reads what a kept state has beside the objects.
func (l *loader) rest() error {
	l.t.draw.drawn = max(l.t.draw.drawn, uint64(num(l.state["drawn"])))
	if _, kept := l.state["drawn"]; !kept && l.state["complete"] == true {
		// A snapshot's objects have ids that were drawn: those of the next ones are others.
		sum := sha256.Sum256(encode(l.state))
		l.t.draw.drawn = 1<<32 + uint64(binary.BigEndian.Uint32(sum[:]))
	}
	for name, times := range map[string]map[string]time.Time{"used_assertions": l.t.usedJTIs, "deleting": l.t.deleting} {
		for key, until := range object(l.state[name]) {
			if at, err := time.Parse(time.RFC3339Nano, str(until)); err == nil {
				times[key] = at
			}
		}
	}
	if block, _ := pem.Decode([]byte(str(l.state["signing_key"]))); block != nil {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("signing_key: %w", err)
		}
		l.t.signingKey = key
	}
	return nil
}
