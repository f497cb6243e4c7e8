package report

import (
	"cmp"
	"io"
	"strings"
)

// markdownWriter lays a document out for pull and merge requests: the headline
// first, then one table of tenants, then what a reviewer must not miss, then the
// details folded. It never gets longer than its budget.
type markdownWriter struct {
	out    strings.Builder
	budget int
	// left out for want of room: rows of the table, and what sections tell
	rows, cards, tenants, notices int
}

// The shares of the budget that the table and the notices may take, in percent.
const (
	tableShare  = 35
	noticeShare = 60 // together with the table
	// footer is kept free for the closing lines.
	footer = 1200
	// minComment is the least that headline, cuts and small print need.
	minComment = 4000
	// maxOutlined is how many cards a section may have for its outline to stand unfolded.
	maxOutlined = 40
	// maxSectionNames is how many tenants a section names: who is changed must be found.
	maxSectionNames = 200
	// maxUnfolded is how many lines a section may have to stand there as a whole.
	maxUnfolded = 14
)

func writeMarkdown(w io.Writer, d *document, o Options) error {
	m := &markdownWriter{budget: max(cmp.Or(o.MaxBytes, MaxComment), minComment)}
	m.out.WriteString("### " + mdText(short(cmp.Or(o.Title, d.Title), maxName)) + "\n\n")
	m.out.WriteString(classMark(d.Class()) + " **" + d.Headline + "**")
	m.out.WriteString(strings.TrimRight(" "+d.asides(), " ") + "\n\n")
	for _, l := range d.Lead {
		m.out.WriteString(mdText(l) + "\n\n")
	}
	m.table(d)
	m.notes(d)
	for i := range d.Sections {
		m.section(&d.Sections[i], len(d.Sections)-i-1)
	}
	m.fold("What is known of several tenants", nil, m.quiet(d.Notices)...)
	m.foot(d, o)
	_, err := io.WriteString(w, m.out.String())
	return err
}

func classMark(class string) string {
	switch class {
	case "error":
		return "❌"
	case "danger":
		return "🛑"
	case "risk":
		return "⚠️"
	case "change":
		return "✏️"
	}
	return "✅"
}

// fits writes s if it does not take the report past share percent of the budget.
func (m *markdownWriter) fits(s string, share int) bool {
	if m.out.Len()+len(s) > (m.budget-footer)*share/100 {
		return false
	}
	m.out.WriteString(s)
	return true
}

func (m *markdownWriter) table(d *document) {
	if len(d.Table.Rows) == 0 {
		return
	}
	m.out.WriteString("| | " + strings.Join(d.Table.Head, " | ") + " |\n|---|" + columns(d.Table.Align) + "\n")
	rows, same := d.Table.split()
	for _, r := range rows {
		names := mdNames(r.Tenants, maxRowNames)
		if len(r.Tenants) > 1 {
			names = count(len(r.Tenants), "tenant") + ", each: " + names
		}
		row := "| " + classMark(r.Class) + " | " + strings.ReplaceAll(names, "|", `\|`)
		for _, c := range r.Cells {
			row += " | " + strings.ReplaceAll(mdText(c), "|", `\|`)
		}
		if !m.fits(row+" |\n", tableShare) {
			m.rows += len(r.Tenants)
		}
	}
	if same > 0 {
		m.out.WriteString("| ✅ | " + count(same, "tenant") + strings.Repeat(" | ", len(d.Table.Head)-1) + "nothing to do |\n")
	}
	if m.rows > 0 {
		m.out.WriteString("| … | " + count(m.rows, "more tenant") + strings.Repeat(" | ", len(d.Table.Head)) + "\n")
	}
	m.out.WriteString("\n")
}

func columns(align string) string {
	var b strings.Builder
	for _, a := range align {
		b.WriteString(map[rune]string{'l': "---|", 'r': "--:|"}[a])
	}
	return b.String()
}

func stop(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".:!?") {
		return ""
	}
	return "."
}

func mdTenants(s *section, max int) string {
	names := make([]string, len(s.Tenants))
	for i, t := range s.Tenants {
		names[i] = t.Name
	}
	return mdNames(names, max)
}

func mdNames(names []string, max int) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = mdCode(n)
	}
	return some(out, max)
}

// section writes one tenant, or several alike; after says how many sections follow,
// for each of which a little room is kept.
func (m *markdownWriter) section(s *section, after int) {
	if len(s.Cards) == 0 && len(s.Notes) == 0 {
		return
	}
	const kept = 300
	room := m.budget - footer - m.out.Len() - min(after*kept, m.budget/5)
	names := mdTenants(s, maxSectionNames)
	if len(names) > room/4 {
		names = mdTenants(s, 12)
	}
	head := "**" + names + "**"
	if len(s.Tenants) == 1 && s.Tenants[0].Domain != "" && s.Tenants[0].Domain != s.Tenants[0].Name {
		head += " " + mdCode(s.Tenants[0].Domain)
	}
	if len(s.Tenants) > 1 {
		head += " (" + count(len(s.Tenants), "tenant") + ", each)"
	}
	head += ": " + mdText(strings.Join(append([]string{s.Tally + stop(s.Tally)}, s.Lead...), " ")) + "\n\n"
	for _, n := range s.Notes {
		if n.Class == command {
			head += "- " + mdCode(n.Text) + "\n"
		} else {
			head += mdText(n.Text) + "\n\n"
		}
	}
	if head[len(head)-2] != '\n' {
		head += "\n"
	}
	if room < len(head) {
		m.tenants += len(s.Tenants)
		m.cards += len(s.Cards)
		return
	}
	m.out.WriteString(head)
	room -= len(head)
	lines, tail := m.cardLines(s, room), m.tail(s)
	switch {
	case len(lines) <= maxUnfolded:
		m.fold("", lines)
		m.fold("What is known besides", nil, tail...)
	case len(s.Cards) <= maxOutlined:
		heads := make([]string, len(s.Cards))
		for i := range s.Cards {
			heads[i] = diffHead(&s.Cards[i])
		}
		m.fold("", heads)
		m.fold("Every field", lines, tail...)
	default:
		m.fold("Every resource and field", lines, tail...)
	}
}

