package report

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// changes returns the lines that show cs. Where all fields of one element of a
// collection come or go, they stand below it.
func (v values) changes(cs []kind.Change) []line {
	var out []line
	for i := 0; i < len(cs); {
		element, n := sameElement(cs[i:])
		if n < 2 {
			out = append(out, v.change(withoutKey(cs[i]))...)
			i++
			continue
		}
		out = append(out, line{Mark: opMark(cs[i].Op), Label: short(element, maxName), Class: field})
		for _, c := range cs[i : i+n] {
			if named(element, c.Before) || named(element, c.After) {
				continue
			}
			c.Path = strings.TrimPrefix(c.Path[len(element):], ".")
			for _, l := range v.change(c) {
				l.Depth++
				out = append(out, l)
			}
		}
		i += n
	}
	return out
}

// sameElement returns the element that the first of cs is a field of, as in
// "scopes[read:x]", and how many of cs bring or take away such fields.
func sameElement(cs []kind.Change) (element string, n int) {
	at := strings.LastIndex(cs[0].Path, "].")
	if at < 0 || cs[0].Op == "change" {
		return "", 0
	}
	element = cs[0].Path[:at+1]
	for n < len(cs) && cs[n].Op == cs[0].Op && strings.HasPrefix(cs[n].Path, element+".") {
		n++
	}
	return element, n
}

// withoutKey leaves out of a whole element the fields that its path has in brackets.
func withoutKey(c kind.Change) kind.Change {
	if !strings.HasSuffix(c.Path, "]") {
		return c
	}
	trim := func(tree any) any {
		m, ok := tree.(map[string]any)
		if !ok || placeholder(m) {
			return tree
		}
		left := map[string]any{}
		for k, e := range m {
			if !named(c.Path, e) {
				left[k] = e
			}
		}
		return left
	}
	c.Before, c.After = trim(c.Before), trim(c.After)
	return c
}

// named reports whether the key of an element, in brackets, says v already.
func named(element string, v any) bool {
	s, ok := v.(string)
	at := strings.IndexByte(element, '[')
	if !ok || s == "" || at < 0 {
		return false
	}
	key := strings.TrimSuffix(element[at+1:], "]")
	return key == s || slices.Contains(strings.Split(key, " "), s)
}

// change returns the lines that show c.
func (v values) change(c kind.Change) []line {
	l := line{Mark: opMark(c.Op), Label: short(c.Path, maxName), Note: v.text(c.Note, maxSentence), Class: field}
	if l.Note != "" {
		l.Note = "(" + l.Note + ")"
	}
	if c.Sensitive {
		l.Text = v.secret(c)
		return []line{l}
	}
	before, isText := c.Before.(string)
	after, isText2 := c.After.(string)
	if c.Code && (isText || c.Before == nil) && (isText2 || c.After == nil) {
		return v.program(l, c, before, after)
	}
	switch c.Op {
	case "add":
		return v.whole(l, c.After)
	case "remove":
		return v.whole(l, c.Before)
	}
	if old, ok := c.Before.([]any); ok {
		if new, ok := c.After.([]any); ok {
			return v.list(l, old, new, c.Set)
		}
	}
	old, new := v.inline(c.Before), v.inline(c.After)
	if c.Before == nil { // there is a value, and it can't be read
		l.Text = "→ " + new
		return []line{l}
	}
	if width(old)+width(new) <= 2*maxInline && !strings.Contains(old+new, "…\" (") {
		l.Text = old + " → " + new
		return []line{l}
	}
	return []line{l, {Mark: "-", Depth: 1, Text: old, Class: field}, {Mark: "+", Depth: 1, Text: new, Class: field}}
}

func opMark(op string) string {
	switch op {
	case "add":
		return "+"
	case "remove":
		return "-"
	}
	return "~"
}

func (v values) secret(c kind.Change) string {
	path, ok := manifest.AsSecret(c.After)
	if !ok {
		if path, ok = manifest.AsSecret(c.Before); !ok {
			path = c.Path
		}
	}
	return v.secretText(path)
}

func (v values) secretText(path string) string {
	id := v.address + " " + path
	if same, ok := v.equal[id]; ok {
		id = same
	}
	return secretMark + strconv.QuoteToASCII(id) + secretMark
}

// whole shows a value that comes or goes: on the line itself if it is short, else
// one line an element.
func (v values) whole(l line, tree any) []line {
	text := v.inline(tree)
	if text == "{}" && strings.HasSuffix(l.Label, "]") {
		return []line{l} // its path says all of it
	}
	list, isList := tree.([]any)
	m, isMap := tree.(map[string]any)
	if width(text) <= maxInline || !isList && (!isMap || placeholder(m)) {
		l.Text = text
		return []line{l}
	}
	out := []line{l}
	if isList {
		out[0].Text = count(len(list), "item")
		for i, e := range list {
			if i == v.items {
				return append(out, rest(1, len(list)-i, "item"))
			}
			out = append(out, line{Mark: l.Mark, Depth: 1, Text: v.inline(e), Class: field})
		}
		return out
	}
	for i, k := range manifest.Keys(m) {
		if i == v.items {
			return append(out, rest(1, len(m)-i, "field"))
		}
		out = append(out, line{Mark: l.Mark, Depth: 1, Label: short(k, maxName), Text: v.inline(m[k]), Class: field})
	}
	return out
}

func rest(depth, n int, noun string) line {
	return line{Depth: depth, Class: hunk, Text: "… " + count(n, "more "+noun)}
}
