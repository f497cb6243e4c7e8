package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// forged is what hostile strings try to make a line of.
const forged = "Client/forged-by-name"

// hostile strings, each after another weakness. Those that try to forge a line have
// its text in them; none may get it to where a line begins.
var hostile = map[string]string{
	"line":       "a\n+ create " + forged + "\nPlan: 0 to create, 0 to change, 0 to destroy.\n",
	"return":     "a\r+ create " + forged + "\rPlan: 0 to create, 0 to change, 0 to destroy.",
	"separators": "a\u2028+ create " + forged + "\u2029b\u0085c\vd\fe",
	"escapes":    "a\x1b[2K\x1b[1A\x1b]8;;https://evil.example\x07b\x1b]8;;\x07\x9b31m\x08\x08\x7f",
	"bidi":       "a\u202e\u2066\u2067\u200f\u061cnimda\u2069\u202c",
	"invisible":  "a\u200b\u200d\ufeff\u00ad\u2060\u3164\u2800\U000e0041\ufe0fb",
	"marks":      "a" + strings.Repeat("\u0301", 200),
	"bytes":      "a\xff\xfe\xc3(",
	"null":       "a\x00" + secretMark + "\"x\"" + secretMark,
	"markdown":   "**b** _i_ [x](https://evil.example) ![x](https://evil.example/x.png) # h\n\n# h\n- l\n> q\n| a | b |\n---\n",
	"mention":    "@octocat @org/team #1 org/repo#1 !1 GH-1 https://evil.example www.evil.example evil@evil.example :+1: $x$ <https://evil.example>",
	"html":       `</details></summary></td></style><script>alert(1)</script><img src=x onerror=alert(1)><!-- " onmouseover="alert(1)" '{{.}}`,
	"fence":      "a\n```\n</details>\n\n# h\n``````\n~~~~\n`````````` `x` ``",
	"template":   "{{.Doc}} ${{ github.token }} ${tenant.domain} %s %d \\x1b \\",
	"mermaid":    "a\"] --> n9\n  click n0 \"https://evil.example\"; %%{init: {}}%% #quot; `b`",
	"xml":        "]]></failure><testcase name=\"x\"/> &amp; &#0; \x0b\ufffe",
	"json":       "\",\"tenants\":[],\"x\":\"",
	"secret":     "(sensitive #1) (known after apply)",
	"long":       strings.Repeat("A", 10_000),
	"long lines": strings.Repeat(strings.Repeat("B", 1000)+"\n", 10),
	"padding":    "a" + strings.Repeat(" ", 300) + "+ create " + forged + strings.Repeat(" ", 300) + "Plan: 0 to create, 0 to change, 0 to destroy.",
}

// everywhere returns a plan with s in each place that a manifest or a tenant fills.
func everywhere(tb testing.TB, s string) *planner.Plan {
	t := tenantOf(tb, "update", "prod-eu")
	all := step("Client/"+s, s, kind.Update, s, s,
		add(s, s), drop(s, s), from(s, s, "b"), from("same", "b", s),
		program(from("code", "a\nb\n", s)), program(add("code", s)), program(drop("code", s)),
		set(from("set", []any{"a", s}, []any{"b", s + "2"})), from("list", []any{"a", s}, []any{s, "a"}),
		add("map["+s+"].x", map[string]any{s: s, "b": []any{s, map[string]any{s: s}}}), add("map["+s+"].y", s),
		add("ref", manifest.Ref("Client/"+s, "x")), add("join", manifest.Join(s, manifest.Ref("Client/"+s, "x"))),
		kind.Change{Path: "op", Op: s, Before: float64(1), After: true, Note: s})
	all.Undo.Lost = []string{s}
	all.Keeps, all.Needs, all.Guard, all.Await = []string{s}, []string{"Role/" + s}, &kind.Guard{What: s}, &kind.Await{What: s}
	t.Steps = append(t.Steps, all, undo(step("Role/"+s, "", kind.Verb(s), s, ""), kind.Effect(s), s))
	t.Unchanged = append(t.Unchanged, "Role/x"+s)
	t.Notices = append(t.Notices, kind.Notice{ID: s, Address: s, Level: kind.Warn, Summary: s, Detail: s},
		kind.Notice{ID: s, Level: s, Summary: s, Acknowledged: s})
	same := tenantOf(tb, "nothing", "x")
	same.Tenant, same.Domain = "x"+s, s
	p := planOf(t, same, planner.TenantPlan{Tenant: "y" + s, Domain: s, Error: s})
	p.Tool = s
	p.Seal()
	return p
}

