// Package docs holds the documentation. Its test writes the reference of the kinds from
// the schemas, and fails while the pages are older than the schemas:
//
//	go test ./docs -update
package docs

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

var update = flag.Bool("update", false, "write the generated pages anew")

func TestReference(t *testing.T) {
	examples := exampleDocuments(t)
	for _, name := range schemas.Kinds() {
		page(t, name+".md", kindPage(t, name, examples[name]))
	}
	page(t, "metadata.md", metadataPage())
	page(t, "README.md", indexPage())
}

// page compares a page of the reference with what it should be, or writes it.
func page(t *testing.T, name string, want []byte) {
	t.Helper()
	file := filepath.Join("reference", name)
	if *update {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go test ./docs -update", err)
	}
	if diff := cmp.Diff(string(have), string(want)); diff != "" {
		t.Errorf("%s is not what the schemas say; run go test ./docs -update. The difference (- page, + schemas):\n%s", file, diff)
	}
}

// exampleDocuments returns the first document of each kind in the examples, as written;
// one that only looks an object up shows too little.
func exampleDocuments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"../examples/express/*.yaml", "../examples/base-kinds/*.yaml", "../examples/*/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, doc := range strings.Split(string(text), "\n---\n") {
				var head struct {
					Kind     string `yaml:"kind"`
					Metadata struct {
						Existing bool `yaml:"existing"`
					} `yaml:"metadata"`
				}
				if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				if head.Kind != "" && out[head.Kind] == "" && !head.Metadata.Existing {
					out[head.Kind] = doc[strings.Index(doc, "apiVersion:"):]
				}
			}
		}
	}
	return out
}

// TestReadme holds the README's plan to the one that a story gets from a real run, and
// its list of permissions to what the kinds need.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := txtar.ParseFile("../cmd/ecplan/testdata/express.txtar")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want/plan" })
	if i < 0 {
		t.Fatal("the story has no file want/plan")
	}
	before, rest, ok1 := strings.Cut(string(text), "from the story that runs it -->\n")
	_, after, ok2 := strings.Cut(rest, "<!-- /plan -->")
	if !ok1 || !ok2 {
		t.Fatal("the README has no place for the plan")
	}
	want := before + "from the story that runs it -->\n```text\n" + strings.TrimSpace(string(archive.Files[i].Data)) + "\n```\n<!-- /plan -->" + after
	if *update {
		if err := os.WriteFile("../README.md", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(text), want); diff != "" {
		t.Errorf("the README's plan is not what plan prints; run go test ./docs -update. The difference (- README, + plan):\n%s", diff)
	}
	for name, k := range kind.All() {
		for _, scope := range slices.Concat(k.Scopes.Read, k.Scopes.Create, k.Scopes.Update, k.Scopes.Delete) {
			if !strings.Contains(string(text), "`"+scope+"`") {
				t.Errorf("the README does not list the permission %s, which %s needs", scope, name)
			}
		}
	}
}

