package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// DefaultSideBySide is how many tenants are worked on at once. Each has at most 8
// requests under way, over one HTTP/2 connection where there is TLS: it is the open
// connections and the answers in memory that are bounded, since a tenant's pace is its
// own limit's affair.
const DefaultSideBySide = 256

// PlanAll plans for each target. A tenant without a plan is an entry with an error,
// not the end of the others'.
func PlanAll(ctx context.Context, ts []*Target, tool string, o PlanOptions) *planner.Plan {
	p := &planner.Plan{Format: planner.Format, Tool: tool, Tenants: make([]planner.TenantPlan, len(ts))}
	var g errgroup.Group
	g.SetLimit(cmp.Or(o.SideBySide, DefaultSideBySide))
	o.Progress.planning(len(ts))
	for i, t := range ts {
		p.ManifestDigest = t.ManifestDigest
		g.Go(func() error {
			o.Progress.reading(t)
			var tp planner.TenantPlan
			err := o.Refused[t.Tenant.Name]
			if err == nil {
				tp, err = t.Plan(ctx, o)
			}
			if err != nil {
				tp = planner.TenantPlan{Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, Mode: o.Mode, Forced: o.Force, Error: err.Error()}
			}
			p.Tenants[i] = tp
			o.Progress.planned(&tp)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	p.Seal()
	return p
}

// Covered returns the targets that a saved plan is about, and how it was made. A plan
// for a tenant that is not among them is an error.
func Covered(ts []*Target, saved *planner.Plan) (out []*Target, mode string, forced bool, err error) {
	for _, tp := range saved.Tenants {
		i := slices.IndexFunc(ts, func(t *Target) bool { return t.Tenant.Name == tp.Tenant })
		if i < 0 {
			return nil, "", false, fmt.Errorf("the saved plan is for the tenant %q, which the manifests do not declare or --tenant leaves out; nothing was changed", tp.Tenant)
		}
		out = append(out, ts[i])
		mode, forced = tp.Mode, tp.Forced
		if mode == planner.DriftReport {
			return nil, "", false, errors.New("this is a report of drift, not a plan to apply. Plan without --drift")
		}
	}
	return out, mode, forced, nil
}

// Stale is the finding that a plan would be made differently now.
type Stale struct {
	// Why lists what differs, a sentence each.
	Why []string
}

func (e *Stale) Error() string {
	return "the plan is stale, and nothing was changed. Since it was made:\n  - " + strings.Join(e.Why, "\n  - ") +
		"\nPlan again and review what is new."
}

// Fresh returns nil if the plan made now would do exactly what the saved one says,
// else a *Stale that tells the difference. What plays no part in the plan may change.
func Fresh(saved, now *planner.Plan) error {
	var why []string
	if saved.ManifestDigest != now.ManifestDigest {
		why = append(why, "the manifests, or files and variables that they use, have changed")
	}
	for _, tp := range saved.Tenants {
		i := slices.IndexFunc(now.Tenants, func(t planner.TenantPlan) bool { return t.Tenant == tp.Tenant })
		switch {
		case tp.Error != "":
			why = append(why, tp.Tenant+" had no plan: "+tp.Error)
		case i < 0:
			why = append(why, tp.Tenant+" is not planned for")
		case now.Tenants[i].Error != "":
			why = append(why, tp.Tenant+" can't be planned for: "+now.Tenants[i].Error)
		case now.Tenants[i].Checksum != tp.Checksum:
			why = append(why, differences(tp, now.Tenants[i])...)
		}
	}
	if len(why) == 0 {
		return nil
	}
	return &Stale{Why: why}
}

// Readable leaves of a saved plan the tenants that had a plan then and can be planned for
// now; all, if that is none or the only one.
func Readable(saved, now *planner.Plan) *planner.Plan {
	out := *saved
	out.Tenants = slices.DeleteFunc(slices.Clone(saved.Tenants), func(t planner.TenantPlan) bool {
		i := slices.IndexFunc(now.Tenants, func(n planner.TenantPlan) bool { return n.Tenant == t.Tenant })
		return t.Error != "" || i >= 0 && now.Tenants[i].Error != ""
	})
	if len(out.Tenants) == 0 || len(saved.Tenants) == 1 {
		return saved
	}
	return &out
}

// differences tells in which steps and objects two plans for one tenant differ.
func differences(old, now planner.TenantPlan) []string {
	var why []string
	if old.Domain != now.Domain {
		why = append(why, fmt.Sprintf("%s: the domain was %s and is %s", old.Tenant, old.Domain, now.Domain))
	}
	then := map[string]kind.Step{}
	for _, s := range old.Steps {
		then[s.ID] = s
	}
	explained := map[string]bool{}
	for _, s := range now.Steps {
		o, both := then[s.ID]
		delete(then, s.ID)
		switch {
		case !both:
			why = append(why, fmt.Sprintf("%s: %s would have to be changed as well (%s: %s)%s", now.Tenant, s.Address, s.Action, s.Reason, fieldList(s)))
			explained[s.Address] = true
		case planner.Digest(o) != planner.Digest(s):
			why = append(why, fmt.Sprintf("%s: %s", now.Tenant, stepDifference(o, s)))
			explained[s.Address] = true
		}
	}
	for _, id := range manifest.Keys(then) {
		why = append(why, fmt.Sprintf("%s: %s no longer needs to be changed (it was to %s: %s)", now.Tenant, then[id].Address, then[id].Action, then[id].Reason))
		explained[then[id].Address] = true
	}
	for _, a := range manifest.Keys(now.Observed) {
		if was, both := old.Observed[a]; (!both || was != now.Observed[a]) && !explained[a] {
			why = append(why, fmt.Sprintf("%s: %s has changed on the tenant", now.Tenant, a))
		}
	}
	for _, a := range manifest.Keys(old.Observed) {
		if _, both := now.Observed[a]; !both && !explained[a] {
			why = append(why, fmt.Sprintf("%s: %s is no longer declared", now.Tenant, a))
		}
	}
	if len(why) == 0 {
		why = append(why, now.Tenant+": its steps differ in their order or what they need")
	}
	return why
}

// fieldList names the fields that a step changes and their values on the tenant.
func fieldList(s kind.Step) string {
	var out []string
	for _, c := range s.Changes {
		switch {
		case c.Sensitive || c.Code || c.Op == "add":
			out = append(out, c.Path)
		default:
			out = append(out, c.Path+" is "+brief(c.Before))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, "; ")
}

// stepDifference tells how a step differs from the one that was planned.
func stepDifference(old, now kind.Step) string {
	var fields []string
	was := map[string]kind.Change{}
	for _, c := range old.Changes {
		was[c.Path] = c
	}
	for _, c := range now.Changes {
		o, both := was[c.Path]
		delete(was, c.Path)
		switch {
		case !both:
			fields = append(fields, c.Path+" would change as well")
		case planner.Digest(o.Before) != planner.Digest(c.Before) && !c.Sensitive && !c.Code:
			fields = append(fields, fmt.Sprintf("%s on the tenant was %s and is %s", c.Path, brief(o.Before), brief(c.Before)))
		case planner.Digest(o.After) != planner.Digest(c.After) && !c.Sensitive && !c.Code:
			fields = append(fields, fmt.Sprintf("%s would become %s instead of %s", c.Path, brief(c.After), brief(o.After)))
		case planner.Digest(o) != planner.Digest(c):
			fields = append(fields, c.Path+" would change differently")
		}
	}
	for _, path := range manifest.Keys(was) {
		fields = append(fields, path+" would no longer change")
	}
	if len(fields) == 0 {
		return fmt.Sprintf("%s (%s) is not as it was when the plan was made", now.ID, now.Action)
	}
	return fmt.Sprintf("%s (%s): %s", now.ID, now.Action, strings.Join(fields, "; "))
}

// brief shows a value in few characters.
func brief(v any) string {
	if v == nil {
		return "not set"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "something else"
	}
	if r := []rune(string(planner.Escape(b))); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return string(planner.Escape(b))
}

// DriftOf leaves of a plan what the tenants changed by themselves.
func DriftOf(p *planner.Plan) *planner.Plan {
	out := *p
	out.Tenants = nil
	for _, t := range p.Tenants {
		out.Tenants = append(out.Tenants, planner.DriftOnly(t))
	}
	out.Seal()
	return &out
}
