package report

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/ecplan/ecplan/pkg/planner"
)

// visible returns s as one line in which everything can be seen: what does not
// print (terminal escapes, line ends, bidirectional and zero-width controls, bytes
// that are not UTF-8, piled-up combining marks) stands there as an escape.
func visible(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	marks := maxMarks // a mark without a letter would sit on what stands before s
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !planner.Printable(r), marks > maxMarks:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// Lines returns s, its lines as they are, in which everything can be seen. It is for
// messages that are no report: what they quote must not work on a terminal.
func Lines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n")
}

// maxMarks is how many combining marks in a row are shown as such: no script in use
// stacks more than three on a letter.
const maxMarks = 3

// plain reports whether s is ASCII that prints.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// The lengths, in characters, to which texts are cut.
const (
	maxName     = 120
	maxValue    = 160
	maxSentence = 600
	maxDetail   = 2000
	maxCodeLine = 400
)

// short is visible and at most max characters of s, with what was left out told.
func short(s string, max int) string {
	head, rest := cut(s, max)
	if rest == "" {
		return visible(head)
	}
	return visible(head) + "… (" + rest + ")"
}

// bar leads the further lines of a text that has several.
const bar = "│ "

// block is short for texts of several lines: all but the first are led by a bar, so
// that none of them looks like a line of the report.
func block(s string, max int) []string {
	head, rest := cut(strings.TrimRight(s, "\n"), max)
	lines := strings.Split(head, "\n")
	for i, l := range lines {
		if lines[i] = visible(l); i > 0 {
			lines[i] = bar + lines[i]
		}
	}
	if rest != "" {
		lines[len(lines)-1] += "… (" + rest + ")"
	}
	return lines
}

// escaped is made once: making it costs more than using it.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quoted is short in quotation marks: no text can pass for anything but a text.
func quoted(s string) string {
	head, rest := cut(s, maxValue)
	head = escaped.Replace(head)
	if rest == "" {
		return `"` + visible(head) + `"`
	}
	return `"` + visible(head) + `…" (` + rest + ")"
}

// cut returns the first max characters of s, and, if that is not all, how long s is
// and the start of its hash: two long texts that begin alike must not look the same.
func cut(s string, max int) (head, rest string) {
	if len(s) <= max {
		return s, ""
	}
	n := utf8.RuneCountInString(s)
	if n <= max {
		return s, ""
	}
	end := 0
	for range max {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	sum := sha256.Sum256([]byte(s))
	return s[:end], thousands(n) + " characters, sha256 " + hex.EncodeToString(sum[:4])
}

// thousands writes n with commas: 65,536.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count is "1 tenant", "12 tenants".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// some lists at most max of names.
func some(names []string, max int) string {
	if len(names) <= max+1 { // "and 1 more" would be no shorter
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %s more", strings.Join(names[:max], ", "), thousands(len(names)-max))
}

// listOf is "a, b and c".
func listOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// width is the number of terminal columns that s takes.
func width(s string) int {
	if plain(s) {
		return len(s)
	}
	return uniseg.StringWidth(s)
}

// wrap breaks s into pieces of at most max columns: between words where it can,
// anywhere where it must, so that no terminal breaks a line by itself and shows the
// rest where a line of ours would begin. A piece that begins like a line of ours is
// led by a bar. max < 1 does not break.
func wrap(s string, max int) []string {
	if max < 1 || width(s) <= max {
		return []string{s}
	}
	var out []string
	lead := ""
	start, space, col := 0, -1, 0
	state := -1
	for rest, at := s, 0; rest != ""; {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if col+w > max && at > start {
			end := at
			if space > start {
				end = space
			}
			out = append(out, lead+s[start:end])
			start = end
			if end == space {
				start++
			}
			lead = ""
			if markLike(s[start:]) {
				lead = bar
			}
			col, space = width(lead)+width(s[start:at]), -1
		}
		if cluster == " " {
			space = at
		}
		col += w
		at += len(cluster)
	}
	return append(out, lead+s[start:])
}

// markLike reports whether s begins with what marks a line of a report.
func markLike(s string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(s, " "), " ")
	switch word {
	case "+", "-", "~", "-/+", "!", "i", "✓", "✗", "?", "·", "↩":
		return true
	}
	return false
}
