package planner

import (
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

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
					s.Undo = kind.Undo{Effect: kind.None, How: "it belongs to " + owner + ", which is gone for good"}
				}
			})
			if s.Undo.Effect == kind.None && s.ObjectID != "" {
				lost[s.ObjectID], again = s.Address, true
			}
		}
	}
}
