package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	nested := "apiVersion: ecplan/v1\nkind: Role\nmetadata: {name: x}\nspec: " + strings.Repeat("[", 101) + strings.Repeat("]", 101) + "\n"
	for name, tt := range map[string]struct{ text, want string }{
		"depth":   {nested, "nested too deeply | The limit is 100 levels."},
		"aliases": {aliasBomb(), "aliases repeat too much | The limit is 100000 values"},
		"self":    {"apiVersion: ecplan/v1\nkind: Role\nmetadata: {name: x}\nspec: &s {name: r, description: *s}\n", "contains itself"},
		"merge":   {"apiVersion: ecplan/v1\nkind: Role\nmetadata: {name: x}\nspec: {<<: 3, name: r}\n", "the merge key << needs a map"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(validate(t, map[string]string{"m.yaml": tt.text}), "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("got %s", got)
			}
		})
	}
	t.Run("size", func(t *testing.T) {
		dir := t.TempDir()
		p := filepath.Join(dir, "big.yaml")
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(p, maxManifest+1); err != nil {
			t.Fatal(err)
		}
		if _, ds := Load([]string{dir}); len(ds) != 1 || !strings.Contains(ds[0].Detail, "limit of 10 MB") {
			t.Errorf("got %v", ds)
		}
	})
	t.Run("size of a named file", func(t *testing.T) {
		got := validate(t, map[string]string{"m.yaml": doc("Role", "x", "name: {file: big.txt}"), "big.txt": strings.Repeat("x", maxFile+1)})
		if len(got) != 1 || !strings.Contains(got[0], "limit of 1 MB") {
			t.Errorf("got %v", got)
		}
	})
}

// aliasBomb is a document of a few hundred bytes that stands for 10^9 values.
func aliasBomb() string {
	b := "apiVersion: ecplan/v1\nkind: Role\nmetadata: {name: x}\nspec:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		b += fmt.Sprintf("  a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	return b
}

func TestAliasesAndMergeKeys(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": doc("ResourceServer", "x", `
identifier: a
scopes:
  - &s {value: one, description: &d both}
  - {<<: *s, value: two}
name: *d
`)})
	_, rs, ds := s.Resolve("", Inputs{})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := `{"identifier":"a","name":"both","scopes":[{"description":"both","value":"one"},{"description":"both","value":"two"}]}`
	if got := mustJSON(rs[0].Spec); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestScalars(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": doc("Client", "x", `
name: on
description: 2027-01-31
client_metadata: {a: yes, b: "012", c: 0o17x, d: ~}
jwt_configuration: {alg: RS256, lifetime_in_seconds: 0x10}
`)})
	_, rs, ds := s.Resolve("", Inputs{})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := `{"client_metadata":{"a":"yes","b":"012","c":"0o17x","d":null},"description":"2027-01-31","jwt_configuration":{"alg":"RS256","lifetime_in_seconds":16},"name":"on"}`
	if got := mustJSON(rs[0].Spec); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestNothingLeadsOut holds that no path, link or special file leads out of the folder,
// or stops the program.
func TestNothingLeadsOut(t *testing.T) {
	outside := write(t, map[string]string{"secret.txt": "hunter2", "m.yaml": doc("Role", "outside", "name: r")})
	dir := write(t, map[string]string{
		"sub/m.yaml": doc("Role", "a", "name: {file: ../ok.txt}") + "---\n" + doc("Role", "b", "name: {file: link.txt}") +
			"---\n" + doc("Role", "c", "name: {file: dir/secret.txt}") + "---\n" + doc("Role", "d", "name: {file: inside.txt}") +
			"---\n" + doc("Role", "e", "name: {file: .}") + "---\n" + doc("Role", "f", "name: {file: ../../"+filepath.Base(outside)+"/secret.txt}"),
		"ok.txt": "fine",
	})
	for link, to := range map[string]string{
		"sub/link.txt": filepath.Join(outside, "secret.txt"), "sub/dir": outside,
		"sub/inside.txt": "../ok.txt", "sub/m2.yaml": filepath.Join(outside, "m.yaml"),
	} {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	s, ds := Load([]string{dir})
	_, rs, more := s.Resolve("", Inputs{})
	ds = append(ds, more...)
	for _, r := range rs {
		switch r.Name {
		case "a", "d":
			if r.Spec["name"] != "fine" {
				t.Errorf("%s is %v", r.Name, r.Spec["name"])
			}
		case "outside":
			t.Error("a manifest from outside was loaded")
		}
	}
	if text := ds.Error(); strings.Contains(text, "hunter2") || ds.Errors() != 5 {
		t.Errorf("want 5 errors, got %d:\n%s", ds.Errors(), text)
	}
	for _, d := range ds {
		if d.Pos.File == "" || !strings.Contains(d.Detail, "outside") && !strings.Contains(d.Detail, "regular file") {
			t.Errorf("got %v", d)
		}
	}
}

func TestPathsThatCannotBeRead(t *testing.T) {
	dir := write(t, map[string]string{"latin.yaml": "apiVersion: ecplan/v1 # \xe9\n", "m.yaml": doc("Role", "a", "name: r")})
	s, ds := Load([]string{filepath.Join(dir, "nope"), dir, dir})
	if len(ds) != 2 || !strings.Contains(ds.Error(), "no such file") || !strings.Contains(ds.Error(), "UTF-8") {
		t.Errorf("got %v", ds)
	}
	if len(s.docs) != 1 {
		t.Errorf("%d documents were read, want one, once", len(s.docs))
	}
}

func TestNamedFileMustBeOurs(t *testing.T) {
	dir := write(t, map[string]string{"m.yaml": "apiVersion: v1\nkind: Pod\n"})
	if _, ds := Load([]string{filepath.Join(dir, "m.yaml")}); len(ds) != 1 || ds[0].Pos.Line != 1 || ds[0].Pos.Column != 13 {
		t.Errorf("got %v", ds)
	}
}
