package manifest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// describe puts one fault into words.
func (s *subject) describe(f fault, ds *Diagnostics) {
	field := s.named(f.path)
	if f.isName {
		field = "the name " + quoted(f.name)
	}
	says, _ := f.schema["x-ecplan-says"].(string)
	limit := f.schema[f.keyword]
	say := func(summary, detail string) { s.report(ds, f.path, f.isName, summary, detail) }
	switch f.keyword {
	case "required":
		have, _ := f.value.(map[string]any)
		for _, name := range stringsOf(limit) {
			if _, ok := have[name]; !ok {
				s.report(ds, f.path, true, fmt.Sprintf("%s is missing in %s", quoted(name), field), description(f.schema, name))
			}
		}
	case "additionalProperties":
		s.unknown(f, field, ds)
	case "type":
		say(typeFault(field, f))
	case "enum", "const":
		if f.isName {
			allowed := stringsOf(f.schema["enum"])
			say(field+" "+says, sentences(didYouMean(f.name, allowed), listing("There are", allowed)))
			return
		}
		say(s.enumFault(field, f))
	case "minLength":
		if length(f.value) == 0 && !f.isName {
			say(field+" is empty", "It must hold text.")
			return
		}
		say(field+" is too short", fmt.Sprintf("It has %d characters; at least %v are needed.", s.length(f), limit))
	case "maxLength":
		say(field+" is too long", fmt.Sprintf("It has %d characters; at most %v are allowed.", s.length(f), limit))
	case "pattern":
		say(field+" "+says, s.given(f))
	case "format":
		text, _ := f.value.(string)
		format, _ := limit.(string)
		if err := formatFault(f, text); err != nil {
			say(field+" "+formatNames[format], sentence(err.Error()))
		}
	case "minimum":
		say(field+" is too small", sentences(s.given(f), fmt.Sprintf("The smallest value allowed is %v.", limit)))
	case "exclusiveMinimum":
		say(field+" is too small", sentences(s.given(f), fmt.Sprintf("It must be more than %v.", limit)))
	case "maximum":
		say(field+" is too large", sentences(s.given(f), fmt.Sprintf("The largest value allowed is %v.", number(limit))))
	case "minItems":
		say(field+" has too few entries", fmt.Sprintf("It needs at least %v.", limit))
	case "maxItems":
		items, _ := f.value.([]any)
		say(field+" has too many entries", fmt.Sprintf("It has %d; at most %v are allowed.", len(items), limit))
	case "uniqueItems":
		say(field+" lists something twice", "Each entry may be there once.")
	case "minProperties", "maxProperties":
		have, _ := f.value.(map[string]any)
		if says != "" {
			say(field+" "+says, "")
			return
		}
		say(field+" has too many entries", fmt.Sprintf("It has %d; at most %v are allowed.", len(have), limit))
	case "oneOf", "anyOf", "not":
		s.report(ds, f.path, f.path == s.prefix, field+" "+says, "")
	default:
		say(field+" is not allowed here", says)
	}
}

// unknown reports each field that the schema does not have, with the nearest that it has.
func (s *subject) unknown(f fault, field string, ds *Diagnostics) {
	props, _ := f.schema["properties"].(map[string]any)
	have, _ := f.value.(map[string]any)
	for _, name := range Keys(have) {
		if _, ok := props[name]; ok {
			continue
		}
		hint := didYouMean(name, Keys(props))
		if hint == "" || len(props) <= 12 {
			hint = sentences(hint, listing("The fields of "+field+" are", Keys(props)))
		}
		s.report(ds, below(f.path, name), true, fmt.Sprintf("%s has no field %s", field, quoted(name)), hint)
	}
}

var typeNames = map[string]string{
	"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
	"array": "a list", "object": "a map of fields",
}

