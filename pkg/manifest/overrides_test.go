package manifest

import (
	"strings"
	"testing"
)

// TestOverridesMistakes: what is wrong in an override, or in a document that has some, is
// told once and with its place, whoever gets it.
func TestOverridesMistakes(t *testing.T) {
	some := labelled("p", "env: prod", "") + labelled("d", "env: dev", "")
	variables := func(spec, overrides string) string {
		return doc("Variables", "v", "\n  life: {"+spec+"}") + "\noverrides:\n" + overrides + "\n"
	}
	role := func(metadata, overrides string) string {
		return "apiVersion: ecplan/v1\nkind: Role\nmetadata: {name: r" + metadata + "}\nspec: {name: R, description: D}\noverrides:\n" + overrides + "\n"
	}
	for _, c := range []struct{ name, text, want string }{
		{"Variables with overrides, in their own spec", variables("allowd: [1]", "  - {tenants: env=dev, spec: {life: {default: y}}}"), `spec.life has no field "allowd"`},
		{"Variables with overrides, in one", variables("default: x", "  - {tenants: env=dev, spec: {life: {defalt: 9}}}"), `spec.life has no field "defalt"`},
		{"Variables with overrides, well", variables("default: x", "  - {tenants: env=dev, spec: {life: {default: y}}}"), ""},
		{"an override for tenants that don't get the document", role(", tenants: env=prod", "  - {tenants: env=dev, spec: {descripton: E}}"), `the Role has no field "descripton"`},
		{"takes out what is not there", role("", "  - {tenants: env=dev, without: [descripton]}"), "overrides[0].without[0] takes nothing out"},
		{"takes out below what is not there", role("", "  - {tenants: env=dev, without: [description.text]}"), "overrides[0].without[0] takes nothing out"},
		{"takes out what is there", role("", "  - {tenants: env=dev, without: [description]}"), ""},
		{"takes out what another put in", role("", "  - {tenants: env=dev, spec: {permissions: []}}\n  - {tenants: env=dev, without: [permissions]}"), ""},
	} {
		s, ds := Load([]string{write(t, map[string]string{"m.yaml": c.text + some})})
		ds = append(ds, s.Check(Inputs{})...)
		switch {
		case c.want == "" && len(ds) > 0:
			t.Errorf("%s: %v", c.name, ds)
		case c.want != "" && (len(ds) != 1 || !strings.HasPrefix(ds[0].Summary, c.want) || ds[0].Pos.Line == 0):
			t.Errorf("%s: got %v, want %q", c.name, ds, c.want)
		}
	}
}
