package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// planDocument builds what people are shown of p.
func planDocument(p *planner.Plan, lim limits) *document {
	d := &document{Title: "ecplan: plan", Table: table{Head: []string{"Tenant", "Create", "Change", "Destroy", "As declared", "Watch"}, Align: "lrrrrl"}}
	var total tally
	tallies := make([]tally, len(p.Tenants))
	failed, changed := 0, 0
	for i := range p.Tenants {
		t := &p.Tenants[i]
		tallies[i] = tallyOf(t)
		total.add(tallies[i])
		switch {
		case t.Error != "":
			failed++
		case tallies[i].changes() > 0:
			changed++
		}
	}
	d.Lead = leadOfAll(p)
	groups, notices := grouped(p, lim, d.Lead != nil)
	d.Notices = notices
	for at, g := range groups {
		s := merged(g.sections)
		slices.SortFunc(s.Tenants, func(a, b tenantName) int { return cmp.Compare(a.Name, b.Name) })
		d.Table.Rows = append(d.Table.Rows, planRow(s.Tenants, &p.Tenants[g.tenants[0]], tallies[g.tenants[0]], at))
		d.Sections = append(d.Sections, s)
	}
	number(d.Sections)
	d.Headline = planHeadline(p, total, changed, failed)
	d.Risk = failed > 0 || rank(total.class()) < rank("change")
	if total.refusals > 0 && !tellsDrift(p) {
		d.Headline += " It can't be applied while a refusal stands."
	}
	d.Asides = total.risks()
	if total.destroy > 0 {
		d.Asides = append([]aside{{count(total.destroy, "resource") + " destroyed", "danger"}}, d.Asides...)
	}
	if total.changes() > 0 && total.same > 0 {
		d.Asides = append(d.Asides, aside{count(total.same, "resource") + " as declared", "same"})
	}
	if p.Checksum != "" {
		d.Facts = append(d.Facts, [2]string{"Checksum", short(p.Checksum, maxName)})
	}
	if p.Tool != "" {
		d.Facts = append(d.Facts, [2]string{"Made by", "ecplan " + short(strings.TrimPrefix(p.Tool, "ecplan "), maxName)})
	}
	if p.ManifestDigest != "" {
		d.Facts = append(d.Facts, [2]string{"Manifest", short(p.ManifestDigest, maxName)})
	}
	d.Rest = "ecplan show PLANFILE"
	return d
}

// leadOf says what is special about a tenant's plan.
func leadOf(t *planner.TenantPlan) []string {
	var out []string
	switch t.Mode {
	case "", planner.DriftReport: // the headline says it
	case planner.Prune:
		out = append(out, "Prune: what earlier runs created and the manifests no longer declare is deleted.")
	case planner.Destroy:
		out = append(out, "Destroy: all that earlier runs created is deleted.")
	default:
		out = append(out, "Mode: "+short(t.Mode, maxName)+".")
	}
	if t.Forced {
		out = append(out, "Forced: refusals are overridden by --force.")
	}
	return out
}

// leadOfAll says what is special about all tenants' plans, nil if they differ.
func leadOfAll(p *planner.Plan) []string {
	var lead []string
	for i := range p.Tenants {
		own := leadOf(&p.Tenants[i])
		if i > 0 && !slices.Equal(own, lead) {
			return nil
		}
		lead = own
	}
	return lead
}

// planRow is the row of tenants that are alike; t and n are one of them.
func planRow(tenants []tenantName, t *planner.TenantPlan, n tally, section int) tableRow {
	r := tableRow{Section: section, Class: n.class()}
	for _, x := range tenants {
		r.Tenants = append(r.Tenants, x.Name)
	}
	if t.Error != "" {
		r.Class, r.Text = "error", "no plan"
		r.Cells = []string{"–", "–", "–", "–", "no plan"}
		return r
	}
	var watch []string
	for _, a := range n.risks() {
		watch = append(watch, a.Text)
	}
	r.Cells = []string{thousands(n.create), thousands(n.change), thousands(n.destroy), thousands(n.same), strings.Join(watch, ", ")}
	r.Text = n.String()
	if n.changes() == 0 {
		r.Text = "nothing to do"
	}
	r.Text = strings.Join(append([]string{r.Text}, watch...), ", ")
	return r
}

