package fleet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Wave is some tenants that are changed side by side.
type Wave struct {
	Name string
	// Tenants are names, sorted.
	Tenants []string
	// Check is what must hold before the next wave begins: a word of manifest's.
	Check string
}

// Order puts tenants into the waves of a rollout: each into the first that picks it.
// Waves without tenants are left out. A tenant that no wave picks is an error.
func Order(r manifest.Rollout, tenants []manifest.TenantInfo) ([]Wave, error) {
	left := slices.Clone(tenants)
	slices.SortFunc(left, func(a, b manifest.TenantInfo) int { return strings.Compare(a.Name, b.Name) })
	var out []Wave
	for _, w := range r.Waves {
		wave := Wave{Name: w.Name, Check: w.Check}
		left = slices.DeleteFunc(left, func(t manifest.TenantInfo) bool {
			if w.Limit > 0 && len(wave.Tenants) == w.Limit || !w.Tenants.Matches(t) {
				return false
			}
			wave.Tenants = append(wave.Tenants, t.Name)
			return true
		})
		if len(wave.Tenants) > 0 {
			out = append(out, wave)
		}
	}
	if len(left) == 0 {
		return out, nil
	}
	names := make([]string, len(left))
	for i, t := range left {
		names[i] = t.Name
	}
	return nil, fmt.Errorf("no wave of the Rollout %s (%s) takes %s; nothing was changed. Add a last wave without tenants: it takes all that are left",
		r.Name, r.Pos, strings.Join(names, ", "))
}

// OneWave is the order without a rollout: all tenants side by side.
func OneWave(tenants []manifest.TenantInfo) []Wave {
	w := Wave{Name: "all", Check: manifest.CheckNone}
	for _, t := range tenants {
		w.Tenants = append(w.Tenants, t.Name)
	}
	slices.Sort(w.Tenants)
	return []Wave{w}
}
