package manifest

import (
	"fmt"
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
