package manifest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ecplan/ecplan/schemas"
)

// What filling in may give besides a value tree.
type (
	// unknown is a value that is not looked up: validation asks for no environment.
	unknown struct{}
	// failed is a value whose problem has been reported.
	failed struct{}
	// sensitive is a text that must be shown nowhere.
	sensitive string
)

// piece is a part of a text: literal text, or what stands between ${ and }.
type piece struct {
	text string
	expr bool
}

// pieces cuts a text at its ${…}; $${ stands for ${ as it is. closed is false where a
// ${ has no }.
func pieces(text string) (out []piece, closed bool) {
	var lit strings.Builder
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "$${"):
			lit.WriteString("${")
			i += 3
		case strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return nil, false
			}
			if lit.Len() > 0 {
				out = append(out, piece{text: lit.String()})
				lit.Reset()
			}
			out = append(out, piece{text: strings.TrimSpace(text[i+2 : i+end]), expr: true})
			i += end + 1
		default:
			lit.WriteByte(text[i])
			i++
		}
	}
	if lit.Len() > 0 {
		out = append(out, piece{text: lit.String()})
	}
	return out, true
}

// hasExpression reports whether a text holds anything to fill in, $${ included.
func hasExpression(s string) bool { return strings.Contains(s, "${") }

// isElsewhere reports whether m names a value from elsewhere, {file: …} or {env: …},
// and is not an ordinary map that may stand at this place.
func isElsewhere(m map[string]any, rule *schemas.Rule) bool {
	if rule != nil && len(rule.Types) > 0 && rule.Allows("object") {
		return false
	}
	_, file := m["file"]
	_, env := m["env"]
	if file == env {
		return false
	}
	for k := range m {
		if k != "file" && k != "env" && k != "sensitive" {
			return false
		}
	}
	return true
}

// walkElsewhere calls f for each value from elsewhere in v.
func walkElsewhere(v any, rule *schemas.Rule, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		if isElsewhere(v, rule) {
			f(v)
			return
		}
		for _, k := range Keys(v) {
			walkElsewhere(v[k], rule.Field(k), f)
		}
	case []any:
		for _, e := range v {
			walkElsewhere(e, itemRule(rule), f)
		}
	}
}

func itemRule(r *schemas.Rule) *schemas.Rule {
	if r == nil {
		return nil
	}
	return r.Items
}

// value fills in what v, at path of the document, leaves open.
func (sc *scope) value(v any, rule *schemas.Rule, path string) any {
	switch v := v.(type) {
	case string:
		if rule != nil && rule.Text || !hasExpression(v) {
			return sc.settle(v, false, rule, path)
		}
		return sc.settle(sc.fill(v, path, sc.doc.at(path)), true, rule, path)
	case map[string]any:
		if isElsewhere(v, rule) {
			return sc.settle(sc.elsewhere(v, path), true, rule, path)
		}
		out := make(map[string]any, len(v))
		for _, k := range Keys(v) {
			out[k] = sc.value(v[k], rule.Field(k), path+"."+k)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = sc.value(e, itemRule(rule), path+"["+strconv.Itoa(i)+"]")
		}
		return out
	}
	return v
}

// settle turns what was filled in into the tree that stands at path. Sensitive text goes
// apart; filled says that the value was not written there itself, so text is taken for
// the number or truth value that belongs there.
func (sc *scope) settle(v any, filled bool, rule *schemas.Rule, path string) any {
	at := specPath(path)
	switch v := v.(type) {
	case failed, unknown:
		return SecretRef(at)
	case sensitive:
		sc.secrets[at] = string(v)
		return SecretRef(at)
	case string:
		if rule != nil && rule.Sensitive {
			sc.secrets[at] = v
			return SecretRef(at)
		}
		if filled && rule != nil && !rule.Allows("string") {
			if b, err := strconv.ParseBool(v); err == nil && rule.Allows("boolean") && (v == "true" || v == "false") {
				return b
			}
			if f, err := strconv.ParseFloat(v, 64); err == nil && (rule.Allows("number") || rule.Allows("integer")) {
				return f
			}
		}
		return v
	case map[string]any:
		if _, isJoin := v[keyJoin]; isJoin && rule != nil && rule.Sensitive {
			sc.fail(path, "a sensitive value can't be put together from references",
				"Refer to one attribute alone, or write the text without a reference.")
			return SecretRef(at)
		}
	}
	if filled {
		return sc.graft(v, at)
	}
	return v
}

