package manifest

import (
	"bytes"
	"regexp"

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
	// apart are the places of documents that are meant for other tenants, by address.
	apart map[string]Position
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
