package kind

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// difference is what comparing a spec with an observation finds: the changes for
// people, the body that makes them, and the written fields before and after.
type difference struct {
	changes []Change
	body    map[string]any
	before  map[string]any
	after   map[string]any
	keeps   []string
	merged  map[string][]string
	// released lists, by field, the keys that go.
	released map[string][]string
}

// compare compares the declared fields of d with o by the schema's rules. Local and
// write-only fields are the kind's own business and left out. Fields that d does
// not declare are never looked at, save the keys of shared collections that an
// earlier run added and nobody declares any more.
func compare(d Desired, o Observed) difference {
	return compareFields(schemas.Rules(d.Kind), d.Spec, o.Spec, d.Record.Merged, d.Exact)
}

func compareFields(rules *schemas.Rule, desired, observed map[string]any, recorded map[string][]string, exact bool) difference {
	diff := difference{body: map[string]any{}, before: map[string]any{}, after: map[string]any{}, merged: map[string][]string{}, released: map[string][]string{}}
	exclusive, _ := desired["exclusive"].(bool)
	for _, name := range manifest.Keys(rules.Properties) {
		rule := rules.Properties[name]
		want, declared := desired[name]
		if rule.Local || rule.WriteOnly {
			continue
		}
		have, present := observed[name]
		if shared(rule) {
			gone := recorded[name]
			if !declared && len(gone) == 0 {
				continue
			}
			diff.collection(name, rule, want, have, gone, exclusive && declared)
			continue
		}
		if !declared {
			continue
		}
		changes := compareValue(name, rule, want, have, present)
		if exact && len(changes) == 0 && !sameNow(rule, want, have) {
			changes = []Change{{Path: name, Op: "change", Before: have, After: want}}
		}
		if len(changes) == 0 {
			continue
		}
		diff.changes = append(diff.changes, changes...)
		diff.body[name] = overlay(rule, want, have)
		if exact && want != nil {
			diff.body[name] = cleared(rule, want, have)
		}
		diff.before[name], diff.after[name] = have, diff.body[name]
	}
	return diff
}

func shared(r *schemas.Rule) bool { return r.MergeMap || len(r.Merge) > 0 }

// collection compares a shared collection: a map merged key by key, or a list of
// objects merged by key fields, which Auth0 can only replace as a whole.
func (diff *difference) collection(name string, rule *schemas.Rule, want, have any, recorded []string, exclusive bool) {
	w, h := keyed(rule, want), keyed(rule, have)
	var kept, added []string
	before, after, sent := map[string]any{}, map[string]any{}, map[string]any{}
	result := map[string]any{}
	for k, v := range h {
		result[k] = v
	}
	touch := func(k string, v any, changes []Change) {
		if _, wanted := w[k]; !wanted || v == nil {
			diff.released[name] = append(diff.released[name], k)
		}
		diff.changes = append(diff.changes, changes...)
		before[k], after[k], sent[k] = h[k], v, v
		if v == nil {
			delete(result, k)
		} else {
			result[k] = v
		}
	}
	for _, k := range manifest.Keys(w) {
		hv, present := h[k]
		path, element := elementPath(name, rule, k), elementRule(rule, k)
		if w[k] == nil {
			if present {
				touch(k, nil, []Change{{Path: path, Op: "remove", Before: hv}})
			}
			continue
		}
		if changes := compareValue(path, element, w[k], hv, present); len(changes) > 0 {
			touch(k, overlay(element, w[k], hv), changes)
			if !present {
				added = append(added, k)
			}
		}
	}
	for _, k := range manifest.Keys(h) {
		if _, declared := w[k]; declared {
			continue
		}
		if !exclusive && !slices.Contains(recorded, k) {
			kept = append(kept, k)
			continue
		}
		gone := any(nil)
		if element := elementRule(rule, k); rule.MergeMap {
			if element.HasAbsent && equal(element, element.Absent, h[k]) {
				continue // it already says what its absence says
			}
			if !element.HasAbsent && !element.Allows("null") {
				kept = append(kept, k) // what its absence would mean, no source tells
				continue
			}
			gone = orAbsent(element, nil)
		}
		path := elementPath(name, rule, k)
		note := "no longer declared"
		if exclusive {
			note = "not declared, and the manifest owns the whole"
		}
		if gone == nil {
			touch(k, nil, []Change{{Path: path, Op: "remove", Before: h[k], Note: note}})
		} else {
			touch(k, gone, []Change{{Path: path, Op: "change", Before: h[k], After: gone, Note: note}})
		}
	}
	if len(sent) == 0 {
		return
	}
	if len(kept) > 0 {
		diff.keeps = append(diff.keeps, fmt.Sprintf("%s in %s that the manifest does not name %s: %s.",
			count(len(kept), "other entry", "other entries"), name, plural(len(kept), "stays", "stay"), listed(kept)))
	}
	if len(added) > 0 {
		diff.merged[name] = added
	}
	if rule.MergeMap {
		diff.body[name], diff.before[name], diff.after[name] = sent, before, after
		return
	}
	diff.body[name] = unkeyed(result, order(rule, have, want))
	diff.before[name] = unkeyed(before, order(rule, have, nil))
	diff.after[name] = unkeyed(after, order(rule, have, want))
}

// elementRule is the rule of the element with the key k.
func elementRule(rule *schemas.Rule, k string) *schemas.Rule {
	r := rule.Items
	if rule.MergeMap {
		r = rule.Field(k)
	}
	if r == nil {
		r = &schemas.Rule{}
	}
	return r
}