// byAddress returns the steps of each resource, resources in the order of their first step.
func byAddress(steps []kind.Step) [][]*kind.Step {
	at := map[string]int{}
	var out [][]*kind.Step
	for i := range steps {
		s := &steps[i]
		j, ok := at[s.Address]
		if !ok {
			j = len(out)
			at[s.Address] = j
			out = append(out, nil)
		}
		out[j] = append(out[j], s)
	}
	return out
}

// actionOf says what the steps of one resource come to.
func actionOf(steps []*kind.Step) string {
	created, deleted := false, false
	for _, s := range steps {
		if s.Part == "" {
			created = created || s.Action == kind.Create
			deleted = deleted || s.Action == kind.Delete
		}
	}
	switch {
	case created && deleted:
		return "replace"
	case created:
		return "create"
	case deleted:
		return "delete"
	}
	return "update"
}

func markOf(action string) string {
	switch action {
	case "create":
		return "+"
	case "delete":
		return "-"
	case "replace":
		return "-/+"
	}
	return "~"
}

// planSection shows one tenant, but for what is told of all. With generic, the tenant's
// domain is shown as a variable wherever it occurs in a value.
func planSection(t *planner.TenantPlan, lim limits, generic bool, told common) section {
	n := tallyOf(t)
	s := section{
		Tenants: []tenantName{{short(t.Tenant, maxName), short(t.Domain, maxName)}},
		Tally:   n.String(), Class: n.class(),
	}
	v := valuesOf(t, lim, generic)
	if t.Error != "" {
		s.Class, s.Error, s.Tally = "error", block(t.Error, maxDetail), "no plan"
		return s
	}
	if n.changes() == 0 {
		s.Tally = "No changes. " + asDeclared(n.same)
	}
	if !told.lead {
		s.Lead = leadOf(t)
	}
	waiting := waiters(t.Steps)
	for _, steps := range byAddress(t.Steps) {
		s.Cards = append(s.Cards, v.resource(steps, waiting))
	}
	notices := slices.Clone(t.Notices)
	slices.SortStableFunc(notices, func(a, b kind.Notice) int { return urgency(a) - urgency(b) })
	for _, x := range notices {
		if !told.notices[noticeKey(t, x)] {
			s.Notices = append(s.Notices, v.notice(x))
		}
	}
	for _, a := range t.Unchanged {
		s.Same = append(s.Same, short(a, maxName))
	}
	return s
}

// waiters maps each step to those that need it.
func waiters(steps []kind.Step) map[string][]string {
	out := map[string][]string{}
	for _, s := range steps {
		for _, n := range s.Needs {
			out[n] = append(out[n], s.ID)
		}
	}
	return out
}

func (v values) resource(steps []*kind.Step, waiting map[string][]string) card {
	v.address = steps[0].Address
	action := actionOf(steps)
	c := card{Mark: markOf(action), Action: action, Verb: action, Title: short(v.address, maxName), Class: action}
	first, reason := steps[0], steps[0].Reason
	for _, s := range steps {
		if s.Part == "" {
			reason = s.Reason
			break
		}
	}
	c.Aside = v.text(reason, maxSentence)
	single := len(steps) == 1 && first.Part != ""
	if single {
		c.Verb = stepVerb(first)
	}
	if first.Part == "" && string(first.Action) != action && action == "update" {
		c.Verb = stepVerb(first)
	}
	lost, newID := false, false
	for i, s := range steps {
		lost, newID = lost || s.Undo.Effect == kind.None, newID || s.Undo.Effect == kind.NewID
		if i > 0 || s.Part != "" && !single {
			l := line{Mark: stepMark(s), Text: stepVerb(s), Class: part}
			if s.Reason != reason {
				l.Note = "(" + v.text(s.Reason, maxSentence) + ")"
			}
			c.Lines = append(c.Lines, l)
		}
		c.Lines = append(c.Lines, v.changes(s.Changes)...)
		c.Lines = append(c.Lines, v.about(s, waiting)...)
	}
	switch {
	case lost:
		c.Risk = "can't be undone"
	case newID:
		c.Risk = "undone only under a new id"
	}
	return c
}

// stepVerb says what a step does with its part: "attach credentials", "bind".
func stepVerb(s *kind.Step) string {
	switch {
	case s.Part == "",
		s.Action == kind.Deploy && s.Part == "deployment",
		(s.Action == kind.Bind || s.Action == kind.Unbind) && s.Part == "binding":
		return short(string(s.Action), maxName)
	}
	return short(string(s.Action)+" "+s.Part, maxName)
}

