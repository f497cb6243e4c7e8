package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/ecplan/ecplan/schemas"
)

// APIVersion is the version of the manifest's language that is understood.
const APIVersion = "ecplan/v1"

// document is one YAML document as it is written: nothing is filled in.
type document struct {
	src  *source
	kind string
	name string
	// root is all of it, metadata and spec its parts (never nil).
	root, metadata, spec map[string]any
	pos                  Position
	// values and keys give the places of values and of the names before them, by path
	// ("spec.callbacks[0]").
	values, keys map[string]Position
}

func (d *document) address() string {
	if d.kind == "" || d.name == "" {
		return ""
	}
	return d.kind + "/" + d.name
}

// at returns the place of the value at path, or of the nearest around it.
func (d *document) at(path string) Position { return nearestPlace(d.values, path, d.pos) }

// keyAt returns the place of the name of the field at path, or of the nearest value.
func (d *document) keyAt(path string) Position {
	if p, ok := d.keys[path]; ok {
		return p
	}
	return d.at(path)
}

func nearestPlace(places map[string]Position, path string, otherwise Position) Position {
	for {
		if p, ok := places[path]; ok {
			return p
		}
		i := lastSeparator(path)
		if i < 0 {
			return otherwise
		}
		path = path[:i]
	}
}

// parse reads the documents of one file. A document that can't be read does not hide
// the others, and is noted in lost. Documents that are not ecplan's are passed over.
func parse(src *source, lost *lost) (docs []*document, ds Diagnostics) {
	aliased := 0
	for _, c := range split(src.text) {
		if !src.named && !bytes.Contains(c.text, []byte("ecplan/")) && !looksOurs(c.text) {
			continue
		}
		nodes, err := decode(c.text)
		if err != nil {
			ds = append(ds, syntaxError(src, c, err))
			lost.note(c.text)
			continue
		}
		for _, n := range nodes {
			r := &reader{src: src, offset: c.line, lines: bytes.Count(c.text, []byte("\n")) + 1, aliased: &aliased, doc: &document{src: src, values: map[string]Position{}, keys: map[string]Position{}}}
			ok := r.document(n)
			ds = append(ds, r.ds...)
			if ok {
				docs = append(docs, r.doc)
			} else if r.ds.Errors() > 0 {
				lost.note(c.text)
			}
		}
	}
	return docs, ds
}

// lost remembers what could not be read, so that references to it are not reported too.
type lost struct {
	all       bool
	addresses map[string]bool
}

var (
	metadataName = regexp.MustCompile(`(?m)^metadata:\s*(?:\{|\n(?:[ \t].*\n)*?)[ \t]*name:[ \t]*["']?([\w.-]+)`)
	kindLine     = regexp.MustCompile(`(?m)^kind:\s*["']?(\w+)`)
)

// note takes the address of a document from its text. Where that fails, or the document
// could stand for several, anything may be missing.
func (l *lost) note(text []byte) {
	kind, name := kindLine.FindSubmatch(text), metadataName.FindSubmatch(text)
	if kind == nil || name == nil {
		l.all = true
		return
	}
	l.add(string(kind[1]), string(name[1]))
}

func (l *lost) add(kind, name string) {
	if !isKind(kind) {
		kind = nearest(kind, schemas.Kinds())
	}
	if rules := schemas.Rules(kind); rules == nil || len(rules.Outputs) == 0 {
		l.all = true // unknown, or a composite
		return
	}
	if l.addresses == nil {
		l.addresses = map[string]bool{}
	}
	l.addresses[kind+"/"+name] = true
}

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
	return Diagnostic{Severity: Error, Pos: Position{src.name, c.line + line, column}, Summary: "this is not valid YAML",
		Detail: sentence(printable(msg)) + " Check indentation, quotes and colons here and on the line before."}
}

// reader turns one document's nodes into values.
type reader struct {
	src *source
	// offset is the number of lines before the chunk, lines that of the chunk itself.
	offset, lines int
	doc           *document
	ds            Diagnostics
	// open are the anchors that are being expanded; aliased counts the values that
	// aliases repeated, in the file.
	open    []*yaml.Node
	aliased *int
	stopped bool
}

// place is where a node stands. The parser takes more than line feeds for line ends
// (YAML 1.1), so a line is never behind the last.
func (r *reader) place(n *yaml.Node) Position {
	return Position{r.src.name, r.offset + min(n.Line, r.lines), n.Column}
}

func (r *reader) fail(n *yaml.Node, summary, detail string) {
	r.ds = append(r.ds, Diagnostic{Severity: Error, Pos: r.place(n), Address: r.doc.address(), Summary: summary, Detail: detail})
}

