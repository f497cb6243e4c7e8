package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/ecplan/ecplan/pkg/manifest"
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

// writeJSON writes v indented. What does not print is escaped: whoever looks at the
// file sees everything, and whoever parses it gets the same value.
func writeJSON(w io.Writer, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the report as JSON: %w", err)
	}
	var out bytes.Buffer
	for _, r := range buf.String() {
		switch {
		case r == '\n' || printable(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
