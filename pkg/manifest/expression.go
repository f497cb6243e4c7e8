package manifest

import (
	"fmt"
	"regexp"
	"strings"
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
		if v, ok := sc.in.Env(name); ok && v != "" {
			return v
		} else if ok && !sc.in.SyntaxOnly { // CI systems give a secret that is missing as empty text
			sc.failAt(pos, path, fmt.Sprintf("the environment variable %s is set and empty", quoted(name)), "Give it a value. In CI, check that the secret exists and that this job may read it.")
			return failed{}
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
