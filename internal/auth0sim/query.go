package auth0sim

import (
	"errors"
	"fmt"
	"strings"
)

// The searches of users and logs take the part of Lucene's query syntax that Auth0
// documents: user-search-query-syntax and log-search-query-syntax below
// https://auth0.com/docs. What they leave open is UNCONFIRMED: terms side by side are
// alternatives (Lucene's default), AND binds stronger than OR, and what is not
// documented (?, ~, ^) is refused.

// dialect is what the two searches differ in.
type dialect struct {
	bare   []string        // fields that a term without a field is looked for in
	folded map[string]bool // fields that are compared without regard to case
	exact  string          // below this field there are no wildcards and no ranges
}

// lookup yields the values of a field: strings, numbers, booleans, objects.
type lookup func(field string) []any

// condition says whether something is what a query asks for.
type condition func(lookup) bool

// minLiteral is how long the literals of a wildcard must be, but for "prefix*".
const minLiteral = 3

// maxNesting bounds the parentheses of a query (ours).
const maxNesting = 50

// parseQuery reads q; the error says what is wrong with it.
func (d *dialect) parseQuery(q string) (condition, error) {
	p := &queryParser{d: d, rest: q}
	m, err := p.alternatives("")
	if err == nil && p.space() != "" {
		err = fmt.Errorf("unexpected %q", p.rest[:1])
	}
	return m, err
}

type queryParser struct {
	d      *dialect
	rest   string
	nested int
}

// space skips blanks and returns what is left.
func (p *queryParser) space() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest
}

// operator takes one of the operators, if it is next.
func (p *queryParser) operator(names ...string) bool {
	s := p.space()
	for _, name := range names {
		after, is := strings.CutPrefix(s, name)
		if is && (name[0] > 'Z' || name[0] < 'A' || after == "" || strings.ContainsAny(after[:1], " \t\r\n(")) {
			p.rest = after
			return true
		}
	}
	return false
}

