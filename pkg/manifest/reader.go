package manifest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

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
		d := Diagnostic{
			Severity: Error, Pos: r.doc.pos, Summary: "the document has no apiVersion of ecplan's",
			Detail: "It must begin with apiVersion: " + APIVersion + ".",
		}
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
