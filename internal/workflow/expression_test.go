package workflow

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// scope is what an expression can name: github, inputs, steps and so on. What it does
// not hold is null, as with GitHub, and null is the empty string here.
type scope map[string]any

// status says how the steps went so far, for success(), failure() and cancelled().
type status struct{ failed, cancelled bool }

var (
	quotedText   = regexp.MustCompile(`'(?:[^']|'')*'`)
	dashedName   = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_-]*`)
	placeholder  = regexp.MustCompile(`\$\{\{(.*?)\}\}`)
	statusCalled = regexp.MustCompile(`\b(success|failure|always|cancelled)\(`)
)

// dash stands for the dash in GitHub's names, which Go's have not.
const dash = "ǂ"

// eval computes a GitHub expression with Go's parser, whose operators are the same. Of
// the language it knows what the project's workflows use; anything else is an error.
// https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
func eval(text string, in scope, st status) (any, error) {
	var texts []string
	src := quotedText.ReplaceAllStringFunc(text, func(q string) string {
		texts = append(texts, strings.ReplaceAll(q[1:len(q)-1], "''", "'"))
		return strconv.Quote(fmt.Sprint(len(texts) - 1))
	})
	src = dashedName.ReplaceAllStringFunc(src, func(n string) string { return strings.ReplaceAll(n, "-", dash) })
	e, err := parser.ParseExpr(strings.Join(strings.Fields(src), " "))
	if err != nil {
		return nil, fmt.Errorf("the expression %q: %w", text, err)
	}
	return (&evaluation{in, st, texts}).value(e)
}

type evaluation struct {
	in    scope
	st    status
	texts []string
}

func (ev *evaluation) value(e ast.Expr) (any, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return ev.value(e.X)
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			i, err := strconv.Atoi(strings.Trim(e.Value, `"`))
			return ev.texts[i], err
		}
	case *ast.Ident:
		switch e.Name {
		case "true", "false":
			return e.Name == "true", nil
		}
		v, known := ev.in[e.Name]
		if !known {
			return nil, fmt.Errorf("there is no context %q", e.Name)
		}
		return v, nil
	case *ast.SelectorExpr:
		of, err := ev.value(e.X)
		if err != nil {
			return nil, err
		}
		m, _ := of.(map[string]any)
		return m[strings.ReplaceAll(e.Sel.Name, dash, "-")], nil
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			v, err := ev.value(e.X)
			return !truth(v), err
		}
	case *ast.BinaryExpr:
		return ev.binary(e)
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && len(e.Args) == 0 {
			switch f.Name {
			case "always":
				return true, nil
			case "success":
				return !ev.st.failed && !ev.st.cancelled, nil
			case "failure":
				return ev.st.failed, nil
			case "cancelled":
				return ev.st.cancelled, nil
			}
		}
	}
	return nil, fmt.Errorf("this part of the language is not known here: %T", e)
}

func (ev *evaluation) binary(e *ast.BinaryExpr) (any, error) {
	x, err := ev.value(e.X)
	if err != nil {
		return nil, err
	}
	y, err := ev.value(e.Y)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case token.LAND:
		if !truth(x) {
			return x, nil
		}
		return y, nil
	case token.LOR:
		if truth(x) {
			return x, nil
		}
		return y, nil
	case token.EQL:
		return strings.EqualFold(shown(x), shown(y)), nil
	case token.NEQ:
		return !strings.EqualFold(shown(x), shown(y)), nil
	default:
		return nil, fmt.Errorf("this operator is not known here: %s", e.Op)
	}
}

func truth(v any) bool { return v != nil && v != "" && v != false && v != 0 && v != 0.0 }

// shown is a value as it stands in a text.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// fill replaces the ${{ expressions }} in a text.
func fill(text string, in scope, st status) (string, error) {
	var failed error
	out := placeholder.ReplaceAllStringFunc(text, func(p string) string {
		v, err := eval(p[3:len(p)-2], in, st)
		if err != nil {
			failed = err
		}
		return shown(v)
	})
	return out, failed
}

// condition decides an "if". Without a question about the status it holds only while
// nothing has failed.
func condition(text string, in scope, st status) (bool, error) {
	text = strings.TrimSpace(text)
	if p := placeholder.FindStringSubmatch(text); p != nil && p[0] == text {
		text = p[1]
	}
	if !statusCalled.MatchString(text) {
		if st.failed || st.cancelled {
			return false, nil
		}
		if text == "" {
			return true, nil
		}
	}
	v, err := eval(text, in, st)
	return truth(v), err
}

func TestExpressions(t *testing.T) {
	in := scope{"steps": map[string]any{"a-b": map[string]any{"outputs": map[string]any{"run-id": "7", "no": ""}}}, "github": map[string]any{"event_name": "push"}}
	for _, c := range []struct {
		text string
		st   status
		want string
	}{
		{"steps.a-b.outputs.run-id", status{}, "7"},
		{"steps.none.outputs.run-id == ''", status{}, "true"},
		{"steps.a-b.outputs.no || 'it''s'", status{}, "it's"},
		{"!cancelled() && (github.event_name == 'push' || false)", status{failed: true}, "true"},
		{"!cancelled() && github.event_name == 'push'", status{cancelled: true}, "false"},
		{"github.event_name == 'x' && 'a' || ''", status{}, ""},
	} {
		v, err := eval(c.text, in, c.st)
		if err != nil || shown(v) != c.want {
			t.Errorf("%s is %q (%v), want %q", c.text, shown(v), err, c.want)
		}
	}
	for _, bad := range []string{"nothing.there", "hashFiles('x')", "a ==", "github.event_name > 'a'"} {
		if v, err := eval(bad, in, status{}); err == nil {
			t.Errorf("%s is %v, and should be refused: the test would go another way than GitHub", bad, v)
		}
	}
	if ok, _ := condition("github.event_name == 'push'", in, status{failed: true}); ok {
		t.Error("a step without always() runs after a failure")
	}
}
