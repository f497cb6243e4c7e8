package manifest

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// labelled writes a Tenant with labels and variables.
func labelled(name, labels, vars string) string {
	return "---\napiVersion: ecplan/v1\nkind: Tenant\nmetadata: {name: " + name + ", labels: {" + labels + "}}\nspec:\n" +
		"  domain: " + name + ".eu.auth0.com\n  auth: {token: '${env.T}'}\n  vars: {" + vars + "}\n"
}

func TestSelector(t *testing.T) {
	eu := TenantInfo{Name: "prod-eu", Labels: map[string]string{"env": "prod", "region": "eu-1"}}
	for text, want := range map[string]bool{
		"env=prod": true, "env=dev": false, "env!=dev": true, "env!=prod": false, "region=eu-*": true, "region!=us-*": true,
		"env=prod, region=us-*": false, "env": true, "!env": false, "beta": false, "!beta": true, "beta!=x": true, "name=prod-*": true, "name!=prod-eu": false, "env=": false,
	} {
		s, err := ParseSelector(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if s.Matches(eu) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	if !(Selector{}).Matches(eu) {
		t.Error("no condition picks every tenant")
	}
	named := TenantInfo{Name: "a", Labels: map[string]string{"name": "b"}}
	if s, err := ParseSelector("name=b"); err != nil || !s.Matches(named) {
		t.Error("a label called name is a label")
	}
	for _, text := range []string{"", ",", "env=prod,", "=prod", "!=prod", "!", "a b", "env=[x", "env==prod", "env = =prod", "env!==prod"} {
		if _, err := ParseSelector(text); err == nil {
			t.Errorf("%q is no selector", text)
		}
	}
	if s, err := ParseSelector(`sign=\=*`); err != nil || !s.Matches(TenantInfo{Labels: map[string]string{"sign": "=x"}}) {
		t.Error("a value that begins with = is written as a pattern")
	}
}

// specs resolves for a tenant and returns the specs by address.
func specs(t testing.TB, s *Set, tenant string, vars map[string]string) map[string]map[string]any {
	t.Helper()
	_, rs, ds := s.Prepare(tenant, Inputs{Env: environment(map[string]string{"T": "t", "S": "hush"}), Vars: vars})
	if ds.Errors() > 0 {
		t.Fatalf("%s: %v", tenant, ds)
	}
	out := map[string]map[string]any{}
	for _, r := range rs {
		out[r.Address()] = r.Spec
	}
	return out
}

func TestDocumentsForSomeTenants(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": doc("Role", "all", "name: all") +
		"---\napiVersion: ecplan/v1\nkind: Role\nmetadata: {name: some, tenants: 'env=prod,region!=us'}\nspec: {name: some}\n" +
		labelled("a", "env: prod, region: eu", "") + labelled("b", "env: prod, region: us", "") + labelled("c", "env: dev", "")})
	for tenant, want := range map[string]string{"a": "Role/all Role/some", "b": "Role/all", "c": "Role/all"} {
		if got := strings.Join(Keys(specs(t, s, tenant, nil)), " "); got != want {
			t.Errorf("%s gets %s, want %s", tenant, got, want)
		}
	}
}

func TestReferenceToWhatATenantDoesNotGet(t *testing.T) {
	got := validate(t, map[string]string{"m.yaml": "apiVersion: ecplan/v1\nkind: Client\nmetadata: {name: c, tenants: env=prod}\nspec: {name: c}\n---\n" +
		doc("ClientGrant", "g", "client_id: ${Client/c.client_id}\naudience: a\nscope: []") + labelled("a", "env: dev", "") + labelled("b", "env: prod", "")})
	want := []string{`10:14 there is no resource "Client/c" | It is declared at `}
	if len(got) != 1 || !strings.HasPrefix(got[0], want[0]) || !strings.Contains(got[0], "not for this tenant") || !strings.Contains(got[0], "This concerns the tenant a.") {
		t.Errorf("got %q", got)
	}
}

