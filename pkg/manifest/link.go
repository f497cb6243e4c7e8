package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/schemas"
)

// Link connects resources that refer to each other. A reference to what the other's
// spec says is replaced by that value, and the other's address put into Meta.After so
// that the order stays; one to what only the tenant can tell stays {"$ref": …}. A value
// that names another declared object by its own key (a permission's API, a grant's
// client) is an edge as well, which the planner finds by itself, request by request.
// References to nothing, two resources that are one object, and circles are errors.
func Link(rs []*Resource) Diagnostics { return link(rs, lost{}) }

// link is Link where some documents could not be read: that a reference to them leads
// nowhere is no news.
func link(rs []*Resource, lost lost) Diagnostics {
	l := &linker{by: map[string]*Resource{}, done: map[*Resource]bool{}, edges: map[*Resource][]string{}, lost: lost}
	for _, r := range rs {
		a := r.Address()
		if other, ok := l.by[a]; ok {
			l.fail(r, "", "the address is there twice", fmt.Sprintf("It is declared at %s already.", other.Pos))
			continue
		}
		l.by[a] = r
	}
	l.sameObjects()
	for _, a := range Keys(l.by) {
		l.resource(l.by[a])
	}
	l.named()
	l.circles()
	return l.ds.Sort()
}

type linker struct {
	by   map[string]*Resource
	done map[*Resource]bool
	// edges are the addresses that a resource names by their own key.
	edges map[*Resource][]string
	// path is the chain of resources that are being linked.
	path []*Resource
	lost lost
	ds   Diagnostics
}

func (l *linker) fail(r *Resource, path, summary, detail string) {
	d := Diagnostic{Severity: Error, Pos: r.Pos, Address: r.Address(), Summary: summary, Detail: detail}
	if path != "" {
		d.Pos, d.Path = r.At(path), below("spec", path)
	}
	l.ds = append(l.ds, d)
}

// resource replaces r's references, after those of the resources that it refers to.
func (l *linker) resource(r *Resource) {
	if l.done[r] || slices.Contains(l.path, r) {
		return // a circle is reported by circles
	}
	l.path = append(l.path, r)
	for _, a := range r.Meta.After {
		if l.by[a] == nil {
			l.fail(r, "", "there is no "+quoted(a), "It was to be done before this one.")
		}
	}
	spec, _ := l.value(r, r.Spec, schemas.Rules(r.Kind), "").(map[string]any)
	r.Spec = spec
	slices.Sort(r.Meta.After)
	r.Meta.After = slices.Compact(r.Meta.After)
	l.path = l.path[:len(l.path)-1]
	l.done[r] = true
}

// value replaces the references in v, which stands at path of r.
func (l *linker) value(r *Resource, v any, rule *schemas.Rule, path string) any {
	if a, attr, ok := AsRef(v); ok {
		got := l.reference(r, v, a, attr, path)
		if text, ok := got.(string); ok && rule != nil && rule.Sensitive && r.From == "" {
			// What people list among secrets is masked, wherever it comes from.
			if r.Secrets == nil {
				r.Secrets = map[string]string{}
			}
			r.Secrets[path] = text
			return SecretRef(path)
		}
		return got
	}
	if parts, ok := single(v, keyJoin).([]any); ok {
		out := make([]any, len(parts))
		for i, p := range parts {
			out[i] = l.value(r, p, rule, path)
			if _, secret := AsSecret(out[i]); secret {
				return SecretRef(path) // not known yet
			}
			if _, _, isRef := AsRef(out[i]); !isRef && !placeholderTree(out[i]) {
				switch out[i].(type) {
				case map[string]any, []any, nil:
					l.fail(r, path, "the reference gives no text", "Only text, numbers and truth values can stand inside a text.")
					return SecretRef(path)
				}
			}
		}
		return Join(flat(out)...)
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, k := range Keys(v) {
			if strings.HasPrefix(k, "$") {
				out[k] = v[k]
				continue
			}
			out[k] = l.value(r, v[k], rule.Field(k), below(path, k))
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = l.value(r, e, itemRule(rule), fmt.Sprintf("%s[%d]", path, i))
		}
		return out
	}
	return v
}

// flat lifts joins inside a join.
func flat(parts []any) []any {
	var out []any
	for _, p := range parts {
		if inner, ok := single(p, keyJoin).([]any); ok {
			out = append(out, flat(inner)...)
			continue
		}
		if f, ok := p.(float64); ok {
			p = number(f)
		}
		out = append(out, p)
	}
	return out
}

