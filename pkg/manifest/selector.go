package manifest

import (
	"fmt"
	"path"
	"strings"
)

// Selector picks tenants by their labels. The zero value picks every tenant.
type Selector struct {
	text  string
	terms []term
}

// term is one condition: the label called key is, or is not, like pattern.
type term struct {
	key, pattern string
	// not turns the condition round; exists asks only whether there is such a label.
	not, exists bool
}

// ParseSelector reads conditions that must all hold, separated by commas: env=prod,
// region!=us, beta (there is such a label), !beta (there is none). A value may be a
// pattern, as in region=eu-*; a = at its beginning is written \=. name stands for the
// tenant's name.
func ParseSelector(text string) (Selector, error) {
	s := Selector{text: text}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		var t term
		var ok bool
		if t.key, t.pattern, ok = strings.Cut(part, "="); ok {
			t.key, t.not = strings.CutSuffix(t.key, "!")
		} else {
			t.key, t.not = strings.CutPrefix(part, "!")
			t.exists = true
		}
		t.key, t.pattern = strings.TrimSpace(t.key), strings.TrimSpace(t.pattern)
		if t.key == "" || strings.ContainsAny(t.key, "!= \t") || strings.HasPrefix(t.pattern, "=") {
			return Selector{}, fmt.Errorf("%s is no condition; write env=prod, env!=prod, env or !env, and commas in between", quoted(part))
		}
		if _, err := path.Match(t.pattern, ""); err != nil {
			return Selector{}, fmt.Errorf("%s is no pattern: a [ must be closed", quoted(t.pattern))
		}
		s.terms = append(s.terms, t)
	}
	return s, nil
}

// String is the text that the selector was read from.
func (s Selector) String() string { return s.text }

// Matches reports whether the selector picks the tenant.
func (s Selector) Matches(t TenantInfo) bool {
	for _, c := range s.terms {
		have, ok := t.Labels[c.key]
		if !ok && c.key == "name" {
			have, ok = t.Name, true
		}
		holds := ok
		if !c.exists && ok {
			holds, _ = path.Match(c.pattern, have) // a pattern, as ParseSelector has found
		}
		if holds == c.not {
			return false
		}
	}
	return true
}

// selector is the form of selectors in documents.
func selector(s string) error {
	_, err := ParseSelector(s)
	return err
}

// selectorOf reads a selector of a document; "" and what is no selector, which is
// reported where the document is checked, pick every tenant.
func selectorOf(v any) Selector {
	text, _ := v.(string)
	if text == "" {
		return Selector{}
	}
	s, err := ParseSelector(text)
	if err != nil {
		return Selector{text: text}
	}
	return s
}

// meantFor reports whether d is for the tenant.
func (d *document) meantFor(t TenantInfo) bool { return selectorOf(d.metadata["tenants"]).Matches(t) }

// apart returns the places of the documents that are meant for other tenants.
func (s *Set) apart(t TenantInfo) map[string]Position {
	if t.Name == "" {
		return nil
	}
	out := map[string]Position{}
	for _, d := range s.docs {
		if d.address() != "" && !d.meantFor(t) {
			out[d.address()] = d.pos
		}
	}
	return out
}
