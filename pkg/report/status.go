package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// StatusFormat is the version of the JSON form of a status.
const StatusFormat = "ecplan/status/v1"

// TenantStatus is how one tenant stands.
type TenantStatus struct {
	Tenant string            `json:"tenant"`
	Domain string            `json:"domain"`
	Labels map[string]string `json:"labels,omitempty"`
	// Error says why the tenant could not be read.
	Error     string           `json:"error,omitempty"`
	Resources []ResourceStatus `json:"resources"`
	// LastRun is the newest run on record, Outcome how it ended, RollsBack the run that it
	// took back, "" if it is no rollback.
	LastRun   string `json:"last_run,omitempty"`
	Outcome   string `json:"outcome,omitempty"`
	RollsBack string `json:"rolls_back,omitempty"`
}

// ResourceStatus is how one resource stands on one tenant.
type ResourceStatus struct {
	Address string `json:"address"`
	// State is "in line", "drifted", "missing", "failed", "pending" or "unknown".
	State string `json:"state"`
	// Why is a sentence without a full stop, "" where it is in line.
	Why string `json:"why,omitempty"`
	// Run is the last run that set it.
	Run string `json:"run,omitempty"`
}

// stateMarks stand in the cells of the table, worst first.
var stateMarks = []struct{ state, mark, class string }{
	{"failed", "✗", "error"},
	{"missing", "+", "change"},
	{"drifted", "~", "risk"},
	{"pending", "*", "change"},
	{"unknown", "?", "error"},
	{"in line", "✓", "same"},
}

func stateMark(state string) string {
	for _, m := range stateMarks {
		if m.state == state {
			return m.mark
		}
	}
	return "?"
}

// Status shows tenants × resources as a table, then what is not in line.
func Status(w io.Writer, ts []TenantStatus, o Options) error {
	switch o.Format {
	case Text, "":
		return writeStatus(w, ts, o)
	case Markdown:
		return writeStatusMarkdown(w, ts)
	case JSON:
		return writeJSON(w, struct {
			Format  string         `json:"format"`
			Tenants []TenantStatus `json:"tenants"`
		}{StatusFormat, ts})
	}
	return unknownFormat("a status", o.Format, Text, JSON, Markdown)
}

