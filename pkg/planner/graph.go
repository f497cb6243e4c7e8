package planner

import (
	"slices"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// Edges lists, by address, the addresses among rs that each resource needs: those
// that it refers to, those whose objects a value of it names, and those that it must
// come after. Steps are ordered by the same rules.
func Edges(rs []*manifest.Resource) map[string][]string {
	there, named := map[string]bool{}, map[string]string{}
	for _, r := range rs {
		there[r.Address()] = true
		for f, v := range r.Spec {
			if text, ok := v.(string); ok {
				named[r.Kind+"."+f+"="+text] = r.Address()
			}
		}
	}
	out := map[string][]string{}
	for _, r := range rs {
		needs := slices.Concat(manifest.Refs(r.Spec), r.Meta.After, namedBy(schemas.Rules(r.Kind), r.Spec, named))
		needs = slices.DeleteFunc(needs, func(a string) bool { return !there[a] || a == r.Address() })
		slices.Sort(needs)
		out[r.Address()] = slices.Compact(needs)
	}
	return out
}
