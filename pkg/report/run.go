package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// RunFormat is the version of the JSON form of a run's report.
const RunFormat = "ecplan/run/v1"

// RunReport is what became of one command that writes, tenant by tenant. It is plain
// data and holds no secret.
type RunReport struct {
	// Format is RunFormat; Run sets it.
	Format string `json:"format"`
	// Tool is the version of ecplan.
	Tool string `json:"tool,omitempty"`
	// Command is what was run: "apply", "resume", "rollback", "destroy", "rotate".
	Command string `json:"command"`
	// Seconds is how long all of it took.
	Seconds float64     `json:"seconds"`
	Tenants []TenantRun `json:"tenants"`
	// Rollout is the record that several tenants' runs have in common, "" if there is none.
	Rollout string `json:"rollout,omitempty"`
	// Next are commands that finish what is not done on all tenants together, the best first.
	Next []string `json:"next,omitempty"`
}

// TenantRun is the part of one tenant.
type TenantRun struct {
	Tenant string `json:"tenant"`
	Domain string `json:"domain,omitempty"`
	// Wave is the part of a rollout that the tenant belongs to, "" without a rollout.
	Wave string `json:"wave,omitempty"`
	// Run is the id of the run, "" if nothing was to do.
	Run     string  `json:"run,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Error says why it ended early: what was attempted, why it failed, what to do.
	Error string `json:"error,omitempty"`
	// Steps are the plan's steps, in its order.
	Steps []StepResult `json:"steps,omitempty"`
	// RollbackRun is the id of the run that took this one back; Rollback are its steps.
	RollbackRun string       `json:"rollback_run,omitempty"`
	Rollback    []StepResult `json:"rollback,omitempty"`
	// Same counts the resources that were as declared already.
	Same int `json:"as_declared,omitempty"`
	// Remains says in full sentences what is on the tenant now that should not be, or
	// is not as it was.
	Remains []string `json:"remains,omitempty"`
	// Next are commands that lead on, the best first.
	Next    []string `json:"next,omitempty"`
	Seconds float64  `json:"seconds"`
}

// Outcome says in one word how a tenant's run ended.
type Outcome string

// The outcomes.
const (
	Done       Outcome = "done"
	Nothing    Outcome = "nothing-to-do"
	Refused    Outcome = "refused"     // an error before anything was written
	Failed     Outcome = "failed"      // changes remain
	RolledBack Outcome = "rolled-back" // failed; the tenant is as before
	NotBegun   Outcome = "not-begun"   // something before it failed; nothing was written
)

// StepResult is what became of one step.
type StepResult struct {
	ID      string      `json:"id"`
	Address string      `json:"address"`
	Part    string      `json:"part,omitempty"`
	Action  kind.Verb   `json:"action"`
	Outcome StepOutcome `json:"outcome"`
	// HadEffect says of an unknown step that it was found out since: it was done.
	HadEffect bool `json:"had_effect,omitempty"`
	// Error says why it failed, or what is unknown.
	Error string `json:"error,omitempty"`
	// ObjectID is the object's id on the tenant, where it is known.
	ObjectID string  `json:"object_id,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
}

// StepOutcome says in one word what became of a step.
type StepOutcome string

// The outcomes of steps.
const (
	StepDone       StepOutcome = "done"
	StepFailed     StepOutcome = "failed"      // the tenant refused it: nothing happened
	StepUnknown    StepOutcome = "unknown"     // sent, and nobody knows
	StepNotStarted StepOutcome = "not-started" // nothing was sent
)

