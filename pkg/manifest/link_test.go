package manifest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// graph draws resources that refer to earlier ones in every way that there is, in a
// random order.
func graph(t *rapid.T) []*Resource {
	n := rapid.IntRange(1, 12).Draw(t, "resources")
	rs := make([]*Resource, 0, n)
	for i := range n {
		r := &Resource{Kind: "ClientGrant", Name: fmt.Sprintf("r%d", i), Spec: map[string]any{"subject_type": "user"}, Meta: Meta{}}
		if i == 0 || rapid.Bool().Draw(t, "client") {
			r.Kind, r.Spec = "Client", map[string]any{"name": fmt.Sprintf("client %d", i)}
		}
		fields := []string{"description", "logo_uri"}
		if r.Kind == "ClientGrant" {
			fields = []string{"client_id", "audience"}
		}
		for _, field := range fields {
			if i == 0 || !rapid.Bool().Draw(t, field) {
				continue
			}
			to := rs[rapid.IntRange(0, i-1).Draw(t, "to")]
			attr := "client_id"
			if to.Kind == "ClientGrant" {
				attr = rapid.SampledFrom([]string{"id", "audience", "subject_type"}).Draw(t, "attr")
			} else if rapid.Bool().Draw(t, "name") {
				attr = "name"
			}
			v := any(Ref(to.Address(), attr))
			if rapid.Bool().Draw(t, "join") {
				v = Join("https://", v, "/", v)
			}
			r.Spec[field] = v
		}
		rs = append(rs, r)
	}
	return rapid.Permutation(rs).Draw(t, "order")
}

func copies(rs []*Resource) []*Resource {
	out := make([]*Resource, len(rs))
	for i, r := range rs {
		c := *r
		c.Spec = Clone(r.Spec)
		out[i] = &c
	}
	slices.SortFunc(out, func(a, b *Resource) int { return strings.Compare(a.Address(), b.Address()) })
	return out
}

// TestLinkProperties holds that linking keeps every edge, leaves no reference to what is
// declared, does not depend on the order, and changes nothing when done again.
func TestLinkProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := graph(t)
		before := copies(rs)
		if ds := slices.DeleteFunc(Link(rs), func(d Diagnostic) bool { return strings.Contains(d.Summary, "are the same object") }); len(ds) > 0 {
			t.Fatal(ds)
		}
		by := map[string]*Resource{}
		for _, r := range rs {
			by[r.Address()] = r
		}
		for _, b := range before {
			for _, a := range Refs(b.Spec) {
				if r := by[b.Address()]; !slices.Contains(append(Refs(r.Spec), r.Meta.After...), a) {
					t.Errorf("%s lost its edge to %s", b.Address(), a)
				}
			}
		}
		for _, r := range rs {
			Walk(r.Spec, func(v any) {
				if a, attr, ok := AsRef(v); ok && by[a].Spec[attr] != nil {
					t.Errorf("%s still refers to %s of %s, which is declared", r.Address(), attr, a)
				}
			})
			if !slices.IsSorted(r.Meta.After) || len(slices.Compact(slices.Clone(r.Meta.After))) != len(r.Meta.After) {
				t.Errorf("%s comes after %v", r.Address(), r.Meta.After)
			}
		}
		again := copies(before)
		Link(again)
		twice := copies(rs)
		Link(twice)
		for i, r := range copies(rs) {
			for _, other := range []*Resource{again[i], twice[i]} {
				if mustJSON(r.Spec) != mustJSON(other.Spec) || !slices.Equal(r.Meta.After, other.Meta.After) {
					t.Errorf("%s differs: %s %v and %s %v", r.Address(), mustJSON(r.Spec), r.Meta.After, mustJSON(other.Spec), other.Meta.After)
				}
			}
		}
	})
}

// TestCirclesAreFound closes a circle in a random graph.
func TestCirclesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "length")
		var rs []*Resource
		for i := range n {
			spec := map[string]any{"name": "x", "description": Ref(fmt.Sprintf("Client/c%d", (i+1)%n), rapid.SampledFrom([]string{"client_id", "description"}).Draw(t, "attr"))}
			rs = append(rs, &Resource{Kind: "Client", Name: fmt.Sprintf("c%d", i), Spec: spec})
		}
		if ds := Link(rapid.Permutation(rs).Draw(t, "order")); ds.Errors() != 1 || !strings.Contains(ds[0].Summary, "circle") {
			t.Errorf("got %v", ds)
		}
	})
}

