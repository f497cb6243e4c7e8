// Package rules holds the project to rules that no single package can hold: which
// package may import which, and what every kind must come with. It has tests only.
package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ecplan/ecplan"

// layers are the packages from the bottom to the top: each may import what is in the
// layers below, and of its own layer only what beside allows.
var layers = [][]string{
	{"schemas"},
	{"pkg/manifest"},
	{"pkg/kind"},
	{"pkg/journal", "pkg/planner", "pkg/tenant"},
	{"pkg/executor"},
	{"pkg/express", "pkg/express/rehearse", "pkg/fleet", "pkg/report"},
	{"cmd/ecplan"},
}

var beside = map[string][]string{
	"pkg/express/rehearse": {"pkg/express"},
	"pkg/fleet":            {"pkg/express", "pkg/express/rehearse"},
	"pkg/report":           {"pkg/express", "pkg/express/rehearse"},
}

// apart are packages outside of the layers, and who may import them besides tests.
var apart = map[string][]string{
	"examples":          {"cmd/ecplan"},
	"internal/auth0sim": {"cmd/ecplan", "pkg/express/rehearse"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func (p listed) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// list asks the go command about packages.
func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("go list %v: %v\n%s", args, err, failed.Stderr)
		}
		t.Fatalf("go list %v: %v", args, err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func layer(pkg string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) })
}

func TestImportsGoOneWay(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		pkg := p.name()
		seen[pkg] = true
		for _, imported := range p.Imports {
			ours, found := strings.CutPrefix(imported, module+"/")
			if !found {
				continue
			}
			if problem := allowed(pkg, ours); problem != "" {
				t.Errorf("%s imports %s: %s", pkg, ours, problem)
			}
		}
	}
	for _, l := range layers {
		for _, pkg := range l {
			if !seen[pkg] {
				t.Errorf("the layers name %s, which is not there", pkg)
			}
		}
	}
}

// allowed says what speaks against an import, "" if nothing does.
func allowed(pkg, imported string) string {
	if strings.HasPrefix(pkg, "internal/auth0sim") {
		if strings.HasPrefix(imported, "internal/auth0sim") {
			return ""
		}
		return "the simulator imports nothing of ours, so that it can't share our mistakes"
	}
	if who, found := apart[imported]; found {
		if slices.Contains(who, pkg) {
			return ""
		}
		return "only " + strings.Join(who, ", ") + " and tests may"
	}
	from, to := layer(pkg), layer(imported)
	switch {
	case from < 0:
		return "the package has no layer yet; give it one in internal/rules"
	case to < 0:
		return "the imported package has no layer yet; give it one in internal/rules"
	case to < from, slices.Contains(beside[pkg], imported):
		return ""
	}
	return "imports go from the commands down to the schemas"
}

// TestAllowed shows that the rule refuses what it is there to refuse.
func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		ok            bool
	}{
		{"cmd/ecplan", "pkg/fleet", true},
		{"pkg/fleet", "pkg/express", true},
		{"pkg/express", "pkg/fleet", false},
		{"pkg/planner", "pkg/tenant", false},
		{"pkg/kind", "pkg/manifest", true},
		{"pkg/manifest", "pkg/kind", false},
		{"pkg/executor", "internal/auth0sim", false},
		{"internal/auth0sim", "pkg/manifest", false},
		{"pkg/new", "pkg/manifest", false},
	} {
		if got := allowed(c.pkg, c.imported) == ""; got != c.ok {
			t.Errorf("%s imports %s: allowed is %v, want %v", c.pkg, c.imported, got, c.ok)
		}
	}
}

func TestNoNetworkBelowTheExecutor(t *testing.T) {
	for _, p := range list(t, "./schemas", "./pkg/manifest", "./pkg/kind", "./pkg/planner") {
		if slices.Contains(p.Deps, "net/http") {
			t.Errorf("%s reaches net/http", p.name())
		}
	}
}

func TestOnlyTenantKnowsTheSDK(t *testing.T) {
	users := 0
	for _, p := range list(t, "./...") {
		// The simulator's tests use it too, as a client that others wrote.
		if !slices.ContainsFunc(p.Imports, func(i string) bool { return strings.HasPrefix(i, "github.com/auth0/go-auth0") }) {
			continue
		}
		users++
		if p.name() != "pkg/tenant" {
			t.Errorf("%s imports go-auth0; only pkg/tenant may", p.name())
		}
	}
	if users == 0 {
		t.Error("nobody imports go-auth0, so this test looks for the wrong name")
	}
}

// TestNames refuses names that say nothing about what they name.
func TestNames(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "ls-files", "*.go").Output()
	if err != nil {
		t.Skip("SKIPPED: this is no git checkout, so nobody can tell which files are the project's")
	}
	for _, file := range strings.Fields(string(out)) {
		for _, part := range strings.FieldsFunc(strings.TrimSuffix(strings.ToLower(file), ".go"), func(r rune) bool { return strings.ContainsRune("/_-", r) }) {
			if slices.Contains([]string{"sync", "manager", "helper", "helpers", "util", "utils", "common", "entity"}, part) {
				t.Errorf("%s: %q is not used as a name here; say what is in it", file, path.Base(part))
			}
		}
	}
}
