package express

import (
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// difference says of one field what the tenant has and what is declared. A sensitive
// value is named only.
func difference(c kind.Change) (found, wanted string) {
	switch {
	case c.Sensitive:
		found, wanted = "another value", "the declared one"
	case c.Code:
		found, wanted = "other code", "the declared code"
	default:
		found, wanted = shown(c.Before), shown(c.After)
	}
	if c.Op == "add" && !c.Sensitive && !c.Code {
		found = "not set"
	}
	if c.Op == "remove" {
		wanted = "not there"
	}
	if _, _, ref := manifest.AsRef(c.After); ref {
		wanted = "the other object's"
	}
	return c.Path + ": " + found, c.Path + ": " + wanted
}

// list joins what a check found.
func list(lines []string) string { return strings.Join(lines, "; ") }

// count is "1 key", "2 keys".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return itoa(n) + " " + noun + "s"
}
