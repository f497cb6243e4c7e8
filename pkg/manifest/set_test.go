package manifest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3"
)

// devTenant is localTenant under another name, at another domain.
var devTenant = strings.NewReplacer("prod-eu", "dev", "Acme.eu", "dev.eu").Replace(localTenant)

func TestTenants(t *testing.T) {
	s := load(t, map[string]string{"b.yaml": localTenant, "a.yaml": devTenant})
	got := s.Tenants()
	if len(got) != 2 || got[0].Name != "dev" || got[1].Name != "prod-eu" || got[1].Labels["region"] != "eu" || got[1].Domain != "Acme.eu.auth0.com" {
		t.Errorf("got %+v", got)
	}
	_, _, ds := s.Resolve("prod-us", Inputs{})
	if len(ds) != 1 || ds[0].Summary != `there is no tenant "prod-us"` || !strings.Contains(ds[0].Detail, `Did you mean "prod-eu"? There are: dev, prod-eu.`) {
		t.Errorf("got %v", ds)
	}
}

// TestEnvironmentIsDemandedWhereItCounts holds that validation asks for none, and that
// elsewhere each variable that is missing is named, for the tenant that is addressed only.
func TestEnvironmentIsDemandedWhereItCounts(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": localTenant + devTenant + "\n" + doc("ResourceServer", "x", "identifier: ${env.API}")})
	if ds := s.Check(Inputs{Env: func(string) (string, bool) { panic("validation reads the environment") }}); len(ds) > 0 {
		t.Errorf("validation says %v", ds)
	}
	_, _, ds := s.Resolve("dev", Inputs{Env: environment(map[string]string{"ID": "i"})})
	var got []string
	for _, d := range ds {
		got = append(got, fmt.Sprintf("%s: %s", d.Address, d.Summary))
	}
	want := []string{
		`Tenant/dev: the environment variable "SECRET" is not set`, `Tenant/dev: the environment variable "HIDDEN" is not set`,
		`ResourceServer/x: the environment variable "API" is not set`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestCredentialsFromFiles(t *testing.T) {
	files := map[string]string{"m.yaml": doc("Tenant", "t", "domain: localhost:4010\ninsecure: true\nca_file: certs/ca.pem\nauth: {client_id: abc, private_key: {file: certs/key.pem}}")}
	s := load(t, files)
	if ds := s.Check(Inputs{}); len(ds) > 0 {
		t.Errorf("validation needs credentials: %v", ds)
	}
	if _, _, ds := s.Resolve("t", Inputs{}); len(ds) != 2 {
		t.Errorf("want two missing files, got %v", ds)
	}
	files["certs/key.pem"], files["certs/ca.pem"] = "the key\n", "a certificate\n"
	tenant, _, ds := load(t, files).Resolve("t", Inputs{})
	if len(ds) > 0 || tenant.Auth.PrivateKey != "the key" || !tenant.Insecure || !strings.HasSuffix(tenant.CAFile, "certs/ca.pem") {
		t.Errorf("got %+v, %v", tenant, ds)
	}
}

func TestAuthIsNeverShown(t *testing.T) {
	for _, a := range []Auth{{ClientID: "hunter2", ClientSecret: "hunter2"}, {ClientID: "x", PrivateKey: "hunter2"}, {Token: "hunter2"}, {}} {
		tenant := Tenant{Name: "t", Auth: a}
		j, err := json.Marshal(tenant)
		if err != nil {
			t.Fatal(err)
		}
		y, err := yaml.Marshal(tenant)
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "auth", a)
		for _, s := range []string{string(j), string(y), log.String(), fmt.Sprintf("%v %+v %#v %s %q", tenant, tenant, tenant, a, a), fmt.Sprint(&tenant, &a)} {
			if strings.Contains(s, "hunter2") {
				t.Errorf("shown as %s", s)
			}
		}
	}
}

// TestPrivateLines holds that a problem on a line with a sensitive value says so.
func TestPrivateLines(t *testing.T) {
	s, ds := Load([]string{write(t, map[string]string{"m.yaml": doc("Tenant", "t", "domain: a.eu.auth0.com\nauth: {client_id: 3, client_secret: hunter2}") + "---\n" +
		doc("Action", "a", "name: 3\ntrigger: post-login\ncode: x\nsecrets: {A: 12, B: '${env.X}'}") + "---\n" +
		doc("Client", "c", "name: c\ndescription: 3\njwt_configuration: {alg: RS256}\ncredentials:\n  - pem: |\n      -----BEGIN PRIVATE KEY-----\n      abc\n")})})
	ds = append(ds, s.Check(Inputs{})...).Sort()
	private := map[string]bool{}
	for _, d := range ds {
		private[d.Path] = d.Private
	}
	want := map[string]bool{
		"spec.auth.client_id": true, "spec.auth.client_secret": true, "spec.name": false, "spec.secrets.A": true,
		"spec.description": false, "spec.credentials[0].pem": true,
	}
	if fmt.Sprint(private) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", private, want)
	}
}