// document reads n and reports whether it is a document of ecplan's that can go on.
func (r *reader) document(n *yaml.Node) bool {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	r.doc.pos = r.place(n)
	if n.Kind == 0 || n.ShortTag() == "!!null" {
		return false // an empty document
	}
	if n.Kind != yaml.MappingNode {
		if r.src.named {
			r.fail(n, "a document must be a map of fields", "It begins with apiVersion: "+APIVersion+", kind, metadata and spec.")
		}
		return false
	}
	version := member(n, "apiVersion")
	if version == nil || !strings.HasPrefix(version.Value, "ecplan/") {
		if version != nil && !r.src.named {
			return false
		}
		d := Diagnostic{Severity: Error, Pos: r.doc.pos, Summary: "the document has no apiVersion of ecplan's",
			Detail: "It must begin with apiVersion: " + APIVersion + "."}
		if version != nil {
			d.Pos = r.place(version)
		}
		if !r.src.named {
			d.Severity, d.Summary = Warning, "the document has no apiVersion and is passed over"
			d.Detail = "If it is meant for ecplan, begin it with apiVersion: " + APIVersion + "."
			if k := member(n, "kind"); k == nil || !isKind(k.Value) {
				return false
			}
		}
		r.ds = append(r.ds, d)
		return false
	}
	// Kind and name first: they are the address of all that follows.
	if k := member(n, "kind"); k != nil && k.Kind == yaml.ScalarNode {
		r.doc.kind = k.Value
	}
	if m := member(n, "metadata"); m != nil && m.Kind == yaml.MappingNode {
		if name := member(m, "name"); name != nil && name.Kind == yaml.ScalarNode {
			r.doc.name = printable(name.Value)
		}
	}
	v, _ := r.value(n, "", 0).(map[string]any)
	if r.stopped || v == nil {
		return false
	}
	r.doc.root = v
	if r.doc.metadata, _ = v["metadata"].(map[string]any); r.doc.metadata == nil {
		r.doc.metadata = map[string]any{}
	}
	if r.doc.spec, _ = v["spec"].(map[string]any); r.doc.spec == nil {
		r.doc.spec = map[string]any{}
	}
	return true
}

// member returns the value of a key of a mapping node, nil if it is not there.
func member(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// value turns a node into a value tree and notes the places of its parts.
func (r *reader) value(n *yaml.Node, path string, depth int) any {
	if r.stopped {
		return nil
	}
	if depth > maxDepth {
		r.stopped = true
		r.fail(n, "the document is nested too deeply", fmt.Sprintf("The limit is %d levels.", maxDepth))
		return nil
	}
	if len(r.open) > 0 {
		if *r.aliased++; *r.aliased > maxAliased {
			r.stopped = true
			r.fail(r.open[0], "aliases repeat too much", fmt.Sprintf("The limit is %d values repeated by aliases (*name) in a file.", maxAliased))
			return nil
		}
	} else if _, ok := r.doc.values[path]; !ok {
		r.doc.values[path] = r.place(n)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return r.mapping(n, path, depth)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, e := range n.Content {
			out[i] = r.value(e, path+"["+strconv.Itoa(i)+"]", depth+1)
		}
		return out
	case yaml.AliasNode:
		for _, o := range r.open {
			if o.Alias == n.Alias {
				r.stopped = true
				r.fail(n, "the alias *"+printable(n.Value)+" contains itself", "An alias can't stand inside the value that it repeats.")
				return nil
			}
		}
		r.open = append(r.open, n)
		v := r.value(n.Alias, path, depth+1)
		r.open = r.open[:len(r.open)-1]
		return v
	case yaml.ScalarNode:
		return r.scalar(n)
	default: // a document inside a document, which the parser does not make
		return nil
	}
}

func (r *reader) mapping(n *yaml.Node, path string, depth int) any {
	out := make(map[string]any, len(n.Content)/2)
	first := map[string]*yaml.Node{}
	var merged []map[string]any
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.ShortTag() == "!!merge" {
			merged = append(merged, r.merge(v, path, depth)...)
			continue
		}
		if k.Kind == yaml.AliasNode && k.Alias != nil && k.Alias.Kind == yaml.ScalarNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!null" {
			r.fail(k, "the name of a field must be text", "")
			continue
		}
		name := k.Value
		if before, ok := first[name]; ok {
			r.fail(n.Content[i], fmt.Sprintf("the field %s is there twice", quoted(name)), fmt.Sprintf("It is on line %d already. Keep one of the two.", r.place(before).Line))
			continue
		}
		first[name] = k
		if strings.HasPrefix(name, "$") {
			r.fail(k, fmt.Sprintf("the name %s begins with a dollar sign", quoted(name)), "Such names are kept for ecplan's own use.")
			continue
		}
		p := name
		if path != "" {
			p = path + "." + name
		}
		if len(r.open) == 0 {
			r.doc.keys[p] = r.place(n.Content[i])
		}
		out[name] = r.value(v, p, depth+1)
	}
	for _, m := range merged {
		for k, v := range m {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
	}
	return out
}

// merge reads the value of a merge key (<<): an alias of a map, or a list of such.
func (r *reader) merge(n *yaml.Node, path string, depth int) []map[string]any {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	var out []map[string]any
	for _, e := range list {
		m, ok := r.value(e, path, depth+1).(map[string]any)
		if !ok && !r.stopped {
			r.fail(e, "the merge key << needs a map", "Write <<: *name, where &name marks a map of fields.")
		}
		out = append(out, m)
	}
	return out
}

// scalar reads a single value as YAML 1.2 understands it, yes and on being text. Dates
// stay text, for that is what the API takes.
func (r *reader) scalar(n *yaml.Node) any {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil
	case "!!str", "!!timestamp":
		return n.Value
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err == nil {
			return b
		}
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && (tag == "!!float" || math.Abs(f) <= 1<<53) {
			return f
		}
		r.fail(n, "the number can't be represented", "If it is meant as text, put it in quotes.")
		return unreadable()
	}
	r.fail(n, fmt.Sprintf("the YAML tag %s is not supported here", quoted(n.Tag)), "Use text, numbers, true, false, null, lists and maps.")
	return unreadable()
}

// unreadable stands for a value whose problem has been reported: nothing more is said of it.
func unreadable() any { return SecretRef("") }
