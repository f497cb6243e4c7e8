package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/schemas"
)

// canonical is a tenant's whole state, ids and times aside: objects bear their names
// where they bear ids, collections are sorted, and a value that means the same as its
// absence is absent.
func canonical(t testing.TB, sim *auth0sim.Server) object {
	t.Helper()
	var state object
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(sim.Essence()), sim.Domain(), "DOMAIN")), &state); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	label := func(o object, id, prefix string) {
		if s, _ := o[id].(string); s != "" {
			labels[s] = "<" + prefix + ">"
		}
	}
	for _, e := range list(state["resource_servers"]) {
		label(e.(object), "id", fmt.Sprint("api ", e.(object)["identifier"]))
	}
	for _, e := range list(state["roles"]) {
		label(e.(object), "id", fmt.Sprint("role ", e.(object)["name"]))
	}
	for _, e := range list(state["clients"]) {
		c := e.(object)
		label(c, "client_id", fmt.Sprint("client ", c["name"]))
		delete(c, "client_secret")
		if m, ok := c["client_metadata"].(object); ok && len(m) == 0 {
			delete(c, "client_metadata")
		}
		for _, k := range list(c["credentials"]) {
			label(k.(object), "id", fmt.Sprint("key ", k.(object)["kid"]))
		}
	}
	for _, e := range list(state["actions"]) {
		label(e.(object), "id", fmt.Sprint("action ", e.(object)["name"]))
	}
	for _, e := range list(state["client_grants"]) {
		g := e.(object)
		label(g, "id", fmt.Sprint("grant ", labels[fmt.Sprint(g["client_id"])], " ", g["audience"]))
	}
	for _, e := range list(state["organizations"]) {
		label(e.(object), "id", fmt.Sprint("organization ", e.(object)["name"]))
	}
	for collection, k := range map[string]string{
		"resource_servers": "ResourceServer", "roles": "Role", "clients": "Client", "client_grants": "ClientGrant",
	} {
		for _, e := range list(state[collection]) {
			plain(schemas.Rules(k), e.(object))
		}
	}
	if s, ok := state["tenant"].(object); ok {
		plain(schemas.Rules("TenantSettings"), s)
		if flags, ok := s["flags"].(object); ok {
			plain(schemas.Rules("TenantSettings").Properties["flags"], flags)
		}
	}
	return relabel(state, labels, "").(object)
}

// plain drops fields that say what their absence says.
func plain(rules *schemas.Rule, o object) {
	for f, v := range o {
		rule := rules.Field(f)
		if nested, ok := v.(object); ok && rule != nil {
			plain(rule, nested)
		}
		if v == nil || rule != nil && rule.HasAbsent && reflect.DeepEqual(v, rule.Absent) {
			delete(o, f)
		}
	}
}

// relabel replaces ids and sorts what has no order. Bindings have one.
func relabel(v any, labels map[string]string, name string) any {
	switch v := v.(type) {
	case string:
		if l, ok := labels[v]; ok {
			return l
		}
	case object:
		out := object{}
		for k, e := range v {
			out[k] = relabel(e, labels, k)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = relabel(e, labels, name)
		}
		if name != "post-login" {
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(indent(a), indent(b)) })
		}
		return out
	}
	return v
}

// equalStates compares two states, but for what is gone by collection and name.
func equalStates(t testing.TB, when string, got, want object, gone map[string]bool) {
	t.Helper()
	if err := differ(when, lacking(got, gone), lacking(want, gone)); err != nil {
		t.Error(err)
	}
}

// differ says how a state differs from what it should be.
func differ(when string, got, want object) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("%s (- as it should be, + as it is):\n%s", when, diff)
	}
	return nil
}

// saidToBeLost names the objects that could not be taken back wholly, if the plan said
// so: by collection and the name that they bear there.
func saidToBeLost(back *executor.Rollback, p planner.TenantPlan) (map[string]bool, error) {
	gone := map[string]bool{}
	for _, l := range back.Lost {
		if strings.Contains(l.Why, "had a permission on") || strings.Contains(l.Why, "had its permissions") {
			gone["permissions"] = true
			continue // the API itself comes back
		}
		if strings.Contains(l.Why, ", if any, ") {
			continue // nothing of the kind is in these worlds
		}
		said := false
		for _, s := range p.Steps {
			if s.ID == l.Step && (s.Undo.Effect == kind.None || len(s.Undo.Lost) > 0) {
				said = true
				for _, f := range []string{"name", "identifier"} {
					for _, name := range []any{s.Key[f], s.Before[f]} {
						if name != nil {
							gone[fmt.Sprint(collections[s.Kind()], " ", name)] = true
						}
					}
				}
			}
		}
		if !said {
			return nil, fmt.Errorf("%s is lost (%s), and the plan did not say so", l.Step, l.Why)
		}
	}
	return gone, nil
}

var collections = map[string]string{"Action": "actions", "ResourceServer": "resource_servers", "Client": "clients", "Role": "roles"}

// lacking leaves out the objects that are gone, and what goes with them: grants of their
// clients, their places in flows.
func lacking(state object, gone map[string]bool) object {
	labels := map[string]bool{}
	for name := range gone {
		if collection, rest, ok := strings.Cut(name, " "); ok {
			labels["<"+strings.TrimSuffix(collection, "s")+" "+rest+">"] = true
		}
	}
	drop := func(v any, of func(o object) bool) []any {
		return slices.DeleteFunc(slices.Clone(list(v)), func(e any) bool { return of(e.(object)) })
	}
	names := func(field string) func(o object) bool {
		return func(o object) bool { return labels[fmt.Sprint(o[field])] }
	}
	out := object{}
	for k, v := range state {
		out[k] = v
		if _, all := v.([]any); all {
			left := drop(v, func(o object) bool {
				return gone[fmt.Sprint(k, " ", o["name"])] || gone[fmt.Sprint(k, " ", o["identifier"])]
			})
			for i, e := range left {
				if o := maps.Clone(e.(object)); gone["permissions"] { // some came back, as far as they were declared
					delete(o, "permissions")
					left[i] = o
				}
			}
			out[k] = left
		}
	}
	out["client_grants"] = drop(out["client_grants"], names("client_id"))
	if flows, ok := state["bindings"].(object); ok {
		kept := object{}
		for trigger, flow := range flows {
			if left := drop(flow, names("action")); len(left) > 0 {
				kept[trigger] = left
			}
		}
		out["bindings"] = kept
	}
	return out
}

// canary begins every value that tests keep secret, and must be in no file that a run
// leaves.
const canary = "canary-"

// noSecretOnDisk looks for secrets in every file of a store, of which there are at least
// so many.
func noSecretOnDisk(t testing.TB, store string, least int) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(store, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), canary) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) || files < least {
		t.Errorf("looking through %d files: %v", files, err)
	}
}
