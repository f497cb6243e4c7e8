package report

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/fatih/color"

	"github.com/ecplan/ecplan/pkg/kind"
)

// palette colours text; without colour it leaves it as it is.
type palette struct {
	add, del, change, replace, dim, bold, warn, bad func(...any) string
}

func newPalette(on bool) palette {
	paint := func(as ...color.Attribute) func(...any) string {
		c := color.New(as...)
		if on {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c.SprintFunc()
	}
	return palette{
		add: paint(color.FgGreen), del: paint(color.FgRed), change: paint(color.FgYellow), replace: paint(color.FgMagenta),
		dim: paint(color.Faint), bold: paint(color.Bold), warn: paint(color.FgYellow, color.Bold), bad: paint(color.FgRed, color.Bold),
	}
}

func (p palette) mark(m string) func(...any) string {
	switch m {
	case "+", "✓":
		return p.add
	case "-", "✗":
		return p.del
	case "~", "?":
		return p.change
	case "-/+", "↩":
		return p.replace
	case "!":
		return p.warn
	}
	return p.dim
}

// textWriter lays a document out for a terminal or a log.
type textWriter struct {
	palette
	out   strings.Builder
	width int
}

// minWidth is the narrowest that text is laid out for; a narrower terminal breaks lines itself.
const minWidth = 50

func newTextWriter(o Options) *textWriter {
	t := &textWriter{palette: newPalette(o.Color), width: o.Width}
	if t.width > 0 {
		t.width = max(t.width, minWidth)
	}
	return t
}

func writeText(w io.Writer, d *document, o Options) error {
	t := newTextWriter(o)
	// What wants attention comes last, where the eye is when the output ends.
	t.notices(d.Notices, false)
	for _, class := range slices.Backward(classes) {
		for i := range slices.Backward(d.Sections) {
			if d.Sections[i].Class == class {
				t.section(&d.Sections[i], len(d.Sections) == 1)
			}
		}
	}
	t.notices(d.Notices, true)
	t.overview(&d.Table)
	for _, l := range d.Lead {
		t.prose(0, "", l, t.warn)
	}
	paint := t.bold
	if d.Risk {
		paint = t.warn
	}
	t.prose(0, "", d.Headline, paint)
	if len(d.Asides) > 0 {
		t.prose(0, "", d.asides(), t.plainIf(!d.Risk))
	}
	for _, f := range d.Facts {
		if f[0] == "Checksum" || f[0] == "Run" || f[0] == toGoOn {
			t.out.WriteString(f[0] + ": " + t.dim(f[1]) + "\n") // never wrapped: it is there to be copied
		}
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

func (t *textWriter) plainIf(plain bool) func(...any) string {
	if plain {
		return t.dim
	}
	return t.change
}

// section writes one section; the only one leaves to the headline what that says as well.
func (t *textWriter) section(s *section, only bool) {
	t.prose(0, "", sectionTitle(s), t.bold)
	t.newline()
	for _, l := range s.Lead {
		t.prose(2, "", l, t.warn)
	}
	if len(s.Lead) > 0 {
		t.newline()
	}
	for i, e := range s.Error {
		t.prose(2, map[bool]string{true: t.bad("✗ "), false: "  "}[i == 0], e, nil)
	}
	if len(s.Error) > 0 {
		t.newline()
	}
	for i := range s.Cards {
		t.card(&s.Cards[i])
		if len(s.Cards[i].Lines) > 0 || i == len(s.Cards)-1 || len(s.Cards[i+1].Lines) > 0 {
			t.newline()
		}
	}
	if len(s.Cards) == 0 && len(s.Error) == 0 && !only {
		t.prose(2, "", s.Tally, nil)
		t.newline()
	} else if len(s.Same) > 0 && len(s.Cards) > 0 {
		t.prose(2, "", "As declared: "+some(s.Same, 12)+".", t.dim)
		t.newline()
	}
	for i := range slices.Backward(s.Notices) {
		t.card(&s.Notices[i])
		t.newline()
	}
	for _, l := range s.Notes {
		t.line(l, alignment{})
	}
	if len(s.Notes) > 0 {
		t.newline()
	}
}

// sectionTitle names the tenants of a section.
func sectionTitle(s *section) string {
	if len(s.Tenants) == 1 {
		return tenantTitle(s.Tenants[0])
	}
	names := make([]string, len(s.Tenants))
	for i, n := range s.Tenants {
		names[i] = n.Name
	}
	return count(len(s.Tenants), "tenant") + " alike: " + strings.Join(names, ", ")
}

func tenantTitle(n tenantName) string {
	if n.Domain == "" || n.Domain == n.Name {
		return n.Name
	}
	return n.Name + " (" + n.Domain + ")"
}

func (t *textWriter) card(c *card) {
	paint := t.mark(c.Mark)
	if c.Class == kind.Refusal {
		paint = t.bad
	}
	head := c.Mark + " " + c.Verb
	if c.Mark == "" {
		head = c.Verb
	}
	rest := []string{c.Title}
	if width(head) > minWidth/2 { // a verb of no kind that we know
		rest = []string{strings.TrimSpace(head[len(c.Mark):]), c.Title}
		head = c.Mark
	}
	if c.Aside != "" {
		rest = append(rest, "("+c.Aside+")")
	}
	text := strings.Join(rest, " ")
	pieces := wrap(text, t.room(width(head)+1))
	for i, p := range pieces {
		if i == 0 {
			title, aside := p, ""
			if strings.HasPrefix(p, c.Title) {
				title, aside = c.Title, p[len(c.Title):]
			}
			t.out.WriteString(paint(head) + " " + t.bold(title) + t.dimmed(aside))
		} else {
			t.out.WriteString(strings.Repeat(" ", width(head)+1) + t.dimmed(p))
		}
		if i < len(pieces)-1 {
			t.newline()
		}
	}
	if c.Risk != "" {
		if t.width > 0 && width(head)+width(pieces[len(pieces)-1])+width(c.Risk)+5 > t.width {
			t.out.WriteString("\n   ")
		}
		t.out.WriteString("  " + t.bad("! "+c.Risk))
	}
	t.newline()
	a := align(c.Lines)
	for _, l := range c.Lines {
		t.line(l, a)
	}
}

func (t *textWriter) dimmed(s string) string {
	if s == "" {
		return ""
	}
	return t.dim(s)
}

// alignment is the width of labels, by class and depth.
type alignment map[string]int

// maxLabel is the widest label that others are aligned to.
const maxLabel = 40

func align(lines []line) alignment {
	a := alignment{}
	for _, l := range lines {
		if n := width(l.Label); n <= maxLabel {
			a[l.column()] = max(a[l.column()], n)
		}
	}
	return a
}

func (l line) column() string {
	if l.Class == danger {
		return string(meta) + strconv.Itoa(l.Depth)
	}
	return string(l.Class) + strconv.Itoa(l.Depth)
}

func (a alignment) pad(l line) string {
	if n := a[l.column()] - width(l.Label); n > 0 {
		return strings.Repeat(" ", n)
	}
	return ""
}

// left returns what stands before a line's text.
func (l line) left(a alignment) string {
	mark := l.Mark
	if mark == "" {
		mark = " "
	}
	switch {
	case l.Class == prose || l.Class == command:
		return ""
	case l.Label == "":
		return mark + " "
	}
	return mark + " " + l.Label + a.pad(l) + "  "
}

func (t *textWriter) line(l line, a alignment) {
	indent := l.indent()
	left := l.left(a)
	paint, textPaint := t.mark(l.Mark), func(a ...any) string { return a[0].(string) }
	switch l.Class {
	case meta, hunk:
		paint, textPaint = t.dim, t.dim
	case danger:
		paint, textPaint = t.bad, t.bad
	case part:
		textPaint = t.mark(l.Mark)
	case code:
		textPaint = t.mark(l.Mark)
		if l.Mark == "" {
			textPaint = t.dim
		}
	case command:
		textPaint = t.bold
	case field, prose:
	}
	if l.Label != "" && l.Mark != "" && l.Class == field {
		left = paint(l.Mark) + left[len(l.Mark):]
	} else if strings.TrimSpace(left) != "" {
		left = paint(left)
	}
	text := l.Text
	switch {
	case l.Note != "" && text == "":
		text = l.Note
	case l.Note != "":
		text += "  " + l.Note
	}
	if plain := l.left(a); t.width > 0 && indent+width(plain) > t.width-minRoom {
		// A name as long as the line: it is wrapped itself, and the text goes below it.
		for i, p := range wrap(strings.TrimRight(plain, " "), t.width-indent-2) {
			if i > 0 {
				p = "  " + p
			}
			t.out.WriteString(strings.Repeat(" ", indent) + paint(p) + "\n")
		}
		if text == "" {
			return
		}
		indent, left, l.Label, l.Mark, l.Class = indent+2, "", "", "", prose
	}
	pieces := wrap(text, t.room(indent+width(l.left(a))))
	hang := strings.Repeat(" ", indent+min(width(l.left(a)), t.hangLimit()))
	for i, p := range pieces {
		switch {
		case i > 0:
			t.out.WriteString(hang)
		case p == "":
			t.out.WriteString(strings.Repeat(" ", indent) + strings.TrimRight(left, " "))
		default:
			t.out.WriteString(strings.Repeat(" ", indent) + left)
		}
		if note := l.Note; note != "" && i == len(pieces)-1 && strings.HasSuffix(p, note) {
			t.out.WriteString(textPaint(strings.TrimSuffix(p, note)) + t.dim(note))
		} else if p != "" {
			t.out.WriteString(textPaint(p))
		}
		t.newline()
	}
}

// indent is how far a line stands from the left: the header of a further step two
// columns, what is below it four.
func (l line) indent() int {
	if l.Class == part {
		return 2
	}
	return 4 + 2*l.Depth
}

// room is how many columns are left behind a line's first n; 0 is no bound.
func (t *textWriter) room(n int) int {
	if t.width == 0 {
		return 0
	}
	return max(t.width-n, minRoom)
}

// minRoom is the least that a text is squeezed to.
const minRoom = 20

func (t *textWriter) hangLimit() int {
	if t.width == 0 {
		return 0
	}
	return t.width / 2
}

// prose writes text wrapped; further lines stand two columns further right, so that
// none of them looks like the beginning of something.
func (t *textWriter) prose(indent int, lead, text string, paint func(...any) string) {
	if paint == nil {
		paint = func(a ...any) string { return a[0].(string) }
	}
	for i, p := range wrap(text, t.room(indent+2)) {
		if i == 0 {
			t.out.WriteString(strings.Repeat(" ", indent) + lead + paint(p) + "\n")
		} else {
			t.out.WriteString(strings.Repeat(" ", indent+2) + paint(p) + "\n")
		}
	}
}

func (t *textWriter) newline() { t.out.WriteByte('\n') }