// graft copies a variable's tree to path, its sensitive values with it.
func (sc *scope) graft(v any, path string) any {
	if p, ok := AsSecret(v); ok {
		if s, ok := sc.varSecrets[p]; ok {
			sc.secrets[path] = s
		}
		return SecretRef(path)
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = sc.graft(e, path+"."+k)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = sc.graft(e, path+"["+strconv.Itoa(i)+"]")
		}
		return out
	}
	return v
}

// elsewhere reads {file: path} or {env: NAME}.
func (sc *scope) elsewhere(m map[string]any, path string) any {
	var got any
	if _, ok := m["env"]; ok {
		name, isText := m["env"].(string)
		if !isText || name == "" {
			sc.fail(path+".env", "env must name an environment variable", "Write it as in {env: NAME}.")
			return failed{}
		}
		got = sc.env(name, sc.doc.at(path+".env"), path)
	} else {
		got = sc.file(m["file"], path)
	}
	switch mark := m["sensitive"].(type) {
	case nil:
	case bool:
		if s, ok := got.(string); ok && mark {
			return sensitive(s)
		}
	default:
		sc.fail(path+".sensitive", "sensitive must be true or false", "")
		return failed{}
	}
	return got
}

func (sc *scope) file(v any, path string) any {
	rel, ok := v.(string)
	if ok && hasExpression(rel) {
		switch t := sc.fill(rel, path+".file", sc.doc.at(path+".file")).(type) {
		case unknown, failed:
			return t
		case string:
			rel = t
		default:
			ok = false
		}
	}
	if !ok || rel == "" {
		sc.fail(path+".file", "file must be the path of a file", "Write it as in {file: key.pem}; it is relative to the manifest's file.")
		return failed{}
	}
	if sc.in.SyntaxOnly && sc.noFiles {
		return unknown{}
	}
	text, err := sc.set.files.get(sc.doc.src, rel)
	if err != nil {
		sc.fail(path+".file", fmt.Sprintf("the file %s can't be read", quoted(rel)), sentence(err.Error()))
		return failed{}
	}
	if !utf8.Valid(text) {
		sc.fail(path+".file", fmt.Sprintf("the file %s is not text", quoted(rel)), "It must be text in UTF-8. A key in binary form (DER) becomes text (PEM) with openssl.")
		return failed{}
	}
	return string(text)
}

var (
	plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	reference = regexp.MustCompile(`^([A-Z][A-Za-z]*/[A-Za-z0-9][A-Za-z0-9._-]*)\.([A-Za-z_][A-Za-z0-9_]*)$`)
)

// fill replaces each ${…} of a text. A text that is one ${…} alone takes its value as it is.
func (sc *scope) fill(text, path string, pos Position) any {
	parts, closed := pieces(text)
	if !closed {
		sc.failAt(pos, path, "a ${ has no }", "Close it, or write $${ where the text itself is meant.")
		return failed{}
	}
	if len(parts) == 1 && parts[0].expr {
		return sc.eval(parts[0].text, path, pos)
	}
	var out []any
	var secret, open, bad, refs bool
	for _, p := range parts {
		if !p.expr {
			out = append(out, p.text)
			continue
		}
		switch v := sc.eval(p.text, path, pos).(type) {
		case failed:
			bad = true
		case unknown:
			open = true
		case sensitive:
			secret, out = true, append(out, string(v))
		case string:
			out = append(out, v)
		case float64, bool:
			out = append(out, fmt.Sprint(number(v)))
		case map[string]any:
			if _, _, ok := AsRef(v); ok {
				refs, out = true, append(out, v)
				continue
			}
			bad = true
			sc.failAt(pos, path, fmt.Sprintf("${%s} is a map and can't stand inside a text", printable(p.text)), "")
		default:
			bad = true
			sc.failAt(pos, path, fmt.Sprintf("${%s} is not text and can't stand inside a text", printable(p.text)), "")
		}
	}
	switch {
	case bad:
		return failed{}
	case open:
		return unknown{}
	case secret && refs:
		sc.failAt(pos, path, "a sensitive value and a reference can't stand in one text", "What comes of it could be shown in a plan.")
		return failed{}
	case secret:
		s, _ := Join(out...).(string)
		return sensitive(s)
	}
	return Join(out...)
}

