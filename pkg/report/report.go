// Package report shows plans, runs and diagnostics to people and to machines: as
// text for terminals and logs, Markdown for pull requests, HTML for a file that is
// mailed around or kept for an audit, JSON, JUnit and SARIF for programs, Mermaid
// and DOT for graphs.
//
// All formats that people read are made from one document (document.go), so they
// can't disagree: plan.go and run.go build it, text.go, markdown.go and html.go
// print it. Whatever comes from a manifest or a tenant passes visible() on its way
// in, so no name, description or code can forge, hide or break a line.
//
// The package does not know how a plan is made or run. The commands call it.
package report

import (
	"fmt"
	"io"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// The formats. Plan and Run take text, json, markdown and html; Plan and
// Diagnostics take junit and sarif besides; Graph takes mermaid and dot.
const (
	Text     = "text"
	JSON     = "json"
	Markdown = "markdown"
	HTML     = "html"
	JUnit    = "junit"
	SARIF    = "sarif"
	Mermaid  = "mermaid"
	DOT      = "dot"
)

// Options says how to show something. The zero value is plain text, not wrapped.
type Options struct {
	// Format is one of the constants above; "" is Text.
	Format string
	// Color puts colours into text. Other formats do not heed it.
	Color bool
	// Width is the number of columns at which text is wrapped, at least 50; 0 does not wrap.
	Width int
	// MaxBytes bounds Markdown, to 4,000 at least; 0 is MaxComment.
	MaxBytes int
	// Title is the heading of Markdown and HTML; "" takes a fitting one.
	Title string
	// Link is where the whole is to be found when Markdown had to be cut: a URL, or
	// a command. "" names the command that shows a saved plan.
	Link string
	// Source returns a manifest's text, so that a diagnostic can show its line; nil shows none.
	Source func(file string) ([]byte, error)
	// Position says where the field at path of a resource is declared, or the nearest
	// thing around it, so that JUnit and SARIF can point at the line; path is that of a
	// change, or "" for the resource. nil, or a zero Position, points nowhere.
	Position func(tenant, address, path string) manifest.Position
}

// MaxComment is the size in bytes under which Markdown stays unless told otherwise.
// GitHub takes comments of at most 65,536 characters; the rest is room for what a
// workflow puts around the report.
const MaxComment = 64000

// Plan shows p.
func Plan(w io.Writer, p *planner.Plan, o Options) error {
	p = masked(p)
	switch o.Format {
	case Text, "":
		return writeText(w, planDocument(p, limitsOf(o.Format)), o)
	case Markdown:
		return writeMarkdown(w, planDocument(p, limitsOf(o.Format)), o)
	case HTML:
		return writeHTML(w, planDocument(p, limitsOf(o.Format)), o)
	case JSON:
		return writePlanJSON(w, p)
	case JUnit:
		return writeJUnit(w, planSuites(p, o))
	case SARIF:
		return writeSARIF(w, planFindings(p, o))
	}
	return unknownFormat("a plan", o.Format, Text, JSON, Markdown, HTML, JUnit, SARIF)
}

// Run shows what became of a run.
func Run(w io.Writer, r RunReport, o Options) error {
	switch o.Format {
	case Text, "":
		return writeText(w, runDocument(r), o)
	case Markdown:
		return writeMarkdown(w, runDocument(r), o)
	case HTML:
		return writeHTML(w, runDocument(r), o)
	case JSON:
		r.Format = RunFormat
		return writeJSON(w, r)
	}
	return unknownFormat("a run", o.Format, Text, JSON, Markdown, HTML)
}

// Diagnostics shows the problems of manifests.
func Diagnostics(w io.Writer, ds manifest.Diagnostics, o Options) error {
	switch o.Format {
	case Text, "":
		return writeDiagnostics(w, ds, o)
	case JSON:
		return writeJSON(w, diagnosticsJSON(ds))
	case JUnit:
		return writeJUnit(w, diagnosticSuites(ds))
	case SARIF:
		return writeSARIF(w, diagnosticFindings(ds))
	}
	return unknownFormat("diagnostics", o.Format, Text, JSON, JUnit, SARIF)
}

func unknownFormat(what, got string, want ...string) error {
	return fmt.Errorf("there is no format %q for %s; the formats are %s", visible(got), what, listOf(want))
}
