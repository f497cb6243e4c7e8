//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The files that are written, in the folder of the documentation.
const (
	jsonFile, chartFile, pageFile = "performance.json", "performance.svg", "performance.md"
	beginMark, endMark            = "<!-- begin: written by make bench -->\n", "<!-- end -->"
)

// write puts the results into the documentation.
func (b *bench) write() error {
	data, err := json.MarshalIndent(b.out, "", "  ")
	if err != nil {
		return err
	}
	page := filepath.Join(b.docs, pageFile)
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !ok || !ended {
		return fmt.Errorf("%s has no place for the results, between %q and %q", page, strings.TrimSpace(beginMark), endMark)
	}
	for name, content := range map[string][]byte{
		filepath.Join(b.docs, jsonFile):  append(data, '\n'),
		filepath.Join(b.docs, chartFile): []byte(b.out.chart()),
		page:                             []byte(before + beginMark + b.out.markdown() + endMark + after),
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// read takes the results of the last bench from the documentation.
func (b *bench) read() error {
	name := filepath.Join(b.docs, jsonFile)
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &b.out); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}

// find returns the row of a section, nil if it was not measured.
func (r *Results) find(section, command string, tenants, resources int) *Row {
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Section == section && row.Command == command && row.Tenants == tenants && (resources == 0 || row.Resources == resources) {
			return row
		}
	}
	return nil
}

// promise is one of the numbers that the project promises.
type promise struct {
	what        string
	got, atMost float64
	unit, how   string
}

// promises holds the rows against what is promised.
func (r *Results) promises() []promise {
	var out []promise
	add := func(what string, got, atMost float64, unit, how string) {
		out = append(out, promise{what, got, atMost, unit, how})
	}
	for _, c := range []struct {
		command string
		atMost  float64
	}{{"plan", 1.5}, {"apply", 2}} {
		one, many := r.find("tenants", c.command, 1, 0), r.find("tenants", c.command, 200, 0)
		if one == nil || many == nil {
			continue
		}
		bound := many.bound(r.Machine.Cores)
		add(c.command+" of 200 tenants, against one tenant or the CPU bound, whichever is larger", many.Seconds/max(one.Seconds, bound), c.atMost, "×",
			fmt.Sprintf("%s; one tenant takes %s, the computing alone %s", duration(many.Seconds), duration(one.Seconds), duration(bound)))
		add("peak memory of "+c.command+" of 200 tenants", many.Memory, 150, " MB", "")
	}
	early, late, requests := 0, 0, 0
	for _, row := range r.Rows {
		if row.Section != "limits" {
			continue
		}
		early, late, requests = early+row.Early429, late+row.Late429, requests+row.Requests
		if row.Dictated > 5 { // else it is the latency that counts, and not the limit
			add(fmt.Sprintf("%s of %d tenants × %d resources with the limit %s, against what the limit dictates", row.Command, row.Tenants, row.Resources, row.Limit),
				row.Seconds/row.Dictated, 1.15, "×", fmt.Sprintf("%s; the limit dictates %s", duration(row.Seconds), duration(row.Dictated)))
		}
	}
	if requests > 0 {
		add("answers of 429 after the first second, with limits", float64(late), 0, "", fmt.Sprintf("%d in the first second, of %d requests in all", early, requests))
	}
	if row := r.find("resources", "plan", 1, 5000); row != nil {
		add("plan of 5,000 resources", row.Seconds, 2, " s", "")
		add("peak memory of it", row.Memory, 300, " MB", "")
	}
	return out
}

// markdown is the page's tables, ratios first.
func (r *Results) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "\nMeasured on %s with %s, on a machine with %d cores (%s, %s, %s). The load average was %s before and %s after.\n\n", m.Measured, m.Version, m.Cores, orUnknown(m.CPU), m.OS, m.Go, m.Load[0], m.Load[1])
	b.WriteString("## What is promised\n\n| | | measured | at most | |\n|---|---|--:|--:|---|\n")
	for _, p := range r.promises() {
		mark := "✅"
		if p.got > p.atMost {
			mark = "❌"
		}
		fmt.Fprintf(&b, "| %s | %s | %s%s | %s%s | %s |\n", mark, p.what, number(p.got), p.unit, number(p.atMost), p.unit, p.how)
	}
	r.beside(&b)
	b.WriteString("\n![Time by the number of tenants and of resources](performance.svg)\n")
	for _, s := range []struct{ section, title string }{
		{"one tenant", "One tenant"},
		{"tenants", "Many tenants"},
		{"limits", "With Auth0's rate limits"},
		{"resources", "Many resources"},
		{"deploy CLI", "Beside auth0-deploy-cli"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| tool | command | tenants | resources | latency | limit | time | CPU | CPU of the simulator | memory | requests |\n|---|---|--:|--:|--:|---|--:|--:|--:|--:|--:|\n", s.title)
		n := 0
		for _, row := range r.Rows {
			if row.Section == s.section {
				n++
				fmt.Fprintf(&b, "| %s | %s | %d | %d | %d ms | %s | %s | %s | %s | %.0f MB | %d |\n", row.Tool, row.Command, row.Tenants, row.Resources, row.LatencyMS, row.Limit,
					duration(row.Seconds), duration(row.CPU), duration(row.SimulatorCPU), row.Memory, row.Requests)
			}
		}
		if n == 0 {
			b.WriteString("| not measured | | | | | | | | | | |\n")
		}
	}
	for _, s := range r.Skipped {
		b.WriteString("\nNot measured: " + strings.ReplaceAll(s, "\n", " ") + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

// beside tells how many times as long the other tool takes.
func (r *Results) beside(b *strings.Builder) {
	began := false
	for _, n := range besides {
		for _, pair := range [][2]string{{"apply", "import"}, {"plan without changes", "import again"}} {
			ours, theirs := r.find("deploy CLI", pair[0], n, 0), r.find("deploy CLI", pair[1], n, 0)
			if ours == nil || theirs == nil {
				continue
			}
			if !began {
				b.WriteString("\n| | ecplan | auth0-deploy-cli | | requests | |\n|---|--:|--:|--:|--:|--:|\n")
				began = true
			}
			what := map[string]string{"apply": "the guide's set-up from nothing", "plan without changes": "once more, nothing to do"}[pair[0]]
			fmt.Fprintf(b, "| %s, %s | %s | %s | **%s×** | %d | %d |\n", what, tenants(n), duration(ours.Seconds), duration(theirs.Seconds), number(theirs.Seconds/ours.Seconds), ours.Requests, theirs.Requests)
		}
	}
}

func tenants(n int) string {
	if n == 1 {
		return "1 tenant"
	}
	return strconv.Itoa(n) + " tenants"
}

func orUnknown(s string) string {
	if s == "" {
		return "CPU unknown"
	}
	return s
}

// duration writes seconds with three digits that mean something.
func duration(s float64) string { return number(s) + " s" }

func number(v float64) string {
	switch {
	case v == math.Trunc(v) && v < 1e6:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}
