package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

func schemaFile(name string) string {
	return filepath.Join("..", "..", "schemas", "report", name+".schema.json")
}

// TestJSONFitsItsSchema holds everything that is printed as JSON against its schema.
func TestJSONFitsItsSchema(t *testing.T) {
	check := func(name string, data []byte) {
		t.Helper()
		schema, err := jsonschema.NewCompiler().Compile(schemaFile(name))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %#v", name, err)
		}
	}
	for _, p := range scenes(t) {
		check("plan", []byte(show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: JSON}) })))
	}
	check("plan", []byte(show(t, func(w *bytes.Buffer) error { return Plan(w, planOf(), Options{Format: JSON}) })))
	for _, r := range runScenes(t) {
		check("run", []byte(show(t, func(w *bytes.Buffer) error { return Run(w, r, Options{Format: JSON}) })))
	}
	for _, ds := range []manifest.Diagnostics{nil, diagnostics()} {
		check("diagnostics", []byte(show(t, func(w *bytes.Buffer) error { return Diagnostics(w, ds, Options{Format: JSON}) })))
	}
}

// TestSchemasNameEveryMember: the schemas know exactly the members that the types have.
func TestSchemasNameEveryMember(t *testing.T) {
	for _, c := range []struct {
		file, def string
		of        any
	}{
		{"plan", "", planner.Plan{}},
		{"plan", "tenant", planner.TenantPlan{}},
		{"plan", "step", kind.Step{}},
		{"plan", "change", kind.Change{}},
		{"plan", "request", kind.Request{}},
		{"plan", "await", kind.Await{}},
		{"plan", "guard", kind.Guard{}},
		{"plan", "twins", kind.Twins{}},
		{"plan", "read", kind.Read{}},
		{"plan", "undo", kind.Undo{}},
		{"plan", "notice", kind.Notice{}},
		{"run", "", RunReport{}},
		{"run", "tenant", TenantRun{}},
		{"run", "step", StepResult{}},
		{"diagnostics", "", diagnosticsFile{}},
		{"diagnostics", "diagnostic", manifest.Diagnostic{}},
		{"diagnostics", "position", manifest.Position{}},
	} {
		t.Run(fmt.Sprintf("%s/%s", c.file, c.def), func(t *testing.T) {
			data, err := os.ReadFile(schemaFile(c.file))
			if err != nil {
				t.Fatal(err)
			}
			type object struct {
				Properties map[string]any     `json:"properties"`
				Defs       map[string]*object `json:"$defs"`
			}
			var s object
			if err := json.Unmarshal(data, &s); err != nil {
				t.Fatal(err)
			}
			o := &s
			if c.def != "" {
				o = s.Defs[c.def]
			}
			var have []string
			for i := range reflect.TypeOf(c.of).NumField() {
				if name, _, _ := strings.Cut(reflect.TypeOf(c.of).Field(i).Tag.Get("json"), ","); name != "-" {
					have = append(have, name)
				}
			}
			slices.Sort(have)
			if want := manifest.Keys(o.Properties); !slices.Equal(have, want) {
				t.Errorf("the schema names %v, the type has %v", want, have)
			}
		})
	}
}
