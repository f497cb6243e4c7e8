package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// TestWhatForceOverrides: what --force overrides is counted and seen; what it does not, a
// breach of the policy, still stands; a reason in the manifest settles a refusal.
func TestWhatForceOverrides(t *testing.T) {
	p := planOf(planner.TenantPlan{Tenant: "t", Forced: true, Steps: []kind.Step{step(client, "", kind.Update, "r", "u", add("x", "y"))}, Notices: []kind.Notice{
		{ID: "secret-loss", Level: kind.Refusal, Summary: "Overridden", Acknowledged: kind.ByForce},
		{ID: "policy/deny", Level: kind.Refusal, Summary: "Forbidden"},
		{ID: "client-id-lost", Level: kind.Refusal, Summary: "Meant", Acknowledged: "see OPS-1"},
	}})
	out := show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{}) })
	for _, want := range []string{
		"1 refusal, 1 refusal overridden by --force", "It can't be applied while a refusal stands.",
		"! refusal secret-loss", "overridden  by --force", "! refusal policy/deny", "nothing overrides it", "✓ refusal client-id-lost", "acknowledged  see OPS-1",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	md := show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: Markdown}) })
	for _, id := range []string{"- ⚠️ **secret-loss**", "- ❌ **policy/deny**"} {
		if !strings.Contains(md, id) {
			t.Errorf("%q is not in\n%s", id, md)
		}
	}
}

// TestCommonNotices: what several groups of tenants have in common is told once, with
// their names; what one group has stays with it.
func TestCommonNotices(t *testing.T) {
	tenant := func(name, changed string, ids ...string) planner.TenantPlan {
		tp := planner.TenantPlan{Tenant: name, Domain: name + ".example"}
		if changed != "" {
			tp.Steps = []kind.Step{step(client, "", kind.Update, "r", "u", add(changed, "y"))}
		}
		for _, id := range ids {
			tp.Notices = append(tp.Notices, kind.Notice{ID: id, Level: kind.Warn, Summary: "About " + name + ".example"})
		}
		return tp
	}
	p := planOf(tenant("a", "x", "everywhere", "two"), tenant("b", "x", "everywhere", "two"), tenant("c", "y", "everywhere", "alone"), tenant("d", "", "everywhere"))
	d := planDocument(p, limitsOf(Text))
	told := func(cards []card) string {
		var ids []string
		for _, c := range cards {
			ids = append(ids, c.Title)
		}
		return strings.Join(ids, " ")
	}
	if got := told(d.Notices); got != "everywhere" || d.Notices[0].Lines[1].Text != "all of them" || !strings.Contains(d.Notices[0].Lines[0].Text, domainVariable) {
		t.Errorf("told of all: %s, %+v", got, d.Notices)
	}
	unread := planDocument(planOf(append(p.Tenants, planner.TenantPlan{Tenant: "e", Domain: "e.example", Error: "no"})...), limitsOf(Text))
	if got := unread.Notices[0].Lines[1].Text; got != "all that have a plan" {
		t.Errorf("with a tenant of which nothing is known, it is told of %q", got)
	}
	for _, s := range d.Sections {
		if got, want := told(s.Notices), map[string]string{"a": "two", "c": "alone", "d": ""}[s.Tenants[0].Name]; got != want {
			t.Errorf("told of %s: %q, want %q", s.Tenants[0].Name, got, want)
		}
	}
}

// TestDriftIsNotRefused: a report of drift says once that it can't be applied.
func TestDriftIsNotRefused(t *testing.T) {
	p := planOf(planner.TenantPlan{
		Tenant: "t", Mode: planner.DriftReport, Steps: []kind.Step{step(client, "", kind.Update, "r", "u", add("x", "y"))},
		Notices: []kind.Notice{{ID: "secret-loss", Level: kind.Refusal, Summary: "Lost"}},
	})
	out := show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{}) })
	if !strings.Contains(out, "This only tells; it can't be applied.") || strings.Contains(out, "while a refusal stands") {
		t.Errorf("it says\n%s", out)
	}
}
