package report

import (
	"bytes"
	"testing"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// TestResourceGraph draws edges of all sorts: by reference, by a value that names
// another's object, and by what must come first.
func TestResourceGraph(t *testing.T) {
	rs := []*manifest.Resource{
		{Kind: "Role", Name: "admin", Spec: map[string]any{"name": "A", "permissions": []any{
			map[string]any{"resource_server_identifier": "urn:x", "permission_name": "read:x"},
		}}},
		{Kind: "ResourceServer", Name: "api", Spec: map[string]any{"identifier": "urn:x"}},
		{Kind: "Client", Name: "app", Spec: map[string]any{"name": "App"}, Meta: manifest.Meta{After: []string{"Role/admin", "Role/elsewhere"}}},
		{Kind: "ClientGrant", Name: "g", Spec: map[string]any{"client_id": manifest.Ref("Client/app", "client_id"), "audience": "urn:x"}},
	}
	for format, ext := range map[string]string{Mermaid: "mmd", DOT: "dot"} {
		golden(t, "graph-resources."+ext+".golden", []byte(show(t, func(w *bytes.Buffer) error { return Graph(w, Resources(rs), format) })))
	}
}

func TestUnknownFormats(t *testing.T) {
	var out bytes.Buffer
	for _, err := range []error{
		Plan(&out, planOf(), Options{Format: "xml"}), Run(&out, RunReport{}, Options{Format: SARIF}),
		Diagnostics(&out, nil, Options{Format: Markdown}), Graph(&out, Chart{}, HTML),
	} {
		if err == nil || out.Len() > 0 {
			t.Errorf("an unknown format gave %q and the error %v", out.String(), err)
		}
	}
}
