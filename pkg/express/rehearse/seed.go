package rehearse

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// Seed is what a stage holds at first, by collection, in the format of the simulator's
// seeds (docs/simulator.md).
type Seed map[string]any

// Before is a tenant that has what resources take for granted, and nothing else: the
// plan for it is the whole set-up.
func Before(rs []*manifest.Resource) Seed {
	var clients, roles, apis []any
	for _, r := range rs {
		if !r.Meta.Existing {
			continue
		}
		o := object{}
		for _, f := range []string{"client_id", "name", "identifier"} {
			if s, ok := reveal(r.Spec[f], r.Secrets).(string); ok {
				o[f] = s
			}
		}
		switch r.Kind {
		case "Client":
			if o["name"] == nil {
				o["name"] = r.Name
			}
			o["app_type"], o["organization_usage"], o["oidc_conformant"] = "regular_web", "allow", true
			clients = append(clients, o)
		case "Role":
			roles = append(roles, o)
		case "ResourceServer":
			apis = append(apis, o)
		}
	}
	return Seed{"clients": clients, "roles": roles, "resource_servers": apis}
}

func reveal(v any, secrets map[string]string) any {
	if path, ok := manifest.AsSecret(v); ok {
		return secrets[path]
	}
	return v
}

// Values are the values of Actions' secrets, which nobody can read back from a tenant.
type Values struct {
	// Given are those that were given for the rehearsal, by name.
	Given map[string]string
	// Names, if not nil, takes the names of all secrets that the Actions have.
	Names map[string]bool
	// Notes say which values stand in for which secrets.
	Notes []string
}

// there takes note of a secret that an Action has.
func (v *Values) there(name string) {
	if v.Names != nil {
		v.Names[name] = true
	}
}

// AsIs is a tenant as it was read: its set-up, the Actions in its login flow as they are
// deployed, and its settings.
func AsIs(s express.Setup, st *express.State, v *Values) Seed {
	var apis, roles, clients, grants, actions, flow []any
	defined := map[string]bool{}
	if api := st.Found(s.API); api.Exists {
		apis = append(apis, api.Object)
		for _, scope := range objects(api.Object["scopes"]) {
			defined[str(scope, "value")] = true
		}
	}
	if role := st.Found(s.Role); role.Exists {
		o := object{"id": role.ID, "name": role.Object["name"], "description": role.Object["description"]}
		var permissions []any
		for _, p := range objects(role.Spec["permissions"]) {
			if s.API != nil && p["resource_server_identifier"] == s.API.Spec["identifier"] && defined[str(p, "permission_name")] {
				permissions = append(permissions, p)
			}
		}
		o["permissions"] = permissions
		roles = append(roles, o)
	}
	seen := map[string]bool{}
	for i, app := range s.Apps {
		for _, r := range []*manifest.Resource{app.App, app.Client} {
			if c := st.Found(r); c.Exists && !seen[c.ID] {
				seen[c.ID] = true
				clients = append(clients, bare(c.Object))
			}
		}
		if g := st.Found(app.Grant); g.Exists {
			grants = append(grants, g.Object)
		}
		for _, g := range st.Apps[i].UserGrants {
			grants = append(grants, g)
		}
	}
	declared := map[string]*manifest.Resource{}
	for _, app := range s.Apps {
		if id := st.Found(app.Action).ID; id != "" {
			declared[id] = app.Action
		}
	}
	for _, b := range st.Flow {
		bound, _ := b["action"].(object)
		id := str(bound, "id")
		a := st.Actions[id]
		if a == nil {
			continue
		}
		actions = append(actions, deployedAction(id, a, declared[id], st, v))
		flow = append(flow, object{"action": id, "display_name": b["display_name"]})
	}
	return Seed{
		"resource_servers": apis, "roles": roles, "clients": clients, "client_grants": grants, "actions": actions,
		"bindings": object{"post-login": flow}, "tenant": st.Settings,
	}
}

// bare is a client without what only the real tenant can know.
func bare(c object) object {
	o := maps.Clone(c)
	for _, f := range []string{"client_authentication_methods", "client_secret", "signing_keys", "tenant", "global"} {
		delete(o, f)
	}
	return o
}

// deployedAction is an Action with the code that runs, and values for its secrets: the
// declared ones where r declares them, those given, else stand-ins.
func deployedAction(id string, a object, r *manifest.Resource, st *express.State, v *Values) object {
	version, _ := a["deployed_version"].(object)
	code := str(version, "code")
	if code == "" {
		code = str(a, "code")
	}
	list := objects(version["secrets"])
	if version["secrets"] == nil {
		list = objects(a["secrets"])
	}
	var secrets []any
	var standIns, taken []string
	for _, s := range list {
		name := str(s, "name")
		v.there(name)
		value, given := v.Given[name]
		if r != nil && !given {
			spec, _ := r.Spec["secrets"].(object)
			value, given = reveal(st.Resolve(spec[name]), r.Secrets).(string)
			if given {
				taken = append(taken, name)
			}
		}
		if !given {
			value = "stand-in-for-" + name
			standIns = append(standIns, name)
		}
		secrets = append(secrets, object{"name": name, "value": value})
	}
	if len(taken) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("Nobody can read back %s of the Action %s: the declared values are used.", strings.Join(taken, ", "), str(a, "name")))
	}
	if len(standIns) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("Nobody can read back %s of the Action %s: stand-ins are used. Give the values with --secret NAME=VALUE where they matter.", strings.Join(standIns, ", "), str(a, "name")))
	}
	return object{"id": id, "name": a["name"], "supported_triggers": a["supported_triggers"], "runtime": a["runtime"], "code": code, "secrets": secrets, "deployed": true}
}

// StandIn fills in the sensitive values that are not at hand, and notes which. The
// resources are not changed.
func StandIn(rs []*manifest.Resource, v *Values) (filled []*manifest.Resource) {
	for _, r := range rs {
		if own, ok := r.Spec["secrets"].(object); ok && r.Kind == "Action" {
			for name := range own {
				v.there(name)
			}
		}
		var missing []string
		secrets := maps.Clone(r.Secrets)
		if secrets == nil {
			secrets = map[string]string{}
		}
		manifest.Walk(r.Spec, func(value any) {
			path, ok := manifest.AsSecret(value)
			if _, known := secrets[path]; !ok || known {
				return
			}
			name := path[strings.LastIndexByte(path, '.')+1:]
			if value, ok := v.Given[name]; ok {
				secrets[path] = value
				return
			}
			secrets[path] = "stand-in-for-" + name
			missing = append(missing, path)
		})
		c := *r
		c.Secrets = secrets
		filled = append(filled, &c)
		if len(missing) > 0 {
			slices.Sort(missing)
			v.Notes = append(v.Notes, fmt.Sprintf("%s: %s is not at hand; a stand-in is used.", r.Address(), strings.Join(missing, ", ")))
		}
	}
	return filled
}
