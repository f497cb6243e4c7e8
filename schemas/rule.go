package schemas

import (
	"fmt"
	"sync"
)

// Rule is what a schema says of one value besides its limits: how two of them are
// compared, and what becomes of the value. Rules are shared: nobody may change one.
type Rule struct {
	// Properties are the fields of an object; Values is what the values of a map are.
	Properties map[string]*Rule
	Values     *Rule
	// Items is what the members of an array are.
	Items *Rule
	// Set says that the order of the array does not matter (x-ecplan-set).
	Set bool
	// Merge lists the fields by which objects of the array are told apart: others stay
	// on the tenant (x-ecplan-merge with names).
	Merge []string
	// MergeMap says the same of an object: it is merged key by key (x-ecplan-merge: true).
	MergeMap bool
	// Immutable values can't be changed once the object is there (x-ecplan-immutable).
	Immutable bool
	// Sensitive values are shown nowhere (x-ecplan-sensitive).
	Sensitive bool
	// WriteOnly values can't be read back (x-ecplan-write-only).
	WriteOnly bool
	// Ref is the kind and attribute that the value usually refers to: "Client.client_id"
	// (x-ecplan-ref). Fields that only plans and records have, such as the role of one
	// membership, are told beside the properties (x-ecplan-refs).
	Ref string
	// Absent is what a missing field on the tenant means, and what is sent to clear it
	// (null without it); HasAbsent says that there is one (x-ecplan-absent).
	Absent    any
	HasAbsent bool
	// Text is program text: compared without blank first lines and final newline, shown
	// as a diff, and never searched for ${…} (x-ecplan-text).
	Text bool
	// Local fields are ecplan's own, not the API object's (x-ecplan-local).
	Local bool
	// Identity fields are part of how the object is found (x-ecplan-identity).
	Identity bool
	// Outputs, at the top only, are the attributes that references may name besides the
	// fields of the spec (x-ecplan-outputs).
	Outputs []string
	// Types are the JSON types that are allowed, "null" included; none: all are.
	Types []string
	// Format names the form that a text must have.
	Format string
}

// Rules returns the rules of a kind's spec, nil if there is no such kind.
func Rules(kind string) *Rule { return rules()[kind] }

// Field returns the rule of the field or key called name of an object or map, nil if
// there is none.
func (r *Rule) Field(name string) *Rule {
	if r == nil {
		return nil
	}
	if f, ok := r.Properties[name]; ok {
		return f
	}
	return r.Values
}

// Allows reports whether a value of the JSON type may stand here. A nil rule allows all.
func (r *Rule) Allows(typ string) bool {
	if r == nil || len(r.Types) == 0 {
		return true
	}
	for _, t := range r.Types {
		if t == typ || t == "number" && typ == "integer" {
			return true
		}
	}
	return false
}

var rules = sync.OnceValue(func() map[string]*Rule {
	out := map[string]*Rule{}
	for _, kind := range Kinds() {
		out[kind] = parseRule(kind, trees()[kind], 0)
	}
	return out
})

// parseRule reads the keywords of one schema. Conditions (if, allOf, …) hold no rules.
func parseRule(name string, t map[string]any, depth int) *Rule {
	if depth > 30 {
		panic(fmt.Sprintf("schemas: %s refers to itself", name)) // held by a test
	}
	if ref, ok := t["$ref"].(string); ok {
		name, t = target(name, ref)
		return parseRule(name, t, depth+1)
	}
	r := &Rule{
		Set:       t["x-ecplan-set"] == true,
		Merge:     texts(t["x-ecplan-merge"]),
		MergeMap:  t["x-ecplan-merge"] == true,
		Immutable: t["x-ecplan-immutable"] == true,
		Sensitive: t["x-ecplan-sensitive"] == true,
		WriteOnly: t["x-ecplan-write-only"] == true,
		Text:      t["x-ecplan-text"] == true,
		Local:     t["x-ecplan-local"] == true,
		Identity:  t["x-ecplan-identity"] == true,
		Outputs:   texts(t["x-ecplan-outputs"]),
		Types:     texts(t["type"]),
	}
	r.Ref, _ = t["x-ecplan-ref"].(string)
	r.Format, _ = t["format"].(string)
	r.Absent, r.HasAbsent = t["x-ecplan-absent"]
	if props, ok := t["properties"].(map[string]any); ok {
		r.Properties = make(map[string]*Rule, len(props))
		for k, v := range props {
			if s, ok := v.(map[string]any); ok {
				r.Properties[k] = parseRule(name, s, depth+1)
			}
		}
	}
	if refs, ok := t["x-ecplan-refs"].(map[string]any); ok {
		for k, ref := range refs {
			f := &Rule{}
			f.Ref, _ = ref.(string)
			r.Properties[k] = f
		}
	}
	if s, ok := t["additionalProperties"].(map[string]any); ok {
		r.Values = parseRule(name, s, depth+1)
	}
	if s, ok := t["items"].(map[string]any); ok {
		r.Items = parseRule(name, s, depth+1)
	}
	return r
}

// texts reads a text or a list of texts.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