// TestCirclesThroughNames holds that an API that waits for a role which names the API's
// identifier is a circle, though only one of the two is written as a reference.
func TestCirclesThroughNames(t *testing.T) {
	api := &Resource{Kind: "ResourceServer", Name: "api", Spec: map[string]any{"identifier": "urn:a", "name": Ref("Role/r", "id")}}
	role := &Resource{Kind: "Role", Name: "r", Spec: map[string]any{"name": "r", "permissions": []any{
		map[string]any{"resource_server_identifier": "urn:a", "permission_name": "x"},
	}}}
	if ds := Link([]*Resource{role, api}); len(ds) != 1 || !strings.Contains(ds[0].Detail, "ResourceServer/api needs Role/r needs ResourceServer/api") {
		t.Errorf("got %v", ds)
	}
}

func TestLinkRefusesSensitiveValues(t *testing.T) {
	a := &Resource{Kind: "Action", Name: "a", Spec: map[string]any{"name": "a", "secrets": map[string]any{"X": SecretRef("secrets.X")}}, Secrets: map[string]string{"secrets.X": "hunter2"}}
	b := &Resource{Kind: "Client", Name: "b", Spec: map[string]any{"name": "b", "client_metadata": Ref("Action/a", "secrets")}}
	ds := Link([]*Resource{a, b})
	if len(ds) != 1 || !strings.Contains(ds[0].Summary, "sensitive") || strings.Contains(mustJSON(b.Spec)+ds.Error(), "hunter2") {
		t.Errorf("got %v, %v", ds, b.Spec)
	}
	if ds := Link([]*Resource{{Kind: "Client", Name: "b", Spec: map[string]any{"description": Ref("Action/a", "bind")}}, a}); len(ds) != 1 {
		t.Errorf("ecplan's own fields are no attributes: %v", ds)
	}
}

// TestSecretsStaySecret fills random sensitive values in at random places and looks for
// them in everything that may be shown.
func TestSecretsStaySecret(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": localTenant + doc("Action", "a", `
name: a
trigger: post-login
code: x
runtime: ${var.hidden}
dependencies: {lodash: "${var.hidden}"}
secrets: {A: "${env.HIDDEN}", B: {env: HIDDEN, sensitive: true}, C: "x ${env.HIDDEN}", D: "${var.hidden}"}
display_name: a ${var.hidden} b
`) + "---\n" + doc("Client", "c", "name: <${var.hidden}>\ndescription: {env: HIDDEN, sensitive: true}\nclient_metadata: {a: '${Action/a.display_name}'}")})
	rapid.Check(t, func(t *rapid.T) {
		secret := "s3cr3t" + rapid.StringN(0, 300, -1).Draw(t, "secret")
		tenant, rs, ds := s.Prepare("prod-eu", Inputs{Env: environment(map[string]string{"ID": "i", "SECRET": secret, "HIDDEN": secret})})
		out, err := YAML(rs)
		if err != nil {
			t.Fatal(err)
		}
		shown := string(out) + ds.Error() + fmt.Sprintf("%+v", tenant)
		for _, r := range rs {
			shown += mustJSON(r.Spec)
		}
		if strings.Contains(shown, "s3cr3t") {
			t.Errorf("shown in %s", shown)
		}
	})
}

func BenchmarkPrepare(b *testing.B) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "---\n%s", doc("ClientGrant", fmt.Sprintf("g%d", i), fmt.Sprintf("client_id: c%d\naudience: https://${tenant.domain}/%d\nscope: [a, b]", i, i)))
	}
	dir := b.TempDir()
	writeAll(b, dir, map[string]string{"m.yaml": text.String()})
	for b.Loop() {
		s, ds := Load([]string{dir})
		if len(ds) > 0 {
			b.Fatal(ds)
		}
		if _, _, ds := s.Prepare("", Inputs{SyntaxOnly: true}); len(ds) > 0 {
			b.Fatal(ds)
		}
	}
}
