package planner

import (
	"maps"
	"slices"
	"sort"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// link completes what each step needs: the steps that make what its request refers
// to, the steps on objects that its values name, and what resources ask for.
func link(steps []kind.Step, states []*state) {
	exists := map[string]bool{}
	byAddress := map[string][]string{}
	for _, s := range steps {
		exists[s.ID] = true
		if !s.Removed() { // that one waits for those who need the object: linkRemovals
			byAddress[s.Address] = append(byAddress[s.Address], s.ID)
		}
	}
	named := namedObjects(states)
	after := map[string][]string{}
	for _, st := range states {
		after[st.desired.Address()] = st.desired.Meta.After
	}
	for i := range steps {
		s := &steps[i]
		needs := slices.Clone(s.Needs)
		needs = append(needs, manifest.Refs([]any{s.Request.Path, s.Request.Body})...)
		if s.Guard != nil {
			needs = append(needs, manifest.Refs(s.Guard.Want)...)
		}
		for _, a := range namedBy(schemas.Rules(s.Kind()), s.After, named) {
			if a != s.Address {
				needs = append(needs, byAddress[a]...)
			}
		}
		for _, a := range after[s.Address] {
			needs = append(needs, byAddress[a]...)
		}
		needs = slices.DeleteFunc(needs, func(id string) bool { return !exists[id] || id == s.ID })
		sort.Strings(needs)
		s.Needs = slices.Compact(needs)
	}
}

// irreversibleLast makes a deletion that nobody can take back, of a former key or of a
// client, wait for all that does not wait for it: a run that fails before can be taken
// back whole.
func irreversibleLast(steps []kind.Step) {
	late := map[string]bool{} // such a deletion, or waits for one
	for i := range steps {
		late[steps[i].ID] = steps[i].Action == kind.Delete && steps[i].Undo.Effect == kind.None
	}
	last := maps.Clone(late)
	for again := true; again; {
		again = false
		for _, s := range steps {
			if !late[s.ID] && slices.ContainsFunc(s.Needs, func(id string) bool { return late[id] }) {
				late[s.ID], again = true, true
			}
		}
	}
	before := map[string]bool{} // all others, but those that another one waits for
	for _, s := range steps {
		before[s.ID] = !late[s.ID]
	}
	for _, s := range steps {
		for _, id := range s.Needs {
			before[id] = before[id] && late[s.ID]
		}
	}
	for i := range steps {
		if !last[steps[i].ID] {
			continue
		}
		for _, s := range steps {
			if before[s.ID] {
				steps[i].Needs = append(steps[i].Needs, s.ID)
			}
		}
		slices.Sort(steps[i].Needs)
		steps[i].Needs = slices.Compact(steps[i].Needs)
	}
}

// namedObjects maps "ResourceServer.identifier=https://…" to the address that declares it;
// if none does, to the one under which it goes.
func namedObjects(states []*state) map[string]string {
	out := map[string]string{}
	for _, removing := range []bool{true, false} {
		for _, s := range states {
			for f, v := range s.desired.Spec {
				if text, ok := v.(string); ok && s.desired.Removing == removing {
					out[s.desired.Kind+"."+f+"="+text] = s.desired.Address()
				}
			}
		}
	}
	return out
}

// namedBy lists the addresses that v's values name where the schema says that they
// are references: a literal identifier is as good a reference as ${…}.
func namedBy(rule *schemas.Rule, v any, named map[string]string) []string {
	if rule == nil {
		return nil
	}
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for _, k := range manifest.Keys(v) {
			out = append(out, namedBy(rule.Field(k), v[k], named)...)
		}
	case []any:
		for _, e := range v {
			out = append(out, namedBy(rule.Items, e, named)...)
		}
	case string:
		if a, ok := named[rule.Ref+"="+v]; ok && rule.Ref != "" {
			out = append(out, a)
		}
	}
	return out
}

// LetGoFirst makes what changes an object wait for the steps that take references to it
// away. An API that loses a scope may take it from the roles that have it (facts §3.1,
// UNCONFIRMED): of a request that takes it from a role at the same time, nobody could tell
// afterwards whether it was done. In this order it does not matter.
func LetGoFirst(steps []kind.Step) {
	named := named(steps)
	changes := map[string][]int{}
	for i, s := range steps {
		if s.Action == kind.Update && !s.Made() && !s.Removed() {
			changes[s.Address] = append(changes[s.Address], i)
		}
	}
	for i := range steps {
		s := &steps[i]
		if s.Action != kind.Update {
			continue
		}
		stays := namedBy(schemas.Rules(s.Kind()), s.After, named)
		for _, a := range namedBy(schemas.Rules(s.Kind()), s.Before, named) {
			if a == s.Address || slices.Contains(stays, a) {
				continue
			}
			for _, c := range changes[a] {
				letGo(steps, i, c)
			}
		}
	}
}

// letGo makes the step at change wait for the one at i, which itself stops waiting for it
// and for changes that do. What it can't do without, it goes on waiting for: then the two
// stay as they are.
func letGo(steps []kind.Step, i, change int) {
	at := map[string]int{}
	for j, s := range steps {
		at[s.ID] = j
	}
	seen := map[string]bool{}
	var waits func(id string) bool
	waits = func(id string) bool {
		if _, known := seen[id]; !known {
			seen[id] = id == steps[change].ID // meanwhile, should there be a circle
			seen[id] = seen[id] || slices.ContainsFunc(steps[at[id]].Needs, waits)
		}
		return seen[id]
	}
	var needs []string
	for _, id := range steps[i].Needs {
		switch n := steps[at[id]]; {
		case !waits(id):
			needs = append(needs, id)
		case n.Made() || n.Removed() || n.Guard != nil:
			return
		}
	}
	steps[i].Needs = needs
	if c := &steps[change]; !slices.Contains(c.Needs, steps[i].ID) {
		c.Needs = append(c.Needs, steps[i].ID)
		slices.Sort(c.Needs)
	}
}

// byRank is an order of steps: by the kind's rank, the address, and the order in which the
// kind gave them.
func byRank(steps []kind.Step, states []*state) func(a, b int) bool {
	rank := map[string]int{}
	for _, s := range states {
		if s.kind != nil {
			rank[s.desired.Address()] = s.kind.Rank
		}
	}
	return func(a, b int) bool {
		x, y := steps[a], steps[b]
		if rank[x.Address] != rank[y.Address] {
			return rank[x.Address] < rank[y.Address]
		}
		if x.Address != y.Address {
			return x.Address < y.Address
		}
		return a < b
	}
}

// Sequence puts the steps in an order in which they can run one after the other: what is
// needed first, then as less says of their indexes. Steps that wait for each other are
// left out.
func Sequence(steps []kind.Step, less func(a, b int) bool) []kind.Step {
	index := map[string]int{}
	for i, s := range steps {
		index[s.ID] = i
	}
	waiting := make([]int, len(steps))
	then := make([][]int, len(steps))
	for i, s := range steps {
		waiting[i] = len(s.Needs)
		for _, n := range s.Needs {
			then[index[n]] = append(then[index[n]], i)
		}
	}
	var ready []int
	for i := range steps {
		if waiting[i] == 0 {
			ready = append(ready, i)
		}
	}
	sort.Slice(ready, func(i, j int) bool { return less(ready[i], ready[j]) })
	var out []kind.Step
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		out = append(out, steps[i])
		for _, j := range then[i] {
			if waiting[j]--; waiting[j] == 0 {
				at := sort.Search(len(ready), func(k int) bool { return less(j, ready[k]) })
				ready = slices.Insert(ready, at, j)
			}
		}
	}
	return out
}
