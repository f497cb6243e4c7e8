package journal

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/ecplan/ecplan/pkg/kind"
)

func TestFold(t *testing.T) {
	s := newDir(t)
	run := func(h Header, done ...Done) string {
		t.Helper()
		h.Tenant, h.Domain = "a", "d"
		r := begin(t, s, h)
		for i, d := range done {
			id := fmt.Sprint(d.Address, "#", i)
			must(t, r.Intent(id, Intent{}), r.Done(id, d))
		}
		must(t, r.Close())
		return r.Name()
	}
	fold := func() map[string]kind.Record {
		t.Helper()
		logs, err := Load(s, "a", "d")
		must(t, err)
		return Fold(logs)
	}
	trace := func(f string) map[string]Trace {
		return map[string]Trace{"secrets.S": {Fingerprint: f, UpdatedAt: "at " + f}}
	}
	first := run(Header{},
		Done{Address: "Action/a", Action: kind.Create, ObjectID: "1", Secrets: trace("x")},
		Done{Address: "Role/r", Action: kind.Create, ObjectID: "2"},
		Done{Address: "TenantSettings/tenant", Action: kind.Update, Merged: map[string][]string{"flags": {"b"}}})
	second := run(Header{},
		Done{Address: "Action/a", Action: kind.Update, ObjectID: "1", Secrets: trace("y")},
		Done{Address: "Role/r", Action: kind.Delete, ObjectID: "2"},
		Done{Address: "TenantSettings/tenant", Action: kind.Update, Merged: map[string][]string{"flags": {"a"}}, Released: map[string][]string{"flags": {"b"}}})
	want := map[string]kind.Record{
		"Action/a":              {Run: second, ID: "1", Created: true, Secrets: map[string]kind.SecretRecord{"secrets.S": {Fingerprint: "y", UpdatedAt: "at y"}}},
		"TenantSettings/tenant": {Run: second, Merged: map[string][]string{"flags": {"a"}}},
	}
	if got := fold(); !reflect.DeepEqual(got, want) {
		t.Fatalf("after two runs:\n%+v\nwant\n%+v", got, want)
	}
	back := run(Header{RollsBack: second},
		Done{Address: "Action/a", Part: "deployment", Action: kind.Deploy, ObjectID: "1"},
		Done{Address: "Role/r", Action: kind.Create, ObjectID: "3"},
		Done{Address: "TenantSettings/tenant", Action: kind.Update})
	want = map[string]kind.Record{
		"Action/a":              {Run: back, ID: "1", Created: true, Secrets: map[string]kind.SecretRecord{"secrets.S": {Fingerprint: "x", UpdatedAt: "at x"}}},
		"Role/r":                {Run: back, ID: "3", Created: true},
		"TenantSettings/tenant": {Run: back, Merged: map[string][]string{"flags": {"b"}}},
	}
	if got := fold(); !reflect.DeepEqual(got, want) {
		t.Fatalf("after taking the second back:\n%+v\nwant\n%+v", got, want)
	}
	run(Header{RollsBack: first},
		Done{Address: "TenantSettings/tenant", Action: kind.Update},
		Done{Address: "Role/r", Action: kind.Delete},
		Done{Address: "Action/a", Action: kind.Delete})
	if got := fold(); len(got) != 1 || len(got["TenantSettings/tenant"].Merged) != 0 {
		t.Fatalf("after taking all back: %+v", got)
	}
	if logs, err := Load(s, "a", "other.domain"); err != nil || len(logs) != 0 {
		t.Errorf("runs of another domain: %v, %v", logs, err)
	}
}
