package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// group is the tenants that one section shows.
type group struct {
	tenants  []int // indexes in the plan
	sections []section
	rank     int
}

// common is what is told of all tenants together, so that no section repeats it.
type common struct {
	lead    bool
	notices map[string]bool // by noticeKey
}

// grouped puts tenants with the same steps together, those with trouble first. Where
// a value holds the tenant's own domain, the domain does not count as a difference.
// Notices that tenants of several groups have in common are returned apart.
func grouped(p *planner.Plan, lim limits, lead bool) ([]group, []card) {
	generic := make([]bool, len(p.Tenants))
	heard := map[string][]int{} // by notice: the tenants that have it
	for i := range p.Tenants {
		t := &p.Tenants[i]
		generic[i] = len(p.Tenants) > 1 && !spellsVariable(t)
		for _, n := range t.Notices {
			if key := noticeKey(t, n); t.Error == "" && !slices.Contains(heard[key], i) {
				heard[key] = append(heard[key], i)
			}
		}
	}
	told := common{lead: lead, notices: map[string]bool{}}
	for key, tenants := range heard {
		told.notices[key] = len(tenants) > 1
	}
	groups, again := alike(p, lim, generic, told), false
	for _, g := range groups { // what a single group has stays with it
		for key, tenants := range heard {
			if told.notices[key] && slices.Equal(tenants, g.tenants) {
				told.notices[key], again = false, true
			}
		}
	}
	if again {
		groups = alike(p, lim, generic, told)
	}
	for i, g := range groups {
		if len(g.tenants) == 1 && len(p.Tenants) > 1 { // nothing to compare: the values as they are
			groups[i].sections[0] = planSection(&p.Tenants[g.tenants[0]], lim, false, told)
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int { return a.rank - b.rank })
	return groups, commonNotices(p, lim, generic, heard, told)
}

// alike makes the groups.
func alike(p *planner.Plan, lim limits, generic []bool, told common) []group {
	at := map[string]int{}
	var out []group
	for i := range p.Tenants {
		t := &p.Tenants[i]
		s := planSection(t, lim, generic[i], told)
		key := planner.Digest([]any{s.shape(), tallyOf(t).risks()})
		j, ok := at[key]
		if !ok {
			j = len(out)
			at[key] = j
			out = append(out, group{rank: rank(s.Class)})
		}
		out[j].tenants = append(out[j].tenants, i)
		out[j].sections = append(out[j].sections, s)
	}
	return out
}

// noticeKey is the same for notices that say the same of their tenants.
func noticeKey(t *planner.TenantPlan, n kind.Notice) string {
	v := valuesOf(t, limits{}, true)
	return planner.Digest([]string{n.ID, n.Address, n.Level, v.generic(n.Summary), v.generic(n.Detail), n.Acknowledged})
}

// commonNotices are those of told, most urgent first, each with the tenants that have it.
func commonNotices(p *planner.Plan, lim limits, generic []bool, heard map[string][]int, told common) []card {
	type common struct {
		notice  kind.Notice
		tenants []int
		card    card
	}
	var all []common
	planned := 0
	for i := range p.Tenants {
		t := &p.Tenants[i]
		if t.Error == "" {
			planned++
		}
		v := valuesOf(t, lim, generic[i])
		for _, n := range t.Notices {
			key := noticeKey(t, n)
			if tenants := heard[key]; told.notices[key] && tenants[0] == i {
				told.notices[key] = false // once is enough
				all = append(all, common{n, tenants, v.notice(n)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b common) int {
		return cmp.Or(cmp.Compare(urgency(a.notice), urgency(b.notice)), cmp.Compare(len(b.tenants), len(a.tenants)))
	})
	var out []card
	for _, c := range all {
		on := "all of them"
		if planned < len(p.Tenants) {
			on = "all that have a plan"
		}
		if len(c.tenants) < planned {
			names := make([]string, len(c.tenants))
			for i, t := range c.tenants {
				names[i] = short(p.Tenants[t].Tenant, maxName)
			}
			on = count(len(names), "tenant") + ": " + some(names, 12)
		}
		c.card.Lines = append(c.card.Lines, line{Label: "on", Text: on, Class: meta})
		out = append(out, c.card)
	}
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
