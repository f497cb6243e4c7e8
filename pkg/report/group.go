package report

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/ecplan/ecplan/pkg/planner"
)

// group is the tenants that one section shows.
type group struct {
	tenants  []int // indexes in the plan
	sections []section
	rank     int
}

// grouped puts tenants with the same steps together, those with trouble first. Where
// a value holds the tenant's own domain, the domain does not count as a difference.
func grouped(p *planner.Plan, lim limits) []group {
	at := map[string]int{}
	var out []group
	for i := range p.Tenants {
		t := &p.Tenants[i]
		s := planSection(t, lim, len(p.Tenants) > 1 && !spellsVariable(t))
		key := planner.Digest(s.shape())
		j, ok := at[key]
		if !ok {
			j = len(out)
			at[key] = j
			out = append(out, group{rank: rank(s.Class)})
		}
		out[j].tenants = append(out[j].tenants, i)
		out[j].sections = append(out[j].sections, s)
	}
	for i, g := range out {
		if len(g.tenants) == 1 && len(p.Tenants) > 1 { // nothing to compare: the values as they are
			out[i].sections[0] = planSection(&p.Tenants[g.tenants[0]], lim, false)
		}
	}
	slices.SortStableFunc(out, func(a, b group) int { return a.rank - b.rank })
	return out
}

// spellsVariable reports whether a value has the variable's own text in it, which
// then could not be told from the domain.
func spellsVariable(t *planner.TenantPlan) bool {
	b, err := json.Marshal(t)
	return err != nil || strings.Contains(string(b), domainVariable)
}

// number writes "(sensitive #1)" where values left the identity of a sensitive
// value, the same number for the same value throughout.
func number(sections []section) {
	numbers := map[string]int{}
	for i := range sections {
		replace := func(s string) string {
			parts := strings.Split(s, secretMark)
			for k := 1; k < len(parts); k += 2 {
				id := strconv.Itoa(i) + " " + parts[k]
				if numbers[id] == 0 {
					numbers[id] = len(numbers) + 1
				}
				parts[k] = "(sensitive #" + strconv.Itoa(numbers[id]) + ")"
			}
			return strings.Join(parts, "")
		}
		for j := range sections[i].Cards {
			lines := sections[i].Cards[j].Lines
			for k := range lines {
				lines[k].Text = replace(lines[k].Text)
			}
		}
	}
}
