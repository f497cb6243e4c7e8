package rules

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

// TestEveryKindIsWhole holds what a kind costs besides its Go file: a schema, an
// example, a page in the reference, and a simulator that knows its requests.
func TestEveryKindIsWhole(t *testing.T) {
	sim, err := auth0sim.New(auth0sim.Options{Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	examples := exampleResources(t)
	for _, name := range manifest.Keys(kind.All()) {
		t.Run(name, func(t *testing.T) {
			k := kind.All()[name]
			if k.Name != name {
				t.Errorf("it is registered as %q and calls itself %q", name, k.Name)
			}
			if !slices.Contains(schemas.Kinds(), name) {
				t.Error("there is no schema of it")
			}
			if _, err := os.Stat("../../docs/reference/" + name + ".md"); err != nil {
				t.Errorf("the reference has no page about it; run go test ./docs -update: %v", err)
			}
			r := examples[name]
			if r == nil {
				t.Fatal("neither examples/base-kinds nor examples/onboarding declares one")
			}
			for _, request := range requests(t, k, r) {
				method, path, _ := strings.Cut(request, " ")
				if unknown(t, sim, method, path) {
					t.Errorf("the simulator does not know %s", request)
				}
			}
		})
	}
	if !unknown(t, sim, http.MethodGet, "no-such-collection") {
		t.Error("the simulator claims to know a path that does not exist, so this test proves nothing")
	}
}

// exampleResources returns a resource of each kind from the examples that are written out
// object by object.
func exampleResources(t *testing.T) map[string]*manifest.Resource {
	t.Helper()
	set, ds := manifest.Load([]string{"../../examples/base-kinds", "../../examples/onboarding/globex.yaml"})
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	_, rs, ds := set.Prepare("local", manifest.Inputs{Expand: express.Expand, Env: func(string) (string, bool) { return "t", true }})
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	out := map[string]*manifest.Resource{}
	for _, r := range rs {
		if !r.Meta.Existing {
			out[r.Kind] = r
		}
	}
	return out
}

// requests lists what the kind sends to find r's object and to make it, as far as the
// paths are known beforehand.
func requests(t *testing.T, k *kind.Kind, r *manifest.Resource) []string {
	t.Helper()
	spec, _ := manifest.Resolve(r.Spec, func(string, string) (any, bool) { return "known", true }).(map[string]any)
	d := kind.Desired{Resource: r, Spec: spec, Fingerprint: func(v string) string { return v }}
	var v kind.View
	if _, err := k.Observe(d, &v); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, read := range v.Missing() {
		out = append(out, "GET "+read.Path)
	}
	if len(out) == 0 {
		t.Error("it reads nothing to find its object")
	}
	steps, err := k.Steps(d, kind.Observed{})
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) == 0 {
		t.Error("it has no step where nothing is on the tenant")
	}
	for _, s := range steps {
		parts := make([]string, len(s.Request.Path))
		for i, p := range s.Request.Path {
			text, ok := p.(string)
			if !ok {
				text = "an-id"
			}
			parts[i] = url.PathEscape(text)
		}
		out = append(out, s.Request.Method+" "+strings.Join(parts, "/"))
	}
	return out
}

// unknown asks the simulator and reports whether it has no such path. What it answers
// otherwise does not matter here.
func unknown(t *testing.T, sim *auth0sim.Server, method, path string) bool {
	t.Helper()
	req, err := http.NewRequest(method, fmt.Sprintf("%s/api/v2/%s", sim.URL(), path), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer t")
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	seen := sim.Requests()
	return seen[len(seen)-1].Unknown
}
