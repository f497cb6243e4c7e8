package schemas

import (
	"encoding/json"
	"fmt"
	"strings"
)

// elsewhere is what may stand in a document instead of a value of any type.
const elsewhere = "value_from_elsewhere"

// Bundle makes the schema of a whole document, for editors: all kinds in one file, and
// every field open to ${…}, {file: …} and {env: …} besides its own values. What depends
// on filled-in values (conditions between fields) is left to validate. The result is
// kept as manifest.schema.json.
func Bundle() []byte {
	defs := map[string]any{elsewhere: map[string]any{
		"description": "A value from a variable, the environment, a reference or a file.",
		"anyOf": []any{
			map[string]any{"type": "string", "pattern": `\$\{`},
			map[string]any{"type": "object", "required": []any{"file"}, "additionalProperties": false, "properties": map[string]any{
				"file":      map[string]any{"type": "string", "description": "The path of a file, relative to this one."},
				"sensitive": map[string]any{"type": "boolean", "description": "The value must be shown nowhere."},
			}},
			map[string]any{"type": "object", "required": []any{"env"}, "additionalProperties": false, "properties": map[string]any{
				"env":       map[string]any{"type": "string", "description": "The name of an environment variable."},
				"sensitive": map[string]any{"type": "boolean", "description": "The value must be shown nowhere."},
			}},
		},
	}}
	doc, _ := clone(Tree(Document)).(map[string]any)
	for name, d := range doc["$defs"].(map[string]any) {
		defs[name] = inline(Document, d, false)
	}
	kinds := make([]any, 0, len(Kinds()))
	choices := make([]any, 0, len(Kinds()))
	for _, k := range Kinds() {
		defs[k] = inline(k, Tree(k), false)
		kinds = append(kinds, k)
		meta := "metadata"
		if k == "Tenant" || k == "Variables" || k == "Rollout" {
			meta = "tenant_metadata"
		}
		choices = append(choices, map[string]any{
			"if": map[string]any{"required": []any{"kind"}, "properties": map[string]any{"kind": map[string]any{"const": k}}},
			"then": map[string]any{"properties": map[string]any{
				"metadata": map[string]any{"$ref": "#/$defs/" + meta},
				"spec":     map[string]any{"$ref": "#/$defs/" + k},
			}},
		})
	}
	doc["$id"], doc["$defs"], doc["allOf"] = base+Manifest+suffix, defs, choices
	doc["properties"].(map[string]any)["kind"].(map[string]any)["enum"] = kinds
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("schemas: " + err.Error()) // JSON values always marshal
	}
	return append(b, '\n')
}

// inline copies a schema of the file called name into the bundle: references point to
// where their targets stand there, ecplan's keywords and conditions are dropped, and,
// if open, values from elsewhere are allowed.
func inline(name string, v any, open bool) any {
	t, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if ref, ok := t["$ref"].(string); ok {
		file, pointer, _ := strings.Cut(ref, "#")
		if file != "" {
			name = strings.TrimSuffix(file, suffix)
		}
		return map[string]any{"$ref": "#/$defs/" + name + pointer}
	}
	out := map[string]any{}
	for k, e := range t {
		switch {
		case strings.HasPrefix(k, "x-ecplan-"), k == "$schema", k == "$id", k == "$defs", k == "if", k == "then", k == "else":
		case k == "allOf":
			if rest := plain(e); len(rest) > 0 {
				out[k] = rest
			}
		case k == "properties":
			props := map[string]any{}
			for p, s := range e.(map[string]any) {
				props[p] = inline(name, s, name != Document)
			}
			out[k] = props
		case k == "items", k == "additionalProperties":
			out[k] = inline(name, e, name != Document)
		default:
			out[k] = clone(e)
		}
	}
	if !open || len(out) == 0 {
		return out
	}
	opened := map[string]any{"anyOf": []any{out, map[string]any{"$ref": "#/$defs/" + elsewhere}}}
	for _, k := range []string{"description", "default"} {
		if d, ok := out[k]; ok {
			opened[k] = d
			delete(out, k)
		}
	}
	return opened
}

// plain drops conditions from a list of schemas: they can't be decided before values
// are filled in.
func plain(v any) []any {
	var out []any
	list, _ := v.([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok && m["if"] == nil {
			c, _ := clone(m).(map[string]any)
			delete(c, "x-ecplan-says")
			out = append(out, c)
		}
	}
	return out
}

func clone(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("schemas: %v", err)) // JSON values always marshal
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(fmt.Sprintf("schemas: %v", err))
	}
	return out
}