// eval gives the value of what stands between ${ and }.
func (sc *scope) eval(expr, path string, pos Position) any {
	what, name, _ := strings.Cut(expr, ".")
	switch what {
	case "var":
		return sc.variable(name, path, pos)
	case "env":
		if plainName.MatchString(name) {
			return sc.env(name, pos, path)
		}
	case "tenant":
		return sc.ofTenant(name, path, pos)
	}
	if m := reference.FindStringSubmatch(expr); m != nil {
		if sc.noRefs {
			sc.failAt(pos, path, fmt.Sprintf("${%s} can't be used here", printable(expr)), "A Tenant can't refer to resources: they are on the tenant.")
			return failed{}
		}
		return Ref(m[1], m[2])
	}
	sc.failAt(pos, path, fmt.Sprintf("${%s} means nothing", printable(cut(expr))),
		"There are ${var.NAME}, ${env.NAME}, ${tenant.domain}, ${tenant.name}, ${tenant.custom_domain} and ${Kind/name.attribute}; $${ stands for ${ itself.")
	return failed{}
}

func cut(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "…"
	}
	return s
}

func (sc *scope) variable(name, path string, pos Position) any {
	if v, ok := sc.vars[name]; ok {
		if p, ok := AsSecret(v); ok {
			if s, ok := sc.varSecrets[p]; ok {
				return sensitive(s)
			}
			return unknown{}
		}
		return v
	}
	if sc.loose && plainName.MatchString(name) {
		return unknown{}
	}
	where := "Set it with --var " + printable(cut(name)) + "=VALUE."
	switch {
	case sc.tenant.Name != "" && sc.in.SyntaxOnly: // Review names the tenants
		where = fmt.Sprintf("Set it under spec.vars of the Tenant, or with --var %s=VALUE.", printable(cut(name)))
	case sc.tenant.Name != "":
		where = fmt.Sprintf("Set it under spec.vars of Tenant/%s, or with --var %s=VALUE.", sc.tenant.Name, printable(cut(name)))
	}
	sc.failAt(pos, path, fmt.Sprintf("the variable %s is not set", quoted(name)), sentences(didYouMean(name, Keys(sc.vars)), where))
	return failed{}
}

func (sc *scope) env(name string, pos Position, path string) any {
	if sc.in.Env != nil {
		if v, ok := sc.in.Env(name); ok {
			return v
		}
	}
	if sc.in.SyntaxOnly {
		return unknown{}
	}
	sc.failAt(pos, path, fmt.Sprintf("the environment variable %s is not set", quoted(name)), "Set it before running ecplan.")
	return failed{}
}

func (sc *scope) ofTenant(name, path string, pos Position) any {
	switch name {
	case "name":
		if sc.tenant.Name != "" {
			return sc.tenant.Name
		}
		return unknown{}
	case "domain":
		if sc.tenant.Domain != "" && sc.tenant.Domain != StandIn {
			return sc.tenant.Domain
		}
		return unknown{}
	case "custom_domain":
		if sc.tenant.CustomDomain == "" && !sc.loose && !sc.in.SyntaxOnly {
			sc.failAt(pos, path, "the tenant has no custom domain", fmt.Sprintf("Set spec.custom_domain of Tenant/%s, or use ${tenant.domain}.", sc.tenant.Name))
			return failed{}
		}
		if sc.tenant.CustomDomain == "" {
			return unknown{}
		}
		return sc.tenant.CustomDomain
	}
	names := []string{"name", "domain", "custom_domain"}
	sc.failAt(pos, path, fmt.Sprintf("a tenant has no attribute %s", quoted(name)), sentences(didYouMean(name, names), listing("There are", names)))
	return failed{}
}

func (sc *scope) fail(path, summary, detail string) {
	sc.failAt(sc.doc.at(path), path, summary, detail)
}

func (sc *scope) failAt(pos Position, path, summary, detail string) {
	sc.ds = append(sc.ds, Diagnostic{Severity: Error, Pos: pos, Address: sc.doc.address(), Path: path, Summary: summary, Detail: detail})
}

// specPath is a path below spec, as resources count it.
func specPath(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, "spec"), ".")
}
