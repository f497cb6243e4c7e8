package manifest

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a folder of files and returns its path.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeAll(t, dir, files)
	return dir
}

func writeAll(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// load reads files that must be without fault.
func load(t *testing.T, files map[string]string) *Set {
	t.Helper()
	s, ds := Load([]string{write(t, files)})
	if len(ds) > 0 {
		t.Fatalf("loading: %v", ds)
	}
	return s
}

// environment is a fixed environment.
func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

const localTenant = `
apiVersion: ecplan/v1
kind: Tenant
metadata:
  name: prod-eu
  labels: {env: prod, region: eu}
spec:
  domain: Acme.eu.auth0.com
  custom_domain: login.acme.example
  auth:
    client_id: ${env.ID}
    client_secret: ${env.SECRET}
  timeout: 10s
  rate_share: 0.5
  vars:
    app: 7Zk
    on: true
    lifetime: 300
    list: [a, b]
    url: https://${tenant.domain}/x
    hidden: {env: HIDDEN, sensitive: true}
---
`

var fullEnv = map[string]string{"ID": "id1", "SECRET": "s3cr3t", "HIDDEN": "h1dden"}

func TestResolveFillsIn(t *testing.T) {
	s := load(t, map[string]string{
		"code/audit.js": "// `${event.user}` stays\n",
		"all.yaml": localTenant + `
apiVersion: ecplan/v1
kind: ResourceServer
metadata:
  name: api
  labels: {team: id}
  renamed_from: old
  acknowledge: {grant-widened: "we want it"}
  prevent_destroy: true
  existing: true
  assume_secrets: unchanged
spec:
  identifier: https://api.example/$${x}/${var.app}
  enforce_policies: ${var.on}
  token_lifetime: ${var.lifetime}
  name: in ${var.lifetime} ${var.on}
---
apiVersion: ecplan/v1
kind: Action
metadata: {name: audit}
spec:
  name: audit
  trigger: post-login
  code: {file: code/audit.js}
  dependencies: {file: 1.0.0, env: 2.0.0}
  secrets:
    A: {env: HIDDEN, sensitive: true}
    B: ${var.hidden}
    C: "pre-${var.hidden}"
    D: https://${tenant.domain}
    E: ${ResourceServer/api.identifier}
---
apiVersion: ecplan/v1
kind: ClientGrant
metadata: {name: g}
spec:
  client_id: ${env.ID}
  audience: ${ResourceServer/api.identifier}
  scope: ${var.list}
`,
	})
	tenant, rs, ds := s.Prepare("prod-eu", Inputs{Env: environment(fullEnv), Vars: map[string]string{"lifetime": "400", "extra": "1"}})
	if ds.Errors() > 0 || len(ds) != 1 { // extra is not used
		t.Fatal(ds)
	}
	if tenant.Domain != "acme.eu.auth0.com" || tenant.CustomDomain != "login.acme.example" || tenant.Timeout.Seconds() != 10 || tenant.RateShare != 0.5 {
		t.Errorf("tenant is %+v", tenant)
	}
	if tenant.Auth != (Auth{ClientID: "id1", ClientSecret: "s3cr3t"}) {
		t.Error("credentials are wrong")
	}
	if tenant.Vars["url"] != "https://acme.eu.auth0.com/x" || tenant.Vars["extra"] != "1" {
		t.Errorf("variables are %v", tenant.Vars)
	}
	by := map[string]*Resource{}
	for _, r := range rs {
		by[r.Address()] = r
	}
	api := by["ResourceServer/api"]
	want := map[string]any{"identifier": "https://api.example/${x}/7Zk", "enforce_policies": true, "token_lifetime": 400.0, "name": "in 400 true"}
	if !maps.Equal(api.Spec, want) {
		t.Errorf("spec is %v, want %v", api.Spec, want)
	}
	if m := api.Meta; m.RenamedFrom != "old" || m.Labels["team"] != "id" || m.Acknowledge["grant-widened"] != "we want it" ||
		!m.PreventDestroy || !m.Existing || !m.AssumeSecretsUnchanged {
		t.Errorf("metadata are %+v", m)
	}
	audit := by["Action/audit"]
	if audit.Spec["code"] != "// `${event.user}` stays\n" {
		t.Errorf("code is %v", audit.Spec["code"])
	}
	secrets := map[string]string{
		"secrets.A": "h1dden", "secrets.B": "h1dden", "secrets.C": "pre-h1dden", "secrets.D": "https://acme.eu.auth0.com",
		"secrets.E": "https://api.example/${x}/7Zk",
	}
	if !maps.Equal(audit.Secrets, secrets) {
		t.Errorf("secrets are %v", audit.Secrets)
	}
	if strings.Contains(mustJSON(audit.Spec), "h1dden") {
		t.Error("a sensitive value stands in the spec")
	}
	if got := mustJSON(by["ClientGrant/g"].Spec); got != `{"audience":"https://api.example/${x}/7Zk","client_id":"id1","scope":["a","b"]}` {
		t.Errorf("grant is %s", got)
	}
	if got := by["ClientGrant/g"].Meta.After; len(got) != 1 || got[0] != "ResourceServer/api" {
		t.Errorf("the grant comes after %v", got)
	}
	if p := audit.At("secrets.B"); p.Line == 0 || p != audit.Positions["secrets.B"] {
		t.Errorf("place of secrets.B is %v", p)
	}
}
