package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// chunk is the text between two document markers, and the number of lines before it.
type chunk struct {
	text []byte
	line int
}

// split cuts text before each line that begins a document ("---" in the first column
// can't be anything else), so that a syntax error ends one document and not the file.
func split(text []byte) []chunk {
	var out []chunk
	var cur chunk
	for n := 0; len(text) > 0; n++ {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line = text[:i+1]
		}
		text = text[len(line):]
		if marker := bytes.TrimRight(line, " \t\r\n"); bytes.Equal(marker, []byte("---")) || bytes.HasPrefix(line, []byte("--- ")) {
			if !onlyDirectives(cur.text) {
				out = append(out, cur)
			}
			cur = chunk{line: n}
		}
		cur.text = append(cur.text, line...)
	}
	if !onlyDirectives(cur.text) {
		out = append(out, cur)
	}
	return out
}

// onlyDirectives reports whether text holds nothing but comments and %YAML lines.
func onlyDirectives(text []byte) bool {
	for line := range bytes.Lines(text) {
		if l := bytes.TrimSpace(line); len(l) > 0 && l[0] != '#' && l[0] != '%' {
			return false
		}
	}
	return true
}

// looksOurs finds documents whose apiVersion was forgotten: they name a kind of ours
// and no version at all.
func looksOurs(text []byte) bool {
	m := kindLine.FindSubmatch(text)
	return m != nil && isKind(string(m[1])) && !bytes.Contains(text, []byte("apiVersion"))
}

// decode parses text. The parser is not ours, so a panic in it counts as a syntax error.
func decode(text []byte) (nodes []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the text can't be parsed")
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		if err := d.Decode(&n); err != nil {
			if errors.Is(err, io.EOF) {
				return nodes, nil
			}
			return nodes, err
		}
		nodes = append(nodes, &n)
	}
}

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)
	yamlAnchor  = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	yamlControl = regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]`)
)

// syntaxError gives the parser's complaint its place. yaml.v3 tells at most the line,
// for complaints about structure the one before; the column is that of the first
// character on the line.
func syntaxError(src *source, c chunk, err error) Diagnostic {
	line, msg := 1, err.Error()
	if m := yamlLine.FindStringSubmatch(strings.SplitN(msg, "\n", 2)[0]); m != nil {
		msg = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
			if strings.HasPrefix(msg, "did not find expected") || strings.HasPrefix(msg, "found undefined tag") {
				line++
			}
		}
	}
	at := -1
	if m := yamlAnchor.FindStringSubmatch(msg); m != nil {
		msg = fmt.Sprintf("there is no anchor &%s for the alias *%s", m[1], m[1])
		at = bytes.Index(c.text, []byte("*"+m[1]))
	} else if where := yamlControl.FindIndex(c.text); where != nil && strings.HasPrefix(msg, "control characters") {
		at = where[0]
	}
	column := 1
	line = min(line, bytes.Count(c.text, []byte("\n"))+1)
	if at >= 0 {
		line, column = 1+bytes.Count(c.text[:at], []byte("\n")), at-bytes.LastIndexByte(c.text[:at], '\n')
	} else {
		l := bytes.Split(c.text, []byte("\n"))[line-1]
		column += len(l) - len(bytes.TrimLeft(l, " "))
	}
	return Diagnostic{
		Severity: Error, Pos: Position{src.name, c.line + line, column}, Summary: "this is not valid YAML",
		Detail: sentence(printable(msg)) + " Check indentation, quotes and colons here and on the line before.",
	}
}
