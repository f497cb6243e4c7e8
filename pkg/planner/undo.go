package planner

import (
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// References tells which of the objects that steps are about each address's steps
// name by a value, as a permission names an API by its identifier: before or after.
func References(steps []kind.Step) map[string][]string {
	named := named(steps)
	out := map[string][]string{}
	for _, s := range steps {
		for _, values := range []map[string]any{s.Before, s.After} {
			for _, a := range namedBy(schemas.Rules(s.Kind()), values, named) {
				if a != s.Address {
					out[s.Address] = append(out[s.Address], a)
				}
			}
		}
	}
	return out
}

// named maps "ResourceServer.identifier=https://…" to the address of the steps on it.
func named(steps []kind.Step) map[string]string {
	out := map[string]string{}
	for _, s := range steps {
		for f, v := range s.Key {
			if text, ok := v.(string); ok {
				out[s.Kind()+"."+f+"="+text] = s.Address
			}
		}
	}
	return out
}

// MarkLost corrects what a plan says of undoing deletions: an object that names another
// one which goes for good in the same plan, as a grant names its client, can't come
// back either.
func MarkLost(steps []kind.Step) {
	lost := map[string]string{} // address by the id that goes for good
	for _, s := range steps {
		if s.Removed() && s.Undo.Effect == kind.None && s.ObjectID != "" {
			lost[s.ObjectID] = s.Address
		}
	}
	for again := true; again; {
		again = false
		for i := range steps {
			s := &steps[i]
			if !s.Removed() || s.Undo.Effect == kind.None {
				continue
			}
			manifest.Walk(s.Before, func(v any) {
				id, ok := v.(string)
				if owner := lost[id]; ok && owner != "" && owner != s.Address && s.Undo.Effect != kind.None {
					s.Undo = kind.Undo{Effect: kind.None, How: "it belongs to " + owner + ", which is gone for good", With: owner}
				}
			})
			if s.Undo.Effect == kind.None && s.ObjectID != "" {
				lost[s.ObjectID], again = s.Address, true
			}
		}
	}
}