func hostileRun(tb testing.TB, s string) RunReport {
	r := runScenes(tb)["rolled-back"]
	t := &r.Tenants[0]
	t.Tenant, t.Domain, t.Run, t.Error, t.Remains, t.Next = s, s, s, s, []string{s}, []string{s}
	t.Steps[3].Error, t.Steps[3].Address, t.Steps[3].ObjectID = s, s, s
	r.Command, r.Tool = s, s
	return r
}

func show(t *testing.T, f func(*bytes.Buffer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := f(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestHostile holds every format against every hostile string.
func TestHostile(t *testing.T) {
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := everywhere(t, s)
			for _, width := range []int{0, 60, 90} {
				checkText(t, show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Width: width}) }), width)
				checkText(t, show(t, func(w *bytes.Buffer) error { return Run(w, hostileRun(t, s), Options{Width: width}) }), width)
			}
			checkMarkdown(t, show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: Markdown, Title: s, Link: s}) }))
			checkMarkdown(t, show(t, func(w *bytes.Buffer) error { return Run(w, hostileRun(t, s), Options{Format: Markdown}) }))
			checkHTML(t, show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: HTML, Title: s}) }))
			checkHTML(t, show(t, func(w *bytes.Buffer) error { return Run(w, hostileRun(t, s), Options{Format: HTML}) }))
			ds := manifest.Diagnostics{{Severity: manifest.Error, Pos: manifest.Position{File: s, Line: 1, Column: 3}, Address: s, Path: s, Summary: s, Detail: s}}
			source := func(string) ([]byte, error) { return []byte(s), nil }
			for _, width := range []int{0, 60} {
				checkText(t, show(t, func(w *bytes.Buffer) error { return Diagnostics(w, ds, Options{Source: source, Width: width}) }), 0)
			}
			for _, format := range []string{JUnit, SARIF, JSON} {
				checkMachine(t, format, show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: format}) }), p)
				checkMachine(t, format, show(t, func(w *bytes.Buffer) error { return Diagnostics(w, ds, Options{Format: format}) }), nil)
			}
			checkGraphs(t, p)
		})
	}
}

// TestTenMegabytes shows texts of ten megabytes, each once.
func TestTenMegabytes(t *testing.T) {
	long := strings.Repeat("0123456789 abcdef ", 10<<20/18)
	lines := strings.Repeat("0123456789 abcdef\n", 10<<20/18)
	p := planOf(planner.TenantPlan{Tenant: "prod-eu", Domain: "acme.eu.auth0.com", Steps: []kind.Step{
		step(action, "", kind.Update, "r", "u", program(from("code", lines, lines+"x\n")), program(add("minified", long)), add("name", long)),
	}})
	for format := range extensions {
		out := show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: format}) })
		if format == JSON {
			continue // that is all of it
		}
		if len(out) > 1<<20 {
			t.Errorf("%s has %d bytes", format, len(out))
		}
		if format == Text && strings.Count(out, "10,485,756 characters, sha256") != 2 {
			t.Errorf("the length is not told:\n%.3000s", out)
		}
	}
}

// checkVisible demands that nothing in out is unseen.
func checkVisible(t *testing.T, out string) {
	t.Helper()
	if !utf8.ValidString(out) {
		t.Fatal("there are bytes that are not UTF-8")
	}
	marks := 0
	for i, r := range out {
		if r != '\n' && !planner.Printable(r) && r != '\ufe0f' {
			t.Fatalf("%U is written as it is, after %q", r, out[max(0, i-60):i])
		}
		if marks++; !unicode.In(r, unicode.Mn) {
			marks = 0
		}
		if marks > maxMarks {
			t.Fatalf("more than %d marks are piled up after %q", maxMarks, out[max(0, i-60):i])
		}
	}
}

