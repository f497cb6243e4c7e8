package kind

import (
	"reflect"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// Finding says how a tenant stands to what a step was to change.
type Finding struct {
	State State
	// Object stands for the answer to the step's request, where that was never seen:
	// what the step is to keep is taken from it.
	Object map[string]any
	// Otherwise are the fields that are neither as before nor as after.
	Otherwise []Aside
}

// State is a finding in a word.
type State string

// The states.
const (
	Absent   State = "absent"    // the object, or the part that the step was to make, is not there
	AsBefore State = "as before" // the step's request has had no effect
	AsAfter  State = "as after"  // it has had its effect
	Neither  State = "neither"   // somebody else was there
)

// Aside puts a field's values side by side.
type Aside struct {
	Path string `json:"path"`
	// Before is what the run found, After what it left, Now what the tenant has.
	Before any `json:"before,omitempty"`
	After  any `json:"after,omitempty"`
	Now    any `json:"now,omitempty"`
}

// Again returns what finds the object of steps, all of one address and in the order
// in which they ran, and all parts of it that ecplan knows. References must be
// filled in. id is the object's id, "" if it is not known.
func (k *Kind) Again(steps []Step, id string) Desired {
	spec := map[string]any{}
	for name, rule := range schemas.Rules(k.Name).Properties {
		if rule.Local && len(rule.Types) > 0 { // a part of its own, looked at if it is declared
			switch {
			case rule.Allows("array"):
				spec[name] = []any{}
			case rule.Allows("object"):
				spec[name] = map[string]any{}
			}
		}
	}
	r := &manifest.Resource{Kind: k.Name, Spec: spec}
	for _, s := range steps {
		_, r.Name, _ = strings.Cut(s.Address, "/")
		for _, values := range []map[string]any{s.Before, s.After, s.Key} {
			for f, v := range values {
				if rule := schemas.Rules(k.Name).Properties[f]; rule != nil && !rule.Local && v != nil {
					spec[f] = v
				}
			}
		}
		if was := text(s.Before, "name"); was != "" && was != text(spec, "name") {
			r.Meta.RenamedFrom = was
		}
	}
	if k.Pin != "" && id != "" {
		spec[k.Pin] = id
	}
	return Desired{Resource: r, Spec: spec, Fingerprint: func(string) string { return "" }}
}

// Compare tells how o stands to what s was to change. References in s must be filled
// in. set are the times that the tenant reported for the unreadable values that s
// set, by path; nil if they were never seen.
func (k *Kind) Compare(s Step, o Observed, set map[string]SecretRecord) Finding {
	if k.Found != nil {
		if f, ok := k.Found(s, o, set); ok {
			return f
		}
	}
	return compareStep(s, o, set)
}

// compareStep compares the fields that a step writes by the schema's rules. They are
// as after if all are as the step leaves them and not all are as it found them.
func compareStep(s Step, o Observed, set map[string]SecretRecord) Finding {
	f := Finding{Object: o.Object}
	switch {
	case s.Action == Delete && s.Part == "":
		f.State = AsBefore
		if !o.Exists {
			f.State = AsAfter
		}
		return f
	case !o.Exists:
		f.State = Absent
		return f
	}
	rules, whole := schemas.Rules(s.Kind()), s.Action == Create && s.Part == ""
	before, after := s.Before != nil, true
	var half []Aside // fields that are as before where others are not
	for _, name := range fieldsOf(s) {
		rule := rules.Properties[name]
		if rule == nil {
			rule = &schemas.Rule{}
		}
		b, a := fieldStands(rule, name, s, o.Spec[name], set, whole)
		if aside := (Aside{Path: name, Before: s.Before[name], After: s.After[name], Now: o.Spec[name]}); !a && !b {
			f.Otherwise = append(f.Otherwise, aside)
		} else if !a {
			half = append(half, aside)
		}
		before, after = before && b, after && a
	}
	switch {
	case before:
		f.State = AsBefore
	case after:
		f.State = AsAfter
	default:
		f.State = Neither
		if len(f.Otherwise) == 0 {
			f.Otherwise = half
		}
	}
	return f
}

func fieldsOf(s Step) []string {
	all := map[string]any{}
	for _, m := range []map[string]any{s.Before, s.After} {
		for k := range m {
			all[k] = nil
		}
	}
	return manifest.Keys(all)
}

// fieldStands compares one field with how the step found and how it leaves it. A
// field that the step does not write is as after whatever it is. whole says that a
// shared collection must hold nothing else.
func fieldStands(rule *schemas.Rule, name string, s Step, now any, set map[string]SecretRecord, whole bool) (before, after bool) {
	was, found := s.Before[name]
	is, leaves := s.After[name]
	switch {
	case shared(rule):
		return elementsStand(rule, was, is, now, whole)
	case rule.Values != nil && rule.Values.WriteOnly:
		return unreadableStand(name, was, is, now, set)
	}
	before = !found || sameNow(rule, was, now)
	after = !leaves || len(compareValue(name, rule, is, now, now != nil)) == 0
	if m, ok := is.(map[string]any); ok && rule.Values != nil && isPlain(m) { // a map has no defaults: it is all or nothing
		after = reflect.DeepEqual(is, now) || len(m) == 0 && now == nil
	}
	return before, after
}

// sameNow compares a value as it was read with what is read now.
func sameNow(rule *schemas.Rule, was, now any) bool {
	return equal(rule, orAbsent(rule, was), orAbsent(rule, now))
}

// elementsStand compares those elements of a shared collection that a step writes.
func elementsStand(rule *schemas.Rule, was, is, now any, whole bool) (before, after bool) {
	b, a, n := keyed(rule, was), keyed(rule, is), keyed(rule, now)
	before, after = true, !whole || len(n) == len(a)
	touched := map[string]any{}
	for _, m := range []map[string]any{b, a} {
		for k := range m {
			touched[k] = nil
		}
	}
	for k := range touched {
		element := elementRule(rule, k)
		before = before && sameNow(element, b[k], n[k])
		if a[k] == nil {
			after = after && sameNow(element, nil, n[k])
		} else {
			after = after && n[k] != nil && len(compareValue(k, element, a[k], n[k], true)) == 0
		}
	}
	return before, after
}

// unreadableStand compares values that nobody can read: of each, the tenant tells
// when it was set.
func unreadableStand(name string, was, is, now any, set map[string]SecretRecord) (before, after bool) {
	b, _ := was.(map[string]any)
	a, _ := is.(map[string]any)
	n, _ := now.(map[string]any)
	before = len(b) == len(n)
	for k, at := range b {
		before = before && n[k] == at
	}
	after = slices.Equal(manifest.Keys(a), manifest.Keys(n))
	for k := range a {
		if rec, recorded := set[name+"."+k]; recorded && rec.UpdatedAt != "" {
			after = after && n[k] == rec.UpdatedAt
		}
	}
	return before, after
}

// foundClient compares the parts of a client that are about its keys.
func foundClient(s Step, o Observed, set map[string]SecretRecord) (Finding, bool) {
	attached, spare := objects(o.Spec["credentials"]), objects(o.Spec["spare_credentials"])
	now := anyList(kids(attached))
	f := Finding{Object: o.Object, State: Absent}
	switch {
	case s.Part == "" && s.Action == Create && s.After["credentials"] != nil:
		plain := s
		plain.After = without(s.After, "credentials")
		f = compareStep(plain, o, set)
		var want []string
		for _, c := range objects(s.After["credentials"]) {
			kid, err := kidOf(c)
			if err != nil {
				return f, true // such a step was never made
			}
			want = append(want, kid)
		}
		if f.State == AsAfter && !sameSet(want, kids(attached)) {
			f.State = Neither
			f.Otherwise = append(f.Otherwise, Aside{Path: "credentials", After: anyList(want), Now: now})
		}
		return f, true
	case !strings.HasPrefix(s.Part, "credential") || !o.Exists:
		return f, false
	case s.Part == "credentials":
		before, after := sameList(s.Before["credentials"], now), sameList(s.After["credentials"], now)
		switch {
		case before:
			f.State = AsBefore
		case after:
			f.State = AsAfter
		default:
			f.State = Neither
			f.Otherwise = []Aside{{Path: "credentials", Before: s.Before["credentials"], After: s.After["credentials"], Now: now}}
		}
		return f, true
	}
	kid := text(s.After, "kid")
	if s.Action == Delete {
		kid = text(s.Before, "kid")
	}
	have := byKid(append(attached, spare...), kid)
	f.Object = have
	switch {
	case s.Action == Delete && have == nil, s.Action == Create && have != nil:
		f.State = AsAfter
	case s.Action == Delete:
		f.State = AsBefore
	case have == nil:
		f.State = Absent
	case sameTime(text(s.After, "expires_at"), text(have, "expires_at")):
		f.State = AsAfter
	case have["expires_at"] == s.Before["expires_at"]:
		f.State = AsBefore
	default:
		f.State = Neither
		f.Otherwise = []Aside{{Path: "expires_at", Before: s.Before["expires_at"], After: s.After["expires_at"], Now: have["expires_at"]}}
	}
	return f, true
}

// sameList compares two lists of texts without order.
func sameList(a, b any) bool {
	return reflect.DeepEqual(sortedSet(listOf(a)), sortedSet(listOf(b)))
}

func listOf(v any) []any { l, _ := v.([]any); return l }

// foundAction compares an Action's place in a trigger's flow by the Action alone, as
// far as that tells: others may have come and gone.
func foundAction(s Step, o Observed, _ map[string]SecretRecord) (Finding, bool) {
	if s.Part != "binding" || !o.Exists {
		return Finding{}, false
	}
	var before, after, now flow = objects(s.Before["bindings"]), objects(s.After["bindings"]), objects(o.Spec["bindings"])
	f := Finding{Object: o.Object, State: Neither}
	was, is, has := before.index(o.ID) >= 0, after.index(o.ID) >= 0, now.index(o.ID) >= 0
	named := func(f flow) bool { return !before.renames(after, o.ID) || !now.renames(f, o.ID) }
	switch {
	case reflect.DeepEqual(now.list("id"), before.list("id")) && named(before), was != is && has == was:
		f.State = AsBefore
	case reflect.DeepEqual(now.list("id"), after.list("id")) && named(after), was != is && has == is:
		f.State = AsAfter
	case before.like(after):
		f.Otherwise = []Aside{{Path: shownName(text(s.Key, "trigger")), Before: before.display(o.ID), After: after.display(o.ID), Now: now.display(o.ID)}}
	default:
		f.Otherwise = []Aside{{Path: text(s.Key, "trigger") + " bindings", Before: anyList(before.names()), After: anyList(after.names()), Now: anyList(now.names())}}
	}
	return f, true
}
