package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// Make compares in with the answers in v and returns the tenant's plan. v must have
// all answers (see Reads). Diagnostics are findings that stand in the way of a plan;
// with an error among them the plan is not to be used.
func Make(in Input, v *kind.View) (TenantPlan, manifest.Diagnostics) {
	p := TenantPlan{Tenant: in.Tenant, Domain: in.Domain, Observed: map[string]string{}}
	states := observe(in, v)
	var ds manifest.Diagnostics
	fail := func(s *state, err error) {
		ds = append(ds, diagnose(s.desired.Resource, err))
	}
	owners, flows := map[string]string{}, chains{}
	var steps []kind.Step
	kept := objectsOf(states, in.NoCreate)
	for _, s := range states {
		address := s.desired.Address()
		if s.desired.Removing != in.NoCreate && s.found.Exists && kept[objectKey(s)] {
			continue // the same object under its former address
		}
		if s.err != nil {
			fail(s, s.err)
			continue
		}
		if s.found.Exists && s.found.ID != "" && !s.desired.Meta.Existing {
			key := s.desired.Kind + " " + s.found.ID
			if other, taken := owners[key]; taken {
				fail(s, fmt.Errorf("%s and %s describe the same object of the tenant (%s). Declare it once, or tell the two apart by name or client_id", other, address, s.found.ID))
				continue
			}
			owners[key] = address
		}
		p.Observed[address] = observedDigest(s)
		p.Notices = append(p.Notices, s.losses...)
		if s.kind.Notices != nil {
			p.Notices = append(p.Notices, s.kind.Notices(s.desired, s.found)...)
		}
		if s.desired.Meta.Existing && lookupOnly(s) && !s.desired.Removing || in.NoCreate && !s.found.Exists {
			continue
		}
		more, err := flows.steps(s, in)
		if err != nil {
			fail(s, err)
			continue
		}
		if len(more) > 0 && in.Identity.ClientID != "" && s.found.ID == in.Identity.ClientID {
			fail(s, fmt.Errorf("this is the client that ecplan signs in as (%s); it is never changed by a plan, for a mistake would lock everybody out. Change it by hand, or sign in as another client", s.found.ID))
			continue
		}
		if len(more) > 0 && s.found.Exists && in.Identity.ClientID != "" && s.found.Spec["client_id"] == in.Identity.ClientID && s.desired.Kind != "Client" {
			fail(s, fmt.Errorf("it belongs to the client that ecplan signs in as (%s), and is never changed by a plan, for a mistake would lock everybody out. Change it by hand, or sign in as another client", in.Identity.ClientID))
			continue
		}
		steps = append(steps, more...)
	}
	finish, more := flows.finish(states, v)
	ds = append(ds, more...)
	steps = append(steps, finish...)
	for i := range steps {
		steps[i].Digest = p.Observed[steps[i].Address]
	}
	p.Declared, p.Since = declared(states), in.Last.Run
	link(steps, states)
	if in.NoCreate {
		tellTakenBack(steps, states)
	} else {
		tellCauses(steps, states, p.Declared, in.Last)
	}
	linkRemovals(steps, states)
	LetGoFirst(steps)
	irreversibleLast(steps)
	MarkLost(steps)
	if p.Steps = Sequence(steps, byRank(steps, states)); len(p.Steps) < len(steps) {
		ds = append(ds, circle(steps, p.Steps))
	}
	p.Unchanged = unchanged(states, steps)
	p.EqualSecrets = equalSecrets(states)
	guards, refused := guardRemovals(states, steps, v)
	p.Notices, ds = append(p.Notices, guards...), append(ds, refused...)
	p.Notices = append(p.Notices, whatStays(in, states)...)
	p.Notices = append(p.Notices, scopeNotices(in, p.Steps)...)
	if in.Notices != nil {
		p.Notices = append(p.Notices, in.Notices(in.Resources, v)...)
	}
	p.Notices = acknowledge(p.Notices, in.Resources)
	return p, ds.Sort()
}

// objectsOf collects the objects that are declared; in a plan that only removes, those
// that go. An object may stand under a former address as well, and counts once.
func objectsOf(states []*state, removing bool) map[string]bool {
	out := map[string]bool{}
	for _, s := range states {
		if s.found.Exists && s.found.ID != "" && s.desired.Removing == removing {
			out[objectKey(s)] = true
		}
	}
	return out
}

func objectKey(s *state) string { return s.desired.Kind + " " + s.found.ID }

// lookupOnly reports whether a resource says no more than how to find its object.
func lookupOnly(s *state) bool {
	for _, f := range manifest.Keys(s.desired.Spec) {
		if f != "name" && f != "client_id" && f != "identifier" {
			return false
		}
	}
	return true
}

