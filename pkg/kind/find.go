package kind

import (
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// findByName returns the objects that bear the first of names that anything bears.
// read makes the question for a name.
func findByName(v *View, names []string, read func(name string) Read) (found []map[string]any, ok bool) {
	for _, name := range names {
		found, ok := v.Where(read(name), "name", name)
		if !ok {
			return nil, false
		}
		if len(found) > 0 {
			return found, true
		}
	}
	return nil, true
}

// Others lists what a tenant has of the kind, sorted, for the message that says that one
// of them must exist and does not; ok is false while the answer is missing.
func (k *Kind) Others(address string, v *View) (lines []string, ok bool) {
	if k.List.Path == "" {
		return nil, true
	}
	r := k.List
	r.For = address
	items, ok := v.Items(r)
	for _, item := range items {
		line := text(item, "name")
		if k.Line != nil {
			line = k.Line(item)
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines), ok
}

// narrow keeps what fits if anything does: a former choice is never made empty.
func narrow(in []map[string]any, fits func(map[string]any) bool) []map[string]any {
	if out := filter(in, fits); len(out) > 0 {
		return out
	}
	return in
}

func filter(in []map[string]any, fits func(map[string]any) bool) []map[string]any {
	var out []map[string]any
	for _, m := range in {
		if fits(m) {
			out = append(out, m)
		}
	}
	return out
}

// at returns the member of m at a dotted path.
func at(m map[string]any, path string) any {
	name, rest, more := strings.Cut(path, ".")
	if !more {
		return m[name]
	}
	sub, _ := m[name].(map[string]any)
	return at(sub, rest)
}

// contradicts reports whether an object says otherwise about a field to match;
// saying nothing is no contradiction.
func contradicts(obj map[string]any, match map[string]any) bool {
	for _, path := range manifest.Keys(match) {
		have := at(obj, path)
		if manifest.Known(match[path]) && have != nil && have != match[path] || !manifest.Known(match[path]) && have != nil {
			return true
		}
	}
	return false
}
