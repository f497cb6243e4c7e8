package kind

import (
	"net/url"
	"strings"
)

// ResourceServer is an API with its scopes (facts §3.1). It is found by its
// identifier, which paths take in place of the id.
var resourceServers = collectionOf{
	path: "resource-servers", id: "id", title: "the API",
	scopes: Scopes{
		Read:   []string{"read:resource_servers"},
		Create: []string{"create:resource_servers"},
		Update: []string{"update:resource_servers"},
		Delete: []string{"delete:resource_servers"},
	},
}

func resourceServer() *Kind {
	return &Kind{
		Name: "ResourceServer", Rank: 10, Scopes: resourceServers.scopes, List: resourceServers.all("resource_servers"),
		Line:    func(api map[string]any) string { return text(api, "identifier") },
		Observe: observeResourceServer,
		Steps: func(d Desired, o Observed) ([]Step, error) {
			if !o.Exists {
				s := resourceServers.createStep(d, body(d))
				s.Outputs = []string{"id", "identifier"}
				s.Merged = mergedIn(d)
				return []Step{s}, nil
			}
			diff := compare(d, o)
			if len(diff.changes) == 0 {
				return nil, nil
			}
			if system, _ := o.Object["is_system"].(bool); system {
				return nil, &Untouchable{"the API " + text(o.Object, "identifier")}
			}
			s := resourceServers.updateStep(d, o, diff, resourceServers.path, o.ID)
			if gone := removedScopes(diff.changes); len(gone) > 0 { // what becomes of permissions is UNCONFIRMED (facts §3.1)
				s.Undo.lose("roles and users that had a permission on " + listed(gone) + " don't get it back")
			}
			return []Step{s}, nil
		},
		Delete: func(d Desired, o Observed) ([]Step, error) {
			return []Step{resourceServers.deleteStep(d, o, Undo{
				Effect: NewID, How: "creates the API again, under another id",
				Lost: []string{"roles and users that had its permissions, if any, don't get them back, but for roles of the same run"},
			})}, nil
		},
	}
}

func observeResourceServer(d Desired, v *View) (Observed, error) {
	identifier, ok := known(d.Spec, "identifier")
	if !ok {
		return Observed{Pending: d.Waiting}, nil
	}
	var found map[string]any
	if v.Many(d.Kind) {
		items, ok := v.Where(resourceServers.all("resource_servers"), "identifier", identifier)
		if !ok {
			return Observed{Pending: true}, nil
		}
		if len(items) > 0 {
			found = items[0]
		}
	} else {
		obj, ok := v.Object(Read{Path: "resource-servers/" + url.PathEscape(identifier), Scopes: resourceServers.scopes.Read, For: d.Address()})
		if !ok {
			return Observed{Pending: true}, nil
		}
		found = obj
	}
	if found == nil {
		return Observed{}, nil
	}
	return Observed{Exists: true, ID: text(found, "id"), Object: found, Spec: found}, nil
}

// removedScopes lists the scopes that an update takes from an API.
func removedScopes(changes []Change) []string {
	var out []string
	for _, c := range changes {
		if name, is := strings.CutPrefix(c.Path, "scopes["); is && c.Op == "remove" {
			out = append(out, strings.TrimSuffix(name, "]"))
		}
	}
	return out
}
