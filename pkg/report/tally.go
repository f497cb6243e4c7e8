package report

import (
	"fmt"
	"slices"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// tally counts resources, not steps: an Action that is created, deployed and bound is one.
type tally struct {
	create, change, destroy, same int
	lost, newID                   int // steps that can't be undone, or not with the same id
	warnings, refusals            int // notices that nobody has acknowledged
	forced                        int // refusals that were overridden
}

func (t *tally) add(u tally) {
	t.create, t.change, t.destroy, t.same = t.create+u.create, t.change+u.change, t.destroy+u.destroy, t.same+u.same
	t.lost, t.newID = t.lost+u.lost, t.newID+u.newID
	t.warnings, t.refusals, t.forced = t.warnings+u.warnings, t.refusals+u.refusals, t.forced+u.forced
}

func (t tally) changes() int { return t.create + t.change + t.destroy }

func (t tally) String() string {
	return fmt.Sprintf("%s to create, %s to change, %s to destroy", thousands(t.create), thousands(t.change), thousands(t.destroy))
}

// risks says in few words what a reviewer must not miss.
func (t tally) risks() []aside {
	var out []aside
	add := func(n int, text, class string) {
		if n > 0 {
			out = append(out, aside{text, class})
		}
	}
	add(t.refusals, count(t.refusals, "refusal"), "error")
	add(t.forced, count(t.forced, "refusal")+" overridden by --force", "danger")
	add(t.lost, count(t.lost, "step")+" can't be undone", "danger")
	add(t.newID, count(t.newID, "step")+" undone only under a new id", "danger")
	add(t.warnings, count(t.warnings, "warning"), "risk")
	return out
}

func (t tally) class() string {
	switch {
	case t.refusals > 0:
		return "error"
	case t.forced > 0 || t.destroy > 0 || t.lost > 0 || t.newID > 0:
		return "danger"
	case t.warnings > 0:
		return "risk"
	case t.changes() > 0:
		return "change"
	}
	return "same"
}

func planHeadline(p *planner.Plan, total tally, changed, failed int) string {
	all := len(p.Tenants)
	var out string
	switch {
	case all == 0:
		return "No tenants, so there is nothing to do."
	case failed == all && all == 1:
		return "No plan: see the error above."
	case failed == all:
		return "No plan: none of the tenants could be planned. See the errors above."
	case total.changes() == 0 && tellsDrift(p):
		out = "No drift: what the manifests declare is on the tenant as the last run left it, as far as that is on record."
	case total.changes() == 0:
		out = "No changes. " + asDeclared(total.same)
		if all > 1 {
			out = fmt.Sprintf("No changes on %s. %s", count(all-failed, "tenant"), asDeclared(total.same))
		}
	case tellsDrift(p):
		out = fmt.Sprintf("Drift: %s changed on the tenant since the last run", count(total.changes(), "resource"))
		if all > 1 {
			out = fmt.Sprintf("Drift: %s changed on %s of %s since their last runs", count(total.changes(), "resource"), thousands(changed), count(all, "tenant"))
		}
		out += ". This only tells; it can't be applied."
	default:
		out = "Plan: " + total.String()
		if all > 1 {
			out += fmt.Sprintf(", on %s of %s", thousands(changed), count(all, "tenant"))
		}
		out += "."
	}
	if failed > 0 {
		out += fmt.Sprintf(" %s could not be planned.", count(failed, "tenant"))
	}
	return out
}

func asDeclared(n int) string {
	switch n {
	case 0:
		return "Nothing is declared for it."
	case 1:
		return "The one declared resource is as declared."
	}
	return fmt.Sprintf("All %s resources are as declared.", thousands(n))
}

func tallyOf(t *planner.TenantPlan) tally {
	if t.Error != "" {
		return tally{} // there is no plan to speak of
	}
	n := tally{same: len(t.Unchanged)}
	for _, group := range byAddress(t.Steps) {
		switch actionOf(group) {
		case "create":
			n.create++
		case "delete":
			n.destroy++
		case "replace":
			n.create++
			n.destroy++
		default:
			n.change++
		}
		for _, s := range group {
			switch s.Undo.Effect {
			case kind.None:
				n.lost++
			case kind.NewID:
				n.newID++
			case kind.Exact:
			}
		}
	}
	for _, x := range t.Notices {
		switch {
		case x.Level == kind.Refusal && x.Acknowledged == kind.ByForce:
			n.forced++
		case x.Acknowledged != "":
		case x.Level == kind.Refusal:
			n.refusals++
		case x.Level == kind.Warn:
			n.warnings++
		}
	}
	return n
}

// tellsDrift reports whether p tells of drift only.
func tellsDrift(p *planner.Plan) bool {
	return slices.ContainsFunc(p.Tenants, func(t planner.TenantPlan) bool { return t.Mode == planner.DriftReport })
}
