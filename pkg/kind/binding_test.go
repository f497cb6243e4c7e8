package kind

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// TestFlowsConverge: however many Actions move, the writes lead to the flow that the
// manifests ask for, and leave the others' order alone. Planning anew finds nothing to do.
func TestFlowsConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entry := func(name string) map[string]any {
			return map[string]any{"id": "id-" + name, "name": name, "display_name": name}
		}
		var current flow
		for _, name := range rapid.Permutation([]string{"a", "b", "c", "d", "x", "y", "z"}).Draw(t, "flow")[:rapid.IntRange(0, 7).Draw(t, "bound")] {
			current = append(current, entry(name))
		}
		var ours []bound
		for _, name := range []string{"a", "b", "c", "d"} {
			rule := rapid.SampledFrom([]map[string]any{nil, {}, {}, {"position": "first"}, {"position": "last"}}).Draw(t, name)
			r := &manifest.Resource{Kind: "Action", Name: name, Spec: map[string]any{"name": name, "trigger": "post-login"}}
			ours = append(ours, bound{
				d: Desired{Resource: r, Spec: r.Spec}, rule: rule, entry: entry(name),
				o: Observed{Exists: true, ID: "id-" + name, Spec: map[string]any{"bindings": current.tree()}},
			})
		}
		want, err := arrange("post-login", current, ours)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := triggerSteps("post-login", ours)
		if err != nil {
			t.Fatal(err)
		}
		got := current
		for _, s := range steps {
			if !got.like(objects(s.Before["bindings"])) {
				t.Fatalf("%s begins with %v, and not with %v", s.ID, objects(s.Before["bindings"]), got.names())
			}
			got = objects(s.After["bindings"])
			if a, b := theirs(got), theirs(current); a != b {
				t.Fatalf("%s makes of the others' %s %s", s.ID, b, a)
			}
		}
		if !got.like(want) {
			t.Fatalf("%v becomes %v, and not %v, by %d writes", current.names(), got.names(), want.names(), len(steps))
		}
		for i := range ours {
			ours[i].o.Spec = map[string]any{"bindings": got.tree()}
		}
		if again, err := triggerSteps("post-login", ours); err != nil || len(again) > 0 {
			t.Fatalf("then there are %d writes more (%v)", len(again), err)
		}
	})
}

// theirs lists the Actions that are not declared.
func theirs(f flow) string {
	var out []string
	for _, e := range f {
		if name := fmt.Sprint(e["name"]); name > "d" {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}