// addresses lists the resources of all tenants, the columns of the table.
func addresses(ts []TenantStatus) []string {
	var out []string
	for _, t := range ts {
		for _, r := range t.Resources {
			out = append(out, r.Address)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cells are the marks of a tenant, one for each address; a dot where it is not declared.
func cells(t *TenantStatus, columns []string) []string {
	out := slices.Repeat([]string{"·"}, len(columns))
	for _, r := range t.Resources {
		if i, ok := slices.BinarySearch(columns, r.Address); ok {
			out[i] = stateMark(r.State)
		}
	}
	return out
}

// standing is the sentence that sums a status up.
func standing(ts []TenantStatus) string {
	n, all := map[string]int{}, 0
	for _, t := range ts {
		for _, r := range t.Resources {
			n[r.State]++
			all++
		}
	}
	if n["in line"] == all && all > 0 {
		return fmt.Sprintf("%s: all %s in line.", count(len(ts), "tenant"), count(all, "resource"))
	}
	var parts []string
	for _, m := range stateMarks {
		if n[m.state] > 0 {
			parts = append(parts, thousands(n[m.state])+" "+m.state)
		}
	}
	return fmt.Sprintf("%s, %s: %s.", count(len(ts), "tenant"), count(all, "resource"), strings.Join(parts, ", "))
}

const stateLegend = "✓ in line  ~ drifted  + missing  * pending: declared otherwise than the last run set it  ✗ failed  ? unknown  · not declared for this tenant"

func lastRun(t *TenantStatus) string {
	if t.LastRun == "" {
		return "none on record"
	}
	if t.RollsBack != "" {
		return fmt.Sprintf("%s (a rollback, %s)", short(t.LastRun, maxName), short(t.Outcome, maxName))
	}
	return fmt.Sprintf("%s (%s)", short(t.LastRun, maxName), short(t.Outcome, maxName))
}

func writeStatus(w io.Writer, ts []TenantStatus, o Options) error {
	t := newTextWriter(o)
	columns := addresses(ts)
	digits := len(strconv.Itoa(len(columns)))
	for i, a := range columns {
		fmt.Fprintf(&t.out, "%*d  %s\n", digits, i+1, short(a, maxName))
	}
	t.newline()
	var lines strings.Builder
	table := tabwriter.NewWriter(&lines, 0, 0, 1, ' ', 0)
	head := "TENANT\t"
	for i := range columns {
		head += strconv.Itoa(i+1) + "\t"
	}
	fmt.Fprintln(table, head+" LAST RUN")
	for i := range ts {
		fmt.Fprintf(table, "%s\t%s\t %s\n", short(ts[i].Tenant, maxName), strings.Join(cells(&ts[i], columns), "\t"), lastRun(&ts[i]))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	t.out.WriteString(lines.String())
	t.newline()
	t.prose(0, "", stateLegend, t.dim)
	t.newline()
	for i := range ts {
		t.amiss(&ts[i])
	}
	t.prose(0, "", standing(ts), t.bold)
	_, err := io.WriteString(w, t.out.String())
	return err
}

// amiss tells what of a tenant is not in line.
func (t *textWriter) amiss(s *TenantStatus) {
	if s.Error != "" {
		t.prose(0, "", short(s.Tenant, maxName), t.bold)
		for i, l := range block(s.Error, maxDetail) {
			t.prose(2, map[bool]string{true: t.bad("✗ "), false: "  "}[i == 0], l, nil)
		}
		t.newline()
		return
	}
	any := false
	for _, r := range s.Resources {
		if r.State == "in line" {
			continue
		}
		if !any {
			t.prose(0, "", short(s.Tenant, maxName), t.bold)
		}
		any = true
		mark := stateMark(r.State)
		t.prose(2, t.mark(mark)(mark)+" ", fmt.Sprintf("%s: %s: %s%s", short(r.Address, maxName), r.State, short(r.Why, maxSentence), setBy(r)), nil)
	}
	if any {
		t.newline()
	}
}

func setBy(r ResourceStatus) string {
	if r.Run == "" {
		return ""
	}
	return "; last set by " + short(r.Run, maxName)
}

func writeStatusMarkdown(w io.Writer, ts []TenantStatus) error {
	var b strings.Builder
	columns := addresses(ts)
	fmt.Fprintf(&b, "**%s**\n\n| tenant |", mdText(standing(ts)))
	for i := range columns {
		fmt.Fprintf(&b, " %d |", i+1)
	}
	b.WriteString(" last run |\n|---|" + strings.Repeat(":-:|", len(columns)) + "---|\n")
	for i := range ts {
		row := "| " + strings.ReplaceAll(mdCode(short(ts[i].Tenant, maxName)), "|", `\|`) + " | "
		for _, c := range cells(&ts[i], columns) {
			row += mdText(c) + " | "
		}
		b.WriteString(row + strings.ReplaceAll(mdText(lastRun(&ts[i])), "|", `\|`) + " |\n")
	}
	b.WriteString("\n")
	for i, a := range columns {
		fmt.Fprintf(&b, "%d. %s\n", i+1, mdCode(short(a, maxName)))
	}
	b.WriteString("\n" + mdText(stateLegend) + "\n\n")
	for i := range ts {
		t := &ts[i]
		if t.Error != "" {
			fmt.Fprintf(&b, "- ❌ %s: %s\n", mdCode(short(t.Tenant, maxName)), mdText(strings.Join(block(t.Error, maxDetail), " ")))
			continue
		}
		for _, r := range t.Resources {
			if r.State != "in line" {
				fmt.Fprintf(&b, "- %s %s: %s: %s\n", mdCode(short(t.Tenant, maxName)), mdCode(short(r.Address, maxName)), r.State, mdText(short(r.Why, maxSentence)+setBy(r)))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
