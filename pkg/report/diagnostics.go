package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// writeDiagnostics lists problems for people, each with its line where o.Source has it.
func writeDiagnostics(w io.Writer, ds manifest.Diagnostics, o Options) error {
	t := newTextWriter(o)
	sources := map[string][]string{}
	for _, d := range ds {
		paint, word := t.bad, string(manifest.Error)
		if d.Severity == manifest.Warning {
			paint, word = t.warn, string(manifest.Warning)
		}
		head := ""
		if p := d.Pos.String(); p != "" {
			head = short(p, 4*maxName) + ": "
		}
		rest := ""
		if d.Address != "" {
			rest = short(d.Address, maxName) + ": "
		}
		t.out.WriteString(t.bold(head) + paint(word+": ") + rest + short(d.Summary, maxSentence) + "\n")
		if !d.Private {
			t.source(d.Pos, sources, o)
		}
		if d.Detail != "" {
			for _, l := range block(d.Detail, maxDetail) {
				t.prose(4, "", l, nil)
			}
		}
	}
	if len(ds) > 0 {
		t.newline()
		t.out.WriteString(t.bold(diagnosticsTally(ds)) + "\n")
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

func diagnosticsTally(ds manifest.Diagnostics) string {
	errors := ds.Errors()
	if warnings := len(ds) - errors; warnings > 0 {
		return fmt.Sprintf("%s, %s.", count(errors, "error"), count(warnings, "warning"))
	}
	return count(errors, "error") + "."
}

// source shows the line at p with a caret below its column.
func (t *textWriter) source(p manifest.Position, sources map[string][]string, o Options) {
	if o.Source == nil || p.File == "" || p.Line == 0 {
		return
	}
	lines, read := sources[p.File]
	if !read {
		if b, err := o.Source(p.File); err == nil { // without the text there is the place alone
			lines = strings.Split(string(b), "\n")
		}
		sources[p.File] = lines
	}
	if p.Line > len(lines) {
		return
	}
	raw := strings.TrimSuffix(lines[p.Line-1], "\r")
	col := 0 // the column counts characters (yaml.v3), and the line is cut at a byte
	for range p.Column - 1 {
		_, n := utf8.DecodeRuneInString(raw[col:])
		col += n
	}
	// The caret must stand below what it points at: both parts are made visible apart.
	const around = 100
	before, after := raw[:col], raw[col:]
	if len(before) > around {
		before = "…" + strings.ToValidUTF8(before[len(before)-around:], "")
	}
	if len(after) > around {
		after = strings.ToValidUTF8(after[:around], "") + "…"
	}
	before, after = visible(before), visible(after)
	gutter := fmt.Sprintf("    %d | ", p.Line)
	t.out.WriteString(t.dim(gutter) + before + after + "\n")
	t.out.WriteString(t.dim(strings.Repeat(" ", len(gutter)-2)+"| ") + strings.Repeat(" ", width(before)) + t.bad("^") + "\n")
}
