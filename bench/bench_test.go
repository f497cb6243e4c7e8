//go:build unix

package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPage holds the page and the chart to the numbers beside them: nobody edits a result.
func TestPage(t *testing.T) {
	docs := filepath.Join("..", "docs")
	b := &bench{docs: docs}
	if err := b.read(); err != nil {
		t.Fatal(err)
	}
	out := b.out
	if len(out.Rows) == 0 {
		t.Fatal("no row was measured")
	}
	if want := beginMark + out.markdown() + endMark; !strings.Contains(string(read(t, filepath.Join(docs, pageFile))), want) {
		t.Errorf("%s does not show what is in %s; make bench writes both", pageFile, jsonFile)
	}
	if string(read(t, filepath.Join(docs, chartFile))) != out.chart() {
		t.Errorf("%s does not show what is in %s; make bench writes both", chartFile, jsonFile)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestWriteKeepsTheRestOfThePage(t *testing.T) {
	b := &bench{docs: t.TempDir(), out: some()}
	page := filepath.Join(b.docs, pageFile)
	if err := os.WriteFile(page, []byte("above\n"+beginMark+"old\n"+endMark+"below\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it finds its own text
		if err := b.write(); err != nil {
			t.Fatal(err)
		}
		got := string(read(t, page))
		if !strings.HasPrefix(got, "above\n"+beginMark) || !strings.HasSuffix(got, endMark+"below\n") || strings.Contains(got, "old") || strings.Count(got, "## One tenant") != 1 {
			t.Fatalf("the page is\n%s", got)
		}
	}
	if err := os.WriteFile(page, []byte("no place"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.write(); err == nil || !strings.Contains(err.Error(), "no place for the results") {
		t.Errorf("a page without the marks: %v", err)
	}
}

// some is a small set of results.
func some() Results {
	return Results{
		Machine: Machine{CPU: "A", Cores: 2, OS: "linux/amd64"},
		Rows: []Row{
			{Section: "one tenant", Command: "plan", Tenants: 1, Resources: 7, Seconds: 0.25},
			{Section: "tenants", Command: "plan", Tenants: 1, Resources: 7, Seconds: 0.5, CPU: 0.1, SimulatorCPU: 0.1},
			{Section: "tenants", Command: "plan", Tenants: 200, Resources: 7, Seconds: 1.5, CPU: 1.5, SimulatorCPU: 0.9, Memory: 140},
			{Section: "tenants", Command: "apply", Tenants: 1, Resources: 7, Seconds: 1, CPU: 0.2},
			{Section: "tenants", Command: "apply", Tenants: 200, Resources: 7, Seconds: 3, CPU: 1, Memory: 151},
			{Section: "limits", Command: "apply", Tenants: 20, Resources: 157, Limit: "enterprise", Seconds: 11, Dictated: 10, Late429: 1, Requests: 3400},
			{Section: "resources", Command: "plan", Tenants: 1, Resources: 5000, Seconds: 1.5, Memory: 200},
			{Section: "deploy CLI", Tool: "ecplan", Command: "apply", Tenants: 1, Seconds: 0.5, Requests: 18},
			{Section: "deploy CLI", Tool: "deploy-cli 8", Command: "import", Tenants: 1, Seconds: 5, Requests: 20},
		},
		Skipped: []string{"npm is\nnot there"},
	}
}

func TestPromises(t *testing.T) {
	got := map[string]float64{}
	out := some()
	for _, p := range out.promises() {
		got[p.what] = p.got / max(p.atMost, 1)
	}
	for what, want := range map[string]float64{
		// 1.5 s against the CPU bound, (1.5 + 0.9) / 2 s, which is more than one tenant's 0.5 s
		"plan of 200 tenants, against one tenant or the CPU bound, whichever is larger":                  1.25 / 1.5,
		"peak memory of plan of 200 tenants":                                                             140.0 / 150,
		"apply of 200 tenants, against one tenant or the CPU bound, whichever is larger":                 3.0 / 2,
		"peak memory of apply of 200 tenants":                                                            151.0 / 150,
		"apply of 20 tenants × 157 resources with the limit enterprise, against what the limit dictates": 1.1 / 1.15,
		"answers of 429 after the first second, with limits":                                             1,
		"plan of 5,000 resources":                                                                        0.75,
		"peak memory of it":                                                                              200.0 / 300,
	} {
		if v, ok := got[what]; !ok || math.Abs(v-want) > 1e-9 {
			t.Errorf("%q has %v of what is promised (there: %v), want %v", what, v, ok, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	out := some()
	md := out.markdown()
	for _, want := range []string{
		"2 cores (A, linux/amd64",
		"| ❌ | peak memory of apply of 200 tenants | 151 MB | 150 MB |",
		"| ✅ | plan of 5,000 resources | 1.50 s | 2 s |",
		"| the guide's set-up from nothing, 1 tenant | 0.50 s | 5 s | **10×** | 18 | 20 |",
		"Not measured: npm is not there\n",
	} {
		if !strings.Contains(md, want) {
			t.Errorf("the tables lack %q:\n%s", want, md)
		}
	}
	if first, table := strings.Index(md, "## What is promised"), strings.Index(md, "## One tenant"); first < 0 || table < first {
		t.Error("the ratios do not come first")
	}
	// Every line of a table has as many cells as the line above.
	cells := 0
	for line := range strings.SplitSeq(md, "\n") {
		n := strings.Count(line, "|")
		if n > 0 && cells > 0 && n != cells {
			t.Errorf("%d cells after %d: %s", n, cells, line)
		}
		cells = n
	}
}

func TestChartIsXMLAndInsideItsFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := Results{Machine: Machine{Cores: 2}}
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			out.Rows = append(out.Rows, Row{
				Section: rapid.SampledFrom([]string{"tenants", "resources"}).Draw(t, "section"), Command: rapid.SampledFrom([]string{"plan", "apply"}).Draw(t, "command"),
				Tenants: rapid.IntRange(1, 200).Draw(t, "tenants"), Resources: rapid.IntRange(1, 5000).Draw(t, "resources"),
				Seconds: rapid.Float64Range(0, 1000).Draw(t, "seconds"),
			})
		}
		d := xml.NewDecoder(strings.NewReader(out.chart()))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
				for _, a := range e.Attr {
					var v float64
					if a.Name.Local != "cy" {
						continue
					}
					if _, err := fmt.Sscan(a.Value, &v); err != nil || v < margin-0.1 || v > margin+panelHeight+0.1 {
						t.Fatalf("a point lies at the height %s", a.Value)
					}
				}
			}
		}
	})
}

func TestMedianTakesTheMiddleRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.SliceOfN(rapid.Float64Range(0, 10), 1, 9).Draw(t, "seconds")
		var rows []Row
		for _, s := range seconds {
			rows = append(rows, Row{Seconds: s, CPU: s})
		}
		m := median(rows)
		below, above := 0, 0
		for _, s := range seconds {
			if s < m.Seconds {
				below++
			}
			if s > m.Seconds {
				above++
			}
		}
		if below > len(seconds)/2 || above > len(seconds)/2 || m.CPU != m.Seconds {
			t.Fatalf("%v has the median %v", seconds, m)
		}
	})
}

