package kind

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/schemas"
)

func desired(kindName string, spec map[string]any) Desired {
	r := &manifest.Resource{Kind: kindName, Name: "x", Spec: spec}
	return Desired{Resource: r, Spec: spec, Fingerprint: func(v string) string { return "f:" + v }}
}

func observed(spec map[string]any) Observed {
	return Observed{Exists: true, ID: "id-1", Object: spec, Spec: spec}
}

// TestWhatAPlanKeepsOfADeletedObject: nothing but what a manifest could declare.
func TestWhatAPlanKeepsOfADeletedObject(t *testing.T) {
	const secret = "canary-client-secret"
	o := observed(map[string]any{
		"client_id": "id-1", "name": "n", "client_secret": secret, "callbacks": []any{"https://a.example"},
		"signing_keys": []any{map[string]any{"pkcs7": secret}}, "encryption_key": map[string]any{"pub": secret},
	})
	steps, err := All()["Client"].Delete(desired("Client", map[string]any{"name": "n"}), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secret) || !strings.Contains(string(text), "https://a.example") {
		t.Errorf("%s", text)
	}
}

func TestCompareParts(t *testing.T) {
	cred := func(kid string, more ...any) map[string]any {
		c := map[string]any{"id": "cred-" + kid, "kid": kid}
		for i := 0; i+1 < len(more); i += 2 {
			c[more[i].(string)] = more[i+1]
		}
		return c
	}
	client := func(attached, spare []any) Observed {
		return observed(map[string]any{"name": "n", "credentials": attached, "spare_credentials": spare})
	}
	flowOf := func(ids ...string) []any {
		out := []any{}
		for _, id := range ids {
			out = append(out, map[string]any{"id": id, "name": id})
		}
		return out
	}
	action := func(spec map[string]any) Observed { return observed(spec) }
	step := func(kindName, part string, verb Verb, before, after map[string]any) Step {
		return Step{ID: StepID(kindName+"/x", part), Address: kindName + "/x", Part: part, Action: verb, Before: before, After: after}
	}
	m := func(kv ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i+1 < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1]
		}
		return out
	}
	addKey := step("Client", "credential-1", Create, nil, m("kid", "B"))
	dropKey := step("Client", "credential-cred-A", Delete, m("kid", "A", "id", "cred-A"), nil)
	attach := step("Client", "credentials", Attach, m("credentials", []any{"A"}), m("credentials", []any{"B"}))
	expiry := step("Client", "credential-cred-A-expiry", Update, m("kid", "A", "expires_at", "2026-01-01T00:00:00Z"), m("kid", "A", "expires_at", "2027-01-01T00:00:00Z"))
	bind := step("Action", "binding", Bind, m("bindings", flowOf("other")), m("bindings", flowOf("other", "id-1")))
	move := step("Action", "binding", Bind, m("bindings", flowOf("id-1", "other")), m("bindings", flowOf("other", "id-1")))
	shown := func(name string) map[string]any {
		return m("bindings", []any{m("id", "id-1", "name", "x", "display_name", name), m("id", "other", "name", "other", "display_name", "other")})
	}
	rename := step("Action", "binding", Bind, shown("One"), shown("Two"))
	secret := step("Action", "", Update, m("secrets", m("S", "t0")), m("secrets", m("S", "value")))
	deploy := step("Action", "deployment", Deploy, m("deployed_version", m("id", "v1")), m("all_changes_deployed", true))
	grow := step("Role", "permissions", Update, m("permissions", []any{}), m("permissions", []any{m("resource_server_identifier", "r", "permission_name", "p")}))
	flags := step("TenantSettings", "", Update, m("flags", m("a", nil)), m("flags", m("a", true)))
	made := step("Role", "", Create, nil, m("name", "n", "description", "d"))
	gone := step("Role", "", Delete, m("name", "n"), nil)
	for name, c := range map[string]struct {
		step Step
		o    Observed
		set  map[string]SecretRecord
		want State
	}{
		"key not there":          {addKey, client([]any{cred("A")}, nil), nil, Absent},
		"key there":              {addKey, client(nil, []any{cred("B")}), nil, AsAfter},
		"key still there":        {dropKey, client(nil, []any{cred("A")}), nil, AsBefore},
		"key deleted":            {dropKey, client(nil, nil), nil, AsAfter},
		"former key attached":    {attach, client([]any{cred("A")}, nil), nil, AsBefore},
		"new key attached":       {attach, client([]any{cred("B")}, nil), nil, AsAfter},
		"other key attached":     {attach, client([]any{cred("C")}, nil), nil, Neither},
		"former expiry":          {expiry, client([]any{cred("A", "expires_at", "2026-01-01T00:00:00Z")}, nil), nil, AsBefore},
		"new expiry":             {expiry, client([]any{cred("A", "expires_at", "2027-01-01T00:00:00.000Z")}, nil), nil, AsAfter},
		"other expiry":           {expiry, client([]any{cred("A", "expires_at", "2028-01-01T00:00:00Z")}, nil), nil, Neither},
		"not bound":              {bind, action(m("bindings", flowOf("other"))), nil, AsBefore},
		"bound":                  {bind, action(m("bindings", flowOf("other", "id-1"))), nil, AsAfter},
		"bound, others came":     {bind, action(m("bindings", flowOf("new", "id-1"))), nil, AsAfter},
		"not moved":              {move, action(m("bindings", flowOf("id-1", "other"))), nil, AsBefore},
		"moved":                  {move, action(m("bindings", flowOf("other", "id-1"))), nil, AsAfter},
		"moved, others came":     {move, action(m("bindings", flowOf("new", "other", "id-1"))), nil, Neither},
		"shown as before":        {rename, action(shown("One")), nil, AsBefore},
		"shown as wanted":        {rename, action(shown("Two")), nil, AsAfter},
		"shown as another wants": {rename, action(shown("Three")), nil, Neither},
		"secret not set":         {secret, action(m("secrets", m("S", "t0"))), nil, AsBefore},
		"secret set":             {secret, action(m("secrets", m("S", "t1"))), nil, AsAfter},
		"secret set as recorded": {secret, action(m("secrets", m("S", "t1"))), map[string]SecretRecord{"secrets.S": {UpdatedAt: "t1"}}, AsAfter},
		"secret set by another":  {secret, action(m("secrets", m("S", "t2"))), map[string]SecretRecord{"secrets.S": {UpdatedAt: "t1"}}, Neither},
		"secret gone":            {secret, action(m("secrets", m())), nil, Neither},
		"not deployed":           {deploy, action(m("deployed_version", m("id", "v1"), "all_changes_deployed", false)), nil, AsBefore},
		"deployed":               {deploy, action(m("deployed_version", m("id", "v2"), "all_changes_deployed", true)), nil, AsAfter},
		"deployed and changed":   {deploy, action(m("deployed_version", m("id", "v2"), "all_changes_deployed", false)), nil, Neither},
		"permission there":       {grow, observed(m("permissions", grow.After["permissions"])), nil, AsAfter},
		"permission not there":   {grow, observed(m("permissions", []any{})), nil, AsBefore},
		"flag absent":            {flags, observed(m("flags", m())), nil, AsBefore},
		"flag set":               {flags, observed(m("flags", m("a", true))), nil, AsAfter},
		"made":                   {made, observed(m("name", "n", "description", "d", "type", "tenant")), nil, AsAfter},
		"not made":               {made, Observed{}, nil, Absent},
		"made otherwise":         {made, observed(m("name", "n", "description", "theirs")), nil, Neither},
		"deleted":                {gone, Observed{}, nil, AsAfter},
		"not deleted":            {gone, observed(m("name", "n")), nil, AsBefore},
	} {
		f := All()[c.step.Kind()].Compare(c.step, c.o, c.set)
		if f.State != c.want || (f.State == Neither) != (len(f.Otherwise) > 0) {
			t.Errorf("%s: %s (%+v), want %s", name, f.State, f.Otherwise, c.want)
		}
	}
}

