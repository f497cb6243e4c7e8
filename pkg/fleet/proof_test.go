package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/express/rehearse"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// offline rehearses the manifests in dir, without environment or network.
func offline(t *testing.T, dir string, o fleet.RehearseOptions) rehearse.Transcript {
	t.Helper()
	set, ds := manifest.Load([]string{dir})
	if ds.Errors() > 0 {
		t.Fatal(ds)
	}
	target, ds := fleet.Offline(set, "local", manifest.Inputs{Env: func(string) (string, bool) { return "", false }, Now: time.Now()})
	if ds.Errors() > 0 {
		t.Fatal(ds)
	}
	tr, err := target.Rehearse(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// told is all that a transcript says; failed only what fails.
func told(tr rehearse.Transcript) (all, failed string) {
	var a, f strings.Builder
	for _, n := range tr.Notes {
		a.WriteString(n + "\n")
	}
	for _, act := range tr.Acts {
		for _, s := range act.Steps {
			text := act.Title + ": " + s.Title + "\n" + strings.Join(s.Lines, "\n") + "\n"
			a.WriteString(text)
			if s.Result == express.Fail {
				f.WriteString(text)
			}
		}
	}
	return a.String(), f.String()
}

// TestRehearseManifests finds in manifests what no schema can: the example with one
// thing in it wrong.
func TestRehearseManifests(t *testing.T) {
	files := map[string]string{}
	for _, name := range []string{"objects.yaml", "okta-public-key.pem", "post-login.js", "tenants.yaml"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "examples", "base-kinds", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	for _, c := range []struct{ name, old, new, says string }{
		{"as it is", "", "", ""},
		{"quotation marks around the login URL", "SERVICE_INIT_LOGIN_URL: ${var.init_login_url}", `SERVICE_INIT_LOGIN_URL: "'https://crm.acme.example/login'"`, "it has quotation marks in it"},
		{"the custom domain as the tenant's", "TENANT_DOMAIN: https://${tenant.domain}", "TENANT_DOMAIN: https://login.acme.example", "Service not enabled within domain"},
		{"the domain without a scheme", "TENANT_DOMAIN: https://${tenant.domain}", "TENANT_DOMAIN: ${tenant.domain}", "Service not enabled within domain"},
		{"another audience", "EXPRESS_CONFIGURE_API_IDENTIFIER: ${ResourceServer/express.identifier}", "EXPRESS_CONFIGURE_API_IDENTIFIER: https://system.okta.com/actions/express-configure/v2", "the claim sp_client_id is missing"},
		{"another application", "express_configure_sp_client_id: ${Client/acme-crm.app.client_id}", "express_configure_sp_client_id: nobody", "names no application of the tenant"},
		{"a scope too few", "    - create:organization_connections\n", "", "does not get: create:organization_connections"},
		{"the Action not bound", "  bind: {}\n", "", "the claim sp_client_id is missing"},
		{"no RBAC", "enforce_policies: true", "enforce_policies: false", "a token was issued"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			changed := false
			for name, text := range files {
				if c.old != "" && strings.Contains(text, c.old) {
					text, changed = strings.Replace(text, c.old, c.new, 1), true
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.old != "" && !changed {
				t.Fatalf("the example has no %q any more", c.old)
			}
			_, failed := told(offline(t, dir, fleet.RehearseOptions{}))
			if c.says == "" && failed != "" || !strings.Contains(failed, c.says) {
				t.Errorf("want a failure with %q, got\n%s", c.says, failed)
			}
		})
	}
}

// TestRehearseAtTheCustomDomain: people log in there, so tokens bear it as their issuer and
// Actions see it; the Management API stays at the canonical one.
func TestRehearseAtTheCustomDomain(t *testing.T) {
	b := guide(t)
	b.edit("tenants.yaml", "  domain:", "  custom_domain: login.acme.example\n  domain:")
	b.write("colleague.yaml", `
apiVersion: ecplan/v1
kind: Action
metadata: {name: colleague}
spec:
  name: colleague
  trigger: post-login
  code: "exports.onExecutePostLogin = async (event, api) => { if (event.request.hostname !== 'login.acme.example') api.access.deny('log in at our own domain'); };"
  bind: {}
`)
	b.apply()
	for name, tr := range map[string]rehearse.Transcript{"live": live(t, b.target()), "offline": offline(t, b.dir, fleet.RehearseOptions{})} {
		all, failed := told(tr)
		if failed != "" || !strings.Contains(all, "at the custom domain login.acme.example") {
			t.Errorf("%s: it fails with %q; all of it:\n%s", name, failed, all)
		}
		text, err := json.Marshal(tr)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"iss":"https://login.acme.example/"`, `"management_api_audience":"https://` + b.sim.Domain() + `/api/v2/"`, `"aud":"https://` + b.sim.Domain() + `/api/v2/"`} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: no token says %s", name, want)
			}
		}
	}
}

func live(t *testing.T, target *fleet.Target) rehearse.Transcript {
	t.Helper()
	tr, err := target.Rehearse(t.Context(), fleet.RehearseOptions{Live: true})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// twoApps are two applications on one tenant, the second with spec extra.
func twoApps(t *testing.T, extra string) string {
	t.Helper()
	dir := t.TempDir()
	key, err := os.ReadFile(filepath.Join("..", "..", "examples", "express", "okta-public-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	text := `apiVersion: ecplan/v1
kind: Tenant
metadata: {name: local}
spec:
  domain: acme.eu.auth0.com
  auth: {token: "${env.NOT_NEEDED}"}
`
	for i, name := range []string{"crm", "erp"} {
		text += fmt.Sprintf(`---
apiVersion: ecplan/v1
kind: ExpressConfiguration
metadata: {name: %s}
spec:
  app: {client_id: application-%d}
  init_login_url: https://%[1]s.acme.example/login
  oin_client:
    name: Okta OIN Integration Client of %[1]s
    public_key: {file: key.pem}
%[3]s`, name, i, extra)
	}
	for name, data := range map[string]string{"all.yaml": text, "key.pem": string(key)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRehearseTwoApplications(t *testing.T) {
	tr := offline(t, twoApps(t, ""), fleet.RehearseOptions{})
	all, failed := told(tr)
	if failed != "" || len(tr.Acts) != 3 {
		t.Fatalf("%d acts, failures:\n%s", len(tr.Acts), failed)
	}
	for i, url := range []string{"https://crm.acme.example/login", "https://erp.acme.example/login"} {
		for _, s := range tr.Acts[i].Steps {
			claims, _ := s.Data["access token"].(map[string]any)
			if claims["sp_client_id"] != nil && (claims["sp_client_id"] != fmt.Sprintf("application-%d", i) || claims["init_login_uri"] != url) {
				t.Errorf("the token of %s is another application's: %v", tr.Acts[i].Title, claims)
			}
		}
	}
	if !strings.Contains(all, "https://acme.eu.auth0.com/api/v2/") {
		t.Error("the simulated tenant does not answer for the declared domain")
	}
}

// TestRehearsalKeepsSecrets: no assertion, token or secret value may be told.
func TestRehearsalKeepsSecrets(t *testing.T) {
	dir := twoApps(t, "")
	action := `---
apiVersion: ecplan/v1
kind: Action
metadata: {name: audit}
spec:
  name: audit
  trigger: post-login
  code: "exports.onExecutePostLogin = async (event, api) => { if (event.secrets.TOKEN !== 'hush-hush') throw Error('no') };"
  secrets: {TOKEN: {env: AUDIT_TOKEN, sensitive: true}}
  deploy: true
  bind: {position: first}
`
	if err := os.WriteFile(filepath.Join(dir, "action.yaml"), []byte("apiVersion: ecplan/v1\n"+strings.TrimPrefix(action, "---\napiVersion: ecplan/v1\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	all, failed := told(offline(t, dir, fleet.RehearseOptions{Secrets: map[string]string{"TOKEN": "hush-hush"}}))
	if failed != "" {
		t.Fatalf("with the secret's value given: %s", failed)
	}
	for _, secret := range []string{"hush-hush", "PRIVATE KEY"} {
		if strings.Contains(all, secret) {
			t.Errorf("the transcript holds %q", secret)
		}
	}
	if strings.Count(all, "eyJ") != strings.Count(all, ".(masked)") {
		t.Error("the transcript holds a token that is not masked")
	}
	all, failed = told(offline(t, dir, fleet.RehearseOptions{}))
	if !strings.Contains(all, "a stand-in is used") || !strings.Contains(failed, "Error: no") {
		t.Errorf("without the value a stand-in must be used and named:\n%s", all)
	}
}

// TestRehearseCapabilities: provisioning and home realm discovery are rehearsed where the
// manifest asks for them.
func TestRehearseCapabilities(t *testing.T) {
	dir := twoApps(t, "  capabilities: [sso, scim]\n  home_realm_discovery: {organization_metadata: domains}\n")
	all, failed := told(offline(t, dir, fleet.RehearseOptions{Metadata: map[string]any{"domains": "globex.example, Globex.com"}}))
	if failed != "" {
		t.Fatal(failed)
	}
	for _, want := range []string{"(delete:scim_token)", "asked for: openid profile email expressconfigure:sso expressconfigure:scim", "home realm discovery: globex.com, globex.example"} {
		if !strings.Contains(all, want) {
			t.Errorf("the transcript does not say %q:\n%s", want, all)
		}
	}
}
