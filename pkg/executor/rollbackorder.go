package executor

import (
	"slices"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// relate tells which objects refer to which. Steps that delete need those that delete
// what refers to them; all others need those that bring about what they refer to.
func (b *back) relate() {
	steps := map[string]kind.Step{}
	for _, s := range b.Plan.Steps {
		steps[s.ID] = s
	}
	var done []kind.Step
	for _, a := range b.order {
		done = append(done, b.done[a]...)
	}
	b.needs, b.after = planner.References(done), map[string][]string{}
	for _, s := range b.Plan.Steps {
		for _, n := range s.Needs {
			t := steps[n]
			if t.Address == s.Address {
				continue
			}
			if s.Guard != nil && t.Guard != nil && s.Guard.Read.Key() == t.Guard.Read.Key() {
				b.after[t.Address] = append(b.after[t.Address], s.Address) // the last one goes first
				continue
			}
			from, to := s.Address, t.Address
			if b.has(s.Address, func(s kind.Step) bool { return s.Removed() }) {
				from, to = to, from
			}
			b.needs[from] = append(b.needs[from], to)
		}
	}
}

// has says whether one of the done steps on an address is of a sort.
func (b *back) has(address string, sort func(kind.Step) bool) bool {
	return slices.ContainsFunc(b.done[address], sort)
}

// keepWhatIsNeeded leaves alone what something refers to that is left alone: deleting
// it would break the other.
func (b *back) keepWhatIsNeeded() {
	for again := true; again; {
		again = false
		for _, a := range b.order {
			if !b.left[a] {
				continue
			}
			for _, n := range b.needs[a] {
				made := slices.ContainsFunc(b.revert[n], func(s kind.Step) bool { return s.Made() })
				if made && !b.left[n] {
					delete(b.revert, n)
					b.leave(Left{Address: n, Step: n, Why: a + ", which is left alone, needs it"})
					again = true
				}
			}
		}
	}
}

// arrange puts the addresses in an order in which they can be taken back: what is
// deleted goes after all that refers to it, anything else comes before.
func (b *back) arrange() {
	made := func(s kind.Step) bool { return s.Made() }
	for _, from := range manifest.Keys(b.needs) {
		for _, to := range b.needs[from] {
			// What the run made goes before what it relied on is as it was.
			if slices.ContainsFunc(b.revert[to], made) || slices.ContainsFunc(b.revert[from], made) {
				b.after[to] = append(b.after[to], from)
			} else {
				b.after[from] = append(b.after[from], to)
			}
		}
	}
	rest, out := slices.Clone(b.order), make([]string, 0, len(b.order))
	for len(rest) > 0 {
		next := 0 // should there be a circle, the order stays as it was
		for i, a := range rest {
			if !slices.ContainsFunc(rest, func(other string) bool { return b.waits(a, other) }) {
				next = i
				break
			}
		}
		out = append(out, rest[next])
		rest = slices.Delete(rest, next, next+1)
	}
	b.order = out
}

// waits says whether an address must be taken back after another one.
func (b *back) waits(address, other string) bool {
	seen := map[string]bool{}
	var visit func(a string) bool
	visit = func(a string) bool {
		if a == other {
			return true
		}
		if seen[a] {
			return false
		}
		seen[a] = true
		return slices.ContainsFunc(b.after[a], visit)
	}
	return address != other && visit(address)
}