// alternatives reads what OR joins; field is that of the parenthesis around it.
func (p *queryParser) alternatives(field string) (condition, error) {
	var all []condition
	for more := true; more; more = p.operator("OR", "||") {
		m, err := p.conjunction(field)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return anyOf(all), nil
}

func anyOf(all []condition) condition {
	if len(all) == 1 {
		return all[0]
	}
	return func(f lookup) bool {
		for _, m := range all {
			if m(f) {
				return true
			}
		}
		return false
	}
}

// conjunction reads what AND joins.
func (p *queryParser) conjunction(field string) (condition, error) {
	var all []condition
	for more := true; more; more = p.operator("AND", "&&") {
		m, err := p.row(field)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return func(f lookup) bool {
		for _, m := range all {
			if !m(f) {
				return false
			}
		}
		return true
	}, nil
}

// row reads terms side by side: all that are wanted (+) must be there, none that is
// not (NOT, -, !), and of the others one, if nothing is wanted.
func (p *queryParser) row(field string) (condition, error) {
	var wanted, unwanted, others []condition
	for {
		into := &others
		switch {
		case p.operator("NOT", "-", "!"):
			into = &unwanted
		case p.operator("+"):
			into = &wanted
		}
		m, err := p.term(field)
		if err != nil {
			return nil, err
		}
		*into = append(*into, m)
		s := p.space()
		if s == "" || s[0] == ')' || p.ahead("OR", "||", "AND", "&&") {
			break
		}
	}
	return func(f lookup) bool {
		for _, m := range unwanted {
			if m(f) {
				return false
			}
		}
		for _, m := range wanted {
			if !m(f) {
				return false
			}
		}
		return len(wanted) > 0 || len(others) == 0 || anyOf(others)(f)
	}, nil
}

func (p *queryParser) ahead(names ...string) bool {
	before := p.rest
	is := p.operator(names...)
	p.rest = before
	return is
}

// term reads a parenthesis, a field with its value, or a value alone.
func (p *queryParser) term(field string) (condition, error) {
	s := p.space()
	if s == "" {
		return nil, errors.New("it ends where a term should be")
	}
	if s[0] == '(' {
		return p.parenthesis(field)
	}
	if s[0] == '"' || s[0] == '[' || s[0] == '{' {
		return p.value(field)
	}
	before := p.rest
	name, _, err := p.word(":()\"")
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(p.rest, ":") {
		p.rest = before
		return p.value(field)
	}
	p.rest = p.rest[1:]
	if strings.ContainsAny(name, "*?") || name == "" {
		return nil, fmt.Errorf("%q is no field", name)
	}
	if name == "_exists_" {
		p.space()
		of, _, err := p.word(":()\"")
		if err == nil && of == "" {
			err = errors.New("_exists_ names no field")
		}
		return func(f lookup) bool { return len(f(of)) > 0 }, err
	}
	if strings.HasPrefix(p.space(), "(") {
		return p.parenthesis(name)
	}
	return p.value(name)
}

func (p *queryParser) parenthesis(field string) (condition, error) {
	if p.nested++; p.nested > maxNesting {
		return nil, errors.New("its parentheses are nested too deep")
	}
	defer func() { p.nested-- }()
	p.rest = p.rest[1:]
	m, err := p.alternatives(field)
	if err == nil && !strings.HasPrefix(p.space(), ")") {
		err = errors.New("a parenthesis is not closed")
	}
	if err == nil {
		p.rest = p.rest[1:]
	}
	return m, err
}

// word reads up to a blank or one of stops, and takes backslashes away. pattern is
// the word with what was escaped still marked by them.
func (p *queryParser) word(stops string) (word, pattern string, err error) {
	var b strings.Builder
	i := 0
	for ; i < len(p.rest); i++ {
		ch := p.rest[i]
		if ch == '\\' {
			if i++; i == len(p.rest) {
				return "", "", errors.New("it ends with a backslash")
			}
			ch = p.rest[i]
		} else if strings.IndexByte(" \t\r\n"+stops, ch) >= 0 {
			break
		}
		b.WriteByte(ch)
	}
	pattern, p.rest = p.rest[:i], p.rest[i:]
	return b.String(), pattern, nil
}

// value reads what a field should be: a phrase, a range or a word with or without
// wildcards. Values are not tokenised: all of one must match ("User fields are not
// tokenized", auth0/docs articles/users/search/v3).
func (p *queryParser) value(field string) (condition, error) {
	fields := []string{field}
	if field == "" {
		fields = p.d.bare
	}
	restricted := p.d.exact != "" && strings.HasPrefix(field, p.d.exact)
	var test func(v any, fold bool) bool
	switch s := p.space(); {
	case s == "":
		return nil, fmt.Errorf("%s has no value", field)
	case s[0] == '"':
		text, err := p.phrase()
		if err != nil {
			return nil, err
		}
		test = equals(text)
	case s[0] == '[' || s[0] == '{':
		if restricted {
			return nil, fmt.Errorf("ranges are not available on %s", field)
		}
		in, err := p.span()
		if err != nil {
			return nil, err
		}
		test = func(v any, _ bool) bool { return in(v) }
	default:
		text, pattern, err := p.word("()\"[]{}:")
		if err != nil {
			return nil, err
		}
		if text == "AND" || text == "OR" || text == "NOT" {
			return nil, fmt.Errorf("%s is where a term should be", text)
		}
		if test, err = wordTest(field, text, pattern, restricted); err != nil {
			return nil, err
		}
	}
	return func(f lookup) bool {
		for _, field := range fields {
			for _, v := range f(field) {
				if test(v, p.d.folded[field]) {
					return true
				}
			}
		}
		return false
	}, nil
}

func (p *queryParser) phrase() (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch ch := p.rest[i]; {
		case ch == '"':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case ch == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(ch)
		}
	}
	return "", errors.New("a quote is not closed")
}
