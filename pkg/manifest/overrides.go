package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/schemas"
)

// override is what a document says differently for some tenants.
type override struct {
	tenants Selector
	// without are the paths below spec that these tenants do not get; spec goes over the
	// document's own.
	without []string
	spec    map[string]any
	// path is where it stands: "overrides[0]".
	path string
}

// overrides lists the document's overrides as far as they are readable.
func (d *document) overrides() []override {
	list, _ := d.root["overrides"].([]any)
	out := make([]override, 0, len(list))
	for i, e := range list {
		m, _ := e.(map[string]any)
		o := override{tenants: selectorOf(m["tenants"]), path: fmt.Sprintf("overrides[%d]", i), without: stringsOf(m["without"])}
		o.spec, _ = m["spec"].(map[string]any)
		out = append(out, o)
	}
	return out
}

// on returns the document as it is for a tenant: with the overrides that pick it.
func (d *document) on(t TenantInfo) *document {
	var mine []override
	for _, o := range d.overrides() {
		if o.tenants.Matches(t) {
			mine = append(mine, o)
		}
	}
	return d.with(mine)
}

// with returns the document with overrides, later ones over earlier ones. Each value
// keeps the place where it is written. d is not changed.
func (d *document) with(os []override) *document {
	if len(os) == 0 {
		return d
	}
	out := *d
	out.values, out.keys = maps.Clone(d.values), maps.Clone(d.keys)
	out.spec = Clone(d.spec)
	rule := schemas.Rules(d.kind)
	for _, o := range os {
		for _, path := range o.without {
			without(out.spec, strings.Split(path, "."))
			out.forget("spec." + path)
		}
		spec, _ := out.overlay(out.spec, o.spec, rule, "spec", o.path+".spec", d).(map[string]any)
		out.spec = spec
	}
	out.root = maps.Clone(d.root)
	out.root["spec"] = out.spec
	return &out
}

// without takes the value at a path out of m.
func without(m map[string]any, path []string) {
	for len(path) > 1 {
		inner, ok := m[path[0]].(map[string]any)
		if !ok {
			return
		}
		m, path = inner, path[1:]
	}
	delete(m, path[0])
}

// overlay returns base with over in its place: maps merged key by key, all else
// replaced. at and from are their paths; from's places are taken from written.
func (d *document) overlay(base, over any, rule *schemas.Rule, at, from string, written *document) any {
	b, isMap := base.(map[string]any)
	o, bothMaps := over.(map[string]any)
	if over == nil && at == "spec" {
		return base // an override without spec
	}
	if !isMap || !bothMaps || isElsewhere(b, rule) || isElsewhere(o, rule) {
		d.forget(at)
		d.adopt(at, from, written)
		return Clone(over)
	}
	for _, k := range Keys(o) {
		b[k] = d.overlay(b[k], o[k], rule.Field(k), below(at, k), below(from, k), written)
	}
	return b
}

// forget drops the places of path and of all below it.
func (d *document) forget(path string) {
	for _, places := range []map[string]Position{d.values, d.keys} {
		for p := range places {
			if within(p, path) {
				delete(places, p)
			}
		}
	}
}

// adopt takes over the places that written has at and below from, as those of at.
func (d *document) adopt(at, from string, written *document) {
	for _, places := range []struct{ to, from map[string]Position }{{d.values, written.values}, {d.keys, written.keys}} {
		for p, where := range places.from {
			if within(p, from) {
				places.to[at+strings.TrimPrefix(p, from)] = where
			}
		}
	}
}

// within reports whether p is path or below it.
func within(p, path string) bool {
	rest, ok := strings.CutPrefix(p, path)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// versions are the document and its forms with each override alone, with the path of
// what makes the difference.
func (d *document) versions() map[string]map[string]any {
	out := map[string]map[string]any{"spec": d.spec}
	for _, o := range d.overrides() {
		if o.spec != nil {
			out[o.path+".spec"] = o.spec
		}
	}
	return out
}

// checkOverrides checks what no tenant gets, and so is not checked when a tenant's
// resources are: overrides that pick nobody, those of Variables, and, where there are no
// tenants, all.
func (s *Set) checkOverrides() Diagnostics {
	var ds Diagnostics
	tenants := s.tenants
	for _, d := range s.docs {
		os := d.overrides()
		if len(os) > 0 && !hasOverrides(d.kind) {
			ds = append(ds, Diagnostic{
				Severity: Error, Pos: d.keyAt("overrides"), Address: d.address(), Path: "overrides",
				Summary: fmt.Sprintf("a %s has no overrides", d.kind), Detail: "Overrides are for what tenants get.",
			})
			continue
		}
		apart := !onTenants(d.kind) // not a resource of any tenant
		if len(os) > 0 && (apart || len(tenants) == 0) {
			ds = append(ds, d.checkSpec()...)
		}
		only := selectorOf(d.metadata["tenants"])
		for i, o := range os {
			if apart || !s.picks(only, o.tenants) {
				ds = append(ds, d.with([]override{o}).checkSpec()...)
			}
			if len(tenants) > 0 && !s.picks(o.tenants) {
				ds = append(ds, nobody(d, o.path+".tenants", o.tenants))
			}
			ds = append(ds, d.idle(os[:i+1])...)
		}
		if len(tenants) > 0 && !s.picks(only) {
			ds = append(ds, nobody(d, "metadata.tenants", only))
		}
	}
	return ds
}

// idle reports what the last of os takes out although neither the document nor an
// override before it puts it in: most likely it is misspelt.
func (d *document) idle(os []override) Diagnostics {
	var ds Diagnostics
	last := os[len(os)-1]
	for j, path := range last.without {
		there := has(d.spec, path)
		for _, o := range os[:len(os)-1] {
			there = there || has(o.spec, path)
		}
		if at := fmt.Sprintf("%s.without[%d]", last.path, j); !there && path != "" {
			ds = append(ds, Diagnostic{
				Severity: Warning, Pos: d.at(at), Address: d.address(), Path: at,
				Summary: fmt.Sprintf("%s takes nothing out", at),
				Detail:  fmt.Sprintf("The document's spec has no %s. Check the spelling: it is a path below spec, as in oin_client.description.", quoted(path)),
			})
		}
	}
	return ds
}

// has reports whether there is a value at a path below m.
func has(m map[string]any, path string) bool {
	first, rest, deeper := strings.Cut(path, ".")
	v, ok := m[first]
	if !ok || !deeper {
		return ok
	}
	inner, _ := v.(map[string]any)
	return has(inner, rest)
}

// hasOverrides reports whether documents of a kind may have overrides.
func hasOverrides(kind string) bool { return kind != KindTenant && kind != KindRollout }

// picks reports whether any declared tenant is picked by all of the selectors.
func (s *Set) picks(by ...Selector) bool {
	for _, t := range s.tenants {
		if !slices.ContainsFunc(by, func(one Selector) bool { return !one.Matches(t) }) {
			return true
		}
	}
	return false
}

func nobody(d *document, path string, by Selector) Diagnostic {
	return Diagnostic{
		Severity: Warning, Pos: d.at(path), Address: d.address(), Path: path,
		Summary: fmt.Sprintf("no tenant is like %s", quoted(by.String())),
		Detail:  "Of the tenants that are declared none has these labels, so nothing comes of it. Check the spelling of metadata.labels.",
	}
}
