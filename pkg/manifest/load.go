package manifest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/schemas"
)

// Set is what the manifests declare, as it is written: nothing is filled in yet. It may
// be used by several goroutines.
type Set struct {
	docs []*document
	// tenants are those that docs declare; see Tenants.
	tenants []TenantInfo
	lost    lost
	files   files
	// used are the variables that documents ask for.
	used map[string]bool
	// private are the lines that hold sensitive values, by file.
	private map[string]map[int]bool
}

// Load reads the manifests that paths name: files, and folders with all *.yaml and *.yml
// below them. It checks everything against the schemas and reports every problem. The
// Set holds what could be read, and is returned even with problems.
func Load(paths []string) (*Set, Diagnostics) {
	s := &Set{}
	sources, ds := find(paths)
	s.lost.all = len(ds) > 0
	for _, src := range sources {
		docs, problems := parse(src, &s.lost)
		s.docs, ds = append(s.docs, docs...), append(ds, problems...)
	}
	s.tenants = tenantsOf(s.docs)
	first := map[string]*document{}
	for _, d := range s.docs {
		ds = append(ds, d.check()...)
		ds = append(ds, d.checkLiterals()...)
		s.hide(d)
		s.note(d)
		a := d.address()
		if _, ok := d.root["spec"].(map[string]any); !ok || !isKind(d.kind) || d.name == "" {
			s.lost.add(d.kind, d.name)
		}
		if a == "" {
			continue
		}
		if other, ok := first[a]; ok {
			ds = append(ds, Diagnostic{
				Severity: Error, Pos: d.at("metadata.name"), Address: a, Summary: "the address is there twice",
				Detail: fmt.Sprintf("It is declared at %s already. Give one of the two another metadata.name, or take one out.", other.at("metadata.name")),
			})
			continue
		}
		first[a] = d
	}
	if len(s.docs) == 0 && ds.Errors() == 0 {
		ds = append(ds, Diagnostic{
			Severity: Error, Summary: "there are no manifests",
			Detail: fmt.Sprintf("%s holds no YAML document that begins with apiVersion: %s. Name files or folders with -f.", inSentence(paths), APIVersion),
		})
	}
	ds = append(ds, sameDomain(s.docs)...)
	ds = append(ds, s.checkOverrides()...)
	ds = append(ds, s.checkVariables()...)
	ds = append(ds, s.checkRollouts()...)
	return s, s.mark(ds.Sort())
}

// note remembers the variables that d asks for.
func (s *Set) note(d *document) {
	if s.used == nil {
		s.used = map[string]bool{}
	}
	for _, spec := range d.versions() {
		walkRules(spec, schemas.Rules(d.kind), "", func(_ string, v any, rule *schemas.Rule) {
			text, _ := v.(string)
			parts, _ := pieces(text)
			for _, p := range parts {
				if name, ok := strings.CutPrefix(p.text, "var."); ok && p.expr && (rule == nil || !rule.Text) {
					s.used[name] = true
				}
			}
		})
	}
}

// unused warns of variables from the command line that no document asks for: a
// misspelt one would leave another at its old value.
func (s *Set) unused(vars map[string]string) Diagnostics {
	var ds Diagnostics
	for _, name := range Keys(vars) {
		if !s.used[name] {
			ds = append(ds, Diagnostic{
				Severity: Warning, Summary: fmt.Sprintf("the variable %s is not used by any document", quoted(name)),
				Detail: sentences("It was given with --var.", didYouMean(name, Keys(s.used))),
			})
		}
	}
	return ds
}

// hide notes the lines on which d has sensitive values written out.
func (s *Set) hide(d *document) {
	for at, spec := range d.versions() {
		s.hideBelow(d, at, spec)
	}
}

func (s *Set) hideBelow(d *document, at string, spec map[string]any) {
	walkRules(spec, schemas.Rules(d.kind), at, func(path string, v any, rule *schemas.Rule) {
		text, isText := v.(string)
		key := rule != nil && rule.Format == formatKey && strings.Contains(text, "PRIVATE KEY")
		if !key && (rule == nil || !rule.Sensitive) {
			return
		}
		if parts, ok := pieces(text); isText && ok && len(parts) == 1 && parts[0].expr {
			return // no value, but the name of one
		}
		if s.private == nil {
			s.private = map[string]map[int]bool{}
		}
		at := d.at(path)
		if s.private[at.File] == nil {
			s.private[at.File] = map[int]bool{}
		}
		for n := range strings.Count(text, "\n") + 2 {
			s.private[at.File][at.Line+n] = true
		}
	})
}

// mark makes the problems on lines with sensitive values private.
func (s *Set) mark(ds Diagnostics) Diagnostics {
	for i, d := range ds {
		ds[i].Private = d.Private || s.private[d.Pos.File][d.Pos.Line]
	}
	return ds
}

func inSentence(paths []string) string {
	out := ""
	for i, p := range paths {
		switch {
		case i > 0 && i == len(paths)-1:
			out += " or "
		case i > 0:
			out += ", "
		}
		out += quoted(p)
	}
	return cmp.Or(out, "No path was given, which")
}

