package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
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
	// equal names, by "address path", the first sensitive value that is the same.
	equal map[string]string
	// domain, if not "", is shown as ${tenant.domain}, so that tenants can be compared.
	domain string
	// unnamed are addresses that no manifest has: they go. In a plan that takes runs back
	// no manifest has a say.
	unnamed map[string]bool
	nobody  bool
}

// valuesOf shows the values of a tenant; with generic, its domain is a variable.
func valuesOf(t *planner.TenantPlan, lim limits, generic bool) values {
	v := values{limits: lim, equal: t.EqualSecrets, unnamed: map[string]bool{}, nobody: len(t.Declared) == 0}
	for _, s := range t.Steps {
		if _, declared := t.Declared[s.Address]; !declared && s.Removed() {
			v.unnamed[s.Address] = true
		}
	}
	if generic && len(t.Domain) > 3 {
		v.domain = t.Domain
	}
	return v
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
