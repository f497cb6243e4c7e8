package auth0sim

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// wordTest tests for a word, whose pattern may have wildcards.
func wordTest(field, text, pattern string, restricted bool) (func(v any, fold bool) bool, error) {
	if text == "" {
		return nil, errors.New("a term is empty")
	}
	parts := []string{""}
	for i := 0; i < len(pattern); i++ {
		last := &parts[len(parts)-1]
		switch ch := pattern[i]; ch {
		case '\\':
			i++
			*last += pattern[i : i+1]
		case '*':
			parts = append(parts, "")
		case '?', '~', '^':
			return nil, fmt.Errorf("%q is not supported", string(ch))
		default:
			*last += pattern[i : i+1]
		}
	}
	if len(parts) == 1 {
		return equals(text), nil
	}
	if restricted {
		return nil, fmt.Errorf("wildcards are not available on %s", field)
	}
	if len(parts) > 2 || parts[1] != "" {
		for _, literal := range parts {
			if n := utf8.RuneCountInString(literal); n > 0 && n < minLiteral {
				return nil, fmt.Errorf("the literal %q of a wildcard has fewer than %d characters", literal, minLiteral)
			}
		}
	}
	return func(v any, fold bool) bool {
		s, isText := textOf(v)
		return isText && likeParts(parts, s, fold)
	}, nil
}

// likeParts says whether s is parts with anything between them.
func likeParts(parts []string, s string, fold bool) bool {
	lower := func(x string) string {
		if fold {
			return strings.ToLower(x)
		}
		return x
	}
	s, fits := strings.CutPrefix(lower(s), lower(parts[0]))
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		if _, s, fits = cutAfter(fits, s, lower(part)); !fits {
			return false
		}
	}
	return fits && strings.HasSuffix(s, lower(parts[last]))
}

func cutAfter(fits bool, s, part string) (before, after string, found bool) {
	if !fits {
		return "", "", false
	}
	return strings.Cut(s, part)
}

// textOf writes a value as a query has it.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64, int:
		return strconv.FormatFloat(num(v), 'g', -1, 64), true
	}
	return "", false
}

// equals tests for one value. A time equals the day, month or year that it is in.
func equals(text string) func(v any, fold bool) bool {
	from, to, isTime := period(text)
	n, numErr := strconv.ParseFloat(text, 64)
	return func(v any, fold bool) bool {
		s, isText := textOf(v)
		if !isText {
			return false
		}
		switch v.(type) {
		case float64, int:
			return numErr == nil && num(v) == n
		}
		if isTime {
			if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
				return !at.Before(from) && at.Before(to)
			}
		}
		return s == text || fold && strings.EqualFold(s, text)
	}
}

// span reads [min TO max], {min TO max} or a mixture; * is no bound. A bound that is
// a day, month or year is all of it: [* TO 2018-12-18] has the 18th, {2018-12-18 TO *]
// begins with the 19th (the documents' examples of migrating from >= and >).
func (p *queryParser) span() (func(v any) bool, error) {
	end := strings.IndexAny(p.rest, "]}")
	if end < 0 {
		return nil, errors.New("a range is not closed")
	}
	words := strings.Fields(p.rest[1:end])
	openLow, openHigh := p.rest[0] == '{', p.rest[end] == '}'
	p.rest = p.rest[end+1:]
	if len(words) != 3 || words[1] != "TO" {
		return nil, errors.New("a range is [min TO max]")
	}
	low, high := strings.Trim(words[0], `"`), strings.Trim(words[2], `"`)
	return func(v any) bool {
		return (low == "*" || bound(v, low, openLow, true)) && (high == "*" || bound(v, high, openHigh, false))
	}, nil
}

// bound says whether v is on the right side of a bound.
func bound(v any, text string, open, lower bool) bool {
	order := 0
	switch v := v.(type) {
	case float64, int:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return false
		}
		order = cmp.Compare(num(v), n)
	case string:
		from, to, isTime := period(text)
		at, err := time.Parse(time.RFC3339Nano, v)
		if !isTime || err != nil {
			order = strings.Compare(v, text)
			break
		}
		switch {
		case at.Before(from):
			order = -1
		case !at.Before(to):
			order = 1
		}
	default:
		return false
	}
	if order == 0 {
		return !open
	}
	return order > 0 == lower
}

// period reads a time as precise as it is given: [from, to).
func period(text string) (from, to time.Time, ok bool) {
	for _, f := range []struct {
		layout string
		years  int
		months int
		days   int
		short  time.Duration
	}{
		{"2006", 1, 0, 0, 0},
		{"2006-01", 0, 1, 0, 0},
		{"2006-01-02", 0, 0, 1, 0},
		{"2006-01-02T15:04", 0, 0, 0, time.Minute},
		{"2006-01-02T15:04:05", 0, 0, 0, time.Second},
		{time.RFC3339, 0, 0, 0, time.Second},
	} {
		if at, err := time.Parse(f.layout, text); err == nil {
			if f.short > 0 && at.Nanosecond() != 0 {
				f.short = time.Millisecond
			}
			return at, at.AddDate(f.years, f.months, f.days).Add(f.short), true
		}
	}
	return from, to, false
}

// leaves are the values at a path of an object; arrays on the way are stepped into,
// and what is empty is not there ("not indexed", user-search-query-syntax).
func leaves(v any, path string) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []any
		for _, x := range v {
			out = append(out, leaves(x, path)...)
		}
		return out
	case obj:
		if path == "" {
			if len(v) == 0 {
				return nil
			}
			return []any{v}
		}
		if x, given := v[path]; given { // a key with dots in it
			return leaves(x, "")
		}
		first, rest, _ := strings.Cut(path, ".")
		return leaves(v[first], rest)
	}
	if path != "" {
		return nil
	}
	return []any{v}
}
