package manifest

import (
	"cmp"
	"fmt"
)

// KindRollout is the kind of the documents that say in which order tenants are changed.
const KindRollout = "Rollout"

// What must be true before the wave after a wave begins.
const (
	CheckVerify  = "verify"  // the tenants are as declared
	CheckConfirm = "confirm" // somebody says so
	CheckNone    = "none"
)

// What is taken back when a rollout fails.
const (
	RollbackTenant  = "tenant"  // the tenants that failed
	RollbackWave    = "wave"    // all tenants of the failed wave
	RollbackAll     = "all"     // every wave so far
	RollbackNothing = "nothing" // not even the tenants that failed
)

// Rollout says in which order tenants are changed, and what happens when some fail.
type Rollout struct {
	Name  string
	Waves []Wave
	// MaxFailures is how many tenants may fail before no more are begun.
	MaxFailures int
	// Rollback is one of the words above.
	Rollback string
	Pos      Position
}

// Wave is some tenants that are changed side by side.
type Wave struct {
	Name string
	// Tenants picks them from those that no earlier wave has; Limit bounds how many, 0
	// does not.
	Tenants Selector
	Limit   int
	// Check is one of the words above.
	Check string
}

// Rollouts lists the declared rollouts in the order in which they stand.
func (s *Set) Rollouts() []Rollout {
	var out []Rollout
	for _, d := range s.docs {
		if d.kind != KindRollout || d.name == "" {
			continue
		}
		r := Rollout{Name: d.name, Pos: d.pos}
		check, _ := d.spec["check"].(string)
		r.Rollback, _ = d.spec["rollback"].(string)
		r.Rollback = cmp.Or(r.Rollback, RollbackTenant)
		most, _ := d.spec["max_failures"].(float64)
		r.MaxFailures = int(most)
		waves, _ := d.spec["waves"].([]any)
		for _, e := range waves {
			m, _ := e.(map[string]any)
			w := Wave{Tenants: selectorOf(m["tenants"])}
			w.Name, _ = m["name"].(string)
			limit, _ := m["limit"].(float64)
			w.Limit = int(limit)
			w.Check, _ = m["check"].(string)
			w.Check = cmp.Or(w.Check, check, CheckVerify)
			r.Waves = append(r.Waves, w)
		}
		out = append(out, r)
	}
	return out
}

// checkRollouts reports waves of one name, and waves that no tenant belongs to.
func (s *Set) checkRollouts() Diagnostics {
	var ds Diagnostics
	for _, d := range s.docs {
		if d.kind != KindRollout {
			continue
		}
		seen := map[string]bool{}
		waves, _ := d.spec["waves"].([]any)
		for i, e := range waves {
			m, _ := e.(map[string]any)
			at := fmt.Sprintf("spec.waves[%d]", i)
			name, _ := m["name"].(string)
			if seen[name] {
				ds = append(ds, Diagnostic{
					Severity: Error, Pos: d.at(at + ".name"), Address: d.address(), Path: at + ".name",
					Summary: "there are two waves " + quoted(name), Detail: "Give each its own name.",
				})
			}
			seen[name] = true
			if by := selectorOf(m["tenants"]); len(s.tenants) > 0 && !s.picks(by) {
				ds = append(ds, nobody(d, at+".tenants", by))
			}
		}
	}
	return ds
}
