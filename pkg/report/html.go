package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the page's template, style and script
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	// The bar that leads further lines of a text is for formats without paragraphs.
	"plain": func(s string) string { return strings.TrimPrefix(s, bar) },
}).Parse(pageHTML))

// page is a document as the template sees it.
type page struct {
	Doc    *document
	Title  string
	Policy string
	Style  template.CSS
	Script template.JS
	// Actions are what cards can be filtered by.
	Actions []string
	// Rows are the tenants that are listed one by one; Same stands for the others.
	Rows []tableRow
	Same string
	// Open says that all cards stand open at first.
	Open bool
}

// maxOpen is up to how many cards a page opens them all by itself.
const maxOpen = 30

// writeHTML writes one file that needs nothing besides: no script to be read, no
// request to anywhere. A content security policy that names style and script by
// their hashes keeps everything else from running, whatever a plan holds.
func writeHTML(w io.Writer, d *document, o Options) error {
	p := page{
		Doc: d, Title: short(cmp.Or(o.Title, d.Title), maxName),
		Style: template.CSS(pageCSS), Script: template.JS(pageJS), //nolint:gosec // files of this package
		Policy: fmt.Sprintf("default-src 'none'; img-src data:; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hashSource(pageCSS), hashSource(pageJS)),
	}
	cards := 0
	for _, s := range d.Sections {
		cards += len(s.Cards)
		for _, c := range s.Cards {
			if !slices.Contains(p.Actions, c.Action) {
				p.Actions = append(p.Actions, c.Action)
			}
		}
	}
	p.Open = cards <= maxOpen
	rows, same := d.Table.split()
	p.Rows = rows
	if same > 0 {
		p.Same = count(same, "tenant")
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, p); err != nil {
		return fmt.Errorf("writing the report as HTML: %w", err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

func hashSource(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Right reports whether column i of the table is aligned to the right.
func (p page) Right(i int) bool { return i < len(p.Doc.Table.Align) && p.Doc.Table.Align[i] == 'r' }

// Head is the title of column i.
func (p page) Head(i int) string { return p.Doc.Table.Head[i] }

// Next is the column behind i.
func (p page) Next(i int) int { return i + 1 }

// Names lists the tenants of a row.
func (r tableRow) Names() string { return some(r.Tenants, maxRowNames) }

// Several says how many tenants a row has, "" if it is one.
func (r tableRow) Several() string {
	if len(r.Tenants) == 1 {
		return ""
	}
	return count(len(r.Tenants), "tenant")
}

// Rest is the number of columns behind the first.
func (p page) Rest() int { return len(p.Doc.Table.Head) - 1 }

// Urgent reports whether a notice is one that nobody has acknowledged.
func (c card) Urgent() bool { return c.Mark == "!" }

// Count says how many tenants a section is about.
func (p page) Count(s section) string { return count(len(s.Tenants), "tenant") }

// CSS lists the style classes of a line.
func (l line) CSS() string {
	out := fmt.Sprintf("l %s d%d", l.Class, min(l.Depth, 3))
	switch l.Mark {
	case "+":
		out += " add"
	case "-":
		out += " del"
	case "~":
		out += " chg"
	}
	if l.Class == danger {
		out += " meta danger-line"
	}
	if l.Label == "" {
		return out + " wide"
	}
	return out + " has-label"
}
