package kind

import (
	"fmt"
	"net/url"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Organization is a customer, with the connections that its people log in through and
// the members who may configure something (facts §3.8). It is found by its name, which
// is unique on a tenant. Connections and members are shared collections with requests of
// their own: what others add stays, Okta's connections above all.
var organizations = collectionOf{
	path: "organizations", id: "id", title: "the organization",
	scopes: Scopes{
		Read:   []string{"read:organizations"},
		Create: []string{"create:organizations"},
		Update: []string{"update:organizations"},
		Delete: []string{"delete:organizations"},
	},
}

func organization() *Kind {
	return &Kind{
		Name: "Organization", Rank: 60, Scopes: organizations.scopes, List: organizations.all("organizations"),
		Observe: observeOrganization, Steps: organizationSteps, Losses: organizationLosses,
		Delete: deleteOrganization,
	}
}

func deleteOrganization(d Desired, o Observed) ([]Step, error) {
	s := organizations.deleteStep(d, o, Undo{
		Effect: NewID, How: "creates the organization again, under another id", Lost: []string{"its invitations, branding and grants, if any, don't come back"},
	})
	s.Changes = removed(d.Kind, without(s.Before, "members"))
	m := &membershipWriter{d: d, o: o}
	for _, e := range objects(s.Before["members"]) {
		if c := (Change{Path: m.label(text(e, "user")), Op: "remove", Before: e["user"]}); isMembership(e) {
			s.Changes = append(s.Changes, c)
		}
	}
	return []Step{s}, nil
}

// Members of Observed.Spec by which Steps finds what the manifest names.
const (
	connectionIDs        = "connection_ids"        // ids by name
	connectionStrategies = "connection_strategies" // by name
	userIDs              = "user_ids"              // ids by the manifest's word for a user
	userNames            = "user_names"            // e-mail addresses by id
	roleIDs              = "role_ids"              // ids, or references to them, by name
)

func observeOrganization(d Desired, v *View) (Observed, error) {
	name, ok := known(d.Spec, "name")
	if !ok {
		return Observed{Pending: d.Waiting}, nil
	}
	obj, ok := findOrganization(d, v, name)
	if !ok {
		return Observed{Pending: true}, nil
	}
	o := Observed{Exists: obj != nil, ID: text(obj, "id"), Object: obj, Spec: map[string]any{}}
	for _, f := range []string{"name", "display_name", "metadata"} {
		if obj[f] != nil {
			o.Spec[f] = obj[f]
		}
	}
	ready := true
	for field, observe := range map[string]func(Desired, *Observed, *View) (bool, error){"connections": observeConnections, "members": observeMembers} {
		if _, declared := d.Spec[field]; !declared && len(d.Record.Merged[field]) == 0 && !d.Removing {
			continue
		}
		ok, err := observe(d, &o, v)
		if err != nil {
			return Observed{}, err
		}
		ready = ready && ok // so that both ask at once
	}
	if !ready {
		return Observed{Pending: true}, nil
	}
	return o, nil
}

// findOrganization looks an organization up under its name, then under its former one.
func findOrganization(d Desired, v *View, name string) (obj map[string]any, ok bool) {
	names := []string{name}
	if d.Meta.RenamedFrom != "" {
		names = append(names, d.Meta.RenamedFrom)
	}
	if v.Many(d.Kind) {
		found, ok := findByName(v, names, func(string) Read {
			return Read{Path: organizations.path, List: "organizations", Scopes: organizations.scopes.Read, For: d.Address()}
		})
		if len(found) > 0 {
			obj = found[0]
		}
		return obj, ok
	}
	for _, n := range names {
		obj, ok = v.Object(Read{Path: "organizations/name/" + url.PathEscape(n), Scopes: organizations.scopes.Read, For: d.Address()})
		if !ok || obj != nil {
			return obj, ok
		}
	}
	return nil, true
}

func organizationSteps(d Desired, o Observed) ([]Step, error) {
	var steps []Step
	if !o.Exists {
		steps = append(steps, createOrganization(d, o))
	} else {
		if diff := compare(d, o); len(diff.changes) > 0 {
			if _, changes := diff.body["metadata"]; changes {
				diff.body["metadata"] = wholeMetadata(o.Spec["metadata"], diff.body["metadata"])
			}
			steps = append(steps, organizations.updateStep(d, o, diff, organizations.path, o.ID))
		}
		steps = append(steps, connectionSteps(d, o)...)
	}
	return append(steps, memberSteps(d, o)...), nil
}

// createOrganization brings its connections along: POST takes them (OAS).
func createOrganization(d Desired, o Observed) Step {
	b := body(d)
	if m, ok := b["metadata"].(map[string]any); ok {
		b["metadata"] = wholeMetadata(nil, m)
	}
	s := organizations.createStep(d, b)
	s.Merged = mergedIn(d)
	delete(s.Merged, "members") // they come by steps of their own
	delete(s.Merged, "connections")
	wanted := wantedConnections(d, o)
	if len(wanted) == 0 {
		return s
	}
	sent, list, names := manifest.Clone(b), make([]any, len(wanted)), make([]string, len(wanted))
	s.After = manifest.Clone(b)
	for i, c := range wanted {
		c, _ := c.(map[string]any)
		list[i], names[i] = connectionBody(c, nil), text(c, "connection")
	}
	sent["enabled_connections"] = list
	s.Request.Body = sent
	s.After["connections"] = wanted
	s.Changes = added(d.Kind, s.After)
	s.Scopes = append([]string{"create:organization_connections"}, s.Scopes...)
	s.Merged["connections"] = names
	return s
}

// wholeMetadata lays changes over the metadata that is there: Auth0 replaces it as a
// whole (REC-tf TestAccOrganization).
func wholeMetadata(have, changes any) map[string]any {
	out := map[string]any{}
	for _, m := range []any{have, changes} {
		keys, _ := m.(map[string]any)
		for k, v := range keys {
			out[k] = v
			if v == nil {
				delete(out, k)
			}
		}
	}
	return out
}

// organizationLosses: whoever knows the organization by its id loses it.
func organizationLosses(d Desired, o Observed, _ *View) ([]Notice, bool) {
	people := map[string]bool{}
	for _, m := range objects(o.Spec["members"]) {
		people[text(m, "user")] = true
	}
	return []Notice{{
		ID: "organization-lost", Address: d.Address(), Level: Refusal,
		Summary: fmt.Sprintf("Deleting the organization %q loses its id %s for good, and %s", text(o.Object, "name"), o.ID, count(len(people), "membership", "memberships")),
		Detail:  "Its people can no longer log in through it, and an application that keeps the id finds nothing under it. An organization made anew has another id.",
	}}, true
}
