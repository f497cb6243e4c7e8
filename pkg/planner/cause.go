package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/schemas"
)

// Last is the last run that brought the tenant to what manifests declared. The zero
// value knows of none.
type Last struct {
	Run string
	// Declared are the fields that it was made from; see TenantPlan.Declared.
	Declared map[string]map[string]string
	// Flows is what it found bound to triggers; see TenantPlan.Flows.
	Flows map[string][]string
}

// declared digests the declared fields of the resources, by address and field.
func declared(states []*state) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, s := range states {
		if s.desired.Removing {
			continue
		}
		fields := map[string]string{}
		for f, v := range s.desired.Resource.Spec {
			fields[f] = strings.TrimPrefix(Digest(v), "sha256:")[:16]
		}
		out[s.desired.Address()] = fields
	}
	return out
}

// tellCauses says of each step whether the manifest or the tenant changed since the
// last run, as far as that is on record.
func tellCauses(steps []kind.Step, states []*state, now map[string]map[string]string, last Last) {
	if last.Run == "" {
		return
	}
	removing := map[string]bool{}
	for _, s := range states {
		removing[s.desired.Address()] = s.desired.Removing
	}
	for i := range steps {
		s := &steps[i]
		then, known := last.Declared[s.Address]
		if !known || removing[s.Address] {
			continue
		}
		var drifted, changed []string
		values := true // nothing but values that the manifest does not spell out have changed
		for _, f := range fieldsOf(*s) {
			switch {
			case then[f] != now[s.Address][f]:
				changed, values = append(changed, f), false
			case newValues(*s, f):
				changed = append(changed, "values of "+f)
			default:
				drifted = append(drifted, f)
			}
		}
		switch {
		case s.Made() && renamed(s.Kind(), then, now[s.Address]):
			s.Cause, s.Reason = kind.Declared, "the manifest names another object than in run "+last.Run+"; the former one stays"
		case s.Made():
			s.Cause, s.Reason = kind.Drift, "drift: gone from the tenant since run "+last.Run
		case len(drifted) > 0 && len(changed) > 0:
			s.Cause = kind.Both
			s.Reason = fmt.Sprintf("drift since run %s (%s), and the manifest changed (%s)", last.Run, strings.Join(drifted, ", "), strings.Join(changed, ", "))
		case len(drifted) > 0:
			s.Cause, s.Reason = kind.Drift, "drift: "+driftWord(s)+" since run "+last.Run
		case len(changed) > 0 && values:
			s.Cause, s.Reason = kind.Declared, "a declared secret's value changed since run "+last.Run
		case len(changed) > 0:
			s.Cause, s.Reason = kind.Declared, "the manifest changed since run "+last.Run
		}
	}
	for i := range steps { // a deployment has no field of its own: it follows its draft
		s := &steps[i]
		if s.Cause == "" && s.Action == kind.Deploy {
			for _, d := range steps {
				if slices.Contains(s.Needs, d.ID) && d.Address == s.Address {
					s.Cause = d.Cause
				}
			}
		}
	}
}

// renamed reports whether a field by which objects of the kind are found has changed.
func renamed(kindName string, then, now map[string]string) bool {
	for f, rule := range schemas.Rules(kindName).Properties {
		if rule.Identity && then[f] != now[f] {
			return true
		}
	}
	return false
}

func driftWord(s *kind.Step) string {
	if s.Action == kind.Bind && s.Before != nil {
		return "the flow was changed on the tenant"
	}
	return "changed on the tenant"
}

// tellTakenBack says why a plan that takes everything back changes what stays: neither the
// tenant nor the manifest needs to have changed.
func tellTakenBack(steps []kind.Step, states []*state) {
	for _, s := range states {
		for i := range steps {
			if !s.desired.Removing && steps[i].Address == s.desired.Address() {
				steps[i].Reason = "what earlier runs added to it goes"
			}
		}
	}
}

// newValues reports whether all that a step changes of a field are values that come from
// elsewhere and are others than the last run set, with nobody having touched the tenant.
func newValues(s kind.Step, field string) bool {
	found := false
	for _, c := range s.Changes {
		if strings.HasPrefix(c.Path, field+".") {
			if c.Note != kind.NoteNewValue {
				return false
			}
			found = true
		}
	}
	return found
}

// fieldsOf lists the fields of the spec that a step is about.
func fieldsOf(s kind.Step) []string {
	switch {
	case s.Action == kind.Bind || s.Action == kind.Unbind:
		return []string{"bind"}
	case strings.HasPrefix(s.Part, "credential"):
		return []string{"credentials"}
	}
	var out []string
	for _, c := range s.Changes {
		f := c.Path
		if i := strings.IndexAny(f, ".[ "); i >= 0 {
			f = f[:i]
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// DriftOnly leaves of a plan what the tenant changed by itself. It can be shown, and
// must not be applied: steps may need others that are left out. So nobody needs to know
// whether the credentials would do.
func DriftOnly(p TenantPlan) TenantPlan {
	p.Mode = DriftReport
	if p.Error == "" && p.Since == "" {
		p.Error = "no run that brought this tenant to what is declared is on record, so drift can't be told from it. Apply once, and keep the store (--store) between runs"
	}
	p.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(s kind.Step) bool { return s.Cause != kind.Drift && s.Cause != kind.Both })
	p.Notices = slices.DeleteFunc(slices.Clone(p.Notices), func(n kind.Notice) bool {
		return slices.Contains([]string{scopesMissing, scopesUnknown, noLongerDeclared}, n.ID)
	})
	return p
}
