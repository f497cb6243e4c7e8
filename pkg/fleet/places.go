package fleet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/schemas"
)

// Places tells where tenants and the fields of their resources are declared.
type Places struct {
	// resources are by tenant and address; others, by the same, are the places of
	// tenants and of composites.
	resources map[[2]string]*manifest.Resource
	others    map[[2]string]manifest.Position
}

// PlacesOf returns the places of what the targets were made from.
func PlacesOf(ts []*Target) Places {
	p := Places{resources: map[[2]string]*manifest.Resource{}, others: map[[2]string]manifest.Position{}}
	for _, t := range ts {
		p.take(t.Tenant, t.Resources)
	}
	return p
}

func (p Places) take(t *manifest.Tenant, rs []*manifest.Resource) {
	p.others[[2]string{t.Name, "Tenant/" + t.Name}] = t.Pos
	for _, r := range rs {
		p.resources[[2]string{t.Name, r.Address()}] = r
		// A composite is where the first of its parts is declared.
		of := [2]string{t.Name, r.From}
		if at, seen := p.others[of]; r.From != "" && (!seen || r.Pos.Line < at.Line) {
			p.others[of] = r.Pos
		}
	}
}

// ReadPlaces returns the places of what a saved plan was made from. It is an error if the
// manifests are others now, for the lines would not fit. No environment is needed.
func ReadPlaces(set *manifest.Set, saved *planner.Plan, in manifest.Inputs) (Places, error) {
	p := PlacesOf(nil)
	if set.Digest(in.Vars) != saved.ManifestDigest {
		return p, errors.New("these are not the manifests that the plan was made from, so their lines would not fit it. Check out what it was made from and give the same --var, or show the plan without -f")
	}
	in.SyntaxOnly, in.Expand = true, express.Expand
	for _, tp := range saved.Tenants {
		t, rs, ds := set.Prepare(tp.Tenant, in)
		if err := ds.Err(); err != nil {
			return p, err
		}
		p.take(t, rs)
	}
	return p, nil
}

// Of returns the place of the field at path, as a change names it, of a tenant's resource,
// or that of the nearest thing around it that the manifests have; zero if there is none.
func (p Places) Of(tenant, address, path string) manifest.Position {
	if r := p.resources[[2]string{tenant, address}]; r != nil {
		return r.At(written(r, path))
	}
	return p.others[[2]string{tenant, address}]
}

// written translates the path of a change, which names elements of shared lists by their
// keys, to the path in the manifest, which counts them.
func written(r *manifest.Resource, path string) string {
	if trigger, _ := r.Spec["trigger"].(string); trigger != "" && path == trigger+" bindings" {
		return "bind"
	}
	field, rest, keyed := strings.Cut(path, "[")
	elements, _ := r.Spec[field].([]any)
	rule := schemas.Rules(r.Kind).Field(field)
	if !keyed || rule == nil {
		return path
	}
	names := rule.Merge
	if len(names) == 0 {
		names = []string{"name"} // keys are told apart by what they are, and shown by name
	}
	for i, e := range elements {
		m, _ := e.(map[string]any)
		parts := make([]string, len(names))
		for j, n := range names {
			parts[j] = fmt.Sprint(m[n])
		}
		if below, ok := strings.CutPrefix(rest, strings.Join(parts, " ")+"]"); ok {
			return fmt.Sprintf("%s[%d]%s", field, i, below)
		}
	}
	return field
}
