package kind

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// Client is an application with the public keys that it signs in with (facts §3.3,
// §3.4). Names are not unique on a tenant: a client is found by client_id where one
// is given, else by name, narrowed by app type and metadata.
var clients = collectionOf{
	path: "clients", id: "client_id", title: "the client",
	scopes: Scopes{
		Read:   []string{"read:clients"},
		Create: []string{"create:clients"},
		Update: []string{"update:clients"},
		Delete: []string{"delete:clients"},
	},
}

func client() *Kind {
	return &Kind{
		Name: "Client", Rank: 30, Scopes: clients.scopes, List: clientList(), Line: clientLine,
		Pin: "client_id", Observe: observeClient, Found: foundClient, Restore: restoreClient, Losses: clientLosses,
		Steps:   clientSteps,
		Notices: clientNotices,
		Delete: func(d Desired, o Observed) ([]Step, error) {
			return []Step{deleteClient(d, o)}, nil
		},
	}
}

func observeClient(d Desired, v *View) (Observed, error) {
	found, ok, err := findClient(d, v)
	if !ok || err != nil {
		return Observed{Pending: !ok}, err
	}
	if found == nil {
		return Observed{}, nil
	}
	id := text(found, "client_id")
	spec := manifest.Clone(found)
	_, declared := d.Spec["credentials"]
	if declared || leavesKeys(d, found) {
		pool, ok := v.Items(Read{Path: "clients/" + url.PathEscape(id) + "/credentials", List: "[]", Scopes: []string{"read:client_credentials"}, For: d.Address()})
		if !ok {
			return Observed{Pending: true}, nil
		}
		attached, spare := []any{}, []any{}
		ids := attachedIDs(found)
		for _, c := range pool {
			if slices.Contains(ids, text(c, "id")) {
				attached = append(attached, c)
			} else {
				spare = append(spare, c)
			}
		}
		spec["credentials"], spec["spare_credentials"] = attached, spare
	}
	return Observed{Exists: true, ID: id, Object: found, Spec: spec}, nil
}

// clientList reads all clients: Auth0 has no filter by name (facts §3.3).
func clientList() Read {
	return Read{Path: "clients", Query: "is_global=false", List: "clients", Scopes: clients.scopes.Read}
}

// findClient looks a client up; ok is false while an answer is missing.
func findClient(d Desired, v *View) (found map[string]any, ok bool, err error) {
	id, byID := known(d.Spec, "client_id")
	if byID && !v.Many(d.Kind) {
		obj, ok := v.Object(Read{Path: "clients/" + url.PathEscape(id), Scopes: clients.scopes.Read, For: d.Address()})
		return obj, ok, nil
	}
	// The global client, which stands for the tenant, bears a name as well.
	real := func(c map[string]any) bool { return c["global"] != true }
	if byID {
		found, ok := v.Where(clientList(), "client_id", id)
		if found = filter(found, real); len(found) == 0 {
			return nil, ok, nil
		}
		return found[0], true, nil
	}
	name, given := known(d.Spec, "name")
	if d.Waiting && (!given || len(manifest.Refs(d.Match)) > 0) {
		return nil, false, nil
	}
	fits := func(c map[string]any) bool { return real(c) && !contradicts(c, d.Match) }
	named, ok := v.Where(clientList(), "name", name)
	if !ok {
		return nil, false, nil
	}
	if own := matching(d, v); len(own) == 1 {
		return own[0], true, nil // whatever its name has become
	}
	if named = filter(named, fits); len(named) == 0 && d.Meta.RenamedFrom != "" {
		former, _ := v.Where(clientList(), "name", d.Meta.RenamedFrom)
		named = filter(former, fits)
	}
	if len(named) > 1 {
		for path, want := range d.Match {
			named = narrow(named, func(c map[string]any) bool { return at(c, path) == want })
		}
		if t, ok := known(d.Spec, "app_type"); ok {
			named = narrow(named, func(c map[string]any) bool { return text(c, "app_type") == t })
		}
		if m, ok := d.Spec["client_metadata"].(map[string]any); ok {
			named = narrow(named, func(c map[string]any) bool {
				have, _ := c["client_metadata"].(map[string]any)
				for k, v := range m {
					if have[k] != v {
						return false
					}
				}
				return true
			})
		}
	}
	switch len(named) {
	case 0:
		return nil, true, nil
	case 1:
		return named[0], true, nil
	}
	lines := make([]string, len(named))
	for i, c := range named {
		lines[i] = clientLine(c)
	}
	return nil, true, &Ambiguous{
		What: fmt.Sprintf("clients named %q", name), Found: lines,
		Hint: "Give client_id to say which one is meant. Client names are not unique in Auth0, and ecplan never makes a second one by guessing.",
	}
}

