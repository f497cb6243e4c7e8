package report

import (
	"slices"
	"strconv"
	"strings"
)

// document is what people are shown, apart from how it is laid out. All strings in
// it are safe to print: see visible.
type document struct {
	Title string
	// Headline is one sentence that says what this comes to: "Plan: 5 to create, …".
	Headline string
	// Risk says that Headline or Asides tell of something dangerous.
	Risk bool
	// Asides are further sentences to the headline.
	Asides []aside
	// Lead says what is special about all of it.
	Lead []string
	// Table answers at a glance which tenants are concerned.
	Table    table
	Sections []section
	// Notices are those that several sections would repeat, most urgent first.
	Notices []card
	// Facts are names and values for the small print: checksum, run, version.
	Facts [][2]string
	// Rest names the command that shows what a format had to leave out.
	Rest string
}

// aside is a sentence, and how much attention it wants.
type aside struct{ Text, Class string }

// asides joins the further sentences to one.
func (d *document) asides() string {
	texts := make([]string, len(d.Asides))
	for i, a := range d.Asides {
		texts[i] = a.Text
	}
	return sentence(strings.Join(texts, ", "))
}

// sentence gives a text its capital letter and its full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// maxSameRows is how many tenants without changes are named.
const maxSameRows = 5

// split returns the rows to show, and how many more tenants have nothing to do.
func (t *table) split() (rows []tableRow, same int) {
	for _, r := range t.Rows {
		if r.Class == "same" {
			same += len(r.Tenants)
		}
	}
	if same <= maxSameRows {
		return t.Rows, 0
	}
	for _, r := range t.Rows {
		if r.Class != "same" {
			rows = append(rows, r)
		}
	}
	return rows, same
}

type table struct {
	// Head are the titles of the columns; the first is that of the tenants.
	Head []string
	// Align has an l or an r for each column.
	Align string
	Rows  []tableRow
}

// classes say how much attention something wants, most first.
var classes = []string{"error", "danger", "risk", "change", "done", "same"}

// tableRow is a tenant, or several that a section shows together.
type tableRow struct {
	Tenants []string
	// Cells are what stands behind the tenants.
	Cells []string
	Class string // one of classes
	// Text says the same in a sentence without a full stop; "" where text has no table.
	Text string
	// Section is the index of the section that shows the tenants.
	Section int
}

// maxRowNames is how many tenants of a row are named.
const maxRowNames = 24

// section is what one tenant, or several alike, are about.
type section struct {
	Tenants []tenantName
	// Tally says in short what happens here: "5 to create, 1 to change".
	Tally string
	Class string   // as tableRow.Class
	Lead  []string // what is special about it
	Error []string // why there is nothing to show, or what went wrong
	Cards []card
	// Notices are hazards, as cards whose titles name them.
	Notices []card
	// Same are the addresses that stay as they are.
	Same []string
	// Notes are closing sentences: what remains, what to do next.
	Notes []line
}

// rank orders by attention, most first.
func rank(class string) int { return slices.Index(classes, class) }

// Class is the most urgent of all rows.
func (d *document) Class() string {
	worst := len(classes) - 1
	for _, r := range d.Table.Rows {
		worst = min(worst, rank(r.Class))
	}
	return classes[worst]
}

type tenantName struct{ Name, Domain string }

// card is one resource, one notice, or one step of a run.
type card struct {
	Mark   string // "+", "~", "-", "-/+", or what a run prints in its place
	Action string // create, update, replace, delete, or an outcome: what HTML filters by
	Verb   string // the word before the title
	Title  string
	Aside  string // behind the title: the reason, the duration
	Risk   string // behind that: "can't be undone"
	Class  string
	Lines  []line
}

// line is one line below a card's header.
type line struct {
	Mark  string // "+", "-", "~", or ""
	Depth int
	Label string
	Text  string
	Note  string // a remark behind the text
	Class lineClass
}

