package auth0sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// violation is why a value does not fit its schema, in the words of the validator
// that Auth0 uses (facts §3.0: every recorded reason is z-schema's).
type violation struct {
	reason      string
	path        string // "settings.items[0]"; empty is the whole
	description string
}

// message is the sentence after "Payload validation error: ".
func (v *violation) message() string {
	switch {
	case v.path == "":
		return fmt.Sprintf("'%s'.", v.reason)
	case v.description == "":
		return fmt.Sprintf("'%s' on property %s.", v.reason, v.path)
	}
	return fmt.Sprintf("'%s' on property %s (%s).", v.reason, v.path, strings.TrimSuffix(v.description, "."))
}

// check returns the first thing wrong with v, or nil. raw is the body that v was
// read from; the order of its keys shows in one message.
func (d *document) check(s *schema, v any, path string, raw []byte) *violation {
	s, desc := d.resolve(s)
	fail := func(format string, args ...any) *violation {
		return &violation{fmt.Sprintf(format, args...), path, desc}
	}
	if s.never {
		return fail("Data matches schema from 'not'")
	}
	if len(s.Type) > 0 && !slices.ContainsFunc(s.Type, func(t string) bool { return hasType(v, t) }) {
		return fail("Expected type %s but found type %s", strings.Join(s.Type, ","), typeName(v))
	}
	if v == nil && slices.Contains(s.Type, "null") {
		return nil
	}
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		return fail("No enum match for: %s", plain(v))
	}
	if len(s.OneOf) > 0 || len(s.AnyOf) > 0 {
		if err := d.checkAlternatives(s, v, path, raw, fail); err != nil {
			return err
		}
	}
	switch v := v.(type) {
	case string:
		return checkString(s, v, fail)
	case float64:
		if s.Minimum != nil && v < *s.Minimum {
			return fail("Value %s is less than minimum %s", plain(v), plain(*s.Minimum))
		}
		if s.Maximum != nil && v > *s.Maximum {
			return fail("Value %s is greater than maximum %s", plain(v), plain(*s.Maximum))
		}
	case []any:
		return d.checkArray(s, v, path, raw, fail)
	case obj:
		return d.checkObject(s, v, path, raw, fail)
	}
	return nil
}

func (d *document) checkAlternatives(s *schema, v any, path string, raw []byte, fail func(string, ...any) *violation) *violation {
	fitting := func(all []*schema) int {
		n := 0
		for _, o := range all {
			if d.check(o, v, path, raw) == nil {
				n++
			}
		}
		return n
	}
	// z-schema would also refuse a value that fits two of oneOf; the document's
	// alternatives overlap where real requests pass, so one fit is enough.
	if len(s.OneOf) > 0 && fitting(s.OneOf) == 0 {
		return fail("Data does not match any schemas from 'oneOf'")
	}
	if len(s.AnyOf) > 0 && fitting(s.AnyOf) == 0 {
		return fail("Data does not match any schemas from 'anyOf'")
	}
	return nil
}

func checkString(s *schema, v string, fail func(string, ...any) *violation) *violation {
	n := utf8.RuneCountInString(v)
	if s.MinLength != nil && n < *s.MinLength {
		return fail("String is too short (%d chars), minimum %d", n, *s.MinLength)
	}
	if s.MaxLength != nil && n > *s.MaxLength {
		return fail("String is too long (%d chars), maximum %d", n, *s.MaxLength)
	}
	if s.matches != nil && !s.matches(v) {
		return fail("String does not match pattern %s: %s", s.Pattern, v)
	}
	if f := formats[s.Format]; f != nil && !f(v) {
		return fail("Object didn't pass validation for format %s: %s", s.Format, v)
	}
	return nil
}

func (d *document) checkArray(s *schema, v []any, path string, raw []byte, fail func(string, ...any) *violation) *violation {
	if s.MinItems != nil && len(v) < *s.MinItems {
		return fail("Array is too short (%d), minimum %d", len(v), *s.MinItems)
	}
	if s.MaxItems != nil && len(v) > *s.MaxItems {
		return fail("Array is too long (%d), maximum %d", len(v), *s.MaxItems)
	}
	if s.UniqueItems {
		seen := make(map[string]int, len(v))
		for i, x := range v {
			b, _ := json.Marshal(x) // decoded JSON: can't fail
			if j, ok := seen[string(b)]; ok {
				return fail("Array items are not unique (indexes %d and %d)", j, i)
			}
			seen[string(b)] = i
		}
	}
	if s.Items == nil {
		return nil
	}
	for i, x := range v {
		if err := d.check(s.Items, x, path+"["+strconv.Itoa(i)+"]", raw); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) checkObject(s *schema, v obj, path string, raw []byte, fail func(string, ...any) *violation) *violation {
	if s.MinProperties != nil && len(v) < *s.MinProperties {
		return fail("Too few properties defined (%d), minimum %d", len(v), *s.MinProperties)
	}
	if s.MaxProperties != nil && len(v) > *s.MaxProperties {
		return fail("Too many properties defined (%d), maximum %d", len(v), *s.MaxProperties)
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fail("Missing required property: %s", name)
		}
	}
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	sort.Strings(names)
	if s.Additional != nil && s.Additional.forbidden {
		var extra []string
		for _, name := range names {
			if s.Properties[name] == nil {
				extra = append(extra, name)
			}
		}
		if len(extra) > 0 {
			return fail("Additional properties not allowed: %s%s", strings.Join(reversedAsSent(raw, path, extra), ","), s.advice)
		}
	}
	for _, name := range names {
		sub := s.Properties[name]
		if sub == nil && s.Additional != nil {
			sub = s.Additional.schema
		}
		if sub == nil {
			continue
		}
		at := name
		if path != "" {
			at = path + "." + name
		}
		if err := d.check(sub, v[name], at, raw); err != nil {
			return err
		}
	}
	return nil
}

// reversedAsSent orders names by their last appearance in the body: z-schema lists
// the properties that it refuses from last to first (REC-rb, facts §3.0:
// "second_setting,first_setting"). Names that repeat at other depths make this a
// good guess, which is enough for a message.
func reversedAsSent(raw []byte, path string, names []string) []string {
	at := 0
	if i := strings.LastIndexByte(path, '.'); path != "" {
		key := strings.TrimRight(path[i+1:], "]0123456789[")
		at = max(bytes.Index(raw, []byte(`"`+key+`"`)), 0)
	}
	pos := func(name string) int { return bytes.Index(raw[at:], []byte(`"`+name+`"`)) }
	sort.SliceStable(names, func(i, j int) bool { return pos(names[i]) > pos(names[j]) })
	return names
}

func hasType(v any, t string) bool {
	if t == "integer" {
		f, ok := v.(float64)
		return ok && f == math.Trunc(f)
	}
	return typeName(v) == t || t == "number" && typeName(v) == "integer"
}

// typeName names a JSON type as z-schema does.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// plain writes a value into a message: strings without quotes.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v) // decoded JSON: can't fail
	return string(b)
}