func TestOverrides(t *testing.T) {
	text := `apiVersion: ecplan/v1
kind: ResourceServer
metadata: {name: x}
spec:
  identifier: urn:x
  name: X
  token_lifetime: 300
  scopes: [{value: a}, {value: b}]
  subject_type_authorization: {user: {policy: deny_all}, client: {policy: deny_all}}
overrides:
  - tenants: env=dev
    spec: {token_lifetime: 600, scopes: [{value: c}]}
  - tenants: name=d2
    without: [name]
    spec:
      token_lifetime: ${var.life}
      subject_type_authorization: {client: {policy: require_client_grant}}
`
	s := load(t, map[string]string{"m.yaml": text + labelled("p", "env: prod", "") + labelled("d1", "env: dev", "") + labelled("d2", "env: dev", "life: 900")})
	deny := map[string]any{"policy": "deny_all"}
	base := map[string]any{
		"identifier": "urn:x", "name": "X", "token_lifetime": 300.0, "scopes": []any{map[string]any{"value": "a"}, map[string]any{"value": "b"}},
		"subject_type_authorization": map[string]any{"user": deny, "client": deny},
	}
	dev := maps.Clone(base)
	dev["token_lifetime"], dev["scopes"] = 600.0, []any{map[string]any{"value": "c"}}
	d2 := maps.Clone(dev)
	delete(d2, "name")
	d2["token_lifetime"] = 900.0
	d2["subject_type_authorization"] = map[string]any{"user": deny, "client": map[string]any{"policy": "require_client_grant"}}
	for tenant, want := range map[string]map[string]any{"p": base, "d1": dev, "d2": d2} {
		if diff := cmp.Diff(want, specs(t, s, tenant, nil)["ResourceServer/x"]); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", tenant, diff)
		}
	}
	// What is wrong with an override is told at its own place.
	got := validate(t, map[string]string{"m.yaml": strings.ReplaceAll(text, "token_lifetime: 600", "token_lifetime: soon") + labelled("d1", "env: dev", "")})
	want := []string{
		`12:28 spec.token_lifetime must be a whole number, not text | It is "soon".`,
		`13:14 no tenant is like "name=d2" | Of the tenants that are declared none has these labels, so nothing comes of it. Check the spelling of metadata.labels.`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
	// Without tenants too.
	if got := validate(t, map[string]string{"m.yaml": strings.ReplaceAll(text, "token_lifetime: 600", "token_lifetime: soon")}); len(got) != 1 || !strings.HasPrefix(got[0], "12:28") {
		t.Errorf("without tenants: %q", got)
	}
}

func TestOverridesOfValuesFromElsewhere(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": "apiVersion: ecplan/v1\nkind: Action\nmetadata: {name: x}\nspec: {name: a, trigger: post-login, code: {file: a.js}, secrets: {K: {env: S}}}\n" +
		"overrides: [{tenants: env=dev, spec: {code: 'x', secrets: {K: {file: k.txt}}}}]\n" + labelled("p", "env: prod", "") + labelled("d", "env: dev", ""), "a.js": "a", "k.txt": "k"})
	for tenant, want := range map[string][2]string{"p": {"a", "hush"}, "d": {"x", "k"}} {
		_, rs, ds := s.Prepare(tenant, Inputs{Env: environment(map[string]string{"T": "t", "S": "hush"})})
		if len(ds) > 0 || rs[0].Spec["code"] != want[0] || rs[0].Secrets["secrets.K"] != want[1] {
			t.Errorf("%s: %v %v %v", tenant, rs[0].Spec, rs[0].Secrets, ds)
		}
	}
}

// TestDigestKnowsOverrides: the digest covers what overrides say and the files they name.
func TestDigestKnowsOverrides(t *testing.T) {
	files := map[string]string{"m.yaml": "apiVersion: ecplan/v1\nkind: Action\nmetadata: {name: x}\nspec: {name: a, trigger: post-login, code: y}\n" +
		"overrides: [{tenants: env=dev, spec: {code: {file: a.js}}}]\n" + labelled("d", "env: dev", ""), "a.js": "a"}
	one := load(t, files).Digest(nil)
	files["a.js"] = "b"
	if two := load(t, files).Digest(nil); one == two {
		t.Error("another file, the same digest")
	}
}

const variables = `apiVersion: ecplan/v1
kind: Variables
metadata: {name: v}
spec:
  life: {type: integer, default: 300, description: How long tokens live.}
  label: {default: "API of ${tenant.name}, ${var.region}"}
  region: {allowed: [eu, us]}
  offline: {type: boolean, default: false}
  secret: {sensitive: true, default: "${env.S}"}
  scopes: {type: array, default: [{value: a}]}
overrides:
  - tenants: env=dev
    spec: {life: {default: 900}}
---
apiVersion: ecplan/v1
kind: ResourceServer
metadata: {name: x}
spec: {identifier: urn:x, name: "${var.label}", token_lifetime: "${var.life}", allow_offline_access: "${var.offline}", scopes: "${var.scopes}"}
---
apiVersion: ecplan/v1
kind: Action
metadata: {name: x}
spec: {name: a, trigger: post-login, code: y, secrets: {K: "${var.secret}"}}
`

