package main

import (
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestQuotedIsReadBack asks a real shell.
func TestQuotedIsReadBack(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("SKIPPED: there is no sh here")
	}
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[ -~äé…]*`), 1, 5).Draw(t, "words")
		var line strings.Builder
		for _, w := range words {
			line.WriteString(" " + quoted(w))
		}
		out, err := exec.Command(shell, "-c", `printf '%s\n'`+line.String()).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(out), strings.Join(words, "\n")+"\n"; got != want {
			t.Fatalf("the shell reads %q, want %q", got, want)
		}
	})
}
