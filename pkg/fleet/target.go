// Package fleet runs the pipeline for the tenants that a command addresses:
// manifests are resolved and expanded, the tenant is read, a plan is made, and a
// plan is carried out under the tenant's lock and journal.
//
// It does not know flags, terminals or formats; commands call it and show what it
// returns.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// Target is one tenant with what the manifests want of it.
type Target struct {
	// Tenant is the manifest's word on the tenant; its credentials must go nowhere.
	Tenant *manifest.Tenant
	// Resources are expanded and linked.
	Resources []*manifest.Resource
	// ManifestDigest identifies what they were made from.
	ManifestDigest string
	// Store keeps runs, locks and fingerprints.
	Store journal.Store
	// Now is the time that plans are made at.
	Now time.Time

	client *tenant.Tenant
}

// OpenAll opens several tenants. They share one transport; in the Targets' order is that
// of names. Where there are errors, some targets are nil.
func OpenAll(set *manifest.Set, names []string, in manifest.Inputs, store journal.Store, cfg tenant.Config) ([]*Target, manifest.Diagnostics) {
	if cfg.Transport == nil {
		cfg.Transport = tenant.NewTransport()
	}
	digest := set.Digest(in.Vars)
	ts, dss := make([]*Target, len(names)), make([]manifest.Diagnostics, len(names))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0)) // it is all computing
	for i, name := range names {
		g.Go(func() error {
			ts[i], dss[i] = open(set, digest, name, in, store, cfg)
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	return ts, slices.Concat(dss...).Sort()
}

// Open prepares a tenant for planning and applying. It sends nothing.
func Open(set *manifest.Set, name string, in manifest.Inputs, store journal.Store, cfg tenant.Config) (*Target, manifest.Diagnostics) {
	return open(set, set.Digest(in.Vars), name, in, store, cfg)
}

func open(set *manifest.Set, digest, name string, in manifest.Inputs, store journal.Store, cfg tenant.Config) (*Target, manifest.Diagnostics) {
	in.Expand = express.Expand
	t, rs, ds := set.Prepare(name, in)
	if ds.Errors() > 0 {
		return nil, ds
	}
	cfg.Name, cfg.Domain, cfg.Insecure, cfg.CAFile = t.Name, t.Domain, t.Insecure, t.CAFile
	cfg.Timeout, cfg.RateShare = t.Timeout, t.RateShare
	cfg.ClientID, cfg.ClientSecret, cfg.PrivateKey, cfg.Token = t.Auth.ClientID, t.Auth.ClientSecret, t.Auth.PrivateKey, t.Auth.Token
	client, err := tenant.Open(cfg)
	if err != nil {
		return nil, append(ds, manifest.Diagnostic{Severity: manifest.Error, Pos: t.Pos, Address: "Tenant/" + t.Name, Summary: err.Error()})
	}
	return &Target{Tenant: t, Resources: rs, ManifestDigest: digest, Store: store, Now: in.Now, client: client}, ds
}

// Client is the connection to the tenant.
func (t *Target) Client() *tenant.Tenant { return t.client }

// answers reads what is asked for; an optional read that is forbidden is answered with nil.
func (t *Target) answers(ctx context.Context, reads []kind.Read) (map[string]any, error) {
	var must, may []kind.Read
	for _, r := range reads {
		if r.Optional {
			may = append(may, r)
		} else {
			must = append(must, r)
		}
	}
	out, err := t.client.Read(ctx, must)
	if err != nil {
		return nil, err
	}
	for _, r := range may {
		a, err := t.client.Read(ctx, []kind.Read{r})
		if e := (*tenant.Error)(nil); errors.As(err, &e) && e.Status == http.StatusForbidden {
			a = map[string]any{r.Key(): nil}
		} else if err != nil {
			return nil, err
		}
		maps.Copy(out, a)
	}
	return out, nil
}

// PlanOptions say what a plan may do besides creating and updating what is declared.
type PlanOptions struct {
	// Mode is "", planner.Prune or planner.Destroy.
	Mode string
	// Force overrides refusals, and says so in the plan.
	Force bool
	// Policies are enforced on the plan, all of them.
	Policies []planner.Policy
	// SideBySide is how many tenants are worked on at once; 0 is DefaultSideBySide.
	SideBySide int
	// Refused are tenants that are not read, with the reason: it becomes their error.
	Refused Errs
	// Progress hears of each tenant's plan; nil tells nobody.
	Progress *Progress
}

// Plan reads the tenant and plans. Findings that stand in the way are returned as
// manifest.Diagnostics; what went wrong on the way as *tenant.Error.
func (t *Target) Plan(ctx context.Context, o PlanOptions) (planner.TenantPlan, error) {
	in, runs, err := t.input(ctx, o.Mode)
	if err != nil {
		return planner.TenantPlan{}, err
	}
	if err := t.checkReadScopes(in.Identity); err != nil {
		return planner.TenantPlan{}, err
	}
	view := &kind.View{}
	for {
		reads := planner.Reads(in, view)
		if len(reads) == 0 {
			break
		}
		answers, err := t.answers(ctx, reads)
		if err != nil {
			return planner.TenantPlan{}, err
		}
		view.Answer(answers)
	}
	p, ds := planner.Make(in, view)
	p.Flows = kind.Flows(t.Resources, view)
	for _, l := range unfinished(runs) {
		p.Notices = append(p.Notices, kind.Notice{
			ID: "interrupted-run", Level: kind.Warn, Summary: "The run " + l.Header.Run + " was interrupted",
			Detail: "apply asks the tenant what became of it and plans anew. To finish it as it was planned: ecplan resume. To take it back: ecplan rollback.",
		})
	}
	for _, l := range runs {
		if l.UnderWay != nil {
			p.Notices = append(p.Notices, kind.Notice{
				ID: "run-under-way", Level: kind.Warn, Summary: "The run " + l.Header.Run + " is under way, " + l.UnderWay.String(),
				Detail: "What it has not done yet counts here as a change. Plan again when it has ended.",
			})
		}
	}
	p.Mode, p.Forced = o.Mode, o.Force
	for i := range p.Notices {
		if n := &p.Notices[i]; o.Force && n.Level == kind.Refusal && n.Acknowledged == "" {
			n.Acknowledged = kind.ByForce
		}
	}
	for _, policy := range o.Policies {
		policy.Enforce(&p, t.Resources)
	}
	return p, ds.Err()
}

// input is what the plan is made from but the tenant's own state, and the runs on record
// that it was taken from, oldest first.
func (t *Target) input(ctx context.Context, mode string) (planner.Input, []*journal.Log, error) {
	id, err := t.client.Identity(ctx)
	if err != nil {
		return planner.Input{}, nil, err
	}
	runs, err := journal.Load(t.Store, t.Tenant.Name, t.Tenant.Domain)
	if err != nil {
		return planner.Input{}, nil, err
	}
	fingerprint, err := journal.Fingerprinter(t.Store)
	if err != nil && len(runs) > 0 {
		return planner.Input{}, nil, err
	}
	if err != nil { // without a run there is nothing to compare with; a plan needs no store
		fingerprint = func(string) string { return "" }
	}
	in := planner.Input{
		Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, Resources: t.Resources,
		Records: journal.Fold(runs), Fingerprint: fingerprint, Now: t.Now,
		Identity: planner.Identity{ClientID: id.ClientID, Scopes: id.Scopes, Known: id.Known},
	}
	if in.Last, err = t.last(runs); err != nil {
		return planner.Input{}, nil, err
	}
	switch mode {
	case planner.Prune:
		in.Remove, err = t.orphans(runs, in.Records)
	case planner.Destroy:
		if in.Remove, err = t.orphans(runs, in.Records); err == nil {
			t.destroy(&in)
		}
	}
	if mode == planner.Destroy {
		return in, runs, err // what the set-up lacks is of no interest any more
	}
	removed := in.Remove
	in.Notices = func(rs []*manifest.Resource, v *kind.View) []kind.Notice {
		return append(express.Notices(rs, v, removed), kind.Newcomers(rs, v, in.Last.Run, in.Last.Flows)...)
	}
	return in, runs, err
}

// last finds the newest run that did all that it planned and was not taken back.
func (t *Target) last(runs []*journal.Log) (planner.Last, error) {
	takenBack := map[string]bool{}
	for _, l := range slices.Backward(runs) {
		switch back := l.Header.RollsBack; {
		case back != "":
			takenBack[back] = true
		case !takenBack[l.Header.Run] && l.Outcome() == journal.OutcomeDone:
			past, err := executor.Load(t.Store, l.Header.Run)
			return planner.Last{Run: l.Header.Run, Declared: past.Plan.Declared, Flows: past.Plan.Flows}, err
		}
	}
	return planner.Last{}, nil
}

// checkReadScopes compares what planning will have to read with what the token allows,
// and names all that is missing at once, with what apply would lack besides.
func (t *Target) checkReadScopes(id planner.Identity) error {
	if !id.Known {
		return nil
	}
	reading, writing := map[string][]string{}, map[string][]string{}
	note := func(into map[string][]string, scopes []string, why string) {
		for _, s := range scopes {
			if !slices.Contains(id.Scopes, s) && !slices.Contains(into[s], why) {
				into[s] = append(into[s], why)
			}
		}
	}
	kinds := kind.All()
	for _, r := range t.Resources {
		k := kinds[r.Kind]
		note(reading, k.Scopes.Read, r.Address())
		if !r.Meta.Existing {
			note(writing, k.Scopes.Create, "create "+r.Address())
		}
		note(writing, k.Scopes.Update, "update "+r.Address())
		if _, keys := r.Spec["credentials"]; keys {
			note(reading, []string{"read:client_credentials"}, "the keys of "+r.Address())
			note(writing, []string{"create:client_credentials", "update:client_credentials"}, "the keys of "+r.Address())
		}
	}
	if len(reading) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the credentials of tenant %s may not read what planning needs. Grant the client these scopes of the Management API:", t.Tenant.Name)
	for _, s := range manifest.Keys(reading) {
		fmt.Fprintf(&b, "\n  %-26s to read %s", s, strings.Join(reading[s], ", "))
	}
	if len(writing) > 0 {
		fmt.Fprintf(&b, "\nand, to apply, as far as changes turn out to be needed:")
		for _, s := range manifest.Keys(writing) {
			fmt.Fprintf(&b, "\n  %-26s to %s", s, strings.Join(writing[s], ", "))
		}
	}
	return errors.New(b.String())
}

// secrets returns the sensitive values of the resources, by address and path.
func (t *Target) secrets() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, r := range t.Resources {
		if len(r.Secrets) > 0 {
			out[r.Address()] = r.Secrets
		}
	}
	return out
}