// runDocument builds what people are shown of r.
func runDocument(r RunReport) *document {
	d := &document{Title: "ecplan: " + short(r.Command, maxName), Table: table{Head: []string{"Tenant", "Outcome", "Steps done", "Time", "Run"}, Align: "llrrl"}}
	ends := map[Outcome]int{}
	tenants := slices.Clone(r.Tenants)
	slices.SortStableFunc(tenants, func(a, b TenantRun) int {
		return cmp.Or(rank(outcomeClass(a.Outcome))-rank(outcomeClass(b.Outcome)), remains(b.Outcome)-remains(a.Outcome))
	})
	alike := map[string]int{}
	for i := range tenants {
		t := &tenants[i]
		ends[t.Outcome]++
		s := runSection(t, len(tenants) > maxSameRows)
		key := planner.Digest(s.shape())
		if len(s.Cards)+len(s.Notes) > 0 {
			key += " " + t.Tenant // what it tells is its own
		}
		if at, ok := alike[key]; ok && len(tenants) > maxSameRows {
			d.Sections[at].Tenants = append(d.Sections[at].Tenants, s.Tenants...)
		} else {
			alike[key] = len(d.Sections)
			d.Sections = append(d.Sections, s)
		}
		done := doneOf(t.Steps)
		steps := "–"
		if len(t.Steps) > 0 {
			steps = fmt.Sprintf("%s of %s", thousands(done), thousands(len(t.Steps)))
		}
		d.Table.Rows = append(d.Table.Rows, tableRow{
			Tenants: []string{short(t.Tenant, maxName)}, Section: alike[key], Class: outcomeClass(t.Outcome),
			Cells: []string{outcomeWords(t.Outcome), steps, seconds(t.Seconds), short(t.Run, maxName)},
		})
	}
	d.Headline = runHeadline(r, ends)
	d.Risk = ends[Failed]+ends[RolledBack]+ends[Refused]+ends[NotBegun] > 0
	for _, t := range r.Tenants {
		if t.Run != "" && len(r.Tenants) == 1 {
			d.Facts = append(d.Facts, [2]string{"Run", short(t.Run, maxName)})
		}
	}
	if r.Tool != "" {
		d.Facts = append(d.Facts, [2]string{"Made by", "ecplan " + short(strings.TrimPrefix(r.Tool, "ecplan "), maxName)})
	}
	for _, n := range r.Next {
		d.Facts = append(d.Facts, [2]string{toGoOn, short(n, maxNext)})
	}
	d.Rest = "ecplan history"
	return d
}

// remains is 1 where something is left to be done on the tenant: that comes first.
func remains(o Outcome) int { return map[Outcome]int{Failed: 1}[o] }

// doneOf counts the steps that were done, as far as anybody knows by now.
func doneOf(steps []StepResult) int {
	n := 0
	for _, s := range steps {
		if s.Outcome == StepDone || s.HadEffect {
			n++
		}
	}
	return n
}

func outcomeWords(o Outcome) string {
	switch o {
	case Done:
		return "done"
	case Nothing:
		return "nothing to do"
	case Refused:
		return "refused, nothing changed"
	case Failed:
		return "failed, changes remain"
	case RolledBack:
		return "failed, rolled back"
	case NotBegun:
		return "not begun"
	}
	return short(string(o), maxName)
}

func outcomeClass(o Outcome) string {
	switch o {
	case Done:
		return "done"
	case Nothing:
		return "same"
	case RolledBack, NotBegun:
		return "risk"
	case Refused, Failed:
	}
	return "error"
}

func runHeadline(r RunReport, ends map[Outcome]int) string {
	if len(r.Tenants) != 1 {
		var parts []string
		for _, o := range []Outcome{Failed, RolledBack, Refused, NotBegun, Done, Nothing} {
			if ends[o] > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", thousands(ends[o]), outcomeWords(o)))
			}
		}
		if len(parts) == 0 {
			return "No tenants, so nothing was done."
		}
		return fmt.Sprintf("%s: %s. It took %s.", count(len(r.Tenants), "tenant"), strings.Join(parts, "; "), seconds(r.Seconds))
	}
	t := r.Tenants[0]
	steps := fmt.Sprintf("%s of %s", thousands(doneOf(t.Steps)), count(len(t.Steps), "step"))
	took := " in " + seconds(cmp.Or(t.Seconds, r.Seconds))
	switch t.Outcome {
	case Done:
		return fmt.Sprintf("Done: %s%s.", count(len(t.Steps), "step"), took)
	case Nothing:
		return nothing(&t)
	case Refused:
		return "Refused: nothing was changed."
	case NotBegun:
		return "Not begun: nothing was changed."
	case RolledBack:
		return fmt.Sprintf("Failed and rolled back%s: %s were done and taken back. The tenant is as it was before.", took, steps)
	case Failed:
		return fmt.Sprintf("Failed%s: %s were done, and changes remain on the tenant.", took, steps)
	}
	return "Ended: " + short(string(t.Outcome), maxName) + "."
}