func TestDigest(t *testing.T) {
	base := map[string]string{
		"a.yaml":   doc("Role", "a", "name: {file: n.txt}") + "---\n" + doc("Role", "b", "name: b"),
		"t.yaml":   doc("Tenant", "t", "domain: a.eu.auth0.com\nauth: {token: '${env.T}'}") + "---\n" + doc("Role", "c", "name: {file: '${tenant.name}.txt'}"),
		"n.txt":    "one",
		"t.txt":    "two",
		"left.txt": "unused",
	}
	with := func(changes map[string]string) string {
		files := map[string]string{}
		for k, v := range base {
			files[k] = v
		}
		for k, v := range changes {
			files[k] = v
		}
		return load(t, files).Digest(nil)
	}
	first := with(nil)
	if !strings.HasPrefix(first, "sha256:") || len(first) != 71 {
		t.Errorf("digest is %s", first)
	}
	same := map[string]map[string]string{
		"order and places": {"a.yaml": "# a comment\n" + doc("Role", "b", "name: b") + "---\n" + doc("Role", "a", "name:\n  file: n.txt")},
		"an unnamed file":  {"left.txt": "changed"},
	}
	for name, c := range same {
		if with(c) != first {
			t.Errorf("%s: the digest differs", name)
		}
	}
	for name, c := range map[string]map[string]string{
		"a value":                 {"a.yaml": strings.Replace(base["a.yaml"], "name: b\n", "name: c\n", 1)},
		"a named file":            {"n.txt": "other"},
		"a file named for tenant": {"t.txt": "other"},
	} {
		if with(c) == first {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	if load(t, base).Digest(map[string]string{"a": "b"}) == first {
		t.Error("variables: the digest is the same")
	}
}

func TestReviewTellsWhichTenants(t *testing.T) {
	tenants := ""
	for i := range 8 {
		vars := "{}"
		if i == 0 {
			vars = "{a: x, b: x}"
		}
		tenants += doc("Tenant", fmt.Sprintf("t%d", i), fmt.Sprintf("domain: a%d.eu.auth0.com\n", i)+"auth: {token: '${env.T}'}\nvars: "+vars) + "---\n"
	}
	s := load(t, map[string]string{"m.yaml": tenants + doc("ResourceServer", "x", "identifier: ${var.a}\nname: ${var.c}")})
	sum, ds := s.Review(Inputs{Expand: func(_ *Tenant, rs []*Resource) ([]*Resource, Diagnostics) { return rs, nil }})
	if sum.String() != "9 documents, 1 resource, 8 tenants: valid" {
		t.Errorf("got %q", sum)
	}
	if len(ds) != 2 || !strings.HasSuffix(ds[0].Detail, "This concerns the tenants t1, t2, t3, t4, t5 and 2 more.") || strings.Contains(ds[1].Detail, "concerns") {
		t.Errorf("got %v", ds)
	}
}

func TestUnusedVariables(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": doc("Action", "a", "name: x${var.login}\ntrigger: post-login\ncode: ${var.not_a_variable}")})
	_, _, ds := s.Resolve("", Inputs{SyntaxOnly: true, Vars: map[string]string{"login": "a", "logni": "b", "not_a_variable": "c"}})
	if len(ds) != 2 || ds.Errors() != 0 || ds[0].Summary != `the variable "logni" is not used by any document` || !strings.Contains(ds[0].Detail, `Did you mean "login"?`) {
		t.Errorf("got %v", ds)
	}
}

// TestResolveSideBySide holds that one Set serves many tenants at once; the race
// detector watches.
func TestResolveSideBySide(t *testing.T) {
	files := map[string]string{"n.txt": "x", "m.yaml": localTenant + doc("Role", "r", "name: {file: n.txt}\ndescription: ${var.url}") + "---\n" +
		doc("ClientGrant", "g", "client_id: a\naudience: b\nscope: ${var.list}")}
	s := load(t, files)
	want := ""
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, rs, ds := s.Prepare("prod-eu", Inputs{Env: environment(fullEnv)})
			got := fmt.Sprint(ds, mustJSON(rs), s.Digest(nil), s.Tenants())
			mu.Lock()
			defer mu.Unlock()
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	wg.Wait()
}

// TestPrepareExpands holds that what composites expand to is checked and linked.
func TestPrepareExpands(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": doc("ExpressConfiguration", "x", "app: {client_id: a}\ninit_login_url: https://a.example")})
	expand := func(_ *Tenant, rs []*Resource) ([]*Resource, Diagnostics) {
		return []*Resource{
			{Kind: "Client", Name: "x.c", Spec: map[string]any{"name": "<c>"}, From: rs[0].Address(), Pos: rs[0].Pos},
			{Kind: "ClientGrant", Name: "x.g", Spec: map[string]any{"client_id": Ref("Client/x.c", "client_id"), "audience": Ref("Client/x.d", "name")}, From: rs[0].Address()},
		}, nil
	}
	_, rs, ds := s.Prepare("", Inputs{SyntaxOnly: true, Expand: expand})
	if len(rs) != 2 || len(ds) != 2 || ds[0].Address != "ClientGrant/x.g" || !strings.Contains(ds[0].Summary, `no resource "Client/x.d"`) ||
		ds[1].Address != "Client/x.c" || !strings.Contains(ds[1].Summary, "spec.name") {
		t.Errorf("got %v", ds)
	}
}

func TestYAML(t *testing.T) {
	s := load(t, map[string]string{"m.yaml": localTenant + doc("Action", "a", "name: a\ntrigger: post-login\ncode: \"a\\nb\\n\"\nsecrets: {A: '${env.HIDDEN}', B: '${env.NONE}'}") +
		"---\n" + doc("ClientGrant", "g", "client_id: ${Client/c.client_id}\naudience: https://x/${Client/c.client_id}/") + "---\n" + doc("Client", "c", "name: c\njwt_configuration: {lifetime_in_seconds: 36000}")})
	_, rs, ds := s.Prepare("prod-eu", Inputs{SyntaxOnly: true, Env: environment(fullEnv)})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	got, err := YAML(rs)
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: ecplan/v1
kind: Action
metadata:
  name: a
spec:
  code: |
    a
    b
  name: a
  secrets:
    A: (sensitive)
    B: (not known here)
  trigger: post-login
---
apiVersion: ecplan/v1
kind: Client
metadata:
  name: c
spec:
  jwt_configuration:
    lifetime_in_seconds: 36000
  name: c
---
apiVersion: ecplan/v1
kind: ClientGrant
metadata:
  name: g
spec:
  audience: https://x/${Client/c.client_id}/
  client_id: ${Client/c.client_id}
`
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
}
