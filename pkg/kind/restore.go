package kind

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// restoreClient takes back what a run did to a client. done are its steps in the
// order in which they ran, o is the state now.
func restoreClient(d Desired, o Observed, done []Step) ([]Step, error) {
	var steps []Step
	attached, spare := objects(o.Spec["credentials"]), objects(o.Spec["spare_credentials"])
	pool := append(append([]map[string]any{}, attached...), spare...)
	inUse := kids(attached)
	for i := len(done) - 1; i >= 0; i-- {
		s := done[i]
		switch {
		case s.Part == "" && s.Action == Create:
			return []Step{deleteClient(d, o)}, nil
		case s.Part == "":
			plain := d
			plain.Spec = without(d.Spec, "credentials")
			more, err := clientSteps(plain, o)
			if err != nil {
				return nil, err
			}
			steps = append(steps, more...)
		case s.Part == "credentials":
			if step, differs := reattach(d, o, s, attached, pool); differs {
				steps = append(steps, step)
				inUse = nil
				for _, kid := range listOf(step.After["credentials"]) {
					inUse = append(inUse, fmt.Sprint(kid))
				}
			}
		case s.Action == Create:
			if have := byKid(pool, text(s.After, "kid")); have != nil && !slices.Contains(inUse, text(have, "kid")) {
				steps = append(steps, deleteCredential(d, o, have, "the run added this key"))
			}
		case s.Action == Update && s.Before["expires_at"] != nil:
			if have := byKid(pool, text(s.Before, "kid")); have != nil {
				step, differs := expiryStep(d, o, map[string]any{"expires_at": s.Before["expires_at"]}, have, text(s.Before, "kid"))
				if differs {
					step.Reason = "puts the key's former expiry back"
					steps = append(steps, step)
				}
			}
		}
	}
	return steps, nil
}

// reattach makes the write after which the client signs in as before the step s: with
// those of its former keys that are still on record, or with a secret.
func reattach(d Desired, o Observed, s Step, attached, pool []map[string]any) (Step, bool) {
	list, back := []any{}, []string{}
	for _, kid := range listOf(s.Before["credentials"]) {
		if have := byKid(pool, fmt.Sprint(kid)); have != nil {
			list, back = append(list, map[string]any{"id": have["id"]}), append(back, text(have, "kid"))
		}
	}
	if sameSet(back, kids(attached)) {
		return Step{}, false
	}
	if len(back) == 0 && len(listOf(s.Before["credentials"])) > 0 {
		return Step{}, false // the former keys are gone for good: the present one stays, for nobody could sign in without it
	}
	step := newStep(d, o, "credentials", Attach, "lets the client sign in as before")
	body := map[string]any{"client_authentication_methods": map[string]any{"private_key_jwt": map[string]any{"credentials": list}}}
	if len(listOf(s.Before["credentials"])) == 0 { // it signed in with a secret (facts, recorded §2)
		body = map[string]any{"client_authentication_methods": nil}
		if method := text(s.Before, "token_endpoint_auth_method"); method != "" {
			body["token_endpoint_auth_method"] = method
		}
	}
	step.Request = Request{Method: "PATCH", Path: []any{clients.path, o.ID}, Body: body}
	step.Scopes = []string{"update:client_credentials", "update:clients"}
	step.Before = map[string]any{"credentials": anyList(kids(attached))}
	step.After = map[string]any{"credentials": anyList(back)}
	step.Changes = []Change{{Path: "credentials", Op: "change", Before: step.Before["credentials"], After: step.After["credentials"], Set: true}}
	step.Undo = Undo{Effect: Exact, How: "attaches the keys again"}
	return step, true
}

// clientLosses: whoever was given the client's id can't use it any more.
func clientLosses(d Desired, o Observed, _ *View) ([]Notice, bool) {
	who := "Whoever was given its client_id can no longer sign in with it"
	if oin, _ := at(o.Object, "client_metadata.express_configure_sp_client_id").(string); oin != "" {
		who = "If its client_id was handed to Okta, Express Configuration stops working for every customer until Okta has a new one"
	}
	return []Notice{{
		ID: "client-id-lost", Address: d.Address(), Level: Refusal,
		Summary: fmt.Sprintf("Deleting the client %q loses its client_id %s for good", text(o.Object, "name"), o.ID),
		Detail:  who + ". A client made anew has another id.",
	}}, true
}

// roleLosses: the users who have the role lose it, and nobody knows any more who had it.
// Reading a role's users needs read:users and read:roles (facts §3.2).
func roleLosses(d Desired, o Observed, v *View) ([]Notice, bool) {
	answer, ok := v.Get(Read{
		Path: "roles/" + url.PathEscape(o.ID) + "/users", Query: url.Values{"include_totals": {"true"}, "per_page": {"1"}}.Encode(),
		Scopes: []string{"read:users"}, Optional: true, For: d.Address(),
	})
	if !ok {
		return nil, false
	}
	n := Notice{
		ID: "role-members-lost", Address: d.Address(), Level: Refusal,
		Detail: "A role made anew has another id and no members; who had it is on no record.",
	}
	page, _ := answer.(map[string]any)
	switch total, known := page["total"].(float64); {
	case !known:
		n.Summary = fmt.Sprintf("Deleting the role %q takes it from the users who have it, and whether any do can't be read", text(o.Object, "name"))
		n.Detail += " The credentials lack read:users."
	case total == 0:
		return nil, true
	default:
		n.Summary = fmt.Sprintf("Deleting the role %q takes it from the %s", text(o.Object, "name"), count(int(total), "user who has it", "users who have it"))
	}
	return []Notice{n}, true
}

// Former returns what the object of steps, all of one address, is to be once they are
// taken back: the fields as the steps found them, and what they added to shared
// collections as something that is to go.
func (k *Kind) Former(again Desired, steps []Step) Desired {
	spec := map[string]any{}
	merged := map[string][]string{}
	for _, s := range steps {
		for f, v := range s.Key {
			spec[f] = v
		}
	}
	for i := len(steps) - 1; i >= 0; i-- { // what was first found is what counts
		s := steps[i]
		for f, v := range s.Before {
			rule := schemas.Rules(k.Name).Properties[f]
			if rule == nil || v == nil && !clearable(rule) {
				continue
			}
			if !shared(rule) {
				spec[f] = v
				continue
			}
			elements := keyed(rule, v)
			for key := range elements {
				if elements[key] == nil {
					delete(elements, key)
				}
			}
			for key := range keyed(rule, s.After[f]) {
				if elements[key] == nil {
					merged[f] = append(merged[f], key)
				}
			}
			spec[f] = withElements(rule, spec[f], elements)
		}
	}
	out := again
	r := *again.Resource
	r.Spec, out.Spec, out.Exact = spec, spec, true
	out.Resource = &r
	out.Record.Merged = merged
	return out
}

// withElements adds elements to a shared collection.
func withElements(rule *schemas.Rule, have any, elements map[string]any) any {
	all := keyed(rule, have)
	for k, e := range elements {
		all[k] = e
	}
	if rule.MergeMap {
		return all
	}
	return unkeyed(all, manifest.Keys(all))
}

// Removed says whether a step deletes the object itself.
func (s *Step) Removed() bool { return s.Action == Delete && s.Part == "" }

// Made says whether a step creates the object itself.
func (s *Step) Made() bool { return s.Action == Create && s.Part == "" }
