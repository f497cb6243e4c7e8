package express

import (
	"slices"
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// Result is what a check came to.
type Result string

// The results.
const (
	OK      Result = "ok"
	Fail    Result = "fail"
	Warn    Result = "warn"
	Unknown Result = "unknown" // it could not be found out
	Skipped Result = "skipped" // another failure makes it pointless
)

// Class says what a check is about.
type Class string

// The classes: a failing set-up check means that the tenant is not as declared, a
// readiness check that something around the set-up is missing.
const (
	ClassSetup     Class = "setup"
	ClassReadiness Class = "readiness"
)

// Check is one question to a tenant, answered.
type Check struct {
	// ID is stable: "grant.complete", with "@app" behind it where several
	// applications are configured.
	ID string `json:"id"`
	// Title is the question as a statement: "The grant has every scope".
	Title string `json:"title"`
	// Address is the resource that it is about, "" if there is none.
	Address  string `json:"address,omitempty"`
	Class    Class  `json:"class"`
	Result   Result `json:"result"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
	// Advice says what to do; "" where there is nothing to do.
	Advice string `json:"advice,omitempty"`
}

// Report is what is known of one tenant.
type Report struct {
	Tenant string    `json:"tenant"`
	Domain string    `json:"domain"`
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks"`
	// Error, if there, says why nothing could be checked.
	Error string `json:"error,omitempty"`
}

// Count counts the checks with a result.
func (r *Report) Count(result Result) int {
	n := 0
	for _, c := range r.Checks {
		if c.Result == result {
			n++
		}
	}
	return n
}

// Broken lists the set-up checks that fail.
func (r *Report) Broken() []Check {
	var out []Check
	for _, c := range r.Checks {
		if c.Result == Fail && c.Class == ClassSetup {
			out = append(out, c)
		}
	}
	return out
}

// Failed reports whether the tenant does not pass. strict also fails on warnings and
// on what could not be found out.
func (r *Report) Failed(strict bool) bool {
	return r.Error != "" || r.Count(Fail) > 0 || strict && r.Count(Warn)+r.Count(Unknown) > 0
}

// Evidence is what checks are made from.
type Evidence struct {
	Tenant, Domain string
	Now            time.Time
	Setup          Setup
	State          *State
	// Steps are those of the tenant's plan: where there are none, all is as declared.
	Steps []kind.Step
	// Problems are what stood in the way of planning.
	Problems manifest.Diagnostics
}

// Verify answers whether Express Configuration can work on a tenant, check by check.
// It is pure: the same evidence gives the same report.
func Verify(e Evidence) Report {
	v := &verifier{Evidence: e, several: len(e.Setup.Apps) > 1}
	v.shared()
	for i, app := range e.Setup.Apps {
		v.suffix = ""
		if v.several {
			v.suffix = "@" + app.Name
		}
		v.app(app, e.State.Apps[i])
	}
	v.suffix = ""
	for _, r := range e.Setup.Others {
		v.declared("declared", r.Address()+" is on the tenant as declared", r, "", nil)
	}
	v.readiness()
	v.connections()
	order := []Class{ClassSetup, ClassReadiness}
	slices.SortStableFunc(v.checks, func(a, b Check) int {
		return slices.Index(order, a.Class) - slices.Index(order, b.Class)
	})
	return Report{Tenant: e.Tenant, Domain: e.Domain, At: e.Now.UTC(), Checks: v.checks}
}

type verifier struct {
	Evidence
	several bool
	suffix  string
	checks  []Check
}

// add puts a check on record.
func (v *verifier) add(c Check) {
	c.ID += v.suffix
	if c.Class == "" {
		c.Class = ClassSetup
	}
	if c.Result == OK || c.Result == Skipped {
		c.Advice = ""
	}
	v.checks = append(v.checks, c)
}

// steps returns the steps of an address; parts, if any, limit them to these.
func (v *verifier) steps(r *manifest.Resource, parts ...string) []kind.Step {
	var out []kind.Step
	for _, s := range v.Steps {
		if s.Address == r.Address() && (len(parts) == 0 || slices.Contains(parts, s.Part)) {
			out = append(out, s)
		}
	}
	return out
}

// missing adds a failed check and returns true if a resource's object is not there or
// can't be told.
func (v *verifier) missing(id, title string, r *manifest.Resource) bool {
	for _, d := range v.Problems {
		if d.Address == r.Address() {
			v.add(Check{ID: id, Title: title, Address: r.Address(), Result: Fail, Found: d.Summary, Expected: "one object that is as declared", Advice: advice(d.Detail, "Settle this first; the rest can only be checked then.")})
			return true
		}
	}
	if !v.State.Found(r).Exists {
		v.add(Check{ID: id, Title: title, Address: r.Address(), Result: Fail, Found: "not on the tenant", Expected: "on the tenant, as declared", Advice: adviceApply})
		return true
	}
	return false
}

func advice(detail, otherwise string) string {
	if detail != "" {
		return detail
	}
	return otherwise
}

const adviceApply = "Run 'ecplan plan' to see what differs, and 'ecplan apply' to put it right."

// declared checks that no step of the plan touches a resource, or the parts of it that
// skip does not leave to other checks.
func (v *verifier) declared(id, title string, r *manifest.Resource, expected string, skip func(kind.Change) bool) {
	if v.missing(id, title, r) {
		return
	}
	c := Check{ID: id, Title: title, Address: r.Address(), Result: OK, Expected: expected}
	var found, wanted []string
	for _, s := range v.steps(r) {
		for _, change := range s.Changes {
			if skip != nil && skip(change) {
				continue
			}
			f, w := difference(change)
			found, wanted = append(found, f), append(wanted, w)
		}
		if len(s.Changes) == 0 && skip == nil {
			found = append(found, s.Reason)
		}
	}
	if len(found) > 0 {
		c.Result, c.Found, c.Expected, c.Advice = Fail, list(found), list(wanted), adviceApply
	}
	v.add(c)
}
