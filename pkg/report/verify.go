package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/ecplan/ecplan/pkg/express"
)

// VerifyFormat is the version of the JSON form of what verify finds.
const VerifyFormat = "ecplan/verify/v1"

type verifyFile struct {
	Format  string           `json:"format"`
	Passed  bool             `json:"passed"`
	Strict  bool             `json:"strict"`
	Tenants []express.Report `json:"tenants"`
}

// Verify shows what checks of tenants came to. strict says that warnings count as
// failures.
func Verify(w io.Writer, rs []express.Report, strict bool, o Options) error {
	switch o.Format {
	case Text, "":
		return writeVerify(w, rs, strict, o)
	case JSON:
		f := verifyFile{Format: VerifyFormat, Passed: true, Strict: strict, Tenants: rs}
		for i := range rs {
			f.Passed = f.Passed && !rs[i].Failed(strict)
		}
		return writeJSON(w, f)
	case JUnit:
		return writeJUnit(w, verifySuites(rs, strict))
	}
	return unknownFormat("checks", o.Format, Text, JSON, JUnit)
}

var resultMarks = map[express.Result]string{express.OK: "✓", express.Fail: "✗", express.Warn: "!", express.Unknown: "?", express.Skipped: "·"}

func writeVerify(w io.Writer, rs []express.Report, strict bool, o Options) error {
	t := newTextWriter(o)
	for i := range rs {
		t.report(&rs[i], strict)
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

func (t *textWriter) report(r *express.Report, strict bool) {
	t.prose(0, "", tenantTitle(tenantName{short(r.Tenant, maxName), short(r.Domain, maxName)}), t.bold)
	if r.Error != "" {
		for i, l := range block(r.Error, maxDetail) {
			t.prose(2, map[bool]string{true: t.bad("✗ "), false: "  "}[i == 0], l, nil)
		}
	}
	class := express.Class("")
	for _, c := range r.Checks {
		if c.Class != class {
			class = c.Class
			t.newline()
			t.prose(0, "", map[express.Class]string{express.ClassSetup: "Set-up", express.ClassReadiness: "Readiness"}[class], t.bold)
		}
		t.check(c)
	}
	t.newline()
	paint := t.bold
	if r.Failed(strict) {
		paint = t.bad
	}
	t.prose(0, "", verdict(r, strict), paint)
}

func (t *textWriter) check(c express.Check) {
	mark := resultMarks[c.Result]
	title := short(c.Title, maxSentence)
	if c.Found != "" && (c.Result == express.OK || c.Result == express.Skipped) {
		title += " (" + short(c.Found, maxValue) + ")"
	}
	t.prose(2, t.mark(mark)(mark)+" ", title, nil)
	if c.Result == express.OK || c.Result == express.Skipped {
		return
	}
	for _, l := range [][2]string{{"check    ", c.ID}, {"about    ", c.Address}, {"found    ", c.Found}, {"expected ", c.Expected}} {
		if l[1] != "" {
			t.prose(6, t.dim(l[0]), short(l[1], maxSentence), nil)
		}
	}
	if c.Advice != "" {
		for _, l := range block(c.Advice, maxDetail) {
			t.prose(6, "", l, nil)
		}
	}
}

// verdict sums a tenant up in one sentence.
func verdict(r *express.Report, strict bool) string {
	if r.Error != "" {
		return "Not verified: nothing could be checked."
	}
	var parts []string
	for _, x := range []struct {
		result express.Result
		noun   string
	}{{express.Fail, "failure"}, {express.Warn, "warning"}} {
		if n := r.Count(x.result); n > 0 {
			parts = append(parts, count(n, x.noun))
		}
	}
	if n := r.Count(express.Unknown); n > 0 {
		parts = append(parts, thousands(n)+" unknown")
	}
	head := "Verified"
	if r.Failed(strict) {
		head = "Not ready"
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%s: %s, nothing amiss.", head, count(len(r.Checks), "check"))
	}
	return fmt.Sprintf("%s: %s; %s.", head, count(len(r.Checks), "check"), strings.Join(parts, ", "))
}

func verifySuites(rs []express.Report, strict bool) []junitSuite {
	var out []junitSuite
	for _, r := range rs {
		s := junitSuite{Name: short(r.Tenant, maxName)}
		if r.Error != "" {
			s.Cases = append(s.Cases, junitCase{Class: s.Name, Name: "verify", Error: &junitFailure{
				Message: "the tenant could not be verified", Type: "error", Text: strings.Join(block(r.Error, maxDetail), "\n"),
			}})
		}
		for _, c := range r.Checks {
			jc := junitCase{Class: s.Name + "." + string(c.Class), Name: short(c.ID, maxName) + ": " + short(c.Title, maxSentence)}
			text := strings.Join(block(fmt.Sprintf("found: %s\nexpected: %s\n%s", c.Found, c.Expected, c.Advice), maxDetail), "\n")
			switch {
			case c.Result == express.Fail, strict && (c.Result == express.Warn || c.Result == express.Unknown):
				jc.Failure = &junitFailure{Message: short(c.Title, maxSentence) + ": " + short(c.Found, maxSentence), Type: string(c.Result), Text: text}
			case c.Result == express.Warn || c.Result == express.Unknown:
				jc.Out = string(c.Result) + ": " + text
			}
			s.Cases = append(s.Cases, jc)
		}
		out = append(out, s)
	}
	return out
}
