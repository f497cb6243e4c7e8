package report

import (
	"encoding/json"
	"fmt"
	"io"

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
	_, err = w.Write(b)
	return err
}

// Line writes v as one line of JSON.
func Line(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write a line of JSON: %w", err)
	}
	_, err = w.Write(append(planner.Escape(b), '\n'))
	return err
}

func writeJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	_, err = w.Write(append(planner.Escape(b), '\n'))
	return err
}
