package kind

import (
	"net/url"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// ClientGrant allows a client some scopes of an API (facts §3.5). It is found by
// client, audience and subject type, which are unique together and never change.
var clientGrants = collectionOf{
	path: "client-grants", id: "id", title: "the grant",
	scopes: Scopes{
		Read:   []string{"read:client_grants"},
		Create: []string{"create:client_grants"},
		Update: []string{"update:client_grants"},
		Delete: []string{"delete:client_grants"},
	},
}

func clientGrant() *Kind {
	return &Kind{
		Name: "ClientGrant", Rank: 40, Scopes: clientGrants.scopes, List: clientGrants.all("client_grants"),
		Observe: observeClientGrant,
		Steps: func(d Desired, o Observed) ([]Step, error) {
			if !o.Exists {
				return []Step{clientGrants.createStep(d, body(d))}, nil
			}
			diff := compare(d, o)
			if len(diff.changes) == 0 {
				return nil, nil
			}
			if system, _ := o.Object["is_system"].(bool); system {
				return nil, &Untouchable{"the grant " + o.ID}
			}
			if all, _ := diff.body["allow_all_scopes"].(bool); !all && o.Spec["allow_all_scopes"] == true && d.Spec["scope"] != nil {
				diff.body["scope"] = d.Spec["scope"] // going back takes both (facts §3.5)
			}
			return []Step{clientGrants.updateStep(d, o, diff, clientGrants.path, o.ID)}, nil
		},
		Delete: func(d Desired, o Observed) ([]Step, error) {
			return []Step{clientGrants.deleteStep(d, o, Undo{Effect: NewID, How: "creates the grant again, under another id"})}, nil
		},
		Notices: func(d Desired, o Observed) []Notice { return append(widenedGrant(d, o), narrowedGrant(d, o)...) },
	}
}

func observeClientGrant(d Desired, v *View) (Observed, error) {
	clientID, ok := known(d.Spec, "client_id")
	audience, ok2 := known(d.Spec, "audience")
	if !ok || !ok2 {
		return Observed{Pending: d.Waiting}, nil
	}
	r := Read{Path: clientGrants.path, List: "client_grants", Scopes: clientGrants.scopes.Read, For: d.Address()}
	if !v.Many(d.Kind) {
		r.Query = url.Values{"client_id": {clientID}}.Encode()
	}
	items, ok := v.Where(r, "client_id", clientID)
	if !ok {
		return Observed{Pending: true}, nil
	}
	for _, g := range items {
		if text(g, "audience") == audience && subjectType(g) == subjectType(d.Spec) {
			spec := manifest.Clone(g)
			spec["subject_type"] = subjectType(g)
			return Observed{Exists: true, ID: text(g, "id"), Object: g, Spec: spec}, nil
		}
	}
	return Observed{}, nil
}

// subjectType takes an absent subject type as "client", as older grants have none (facts §3.5).
func subjectType(m map[string]any) string {
	if s := text(m, "subject_type"); s != "" {
		return s
	}
	return "client"
}

// widenedGrant tells of scopes that a grant gets in addition to what it has.
func widenedGrant(d Desired, o Observed) []Notice {
	if !o.Exists {
		return nil
	}
	have, _ := o.Spec["scope"].([]any)
	want, _ := d.Spec["scope"].([]any)
	var more []string
	for _, s := range want {
		if name, ok := s.(string); ok && !slices.Contains(have, s) {
			more = append(more, name)
		}
	}
	all, _ := d.Spec["allow_all_scopes"].(bool)
	if all && o.Spec["allow_all_scopes"] != true {
		more = []string{"every scope of the API"}
	}
	if len(more) == 0 {
		return nil
	}
	return []Notice{{
		ID: "grant-widened", Address: d.Address(), Level: Warn,
		Summary: "The grant on " + text(o.Spec, "audience") + " gets more scopes: " + strings.Join(more, ", "),
		Detail:  "Whoever holds the client's key can use them from then on. Check that each is needed.",
	}}
}

// narrowedGrant tells of scopes that a grant loses.
func narrowedGrant(d Desired, o Observed) []Notice {
	want, declared := d.Spec["scope"].([]any)
	if !o.Exists || !declared || d.Removing {
		return nil
	}
	var less []string
	for _, s := range listOf(o.Spec["scope"]) {
		if name, ok := s.(string); ok && !slices.Contains(want, s) {
			less = append(less, name)
		}
	}
	if o.Spec["allow_all_scopes"] == true {
		less = []string{"every scope of the API that the manifest does not list"}
	}
	if len(less) == 0 {
		return nil
	}
	return []Notice{{
		ID: "grant-narrowed", Address: d.Address(), Level: Info,
		Summary: "The grant on " + text(o.Spec, "audience") + " loses scopes: " + strings.Join(less, ", "),
		Detail:  "Requests that need them are refused from then on. Tokens that were issued before keep them until they end.",
	}}
}
