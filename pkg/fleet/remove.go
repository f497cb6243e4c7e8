package fleet

import (
	"slices"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/schemas"
)

// orphans returns, as resources, the objects that runs created on the tenant and that
// the manifests do not declare any more. Without a record there are none.
func (t *Target) orphans(runs []*journal.Log, records map[string]kind.Record) ([]*manifest.Resource, error) {
	declared := map[string]bool{}
	for _, r := range t.Resources {
		declared[r.Address()] = true
		for _, a := range r.Meta.Formerly {
			declared[a] = true
		}
	}
	var wanted []string
	for _, a := range manifest.Keys(records) {
		if records[a].Created && !declared[a] {
			wanted = append(wanted, a)
		}
	}
	kinds := kind.All()
	var out []*manifest.Resource
	for _, l := range slices.Backward(runs) {
		if len(wanted) == 0 {
			break
		}
		past, err := executor.Load(t.Store, l.Header.Run)
		if err != nil {
			return nil, err
		}
		wanted = slices.DeleteFunc(wanted, func(a string) bool {
			steps := past.Of(a)
			if len(steps) == 0 || kinds[steps[0].Kind()] == nil {
				return false
			}
			d := kinds[steps[0].Kind()].Again(steps, records[a].ID)
			d.Resource.Spec = d.Spec
			out = append(out, d.Resource)
			return true
		})
	}
	return out, nil
}

// destroy turns the input into one that removes what runs created. Of what was on the
// tenant before, only what runs added is taken out again.
func (t *Target) destroy(in *planner.Input) {
	var stay []*manifest.Resource
	for _, r := range in.Resources {
		switch {
		case created(in.Records, r):
			in.Remove = append(in.Remove, r)
		case r.Meta.Existing && r.Kind == "Client":
			stay = append(stay, r) // the application itself: others refer to it
		default:
			bare := *r
			bare.Spec = map[string]any{}
			for f, v := range r.Spec {
				if rule := schemas.Rules(r.Kind).Properties[f]; rule != nil && (rule.Identity || rule.Immutable) {
					bare.Spec[f] = v
				}
			}
			bare.Meta.Existing = false
			stay = append(stay, &bare)
		}
	}
	in.Resources, in.NoCreate = stay, true
}

func created(records map[string]kind.Record, r *manifest.Resource) bool {
	for _, a := range append([]string{r.Address()}, r.Meta.Formerly...) {
		if records[a].Created {
			return true
		}
	}
	return false
}
