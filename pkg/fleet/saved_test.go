package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
)

func (b *bench) planAll() *planner.Plan {
	return fleet.PlanAll(context.Background(), []*fleet.Target{b.target()}, "test", fleet.PlanOptions{})
}

// find returns the object of a collection whose field has the value.
func (b *bench) find(collection, field string, value any) object {
	b.t.Helper()
	for _, e := range list(b.state()[collection]) {
		if e.(object)[field] == value {
			return e.(object)
		}
	}
	b.t.Fatalf("there is no %s with %s %v", collection, field, value)
	return nil
}

// drift is something that somebody else does to the finished set-up of the guide.
type drift struct {
	name string
	do   func(b *bench)
	// field is named by what tells of it; "" where the plan does not use what changed.
	field string
}

func drifts() []drift {
	oin := func(b *bench) string {
		return b.find("clients", "name", "Okta OIN Integration Client")["client_id"].(string)
	}
	action := func(b *bench, name string) string { return b.find("actions", "name", name)["id"].(string) }
	return []drift{
		{"the client's callbacks", func(b *bench) {
			b.call("PATCH", "clients/"+oin(b), object{"callbacks": []any{"https://elsewhere.example"}})
		}, "callbacks"},
		{"the grant's scopes", func(b *bench) {
			id := b.find("client_grants", "client_id", oin(b))["id"].(string)
			b.call("PATCH", "client-grants/"+id, object{"scope": []any{"read:connections"}})
		}, "ClientGrant"},
		{"the flow", func(b *bench) { b.call("PATCH", "actions/triggers/post-login/bindings", object{"bindings": []any{}}) }, "Action"},
		{"the role's permission", func(b *bench) {
			id := b.find("roles", "name", "EXPRESS_CONFIGURE_ADMIN_ROLE")["id"].(string)
			b.call("DELETE", "roles/"+id+"/permissions", object{"permissions": []any{object{
				"resource_server_identifier": "https://system.okta.com/actions/express-configure/v1", "permission_name": "expressconfigure:sso",
			}}})
		}, "Role"},
		{"the Action's code", func(b *bench) {
			b.call("PATCH", "actions/actions/"+action(b, "express_configure_postlogin_action"), object{"code": "// nothing"})
		}, "Action"},
		{"the Action's secrets", func(b *bench) {
			b.call("PATCH", "actions/actions/"+action(b, "express_configure_postlogin_action"), object{"secrets": []any{object{"name": "TENANT_DOMAIN", "value": "x"}}})
		}, "secrets"},
		{"the consent flag", func(b *bench) {
			b.call("PATCH", "tenants/settings", object{"flags": object{"use_scope_descriptions_for_consent": false}})
		}, "TenantSettings"},
		{"an undeclared field", func(b *bench) {
			b.call("PATCH", "clients/"+oin(b), object{"logo_uri": "https://elsewhere.example/logo.png"})
		}, ""},
		{"another client", func(b *bench) { b.call("POST", "clients", object{"name": "Unrelated"}) }, ""},
		{"another flag", func(b *bench) {
			b.call("PATCH", "tenants/settings", object{"flags": object{"revoke_refresh_token_grant": true}})
		}, ""},
		{"another role", func(b *bench) { b.call("POST", "roles", object{"name": "unrelated"}) }, ""},
	}
}

// TestSavedPlanIsRefusedIfStale: whatever changes of what the plan read and used, the
// plan is refused and the reason named; what it does not use may change.
func TestSavedPlanIsRefusedIfStale(t *testing.T) {
	for _, d := range drifts() {
		t.Run(d.name, func(t *testing.T) {
			b := guide(t)
			b.apply()
			saved := b.planAll()
			d.do(b)
			err := fleet.Fresh(saved, b.planAll())
			var stale *fleet.Stale
			switch {
			case d.field == "" && err != nil:
				t.Errorf("refused, though the plan does not use it: %v", err)
			case d.field != "" && !errors.As(err, &stale):
				t.Errorf("not refused: %v", err)
			case d.field != "" && !strings.Contains(err.Error(), d.field):
				t.Errorf("the reason does not name %s: %v", d.field, err)
			}
		})
	}
}

// TestEditedPlanIsRefused: a saved plan of which any byte was changed is not read.
func TestEditedPlanIsRefused(t *testing.T) {
	b := guide(t)
	data, err := planner.Encode(b.planAll())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := planner.Read(data); err != nil {
		t.Fatalf("what was saved can't be read: %v", err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		at := rapid.IntRange(0, len(data)-1).Draw(rt, "at")
		edited := slices.Clone(data)
		switch rapid.IntRange(0, 2).Draw(rt, "edit") {
		case 0:
			edited[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "by"))
		case 1:
			edited = slices.Delete(edited, at, at+1)
		case 2:
			edited = slices.Insert(edited, at, byte(rapid.IntRange(0, 255).Draw(rt, "byte")))
		}
		if slices.Equal(edited, data) {
			rt.Skip("no edit")
		}
		if _, err := planner.Read(edited); err == nil {
			rt.Fatalf("an edit at byte %d was not noticed", at)
		}
	})
}

