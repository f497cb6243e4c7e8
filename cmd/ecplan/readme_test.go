package main

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeNamesEveryCommand: nobody looks for a command that is nowhere named.
func TestReadmeNamesEveryCommand(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## The commands\n")
	table, _, _ = strings.Cut(table, "\n## ")
	if !found {
		t.Fatal("the README has no section of commands")
	}
	for _, c := range commands() {
		if !strings.Contains(table, "`"+c.Name+"`") {
			t.Errorf("the README does not name the command %s", c.Name)
		}
	}
}
