package fleet_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
)

// flowSeed is a tenant with two Actions in its login flow.
const flowSeed = `{
 "actions": [
  {"name": "theirs", "code": "exports.onExecutePostLogin = async () => {};", "supported_triggers": [{"id": "post-login", "version": "v3"}], "deployed": true},
  {"name": "old", "code": "exports.onExecutePostLogin = async () => {};", "supported_triggers": [{"id": "post-login", "version": "v3"}], "deployed": true}
 ],
 "bindings": {"post-login": ["theirs", "old"]}
}`

func atLogin(name string, more ...any) object {
	spec := object{"name": name, "trigger": "post-login", "code": codeOne, "bind": object{}}
	for i := 0; i+1 < len(more); i += 2 {
		spec[more[i].(string)] = more[i+1]
	}
	return spec
}

// TestDisplayNameAlone: a name in the flow is planned, written and taken back without a
// change of the order; one that is not declared stays.
func TestDisplayNameAlone(t *testing.T) {
	b := newBench(t, []byte(flowSeed))
	want := func(step string, names ...string) {
		t.Helper()
		if got := bound(b.state()); strings.Join(got, ",") != strings.Join(names, ",") {
			t.Errorf("%s: the flow shows %v, want %v", step, got, names)
		}
		if p := b.plan(); len(p.Steps) > 0 {
			t.Errorf("%s: a second plan has %s", step, indent(p.Steps))
		}
	}
	b.manifest([]object{doc("Action", "own", atLogin("own"))})
	b.apply()
	want("bound", "theirs", "old", "own")
	for _, bind := range []object{{}, {"position": "first"}, {"before": "old"}, {"after": "theirs"}, {"position": "last"}} {
		b.manifest([]object{doc("Action", "own", atLogin("own", "bind", bind))})
		b.apply()
		order := bound(b.state())
		b.manifest([]object{doc("Action", "own", atLogin("own", "bind", bind, "display_name", "Shown"))})
		target := b.target()
		p := b.plan()
		if len(p.Steps) != 1 || p.Steps[0].Part != "binding" {
			t.Fatalf("a new display name alone makes %s", indent(p.Steps))
		}
		out, err := target.Apply(context.Background(), p, fleet.ApplyOptions{Tool: "test", Now: time.Now})
		if err != nil || !out.OK() {
			t.Fatalf("%v %v", err, out.Error())
		}
		want("shown", strings.Split(strings.Replace(strings.Join(order, ","), "own", "Shown", 1), ",")...)
		_, back, err := target.TakeBack(context.Background(), out.Run, fleet.PastOptions{Now: time.Now}, fleet.ApplyOptions{Tool: "test", Now: time.Now})
		if err != nil || !back.OK() {
			t.Fatalf("taking it back: %v %v", err, back.Error())
		}
		if got := bound(b.state()); strings.Join(got, ",") != strings.Join(order, ",") {
			t.Errorf("taken back, the flow shows %v, want %v", got, order)
		}
		b.apply()
		b.manifest([]object{doc("Action", "own", atLogin("own", "bind", bind, "display_name", "own"))})
		b.apply()
		want("shown as before", order...)
	}
}

// TestBoundOnceItsVersionIsThere: for a while after a deployment Auth0 refuses to bind the
// Action (facts §3.6); the version says when it is built, and one apply does all.
func TestBoundOnceItsVersionIsThere(t *testing.T) {
	sim := auth0sim.Start(t, auth0sim.Options{Token: benchToken, BuildTime: 2 * time.Second, Seed: []byte(`{
 "actions": [{"name": "own", "code": "// before", "supported_triggers": [{"id": "post-login", "version": "v3"}], "deployed": true}]
}`)})
	b := released(&bench{t: t, sim: sim, dir: t.TempDir()})
	b.manifest([]object{doc("Action", "own", atLogin("own"))})
	target, p := b.target(), b.plan()
	out, err := target.Apply(t.Context(), p, fleet.ApplyOptions{Tool: "test", Now: time.Now, Poll: executor.Poll{First: time.Millisecond, Max: 5 * time.Millisecond}})
	if err != nil || !out.OK() || len(out.Steps) != 3 {
		t.Fatalf("%v %v of %s", err, out.Error(), indent(p.Steps))
	}
}

// TestRenamedActionInAFlow: one apply renames an Action and puts another behind its new
// name; the flow needs no write for the new name itself.
func TestRenamedActionInAFlow(t *testing.T) {
	b := newBench(t, []byte(flowSeed))
	renamed := doc("Action", "new", atLogin("new"))
	renamed["metadata"].(object)["renamed_from"] = "old"
	b.manifest([]object{renamed})
	for _, s := range b.plan().Steps {
		if s.Part == "binding" {
			t.Errorf("a new name alone changes the flow: %s", indent(s.Changes))
		}
	}
	b.manifest([]object{renamed, doc("Action", "own", atLogin("own", "bind", object{"after": "new"})), doc("Action", "first", atLogin("first", "bind", object{"before": "new"}))})
	b.apply()
	if got := strings.Join(bound(b.state()), ","); got != "theirs,first,old,own" {
		t.Errorf("the flow is %s", got)
	}
	if p := b.plan(); len(p.Steps) > 0 {
		t.Errorf("a second plan has %s", indent(p.Steps))
	}
	b.manifest([]object{renamed, doc("Action", "own", atLogin("own", "bind", object{"after": "old"}))})
	if got := b.planError(); !strings.Contains(got, `"old"`) || !strings.Contains(got, "new") {
		t.Errorf("a place behind a name that is gone is answered with %q", got)
	}
}
