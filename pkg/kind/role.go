package kind

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// Role is a role with its permissions (facts §3.2). It is found by its name, which
// is unique on a tenant. Permissions are a shared collection: they are added and
// taken away one by one, by requests of their own.
var roles = collectionOf{
	path: "roles", id: "id", title: "the role",
	scopes: Scopes{
		Read:   []string{"read:roles"},
		Create: []string{"create:roles"},
		Update: []string{"update:roles"},
		Delete: []string{"delete:roles"},
	},
}

func role() *Kind {
	return &Kind{
		Name: "Role", Rank: 20, Scopes: roles.scopes, List: roles.all("roles"), Line: roleLine,
		Observe: observeRole, Losses: roleLosses,
		Steps: roleSteps, Notices: narrowedRole,
		Delete: func(d Desired, o Observed) ([]Step, error) {
			return []Step{roles.deleteStep(d, o, Undo{
				Effect: NewID, How: "creates the role again, under another id", Lost: []string{"users who had it, if any, don't get it back"},
			})}, nil
		},
	}
}

func observeRole(d Desired, v *View) (Observed, error) {
	name, ok := known(d.Spec, "name")
	if !ok {
		return Observed{Pending: d.Waiting}, nil
	}
	names := []string{name}
	if d.Meta.RenamedFrom != "" {
		names = append(names, d.Meta.RenamedFrom)
	}
	found, ok := findByName(v, names, func(n string) Read { return roleRead(d, v, n) })
	if !ok {
		return Observed{Pending: true}, nil
	}
	found = filter(found, func(r map[string]any) bool { return text(r, "type") != "organization" })
	if len(found) == 0 {
		return Observed{}, nil
	}
	obj := found[0]
	id := text(obj, "id")
	spec := map[string]any{"name": obj["name"], "description": obj["description"]}
	if _, declared := d.Spec["permissions"]; declared || len(d.Record.Merged["permissions"]) > 0 {
		items, ok := v.Get(Read{Path: "roles/" + url.PathEscape(id) + "/permissions", List: "permissions", Scopes: roles.scopes.Read, For: d.Address()})
		if !ok {
			return Observed{Pending: true}, nil
		}
		permissions := []any{}
		for _, p := range objects(items) {
			permissions = append(permissions, permission(p))
		}
		spec["permissions"] = permissions
	}
	return Observed{Exists: true, ID: id, Object: obj, Spec: spec}, nil
}

// roleRead finds the role called name, among others perhaps.
func roleRead(d Desired, v *View, name string) Read {
	r := Read{Path: "roles", List: "roles", Scopes: roles.scopes.Read, For: d.Address()}
	if !v.Many("Role") {
		// Whether the filter is exact is UNCONFIRMED (facts §3.2): names are compared here.
		r.Query = url.Values{"name_filter": {name}}.Encode()
	}
	return r
}

// roleLine passes over the roles of single organizations.
func roleLine(r map[string]any) string {
	if text(r, "type") == "organization" {
		return ""
	}
	return text(r, "name")
}

// permission keeps what identifies a permission; the rest comes from the API.
func permission(p map[string]any) any {
	return map[string]any{"resource_server_identifier": p["resource_server_identifier"], "permission_name": p["permission_name"]}
}

func roleSteps(d Desired, o Observed) ([]Step, error) {
	var steps []Step
	if !o.Exists {
		steps = append(steps, roles.createStep(d, body(d)))
	} else if diff := compare(d, o); len(diff.changes) > 0 {
		steps = append(steps, roles.updateStep(d, o, diff, roles.path, o.ID))
	}
	diff := comparePermissions(d, o)
	if len(diff.changes) == 0 {
		return steps, nil
	}
	rule := permissionRules().Properties["permissions"]
	before, after := keyed(rule, diff.before["permissions"]), keyed(rule, diff.after["permissions"])
	write := func(part, method string, from, to map[string]any, add bool) {
		var list []any
		var names []string
		for _, k := range manifest.Keys(from) {
			if _, both := to[k]; !both {
				list, names = append(list, from[k]), append(names, k)
			}
		}
		if len(list) == 0 {
			return
		}
		s := newStep(d, o, part, Update, reasonDiffers)
		s.Request = Request{Method: method, Path: []any{roles.path, self(d, o, "id"), "permissions"}, Body: map[string]any{"permissions": list}}
		s.Scopes = roles.scopes.Update
		s.Keeps = diff.keeps
		for _, c := range diff.changes {
			if (c.Op == "add") == add {
				s.Changes = append(s.Changes, c)
			}
		}
		if add {
			s.Reason = "the role lacks " + plural(len(list), "a declared permission", "declared permissions")
			s.Before, s.After = map[string]any{"permissions": []any{}}, map[string]any{"permissions": list}
			s.Merged = map[string][]string{"permissions": names}
			s.Undo = Undo{Effect: Exact, How: "takes the " + plural(len(list), "permission", "permissions") + " from the role"}
		} else {
			s.Reason = "the role has " + plural(len(list), "a permission that is", "permissions that are") + " no longer declared"
			s.Before, s.After = map[string]any{"permissions": list}, map[string]any{"permissions": []any{}}
			s.Released = map[string][]string{"permissions": names}
			s.Undo = Undo{Effect: Exact, How: "gives the " + plural(len(list), "permission", "permissions") + " back to the role"}
		}
		steps = append(steps, s)
	}
	write("permissions", "POST", after, before, true)
	write("permissions-removed", "DELETE", before, after, false)
	return steps, nil
}

func comparePermissions(d Desired, o Observed) difference {
	return compareFields(permissionRules(), map[string]any{"permissions": d.Spec["permissions"], "exclusive": d.Spec["exclusive"]}, o.Spec, d.Record.Merged, false)
}

// narrowedRole tells of permissions that a role, and all who hold it, lose.
func narrowedRole(d Desired, o Observed) []Notice {
	if !o.Exists || d.Removing {
		return nil
	}
	var less []string
	for _, c := range comparePermissions(d, o).changes {
		if c.Op == "remove" {
			less = append(less, strings.TrimSuffix(strings.TrimPrefix(c.Path, "permissions["), "]"))
		}
	}
	if len(less) == 0 {
		return nil
	}
	return []Notice{{
		ID: "role-narrowed", Address: d.Address(), Level: Info,
		Summary: fmt.Sprintf("The role %s loses permissions: %s", text(o.Spec, "name"), strings.Join(less, ", ")),
		Detail:  "Everybody who holds the role loses them. Tokens that were issued before keep them until they end.",
	}}
}

// permissionRules are the compare rules of the part of a role that has requests of its own.
func permissionRules() *schemas.Rule {
	p := *schemas.Rules("Role").Properties["permissions"]
	p.Local = false
	return &schemas.Rule{Properties: map[string]*schemas.Rule{"permissions": &p}}
}
