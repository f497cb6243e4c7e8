package auth0sim

import (
	"slices"
	"time"
)

// obj is a JSON object as the API shows it.
type obj = map[string]any

// record is what every stored object has.
type record struct {
	id     string
	o      obj // what the API shows and what it was sent; secrets are kept elsewhere
	n      int // place in the order of creation, from 1; checkpoint paging goes by it
	born   time.Time
	unseen int // listings that still pass it over (Options.ListLagReads)
}

func (r *record) rec() *record { return r }

// collection keeps objects in the order of their creation.
type collection[T interface{ rec() *record }] struct {
	all  []T
	byID map[string]T
	last int
}

func (c *collection[T]) get(id string) (T, bool) {
	x, ok := c.byID[id]
	return x, ok
}

func (c *collection[T]) add(x T) {
	if c.byID == nil {
		c.byID = map[string]T{}
	}
	c.last++
	x.rec().n = c.last
	c.all = append(c.all, x)
	c.byID[x.rec().id] = x
}

func (c *collection[T]) remove(id string) bool {
	if _, ok := c.byID[id]; !ok {
		return false
	}
	delete(c.byID, id)
	c.all = slices.DeleteFunc(c.all, func(x T) bool { return x.rec().id == id })
	return true
}

// removeAll removes what match accepts, and says by id what that was.
func (c *collection[T]) removeAll(match func(T) bool) map[string]bool {
	gone := map[string]bool{}
	c.all = slices.DeleteFunc(c.all, func(x T) bool {
		if !match(x) {
			return false
		}
		gone[x.rec().id] = true
		delete(c.byID, x.rec().id)
		return true
	})
	return gone
}

// find returns the first object that match accepts.
func (c *collection[T]) find(match func(T) bool) (T, bool) {
	if i := slices.IndexFunc(c.all, match); i >= 0 {
		return c.all[i], true
	}
	var none T
	return none, false
}

// field reads a string of an object, "" if it is not one.
func (r *record) field(name string) string {
	s, _ := r.o[name].(string)
	return s
}

// clone copies JSON deeply.
func clone[T any](v T) T {
	return cloneAny(v).(T)
}

func cloneAny(v any) any {
	switch v := v.(type) {
	case obj:
		out := make(obj, len(v))
		for k, x := range v {
			out[k] = cloneAny(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = cloneAny(x)
		}
		return out
	}
	return v
}

// merge lays body over o as PATCH does nearly everywhere: at the top level, given
// values replace and null clears (facts §3.0 "Null vs absent").
func merge(o, body obj) {
	for k, v := range body {
		if v == nil {
			delete(o, k)
		} else {
			o[k] = v
		}
	}
}

// mergeKey merges body[key] into o[key] one level deeper, null deleting, and takes
// it out of body: tenant flags and client metadata do so (facts §3.0, REC-tf
// ClientMetadataBehavior).
func mergeKey(o, body obj, key string) {
	patch, ok := body[key].(obj)
	if !ok {
		return
	}
	delete(body, key)
	into, ok := o[key].(obj)
	if !ok {
		into = obj{}
	}
	merge(into, patch)
	o[key] = into
}

// defaults fills in what o does not have.
func defaults(o, d obj) {
	for k, v := range d {
		if _, ok := o[k]; !ok {
			o[k] = cloneAny(v)
		}
	}
}

// list and strs turn JSON values into slices; anything else is empty.
func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func strs(v any) []string {
	var out []string
	for _, x := range list(v) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func anys(s []string) []any {
	out := make([]any, len(s))
	for i, x := range s {
		out[i] = x
	}
	return out
}

// object turns a JSON value into an object; anything else is an empty one.
func object(v any) obj {
	o, _ := v.(obj)
	return o
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func truth(v any) bool {
	b, _ := v.(bool)
	return b
}
