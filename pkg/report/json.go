package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// DiagnosticsFormat is the version of the JSON form of diagnostics.
const DiagnosticsFormat = "ecplan/diagnostics/v1"

type diagnosticsFile struct {
	Format      string               `json:"format"`
	Errors      int                  `json:"errors"`
	Warnings    int                  `json:"warnings"`
	Diagnostics manifest.Diagnostics `json:"diagnostics"`
}

func diagnosticsJSON(ds manifest.Diagnostics) diagnosticsFile {
	if ds == nil {
		ds = manifest.Diagnostics{}
	}
	return diagnosticsFile{DiagnosticsFormat, ds.Errors(), len(ds) - ds.Errors(), ds}
}

// writePlanJSON writes the plan as it is saved, so that apply takes the output too.
func writePlanJSON(w io.Writer, p *planner.Plan) error {
	b, err := planner.Encode(p)
	if err != nil {
		return err
	}
	_, err = w.Write(visibleJSON(b))
	return err
}

// Line writes v as one line of JSON.
func Line(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a line of JSON: %w", err)
	}
	_, err = w.Write(append(visibleJSON(b), '\n'))
	return err
}

func writeJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	_, err = w.Write(append(visibleJSON(b), '\n'))
	return err
}

// visibleJSON escapes what does not print: whoever looks at the file sees everything,
// and whoever parses it gets the same value.
func visibleJSON(b []byte) []byte {
	if !bytes.ContainsFunc(b, hidden) {
		return b
	}
	var out bytes.Buffer
	for _, r := range string(b) {
		switch {
		case !hidden(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

func hidden(r rune) bool { return (r < ' ' || r > '~') && r != '\n' && !printable(r) }
