package fleet

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// Lock makes this process the only one that writes to the tenant, until the returned
// function is called.
func (t *Target) Lock(who journal.Who, doing string, now time.Time) (unlock func() error, err error) {
	return t.Store.Lock(t.Tenant.Domain, journal.ThisProcess(journal.Owner{Who: who, Since: now, Doing: doing}))
}

// Refused says why a plan must not be applied: a refusal that nobody acknowledged, or
// scopes that the credentials lack. nil: nothing speaks against it.
func Refused(p planner.TenantPlan, id planner.Identity) error {
	var lines []string
	for _, n := range p.Notices {
		if n.Level == kind.Refusal && n.Acknowledged == "" {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s: %s: %s. %s", n.Address, n.ID, n.Summary, n.Detail)))
		}
	}
	missing := planner.MissingScopes(p.Steps, id)
	for _, scope := range manifest.Keys(missing) {
		lines = append(lines, fmt.Sprintf("the credentials lack %s, which is needed to %s", scope, strings.Join(missing[scope], ", ")))
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("the plan can't be applied, and nothing was changed:\n  %s", strings.Join(lines, "\n  "))
}

// Identity is whom the target's credentials stand for.
func (t *Target) Identity(ctx context.Context) (planner.Identity, error) {
	id, err := t.client.Identity(ctx)
	return planner.Identity{ClientID: id.ClientID, Scopes: id.Scopes, Known: id.Known}, err
}

// ApplyOptions say how a plan is carried out.
type ApplyOptions struct {
	// Tool is the version of ecplan; Who runs it.
	Tool string
	Who  journal.Who
	// RollsBack names the run that the plan takes back, "" for any other plan.
	RollsBack string
	// Rollout names the rollout that the run is part of, "" if it is of none.
	Rollout  string
	Parallel int
	Poll     executor.Poll
	// Hard ends what is in flight; see executor.Options.
	Hard     context.Context
	Progress func(executor.Event)
	Now      func() time.Time
}

// Apply carries the plan out under a new journal. The tenant's lock must be held. It
// returns an error only if nothing was begun; all else is in the outcome.
func (t *Target) Apply(ctx context.Context, p planner.TenantPlan, o ApplyOptions) (executor.Outcome, error) {
	id, err := t.Identity(ctx)
	if err != nil {
		return executor.Outcome{}, err
	}
	if err := Refused(p, id); err != nil {
		return executor.Outcome{}, err
	}
	fingerprint, err := journal.Fingerprinter(t.Store)
	if err != nil {
		return executor.Outcome{}, err
	}
	plan := &planner.Plan{Format: planner.Format, Tool: o.Tool, ManifestDigest: t.ManifestDigest, Tenants: []planner.TenantPlan{p}}
	plan.Seal()
	data, err := planner.Encode(plan)
	if err != nil {
		return executor.Outcome{}, err
	}
	run, err := journal.Begin(t.Store, journal.Header{
		Tool: o.Tool, Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, Who: o.Who,
		ManifestDigest: t.ManifestDigest, PlanChecksum: plan.Checksum, Steps: len(p.Steps), RollsBack: o.RollsBack, Rollout: o.Rollout,
	}, data, o.Now, rand.Reader)
	if err != nil {
		return executor.Outcome{}, fmt.Errorf("the run's journal can't be begun, so nothing was sent: %w", err)
	}
	out := executor.Apply(ctx, executor.Options{
		Plan: p, Tenant: t.client, Journal: run, Secrets: t.secrets(), Fingerprint: fingerprint,
		Parallel: o.Parallel, Poll: o.Poll, Hard: o.Hard, Progress: o.Progress, Now: o.Now,
	})
	if err := run.Close(); err != nil && out.Err == nil {
		out.Err = fmt.Errorf("close the run's journal: %w", err)
	}
	return out, nil
}