// check holds a document against the schemas as far as its values are written out.
func (d *document) check() Diagnostics {
	s := &subject{address: d.address(), kind: d.kind, open: closed, place: d.place}
	var ds Diagnostics
	s.value = d.root
	ds = append(ds, s.check(schemas.Document)...)
	if d.kind != "" && !isKind(d.kind) {
		return append(ds, Diagnostic{
			Severity: Error, Pos: d.at("kind"), Summary: "there is no kind " + quoted(d.kind),
			Detail: sentences(didYouMean(d.kind, schemas.Kinds()), listing("There are", schemas.Kinds())),
		})
	}
	if d.kind == "" {
		return ds
	}
	if m, ok := d.root["metadata"].(map[string]any); ok {
		part := "#/$defs/metadata"
		if !onTenants(d.kind) {
			part = "#/$defs/tenant_metadata"
		}
		s.value, s.prefix, s.rule = m, "metadata", nil
		ds = append(ds, s.check(schemas.Document+part)...)
		if only, ok := schemas.Tree(d.kind)["x-ecplan-name"].(string); ok && d.name != "" && d.name != only {
			ds = append(ds, Diagnostic{
				Severity: Error, Pos: d.at("metadata.name"), Address: s.address, Path: "metadata.name",
				Summary: fmt.Sprintf("metadata.name of a %s must be %s", d.kind, only), Detail: "A tenant has one only.",
			})
		}
	}
	if len(d.overrides()) > 0 {
		return ds // what each tenant gets is checked; see checkOverrides
	}
	return append(ds, d.checkSpec()...)
}

// checkSpec holds the spec against its kind's schema as far as its values are written out.
func (d *document) checkSpec() Diagnostics {
	m, ok := d.root["spec"].(map[string]any)
	if !ok {
		return nil
	}
	s := &subject{address: d.address(), kind: d.kind, value: m, prefix: "spec", rule: schemas.Rules(d.kind), open: d.open, place: d.place}
	if d.kind == KindRollout {
		s.open = closed
	}
	ds := s.check(d.kind)
	if d.kind == KindTenant {
		ds = append(ds, d.checkAuth()...)
	}
	return ds
}

// place is where a message about path points to.
func (d *document) place(path string, key bool) Position {
	if key {
		return d.keyAt(path)
	}
	return d.at(path)
}

// closed says that nothing is filled in: metadata stands as it is written.
func closed(_ string, v any, _ *schemas.Rule) bool { return placeholderTree(v) }

// open reports whether a value still has to be filled in: text with ${…} in it, or a
// value from elsewhere.
func (d *document) open(_ string, v any, rule *schemas.Rule) bool {
	switch v := v.(type) {
	case string:
		return (rule == nil || !rule.Text) && hasExpression(v)
	case map[string]any:
		return placeholderTree(v) || isElsewhere(v, rule)
	}
	return false
}

// TenantInfo is what is known of a declared tenant without environment and variables.
type TenantInfo struct {
	Name   string
	Labels map[string]string
	// Domain is as it is written; it may hold ${…}.
	Domain string
	Pos    Position
}

// Tenants lists the declared tenants, sorted by name.
func (s *Set) Tenants() []TenantInfo { return slices.Clone(s.tenants) }

func tenantsOf(docs []*document) []TenantInfo {
	var out []TenantInfo
	for _, d := range docs {
		if d.kind != KindTenant || d.name == "" {
			continue
		}
		domain, _ := d.spec["domain"].(string)
		out = append(out, TenantInfo{Name: d.name, Labels: stringMap(d.metadata["labels"]), Domain: domain, Pos: d.pos})
	}
	slices.SortStableFunc(out, func(a, b TenantInfo) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b TenantInfo) bool { return a.Name == b.Name })
}

func (s *Set) tenant(name string) *document {
	for _, d := range s.docs {
		if d.kind == KindTenant && d.name == name {
			return d
		}
	}
	return nil
}

// Digest identifies the declarations: the documents, in whatever files and order they
// stand, the content of the files that they name, and vars. Environment is not part of it.
func (s *Set) Digest(vars map[string]string) string {
	type entry struct {
		Document map[string]any    `json:"document"`
		Files    map[string]string `json:"files,omitempty"`
	}
	lines := make([]string, 0, len(s.docs)+1)
	for _, d := range s.docs {
		e := entry{Document: d.root, Files: map[string]string{}}
		for _, rel := range s.named(d, vars) {
			text, err := s.files.get(d.src, rel)
			if err != nil {
				e.Files[rel] = err.Error()
				continue
			}
			sum := sha256.Sum256(text)
			e.Files[rel] = hex.EncodeToString(sum[:])
		}
		lines = append(lines, mustJSON(e))
	}
	slices.Sort(lines)
	given := map[string]string{}
	maps.Copy(given, vars) // none and an empty map are the same
	sum := sha256.Sum256([]byte(mustJSON(append(lines, mustJSON(given)))))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// named lists the files that a document names, for each tenant where that depends on it.
func (s *Set) named(d *document, vars map[string]string) []string {
	seen := map[string]bool{}
	var tenants []*scope
	found := func(m map[string]any) {
		rel, ok := m["file"].(string)
		if !ok {
			return
		}
		if !hasExpression(rel) {
			seen[rel] = true
			return
		}
		if tenants == nil {
			for _, t := range s.Tenants() {
				sc, _ := s.scopeOf(t.Name, Inputs{Vars: vars, SyntaxOnly: true})
				tenants = append(tenants, sc)
			}
		}
		for _, sc := range tenants {
			at := *sc
			at.ds = nil
			if text, ok := at.fill(rel, "", Position{}).(string); ok {
				seen[text] = true
			}
		}
	}
	for _, spec := range d.versions() {
		walkElsewhere(spec, schemas.Rules(d.kind), found)
	}
	return Keys(seen)
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("manifest: not JSON: " + err.Error()) // value trees always are
	}
	return string(b)
}

func stringMap(v any) map[string]string {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, e := range m {
		if s, ok := e.(string); ok {
			out[k] = s
		}
	}
	return out
}
