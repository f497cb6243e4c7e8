package workflow

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// ours lists the files with workflows and the action.
func ours(t *testing.T) []string {
	t.Helper()
	all := []string{root + "/action.yml"}
	for _, dir := range []string{root, root + "/examples/gitops"} {
		some, err := filepath.Glob(dir + "/.github/workflows/*.yml")
		if err != nil || len(some) == 0 {
			t.Fatalf("%s has no workflows (%v)", dir, err)
		}
		all = append(all, some...)
	}
	return all
}

// TestScriptsAreNotFilledIn: an expression in a script is text that becomes code, and
// much of what GitHub knows of an event is written by strangers.
func TestScriptsAreNotFilledIn(t *testing.T) {
	pinned := regexp.MustCompile(`^(actions/[a-z/-]+@[0-9a-f]{40}|ecplan/ecplan@` + regexp.QuoteMeta(exampleVersion) + `)$`)
	for _, name := range ours(t) {
		var doc yaml.Node
		read(t, name, &doc)
		scripts := 0
		walk(&doc, func(key string, n *yaml.Node) {
			switch {
			case key == "run":
				scripts++
				if strings.Contains(n.Value, "${{") {
					t.Errorf("%s:%d: a script has an expression", name, n.Line)
				}
			case key == "uses" && !pinned.MatchString(n.Value):
				t.Errorf("%s:%d: %s is not pinned to a commit", name, n.Line, n.Value)
			}
		})
		var w workflow
		read(t, name, &w)
		if filepath.Base(name) != "action.yml" && (len(w.Permissions) != 1 || w.Permissions["contents"] != "read") {
			t.Errorf("%s: the permissions of all jobs are %v, want contents: read and no more", name, w.Permissions)
		}
	}
}

// walk visits each value of the mappings in n.
func walk(n *yaml.Node, visit func(key string, value *yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			visit(n.Content[i-1].Value, c)
		}
		walk(c, visit)
	}
}

// TestOneRunAtATime: every job that can write waits for the one before it.
func TestOneRunAtATime(t *testing.T) {
	var w workflow
	read(t, exampleWorkflow, &w)
	for name, j := range w.Jobs {
		if j.Environment != "auth0-write" {
			continue
		}
		if j.Concurrency.Group != w.Jobs["apply"].Concurrency.Group || j.Concurrency.Group == "" || j.Concurrency.CancelInProgress != "false" {
			t.Errorf("the job %s can run beside another that writes: %+v", name, j.Concurrency)
		}
	}
}

// TestShell: the scripts are strict, and ShellCheck finds nothing in them.
func TestShell(t *testing.T) {
	scripts, err := filepath.Glob(root + "/scripts/action/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatal("there are no scripts", err)
	}
	scripts = append(scripts, root+"/scripts/release")
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\nset -euo pipefail\n") && !strings.Contains(string(text), "\nsource \"$(dirname \"${BASH_SOURCE[0]}\")/base.sh\"\n") {
			t.Errorf("%s is not strict", name)
		}
	}
	needsTools(t, "shellcheck")
	cmd := exec.Command("shellcheck", append([]string{"--external-sources"}, scripts...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}

// TestReleaseScript builds no program: it looks at how the script calls for them.
func TestReleaseScript(t *testing.T) {
	needsTools(t, "bash")
	bin, dist := t.TempDir(), t.TempDir()
	pretend := "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\necho \"$GOOS/$GOARCH $CGO_ENABLED\" >\"$2\"\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(pretend), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	cmd := exec.Command(root+"/scripts/release", "v1.2.3", dist)
	cmd.Env = append(os.Environ(), "TARGETS=", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := map[string]string{}
	for _, s := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			name := "ecplan_v1.2.3_" + s + "_" + arch
			if s == "windows" {
				name += ".exe"
			}
			want[name] = fmt.Sprintf("%s/%s 0\n", s, arch)
		}
	}
	listed := 0
	for _, line := range lines(t, filepath.Join(dist, "checksums.txt")) {
		sum, name, _ := strings.Cut(line, "  ")
		data, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil || string(data) != want[name] || sum != fmt.Sprintf("%x", sha256.Sum256(data)) {
			t.Errorf("checksums.txt has %q, and the file is %q (%v)", line, data, err)
		}
		listed++
	}
	if listed != len(want) {
		t.Errorf("checksums.txt lists %d programs, want %d", listed, len(want))
	}
	if cmd := exec.Command(root+"/scripts/release", "v1; id", dist); cmd.Run() == nil {
		t.Error("a version that is none is taken")
	}
}

// TestRelease builds this machine's program as a release does, twice and from two places:
// the bytes are the same, and tell nothing of the place.
func TestRelease(t *testing.T) {
	if os.Getenv("ECPLAN_TORTURE") == "" {
		t.Skip("SKIPPED: ECPLAN_TORTURE is not set, and a build with a release's flags takes minutes")
	}
	needsTools(t, "bash", "git")
	build := func(where string) []byte {
		dist := t.TempDir()
		cmd := exec.Command(filepath.Join(where, "scripts/release"), exampleVersion, dist)
		cmd.Env = append(os.Environ(), "TARGETS="+runtime.GOOS+"/"+runtime.GOARCH)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		data, err := os.ReadFile(filepath.Join(dist, asset()))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	elsewhere := t.TempDir()
	files := exec.Command("git", "ls-files", "-z", "go.mod", "go.sum", "LICENSE", "cmd", "examples", "internal", "pkg", "schemas", "scripts")
	files.Dir = root
	tracked, err := files.Output()
	if err != nil {
		t.Skipf("SKIPPED: this is no git checkout, so which files the program is made of is not known (%v)", err)
	}
	for name := range strings.SplitSeq(strings.Trim(string(tracked), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(elsewhere, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(elsewhere, name), data, 0o755); err != nil { //nolint:gosec // scripts are to be run
			t.Fatal(err)
		}
	}
	here, there := build(root), build(elsewhere)
	if !bytes.Equal(here, there) {
		t.Error("two builds of the same source differ")
	}
	place, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(here, []byte(place)) {
		t.Errorf("the program names %s, where it was built", place)
	}
	info, err := buildinfo.Read(bytes.NewReader(here))
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	if set["CGO_ENABLED"] != "0" || set["-trimpath"] != "true" || set["vcs.revision"] != "" {
		t.Errorf("it was built with %v", set)
	}
}
