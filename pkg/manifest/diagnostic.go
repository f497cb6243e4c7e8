package manifest

import (
	"cmp"
	"slices"
	"strings"
)

// Severity tells an error, which stops, from a warning, which does not.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Diagnostic is one problem: where, what, why, and what to do.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	Pos      Position `json:"position"`
	// Address is the resource concerned, "" if none is known yet.
	Address string `json:"address,omitempty"`
	// Path is the field within the document ("spec.callbacks[0]").
	Path string `json:"path,omitempty"`
	// Summary is one short sentence without a full stop: what is wrong.
	Summary string `json:"summary"`
	// Detail says in full sentences why it is a problem, what is allowed and what to do.
	Detail string `json:"detail,omitempty"`
	// Private says that the line at Pos holds a sensitive value: it must not be quoted.
	Private bool `json:"-"`
}

// String gives "file:line:col: error: Address: summary" and the detail below, indented.
func (d Diagnostic) String() string {
	var b strings.Builder
	if p := d.Pos.String(); p != "" {
		b.WriteString(p + ": ")
	}
	b.WriteString(string(cmp.Or(d.Severity, Error)) + ": ")
	if d.Address != "" {
		b.WriteString(d.Address + ": ")
	}
	b.WriteString(d.Summary)
	for line := range strings.SplitSeq(strings.TrimRight(d.Detail, "\n"), "\n") {
		if line != "" {
			b.WriteString("\n    " + line)
		}
	}
	return b.String()
}

// Diagnostics are problems in the order of their places.
type Diagnostics []Diagnostic

// Errors counts those that stop.
func (ds Diagnostics) Errors() int {
	n := 0
	for _, d := range ds {
		if d.Severity != Warning {
			n++
		}
	}
	return n
}

// Err returns the diagnostics as an error if one of them stops, else nil.
func (ds Diagnostics) Err() error {
	if ds.Errors() == 0 {
		return nil
	}
	return ds
}

// Error lists all, one after the other.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Sort puts the diagnostics in the order of file, line and column, and drops repetitions.
func (ds Diagnostics) Sort() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Address, b.Address))
	})
	return slices.Compact(ds)
}