// observedDigest identifies what the plan used of an object: its id and the declared fields.
func observedDigest(s *state) string {
	if !s.found.Exists {
		return ""
	}
	used, rules := map[string]any{}, schemas.Rules(s.desired.Kind)
	for f, want := range s.desired.Spec {
		used[f] = s.found.Spec[f]
		if rule := rules.Field(f); rule != nil && rule.MergeMap { // of what is shared, the declared keys
			have, _ := s.found.Spec[f].(map[string]any)
			keys, _ := want.(map[string]any)
			of := map[string]any{}
			for k := range keys {
				of[k] = have[k]
			}
			used[f] = of
		}
	}
	for _, f := range []string{"bindings", "spare_credentials", "all_changes_deployed", "deployed_version"} {
		if v, ok := s.found.Spec[f]; ok {
			used[f] = v
		}
	}
	return Digest([]any{s.found.ID, used})
}

// circle reports steps that wait for each other. Manifests can't make them do so, for
// references are free of circles: it is a mistake in a kind, and nothing is planned.
func circle(all, placed []kind.Step) manifest.Diagnostic {
	var ids []string
	for _, s := range all {
		if !slices.ContainsFunc(placed, func(p kind.Step) bool { return p.ID == s.ID }) {
			ids = append(ids, s.ID)
		}
	}
	return manifest.Diagnostic{
		Severity: manifest.Error, Summary: "some steps wait for each other: " + strings.Join(ids, ", "),
		Detail: "This is a mistake in ecplan. Please report it with the manifest; nothing was changed.",
	}
}

func diagnose(r *manifest.Resource, err error) manifest.Diagnostic {
	summary, detail, _ := strings.Cut(err.Error(), "\n")
	return manifest.Diagnostic{Severity: manifest.Error, Pos: r.Pos, Address: r.Address(), Summary: summary, Detail: detail}
}

// equalSecrets finds the sensitive values that occur twice, without telling them.
func equalSecrets(states []*state) map[string]string {
	first, out := map[string]string{}, map[string]string{}
	for _, s := range states {
		manifest.Walk(s.desired.Spec, func(v any) {
			path, ok := manifest.AsSecret(v)
			value, known := s.desired.Secrets[path]
			if !ok || !known {
				return
			}
			id := s.desired.Address() + " " + path
			if other, seen := first[value]; !seen {
				first[value] = id
			} else if other != id {
				out[id] = other
			}
		})
	}
	return out
}

// unchanged lists the addresses that no step touches.
func unchanged(states []*state, steps []kind.Step) []string {
	touched := map[string]bool{}
	for _, s := range steps {
		touched[s.Address] = true
	}
	var out []string
	for _, s := range states {
		if a := s.desired.Address(); s.err == nil && !touched[a] && !s.desired.Removing {
			out = append(out, a)
		}
	}
	return out
}

// The notices about what the credentials may do.
const (
	scopesMissing = "scopes-missing"
	scopesUnknown = "token-scopes-unknown"
)

// scopeNotices compares the scopes that the steps need with those that the token has.
func scopeNotices(in Input, steps []kind.Step) []kind.Notice {
	if len(steps) == 0 {
		return nil
	}
	if !in.Identity.Known {
		return []kind.Notice{{
			ID: scopesUnknown, Level: kind.Info,
			Summary: "The scopes of the access token can't be read, so they are not checked beforehand",
			Detail:  "The token is opaque. If a scope is missing, Auth0 refuses the request and the run is taken back.",
		}}
	}
	missing := MissingScopes(steps, in.Identity)
	if len(missing) == 0 {
		return nil
	}
	return []kind.Notice{{
		ID: scopesMissing, Level: kind.Warn,
		Summary: "The credentials lack " + strings.Join(manifest.Keys(missing), ", "),
		Detail:  scopeDetail(missing) + "Grant them to the client that ecplan signs in as; apply refuses to begin without them.",
	}}
}

// MissingScopes returns the scopes that steps need and the token lacks, each with
// the steps that need it.
func MissingScopes(steps []kind.Step, id Identity) map[string][]string {
	out := map[string][]string{}
	if !id.Known {
		return out
	}
	for _, s := range steps {
		for _, scope := range s.Scopes {
			if !slices.Contains(id.Scopes, scope) {
				out[scope] = append(out[scope], fmt.Sprintf("%s %s", s.Action, s.ID))
			}
		}
	}
	return out
}

func scopeDetail(missing map[string][]string) string {
	var b strings.Builder
	for _, scope := range manifest.Keys(missing) {
		fmt.Fprintf(&b, "%s is needed to %s.\n", scope, strings.Join(missing[scope], ", "))
	}
	return b.String()
}

// acknowledge notes the reasons that manifests give for accepting notices. A notice
// of no resource can be acknowledged by any.
func acknowledge(notices []kind.Notice, rs []*manifest.Resource) []kind.Notice {
	for i := range notices {
		n := &notices[i]
		for _, r := range rs {
			if reason, ok := r.Meta.Acknowledge[n.ID]; ok && (n.Address == "" || n.Address == r.Address() || n.Address == r.From) {
				n.Acknowledged = reason
			}
		}
	}
	slices.SortStableFunc(notices, func(a, b kind.Notice) int {
		return strings.Compare(a.ID+" "+a.Address, b.ID+" "+b.Address)
	})
	return notices
}