type lineClass string

// The classes of lines. Labels of fields and of meta lines are aligned, each among their like.
const (
	field   lineClass = "field"
	meta    lineClass = "meta"    // keeps, needs, then, undo
	danger  lineClass = "danger"  // a meta line that must not be missed
	part    lineClass = "part"    // the header of a further step of the same resource
	code    lineClass = "code"    // program text; Text may begin with spaces
	hunk    lineClass = "hunk"    // what stands between pieces of a diff
	prose   lineClass = "prose"   // sentences
	command lineClass = "command" // something to type
)

// shape tells whether two sections can be shown as one: all but the texts of
// fields and sentences.
func (s *section) shape() []string {
	out := append(append([]string{s.Class, s.Tally}, s.Lead...), s.Error...)
	out = append(append(out, "same"), s.Same...)
	for _, cards := range [][]card{s.Cards, s.Notices} {
		out = append(out, "cards")
		for _, c := range cards {
			out = append(out, "card", c.Mark, c.Verb, c.Title, c.Risk, c.Class)
			for _, l := range c.Lines {
				out = append(out, "line", l.Mark, strconv.Itoa(l.Depth), l.Label, string(l.Class))
				if l.Class == code || l.Class == hunk || l.Class == part {
					out = append(out, l.Text)
				}
			}
		}
	}
	return out
}

// merged shows sections of one shape as one, calling out where they differ.
func merged(all []section) section {
	out := all[0]
	for _, s := range all[1:] {
		out.Tenants = append(slices.Clip(out.Tenants), s.Tenants...)
	}
	if len(all) == 1 {
		return out
	}
	mergeCards := func(pick func(*section) []card) []card {
		cards := slices.Clone(pick(&all[0]))
		for i := range cards {
			c := &cards[i]
			c.Aside = mergeText(all, func(s *section) string { return pick(s)[i].Aside })
			lines := c.Lines
			c.Lines = nil
			for j, l := range lines {
				c.Lines = append(c.Lines, mergeLine(all, l, func(s *section) line { return pick(s)[i].Lines[j] })...)
			}
		}
		return cards
	}
	out.Cards = mergeCards(func(s *section) []card { return s.Cards })
	out.Notices = mergeCards(func(s *section) []card { return s.Notices })
	return out
}

// mergeText returns the text that all sections have, or says that it differs.
func mergeText(all []section, of func(*section) string) string {
	first := of(&all[0])
	for i := range all {
		if of(&all[i]) != first {
			return "for a reason that differs by tenant"
		}
	}
	return first
}

// maxVariants is how many different values of one field are listed.
const maxVariants = 8

// mergeLine returns l if all sections have the same text there, else a line that
// says so with one line a variant below it.
func mergeLine(all []section, l line, of func(*section) line) []line {
	type variant struct {
		text, note string
		tenants    []string
	}
	var vs []variant
	for i := range all {
		got := of(&all[i])
		at := slices.IndexFunc(vs, func(v variant) bool { return v.text == got.Text && v.note == got.Note })
		if at < 0 {
			at = len(vs)
			vs = append(vs, variant{text: got.Text, note: got.Note})
		}
		vs[at].tenants = append(vs[at].tenants, all[i].Tenants[0].Name)
	}
	if len(vs) == 1 {
		return []line{l}
	}
	l.Text, l.Note = "differs by tenant:", ""
	out := []line{l}
	for i, v := range vs {
		if i == maxVariants && len(vs) > maxVariants+1 {
			rest := 0
			for _, v := range vs[i:] {
				rest += len(v.tenants)
			}
			out = append(out, line{
				Depth: l.Depth + 1, Class: prose,
				Text: "and " + count(rest, "more tenant") + "; --tenant shows one",
			})
			break
		}
		out = append(out, line{Depth: l.Depth + 1, Class: field, Label: some(v.tenants, 3), Text: v.text, Note: v.note})
	}
	return out
}
