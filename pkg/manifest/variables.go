package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/ecplan/ecplan/schemas"
)

// KindVariables is the kind of the documents that declare what tenants may set.
const KindVariables = "Variables"

// variable is one that a Variables document declares, as it is for one tenant.
type variable struct {
	name string
	// doc says where its default stands: at spec.vars.NAME, as if a tenant had set it.
	doc *document
	// rule holds its type, and whether it is sensitive.
	rule    *schemas.Rule
	allowed []any
	preset  any
	has     bool // there is a default
}

// variables returns what the documents declare for a tenant, by name, nil without such
// a document.
func (s *Set) variables(t TenantInfo) map[string]variable {
	var out map[string]variable
	for _, d := range s.docs {
		if d.kind != KindVariables {
			continue
		}
		d = d.on(t)
		if out == nil {
			out = map[string]variable{}
		}
		for _, name := range Keys(d.spec) {
			m, _ := d.spec[name].(map[string]any)
			out[name] = d.variable(name, m)
		}
	}
	return out
}

// Harmless reports whether the values of a variable may be shown: it is declared, and
// nowhere as sensitive. Of one that is not declared nobody knows.
func (s *Set) Harmless(name string) bool {
	declared := false
	for _, d := range s.docs {
		if d.kind != KindVariables {
			continue
		}
		for _, spec := range d.versions() {
			if m, ok := spec[name].(map[string]any); ok {
				declared = true
				if m["sensitive"] == true {
					return false
				}
			}
		}
	}
	return declared
}

func (d *document) variable(name string, m map[string]any) variable {
	v := variable{name: name, rule: &schemas.Rule{Types: []string{"string"}}}
	if t, ok := m["type"].(string); ok {
		v.rule.Types = []string{t}
	}
	v.rule.Sensitive = m["sensitive"] == true
	v.allowed, _ = m["allowed"].([]any)
	v.preset, v.has = m["default"]
	at := *d
	at.values, at.keys = map[string]Position{}, map[string]Position{}
	at.adopt("spec.vars."+name, "spec."+name+".default", d)
	v.doc = &at
	return v
}

// given returns the value that --var gives the variable as text.
func (v variable) given(sc *scope, text string) any {
	if v.rule.Allows("array") || v.rule.Allows("object") {
		var tree any
		if err := json.Unmarshal([]byte(text), &tree); err == nil {
			return tree
		}
		return text // of the wrong type, which is reported
	}
	return sc.settle(text, true, v.rule, "spec.vars."+v.name)
}

// fillVars fills in the tenant's variables: those of the command line, else the
// tenant's own, else the defaults of the declared ones.
func (sc *scope) fillVars(doc *document, set map[string]any) map[string]any {
	declared := sc.set.variables(sc.tenant.info())
	vars := map[string]any{}
	for _, name := range Keys(set) {
		v, known := declared[name]
		if declared != nil && !known {
			sc.ds = append(sc.ds, Diagnostic{
				Severity: Error, Pos: doc.keyAt("spec.vars." + name), Address: doc.address(), Path: "spec.vars." + name,
				Summary: "there is no variable " + quoted(name),
				Detail:  sentences(didYouMean(name, Keys(declared)), "No document of kind Variables declares it."),
			})
		}
		if _, given := sc.in.Vars[name]; !given {
			vars[name] = sc.value(set[name], v.rule, "spec.vars."+name)
			sc.checkVar(v, vars[name], doc)
		}
	}
	for _, name := range Keys(sc.in.Vars) {
		text := sc.in.Vars[name]
		switch v, ok := declared[name]; {
		case ok:
			vars[name] = v.given(sc, text)
			sc.checkVar(v, vars[name], nil)
		default:
			vars[name] = text
			if typed, ok := set[name]; ok {
				vars[name] = likeDeclared(text, typed)
			}
		}
	}
	// Defaults may use what is set, and not each other.
	sc.vars = vars
	presets := map[string]any{}
	for _, name := range Keys(declared) {
		if _, ok := vars[name]; ok || !declared[name].has {
			continue
		}
		v := declared[name]
		sc.doc = v.doc
		presets[name] = sc.value(v.preset, v.rule, "spec.vars."+name)
		sc.checkVar(v, presets[name], v.doc)
	}
	sc.doc = doc
	for name, v := range presets {
		vars[name] = v
	}
	return vars
}

// checkVar holds a value against what is declared; doc is where it was written, nil
// for the command line.
func (sc *scope) checkVar(v variable, value any, doc *document) {
	if v.rule == nil || placeholderTree(value) {
		return
	}
	fail := func(summary, detail string) {
		d := Diagnostic{Severity: Error, Path: "spec.vars." + v.name, Summary: summary, Detail: detail}
		if doc != nil {
			d.Pos, d.Address = doc.at(d.Path), doc.address()
		}
		sc.ds = append(sc.ds, d)
	}
	typ := v.rule.Types[0]
	if !isType(value, typ) {
		summary, detail := typeFault("the variable "+v.name, fault{schema: map[string]any{"type": typ}, value: value})
		fail(summary, detail)
		return
	}
	for _, a := range v.allowed {
		if reflect.DeepEqual(a, value) {
			return
		}
	}
	if len(v.allowed) > 0 {
		var words []string
		for _, a := range v.allowed {
			words = append(words, strings.Trim(mustJSON(a), `"`))
		}
		fail(fmt.Sprintf("the variable %s can't be %s", v.name, quoted(strings.Trim(mustJSON(value), `"`))), listing("Allowed are", words))
	}
}

// isType reports whether a value has a type of JSON Schema.
func isType(v any, typ string) bool {
	switch v := v.(type) {
	case string:
		return typ == "string"
	case bool:
		return typ == "boolean"
	case float64:
		return typ == "number" || typ == "integer" && v == float64(int64(v))
	case []any:
		return typ == "array"
	case map[string]any:
		return typ == "object"
	}
	return false
}

// checkVariables refuses sensitive defaults that are written out, and variables that
// are declared twice.
func (s *Set) checkVariables() Diagnostics {
	var ds Diagnostics
	first := map[string]*document{}
	for _, d := range s.docs {
		if d.kind != KindVariables {
			continue
		}
		for _, name := range Keys(d.spec) {
			path := "spec." + name
			if other, ok := first[name]; ok {
				ds = append(ds, Diagnostic{
					Severity: Error, Pos: d.keyAt(path), Address: d.address(), Path: path,
					Summary: fmt.Sprintf("the variable %s is declared twice", quoted(name)), Detail: fmt.Sprintf("It is declared at %s already.", other.keyAt(path)),
				})
			}
			first[name] = d
			m, _ := d.spec[name].(map[string]any)
			if text, ok := m["default"].(string); ok && m["sensitive"] == true && !hasExpression(text) {
				ds = append(ds, Diagnostic{
					Severity: Error, Pos: d.at(path + ".default"), Address: d.address(), Path: path + ".default", Private: true,
					Summary: fmt.Sprintf("the default of the sensitive variable %s must not be written into the manifest", quoted(name)),
					Detail:  "Write ${env.NAME} or {file: path}; if this was a real value, replace it.",
				})
			}
		}
	}
	return ds
}