func typeFault(field string, f fault) (summary, detail string) {
	var want []string
	for _, t := range stringsOf(f.schema["type"]) {
		if t != "null" {
			want = append(want, typeNames[t])
		}
	}
	wanted := strings.Join(want, " or ")
	first := ""
	if len(want) > 0 {
		first = want[0]
	}
	switch v := f.value.(type) {
	case nil:
		return fmt.Sprintf("%s is empty", field), fmt.Sprintf("It must be %s. Leave the field out, or give it a value; null clears only fields that Auth0 can clear.", wanted)
	case float64, bool:
		kind := "a number"
		if _, ok := v.(bool); ok {
			kind = "true or false"
		}
		summary = fmt.Sprintf("%s must be %s, not %s", field, wanted, kind)
		if err := formatFault(f, fmt.Sprint(number(v))); err != nil {
			return summary, sentence(err.Error())
		}
		if allowed := stringsOf(f.schema["enum"]); len(allowed) > 0 {
			return summary, listing("Allowed are", allowed)
		}
		if first == "text" && !f.hidden {
			detail = fmt.Sprintf("Put it in quotes: %q.", fmt.Sprint(number(v)))
		} else if first == "text" {
			detail = "Put it in quotes."
		}
		return summary, detail
	case string:
		summary = fmt.Sprintf("%s must be %s, not text", field, wanted)
		switch strings.ToLower(v) {
		case "yes", "on", "y":
			detail = "Write true; yes and on are text in YAML 1.2."
		case "no", "off", "n":
			detail = "Write false; no and off are text in YAML 1.2."
		default:
			_, err := strconv.ParseFloat(v, 64)
			switch {
			case f.hidden:
			case err == nil && strings.Contains(wanted, "number"), (v == "true" || v == "false") && first == "true or false":
				detail = "Write it without quotes."
			case first == "a list":
				detail = "Write each entry on a line of its own, after a dash."
			default:
				detail = fmt.Sprintf("It is %s.", quoted(v))
			}
		}
		return summary, detail
	case []any:
		return fmt.Sprintf("%s must be %s, not a list", field, wanted), ""
	default:
		if m, ok := v.(map[string]any); ok && (m["file"] != nil || m["env"] != nil) {
			return fmt.Sprintf("%s must be %s, not a map of fields", field, wanted),
				"A value from elsewhere is written {file: path} or {env: NAME}, with sensitive: true if it must not be shown, and nothing else."
		}
		if first == "text" {
			detail = "Write text, or say where to take it from: {file: path} or {env: NAME}."
		}
		return fmt.Sprintf("%s must be %s, not a map of fields", field, wanted), detail
	}
}

// formatFault says what is wrong with text in the form that the schema demands.
func formatFault(f fault, text string) error {
	format, _ := f.schema["format"].(string)
	check, ok := formats[format]
	if !ok {
		return nil
	}
	err := check(text)
	if err != nil && f.hidden && format != formatKey { // what is wrong with a key is said without the key
		return errors.New("the value is sensitive and not shown")
	}
	return err
}

func (s *subject) enumFault(field string, f fault) (summary, detail string) {
	allowed := stringsOf(f.schema["enum"])
	if c, ok := f.schema["const"]; ok {
		allowed = []string{fmt.Sprint(c)}
	}
	text, isText := f.value.(string)
	if f.hidden || !isText {
		return field + " does not have an allowed value", listing("Allowed are", allowed)
	}
	return fmt.Sprintf("%s can't be %s", field, quoted(text)), sentences(didYouMean(text, allowed), listing("Allowed are", allowed))
}

// given quotes the value, unless it is sensitive.
func (s *subject) given(f fault) string {
	if f.isName || f.hidden {
		return ""
	}
	switch v := f.value.(type) {
	case string:
		return fmt.Sprintf("It is %s.", quoted(v))
	case float64:
		return fmt.Sprintf("It is %v.", number(v))
	}
	return ""
}

func (s *subject) length(f fault) int {
	if f.isName {
		return length(f.name)
	}
	return length(f.value)
}

func length(v any) int {
	text, _ := v.(string)
	return len([]rune(text))
}

// number writes a number without an exponent.
func number(v any) any {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return v
}

// description returns what the schema says of a property of its.
func description(schema map[string]any, name string) string {
	props, _ := schema["properties"].(map[string]any)
	p, _ := props[name].(map[string]any)
	d, _ := p["description"].(string)
	return d
}

func stringsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
