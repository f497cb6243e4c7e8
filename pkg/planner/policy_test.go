package planner_test

import (
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// breaches are what a policy finds wrong with the steps and resources, a line each.
func breaches(po planner.Policy, steps []kind.Step, rs ...*manifest.Resource) string {
	p := planner.TenantPlan{Steps: steps}
	po.Enforce(&p, rs)
	var all []string
	for _, n := range p.Notices {
		all = append(all, n.ID+" "+n.Address+": "+n.Summary)
	}
	return strings.Join(all, "\n")
}

// TestDenyIsAboutObjects: to forbid that clients are deleted is not to forbid that the
// former key of one goes at the end of a rotation; that is an update of the client.
func TestDenyIsAboutObjects(t *testing.T) {
	key := kind.Step{ID: "Client/a#credential-k", Address: "Client/a", Part: "credential-k", Action: kind.Delete}
	whole := kind.Step{ID: "Client/a", Address: "Client/a", Action: kind.Delete}
	made := kind.Step{ID: "Client/a#credential-k", Address: "Client/a", Part: "credential-k", Action: kind.Create}
	for name, c := range map[string]struct {
		action kind.Verb
		step   kind.Step
		denied bool
	}{
		"delete: the object":   {kind.Delete, whole, true},
		"delete: a key of it":  {kind.Delete, key, false},
		"create: a key of it":  {kind.Create, made, false},
		"update: a key gone":   {kind.Update, key, true},
		"update: a key made":   {kind.Update, made, true},
		"update: the object":   {kind.Update, whole, false},
		"any: a key of it":     {"", key, true},
		"attach: a key of it":  {kind.Attach, key, false},
		"another kind's verbs": {kind.Bind, whole, false},
	} {
		got := breaches(planner.Policy{Deny: []planner.Denial{{Action: c.action, Kind: "Client"}}}, []kind.Step{c.step})
		if (got != "") != c.denied {
			t.Errorf("%s: denied should be %v; it says %q", name, c.denied, got)
		}
	}
}

// TestLifetimesOfTokens: each lifetime that an API is given counts, also the one that
// Auth0 gives to what is created without.
func TestLifetimesOfTokens(t *testing.T) {
	create := []kind.Step{{ID: "ResourceServer/a", Address: "ResourceServer/a", Action: kind.Create}}
	for name, c := range map[string]struct {
		spec  map[string]any
		steps []kind.Step
		want  string // "" for none
	}{
		"short":                  {map[string]any{"token_lifetime": 600.0, "token_lifetime_for_web": 600.0}, create, ""},
		"long":                   {map[string]any{"token_lifetime": 601.0}, nil, "601"},
		"long in browsers":       {map[string]any{"token_lifetime": 600.0, "token_lifetime_for_web": 602.0}, nil, "602"},
		"left to Auth0":          {map[string]any{}, create, "86400"},
		"not declared, not made": {map[string]any{}, nil, ""},
	} {
		r := &manifest.Resource{Kind: "ResourceServer", Name: "a", Spec: c.spec}
		got := breaches(planner.Policy{MaxTokenLifetime: 600}, c.steps, r)
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: want a breach about %q, got %q", name, c.want, got)
		}
	}
}
