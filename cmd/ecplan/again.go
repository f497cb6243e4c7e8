package main

import (
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// again returns a command line, ready to paste into a shell, for the manifests, store and
// policy of this one. Values of --var are in it as far as the manifests declare the
// variable and not as sensitive; others are left for the user to fill in, as NAME=….
func again(c *cli.Context, set *manifest.Set, words ...string) string {
	line := append([]string{"ecplan"}, words...)
	if c.IsSet("file") {
		for _, f := range c.StringSlice("file") {
			line = append(line, "-f", f)
		}
	}
	for _, name := range []string{"store", "policy"} {
		if c.IsSet(name) {
			line = append(line, "--"+name, c.String(name))
		}
	}
	for _, v := range c.StringSlice("var") {
		if name, _, ok := strings.Cut(v, "="); ok && !set.Harmless(name) {
			v = name + "=…"
		}
		line = append(line, "--var", v)
	}
	for i, word := range line {
		line[i] = quoted(word)
	}
	return strings.Join(line, " ")
}

// plain are words that no shell takes for anything else.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quoted is a word as a POSIX shell reads it.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
