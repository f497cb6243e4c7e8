package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/express/rehearse"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// RehearseOptions say what to rehearse.
type RehearseOptions struct {
	// Live rehearses what the tenant has; otherwise the tenant is not asked, and the
	// manifests are applied to a simulated one.
	Live bool
	// Organization is the organization whose name and metadata the rehearsal's customer
	// has; "" makes one up. Metadata, if not nil, is its metadata instead.
	Organization string
	Metadata     map[string]any
	// AppMetadata is that of the admin.
	AppMetadata map[string]any
	// Secrets are values of Actions' secrets that are not at hand otherwise, by name.
	Secrets map[string]string
	// Names, if not nil, takes the names of all secrets that the Actions have.
	Names map[string]bool
}

// Misnamed says which of Secrets is that of no Action, once all tenants gave their Names.
func (o *RehearseOptions) Misnamed() error {
	for _, name := range manifest.Keys(o.Secrets) {
		if o.Names[name] {
			continue
		}
		there := "None has any"
		if len(o.Names) > 0 {
			there = "There are " + strings.Join(manifest.Keys(o.Names), ", ")
		}
		return fmt.Errorf("--secret %s: no rehearsed Action has a secret of that name. %s", name, there)
	}
	return nil
}

// Offline makes a target that is never asked anything: no credentials are needed.
func Offline(set *manifest.Set, name string, in manifest.Inputs) (*Target, manifest.Diagnostics) {
	in.SyntaxOnly = true
	in.Expand = express.Expand
	t, rs, ds := set.Prepare(name, in)
	if ds.Errors() > 0 {
		return nil, ds
	}
	return &Target{Tenant: t, Resources: rs, ManifestDigest: set.Digest(in.Vars), Now: in.Now}, ds
}

// Rehearse plays Express Configuration on a simulated tenant that answers for t's
// domain. Nothing is written to the real one.
func (t *Target) Rehearse(ctx context.Context, o RehearseOptions) (rehearse.Transcript, error) {
	setup := express.FindSetup(t.Resources)
	if len(setup.Apps) == 0 {
		return rehearse.Transcript{}, errNoSetup
	}
	script := rehearse.Script{
		Tenant: t.Tenant.Name, Source: "the manifests, applied to a simulated tenant", Now: t.Now,
		Metadata: o.Metadata, AppMetadata: o.AppMetadata, OrganizationName: o.Organization,
	}
	keys := make([]string, len(setup.Apps)) // why there is none to sign in with
	resources, seed := t.Resources, rehearse.Seed(nil)
	values := &rehearse.Values{Given: o.Secrets, Names: o.Names}
	if o.Live {
		_, _, state, err := t.look(ctx, setup, express.LookOptions{Organization: o.Organization})
		if err != nil {
			return rehearse.Transcript{}, err
		}
		seed = rehearse.AsIs(setup, state, values)
		script.Source = "the tenant as it is"
		for i, app := range setup.Apps {
			keys[i] = state.Apps[i].WithoutKey(app, t.Now)
		}
		if o.Organization != "" {
			i := slices.IndexFunc(state.Organizations.Value, func(g express.Organization) bool { return g.Name == o.Organization })
			if i < 0 {
				return rehearse.Transcript{}, fmt.Errorf("the tenant has no organization %q", o.Organization)
			}
			if script.Metadata == nil {
				script.Metadata = state.Organizations.Value[i].Metadata
			}
		}
	} else {
		resources = rehearse.StandIn(t.Resources, values)
		seed = rehearse.Before(resources)
	}
	script.Notes = values.Notes
	script.Notes = append(script.Notes,
		"The people, their directory and their organization are the rehearsal's own, and so is the key that Okta signs in with.",
		"The exact requests that Okta sends are not public; these need the same scopes and claims.")
	stage, err := rehearse.NewStage(t.Tenant.Domain, seed)
	if err != nil {
		return rehearse.Transcript{}, err
	}
	defer stage.Close() //nolint:errcheck // it goes with the process in any case
	stage.LoginDomain = t.Tenant.CustomDomain
	setup = express.FindSetup(resources)
	state, err := t.dress(ctx, stage, setup, resources, !o.Live)
	if err != nil {
		return rehearse.Transcript{}, err
	}
	if setup.Role != nil {
		script.Role, _ = setup.Role.Spec["name"].(string)
	}
	for i, app := range setup.Apps {
		part := rehearse.Part{Name: app.Name, Client: state.Found(app.Client).ID, AppID: state.Found(app.App).ID, Key: keys[i]}
		part.SCIM = app.Provisions()
		part.Scopes, part.Needed = express.AskedScopes(part.SCIM), express.NeededScopes(part.SCIM)
		part.LoginURL = app.LoginURL(part.AppID)
		script.Parts = append(script.Parts, part)
		if !o.Live && app.Client.Spec["credentials"] == nil {
			script.Notes = append(script.Notes, app.Name+" has no key from Okta yet (oin_client.public_key).")
		}
	}
	return rehearse.Play(ctx, stage, script)
}

var errNoSetup = errors.New("the manifests hold no Express Configuration for this tenant: add a document of kind ExpressConfiguration")

// dress applies the resources to the stage, if that is wanted, by the code that applies
// them to real tenants, and looks at what it holds then.
func (t *Target) dress(ctx context.Context, stage *rehearse.Stage, setup express.Setup, rs []*manifest.Resource, apply bool) (*express.State, error) {
	dir, err := os.MkdirTemp("", "ecplan-rehearsal-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder; the system clears what is left
	store, err := journal.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	client, err := tenant.Open(tenant.Config{Name: t.Tenant.Name, Domain: t.Tenant.Domain, Token: stage.Token, Transport: stage.Transport()})
	if err != nil {
		return nil, err
	}
	double := &Target{Tenant: t.Tenant, Resources: rs, ManifestDigest: t.ManifestDigest, Store: store, Now: t.Now, client: client}
	if apply {
		if err := double.applyAll(ctx); err != nil {
			return nil, fmt.Errorf("the manifests can't be applied to the simulated tenant: %w", err)
		}
	}
	view := &kind.View{}
	for {
		state := express.Look(setup, view, express.LookOptions{})
		missing := view.Missing()
		if len(missing) == 0 {
			return state, nil
		}
		answers, err := client.Read(ctx, missing)
		if err != nil {
			return nil, err
		}
		view.Answer(answers)
	}
}

// applyAll plans and applies in one go.
func (t *Target) applyAll(ctx context.Context) error {
	p, err := t.Plan(ctx, PlanOptions{})
	if err != nil {
		return err
	}
	out, err := t.Apply(ctx, p, ApplyOptions{
		Tool: "rehearsal", Poll: executor.Poll{First: time.Millisecond, Max: 50 * time.Millisecond, Limit: time.Minute, Factor: 2},
		Hard: ctx, Now: time.Now,
	})
	if err != nil {
		return err
	}
	if out.OK() {
		return nil
	}
	for _, s := range out.Steps {
		if s.Err != nil {
			return fmt.Errorf("%s: %w", s.ID, s.Err)
		}
	}
	return out.Err
}
