package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/ecplan/ecplan/pkg/manifest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path) // #nosec G304 -- a file of this package
	if err != nil {
		t.Fatalf("%v (go test ./pkg/report -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what is shown now; look at both, and run go test ./pkg/report -update if it is right:\n%s", path, got)
	}
}

var extensions = map[string]string{Text: "txt", JSON: "json", Markdown: "md", HTML: "html", JUnit: "junit.xml", SARIF: "sarif"}

// TestPlanGolden shows each plan in every format. That of JSON is the scene itself.
func TestPlanGolden(t *testing.T) {
	for name, p := range scenes(t) {
		for format, ext := range extensions {
			out := []byte(show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: format}) }))
			if format != JSON {
				golden(t, "plan-"+name+"."+ext+".golden", out)
			} else if !bytes.Equal(out, read(t, "plan-"+name)) {
				t.Errorf("%s: JSON is not the saved plan", name)
			}
		}
		golden(t, "plan-"+name+".narrow.txt.golden", []byte(show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Width: 60}) })))
		if name == "update" || name == "forty" {
			golden(t, "plan-"+name+".color.txt.golden", []byte(show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Width: 100, Color: true}) })))
		}
		for format, ext := range map[string]string{Mermaid: "mmd", DOT: "dot"} {
			golden(t, "plan-"+name+"."+ext+".golden", []byte(show(t, func(w *bytes.Buffer) error { return Graph(w, Steps(&p.Tenants[0]), format) })))
		}
	}
}

func TestRunGolden(t *testing.T) {
	for name, r := range runScenes(t) {
		for _, format := range []string{Text, Markdown, HTML} {
			golden(t, "run-"+name+"."+extensions[format]+".golden", []byte(show(t, func(w *bytes.Buffer) error { return Run(w, r, Options{Format: format}) })))
		}
		if out := show(t, func(w *bytes.Buffer) error { return Run(w, r, Options{Format: JSON}) }); out != string(read(t, "run-"+name)) {
			t.Errorf("%s: JSON is not the report:\n%s", name, out)
		}
	}
}

func TestDiagnosticsGolden(t *testing.T) {
	source := func(file string) ([]byte, error) {
		if file != "tenants.yaml" {
			return nil, os.ErrNotExist
		}
		return []byte("kind: Tenant\nspec:\n  domain: acmé.eu.auth0.com/x \u202e\n"), nil
	}
	for format, ext := range map[string]string{Text: "txt", JSON: "json", JUnit: "junit.xml", SARIF: "sarif"} {
		for name, ds := range map[string]manifest.Diagnostics{"some": diagnostics(), "none": nil} {
			golden(t, "diagnostics-"+name+"."+ext+".golden", []byte(show(t, func(w *bytes.Buffer) error {
				return Diagnostics(w, ds, Options{Format: format, Source: source})
			})))
		}
	}
}

// TestPositions: with a place for each resource, JUnit and SARIF point at the line.
func TestPositions(t *testing.T) {
	at := func(tenant, address, path string) manifest.Position {
		return manifest.Position{File: tenant + "/" + address + ".yaml", Line: 7 + len(path), Column: 3}
	}
	for format, ext := range map[string]string{JUnit: "junit.xml", SARIF: "sarif"} {
		golden(t, "positions."+ext+".golden", []byte(show(t, func(w *bytes.Buffer) error {
			return Plan(w, scene(t, "drift"), Options{Format: format, Position: at})
		})))
	}
}
