package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecplan/ecplan/schemas"
)

// Inputs is what filling in needs besides the manifests.
type Inputs struct {
	// Env looks an environment variable up; nil: none is set.
	Env func(name string) (string, bool)
	// Vars are variables from the command line; they go before those of a Tenant.
	Vars map[string]string
	// SyntaxOnly demands no environment and no credentials: what depends on a variable that
	// Env does not have stays {"$secret": path} without a value in Resource.Secrets.
	SyntaxOnly bool
	// Now is the time that certificates must still be valid at; zero: it is not asked.
	Now time.Time
	// Expand, if there, replaces composites by what they stand for.
	Expand func(*Tenant, []*Resource) ([]*Resource, Diagnostics)
}

// Resolve fills in variables, environment and files for one tenant, and returns the
// tenant and all resources, sorted by address. Composites are not expanded and
// references not looked up (see Prepare). Without errors all is as the schemas demand.
func (s *Set) Resolve(tenant string, in Inputs) (*Tenant, []*Resource, Diagnostics) {
	sc, ds := s.scopeOf(tenant, in)
	ds = append(ds, s.unused(in.Vars)...)
	if tenant != "" && s.tenant(tenant) == nil {
		return sc.tenant, nil, ds
	}
	var rs []*Resource
	seen := map[string]bool{}
	for _, d := range s.docs {
		if _, ok := d.root["spec"].(map[string]any); !ok || !onTenants(d.kind) || !isKind(d.kind) || d.name == "" || seen[d.address()] {
			continue // what is wrong with the others, Load has told
		}
		seen[d.address()] = true
		if tenant != "" {
			info := sc.tenant.info()
			if !d.meantFor(info) {
				continue
			}
			d = d.on(info)
		}
		r, problems := sc.resolve(d)
		rs, ds = append(rs, r), append(ds, problems...)
	}
	slices.SortFunc(rs, func(a, b *Resource) int { return cmp.Compare(a.Address(), b.Address()) })
	return sc.tenant, rs, s.mark(ds.Sort())
}

// Prepare resolves, expands composites (Inputs.Expand), checks what they expand to, and
// links: what it returns without errors is ready for the planner.
func (s *Set) Prepare(tenant string, in Inputs) (*Tenant, []*Resource, Diagnostics) {
	t, rs, ds := s.Resolve(tenant, in)
	if in.Expand != nil && len(rs) > 0 {
		broken := map[string]bool{}
		for _, d := range ds {
			broken[d.Address] = broken[d.Address] || d.Severity != Warning
		}
		var problems Diagnostics
		rs, problems = in.Expand(t, rs)
		ds = append(ds, problems...)
		for _, r := range rs {
			if r.From != "" && !broken[r.From] {
				ds = append(ds, CheckSpec(r)...)
			}
		}
	}
	gone := s.lost
	gone.apart = s.apart(t.info())
	ds = append(ds, link(rs, gone)...)
	return t, rs, s.mark(ds.Sort())
}

// resolve fills in one document.
func (sc *scope) resolve(d *document) (*Resource, Diagnostics) {
	sc.doc, sc.secrets, sc.ds = d, map[string]string{}, nil
	spec, _ := sc.value(d.spec, schemas.Rules(d.kind), "spec").(map[string]any)
	r := sc.resource(d, spec)
	ds := append(sc.ds, CheckSpec(r)...)
	if !sc.in.Now.IsZero() {
		ds = append(ds, expired(r, sc.in.Now)...)
	}
	return r, ds
}