func TestVariables(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": variables + labelled("p", "env: prod", "region: eu, offline: true") + labelled("d", "env: dev", "region: us, scopes: []")})
	for _, c := range []struct {
		tenant string
		vars   map[string]string
		want   string
	}{
		{"p", nil, `{"allow_offline_access":true,"identifier":"urn:x","name":"API of p, eu","scopes":[{"value":"a"}],"token_lifetime":300}`},
		{"d", nil, `{"allow_offline_access":false,"identifier":"urn:x","name":"API of d, us","scopes":[],"token_lifetime":900}`},
		{"p", map[string]string{"life": "5", "offline": "false", "label": "7", "scopes": `[{"value":"b"}]`}, `{"allow_offline_access":false,"identifier":"urn:x","name":"7","scopes":[{"value":"b"}],"token_lifetime":5}`},
	} {
		got, err := json.Marshal(specs(t, s, c.tenant, c.vars)["ResourceServer/x"])
		if err != nil || string(got) != c.want {
			t.Errorf("%s %v: got %s, want %s", c.tenant, c.vars, got, c.want)
		}
	}
	for name, want := range map[string]bool{"life": true, "secret": false, "unheard": false} {
		if got := s.Harmless(name); got != want {
			t.Errorf("%s is harmless: %v, want %v", name, got, want)
		}
	}
	for _, vars := range []map[string]string{nil, {"secret": "hush"}} {
		tenant, rs, ds := s.Prepare("p", Inputs{Env: environment(map[string]string{"T": "t", "S": "hush"}), Vars: vars})
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		for _, r := range rs {
			text, err := json.Marshal([]any{r.Spec, tenant.Vars})
			if err != nil || strings.Contains(string(text), "hush") {
				t.Errorf("%s shows the secret: %s, %v", r.Address(), text, err)
			}
			if r.Kind == "Action" && r.Secrets["secrets.K"] != "hush" {
				t.Errorf("the secret did not arrive: %v", r.Secrets)
			}
		}
	}
}

func TestVariablesMistakes(t *testing.T) {
	for _, c := range []struct {
		name, text string
		vars       map[string]string
		want       string
	}{
		{"misspelt", variables + labelled("p", "", "region: eu, lifes: 3"), nil, `there is no variable "lifes" | Did you mean "life"?`},
		{"of the wrong type", variables + labelled("p", "", "region: eu, life: soon"), nil, `the variable life must be a whole number, not text |`},
		{"not allowed", variables + labelled("p", "", "region: mars"), nil, `the variable region can't be "mars" | Allowed are: eu, us.`},
		{"of the wrong type, by --var", variables + labelled("p", "", "region: eu"), map[string]string{"offline": "maybe"}, `the variable offline must be true or false, not text |`},
		{"unset", variables + labelled("p", "", ""), nil, `the variable "region" is not set |`},
		{"wrong default", strings.Replace(variables, "default: 300", "default: x", 1) + labelled("p", "", "region: eu"), nil, `the variable life must be a whole number, not text |`},
		{"written secret", strings.Replace(variables, "${env.S}", "hunter2", 1) + labelled("p", "", "region: eu"), nil, `the default of the sensitive variable "secret" must not be written into the manifest |`},
		{"twice", variables + "---\napiVersion: ecplan/v1\nkind: Variables\nmetadata: {name: w}\nspec: {life: {}}\n" + labelled("p", "", "region: eu"), nil, `the variable "life" is declared twice |`},
		{"tenant with overrides", variables + labelled("p", "", "region: eu") + "overrides: [{tenants: a=b, spec: {}}]\n", nil, `a Tenant has no overrides |`},
	} {
		s, ds := Load([]string{write(t, map[string]string{"m.yaml": c.text})})
		ds = append(ds, s.Check(Inputs{Vars: c.vars})...)
		found := false
		for _, d := range ds {
			if d.Pos.Line == 0 && c.vars == nil {
				t.Errorf("%s: no place: %v", c.name, d)
			}
			found = found || strings.HasPrefix(d.Summary+" | "+d.Detail, c.want)
			if strings.Contains(d.String(), "hunter2") {
				t.Errorf("%s: the secret is shown: %v", c.name, d)
			}
		}
		if !found {
			t.Errorf("%s: got %v, want %s", c.name, ds, c.want)
		}
	}
}

