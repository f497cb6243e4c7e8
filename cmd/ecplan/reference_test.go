package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReference holds docs/reference/commands.md to what --help says.
//
//	go test ./cmd/ecplan -run TestReference -update
func TestReference(t *testing.T) {
	var page strings.Builder
	page.WriteString("<!-- Generated from --help by `go test ./cmd/ecplan -run TestReference -update`; do not edit. -->\n\n# Commands\n\n" + `Flags work before and after arguments. Results go to standard output; progress, questions and errors to standard error.

| exit code | |
|---|---|
`)
	for _, code := range []struct {
		code    int
		meaning string
	}{
		{exitDone, "done, or nothing to do"},
		{exitError, "an error; nothing was changed"},
		{exitPending, "changes are pending (`plan --detailed-exitcode`)"},
		{exitChanged, "failed, and changes remain on the tenant"},
		{exitRolledBack, "failed, and the changes were taken back"},
	} {
		fmt.Fprintf(&page, "| %d | %s |\n", code.code, code.meaning)
	}
	page.WriteString("\nOver several tenants the worst counts: 3, 4, 1, 2, 0.\n")
	for _, c := range commands() {
		fmt.Fprintf(&page, "\n## %s\n\n```text\n%s\n```\n", c.Name, help(t, c.Name))
	}
	const file = "../../docs/reference/commands.md"
	if *update {
		if err := os.WriteFile(file, []byte(page.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), page.String()); diff != "" {
		t.Errorf("%s is not what --help says; run go test ./cmd/ecplan -run TestReference -update. The difference (- page, + help):\n%s", file, diff)
	}
}

// help is what a command says of itself, without blanks at the ends of lines.
func help(t *testing.T, name string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := Run(t.Context(), []string{"ecplan", name, "--help"}, Streams{
		In: strings.NewReader(""), Out: &out, Err: &errs, Env: func(string) (string, bool) { return "", false },
	})
	if code != exitDone {
		t.Fatalf("ecplan %s --help: exit code %d: %s", name, code, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Join(lines, "\n")
}
