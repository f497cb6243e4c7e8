package report

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/ecplan/ecplan/pkg/kind"
)

// program shows a change of program text: all of it where it is new, a unified diff
// where it changes, and only its size where it goes.
func (v values) program(l line, c kind.Change, before, after string) []line {
	switch {
	case c.Op == "remove" || c.After == nil:
		l.Text = count(len(codeLines(before)), "line")
		return []line{l}
	case c.Op == "add" || c.Before == nil:
		lines := codeLines(after)
		l.Text = count(len(lines), "line")
		out := []line{l}
		for i, s := range lines {
			if i == v.codeLines {
				return append(out, rest(1, len(lines)-i, "line"))
			}
			out = append(out, line{Mark: "+", Depth: 1, Text: codeLine(s), Class: code})
		}
		return out
	}
	var out []line
	added, removed := 0, 0
	text := string(diff.Diff("before", []byte(before), "after", []byte(after)))
	for i, s := range codeLines(text) {
		if i < 3 || s == "" { // the names of the two files
			continue
		}
		n := line{Depth: 1, Text: codeLine(s[1:]), Class: code}
		switch s[0] {
		case '+':
			n.Mark = "+"
			added++
		case '-':
			n.Mark = "-"
			removed++
		case '@', '\\': // "@@ -1,7 +1,7 @@", "\ No newline at end of file"
			n.Class, n.Text = hunk, visible(s)
		}
		out = append(out, n)
	}
	if len(out) > v.codeLines {
		out = append(out[:v.codeLines:v.codeLines], rest(1, len(out)-v.codeLines, "line"))
	}
	l.Text = fmt.Sprintf("%s added, %s removed", count(added, "line"), thousands(removed))
	return append([]line{l}, out...)
}

// codeLines splits s at its line ends; a final one begins no further line.
func codeLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// codeLine makes one line of a program visible, its indentation kept.
func codeLine(s string) string {
	s = strings.TrimSuffix(s, "\r")
	body := strings.TrimLeft(s, " \t")
	indent := strings.ReplaceAll(s[:len(s)-len(body)], "\t", "    ")
	if len(indent) > maxCodeLine {
		indent = fmt.Sprintf("(%s) ", count(len(indent), "space"))
	}
	return indent + short(strings.ReplaceAll(body, "\t", "    "), maxCodeLine)
}
