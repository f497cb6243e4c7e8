package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// removal returns the writes that remove an object that is to go.
func removal(s *state, in Input) ([]kind.Step, error) {
	switch {
	case !s.found.Exists:
		return nil, nil
	case s.desired.Meta.PreventDestroy:
		return nil, errors.New("it is protected by metadata.prevent_destroy and would be deleted. Take the protection away in the manifest first, if that is meant")
	case in.Identity.ClientID != "" && s.found.ID == in.Identity.ClientID:
		return nil, fmt.Errorf("this is the client that ecplan signs in as (%s); it is never deleted. Sign in as another one first", s.found.ID)
	}
	return s.kind.Delete(s.desired, s.found)
}

// linkRemovals makes each deletion wait for what is done to the objects that need the
// deleted one: a grant goes before its client.
func linkRemovals(steps []kind.Step, states []*state) {
	deletes := map[string]int{} // by address: the deletion of the object itself
	for i, s := range steps {
		if s.Removed() {
			deletes[s.Address] = i
		}
	}
	if len(deletes) == 0 {
		return
	}
	named := map[string]string{}
	for _, s := range states {
		if _, goes := deletes[s.desired.Address()]; !goes {
			continue
		}
		for f, v := range s.found.Object {
			if text, ok := v.(string); ok {
				named[s.desired.Kind+"."+f+"="+text] = s.desired.Address()
			}
		}
	}
	of := map[string][]string{}
	for _, s := range steps {
		of[s.Address] = append(of[s.Address], s.ID)
	}
	for _, s := range states {
		address := s.desired.Address()
		needed := append(namedBy(schemas.Rules(s.desired.Kind), s.found.Spec, named), s.desired.Meta.After...)
		for _, a := range needed {
			if i, goes := deletes[a]; goes && a != address {
				steps[i].Needs = append(steps[i].Needs, of[address]...)
			}
		}
		if k := s.desired.Meta.AfterRemoved; k != "" {
			for i := range steps {
				if _, goes := deletes[address]; steps[i].Address == address && !goes {
					for a, d := range deletes {
						if strings.HasPrefix(a, k+"/") {
							steps[i].Needs = append(steps[i].Needs, steps[d].ID)
						}
					}
				}
			}
		}
	}
	for i := range steps {
		slices.Sort(steps[i].Needs)
		steps[i].Needs = slices.Compact(steps[i].Needs)
	}
}

// noLongerDeclared is the notice of whatStays.
const noLongerDeclared = "no-longer-declared"

// whatStays tells of objects that runs created and that no resource is about any more. One
// that goes under another address by now is none of them.
func whatStays(in Input, states []*state) []kind.Notice {
	about := map[string]bool{} // addresses, and objects
	for _, s := range states {
		about[s.desired.Address()], about[objectKey(s)] = true, true
		for _, a := range s.desired.Meta.Formerly {
			about[a] = true
		}
	}
	var stay []string
	for _, a := range manifest.Keys(in.Records) {
		k, _, _ := strings.Cut(a, "/")
		if r := in.Records[a]; r.Created && !about[a] && !about[k+" "+r.ID] {
			stay = append(stay, a)
		}
	}
	if len(stay) == 0 {
		return nil
	}
	what := "1 object that an earlier run created is no longer declared, and stays"
	if n := len(stay); n > 1 {
		what = fmt.Sprintf("%d objects that earlier runs created are no longer declared, and stay", n)
	}
	return []kind.Notice{{
		ID: noLongerDeclared, Level: kind.Info, Summary: what,
		Detail: strings.Join(stay, ", ") + ". With --prune the plan deletes what there is of them.",
	}}
}

// MaxDeleteShare is the part of a tenant's objects of one kind that a plan may delete
// without being forced: half of them, and always one.
const MaxDeleteShare = 0.5

// guardRemovals refuses plans that delete more than is plausible, and the role that
// opens what stays.
func guardRemovals(states []*state, steps []kind.Step, v *kind.View) ([]kind.Notice, manifest.Diagnostics) {
	gone := map[string][]string{}
	for _, s := range steps {
		if s.Removed() {
			gone[s.Kind()] = append(gone[s.Kind()], s.Address)
		}
	}
	var out []kind.Notice
	for _, k := range manifest.Keys(gone) {
		have := population(k, v)
		if n := len(gone[k]); n > 1 && have > 0 && float64(n) > MaxDeleteShare*float64(have) {
			out = append(out, kind.Notice{
				ID: "many-deletions", Level: kind.Refusal,
				Summary: fmt.Sprintf("%d of the tenant's %d objects of kind %s would be deleted", n, have, k),
				Detail:  "That is more than half of them: " + strings.Join(gone[k], ", ") + ". If it is meant, say so with --force.",
			})
		}
	}
	more, ds := lastAdminRole(states, gone)
	return append(out, more...), ds
}

// population counts the tenant's objects of a kind as far as they were read whole;
// Auth0's own, which nobody can delete, do not count.
func population(k string, v *kind.View) int {
	items, _ := v.Answers[kind.All()[k].List.Key()].([]any)
	n := 0
	for _, e := range items {
		if m, ok := e.(map[string]any); ok && m["is_system"] != true && m["global"] != true {
			n++
		}
	}
	return n
}

// lastAdminRole refuses to delete a role while an API that its permissions open stays
// and no other declared role opens it. Where the manifests declare that API, nothing
// overrides it: what they describe could be used by nobody.
func lastAdminRole(states []*state, gone map[string][]string) (notices []kind.Notice, ds manifest.Diagnostics) {
	opens := map[string][]string{} // by API identifier: roles that stay
	for _, s := range states {
		if s.desired.Kind == "Role" && !slices.Contains(gone["Role"], s.desired.Address()) {
			for _, api := range apisOf(s.desired.Spec) {
				opens[api] = append(opens[api], s.desired.Address())
			}
		}
	}
	leaves, declared := map[string]bool{}, map[string]bool{} // APIs by identifier
	for _, s := range states {
		id, _ := s.found.Object["identifier"].(string)
		leaves[id] = leaves[id] || slices.Contains(gone["ResourceServer"], s.desired.Address())
		declared[id] = declared[id] || s.desired.Kind == "ResourceServer" && !s.desired.Removing
	}
	for _, s := range states {
		if s.desired.Kind != "Role" || !slices.Contains(gone["Role"], s.desired.Address()) {
			continue
		}
		for _, api := range apisOf(s.found.Spec) {
			if len(opens[api]) > 0 || leaves[api] {
				continue
			}
			summary := "the role is the last one declared that opens " + api + ", which stays"
			detail := "Without it nobody could use the API any more. Delete the API as well, or declare another role for it first."
			if declared[api] {
				ds = append(ds, diagnose(s.desired.Resource, errors.New(summary+"\n"+detail)))
			} else {
				notices = append(notices, kind.Notice{
					ID: "last-admin-role", Address: s.desired.Address(), Level: kind.Refusal,
					Summary: strings.ToUpper(summary[:1]) + summary[1:], Detail: detail,
				})
			}
			break
		}
	}
	return notices, ds
}

func apisOf(spec map[string]any) []string {
	var out []string
	ps, _ := spec["permissions"].([]any)
	for _, p := range ps {
		m, _ := p.(map[string]any)
		if id, ok := m["resource_server_identifier"].(string); ok && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}