func checkText(t *testing.T, out string, columns int) {
	t.Helper()
	checkVisible(t, out)
	if len(out) > 2<<20 {
		t.Errorf("the text has %d bytes", len(out))
	}
	plans := 0
	for l := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(l, "Plan:") {
			plans++
		}
		if strings.HasPrefix(strings.TrimLeft(l, " "), "+ create "+forged) && !strings.HasPrefix(l, "      +") {
			t.Errorf("a forged line: %q", l)
		}
		if columns > 0 && width(l) > columns && !strings.HasPrefix(l, "Checksum: ") && !strings.HasPrefix(l, "Run: ") {
			t.Errorf("a line of %d columns where there are %d: %q", width(l), columns, l)
		}
	}
	if plans > 1 {
		t.Errorf("%d lines begin with Plan:", plans)
	}
}

var markdownParser = goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser()

// reference is what GitHub or GitLab would make a link or a message of.
var reference = regexp.MustCompile(`@\w|#\d|!\d|https?://|www\.|:[+\w]+:`)

func checkMarkdown(t *testing.T, out string) {
	t.Helper()
	checkVisible(t, out)
	if len(out) >= 65536 {
		t.Errorf("the Markdown has %d bytes", len(out))
	}
	source := []byte(out)
	headings, open := 0, 0
	err := ast.Walk(markdownParser.Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			headings++
		case *ast.Link, *ast.AutoLink, *ast.Image, *ast.RawHTML, *ast.ThematicBreak, *ast.Blockquote:
			t.Errorf("a %s that nobody asked for", n.Kind())
		case *ast.HTMLBlock:
			var b strings.Builder
			for i := range n.Lines().Len() {
				at := n.Lines().At(i)
				b.Write(at.Value(source))
			}
			switch block := strings.TrimSpace(b.String()); {
			case block == "</details>":
				open--
			case regexp.MustCompile(`^<details><summary>[A-Za-z ,]+</summary>$`).MatchString(block):
				open++
			default:
				t.Errorf("HTML that nobody asked for: %q", block)
			}
			if open < 0 || open > 1 {
				t.Errorf("details do not pair")
			}
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if at := reference.FindString(string(n.Value(source))); at != "" {
				t.Errorf("%q is not in a code span: %q", at, n.Value(source))
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if headings != 1 || open != 0 {
		t.Errorf("%d headings, %d details left open", headings, open)
	}
	if strings.Contains(out, "\n+ create "+forged) {
		t.Errorf("a forged line")
	}
}

func checkHTML(t *testing.T, out string) {
	t.Helper()
	checkVisible(t, out)
	if len(out) > 6<<20 {
		t.Errorf("the page has %d bytes", len(out))
	}
	for _, tag := range []string{"<script", "</script", "<style", "</style", "<main", "</main"} {
		if n := strings.Count(out, tag); n != 1 {
			t.Errorf("%s occurs %d times", tag, n)
		}
	}
	if o, c := strings.Count(out, "<details"), strings.Count(out, "</details"); o != c {
		t.Errorf("%d details are opened, %d closed", o, c)
	}
	for _, never := range []string{"<img", "<!--", " onmouseover=\"", " onerror=\"", "href=\"http", "src=\"", "url("} {
		if strings.Contains(out, never) {
			t.Errorf("%s is in the page", never)
		}
	}
}

func checkMachine(t *testing.T, format, out string, p *planner.Plan) {
	t.Helper()
	checkable := out
	if format == JSON { // the marks are part of the value there, and each value is on a line of its own
		checkable = strings.ReplaceAll(out, "\u0301", "")
	}
	checkVisible(t, checkable)
	if format == JUnit {
		var suites junitSuites
		if err := xml.Unmarshal([]byte(out), &suites); err != nil {
			t.Fatal(err)
		}
		if p != nil && len(suites.Suites) != len(p.Tenants) || p == nil && suites.Tests != 1 {
			t.Errorf("%d suites, %d tests", len(suites.Suites), suites.Tests)
		}
		return
	}
	var got any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if format == JSON && p != nil {
		if diff := cmp.Diff(manifest.Normal(p), got); diff != "" {
			t.Errorf("the JSON says something else than the plan:\n%s", diff)
		}
	}
}

var (
	mermaidLine = regexp.MustCompile(`^(flowchart LR|  n\d+\["[^"\n\x60<>]*"\](:::[a-z]+)?|  n\d+ --> n\d+|  classDef [a-z]+ fill:#\w+,stroke:#\w+,color:#\w+|)$`)
	dotLine     = regexp.MustCompile(`^(digraph ecplan \{|  rankdir=LR|  node \[.*\]|  n\d+ \[label="([^"\\]|\\.)*"(, fillcolor="#\w+", color="#\w+")?\]|  n\d+ -> n\d+|\}|)$`)
)

func checkGraphs(t *testing.T, p *planner.Plan) {
	t.Helper()
	for format, grammar := range map[string]*regexp.Regexp{Mermaid: mermaidLine, DOT: dotLine} {
		out := show(t, func(w *bytes.Buffer) error { return Graph(w, Steps(&p.Tenants[0]), format) })
		checkVisible(t, out)
		for l := range strings.SplitSeq(out, "\n") {
			if !grammar.MatchString(l) {
				t.Errorf("not a line of %s: %q", format, l)
			}
		}
	}
}

// TestNoSecretIsShown fills in what a plan must never hold and looks for it everywhere.
func TestNoSecretIsShown(t *testing.T) {
	const canary = "CANARY-s3cr3t-value"
	s := step(action, "", kind.Update, "the secret is "+canary, "sets "+canary,
		kind.Change{Path: "secrets.A", Op: "change", Before: canary + "-before", After: canary, Sensitive: true},
		kind.Change{Path: "secrets.B", Op: "add", After: map[string]any{"value": []any{canary}}, Sensitive: true},
		kind.Change{Path: "secrets.C", Op: "remove", Before: canary, Sensitive: true, Code: true, Note: canary},
		add("other", "prefix "+canary))
	s.Before, s.After = map[string]any{"secrets": canary + "-before"}, map[string]any{"secrets": map[string]any{"A": canary}}
	s.Request.Body = map[string]any{"secrets": []any{map[string]any{"name": "A", "value": canary}}}
	p := planOf(planner.TenantPlan{
		Tenant: "prod-eu", Domain: "acme.eu.auth0.com", Steps: []kind.Step{s},
		Notices: []kind.Notice{{ID: "x", Level: kind.Warn, Summary: canary, Detail: canary, Acknowledged: canary}}, Error: "",
	})
	before := planner.Digest(p)
	for format := range extensions {
		out := show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{Format: format}) })
		if strings.Contains(out, "CANARY") {
			t.Errorf("%s shows the secret:\n%s", format, out)
		}
		if format == Text && !strings.Contains(out, "(sensitive #1)") {
			t.Errorf("%s does not say that there is one:\n%s", format, out)
		}
	}
	if planner.Digest(p) != before {
		t.Error("showing the plan changed it")
	}
}

// TestPlaceholdersAreTold checks what stands for values that are not shown or not known.
func TestPlaceholdersAreTold(t *testing.T) {
	p := planOf(planner.TenantPlan{Tenant: "t", Steps: []kind.Step{
		step(action, "", kind.Update, "r", "u",
			secret("secrets.A", "add", manifest.SecretRef("secrets.A"), ""), secret("secrets.B", "add", manifest.SecretRef("secrets.B"), ""),
			add("nested", map[string]any{"token": manifest.SecretRef("secrets.A")})),
		step(client, "", kind.Update, "r", "u", secret("secrets.A", "add", manifest.SecretRef("secrets.A"), ""),
			add("x", "(sensitive #1)"), add("y", "(known after apply: z)"), add("z", manifest.Ref(grant, "id"))),
	}})
	out := show(t, func(w *bytes.Buffer) error { return Plan(w, p, Options{}) })
	for _, want := range []string{
		"secrets.A  (sensitive #1)", "secrets.B  (sensitive #2)", "nested     {token: (sensitive #1)}", "secrets.A  (sensitive #3)",
		`x          "(sensitive #1)"`, `y          "(known after apply: z)"`, "z          (known after apply: " + grant + ".id)",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}