// reference returns what stands at path instead of the reference v.
func (l *linker) reference(r *Resource, v any, address, attr, path string) any {
	to := l.by[address]
	if to == nil {
		kind, _, _ := strings.Cut(address, "/")
		if isKind(kind) && (l.lost.all || l.lost.addresses[address]) {
			return SecretRef(path)
		}
		if at, ok := l.lost.apart[address]; ok {
			l.fail(r, path, "there is no resource "+quoted(address),
				fmt.Sprintf("It is declared at %s, but not for this tenant (metadata.tenants). Restrict this document in the same way, or that one less.", at))
			return SecretRef(path)
		}
		hint := didYouMean(address, Keys(l.by))
		if hint == "" && !isKind(kind) {
			hint = sentences(fmt.Sprintf("There is no kind %s.", quoted(kind)), didYouMean(kind, schemas.Kinds()))
		}
		l.fail(r, path, "there is no resource "+quoted(address), sentences(hint, listing("There are", Keys(l.by))))
		return SecretRef(path)
	}
	l.resource(to)
	rules := schemas.Rules(to.Kind)
	if got, ok := to.Spec[attr]; ok && got != nil {
		if to == r || slices.Contains(l.path, to) || l.circular(got) {
			return v
		}
		var secret bool
		Walk(got, func(v any) {
			if p, ok := AsSecret(v); ok {
				_, known := to.Secrets[p]
				secret = secret || known
			}
		})
		if secret {
			l.fail(r, path, fmt.Sprintf("%s of %s is sensitive and can't be referred to", quoted(attr), address), "Give the value here in the same way as there.")
			return SecretRef(path)
		}
		r.Meta.After = append(r.Meta.After, address)
		return relocate(Clone(got), path)
	}
	if f := rules.Field(attr); slices.Contains(rules.Outputs, attr) || f != nil && !f.Local && !f.Sensitive && !f.WriteOnly {
		return v
	}
	names := slices.Clone(rules.Outputs)
	for _, k := range Keys(rules.Properties) {
		if f := rules.Properties[k]; !f.Local && !f.Sensitive && !f.WriteOnly && !slices.Contains(names, k) {
			names = append(names, k)
		}
	}
	l.fail(r, path, fmt.Sprintf("%s has no attribute %s", address, quoted(attr)), sentences(didYouMean(attr, names), listing("There are", names)))
	return SecretRef(path)
}

// circular reports whether v refers to a resource that is being linked.
func (l *linker) circular(v any) bool {
	for _, a := range Refs(v) {
		if slices.Contains(l.path, l.by[a]) {
			return true
		}
	}
	return false
}

// relocate gives placeholders of values that are not known yet their new path.
func relocate(v any, path string) any {
	if _, ok := AsSecret(v); ok {
		return SecretRef(path)
	}
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = relocate(v[k], below(path, k))
		}
	case []any:
		for i := range v {
			v[i] = relocate(v[i], fmt.Sprintf("%s[%d]", path, i))
		}
	}
	return v
}

// identity returns the text by which two resources of a kind are the same object, "" if
// it is not known or not unique on a tenant.
func identity(r *Resource) string {
	rules := schemas.Rules(r.Kind)
	if rules == nil {
		return ""
	}
	immutable := false
	for _, f := range rules.Properties {
		immutable = immutable || f.Identity && f.Immutable
	}
	var key []any
	for _, k := range Keys(rules.Properties) {
		f := rules.Properties[k]
		if !f.Identity || immutable && !f.Immutable {
			continue
		}
		v, ok := r.Spec[k]
		if !ok && f.HasAbsent {
			v = f.Absent
		}
		if _, isText := v.(string); !isText {
			if _, _, isRef := AsRef(v); !isRef {
				return ""
			}
		}
		key = append(key, v)
	}
	if len(key) == 0 {
		return ""
	}
	return r.Kind + mustJSON(key)
}

// sameObjects reports resources with two addresses that are one object on the tenant.
func (l *linker) sameObjects() {
	first := map[string]*Resource{}
	for _, a := range Keys(l.by) {
		r := l.by[a]
		key := identity(r)
		if key == "" {
			continue
		}
		if other, ok := first[key]; ok {
			l.fail(r, "", fmt.Sprintf("%s and %s are the same object", other.Address(), a),
				fmt.Sprintf("The other one is declared at %s. An object on a tenant may be declared once.", other.Pos))
			continue
		}
		first[key] = r
	}
}

// named adds an edge where a value names another declared object by its key.
func (l *linker) named() {
	type target struct{ kind, attr, value string }
	at := map[target]string{}
	for _, a := range Keys(l.by) {
		r := l.by[a]
		for k, v := range r.Spec {
			if s, ok := v.(string); ok {
				at[target{r.Kind, k, s}] = a
			}
		}
	}
	for _, a := range Keys(l.by) {
		r := l.by[a]
		walkRules(r.Spec, schemas.Rules(r.Kind), "", func(_ string, v any, rule *schemas.Rule) {
			s, ok := v.(string)
			if !ok || rule == nil || rule.Ref == "" {
				return
			}
			kind, attr, _ := strings.Cut(rule.Ref, ".")
			if to, ok := at[target{kind, attr, s}]; ok && to != a {
				l.edges[r] = append(l.edges[r], to)
			}
		})
	}
}

// circles reports each circle of resources that wait for each other, once.
func (l *linker) circles() {
	const grey, black = 1, 2
	state := map[string]int{}
	var chain []string
	var visit func(a string)
	visit = func(a string) {
		state[a] = grey
		chain = append(chain, a)
		for _, n := range l.needs(l.by[a]) {
			switch {
			case l.by[n] == nil:
			case state[n] == grey:
				circle := append(slices.Clone(chain[slices.Index(chain, n):]), n)
				l.fail(l.by[n], "", "resources wait for each other in a circle",
					strings.Join(circle, " needs ")+". Take one of these references out, or write the value itself.")
			case state[n] == 0:
				visit(n)
			}
		}
		chain = chain[:len(chain)-1]
		state[a] = black
	}
	for _, a := range Keys(l.by) {
		if state[a] == 0 {
			visit(a)
		}
	}
}

// needs lists the addresses that must be done before r, sorted.
func (l *linker) needs(r *Resource) []string {
	out := slices.Concat(Refs(r.Spec), r.Meta.After, l.edges[r])
	slices.Sort(out)
	return slices.Compact(out)
}