// TestNotices holds docs/notices.md to the notices that the code can give.
func TestNotices(t *testing.T) {
	page, err := os.ReadFile("notices.md")
	if err != nil {
		t.Fatal(err)
	}
	notice := regexp.MustCompile(`\bID:\s+"([a-z]+(?:-[a-z]+)+)"`)
	found := 0
	err = filepath.WalkDir("../pkg", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range notice.FindAllSubmatch(text, -1) {
			found++
			if !regexp.MustCompile(`(?m)^## .*\b` + string(m[1]) + `\b`).Match(page) {
				t.Errorf("%s gives the notice %s, which docs/notices.md does not explain", name, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no notice was found, so this test looks for the wrong thing")
	}
	var explained []string // all that a manifest can acknowledge; a policy's it can't
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllSubmatch(page, -1) {
		for id := range strings.SplitSeq(string(m[1]), ", ") {
			if !strings.HasPrefix(id, "policy/") {
				explained = append(explained, id)
			}
		}
	}
	text, err := json.Marshal(schemas.Tree(schemas.Document))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs struct {
			Metadata struct {
				Properties struct {
					Acknowledge struct {
						PropertyNames struct{ Enum []string }
					}
				}
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	slices.Sort(explained)
	if diff := cmp.Diff(explained, schema.Defs.Metadata.Properties.Acknowledge.PropertyNames.Enum); diff != "" {
		t.Errorf("docs/notices.md explains other notices than manifests can acknowledge (- page, + schema):\n%s", diff)
	}
}

// TestLinks follows the links between the project's pages.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	pages := []string{"../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md"}
	for _, dir := range []string{".", "../examples"} {
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(name, ".md") {
				pages = append(pages, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range link.FindAllSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(string(m[1]), "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := filepath.Join(filepath.Dir(page), target)
			if target == "" {
				file = page
			}
			to, err := os.ReadFile(file)
			if info, statErr := os.Stat(file); statErr == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(string(to)), anchor) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// anchors are the ids that a page's headings get.
func anchors(text string) []string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			id := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")
			out = append(out, regexp.MustCompile(`[^\pL\pN_-]`).ReplaceAllString(id, ""))
		}
	}
	return out
}

const generated = "<!-- Generated from the schemas by `go test ./docs -update`; do not edit. -->\n\n"

func kindPage(t *testing.T, name, example string) []byte {
	t.Helper()
	if example == "" {
		t.Errorf("no example under examples/ has a document of kind %s", name)
	}
	tree := schemas.Tree(name)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# %s\n\n%s\n\n", generated, name, tree["description"])
	fmt.Fprintf(&b, "```yaml\n%s\n```\n\n", strings.TrimSpace(example))
	if only, ok := tree["x-ecplan-name"].(string); ok {
		fmt.Fprintf(&b, "`metadata.name` is always `%s`: a tenant has one only. ", only)
	}
	fmt.Fprintf(&b, "What stands in `metadata` is the same for all kinds: [metadata](metadata.md).\n\n## spec\n\n")
	table(&b, name, tree)
	if outs := words(tree["x-ecplan-outputs"]); len(outs) > 0 {
		fmt.Fprintf(&b, "\n## References\n\nOther documents may refer to every field above, and to %s, which Auth0 chooses: `${%s/NAME.%s}`.\n",
			code(outs), name, outs[0])
	}
	if k := kind.All()[name]; k != nil {
		fmt.Fprintf(&b, "\n## Management API scopes\n\n| to | scopes |\n|---|---|\n")
		for _, row := range []struct {
			to     string
			scopes []string
		}{{"plan", k.Scopes.Read}, {"create", k.Scopes.Create}, {"update", k.Scopes.Update}, {"delete", k.Scopes.Delete}} {
			if len(row.scopes) > 0 {
				fmt.Fprintf(&b, "| %s | %s |\n", row.to, code(row.scopes))
			}
		}
	}
	return b.Bytes()
}

func metadataPage() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# metadata\n\nWhat every document says about itself.\n\n", generated)
	defs, _ := schemas.Tree(schemas.Document)["$defs"].(map[string]any)
	meta, _ := defs["metadata"].(map[string]any)
	table(&b, schemas.Document, meta)
	tenant, _ := defs["tenant_metadata"].(map[string]any)
	fmt.Fprintf(&b, "\nA Tenant, Variables and a Rollout have of these only %s.\n", code(fields(tenant)))
	props, _ := schemas.Tree(schemas.Document)["properties"].(map[string]any)
	overrides, _ := props["overrides"].(map[string]any)
	fmt.Fprintf(&b, "\n## overrides\n\nBeside `spec`, a document may have `overrides`, a list. %s `ecplan render --tenant NAME` shows what comes of it.\n\n", overrides["description"])
	items, _ := overrides["items"].(map[string]any)
	table(&b, schemas.Document, items)
	return b.Bytes()
}

func indexPage() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# Reference\n\n- [The commands](commands.md)\n- [metadata](metadata.md), the same for all kinds\n\n| kind | what it declares |\n|---|---|\n", generated)
	for _, name := range schemas.Kinds() {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", name, name, cell(schemas.Tree(name)["description"]))
	}
	b.WriteString("\n`ecplan schema KIND` prints a kind's JSON Schema, `ecplan schema` the one for editors.\n")
	return b.Bytes()
}

// table writes the fields of an object, nested ones with their path.
func table(b *bytes.Buffer, name string, tree map[string]any) {
	b.WriteString("| field | type | meaning |\n|---|---|---|\n")
	rows(b, name, tree, "")
}

func rows(b *bytes.Buffer, name string, tree map[string]any, at string) {
	props, _ := tree["properties"].(map[string]any)
	required := words(tree["required"])
	taken := map[string][]string{} // fields that are another kind's, by kind
	for _, field := range fields(tree) {
		p, _ := props[field].(map[string]any)
		if ref, ok := p["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
			other, _, _ := strings.Cut(ref, ".schema.json")
			taken[other] = append(taken[other], field)
			continue
		}
		p = resolve(name, p)
		need := ""
		if slices.Contains(required, field) {
			need = " (required)"
		}
		fmt.Fprintf(b, "| `%s%s`%s | %s | %s |\n", at, field, need, typeOf(name, p), about(p))
		nested(b, name, p, at+field)
	}
	for _, other := range manifest.Keys(taken) {
		link := fmt.Sprintf("[%s](%s.md)", other, other)
		if len(taken[other]) > 12 {
			fmt.Fprintf(b, "| `%s…` | | All other fields of %s, with their rules. |\n", at, link)
			continue
		}
		for _, field := range taken[other] {
			fmt.Fprintf(b, "| `%s%s` | %s | As in %s. |\n", at, field, typeOf(other, schemas.Tree(other)["properties"].(map[string]any)[field].(map[string]any)), link)
		}
	}
}

// nested writes what lies below a field.
func nested(b *bytes.Buffer, name string, p map[string]any, at string) {
	if _, ok := p["properties"]; ok {
		rows(b, name, p, at+".")
	}
	if items, ok := p["items"].(map[string]any); ok {
		if items = resolve(name, items); items["properties"] != nil {
			rows(b, name, items, at+"[].")
		}
	}
}

// resolve follows a $ref within the same schema.
func resolve(name string, p map[string]any) map[string]any {
	ref, ok := p["$ref"].(string)
	if !ok {
		return p
	}
	var v any = schemas.Tree(name)
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	m, _ := v.(map[string]any)
	return m
}

// fields lists the properties of an object: required ones first, then by name.
func fields(tree map[string]any) []string {
	props, _ := tree["properties"].(map[string]any)
	required := words(tree["required"])
	names := manifest.Keys(props)
	slices.SortStableFunc(names, func(a, b string) int {
		return order(required, a) - order(required, b)
	})
	return names
}

func order(first []string, name string) int {
	if i := slices.Index(first, name); i >= 0 {
		return i
	}
	return len(first)
}

var typeNames = map[string]string{"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "array": "list", "object": "map", "null": "null"}

func typeOf(name string, p map[string]any) string {
	var out []string
	for _, t := range words(p["type"]) {
		out = append(out, typeNames[t])
	}
	text := strings.Join(out, " or ")
	if items, ok := p["items"].(map[string]any); ok {
		if of := words(resolve(name, items)["type"]); len(of) == 1 && of[0] != "object" {
			text = strings.Replace(text, "list", "list of "+typeNames[of[0]], 1)
		}
	}
	return text
}

// about says what a field is, what it may hold and how it is compared.
func about(p map[string]any) string {
	said := []string{cell(p["description"])}
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if values := words(p["enum"]); len(values) > 0 {
		say("One of %s.", code(values))
	}
	if items, ok := p["items"].(map[string]any); ok {
		if values := words(items["enum"]); len(values) > 0 {
			say("Each one of %s.", code(values))
		}
	}
	for _, limit := range []struct{ keyword, words string }{
		{"maxLength", "At most %v characters."},
		{"maxItems", "At most %v entries."},
		{"maxProperties", "At most %v entries."},
		{"minimum", "At least %v."},
		{"maximum", "At most %v."},
		{"exclusiveMinimum", "More than %v."},
	} {
		v, ok := p[limit.keyword]
		if _, enough := p["x-ecplan-says"]; ok && !(enough && limit.keyword == "maxProperties") {
			n, _ := v.(float64)
			say(limit.words, fmt.Sprintf("%.10g", n))
		}
	}
	if says, ok := p["x-ecplan-says"].(string); ok {
		say("It %s.", cell(says))
	}
	if v, ok := p["default"]; ok {
		say("Default: `%s`.", inline(v))
	}
	for _, rule := range []struct{ keyword, words string }{
		{"x-ecplan-identity", "The object is found by it."},
		{"x-ecplan-immutable", "It can't be changed later."},
		{"x-ecplan-set", "The order does not matter."},
		{"x-ecplan-sensitive", "Never shown."},
		{"x-ecplan-write-only", "Auth0 does not give it back."},
	} {
		if p[rule.keyword] == true {
			say("%s", rule.words)
		}
	}
	switch merge := p["x-ecplan-merge"].(type) {
	case bool:
		say("Merged key by key: what is not declared stays.")
	case []any:
		say("Merged by %s.", code(words(merge)))
	}
	if ref, ok := p["x-ecplan-ref"].(string); ok {
		kind, attr, _ := strings.Cut(ref, ".")
		say("Usually a reference: `${%s/NAME.%s}`.", kind, attr)
	}
	if v, ok := p["x-ecplan-absent"]; ok && v != nil {
		say("Not there means `%s`.", inline(v))
	}
	return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), " ")
}

func inline(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // values of a JSON Schema are JSON
	}
	return string(b)
}

// braces finds ${…} and {file: …}, which read better as code.
var braces = regexp.MustCompile(`\$?\{[^}]*\}`)

// cell makes text safe inside a table.
func cell(v any) string {
	s, _ := v.(string)
	s = strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
	return braces.ReplaceAllString(s, "`$0`")
}

func code(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = "`" + s + "`"
	}
	return strings.Join(out, ", ")
}

func words(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
