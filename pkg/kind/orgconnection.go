package kind

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// observeConnections reads what an organization has enabled, and looks up those declared
// connections that are not among it. Connections are told apart by name, which is unique
// on a tenant and never changes (facts §3.9); a manifest may give the id instead. The
// elements hold the id as well, by which requests name a connection.
func observeConnections(d Desired, o *Observed, v *View) (ok bool, err error) {
	enabled, ids, strategies := []any{}, map[string]any{}, map[string]any{}
	if o.Exists {
		items, ok := v.Items(Read{
			Path: "organizations/" + url.PathEscape(o.ID) + "/enabled_connections", List: "enabled_connections",
			Scopes: []string{"read:organization_connections"}, For: d.Address(),
		})
		if !ok {
			return false, nil
		}
		for _, c := range items {
			of, _ := c["connection"].(map[string]any)
			ids[text(of, "name")], strategies[text(of, "name")] = text(c, "connection_id"), of["strategy"]
			enabled = append(enabled, map[string]any{
				"connection": of["name"], "connection_id": c["connection_id"], "assign_membership_on_login": c["assign_membership_on_login"] == true,
				"show_as_button": c["show_as_button"] != false, "is_signup_enabled": c["is_signup_enabled"] == true,
			})
		}
		o.Spec["connections"] = enabled
	}
	ready := true
	for _, c := range objects(d.Spec["connections"]) {
		ok, err := findConnection(d, v, text(c, "connection"), ids)
		if err != nil {
			return false, err
		}
		ready = ready && ok
	}
	o.Spec[connectionIDs], o.Spec[connectionStrategies] = ids, strategies
	return ready, nil
}

// findConnection finds a declared connection among those in ids, by name, or on the
// tenant, and notes it there.
func findConnection(d Desired, v *View, word string, ids map[string]any) (ok bool, err error) {
	for name, id := range ids {
		if name == word || id == word {
			return true, nil
		}
	}
	read := Read{Path: "connections", Query: url.Values{"name": {word}}.Encode(), List: "connections", Scopes: []string{"read:connections"}, For: d.Address()}
	var found map[string]any
	if strings.Contains(word, "_") { // an id: names have no underscore (OAS POST /connections)
		read = Read{Path: "connections/" + url.PathEscape(word), Scopes: read.Scopes, For: read.For}
		if found, ok = v.Object(read); !ok {
			return false, nil
		}
	} else {
		items, ok := v.Items(read)
		if !ok {
			return false, nil
		}
		if i := slices.IndexFunc(items, func(c map[string]any) bool { return text(c, "name") == word }); i >= 0 {
			found = items[i]
		}
	}
	if found == nil {
		return true, fmt.Errorf("the tenant has no connection %q. ecplan makes no connections: name one that is there, by its name or its id", word)
	}
	ids[text(found, "name")] = text(found, "id")
	return true, nil
}

// wantedConnections are the declared connections with their names and ids.
func wantedConnections(d Desired, o Observed) []any {
	ids, _ := o.Spec[connectionIDs].(map[string]any)
	out := []any{}
	for _, c := range objects(d.Spec["connections"]) {
		if c["connection_id"] == nil {
			c = manifest.Clone(c)
			for _, name := range manifest.Keys(ids) {
				if word := text(c, "connection"); word == name || word == ids[name] {
					c["connection"], c["connection_id"] = name, ids[name]
					break
				}
			}
		}
		out = append(out, c)
	}
	return out
}

// connectionBody is a connection as the API takes it. is_signup_enabled belongs to database
// connections alone (auth0-deploy-cli #905); false, which others have anyway, is not sent.
func connectionBody(c map[string]any, strategy any) map[string]any {
	if strategy != "auth0" && c["is_signup_enabled"] == false {
		c = without(c, "is_signup_enabled")
	}
	return without(c, "connection")
}

// connectionSteps enables, changes and disables connections, one by one.
func connectionSteps(d Desired, o Observed) []Step {
	diff := partOf("Organization", "connections", wantedConnections(d, o), d, o, false)
	rule := schemas.Rules("Organization").Properties["connections"]
	before, after := keyed(rule, diff.before["connections"]), keyed(rule, diff.after["connections"])
	strategies, _ := o.Spec[connectionStrategies].(map[string]any)
	var steps []Step
	for _, name := range order(rule, diff.before["connections"], diff.after["connections"]) {
		was, is := before[name], after[name]
		had, _ := was.(map[string]any)
		element, _ := is.(map[string]any)
		s := newStep(d, o, "connection-"+name, Update, "")
		s.Keeps = diff.keeps
		path := []any{organizations.path, o.ID, "enabled_connections"}
		s.Before, s.After = map[string]any{"connections": listed1(was)}, map[string]any{"connections": listed1(is)}
		for _, c := range diff.changes {
			if p := elementPath("connections", rule, name); c.Path == p || strings.HasPrefix(c.Path, p+".") {
				s.Changes = append(s.Changes, c)
			}
		}
		switch {
		case was == nil:
			s.Reason, s.Scopes = "the organization does not have the connection", []string{"create:organization_connections"}
			s.Request = Request{Method: "POST", Path: path, Body: connectionBody(element, strategies[name])}
			s.Merged = map[string][]string{"connections": {name}}
			s.Undo = Undo{Effect: Exact, How: "takes the connection from the organization"}
		case is == nil:
			s.Reason, s.Scopes = "the connection is no longer declared", []string{"delete:organization_connections"}
			s.Request = Request{Method: "DELETE", Path: append(path, had["connection_id"])}
			s.Released = map[string][]string{"connections": {name}}
			s.Undo = Undo{Effect: Exact, How: "gives the connection back to the organization"}
		default:
			s.Reason, s.Scopes = "the organization uses the connection in another way", []string{"update:organization_connections"}
			s.Request = Request{Method: "PATCH", Path: append(path, had["connection_id"]), Body: without(connectionBody(element, strategies[name]), "connection_id")}
			s.Undo = Undo{Effect: Exact, How: "puts the former settings back"}
		}
		steps = append(steps, s)
	}
	return steps
}

// listed1 is the list that holds v, an empty one for nil.
func listed1(v any) []any {
	if v == nil {
		return []any{}
	}
	return []any{v}
}

// partOf compares a field that has requests of its own, want being the declared value as
// the rules tell elements apart.
func partOf(kind, field string, want any, d Desired, o Observed, exclusive bool) difference {
	rule := *schemas.Rules(kind).Properties[field]
	rule.Local = false
	desired := map[string]any{"exclusive": exclusive}
	if _, declared := d.Spec[field]; declared {
		desired[field] = want
	}
	return compareFields(&schemas.Rule{Properties: map[string]*schemas.Rule{field: &rule}}, desired, o.Spec, d.Record.Merged, false)
}

// DeclaredConnections are an organization's connections as a manifest declares them, and
// the names of those to Okta, which no manifest does.
func DeclaredConnections(o Observed) (connections []any, okta []string) {
	strategies, _ := o.Spec[connectionStrategies].(map[string]any)
	for _, c := range objects(o.Spec["connections"]) {
		if name := text(c, "connection"); strategies[name] == "okta" {
			okta = append(okta, name)
			continue
		}
		connections = append(connections, without(c, "connection_id"))
	}
	return connections, okta
}
