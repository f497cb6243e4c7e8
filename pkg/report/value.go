package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// limits bound what a format shows of one change.
type limits struct {
	codeLines int // lines of a diff or of new code
	items     int // elements of one list or map
}

func limitsOf(format string) limits {
	switch format {
	case HTML:
		return limits{codeLines: 4000, items: 1000}
	case Markdown:
		return limits{codeLines: 300, items: 100}
	}
	return limits{codeLines: 1000, items: 200}
}

// A sensitive value is written as its identity between two of these until the
// numbers are given out (see number). visible() lets none of them in from outside.
const secretMark = "\x00"

// maxInline is how long a list, a map or both sides of a change may be on one line.
const maxInline = 64

// values turns a tenant's value trees into text.
type values struct {
	limits
	// address is the resource at hand: paths of sensitive values are its own.
	address string
	// domain, if not "", is shown as ${tenant.domain}, so that tenants can be compared.
	domain string
}

const domainVariable = "${tenant.domain}"

// text makes something that is said about the tenant fit for one line.
func (v values) text(s string, max int) string { return short(v.generic(s), max) }

func (v values) generic(s string) string {
	if v.domain == "" {
		return s
	}
	return strings.ReplaceAll(s, v.domain, domainVariable)
}

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
	return secretMark + strconv.QuoteToASCII(v.address+" "+path) + secretMark
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
	if width(text) <= maxInline || !isList && !(isMap && !placeholder(m)) {
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

// list shows what becomes of a list: elements that come and go, and how many stay.
// Where only the order changes, or order matters, that is said.
func (v values) list(l line, old, new []any, set bool) []line {
	left := map[string]int{}
	for _, e := range old {
		left[exact(e)]++
	}
	var lines []line
	kept := 0
	for _, e := range new {
		if k := exact(e); left[k] > 0 {
			left[k]--
			kept++
			continue
		}
		lines = append(lines, line{Mark: "+", Depth: 1, Text: v.inline(e), Class: field})
	}
	gone := 0
	for i := len(old) - 1; i >= 0; i-- { // the last ones first, as many as are left over
		if k := exact(old[i]); left[k] > 0 {
			left[k]--
			gone++
			lines = append([]line{{Mark: "-", Depth: 1, Text: v.inline(old[i]), Class: field}}, lines...)
		}
	}
	l.Text = tallyList(len(lines)-gone, gone, kept)
	if !set && len(new)+len(old) > 0 && (len(lines) == 0 || kept > 1 && !sameOrder(old, new)) {
		return []line{
			{Mark: l.Mark, Label: l.Label, Text: "in another order", Note: l.Note, Class: field},
			{Mark: "-", Depth: 1, Text: v.inline(old), Class: field},
			{Mark: "+", Depth: 1, Text: v.inline(new), Class: field},
		}
	}
	if len(lines) > v.items {
		lines = append(lines[:v.items:v.items], rest(1, len(lines)-v.items, "item"))
	}
	return append([]line{l}, lines...)
}

func tallyList(come, gone, kept int) string {
	var parts []string
	if come > 0 {
		parts = append(parts, thousands(come)+" added")
	}
	if gone > 0 {
		parts = append(parts, thousands(gone)+" removed")
	}
	if kept > 0 {
		parts = append(parts, fmt.Sprintf("%s as before", thousands(kept)))
	}
	return strings.Join(parts, ", ")
}

// sameOrder reports whether the elements that both lists have stand in the same order.
func sameOrder(old, new []any) bool {
	common := func(of, in []any) []string {
		there := map[string]bool{}
		for _, e := range in {
			there[exact(e)] = true
		}
		var out []string
		for _, e := range of {
			if k := exact(e); there[k] {
				out = append(out, k)
			}
		}
		return out
	}
	return strings.Join(common(old, new), "\x00") == strings.Join(common(new, old), "\x00")
}

// exact is a text by which values are equal or not.
func exact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%#v", v) // nothing that came out of JSON gets here
	}
	return string(b)
}

func placeholder(m map[string]any) bool {
	for k := range m {
		if strings.HasPrefix(k, "$") && len(m) == 1 {
			return true
		}
	}
	return false
}

// inline shows any value on one line. Texts are in quotation marks, everything else
// is not, so that no text passes for a number, a secret or a reference.
func (v values) inline(tree any) string {
	var b strings.Builder
	v.write(&b, tree, 0)
	return b.String()
}

// maxDepth is how deep inline goes into a value.
const maxDepth = 6

func (v values) write(b *strings.Builder, tree any, depth int) {
	switch t := tree.(type) {
	case string:
		b.WriteString(quoted(v.generic(t)))
		return
	case []any:
		b.WriteString("[")
		for i, e := range t {
			if i > 0 {
				b.WriteString(", ")
			}
			if depth > maxDepth || b.Len() > 4*maxValue {
				b.WriteString("… (" + count(len(t)-i, "more item") + ")")
				break
			}
			v.write(b, e, depth+1)
		}
		b.WriteString("]")
		return
	case map[string]any:
		v.writeMap(b, t, depth)
		return
	}
	b.WriteString(short(exact(tree), maxValue)) // null, true, 300
}

func (v values) writeMap(b *strings.Builder, m map[string]any, depth int) {
	if address, attr, ok := manifest.AsRef(m); ok {
		b.WriteString("(known after apply: " + short(address+"."+attr, maxName) + ")")
		return
	}
	if path, ok := manifest.AsSecret(m); ok {
		b.WriteString(v.secretText(path))
		return
	}
	if parts, ok := m["$join"].([]any); ok && len(m) == 1 {
		b.WriteString(v.joined(parts))
		return
	}
	b.WriteString("{")
	for i, k := range manifest.Keys(m) {
		if i > 0 {
			b.WriteString(", ")
		}
		if depth > maxDepth || b.Len() > 4*maxValue {
			b.WriteString("… (" + count(len(m)-i, "more field") + ")")
			break
		}
		if bare(k) {
			b.WriteString(k)
		} else {
			b.WriteString(quoted(k))
		}
		b.WriteString(": ")
		v.write(b, m[k], depth+1)
	}
	b.WriteString("}")
}

// joined shows text with open references in the manifest's own notation.
func (v values) joined(parts []any) string {
	var b strings.Builder
	for _, p := range parts {
		if address, attr, ok := manifest.AsRef(p); ok {
			b.WriteString("${" + address + "." + attr + "}")
			continue
		}
		if path, ok := manifest.AsSecret(p); ok {
			return "(known after apply, with " + v.secretText(path) + " in it)"
		}
		s, ok := p.(string)
		if !ok {
			s = exact(p)
		}
		b.WriteString(v.generic(strings.ReplaceAll(s, "${", "$${")))
	}
	return quoted(b.String()) + " (known after apply)"
}

func bare(k string) bool {
	for _, r := range k {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return k != "" && len(k) <= maxName
}
