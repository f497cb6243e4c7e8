package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// anyText draws from all of Unicode, and often from what formats are broken with.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringN(0, 400, -1),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
				"\n", "\r", "\x1b[2J", "\u202e", "`", "```", "</details>", "<b>", "@x", "#1", "|", "*", "_", "[", "](", "+ create ", "- ", "~ ", "Plan: ", " ", "a", "é", "字", "\xff", "\x00", "\"", "\\", "${", "https://",
			}), 0, 60).Draw(t, "pieces"), "")
		}))
}

func anyValue(t *rapid.T, depth int) any {
	most := 6
	if depth > 2 {
		most = 4
	}
	switch rapid.IntRange(0, most).Draw(t, "type") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Float64Range(-1e9, 1e9).Draw(t, "number")
	case 3:
		return anyText().Draw(t, "text")
	case 4:
		return manifest.Ref("Client/"+anyText().Draw(t, "name"), "id")
	case 5:
		var l []any
		for range rapid.IntRange(0, 5).Draw(t, "items") {
			l = append(l, anyValue(t, depth+1))
		}
		return l
	}
	m := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		m[anyText().Draw(t, "key")] = anyValue(t, depth+1)
	}
	return m
}

// anyPlan draws a plan of up to five tenants.
func anyPlan() *rapid.Generator[*planner.Plan] {
	return rapid.Custom(func(t *rapid.T) *planner.Plan {
		var ts []planner.TenantPlan
		for i := range rapid.IntRange(0, 5).Draw(t, "tenants") {
			tp := planner.TenantPlan{Tenant: fmt.Sprint("tenant-", i), Domain: anyText().Draw(t, "domain")}
			if rapid.IntRange(0, 5).Draw(t, "failed") == 0 {
				tp.Error = anyText().Draw(t, "error")
			}
			for j := range rapid.IntRange(0, 4).Draw(t, "steps") {
				s := step(fmt.Sprint("Client/", j/2), []string{"", "part"}[j%2],
					rapid.SampledFrom([]kind.Verb{kind.Create, kind.Update, kind.Delete, kind.Attach, kind.Bind}).Draw(t, "verb"),
					anyText().Draw(t, "reason"), anyText().Draw(t, "undo"))
				s.Undo.Effect = rapid.SampledFrom([]kind.Effect{kind.Exact, kind.NewID, kind.None}).Draw(t, "effect")
				for range rapid.IntRange(0, 4).Draw(t, "changes") {
					s.Changes = append(s.Changes, kind.Change{
						Path: anyText().Draw(t, "path"), Op: rapid.SampledFrom([]string{"add", "remove", "change"}).Draw(t, "op"),
						Before: anyValue(t, 0), After: anyValue(t, 0), Note: anyText().Draw(t, "note"),
						Code: rapid.Bool().Draw(t, "code"), Set: rapid.Bool().Draw(t, "set"),
					})
				}
				tp.Steps = append(tp.Steps, s)
			}
			if rapid.Bool().Draw(t, "notice") {
				tp.Notices = append(tp.Notices, kind.Notice{ID: "x", Level: kind.Warn, Summary: anyText().Draw(t, "summary"), Detail: anyText().Draw(t, "detail")})
			}
			ts = append(ts, tp)
		}
		return planOf(ts...)
	})
}

// TestAnyPlan: whatever a plan holds, every format can be written, is the same each
// time, keeps to its limits, and is what it claims to be.
func TestAnyPlan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := anyPlan().Draw(rt, "plan")
		columns := rapid.IntRange(minWidth, 200).Draw(rt, "columns")
		limit := rapid.IntRange(4000, MaxComment).Draw(rt, "limit")
		for format := range extensions {
			o := Options{Format: format, Width: columns, MaxBytes: limit}
			var once, twice bytes.Buffer
			if err := Plan(&once, p, o); err != nil {
				rt.Fatal(err)
			}
			if err := Plan(&twice, p, o); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
				rt.Fatalf("%s differs from one time to the next (%v)", format, err)
			}
			out := once.String()
			switch format {
			case Text:
				checkText(t, out, columns)
			case Markdown:
				checkMarkdown(t, out)
				if len(out) > limit {
					rt.Fatalf("%d bytes of Markdown where %d are allowed", len(out), limit)
				}
			case HTML:
				checkHTML(t, out)
			case JSON, SARIF:
				if !json.Valid(once.Bytes()) {
					rt.Fatalf("%s is not JSON", format)
				}
			}
			if t.Failed() {
				rt.Fatal("see above")
			}
		}
	})
}

