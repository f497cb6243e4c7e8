package fleet

import (
	"context"
	"fmt"
	"strings"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/planner"
)

// AsDeclared looks whether the tenant is as declared: nil, or what is not. Where there
// is an Express Configuration, its set-up is verified besides.
func (t *Target) AsDeclared(ctx context.Context, o PlanOptions) error {
	p, err := t.Plan(ctx, o)
	if err != nil {
		return err
	}
	if len(p.Steps) > 0 {
		var what []string
		for _, s := range p.Steps {
			what = append(what, fmt.Sprintf("%s (%s: %s)", s.ID, s.Action, s.Reason))
		}
		return fmt.Errorf("the tenant is not as declared; a plan would have %d more steps: %s", len(p.Steps), strings.Join(what, ", "))
	}
	if len(express.FindSetup(t.Resources).Apps) == 0 || o.Mode == planner.Destroy {
		return nil
	}
	r, err := t.Verify(ctx, express.LookOptions{})
	if err != nil {
		return err
	}
	var what []string
	for _, c := range r.Broken() {
		what = append(what, fmt.Sprintf("%s: %s (found %s)", c.ID, c.Title, c.Found))
	}
	if len(what) > 0 {
		return fmt.Errorf("verify finds the set-up broken: %s. 'ecplan verify --tenant %s' tells more", strings.Join(what, "; "), t.Tenant.Name)
	}
	return nil
}

// checksum covers what a tenant's plan does and was made from.
func checksum(p planner.TenantPlan) string {
	plan := planner.Plan{Tenants: []planner.TenantPlan{p}}
	plan.Seal()
	return plan.Tenants[0].Checksum
}
