package manifest

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xrash/smetrics"

	"github.com/ecplan/ecplan/schemas"
)

// isKind reports whether documents may have this kind.
func isKind(kind string) bool { return schemas.Rules(kind) != nil }

// nearest returns the candidate that name is most likely a misspelling of, "" if none is close.
func nearest(name string, candidates []string) string {
	if name == "" || len(name) > 200 {
		return ""
	}
	lower := strings.ToLower(name)
	best, distance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		d := smetrics.WagnerFischer(lower, strings.ToLower(c), 1, 1, 1)
		if d == 2 && len(name) < 6 && smetrics.JaroWinkler(lower, strings.ToLower(c), 0.7, 4) < 0.8 {
			continue // two changes make most short words any other; two swapped letters stay alike
		}
		if d < distance && d < len(name) {
			best, distance = c, d
		}
	}
	return best
}

// didYouMean is a sentence that suggests the nearest candidate, or nothing.
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return fmt.Sprintf("Did you mean %s?", quoted(n))
	}
	return ""
}

// listing names the candidates in a sentence, sorted; many are cut.
func listing(what string, candidates []string) string {
	c := slices.Sorted(slices.Values(candidates))
	if len(c) == 0 {
		return ""
	}
	if more := len(c) - 30; more > 0 {
		return fmt.Sprintf("%s: %s and %d more.", what, strings.Join(c[:30], ", "), more)
	}
	return fmt.Sprintf("%s: %s.", what, strings.Join(c, ", "))
}

// quoted puts s in double quotes, escaped so that it can't disturb a terminal, and cut.
func quoted(s string) string {
	if utf8.RuneCountInString(s) > 60 {
		s = string([]rune(s)[:57]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// sentence makes s begin with a capital and end with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

// sentences joins what is not empty.
func sentences(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
