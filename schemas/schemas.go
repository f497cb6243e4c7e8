// Package schemas holds the JSON Schemas (draft 2020-12) of everything that a manifest
// can declare: one file a kind, describing its spec, and Document.schema.json for what
// is around it. They are the one source for validation, for editors, and for the rules
// by which objects are compared; the rules are extension keywords beside the fields that
// they are about (x-ecplan-set, x-ecplan-merge, …; see Rule).
//
// It knows nothing of YAML, tenants or plans. Package manifest validates with it, package
// kind compares with it, and the schema command prints it.
package schemas

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"sort"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

//go:embed *.schema.json
var files embed.FS

const (
	base   = "https://github.com/ecplan/ecplan/schemas/"
	suffix = ".schema.json"
	// Document names the schema of apiVersion, kind and metadata.
	Document = "Document"
	// Manifest names that of a whole document, made from the others for editors (see Bundle).
	Manifest = "manifest"
)

// Kinds lists the kinds that have a schema, sorted.
func Kinds() []string {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic("schemas: " + err.Error()) // the files are embedded
	}
	var out []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), suffix); name != Document && name != Manifest {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// File returns the schema called name as it is written: a kind, Document or Manifest.
func File(name string) ([]byte, error) {
	b, err := files.ReadFile(name + suffix)
	if err != nil {
		return nil, fmt.Errorf("there is no schema %q; there are %s", name, strings.Join(append(Kinds(), Document, Manifest), ", "))
	}
	return b, nil
}

// Tree returns the schema called name as JSON values, nil if there is none. It is
// shared: nobody may change it.
func Tree(name string) map[string]any { return trees()[name] }

var trees = sync.OnceValue(func() map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, name := range append(Kinds(), Document) {
		b, err := File(name)
		if err != nil {
			panic("schemas: " + err.Error())
		}
		var t map[string]any
		if err := json.Unmarshal(b, &t); err != nil {
			panic(fmt.Sprintf("schemas: %s: %v", name, err)) // held by a test
		}
		out[name] = t
	}
	return out
})

// Compile makes a validator of the schema at ref, a name with or without a pointer
// into it ("Client", "Document#/$defs/metadata"). A format that is not among formats
// is not checked.
func Compile(ref string, formats map[string]func(any) bool) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.Draft, c.AssertFormat = jsonschema.Draft2020, true
	for name, f := range formats {
		c.Formats[name] = f
	}
	for _, name := range append(Kinds(), Document) {
		b, err := File(name)
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(base+name+suffix, bytes.NewReader(b)); err != nil {
			return nil, fmt.Errorf("reading schema %s: %w", name, err)
		}
	}
	name, pointer, _ := strings.Cut(ref, "#")
	return c.Compile(base + name + suffix + "#" + pointer)
}

// At returns the part of a schema that location, an absolute keyword location of the
// validator, points to.
func At(location string) (any, bool) {
	file, pointer, _ := strings.Cut(location, "#")
	name, ok := strings.CutSuffix(strings.TrimPrefix(file, base), suffix)
	if !ok {
		return nil, false
	}
	tree, ok := trees()[name]
	if !ok {
		return nil, false
	}
	return lookup(tree, pointer)
}

// lookup follows a JSON pointer.
func lookup(v any, pointer string) (any, bool) {
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		if part == "" {
			continue
		}
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch t := v.(type) {
		case map[string]any:
			next, ok := t[part]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			var i int
			if _, err := fmt.Sscanf(part, "%d", &i); err != nil || i < 0 || i >= len(t) {
				return nil, false
			}
			v = t[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// target resolves a $ref that stands in the schema called name.
func target(name, ref string) (string, map[string]any) {
	file, pointer, _ := strings.Cut(ref, "#")
	if file != "" {
		name = strings.TrimSuffix(file, suffix)
	}
	v, _ := lookup(trees()[name], pointer)
	t, ok := v.(map[string]any)
	if !ok {
		panic(fmt.Sprintf("schemas: %s: %s points nowhere", name, ref)) // held by a test
	}
	return name, t
}
