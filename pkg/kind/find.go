package kind

import (
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// findByName returns the objects that bear the first of names that anything bears.
// read makes the question for a name. have are the names that were seen instead, told
// only of what must exist.
func findByName(d Desired, v *View, names []string, read func(name string) Read) (found []map[string]any, ok bool, have []string) {
	for _, name := range names {
		found, ok := v.Where(read(name), "name", name)
		if !ok {
			return nil, false, nil
		}
		if len(found) > 0 {
			return found, true, nil
		}
	}
	return nil, true, candidates(d, v, read(names[0]), func(item map[string]any) string { return text(item, "name") })
}

// candidates lists what a collection holds for the message that says that d must exist
// and does not; nothing for what may be created.
func candidates(d Desired, v *View, r Read, line func(map[string]any) string) []string {
	if !d.Meta.Existing {
		return nil
	}
	items, _ := v.Items(r)
	var out []string
	for _, item := range items {
		out = append(out, line(item))
	}
	slices.Sort(out)
	return slices.Compact(out)
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
