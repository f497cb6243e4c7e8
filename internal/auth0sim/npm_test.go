package auth0sim_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestNpmClients lets Auth0's Node SDK and its deploy CLI take the simulator for
// Auth0, over TLS: the guide's objects are imported, exported, and the export is
// imported again. It installs both from npm (kept in the user's cache folder) and
// takes a minute or two, so it runs with ECPLAN_NPM=1 or ECPLAN_TORTURE=1 only.
func TestNpmClients(t *testing.T) {
	if os.Getenv("ECPLAN_NPM") == "" && os.Getenv("ECPLAN_TORTURE") == "" {
		t.Skip("SKIPPED: ECPLAN_NPM=1 runs it")
	}
	for _, tool := range []string{"npm", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not there", tool)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	modules := npmInstall(ctx, t)

	s := auth0sim.Start(t, auth0sim.Options{TLS: true, ClientID: "m", ClientSecret: "s", BuildTime: 200 * time.Millisecond, Exchanges: exchanges})
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ca := write("ca.pem", s.CA())
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, "node", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca, "NODE_PATH="+modules)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("node %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "npm", "sdk.js"))
	if err != nil {
		t.Fatal(err)
	}
	if out := run(script, s.Domain()); !strings.Contains(out, "All Applications") {
		t.Errorf("the SDK saw %s", out)
	}

	audience := "https://" + s.Domain() + "/api/v2/"
	encoded := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	config := write("config.json", encoded(obj{
		"AUTH0_DOMAIN": s.Domain(), "AUTH0_CLIENT_ID": "m", "AUTH0_CLIENT_SECRET": "s", "AUTH0_AUDIENCE": audience, "AUTH0_ALLOW_DELETE": false,
		"AUTH0_INCLUDED_ONLY": []any{"actions", "triggers", "clients", "clientAuthCredentials", "clientGrants", "resourceServers", "roles", "tenant"},
	}))
	write("in/code.js", []byte("exports.onExecutePostLogin = async (event, api) => {};\n"))
	in := write("in/tenant.yaml", encoded(npmGuide(audience))) // JSON is YAML
	cli := filepath.Join(modules, "auth0-deploy-cli", "lib", "index.js")
	run(cli, "import", "-c", config, "-i", in)
	state := string(s.Snapshot())
	for _, want := range []string{expressAPI, "EXPRESS_CONFIGURE_ADMIN_ROLE", "Okta OIN Integration Client", `"permission_name": "expressconfigure:sso"`, `"use_scope_descriptions_for_consent": true`, `"post-login": [`, `"kid": "`} {
		if !strings.Contains(state, want) {
			t.Errorf("after the import there is no %s", want)
		}
	}
	run(cli, "export", "-c", config, "--format", "yaml", "-o", "out")
	exported, err := os.ReadFile(filepath.Join(dir, "out", "tenant.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{expressAPI, "EXPRESS_CONFIGURE_ADMIN_ROLE", "Okta OIN Integration Client", "express_configure_postlogin_action", "create:connections", "use_scope_descriptions_for_consent: true"} {
		if !strings.Contains(string(exported), want) {
			t.Errorf("the export has no %s", want)
		}
	}
	run(cli, "import", "-c", config, "-i", "out/tenant.yaml")
	for _, r := range s.Requests() {
		// 404s: modules, which the simulator does not serve, and the SDK's own try.
		if r.Status >= 400 && r.Status != 404 && !strings.Contains(r.Path, "/bindings") {
			t.Errorf("%s", r)
		}
	}
}

// npmInstall installs the two packages once and returns their node_modules.
func npmInstall(ctx context.Context, t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "ecplan-npm-clients")
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "auth0-deploy-cli", "lib", "index.js")); err == nil {
		return modules
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "auth0", "auth0-deploy-cli")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: npm install: %v\n%s", err, out)
	}
	return modules
}

// npmGuide is the guide's set-up in the deploy CLI's format.
func npmGuide(audience string) obj {
	const client, action = "Okta OIN Integration Client", "express_configure_postlogin_action"
	return obj{
		"tenant": obj{"flags": obj{"use_scope_descriptions_for_consent": true}},
		"resourceServers": []any{obj{
			"name": "Okta Express Configure API", "identifier": expressAPI, "enforce_policies": true, "token_lifetime": 300, "allow_offline_access": false,
			"scopes": []any{obj{"value": "expressconfigure:sso", "description": "Configure SSO with Express Configuration"}},
		}},
		"roles": []any{obj{
			"name": "EXPRESS_CONFIGURE_ADMIN_ROLE", "description": "Administrator role for Express Configuration",
			"permissions": []any{obj{"permission_name": "expressconfigure:sso", "resource_server_identifier": expressAPI}},
		}},
		"clients": []any{obj{
			"name": client, "app_type": "regular_web", "oidc_conformant": true, "grant_types": []any{"authorization_code", "client_credentials"},
			"jwt_configuration": obj{"alg": "RS256"}, "organization_require_behavior": "post_login_prompt", "organization_usage": "require",
			"client_authentication_methods": obj{"private_key_jwt": obj{"credentials": []any{
				obj{"name": "OIN Public Key", "credential_type": "public_key", "pem": publicPEM(testKey()), "alg": "RS256"},
			}}},
		}},
		"clientGrants": []any{obj{"client_id": client, "audience": audience, "scope": []any{"create:connections", "read:connections"}}},
		"actions": []any{obj{
			"name": action, "code": "./code.js", "runtime": "node22", "dependencies": []any{}, "deployed": true,
			"secrets": []any{obj{"name": "TENANT_DOMAIN", "value": "https://x"}}, "supported_triggers": []any{obj{"id": "post-login", "version": "v3"}},
		}},
		"triggers": obj{"post-login": []any{obj{"action_name": action, "display_name": action}}},
	}
}
