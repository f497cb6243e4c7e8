package express

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// A rotation is an edit of the manifest: the plan that follows from it does the rest
// (docs/guides/keys.md). Lines that have nothing to do with it stay as they are.

// BeginRotation returns text, a file of manifests, with file as the public key of the
// ExpressConfiguration called name, and the key that stood there before as its former
// key until retireAfter. Where there was none, it becomes the first key.
func BeginRotation(text []byte, name, file string, retireAfter time.Time) ([]byte, error) {
	e, err := findEntries(text, name)
	if err != nil {
		return nil, err
	}
	if e.former != nil {
		return nil, errors.New("a rotation is under way: the manifest has a former_key already. Finish it first: ecplan rotate --finish")
	}
	value, want := map[string]any{"file": file}, decoded(e.doc)
	next := "public_key: {file: " + quoted(file) + "}"
	switch {
	case e.public != nil:
		until := retireAfter.UTC().Format(time.RFC3339)
		oin := section(want, "oin_client")
		oin["former_key"] = map[string]any{"public_key": oin["public_key"], "retire_after": until}
		oin["public_key"] = value
		lines := []string{e.public.indent() + next, e.public.indent() + "former_key:"}
		for _, l := range e.lines[e.public.from:e.public.to] {
			if strings.TrimSpace(l) != "" {
				l = "  " + l
			}
			lines = append(lines, l)
		}
		lines = append(lines, e.public.indent()+"  retire_after: "+until)
		e.replace(e.public.from, e.public.to, lines...)
	case e.oin != nil && len(e.oin.inside) > 0:
		section(want, "oin_client")["public_key"] = value
		first := e.oin.inside[0]
		e.replace(first.from, first.from, first.indent()+next)
	default:
		if e.oin != nil {
			return nil, e.byHand(next)
		}
		section(want, "")["oin_client"] = map[string]any{"public_key": value}
		last := e.spec[len(e.spec)-1]
		e.replace(last.to, last.to, last.indent()+"oin_client:", last.indent()+"  "+next)
	}
	return e.result(want, next)
}

// FinishRotation returns text without the former key.
func FinishRotation(text []byte, name string) ([]byte, error) {
	e, err := findEntries(text, name)
	if err != nil {
		return nil, err
	}
	if e.former == nil {
		return nil, errors.New("no rotation is under way: the manifest has no former_key")
	}
	want := decoded(e.doc)
	delete(section(want, "oin_client"), "former_key")
	e.replace(e.former.from, e.former.to)
	return e.result(want, "")
}

// entry is a field of a mapping: the lines from up to to, counted from 0, and its column.
type entry struct {
	from, to, column int
	inside           []*entry
	name             string
}

func (e *entry) indent() string { return strings.Repeat(" ", e.column) }

// entries are the places in a file that a rotation edits.
type entries struct {
	name   string
	lines  []string
	before []any // all documents
	at     int   // the document's place among them
	doc    *yaml.Node
	spec   []*entry
	oin    *entry
	public *entry
	former *entry
}

func findEntries(text []byte, name string) (*entries, error) {
	e := &entries{name: name, lines: strings.Split(string(text), "\n"), at: -1}
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the manifest again: %w", err)
		}
		var v any
		if err := doc.Decode(&v); err != nil {
			return nil, fmt.Errorf("reading the manifest again: %w", err)
		}
		if m, ok := v.(map[string]any); ok && m["kind"] == Kind {
			if meta, ok := m["metadata"].(map[string]any); ok && meta["name"] == name {
				e.at, e.doc = len(e.before), &doc
			}
		}
		e.before = append(e.before, v)
	}
	if e.doc == nil {
		return nil, fmt.Errorf("the file has no %s/%s", Kind, name)
	}
	spec := member(e.doc.Content[0], "spec")
	e.spec = e.entriesOf(spec)
	for _, s := range e.spec {
		if s.name != "oin_client" {
			continue
		}
		e.oin = s
		s.inside = e.entriesOf(member(spec, "oin_client"))
		for _, f := range s.inside {
			switch f.name {
			case "public_key":
				e.public = f
			case "former_key":
				e.former = f
			}
		}
	}
	if oin := section(decoded(e.doc), "oin_client"); len(e.spec) == 0 || oin["public_key"] != nil && e.public == nil || oin["former_key"] != nil && e.former == nil {
		return nil, e.byHand("public_key and former_key")
	}
	return e, nil
}

// entriesOf lists the fields of a mapping that is written in block style, each on lines
// of its own; nil for any other.
func (e *entries) entriesOf(n *yaml.Node) []*entry {
	if n == nil || n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle != 0 {
		return nil
	}
	var out []*entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		from, column := k.Line-1, k.Column-1
		if from >= len(e.lines) || strings.TrimSpace(e.lines[from][:min(column, len(e.lines[from]))]) != "" {
			return nil // "- a: b", "? a"
		}
		to := from + 1
		for j := to; j < len(e.lines); j++ {
			line := strings.TrimRight(e.lines[j], " \r\t")
			if line == "" {
				continue
			}
			if len(line)-len(strings.TrimLeft(line, " ")) <= column {
				break
			}
			to = j + 1
		}
		out = append(out, &entry{from: from, to: to, column: column, name: k.Value})
	}
	return out
}

func (e *entries) replace(from, to int, lines ...string) {
	e.lines = slices.Concat(e.lines[:from], lines, e.lines[to:])
}

// result is the edited text, if it says what it must and nothing else has changed.
func (e *entries) result(want any, lines string) ([]byte, error) {
	text := []byte(strings.Join(e.lines, "\n"))
	after, err := documents(text)
	e.before[e.at] = want
	if err != nil || !reflect.DeepEqual(normal(after), normal(e.before)) {
		return nil, e.byHand(lines)
	}
	return text, nil
}

// byHand is the error where a manifest is written in a way that can't be edited line by line.
func (e *entries) byHand(lines string) error {
	return fmt.Errorf("%s/%s is written in a way that ecplan can't edit line by line. Edit oin_client by hand (%s); docs/guides/keys.md shows how", Kind, e.name, lines)
}

func documents(text []byte) (out []any, err error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// normal makes times comparable: YAML reads 2027-01-31T00:00:00Z as one.
func normal(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = normal(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = normal(e)
		}
		return out
	}
	return v
}

func decoded(doc *yaml.Node) map[string]any {
	var v map[string]any
	if err := doc.Decode(&v); err != nil {
		return map[string]any{} // it was decoded before
	}
	return v
}

// section is the spec of a document, or the object called name in it.
func section(doc map[string]any, name string) map[string]any {
	spec, _ := doc["spec"].(map[string]any)
	if name == "" {
		return spec
	}
	s, _ := spec[name].(map[string]any)
	return s
}

func member(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// quoted writes a file's name as YAML wants it in a flow mapping.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) && s[0] != '-' && s[0] != '.' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
