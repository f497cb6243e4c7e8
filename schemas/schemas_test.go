package schemas

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

var update = flag.Bool("update", false, "write manifest.schema.json anew")

// known are the keywords that messages have words for (package manifest, check.go), and
// those that only describe.
var known = []string{
	"$schema", "$id", "$defs", "$ref", "title", "description", "default", "type", "properties", "required", "additionalProperties",
	"items", "enum", "const", "minLength", "maxLength", "pattern", "format", "minimum", "exclusiveMinimum", "maximum", "minItems", "maxItems",
	"uniqueItems", "minProperties", "maxProperties", "propertyNames", "oneOf", "not", "allOf", "if", "then",
}

// each calls f for every schema below v with a path for messages.
func each(path string, v any, f func(path string, s map[string]any)) {
	s, ok := v.(map[string]any)
	if !ok {
		return
	}
	f(path, s)
	for _, k := range []string{"items", "additionalProperties", "propertyNames", "if", "then", "not"} {
		each(path+"/"+k, s[k], f)
	}
	for _, k := range []string{"properties", "$defs"} {
		m, _ := s[k].(map[string]any)
		for name, e := range m {
			each(path+"/"+k+"/"+name, e, f)
		}
	}
	for _, k := range []string{"allOf", "oneOf"} {
		list, _ := s[k].([]any)
		for _, e := range list {
			each(path+"/"+k, e, f)
		}
	}
}