func TestRollouts(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": doc("Rollout", "careful", `
waves:
  - {name: canary, tenants: env=prod, limit: 1, check: confirm}
  - {name: rest}
max_failures: 2
rollback: wave`) + labelled("a", "env: prod", "")})
	got := s.Rollouts()
	if len(got) != 1 || len(got[0].Waves) != 2 {
		t.Fatalf("got %+v", got)
	}
	r := got[0]
	if r.Name != "careful" || r.MaxFailures != 2 || r.Rollback != RollbackWave || r.Waves[0].Limit != 1 || r.Waves[0].Check != CheckConfirm || r.Waves[1].Check != CheckVerify {
		t.Errorf("got %+v", r)
	}
	for _, c := range [][2]string{
		{"waves: [{name: a}, {name: a}]", `there are two waves "a"`},
		{"waves: [{name: a, tenants: env=none}]", `no tenant is like "env=none"`},
		{"waves: [{name: a, tenants: 'env='''}]", ""},
		{"waves: []", "spec.waves has too few entries"},
		{"waves: [{name: a, tenants: ','}]", "spec.waves[0].tenants picks no tenants"},
		{"waves: [{name: a}]\nrollback: some", `spec.rollback can't be "some"`},
		{"waves: [{name: '${var.x}'}]", "spec.waves[0].name must be lower-case letters, digits, -, _ and dots, with a letter or digit at both ends"},
	} {
		got := validate(t, map[string]string{"m.yaml": doc("Rollout", "r", c[0]) + labelled("a", "env: prod", "")})
		if c[1] != "" && (len(got) != 1 || !strings.Contains(got[0], c[1]+" |")) {
			t.Errorf("%s: got %q, want %s", c[0], got, c[1])
		}
	}
}

// TestOverridesAreLikeWritingItOut: for random documents and overrides, what a tenant
// gets is what it would get if the merged document had been written for it alone.
func TestOverridesAreLikeWritingItOut(t *testing.T) {
	fields := func(rt *rapid.T, label string) map[string]any {
		m := map[string]any{}
		for _, f := range []string{"name", "token_lifetime", "allow_offline_access", "scopes"} {
			if rapid.Bool().Draw(rt, label+" "+f) {
				switch f {
				case "name":
					m[f] = rapid.SampledFrom([]string{"A", "B", "${tenant.name}"}).Draw(rt, f)
				case "token_lifetime":
					m[f] = float64(rapid.IntRange(1, 900).Draw(rt, f))
				case "allow_offline_access":
					m[f] = rapid.Bool().Draw(rt, f)
				case "scopes":
					m[f] = []any{map[string]any{"value": rapid.SampledFrom([]string{"x", "y"}).Draw(rt, f)}}
				}
			}
		}
		return m
	}
	rapid.Check(t, func(rt *rapid.T) {
		base := fields(rt, "base")
		base["identifier"] = "urn:x"
		envs := []string{"dev", "prod"}
		var overrides []any
		merged := map[string]map[string]any{"dev": maps.Clone(base), "prod": maps.Clone(base)}
		for range rapid.IntRange(0, 3).Draw(rt, "overrides") {
			env, over := rapid.SampledFrom(envs).Draw(rt, "env"), fields(rt, "over")
			overrides = append(overrides, map[string]any{"tenants": "env=" + env, "spec": over})
			maps.Copy(merged[env], over)
		}
		text := func(spec map[string]any, overrides []any) string {
			d := map[string]any{"apiVersion": APIVersion, "kind": "ResourceServer", "metadata": map[string]any{"name": "x"}, "spec": spec}
			if overrides != nil {
				d["overrides"] = overrides
			}
			return mustJSON(d) + "\n" + labelled("tdev", "env: dev", "") + labelled("tprod", "env: prod", "")
		}
		dir := t.TempDir()
		set := func(text string) *Set {
			writeAll(t, dir, map[string]string{"m.yaml": text})
			s, ds := Load([]string{dir})
			if len(ds) > 0 {
				rt.Fatal(ds)
			}
			return s
		}
		for _, env := range envs {
			got := specs(t, set(text(base, overrides)), "t"+env, nil)
			want := specs(t, set(text(merged[env], nil)), "t"+env, nil)
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s (- written out, + with overrides):\n%s", env, diff)
			}
		}
	})
}