// TestEveryTenantIsShown: each tenant is in exactly one section, whose cards are its resources.
func TestEveryTenantIsShown(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := anyPlan().Draw(rt, "plan")
		d := planDocument(p, limitsOf(Text))
		rows := 0
		for _, r := range d.Table.Rows {
			rows += len(r.Tenants)
			if len(r.Tenants) != len(d.Sections[r.Section].Tenants) {
				rt.Fatalf("the row of %v is that of %v", r.Tenants, d.Sections[r.Section].Tenants)
			}
		}
		if rows != len(p.Tenants) {
			rt.Fatalf("%d tenants have rows, of %d", rows, len(p.Tenants))
		}
		for _, tp := range p.Tenants {
			n := 0
			for _, s := range d.Sections {
				if slices.ContainsFunc(s.Tenants, func(x tenantName) bool { return x.Name == tp.Tenant }) {
					n++
					if tp.Error == "" && len(s.Cards) != len(byAddress(tp.Steps)) {
						rt.Fatalf("%s has %d resources and %d cards", tp.Tenant, len(byAddress(tp.Steps)), len(s.Cards))
					}
				}
			}
			if n != 1 {
				rt.Fatalf("%s is in %d sections", tp.Tenant, n)
			}
		}
	})
}

// TestAlikeOnlyIfAlike: tenants are shown together only if each value that differs is called out.
func TestAlikeOnlyIfAlike(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.StringMatching(`[a-z]{1,12}`).Draw(rt, "a"), rapid.StringMatching(`[a-z]{1,12}`).Draw(rt, "b")
		one, two := tenantOf(t, "first", "one"), tenantOf(t, "first", "two")
		i, j := rapid.IntRange(0, len(one.Steps)-1).Draw(rt, "step"), 0
		j = rapid.IntRange(0, len(one.Steps[i].Changes)-1).Draw(rt, "change")
		one.Steps[i].Changes[j].After, two.Steps[i].Changes[j].After = a, b
		d := planDocument(planOf(one, two), limitsOf(Text))
		var out bytes.Buffer
		if err := writeText(&out, d, Options{}); err != nil {
			rt.Fatal(err)
		}
		for _, want := range []string{a, b} {
			code := one.Steps[i].Changes[j].Code
			if !strings.Contains(out.String(), `"`+want+`"`) && (!code || !strings.Contains(out.String(), want)) {
				rt.Fatalf("%q is not shown:\n%s", want, out.String())
			}
		}
		if a == b && len(d.Sections) != 1 {
			rt.Fatalf("two tenants alike are shown in %d sections", len(d.Sections))
		}
		if a != b && len(d.Sections) == 1 && !strings.Contains(out.String(), "differs by tenant") {
			rt.Fatalf("the difference is not called out:\n%s", out.String())
		}
	})
}

func TestVisible(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := anyText().Draw(rt, "text")
		got := visible(s)
		checkVisible(t, got)
		if strings.Contains(got, "\n") || t.Failed() {
			rt.Fatalf("visible(%q) = %q", s, got)
		}
		if visible(got) != got {
			rt.Fatalf("visible(%q) = %q", got, visible(got))
		}
	})
}

func TestWrap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := visible(anyText().Draw(rt, "text"))
		columns := rapid.IntRange(8, 100).Draw(rt, "columns")
		pieces := wrap(s, columns)
		for i, p := range pieces {
			if width(p) > columns {
				rt.Fatalf("%q is wider than %d", p, columns)
			}
			if i > 0 {
				if markLike(p) {
					rt.Fatalf("%q looks like a line of a report", p)
				}
				pieces[i] = strings.TrimPrefix(p, bar)
			}
		}
		squeeze := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if got := squeeze(strings.Join(pieces, "")); got != squeeze(s) && !strings.Contains(s, "│") {
			rt.Fatalf("wrap lost something: %q became %q", s, pieces)
		}
	})
}

// TestCutTellsTextsApart: two texts that begin alike are never shown alike.
func TestCutTellsTextsApart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 3*maxValue).Draw(rt, "same")
		a, b := strings.Repeat("x", n)+anyText().Draw(rt, "a"), strings.Repeat("x", n)+anyText().Draw(rt, "b")
		if a != b && strings.ToValidUTF8(a, "") == a && strings.ToValidUTF8(b, "") == b && !strings.ContainsAny(a+b, `\`) && quoted(a) == quoted(b) {
			rt.Fatalf("%q and %q are both shown as %s", a, b, quoted(a))
		}
	})
}
