package fleet

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// Verify reads the tenant and answers, check by check, whether Express Configuration
// can work there. It writes nothing. An error means that nothing could be checked.
func (t *Target) Verify(ctx context.Context, o express.LookOptions) (express.Report, error) {
	r, _, _, err := t.verify(ctx, o)
	return r, err
}

func (t *Target) verify(ctx context.Context, o express.LookOptions) (express.Report, express.Setup, *express.State, error) {
	setup := express.FindSetup(t.Resources)
	if len(setup.Apps) == 0 {
		return express.Report{}, setup, nil, errNoSetup
	}
	in, view, state, err := t.look(ctx, setup, o)
	if err != nil {
		return express.Report{}, setup, nil, err
	}
	p, problems := planner.Make(in, view)
	return express.Verify(express.Evidence{
		Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, Now: t.Now,
		Setup: setup, State: state, Steps: p.Steps, Problems: problems,
	}), setup, state, nil
}

// Handoff verifies the tenant and writes the letters to Okta.
func (t *Target) Handoff(ctx context.Context, h express.Handoff) ([]express.Mail, error) {
	r, setup, state, err := t.verify(ctx, express.LookOptions{})
	if err != nil {
		return nil, err
	}
	h.CustomDomain = t.Tenant.CustomDomain
	return h.Mails(setup, state, r)
}

// look reads what planning needs and what a set-up has around it. Only what planning
// needs must be readable.
func (t *Target) look(ctx context.Context, setup express.Setup, o express.LookOptions) (planner.Input, *kind.View, *express.State, error) {
	in, _, err := t.input(ctx, "")
	if err != nil {
		return in, nil, nil, err
	}
	if err := t.checkReadScopes(in.Identity); err != nil {
		return in, nil, nil, err
	}
	view := &kind.View{}
	for {
		needed := planner.Reads(in, view)
		state := express.Look(setup, view, o)
		all := view.Missing()
		if len(all) == 0 {
			return in, view, state, nil
		}
		answers, err := t.client.Read(ctx, needed)
		if err != nil {
			return in, nil, nil, err
		}
		asked := map[string]bool{}
		for _, r := range needed {
			asked[r.Key()] = true
		}
		var more []kind.Read
		for _, r := range all {
			if !asked[r.Key()] {
				more = append(more, r)
			}
		}
		if err := t.readMore(ctx, more, answers); err != nil {
			return in, nil, nil, err
		}
		view.Answer(answers)
	}
}

// readMore puts the answers to reads into answers; one that the tenant refuses for lack
// of scopes is answered with express.Refused.
func (t *Target) readMore(ctx context.Context, reads []kind.Read, answers map[string]any) error {
	got, err := t.client.Read(ctx, reads)
	if err != nil && !forbidden(err) {
		return err
	}
	if err == nil {
		for _, k := range manifest.Keys(got) {
			answers[k] = got[k]
		}
		return nil
	}
	for _, r := range reads {
		one, err := t.client.Read(ctx, []kind.Read{r})
		switch {
		case forbidden(err):
			answers[r.Key()] = express.Refused{}
		case err != nil:
			return err
		default:
			answers[r.Key()] = one[r.Key()]
		}
	}
	return nil
}

// forbidden reports whether a read failed for lack of scopes.
func forbidden(err error) bool {
	var e *tenant.Error
	return errors.As(err, &e) && e.Status == http.StatusForbidden
}

// VerifyAll verifies each target. What stands in the way of one is its report's error,
// not the end of the others'.
func VerifyAll(ctx context.Context, ts []*Target, o express.LookOptions) []express.Report {
	out := make([]express.Report, len(ts))
	var g errgroup.Group
	g.SetLimit(DefaultSideBySide)
	for i, t := range ts {
		g.Go(func() error {
			r, err := t.Verify(ctx, o)
			if err != nil {
				r = express.Report{Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, At: t.Now.UTC(), Error: err.Error()}
			}
			out[i] = r
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
	return out
}