// TestTellsDriftFromTheManifest: what the tenant changed by itself is told apart from
// what the manifest changed.
func TestTellsDriftFromTheManifest(t *testing.T) {
	for _, d := range drifts() {
		if d.field == "" || d.field == "secrets" {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			b := guide(t)
			b.apply()
			d.do(b)
			p := b.plan()
			if len(p.Steps) == 0 {
				t.Fatal("the drift goes unseen")
			}
			for _, s := range p.Steps {
				if s.Cause != kind.Drift || s.Action != kind.Deploy && !strings.HasPrefix(s.Reason, "drift: ") {
					t.Errorf("%s is caused by %q: %s", s.ID, s.Cause, s.Reason)
				}
			}
			only := planner.DriftOnly(p)
			if len(only.Steps) != len(p.Steps) {
				t.Errorf("a report of drift has %d of %d steps", len(only.Steps), len(p.Steps))
			}
			if summary, _ := noticed(p, "token-scopes-unknown"); summary == "" {
				t.Error("the plan does not tell that scopes are not known")
			}
			if summary, _ := noticed(only, "token-scopes-unknown"); summary != "" {
				t.Error("a report of drift tells what only apply needs to know")
			}
		})
	}
	t.Run("the manifest", func(t *testing.T) {
		b := guide(t)
		b.apply()
		b.write("express.yaml", strings.Replace(b.read("express.yaml"), "spec:\n", "spec:\n  api: {token_lifetime: 600}\n", 1))
		p := b.plan()
		if len(p.Steps) != 1 || p.Steps[0].Cause != kind.Declared {
			t.Errorf("want one step that the manifest caused, got %s", indent(p.Steps))
		}
		if only := planner.DriftOnly(p); len(only.Steps) != 0 {
			t.Error("a report of drift tells of the manifest")
		}
	})
}

func TestPolicy(t *testing.T) {
	cases := map[string]struct {
		policy planner.Policy
		want   string
	}{
		"deny":              {planner.Policy{Deny: []planner.Denial{{Action: kind.Create, Kind: "Client"}}}, "Client/acme-crm.okta-oin"},
		"acknowledgement":   {planner.Policy{RequireAcknowledgement: []string{"client-connections-enabled"}}, "client-connections-enabled"},
		"grant scopes":      {planner.Policy{GrantScopes: []string{"read:connections"}}, "create:organization_connections"},
		"key size":          {planner.Policy{MinKeyBits: 4096}, "4096"},
		"token lifetime":    {planner.Policy{MaxTokenLifetime: 60}, "300"},
		"nothing to bemoan": {planner.Policy{MinKeyBits: 2048, MaxTokenLifetime: 300}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := guide(t)
			p, err := b.target().Plan(context.Background(), fleet.PlanOptions{Policies: []planner.Policy{c.policy}, Force: true})
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, n := range p.Notices {
				if planner.Violates(n) {
					told = append(told, n.ID+" "+n.Address+" "+n.Summary)
				}
			}
			all := strings.Join(told, "\n")
			if (c.want == "") != (len(told) == 0) || !strings.Contains(all, c.want) {
				t.Errorf("the violations are %q, want one about %q", all, c.want)
			}
			if refused := fleet.Refused(p, planner.Identity{}); (refused != nil) != (len(told) > 0) {
				t.Errorf("apply says %v", refused)
			}
		})
	}
}

// TestNewcomersInTheFlow: an Action that others bind or take out stays as it is, and the
// plan says so until a run has seen it or the manifest acknowledges it.
func TestNewcomersInTheFlow(t *testing.T) {
	b := guide(t)
	told := func() string {
		var all []string
		for _, n := range b.plan().Notices {
			if n.ID == "flow-changed" {
				all = append(all, n.Address+": "+n.Summary+n.Acknowledged)
			}
		}
		return strings.Join(all, "\n")
	}
	bound := func(names ...string) {
		refs := []any{}
		for _, n := range names {
			refs = append(refs, object{"ref": object{"type": "action_name", "value": n}, "display_name": n})
		}
		b.call("PATCH", "actions/triggers/post-login/bindings", object{"bindings": refs})
	}
	b.apply()
	if got := told(); got != "" {
		t.Errorf("right after the run: %s", got)
	}
	const own, old = "express_configure_postlogin_action", "add-roles-claim"
	b.call("POST", "actions/actions", object{"name": "intruder", "code": codeOne, "supported_triggers": []any{object{"id": "post-login", "version": "v3"}}, "deploy": true})
	bound(old, "intruder", own)
	if got := told(); !strings.HasPrefix(got, "Action/acme-crm.post-login: ") || !strings.Contains(got, `"intruder" was bound before "`+own+`"`) || strings.Contains(got, old) {
		t.Errorf("an Action bound before ours: %s", got)
	}
	if p := b.plan(); len(p.Steps) > 0 {
		t.Errorf("the plan would do %s", indent(p.Steps))
	}
	if only := planner.DriftOnly(b.plan()); !slices.ContainsFunc(only.Notices, func(n kind.Notice) bool { return n.ID == "flow-changed" }) {
		t.Error("a report of drift does not tell")
	}
	bound(own, "intruder")
	if got := told(); !strings.Contains(got, `"intruder" was bound after "`+own+`"; "`+old+`" is no longer bound`) {
		t.Errorf("bound after ours, and another one taken out: %s", got)
	}
	b.edit("express.yaml", "metadata:\n", "metadata:\n  acknowledge: {flow-changed: SEC-1}\n")
	if got := told(); !strings.HasSuffix(got, "SEC-1") {
		t.Errorf("acknowledged: %s", got)
	}
	b.edit("express.yaml", "spec:\n", "spec:\n  api: {token_lifetime: 600}\n")
	b.apply()
	if got := told(); got != "" {
		t.Errorf("after another run: %s", got)
	}
}