// nothing says that there was nothing to do, or nothing that could be done.
func nothing(t *TenantRun) string {
	if len(t.Remains) > 0 {
		return "Nothing was done."
	}
	return "Nothing to do. " + asDeclared(t.Same)
}

// toGoOn is the fact that is a command.
const toGoOn = "To go on"

// maxNext bounds a command that names many tenants.
const maxNext = 4000

// runSection shows what became of a tenant; among many, what is well is told in short.
func runSection(t *TenantRun, many bool) section {
	s := section{
		Tenants: []tenantName{{short(t.Tenant, maxName), short(t.Domain, maxName)}},
		Tally:   outcomeWords(t.Outcome), Class: outcomeClass(t.Outcome),
	}
	if t.Outcome == Nothing {
		s.Tally = nothing(t)
	}
	if t.Error != "" {
		s.Error = block(t.Error, maxDetail)
	}
	if many && (t.Outcome == Done || t.Outcome == NotBegun) {
		if t.Outcome == Done {
			s.Tally = "Done: " + count(len(t.Steps), "step") + "."
		}
		return s
	}
	for i, r := range slices.Concat(t.Steps, t.Rollback) {
		if strings.Contains(t.Error, r.Error) {
			r.Error = "" // it stands above
		}
		s.Cards = append(s.Cards, resultCard(r, i >= len(t.Steps)))
	}
	for _, r := range t.Remains {
		s.Notes = append(s.Notes, line{Text: short(r, maxSentence), Class: prose})
	}
	for i, n := range t.Next {
		if i == 0 {
			s.Notes = append(s.Notes, line{Text: "To go on:", Class: prose})
		}
		s.Notes = append(s.Notes, line{Text: short(n, maxSentence), Depth: 1, Class: command})
	}
	return s
}

func resultCard(r StepResult, back bool) card {
	c := card{Action: string(r.Outcome), Class: string(r.Outcome)}
	c.Title = short(string(r.Action), maxName) + " " + short(r.Address, maxName)
	if r.Part != "" {
		c.Title += " " + short(r.Part, maxName)
	}
	switch r.Outcome {
	case StepDone:
		c.Mark, c.Verb = "✓", "done   "
		if back {
			c.Mark, c.Verb = "↩", "undo   "
		}
	case StepFailed:
		c.Mark, c.Verb = "✗", "failed "
	case StepUnknown:
		c.Mark, c.Verb = "?", "unknown"
	case StepNotStarted:
		c.Mark, c.Verb = "·", "not run"
	default:
		c.Mark, c.Verb = "?", short(string(r.Outcome), maxName)
	}
	var about []string
	if back && r.Outcome != StepDone {
		about = append(about, "to take it back")
	}
	if r.HadEffect {
		about = append(about, "had its effect")
	}
	if r.ObjectID != "" {
		about = append(about, short(r.ObjectID, maxName))
	}
	if r.Seconds > 0 {
		about = append(about, seconds(r.Seconds))
	}
	c.Aside = strings.Join(about, ", ")
	if r.Error != "" {
		for _, l := range block(r.Error, maxDetail) {
			c.Lines = append(c.Lines, line{Text: l, Class: prose})
		}
	}
	return c
}

// seconds writes a duration for people: "0.34 s", "12.1 s", "3 min 20 s".
func seconds(s float64) string {
	switch {
	case s >= 59.95:
		whole := int(s + 0.5)
		return fmt.Sprintf("%d min %d s", whole/60, whole%60)
	case s >= 9.995:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	}
	return strconv.FormatFloat(s, 'f', 2, 64) + " s"
}