func elementPath(name string, rule *schemas.Rule, key string) string {
	if rule.MergeMap {
		return name + "." + key
	}
	return name + "[" + key + "]"
}

// keyed returns the elements of a shared collection by their key.
func keyed(rule *schemas.Rule, v any) map[string]any {
	out := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			out[k] = e
		}
	case []any:
		for _, e := range v {
			out[elementKey(rule, e)] = e
		}
	}
	return out
}

// elementKey joins the key fields of an element: "expressconfigure:sso".
func elementKey(rule *schemas.Rule, e any) string {
	m, ok := e.(map[string]any)
	if !ok {
		return fmt.Sprint(e)
	}
	parts := make([]string, len(rule.Merge))
	for i, f := range rule.Merge {
		parts[i] = fmt.Sprint(m[f])
	}
	return strings.Join(parts, " ")
}

// order lists the keys of lists in the order in which they stand there, each once.
func order(rule *schemas.Rule, lists ...any) []string {
	var out []string
	for _, l := range lists {
		es, _ := l.([]any)
		for _, e := range es {
			if k := elementKey(rule, e); !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	return out
}

func unkeyed(m map[string]any, keys []string) []any {
	out := []any{}
	for _, k := range keys {
		if m[k] != nil {
			out = append(out, m[k])
		}
	}
	return out
}

// compareValue compares one declared value with the observed one.
func compareValue(path string, rule *schemas.Rule, want, have any, present bool) []Change {
	if rule == nil {
		rule = &schemas.Rule{}
	}
	if m, ok := want.(map[string]any); ok && isPlain(m) {
		h, _ := have.(map[string]any)
		var out []Change
		for _, k := range manifest.Keys(m) {
			sub := rule.Field(k)
			hv, has := h[k]
			out = append(out, compareValue(path+"."+k, sub, m[k], hv, has)...)
		}
		if len(m) == 0 && !present {
			out = append(out, Change{Path: path, Op: "add", After: want})
		}
		return out
	}
	if !present || have == nil {
		if rule.HasAbsent && equal(rule, orAbsent(rule, want), rule.Absent) || want == nil {
			return nil
		}
		return []Change{{Path: path, Op: "add", After: want, Code: rule.Text, Set: rule.Set}}
	}
	if manifest.Known(want) && equal(rule, orAbsent(rule, want), have) {
		return nil
	}
	if want == nil {
		return []Change{{Path: path, Op: "remove", Before: have, Code: rule.Text, Set: rule.Set}}
	}
	return []Change{{Path: path, Op: "change", Before: have, After: want, Code: rule.Text, Set: rule.Set}}
}

func orAbsent(rule *schemas.Rule, v any) any {
	if v == nil && rule.HasAbsent {
		return rule.Absent
	}
	return v
}

// isPlain reports whether m is an object and not a placeholder for a value.
func isPlain(m map[string]any) bool {
	for k := range m {
		return !strings.HasPrefix(k, "$")
	}
	return true
}

// overlay returns the value to send: Auth0 replaces nested objects, so what the
// manifest does not name is taken from the tenant; null clears.
func overlay(rule *schemas.Rule, want, have any) any {
	if rule == nil {
		rule = &schemas.Rule{}
	}
	if want == nil {
		return orAbsent(rule, nil)
	}
	w, ok := want.(map[string]any)
	h, hok := have.(map[string]any)
	if !ok || !hok || !isPlain(w) {
		return want
	}
	out := map[string]any{}
	for k, v := range h {
		out[k] = v
	}
	for k, v := range w {
		out[k] = overlay(rule.Properties[k], v, h[k])
	}
	return out
}

// cleared returns want with what have holds besides set to what its absence means: Auth0
// merges some nested objects, and then leaving a field out keeps it (facts, recorded §2).
func cleared(rule *schemas.Rule, want, have any) any {
	w, ok := want.(map[string]any)
	h, _ := have.(map[string]any)
	if !ok || !isPlain(w) {
		return want
	}
	out := map[string]any{}
	for k, v := range w {
		out[k] = v
	}
	for k := range h {
		if sub := rule.Field(k); out[k] == nil && sub != nil && sub.HasAbsent {
			out[k] = sub.Absent
		}
	}
	return out
}

// equal compares by the rule: sets without order, text without blank first lines
// and final newline, all else as it is.
func equal(rule *schemas.Rule, a, b any) bool {
	if rule.Text {
		s, ok1 := a.(string)
		t, ok2 := b.(string)
		if ok1 && ok2 {
			return trimText(s) == trimText(t)
		}
	}
	if rule.Set {
		x, ok1 := a.([]any)
		y, ok2 := b.([]any)
		if ok1 && ok2 {
			return reflect.DeepEqual(sortedSet(x), sortedSet(y))
		}
	}
	return reflect.DeepEqual(a, b)
}

func sortedSet(l []any) []string {
	out := make([]string, 0, len(l))
	for _, e := range l {
		b, err := json.Marshal(e)
		if err != nil {
			panic("kind: not JSON: " + err.Error()) // a programming error, never input
		}
		out = append(out, string(b))
	}
	sort.Strings(out)
	return slices.Compact(out)
}

// trimText drops what differs between a file and what people paste: blank first
// lines, line ends of other systems, and newlines at the end.
func trimText(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for {
		line, rest, more := strings.Cut(s, "\n")
		if !more || strings.TrimSpace(line) != "" {
			break
		}
		s = rest
	}
	return strings.TrimRight(s, " \t\n")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func count(n int, one, many string) string { return fmt.Sprintf("%d %s", n, plural(n, one, many)) }

// listed joins names for a sentence and cuts a long list.
func listed(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