// meddling is a field of an object of the guide's set-up that others change.
type meddling struct {
	path   func(b *bench) string
	field  string
	values []any
	// used says that the manifest declares it, so that the plan was made from it. No
	// value is then the declared one.
	used bool
}

func meddlings() []meddling {
	of := func(path, collection, key string, name any, id string) func(b *bench) string {
		return func(b *bench) string { return path + b.find(collection, key, name)[id].(string) }
	}
	api := of("resource-servers/", "resource_servers", "identifier", "https://system.okta.com/actions/express-configure/v1", "id")
	oin := of("clients/", "clients", "name", "Okta OIN Integration Client", "client_id")
	app := of("clients/", "clients", "name", "Acme CRM", "client_id")
	role := of("roles/", "roles", "name", "EXPRESS_CONFIGURE_ADMIN_ROLE", "id")
	settings := func(*bench) string { return "tenants/settings" }
	return []meddling{
		{api, "token_lifetime", []any{60, 301, 86400}, true},
		{api, "enforce_policies", []any{false}, true},
		{api, "allow_offline_access", []any{true}, true},
		{api, "name", []any{"Mine", "Okta Express Configure API "}, true},
		{api, "scopes", []any{[]any{object{"value": "expressconfigure:sso", "description": "Mine"}}}, true},
		{api, "signing_alg", []any{"PS256", "RS256"}, false},
		{api, "token_dialect", []any{"access_token", "access_token_authz"}, false},
		{oin, "description", []any{"Mine", ""}, true},
		{oin, "callbacks", []any{[]any{}, []any{"https://elsewhere.example"}, []any{"https://system-admin.okta.com/admin/app/generic/oauth20redirect", "https://elsewhere.example"}}, true},
		{oin, "grant_types", []any{[]any{"client_credentials"}, []any{"authorization_code", "client_credentials", "refresh_token"}}, true},
		{oin, "organization_usage", []any{"allow"}, true},
		{oin, "client_metadata", []any{object{"is_express_configure_app": "false"}}, true},
		{oin, "client_metadata", []any{object{"team": "crm"}, object{"team": "identity"}}, false},
		{oin, "logo_uri", []any{"https://a.example/l.png", "https://b.example/l.png"}, false},
		{oin, "initiate_login_uri", []any{"https://a.example/login"}, false},
		{app, "description", []any{"One", "Two"}, false},
		{role, "description", []any{"Mine", "Administrator role for Express Configuration."}, true},
		{settings, "flags", []any{object{"use_scope_descriptions_for_consent": false}}, true},
		{settings, "flags", []any{object{"revoke_refresh_token_grant": true}, object{"revoke_refresh_token_grant": false}}, false},
		{settings, "friendly_name", []any{"One", "Two"}, false},
	}
}

// TestRandomDriftsMakeStale: a saved plan is refused if and only if others changed, in
// whatever combination, something that it was made from; then each such field is named.
func TestRandomDriftsMakeStale(t *testing.T) {
	b := guide(t)
	b.apply()
	rapid.Check(t, func(rt *rapid.T) {
		// Something is left to do, so that the plan is one to apply.
		life := rapid.IntRange(1000, 80000).Draw(rt, "lifetime")
		b.write("objects.yaml", fmt.Sprintf("apiVersion: ecplan/v1\nkind: ResourceServer\nmetadata: {name: other}\nspec: {identifier: https://other.example, token_lifetime: %d}\n", life))
		saved := b.planAll()
		var used []string
		done := rapid.SliceOfNDistinct(rapid.SampledFrom(meddlings()), 0, 4, func(m meddling) string { return m.path(b) + m.field + fmt.Sprint(m.used) }).Draw(rt, "done")
		for _, m := range done {
			b.call("PATCH", m.path(b), object{m.field: rapid.SampledFrom(m.values).Draw(rt, m.field)})
			if m.used {
				used = append(used, m.field)
			}
		}
		err := fleet.Fresh(saved, b.planAll())
		var stale *fleet.Stale
		if len(used) == 0 && err != nil {
			rt.Fatalf("refused, though nothing that it uses has changed: %v", err)
		}
		if len(used) > 0 && !errors.As(err, &stale) {
			rt.Fatalf("not refused, though %v changed: %v", used, err)
		}
		for _, f := range used {
			if !strings.Contains(err.Error(), f) {
				rt.Fatalf("the reason does not name %s: %v", f, err)
			}
		}
		b.apply() // as declared again
	})
}
