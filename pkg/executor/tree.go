package executor

import (
	"fmt"
	"maps"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// fill replaces the references in v by what earlier steps gave. One that is left
// open is an error: nothing half known is ever sent.
func (j *job) fill(v any, what string) (any, error) {
	known := j.outputs
	if j.mine != nil {
		known = maps.Clone(known)
		known[j.step.ID] = j.mine
	}
	v = resolve(v, known)
	if open := manifest.Refs(v); len(open) > 0 {
		return nil, fmt.Errorf("%s needs a value of %s that is not known: it is not among what the steps before it gave", what, strings.Join(open, ", "))
	}
	return v, nil
}

// resolve replaces those references in v that outputs, by step id, know of.
func resolve(v any, outputs map[string]map[string]any) any {
	return manifest.Resolve(v, func(id, attr string) (any, bool) {
		got := member(outputs[id], attr)
		return got, got != nil
	})
}

// path fills in the segments of a request's path.
func (j *job) path(segments []any) ([]string, error) {
	filled, err := j.fill(segments, "its path")
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(segments))
	for _, s := range filled.([]any) {
		text, ok := s.(string)
		if !ok || text == "" {
			return nil, fmt.Errorf("its path has the segment %v where text belongs", s)
		}
		out = append(out, text)
	}
	return out, nil
}

func anyPath(segments []string) []any {
	out := make([]any, len(segments))
	for i, s := range segments {
		out[i] = s
	}
	return out
}

// member returns the value at a dotted path of v, nil if there is none. A whole
// path that is a member's name wins: names may hold dots.
func member(v any, path string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	if got, ok := m[path]; ok {
		return got
	}
	for i := 0; i < len(path); i++ {
		if path[i] == '.' {
			if got := member(m[path[:i]], path[i+1:]); got != nil {
				return got
			}
		}
	}
	return nil
}

// reportedTime finds what a tenant says of an unreadable value's age: in the answer
// {"secrets": [{"name": "A", "updated_at": t}]} that of "secrets.A" is t (facts §3.6).
func reportedTime(answer any, path string) string {
	field, name, _ := strings.Cut(path, ".")
	items, _ := member(answer, field).([]any)
	for _, item := range items {
		if member(item, "name") == name {
			at, _ := member(item, "updated_at").(string)
			return at
		}
	}
	return ""
}
