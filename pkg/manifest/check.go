package manifest

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/ecplan/ecplan/schemas"
)

// subject is a value that is held against a schema.
type subject struct {
	value any
	// prefix is the path of the value itself ("spec"); paths below go on from it.
	prefix string
	// open reports whether the value at a path is not known yet: whatever the schema
	// says of it is not asked. value is what stands there.
	open func(path string, value any, rule *schemas.Rule) bool
	// place gives the position of a path: of the field's name if key, else of its value.
	place func(path string, key bool) Position
	// rule is the rule of the value.
	rule *schemas.Rule
	// secret, if there, reports whether the value at a path was marked as sensitive, so
	// that no message may show it. What a rule says is sensitive is never shown anyway.
	secret func(path string) bool
	// address and kind are for the messages.
	address, kind string
	// broken are the rules between fields that do not hold.
	broken []conditional
}

// check holds the subject against the schema that ref names and reports all that is
// wrong, in words that need no knowledge of JSON Schema.
func (s *subject) check(ref string) Diagnostics {
	schema, err := compiled(ref)
	if err != nil {
		panic("manifest: " + err.Error()) // the schemas are embedded; held by a test
	}
	var verr *jsonschema.ValidationError
	if !errors.As(schema.Validate(s.value), &verr) {
		return nil
	}
	var ds Diagnostics
	s.collect(verr, &ds)
	s.conditions(&ds)
	return ds.Sort()
}

var (
	compileMu sync.Mutex
	compiledS = map[string]*jsonschema.Schema{}
)

// compiled returns the validator of a schema; each is made once.
func compiled(ref string) (*jsonschema.Schema, error) {
	compileMu.Lock()
	defer compileMu.Unlock()
	if s, ok := compiledS[ref]; ok {
		return s, nil
	}
	checks := map[string]func(any) bool{}
	for name, f := range formats {
		checks[name] = func(v any) bool {
			text, ok := v.(string)
			return !ok || f(text) == nil
		}
	}
	s, err := schemas.Compile(ref, checks)
	if err == nil {
		compiledS[ref] = s
	}
	return s, err
}

// fault is one complaint of the validator, with all that a message needs.
type fault struct {
	keyword string
	schema  map[string]any // the schema that holds the keyword
	path    string         // "spec.callbacks[0]"
	value   any
	// name, if the complaint is about the name of a field, is that name.
	name   string
	isName bool
	rule   *schemas.Rule
	// hidden values are shown in no message.
	hidden bool
}

// collect walks the validator's tree of complaints down to those that say something.
func (s *subject) collect(e *jsonschema.ValidationError, ds *Diagnostics) {
	file, pointer, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
	i := strings.LastIndexByte(pointer, '/')
	keyword := pointer[i+1:]
	choice := keyword == "oneOf" || keyword == "anyOf" || keyword == "not"
	if len(e.Causes) > 0 && !choice {
		for _, c := range e.Causes {
			s.collect(c, ds)
		}
		return
	}
	f := fault{keyword: keyword}
	if i >= 0 {
		holder, _ := schemas.At(file + "#" + pointer[:i])
		f.schema, _ = holder.(map[string]any)
	}
	f.isName = strings.Contains(pointer, "/propertyNames/")
	if !s.locate(e.InstanceLocation, &f) {
		return
	}
	f.hidden = f.rule != nil && f.rule.Sensitive || s.secret != nil && s.secret(f.path)
	if says, up := condition(file, pointer); says != "" {
		s.broken = append(s.broken, conditional{f.path, s.named(outer(f.path, up)) + " " + says})
		return
	}
	s.describe(f, ds)
}

// conditional is a broken rule between fields, and the field where it shows.
type conditional struct{ path, summary string }

// conditions reports broken rules between fields, except where the field itself is
// wrong already.
func (s *subject) conditions(ds *Diagnostics) {
	wrong := map[string]bool{}
	for _, d := range *ds {
		wrong[d.Path] = true
	}
	for _, c := range s.broken {
		if !wrong[c.path] {
			s.report(ds, c.path, c.path == s.prefix, c.summary, "")
		}
	}
	s.broken = nil
}

// outer is the path of the object that holds the one at path, n levels out.
func outer(path string, n int) string {
	for ; n > 0; n-- {
		i := lastSeparator(path)
		if i < 0 {
			return path
		}
		path = path[:i]
	}
	return path
}

// condition returns what a conditional rule (if … then …) says when it is broken, and
// how many levels above the fault the rule stands.
func condition(file, pointer string) (says string, up int) {
	i := strings.LastIndex(pointer, "/then")
	if i < 0 {
		return "", 0
	}
	holder, _ := schemas.At(file + "#" + pointer[:i])
	m, _ := holder.(map[string]any)
	says, _ = m["x-ecplan-says"].(string)
	return says, strings.Count(pointer[i:], "/properties/")
}

// locate follows the validator's pointer into the value. It reports false where the
// value, or one around it, is open.
func (s *subject) locate(pointer string, f *fault) bool {
	f.path, f.value, f.rule = s.prefix, s.value, s.rule
	if s.open(f.path, f.value, f.rule) {
		return false
	}
	var parts []string
	if pointer != "" {
		parts = strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	}
	for n, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if f.isName && n == len(parts)-1 {
			f.name, f.path = part, below(f.path, part)
			return true
		}
		switch v := f.value.(type) {
		case map[string]any:
			f.path, f.value, f.rule = below(f.path, part), v[part], f.rule.Field(part)
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return false
			}
			f.path, f.value = f.path+"["+part+"]", v[i]
			if f.rule != nil {
				f.rule = f.rule.Items
			}
		}
		if s.open(f.path, f.value, f.rule) {
			return false
		}
	}
	return true
}

// below is the path of a field of the object at path.
func below(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// named is how a message calls the value at path: the kind for a whole spec.
func (s *subject) named(path string) string {
	if path == "" {
		return "the document"
	}
	if path == "spec" && s.kind != "" {
		return "the " + s.kind
	}
	return printable(path)
}

func (s *subject) report(ds *Diagnostics, path string, key bool, summary, detail string) {
	d := Diagnostic{Severity: Error, Pos: s.place(path, key), Address: s.address, Path: path, Summary: summary, Detail: detail}
	if !slices.Contains(*ds, d) {
		*ds = append(*ds, d)
	}
}
