package report

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// SARIF 2.1.0, as far as code scanning reads it
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html).
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name  string      `json:"name"`
	Rules []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID   string    `json:"id"`
	Text sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
	// Fingerprints let a server see that a finding is still the same one.
	Fingerprints map[string]string `json:"partialFingerprints,omitempty"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

// finding is one thing that CI shows at a line of a manifest.
type finding struct {
	rule    string // an id of findingRules
	level   string // "error", "warning", "note"
	message string
	detail  string
	address string
	tenant  string
	pos     manifest.Position
	// fields are what differs of a resource, in place of detail.
	fields []placed
}

// placed is a field that differs, and where the manifest gives its value.
type placed struct {
	text string
	pos  manifest.Position
}

// apart splits a finding by the places of its fields: a server shows one place of each.
func (f finding) apart() []finding {
	var out []finding
	for _, x := range f.fields {
		i := slices.IndexFunc(out, func(g finding) bool { return g.pos.File == x.pos.File && g.pos.Line == x.pos.Line })
		if i < 0 {
			i = len(out)
			g := f
			g.pos, g.fields = x.pos, nil
			out = append(out, g)
		}
		out[i].fields = append(out[i].fields, x)
	}
	if len(out) == 0 {
		out = []finding{f}
	}
	for i := range out {
		out[i].detail = out[i].fieldList()
	}
	return out
}

// fieldList names the fields, or gives the detail of a finding that has none.
func (f finding) fieldList() string {
	if len(f.fields) == 0 {
		return f.detail
	}
	texts := make([]string, len(f.fields))
	for i, x := range f.fields {
		texts[i] = x.text
	}
	return some(texts, 20)
}

// findingRules are the kinds of findings, by id.
var findingRules = []sarifRule{
	{"manifest", sarifText{"The manifest is not valid."}},
	{"drift", sarifText{"The tenant was changed since the last run."}},
	{"difference", sarifText{"The tenant is not as the manifest declares."}},
	{"no-plan", sarifText{"The tenant could not be planned."}},
	{"notice", sarifText{"A hazard that a reviewer must see."}},
}

func diagnosticFindings(ds manifest.Diagnostics) []finding {
	out := make([]finding, 0, len(ds))
	for _, d := range ds {
		f := finding{
			rule: "manifest", level: "error", pos: d.Pos, address: short(d.Address, maxName),
			message: short(d.Summary, maxSentence), detail: strings.Join(block(d.Detail, maxDetail), "\n"),
		}
		if d.Severity == manifest.Warning {
			f.level = "warning"
		}
		if f.address != "" {
			f.message = f.address + ": " + f.message
		}
		out = append(out, f)
	}
	return out
}

func planFindings(p *planner.Plan, o Options) []finding {
	var out []finding
	for i := range p.Tenants {
		t := &p.Tenants[i]
		name := short(t.Tenant, maxName)
		if t.Error != "" {
			out = append(out, finding{
				rule: "no-plan", level: "error", tenant: name, pos: o.position(t.Tenant, "Tenant/"+t.Tenant, ""),
				message: name + " could not be planned", detail: strings.Join(block(t.Error, maxDetail), "\n"),
			})
		}
		out = append(out, tenantFindings(t, o)...)
		for _, n := range t.Notices {
			if (n.Acknowledged == "" || n.Acknowledged == kind.ByForce) && n.Level != kind.Info {
				out = append(out, finding{
					rule: "notice", level: map[string]string{kind.Refusal: "error"}[n.Level], tenant: name,
					address: short(n.Address, maxName), pos: o.position(t.Tenant, n.Address, ""),
					message: name + ": " + short(n.ID, maxName) + ": " + short(n.Summary, maxSentence), detail: strings.Join(block(n.Detail, maxDetail), "\n"),
				})
			}
		}
	}
	return out
}

func (o Options) position(tenant, address, path string) manifest.Position {
	if o.Position == nil {
		return manifest.Position{}
	}
	return o.Position(tenant, address, path)
}

// tenantFindings makes one finding of each resource that a plan changes, at the first
// field that differs.
func tenantFindings(t *planner.TenantPlan, o Options) []finding {
	var out []finding
	for _, steps := range byAddress(t.Steps) {
		address := steps[0].Address
		f := finding{
			rule: "difference", level: "warning", tenant: short(t.Tenant, maxName),
			address: short(address, maxName), pos: o.position(t.Tenant, address, ""),
		}
		var reasons []string
		for _, s := range steps {
			reasons = append(reasons, short(s.Reason, maxSentence))
			if s.Cause == kind.Drift || s.Cause == kind.Both {
				f.rule = "drift"
			}
			for _, c := range s.Changes {
				f.fields = append(f.fields, placed{opMark(c.Op) + " " + short(c.Path, maxName), o.position(t.Tenant, address, c.Path)})
			}
		}
		if len(f.fields) > 0 {
			f.pos = f.fields[0].pos
		}
		f.message = fmt.Sprintf("%s on %s: %s (%s)", f.address, f.tenant, actionOf(steps), strings.Join(slices.Compact(reasons), "; "))
		out = append(out, f)
	}
	return out
}

func writeSARIF(w io.Writer, fs []finding) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "ecplan", Rules: findingRules}}, Results: []sarifResult{}}
	for _, whole := range fs {
		for i, f := range whole.apart() {
			run.Results = append(run.Results, f.result(i))
		}
	}
	return writeJSON(w, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// result writes the ith part of a finding.
func (f finding) result(i int) sarifResult {
	text, known := f.message, []string{f.rule, f.tenant, f.address, f.message}
	if f.detail != "" {
		text += "\n" + f.detail
	}
	if i > 0 {
		known = append(known, f.fields[0].text)
	}
	r := sarifResult{
		RuleID: f.rule, Level: cmp.Or(f.level, "warning"), Message: sarifText{text},
		Fingerprints: map[string]string{"ecplan/v1": planner.Digest(known)},
	}
	if f.pos.File != "" {
		p := sarifPhysical{Artifact: sarifArtifact{fileURI(f.pos.File)}}
		if f.pos.Line > 0 {
			p.Region = &sarifRegion{f.pos.Line, f.pos.Column}
		}
		r.Locations = []sarifLocation{{p}}
	}
	return r
}

// fileURI makes a path a URI reference, relative where the path is.
func fileURI(path string) string {
	p := filepath.ToSlash(path)
	u := url.URL{Path: p}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
	}
	return u.String()
}
