package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

// manyDifferences is a plan that no comment can hold: each tenant differs in shape.
func manyDifferences(tenants, fields int) *planner.Plan {
	var ts []planner.TenantPlan
	for i := range tenants {
		t := planner.TenantPlan{Tenant: fmt.Sprint("tenant-", i), Domain: fmt.Sprintf("t%d.eu.auth0.com", i)}
		for j := range 5 {
			s := step(fmt.Sprintf("Client/t%d-%d", i, j), "", kind.Create, "not on the tenant", "deletes the client")
			for k := range fields {
				s.Changes = append(s.Changes, add(fmt.Sprint("field-", k), strings.Repeat("v", 60)))
			}
			t.Steps = append(t.Steps, s)
		}
		t.Notices = append(t.Notices, kind.Notice{ID: fmt.Sprint("notice-", i), Level: kind.Warn, Summary: strings.Repeat("A long story. ", 20)})
		ts = append(ts, t)
	}
	return planOf(ts...)
}

var leftOut = regexp.MustCompile(`Not everything is shown here:\*\* (.*) did not fit`)

// TestMarkdownIsCutHonestly counts what is there and what is said to be missing.
func TestMarkdownIsCutHonestly(t *testing.T) {
	for _, c := range []struct{ tenants, fields, limit int }{{3, 3, 0}, {8, 100, 0}, {60, 100, 0}, {400, 10, 0}, {3000, 2, 0}, {20, 20, minComment}} {
		p := manyDifferences(c.tenants, c.fields)
		var out bytes.Buffer
		if err := Plan(&out, p, Options{Format: Markdown, MaxBytes: c.limit, Link: "https://ci.example/runs/1"}); err != nil {
			t.Fatal(err)
		}
		if limit := max(c.limit, minComment); c.limit > 0 && out.Len() > limit || out.Len() > MaxComment {
			t.Errorf("%+v: %d bytes", c, out.Len())
		}
		text := out.String()
		missing := map[string]int{}
		if m := leftOut.FindStringSubmatch(text); m != nil {
			for _, n := range regexp.MustCompile(`([\d,]+) (resource|tenant|notice)`).FindAllStringSubmatch(m[1], -1) {
				missing[n[2]], _ = strconv.Atoi(strings.ReplaceAll(n[1], ",", ""))
			}
		}
		if c.tenants <= 3 && len(missing) > 0 {
			t.Errorf("%+v: cut without need: %v", c, missing)
		}
		last := fmt.Sprintf("field-%d ", c.fields-1)
		if got := strings.Count(text, last) + missing["resource"]; got != 5*c.tenants {
			t.Errorf("%+v: %d resources are shown in full, %d said to be missing, of %d", c, got-missing["resource"], missing["resource"], 5*c.tenants)
		}
		if got := strings.Count(text, "**notice-") + missing["notice"]; got != c.tenants {
			t.Errorf("%+v: %d notices are shown, %d said to be missing", c, got-missing["notice"], missing["notice"])
		}
		if !strings.HasPrefix(strings.SplitN(text, "\n", 4)[2], "⚠️ **Plan: "+thousands(5*c.tenants)+" to create") {
			t.Errorf("%+v: the summary does not come first: %.200s", c, text)
		}
		if len(missing) > 0 && !strings.Contains(text, "All of it: [`ci.example/runs/1`](<https://ci.example/runs/1>)") {
			t.Errorf("%+v: it does not say where the rest is", c)
		}
	}
}

func TestMarkdownWords(t *testing.T) {
	for in, want := range map[string]string{
		"Plain words, with 1,234 numbers.": "Plain words, with 1,234 numbers.",
		"read:clients is granted":          "read:clients is granted",
		"ask @octocat, now":                "ask `@octocat`, now",
		"fixes #12":                        "fixes `#12`",
		"<b>bold</b>":                      "`<b>bold</b>`",
		"see https://evil.example.":        "see `https://evil.example`.",
		"a_b and *c*":                      "`a_b` and `*c*`",
		"tick ` tick":                      "tick `` ` `` tick",
		"![x](y)":                          "`![x](y`)",
		":smile:":                          "`:smile`:",
	} {
		if got := mdText(in); got != want {
			t.Errorf("mdText(%q) = %q, not %q", in, got, want)
		}
	}
}

// TestMarkdownNamesAll: of many tenants alike each is named, as far as there is room.
func TestMarkdownNamesAll(t *testing.T) {
	var ts []planner.TenantPlan
	for i := range 150 {
		ts = append(ts, planner.TenantPlan{Tenant: fmt.Sprintf("tenant-%03d", i), Domain: "d", Steps: []kind.Step{step(client, "", kind.Update, "r", "u", add("x", "y"))}})
	}
	for limit, all := range map[int]bool{0: true, minComment: false} {
		out := show(t, func(w *bytes.Buffer) error { return Plan(w, planOf(ts...), Options{Format: Markdown, MaxBytes: limit}) })
		n := 0
		for _, tp := range ts {
			if strings.Contains(out, "`"+tp.Tenant+"`") {
				n++
			}
		}
		if all != (n == len(ts)) || !strings.Contains(out, "(150 tenants, each)") {
			t.Errorf("with at most %d bytes %d tenants are named:\n%.3000s", limit, n, out)
		}
	}
}
