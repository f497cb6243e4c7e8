package fleet_test

import (
	"strings"
	"testing"
)

// TestWhatMustExistAndDoesNot: whichever way it is named, the message lists what there is.
func TestWhatMustExistAndDoesNot(t *testing.T) {
	seed := `{
 "roles": [{"name": "support"}, {"name": "sales"}],
 "resource_servers": [{"identifier": "https://orders.example"}],
 "organizations": [{"name": "initech"}, {"name": "globex"}],
 "actions": [{"name": "theirs", "code": "exports.onExecutePostLogin = async () => {};", "supported_triggers": [{"id": "post-login", "version": "v3"}]}],
 "clients": [{"client_id": "7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu", "name": "Acme CRM", "app_type": "regular_web"}]
}`
	existing := func(kind string, spec object) object {
		d := doc(kind, "x", spec)
		d["metadata"].(object)["existing"] = true
		return d
	}
	setup := func(spec object) object {
		spec["init_login_url"] = "https://crm.acme.example/login"
		return doc("ExpressConfiguration", "crm", spec)
	}
	const app, none = "7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu", "AaaaBbbbCcccDdddEeeeFfffGggg0001"
	for name, c := range map[string]struct {
		doc  object
		more []object
		want []string
	}{
		"role":                    {doc: existing("Role", object{"name": "suport"}), want: []string{`"suport"`, "sales", "support"}},
		"role beside another":     {doc: existing("Role", object{"name": "suport"}), more: []object{doc("Role", "y", object{"name": "y"})}, want: []string{"sales", "support"}},
		"role of a set-up":        {doc: setup(object{"app": object{"client_id": app}, "role": object{"existing": "suport"}}), want: []string{`"suport"`, "sales", "support"}},
		"role of a member":        {doc: doc("Organization", "o", object{"name": "o", "members": []any{object{"user": "auth0|000000000000000000000001", "roles": []any{"suport"}}}}), want: []string{`"suport"`, "sales, support"}},
		"role of a member by id":  {doc: doc("Organization", "o", object{"name": "o", "members": []any{object{"user": "auth0|000000000000000000000001", "roles": []any{"rol_0000000000000000"}}}}), want: []string{"rol_0000000000000000", "sales, support"}},
		"API":                     {doc: existing("ResourceServer", object{"identifier": "https://order.example"}), want: []string{"https://orders.example"}},
		"Action":                  {doc: existing("Action", object{"name": "there", "trigger": "post-login", "code": codeOne}), want: []string{"theirs"}},
		"organization":            {doc: existing("Organization", object{"name": "globx"}), want: []string{"globex", "initech"}},
		"application by name":     {doc: setup(object{"app": object{"name": "Acme CMR"}}), want: []string{"Acme CRM", app}},
		"application by id":       {doc: setup(object{"app": object{"client_id": none}}), want: []string{none, "Acme CRM", app}},
		"one application of many": {doc: setup(object{"app": object{"client_id": none}}), more: []object{doc("Client", "y", object{"name": "y"})}, want: []string{"Acme CRM", app}},
	} {
		t.Run(name, func(t *testing.T) {
			full := strings.Replace(seed, `"roles"`, `"users": [{"user_id": "auth0|000000000000000000000001", "email": "ada@globex.example"}], "roles"`, 1)
			b := newBench(t, []byte(full))
			b.manifest(append([]object{c.doc}, c.more...))
			got := b.planError()
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("%q is not in: %s", w, got)
				}
			}
			if strings.Contains(got, "All Applications") {
				t.Errorf("the global client, which nobody can mean, is listed: %s", got)
			}
		})
	}
}