// fold writes lines as a block of code, then the items of a list, folded below
// title if there is one.
func (m *markdownWriter) fold(title string, lines []string, items ...string) {
	if len(lines)+len(items) == 0 {
		return
	}
	if title != "" {
		m.out.WriteString("<details><summary>" + title + "</summary>\n\n")
	}
	if len(lines) > 0 {
		m.out.WriteString(fenced(lines) + "\n")
	}
	for _, s := range items {
		m.out.WriteString("- " + s + "\n")
	}
	if len(items) > 0 {
		m.out.WriteString("\n")
	}
	if title != "" {
		m.out.WriteString("</details>\n\n")
	}
}

// cardLines lays the cards of a section out. What does not fit into room is cut
// card by card; an outline of all and a tail are allowed for.
func (m *markdownWriter) cardLines(s *section, room int) []string {
	room -= 3000 // the tail is bounded by its own cuts
	for i := range s.Cards {
		if len(s.Cards) <= maxOutlined {
			room -= len(diffHead(&s.Cards[i])) + 1
		}
	}
	var lines []string
	for i := range s.Cards {
		card := []string{diffHead(&s.Cards[i])}
		a := align(s.Cards[i].Lines)
		for _, l := range s.Cards[i].Lines {
			card = append(card, diffLine(l, a))
		}
		if i < len(s.Cards)-1 && len(card) > 1 {
			card = append(card, "")
		}
		if size(card) > room && len(card) > 1 {
			card = []string{card[0], "      … (" + count(len(s.Cards[i].Lines), "line") + " left out for want of room)", ""}
			m.cards++
		}
		if size(card) > room {
			if len(s.Cards[i].Lines) == 0 {
				m.cards++
			}
			continue
		}
		room -= size(card)
		lines = append(lines, card...)
	}
	return lines
}

// tail lists what nobody has to look at: notices that inform or were acknowledged,
// and what stays as it is.
func (m *markdownWriter) tail(s *section) []string {
	out := m.quiet(s.Notices)
	n := 0
	for _, x := range out {
		n += len(x)
	}
	if len(s.Same) > 0 {
		names := make([]string, len(s.Same))
		for i, a := range s.Same {
			names[i] = mdCode(a)
		}
		if text := "As declared: " + some(names, 20); len(text) < 3000-n {
			out = append(out, text)
		}
	}
	return out
}

// foot says what was left out and where it is, and the small print.
func (m *markdownWriter) foot(d *document, o Options) {
	var missing []string
	for _, n := range []struct {
		n    int
		noun string
	}{{m.cards, "resource"}, {m.tenants, "tenant"}, {m.notices, "notice"}} {
		if n.n > 0 {
			missing = append(missing, count(n.n, n.noun))
		}
	}
	if len(missing) > 0 {
		m.out.WriteString("✂️ **Not everything is shown here:** " + listOf(missing) + " did not fit.\n\n")
	}
	where := ""
	switch {
	case o.Link != "":
		where = "All of it: " + mdLink(o.Link)
	case len(missing) > 0:
		where = "All of it: " + mdCode(d.Rest)
	}
	var facts []string
	if where != "" {
		facts = append(facts, where)
	}
	for _, f := range d.Facts {
		if f[0] != "Manifest" {
			facts = append(facts, f[0]+" "+mdCode(f[1]))
		}
	}
	if len(facts) > 0 {
		m.out.WriteString(strings.Join(facts, " · ") + "\n")
	}
}

// diffHead and diffLine lay a card out as lines of a diff, whose colours come from
// the first column: + is new, - goes, ! changes.
func diffHead(c *card) string {
	head := diffMark(c.Mark) + " " + c.Verb + " " + c.Title
	if c.Aside != "" {
		head += " (" + c.Aside + ")"
	}
	if c.Risk != "" {
		head += "  ! " + c.Risk
	}
	return head
}

func diffLine(l line, a alignment) string {
	left := ""
	if l.Label != "" {
		left = l.Label + a.pad(l) + "  "
	}
	text := left + l.Text
	if l.Note != "" {
		text += "  " + l.Note
	}
	return strings.TrimRight(diffMark(l.Mark)+strings.Repeat(" ", l.indent()+1)+text, " ")
}

func diffMark(mark string) string {
	switch mark {
	case "+", "✓":
		return "+"
	case "-", "-/+", "✗":
		return "-"
	case "~", "?", "↩":
		return "!"
	}
	return " "
}

func size(lines []string) int {
	n := 0
	for _, l := range lines {
		n += len(l) + 1
	}
	return n
}
