package manifest

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
)

// A value tree holds what JSON holds: nil, bool, float64, string, []any and
// map[string]any. Two kinds of map stand for what is not known yet:
//
//	{"$ref": "Client/okta-oin.client_id"}            an attribute of another resource
//	{"$join": ["https://", {"$ref": …}, "/path"]}    text with such attributes in it
//	{"$secret": "secrets.AUDIT_TOKEN"}               a sensitive value, held apart in Resource.Secrets
//
// So a tree can be compared, hashed and written down, and never holds a secret.
// No key that a manifest gives may begin with a dollar sign.
const (
	keyRef    = "$ref"
	keyJoin   = "$join"
	keySecret = "$secret"
)

// Ref makes the tree that stands for attribute attr of the resource at address.
func Ref(address, attr string) map[string]any {
	return map[string]any{keyRef: address + "." + attr}
}

// SecretRef makes the tree that stands for the sensitive value at path.
func SecretRef(path string) map[string]any { return map[string]any{keySecret: path} }

// AsRef returns the address and attribute that v refers to. Addresses may hold
// dots ("Client/acme.okta-oin"); the attribute is what follows the last one.
func AsRef(v any) (address, attr string, ok bool) {
	s, ok := single(v, keyRef).(string)
	if !ok {
		return "", "", false
	}
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// AsSecret returns the path under which the sensitive value v is held.
func AsSecret(v any) (path string, ok bool) {
	path, ok = single(v, keySecret).(string)
	return path, ok
}

func single(v any, key string) any {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return nil
	}
	return m[key]
}

// Refs lists the addresses that v refers to, sorted, each once.
func Refs(v any) []string {
	seen := map[string]bool{}
	Walk(v, func(v any) {
		if a, _, ok := AsRef(v); ok {
			seen[a] = true
		}
	})
	out := make([]string, 0, len(seen))
	for a := range seen {
		out = append(out, a)
	}
	sort.Strings(out)
	return out
}

// Known reports whether v holds no reference that is still open. Secrets count as known.
func Known(v any) bool { return len(Refs(v)) == 0 }

// Walk calls f for v and for each value inside it, parents first.
func Walk(v any, f func(any)) {
	f(v)
	switch v := v.(type) {
	case map[string]any:
		for _, k := range Keys(v) {
			Walk(v[k], f)
		}
	case []any:
		for _, e := range v {
			Walk(e, f)
		}
	}
}

// Resolve returns v with each reference replaced by what lookup knows of it, and
// the references that it does not know left as they are. v is not changed.
func Resolve(v any, lookup func(address, attr string) (any, bool)) any {
	if a, attr, ok := AsRef(v); ok {
		if got, ok := lookup(a, attr); ok {
			return got
		}
		return v
	}
	if parts, ok := single(v, keyJoin).([]any); ok {
		return join(parts, lookup)
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = Resolve(e, lookup)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Resolve(e, lookup)
		}
		return out
	}
	return v
}

func join(parts []any, lookup func(string, string) (any, bool)) any {
	out, text, known := make([]any, 0, len(parts)), "", true
	for _, p := range parts {
		p = Resolve(p, lookup)
		out = append(out, p)
		if s, ok := p.(string); ok {
			text += s
			continue
		}
		if _, isMap := p.(map[string]any); isMap {
			known = false
			continue
		}
		text += fmt.Sprint(p)
	}
	if known {
		return text
	}
	return map[string]any{keyJoin: out}
}

// Join makes text of parts, each a string or a Ref; it is a plain string if none is a Ref.
func Join(parts ...any) any {
	return join(parts, func(string, string) (any, bool) { return nil, false })
}

// Reveal returns v with each secret replaced by its value. The result must go
// nowhere but into a request. An unknown secret is an error that names it.
func Reveal(v any, secrets map[string]string) (any, error) {
	if path, ok := AsSecret(v); ok {
		s, ok := secrets[path]
		if !ok {
			return nil, fmt.Errorf("the sensitive value %s is not at hand", path)
		}
		return s, nil
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			r, err := Reveal(e, secrets)
			if err != nil {
				return nil, err
			}
			out[k] = r
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			r, err := Reveal(e, secrets)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return out, nil
	}
	return v, nil
}

// Keys returns m's keys, sorted.
func Keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Clone returns a deep copy of v.
func Clone[T any](v T) T {
	c, _ := clone(v).(T)
	return c
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// Normal returns v as a value tree: what it is after a trip through JSON.
// v must be something that JSON can hold.
func Normal(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("manifest: not JSON: %v", err)) // a programming error, never input
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(fmt.Sprintf("manifest: not JSON: %v", err))
	}
	return out
}