func stepMark(s *kind.Step) string {
	switch s.Action {
	case kind.Create:
		return "+"
	case kind.Delete:
		return "-"
	case kind.Update, kind.Deploy, kind.Bind, kind.Unbind, kind.Attach:
	}
	return "~"
}

// about says what stays, what a step needs, what waits for it, and how it is undone.
func (v values) about(s *kind.Step, waiting map[string][]string) []line {
	var out []line
	for _, k := range s.Keeps {
		out = append(out, line{Label: "keeps", Text: v.text(k, maxSentence), Class: meta})
	}
	if s.Guard != nil {
		out = append(out, line{Label: "checks", Text: v.text(s.Guard.What, maxSentence) + ", again right before the request", Class: meta})
	}
	if s.Await != nil {
		out = append(out, line{Label: "awaits", Text: v.text(s.Await.What, maxSentence), Class: meta})
	}
	if ids := others(s.Needs, s.Address); len(ids) > 0 {
		out = append(out, line{Label: "needs", Text: some(ids, 6), Class: meta})
	}
	if ids := others(waiting[s.ID], s.Address); len(ids) > 0 {
		out = append(out, line{Label: "then", Text: some(ids, 6), Class: meta})
	}
	undo := line{Label: "undo", Text: v.text(s.Undo.How, maxSentence), Class: meta}
	switch s.Undo.Effect {
	case kind.Exact:
		undo.Text = cmp.Or(undo.Text, "puts everything back as it was")
	case kind.NewID:
		undo.Class, undo.Text = danger, "under a new id: "+cmp.Or(undo.Text, "the same content comes back")
	case kind.None:
		undo.Class, undo.Text = danger, "can't be undone: "+cmp.Or(undo.Text, "the former state can't be had back")
	default:
		undo.Class, undo.Text = danger, "unknown effect "+strconv.Quote(short(string(s.Undo.Effect), maxName))
	}
	out = append(out, undo)
	for _, l := range s.Undo.Lost {
		out = append(out, line{Label: "but", Text: v.text(l, maxSentence), Class: meta})
	}
	return out
}

// others names the other resources whose steps are among ids.
func others(ids []string, address string) []string {
	var out []string
	for _, id := range ids {
		if a, _, _ := strings.Cut(id, "#"); a != address {
			out = append(out, short(a, maxName))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// urgency orders notices, what stands in the way first.
func urgency(n kind.Notice) int {
	switch {
	case n.Acknowledged == kind.ByForce:
		return 1
	case n.Acknowledged != "":
		return 3
	case n.Level == kind.Refusal:
		return 0
	case n.Level == kind.Warn:
		return 2
	}
	return 4
}

func (v values) notice(n kind.Notice) card {
	c := card{Mark: "!", Action: n.Level, Verb: short(n.Level, maxName), Title: short(n.ID, maxName), Aside: short(n.Address, maxName), Class: n.Level}
	if n.Level == kind.Info {
		c.Mark = "i"
	}
	c.Lines = append(c.Lines, line{Text: v.text(n.Summary, maxSentence), Class: prose})
	if n.Detail != "" {
		for _, l := range block(v.generic(n.Detail), maxDetail) {
			c.Lines = append(c.Lines, line{Text: l, Class: prose})
		}
	}
	switch {
	case n.Acknowledged == kind.ByForce:
		c.Class = kind.Warn
		c.Lines = append(c.Lines, line{Label: "overridden", Text: "by --force, without a reason", Class: danger})
	case n.Acknowledged != "":
		c.Class, c.Mark = "acknowledged", "✓"
		c.Lines = append(c.Lines, line{Label: "acknowledged", Text: v.text(n.Acknowledged, maxSentence), Class: meta})
	case planner.Violates(n):
		c.Lines = append(c.Lines, line{Label: "to go on", Text: "change the manifest, or the policy; nothing overrides it", Class: meta})
	case n.Level == kind.Refusal && (v.nobody || v.unnamed[n.Address]):
		c.Lines = append(c.Lines, line{Label: "to go on", Text: "give --force, if that is meant", Class: meta})
	case n.Level == kind.Refusal:
		c.Lines = append(c.Lines, line{
			Label: "to go on", Class: meta,
			Text: "acknowledge it with a reason, as metadata.acknowledge." + c.Title + " of the resource, or give --force",
		})
	}
	return c
}