// drawFields draws values for a few fields of an API, each of which may be missing.
func drawFields(t *rapid.T, label string) map[string]any {
	out := map[string]any{"identifier": "urn:x", "name": rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" name")}
	pick := func(field string, values ...any) {
		if i := rapid.IntRange(-1, len(values)-1).Draw(t, label+" "+field); i >= 0 {
			out[field] = values[i]
		}
	}
	pick("enforce_policies", true, false)
	pick("allow_offline_access", true, false)
	pick("token_dialect", "access_token", "access_token_authz")
	scopes := []any{}
	for _, v := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID).Draw(t, label+" scopes") {
		scopes = append(scopes, map[string]any{"value": v, "description": rapid.SampledFrom([]string{"1", "2"}).Draw(t, label+" description")})
	}
	if len(scopes) > 0 {
		out["scopes"] = scopes
	}
	return out
}

// written is what an observed object becomes by a PATCH.
func written(o Observed, s Step) Observed {
	spec := map[string]any{}
	for k, v := range o.Spec {
		spec[k] = v
	}
	for k, v := range s.Request.Body.(map[string]any) {
		spec[k] = v
		if v == nil {
			delete(spec, k)
		}
	}
	o.Spec, o.Object = spec, spec
	return o
}

// TestFormer: whatever an update did, it is told from what was before, and the writes
// towards the former state bring that back.
func TestFormer(t *testing.T) {
	k := All()["ResourceServer"]
	rapid.Check(t, func(t *rapid.T) {
		before := observed(drawFields(t, "before"))
		want := drawFields(t, "after")
		if rapid.Bool().Draw(t, "exclusive") {
			want["exclusive"] = true
		}
		steps, err := k.Steps(desired("ResourceServer", want), before)
		if err != nil || len(steps) > 1 {
			t.Fatalf("%v, %v", steps, err)
		}
		if len(steps) == 0 {
			return
		}
		s := steps[0]
		after := written(before, s)
		if f := k.Compare(s, before, nil); f.State != AsBefore {
			t.Fatalf("before: %+v", f)
		}
		if f := k.Compare(s, after, nil); f.State != AsAfter {
			t.Fatalf("after: %+v", f)
		}
		undo, err := k.Steps(k.Former(k.Again(steps, ""), steps), after)
		if err != nil || len(undo) > 1 {
			t.Fatalf("%v, %v", undo, err)
		}
		back := after
		if len(undo) == 1 {
			back = written(after, undo[0])
		}
		for f, rule := range schemas.Rules("ResourceServer").Properties {
			if before.Spec[f] == nil && !clearable(rule) {
				if len(s.Undo.Lost) == 0 && back.Spec[f] != nil {
					t.Fatalf("%s stays, and the step does not say so", f)
				}
				continue
			}
			was, now := orAbsent(rule, before.Spec[f]), orAbsent(rule, back.Spec[f])
			if shared(rule) {
				was, now = keyed(rule, was), keyed(rule, now)
			}
			if !reflect.DeepEqual(was, now) {
				t.Fatalf("%s was %v and is %v", f, before.Spec[f], back.Spec[f])
			}
		}
	})
}