// resource wraps a filled-in spec.
func (sc *scope) resource(d *document, spec map[string]any) *Resource {
	r := &Resource{
		Kind: d.kind, Name: d.name, Spec: spec, Secrets: sc.secrets, Pos: d.pos,
		Positions: map[string]Position{}, keys: map[string]Position{},
	}
	for p, at := range d.values {
		if p == "spec" || strings.HasPrefix(p, "spec.") {
			r.Positions[specPath(p)] = at
		}
	}
	for p, at := range d.keys {
		if p == "spec" || strings.HasPrefix(p, "spec.") {
			r.keys[specPath(p)] = at
		}
	}
	m := d.metadata
	r.Meta.Labels = stringMap(m["labels"])
	r.Meta.Acknowledge = stringMap(m["acknowledge"])
	r.Meta.RenamedFrom, _ = m["renamed_from"].(string)
	r.Meta.PreventDestroy, _ = m["prevent_destroy"].(bool)
	r.Meta.Existing, _ = m["existing"].(bool)
	r.Meta.AssumeSecretsUnchanged = m["assume_secrets"] == "unchanged"
	return r
}

// CheckSpec holds a resource against its kind's schema. What is not known yet passes;
// sensitive values are checked but never shown.
func CheckSpec(r *Resource) Diagnostics {
	if !isKind(r.Kind) {
		return Diagnostics{{Severity: Error, Pos: r.Pos, Address: r.Address(), Summary: "there is no kind " + quoted(r.Kind)}}
	}
	hidden := map[string]bool{}
	s := &subject{
		value: revealKnown(r.Spec, r.Secrets, "spec", hidden), prefix: "spec", rule: schemas.Rules(r.Kind), address: r.Address(), kind: r.Kind,
		open:   func(_ string, v any, _ *schemas.Rule) bool { return placeholderTree(v) },
		secret: func(path string) bool { return hidden[path] },
		place: func(path string, key bool) Position {
			at := specPath(path)
			if p, ok := r.keys[at]; key && ok {
				return p
			}
			return r.At(at)
		},
	}
	return s.check(r.Kind)
}

// placeholderTree reports whether v stands for what is not known yet.
func placeholderTree(v any) bool {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return false
	}
	for k := range m {
		return strings.HasPrefix(k, "$")
	}
	return false
}

// revealKnown is Reveal, leaving placeholders whose value is not at hand, and noting the
// paths of the others. The result is for checks only.
func revealKnown(v any, secrets map[string]string, path string, hidden map[string]bool) any {
	if p, ok := AsSecret(v); ok {
		if s, ok := secrets[p]; ok {
			hidden[path] = true
			return s
		}
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = revealKnown(e, secrets, below(path, k), hidden)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = revealKnown(e, secrets, fmt.Sprintf("%s[%d]", path, i), hidden)
		}
		return out
	}
	return v
}

// expired finds certificates among r's public keys that are not valid at now.
func expired(r *Resource, now time.Time) Diagnostics {
	var ds Diagnostics
	walkRules(r.Spec, schemas.Rules(r.Kind), "", func(path string, v any, rule *schemas.Rule) {
		text, ok := v.(string)
		if !ok || rule == nil || rule.Format != formatKey {
			return
		}
		k, err := parsePublicKey(text)
		if err != nil || k.cert == nil || !now.After(k.cert.NotAfter) {
			return // what can't be read has been reported
		}
		ds = append(ds, Diagnostic{
			Severity: Error, Pos: r.At(path), Address: r.Address(), Path: below("spec", path),
			Summary: fmt.Sprintf("the certificate at %s has expired", below("spec", path)),
			Detail:  fmt.Sprintf("It was valid until %s. Ask its owner for a new one.", k.cert.NotAfter.UTC().Format(time.RFC3339)),
		})
	})
	return ds
}

// walkRules calls f for each scalar in v with its path and rule.
func walkRules(v any, rule *schemas.Rule, path string, f func(string, any, *schemas.Rule)) {
	if placeholderTree(v) {
		f(path, v, rule)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range Keys(v) {
			walkRules(v[k], rule.Field(k), below(path, k), f)
		}
	case []any:
		for i, e := range v {
			walkRules(e, itemRule(rule), fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		f(path, v, rule)
	}
}