func TestSchemasCompile(t *testing.T) {
	for _, name := range append(Kinds(), Document, Document+"#/$defs/metadata", Document+"#/$defs/tenant_metadata") {
		if _, err := Compile(name, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEverySchemaCanSpeak holds what the messages rest on: only keywords that they know,
// words of the schema's own where a keyword has none, and a description on every field.
func TestEverySchemaCanSpeak(t *testing.T) {
	for _, name := range append(Kinds(), Document) {
		each(name, Tree(name), func(path string, s map[string]any) {
			for k := range s {
				if !strings.HasPrefix(k, "x-ecplan-") && !slices.Contains(known, k) {
					t.Errorf("%s: nobody has words for the keyword %s", path, k)
				}
			}
			says, _ := s["x-ecplan-says"].(string)
			for _, k := range []string{"pattern", "oneOf", "not", "if", "minProperties"} {
				if s[k] != nil && says == "" && !strings.Contains(path, "/if") && !strings.Contains(path, "/then") {
					t.Errorf("%s: %s needs x-ecplan-says", path, k)
				}
			}
			condition := strings.Contains(path, "/if") || strings.Contains(path, "/then") || strings.Contains(path, "/allOf") ||
				strings.Contains(path, "/oneOf") || strings.HasSuffix(path, "/propertyNames") || strings.HasSuffix(path, "/not")
			if _, ref := s["$ref"]; !ref && !condition && s["description"] == nil {
				t.Errorf("%s: no description", path)
			}
			for k := range s {
				if strings.HasPrefix(k, "x-ecplan-") && !slices.Contains([]string{
					"set", "merge", "immutable", "sensitive", "write-only", "ref", "refs",
					"absent", "text", "local", "identity", "outputs", "says", "name",
				}, strings.TrimPrefix(k, "x-ecplan-")) {
					t.Errorf("%s: %s means nothing", path, k)
				}
			}
		})
	}
}

func TestRules(t *testing.T) {
	if Rules("Nothing") != nil {
		t.Error("there are rules for a kind that is not there")
	}
	client := Rules("Client")
	if !client.Properties["callbacks"].Set || !client.Properties["client_metadata"].MergeMap || !client.Field("client_id").Immutable {
		t.Error("rules of Client are wrong")
	}
	if got := Rules("ResourceServer").Properties["scopes"]; !slices.Equal(got.Merge, []string{"value"}) || !got.HasAbsent || got.MergeMap {
		t.Errorf("scopes: %+v", got)
	}
	action := Rules("Action")
	if s := action.Field("secrets").Field("ANY"); !s.Sensitive || !s.WriteOnly {
		t.Error("an Action's secrets must be sensitive")
	}
	if !action.Field("code").Text || !action.Field("bind").Local || !slices.Equal(action.Outputs, []string{"id"}) {
		t.Error("rules of Action are wrong")
	}
	// The rules of a field reach the composite through its references.
	if !Rules("ExpressConfiguration").Field("action").Field("secrets").Field("X").Sensitive {
		t.Error("the composite's secrets must be sensitive")
	}
	if f := Rules("TenantSettings").Field("flags"); !f.MergeMap || f.Field("use_scope_descriptions_for_consent").Absent != false || f.Field("no_such_flag") != nil {
		t.Errorf("flags: %+v", f)
	}
	if r := client.Field("par_request_expiry"); !r.Allows("null") || !r.Allows("integer") || r.Allows("string") {
		t.Errorf("types: %v", r.Types)
	}
	if r := Rules("Tenant").Field("rate_share"); !r.Allows("integer") {
		t.Error("a whole number is a number")
	}
}

// TestAbsentValuesFit holds that what stands for a missing field could be declared.
func TestAbsentValuesFit(t *testing.T) {
	for _, name := range Kinds() {
		each(name, Tree(name), func(path string, s map[string]any) {
			absent, ok := s["x-ecplan-absent"]
			if !ok {
				return
			}
			c := jsonschema.NewCompiler()
			bare, _ := clone(s).(map[string]any)
			for k := range bare {
				if strings.HasPrefix(k, "x-ecplan-") || k == "items" {
					delete(bare, k)
				}
			}
			if err := c.AddResource("mem:s", bytes.NewReader(mustJSON(t, bare))); err != nil {
				t.Fatal(err)
			}
			schema, err := c.Compile("mem:s")
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if err := schema.Validate(absent); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
}

func TestManifestSchemaIsCurrent(t *testing.T) {
	want := Bundle()
	if *update {
		if err := os.WriteFile(Manifest+suffix, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(Manifest + suffix)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("manifest.schema.json is not what the schemas make; run: go test ./schemas -update")
	}
}

// TestManifestSchema checks documents as an editor does.
func TestManifestSchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	c.AssertFormat = false
	if err := c.AddResource("mem:manifest", bytes.NewReader(Bundle())); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("mem:manifest")
	if err != nil {
		t.Fatal(err)
	}
	doc := func(kind string, spec map[string]any) map[string]any {
		return map[string]any{"apiVersion": "ecplan/v1", "kind": kind, "metadata": map[string]any{"name": "x"}, "spec": spec}
	}
	for _, tt := range []struct {
		name string
		doc  map[string]any
		ok   bool
	}{
		{"plain", doc("Role", map[string]any{"name": "r"}), true},
		{"variable for a truth value", doc("ResourceServer", map[string]any{"identifier": "a", "enforce_policies": "${var.on}"}), true},
		{"text for a truth value", doc("ResourceServer", map[string]any{"identifier": "a", "enforce_policies": "yes"}), false},
		{"key from a file", doc("ExpressConfiguration", map[string]any{
			"app": map[string]any{"client_id": "${var.a}"}, "init_login_url": "${var.u}",
			"oin_client": map[string]any{"public_key": map[string]any{"file": "k.pem"}, "callbacks": []any{"${var.c}"}},
		}), true},
		{"unknown field", doc("Role", map[string]any{"name": "r", "nmae": "r"}), false},
		{"unknown field far inside", doc("ExpressConfiguration", map[string]any{"app": map[string]any{"client_id": "a"}, "init_login_url": "https://x", "oin_client": map[string]any{"nope": 1}}), false},
		{"missing field", doc("Role", map[string]any{}), false},
		{"unknown kind", doc("Rule", map[string]any{}), false},
		{"metadata of a tenant", map[string]any{"apiVersion": "ecplan/v1", "kind": "Tenant", "metadata": map[string]any{"name": "x", "existing": true}, "spec": map[string]any{}}, false},
	} {
		if err := schema.Validate(clone(tt.doc)); (err == nil) != tt.ok {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestFileNamesWhatThereIs(t *testing.T) {
	if _, err := File("Rolle"); err == nil || !strings.Contains(err.Error(), "Role") {
		t.Errorf("got %v", err)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
