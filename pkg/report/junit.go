package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// The JUnit XML that CI systems read. There is no standard; these are the elements
// and attributes on which Jenkins, GitLab and GitHub's reporters agree
// (https://github.com/testmoapp/junitxml).
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Error   *junitFailure `xml:"error,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// diagnosticSuites makes one test case a problem, and one that passes if there is none.
func diagnosticSuites(ds manifest.Diagnostics) []junitSuite {
	s := junitSuite{Name: "ecplan validate"}
	for _, d := range ds {
		c := junitCase{Class: "manifest", Name: short(d.Summary, maxSentence), File: short(d.Pos.File, 4*maxName), Line: d.Pos.Line}
		if d.Address != "" {
			c.Name = short(d.Address, maxName) + ": " + c.Name
		}
		detail := at(d.Pos) + strings.Join(block(d.Detail, maxDetail), "\n")
		if d.Severity == manifest.Warning {
			c.Out = "warning: " + detail
		} else {
			c.Failure = &junitFailure{Message: c.Name, Type: "error", Text: detail}
		}
		s.Cases = append(s.Cases, c)
	}
	if len(s.Cases) == 0 {
		s.Cases = []junitCase{{Class: "manifest", Name: "the manifests are valid"}}
	}
	return []junitSuite{s}
}

func at(p manifest.Position) string {
	if p.File == "" {
		return ""
	}
	return short(p.String(), 4*maxName) + "\n"
}

// planSuites makes one suite a tenant and one case a resource: it fails if the
// tenant differs from the manifest.
func planSuites(p *planner.Plan, o Options) []junitSuite {
	var out []junitSuite
	for i := range p.Tenants {
		t := &p.Tenants[i]
		s := junitSuite{Name: short(t.Tenant, maxName)}
		if t.Error != "" {
			text := strings.Join(block(t.Error, maxDetail), "\n")
			s.Cases = append(s.Cases, junitCase{Class: s.Name, Name: "plan", Error: &junitFailure{Message: "the tenant could not be planned", Type: "error", Text: text}})
		}
		for _, f := range tenantFindings(t, o) {
			var lines []string
			for _, g := range f.apart() {
				lines = append(lines, at(g.pos)+g.detail)
			}
			s.Cases = append(s.Cases, junitCase{
				Class: s.Name, Name: f.address, File: short(f.pos.File, 4*maxName), Line: f.pos.Line,
				Failure: &junitFailure{Message: f.message, Type: f.rule, Text: strings.Join(lines, "\n")},
			})
		}
		for _, a := range t.Unchanged {
			s.Cases = append(s.Cases, junitCase{Class: s.Name, Name: short(a, maxName)})
		}
		out = append(out, s)
	}
	return out
}

func writeJUnit(w io.Writer, suites []junitSuite) error {
	all := junitSuites{Name: "ecplan", Suites: suites}
	for i := range suites {
		s := &suites[i]
		for _, c := range s.Cases {
			s.Tests++
			if c.Failure != nil {
				s.Failures++
			}
			if c.Error != nil {
				s.Errors++
			}
		}
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
	}
	b, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report as JUnit XML: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, b)
	return err
}