// matching returns the clients that have all that d is told apart by. Without such
// there are none.
func matching(d Desired, v *View) []map[string]any {
	if len(d.Match) == 0 {
		return nil
	}
	all, _ := v.Items(clientList())
	return filter(all, func(c map[string]any) bool {
		for path, want := range d.Match {
			if !manifest.Known(want) || at(c, path) != want {
				return false
			}
		}
		return true
	})
}

// clientLine shows a client to people who must choose one.
func clientLine(c map[string]any) string {
	t := text(c, "app_type")
	if t == "" {
		t = "no type"
	}
	return fmt.Sprintf("%q (client_id %s, %s)", text(c, "name"), text(c, "client_id"), t)
}

func deleteClient(d Desired, o Observed) Step {
	s := clients.deleteStep(d, o, Undo{Effect: None, How: "the client's id, secret and keys are gone for good"})
	s.Changes = removed(d.Kind, without(s.Before, "credentials"))
	for _, c := range objects(s.Before["credentials"]) {
		s.Changes = append(s.Changes, Change{Path: "credentials[" + text(c, "name") + "]", Op: "remove", Before: shownCredential(c, text(c, "kid"))})
	}
	return s
}

// attachedIDs lists the credentials that a client signs in with. GET gives their
// ids only (facts §3.3).
func attachedIDs(c map[string]any) []string {
	var out []string
	for _, cred := range objects(dig(c, "client_authentication_methods", "private_key_jwt", "credentials")) {
		out = append(out, text(cred, "id"))
	}
	return out
}

func clientSteps(d Desired, o Observed) ([]Step, error) {
	declared, managed := d.Spec["credentials"].([]any)
	if id, given := known(d.Spec, "client_id"); given && !o.Exists {
		return nil, fmt.Errorf("the tenant has no client with the client_id %s, and Auth0 chooses the id of a new one itself. Correct it, or leave client_id out to create the client", id)
	}
	if !o.Exists {
		b := body(d)
		s := clients.createStep(d, b)
		s.Merged = mergedIn(d)
		s.Twins = &Twins{Read: clientList(), Where: map[string]any{"name": d.Spec["name"]}, Pick: "client_id"}
		if managed {
			inline := make([]any, len(declared))
			for i, c := range objects(declared) {
				inline[i] = credentialBody(c)
				kid, err := kidOf(c)
				if err != nil {
					return nil, err
				}
				s.Merged[recordedKeys] = append(s.Merged[recordedKeys], kid)
			}
			b["client_authentication_methods"] = map[string]any{"private_key_jwt": map[string]any{"credentials": inline}}
			s.Scopes = append([]string{"create:client_credentials"}, s.Scopes...)
			s.After = manifest.Clone(b)
			delete(s.After, "client_authentication_methods")
			s.After["credentials"] = declared
			changes, err := credentialChanges(declared)
			if err != nil {
				return nil, err
			}
			s.Changes = append(added(d.Kind, without(b, "client_authentication_methods")), changes...)
		}
		s.Undo.How = "deletes the client; its client_id is then gone for good"
		return []Step{s}, nil
	}
	if leavesKeys(d, o.Object) {
		return leaveKeys(d, o)
	}
	var steps []Step
	if diff := compare(d, o); len(diff.changes) > 0 {
		steps = append(steps, clients.updateStep(d, o, diff, clients.path, o.ID))
	}
	if !managed {
		return steps, nil
	}
	more, err := credentialSteps(d, o)
	return append(steps, more...), err
}

func without(m map[string]any, name string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if k != name {
			out[k] = v
		}
	}
	return out
}