// TestCount reads a log of three tenants: the second has most requests to its API and so
// dictates the time; tokens and 429s are not counted for that.
func TestCount(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var log strings.Builder
	add := func(tenant, path string, after time.Duration, status int) {
		fmt.Fprintf(&log, `{"time":%q,"tenant":%q,"path":%q,"status":%d}`+"\n", begin.Add(after).Format(time.RFC3339Nano), tenant, path, status)
	}
	add("old", "/api/v2/clients", -time.Hour, 429)
	offset := int64(log.Len())
	add("a", "/oauth/token", 0, 200)
	for i, n := range []int{3, 14, 1} {
		for range n {
			add(string(rune('a'+i)), "/api/v2/clients", time.Second/2, 200)
		}
	}
	add("b", "/api/v2/clients", time.Second, 429)
	add("b", "/api/v2/clients", time.Second+1, 429)
	sim := &simulator{log: filepath.Join(t.TempDir(), "log")}
	if err := os.WriteFile(sim.log, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var r Row
	if err := sim.count(&r, offset, 10, 2); err != nil {
		t.Fatal(err)
	}
	if want := (Row{Requests: 21, Early429: 1, Late429: 1, Dictated: 2}); r != want {
		t.Errorf("counted %+v, want %+v", r, want)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.034: "0.03", 2: "2", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 1877.2: "1877"} {
		if got := number(v); got != want {
			t.Errorf("number(%v) is %s, want %s", v, got, want)
		}
	}
}
