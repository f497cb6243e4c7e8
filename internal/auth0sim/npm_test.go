package auth0sim_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestNpmClients lets Auth0's deploy CLI and its Node SDK take the simulator for
// Auth0, over TLS. The deploy CLI imports the guide's objects, exports them, and imports
// its export; the SDK carries them to a second tenant. It runs where npm is present and
// has what testdata/npm/package-lock.json names, from its registry or an earlier run.
func TestNpmClients(t *testing.T) {
	for _, tool := range []string{"npm", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED: %s is not there", tool)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	modules := npmInstall(ctx, t)
	scripts, err := filepath.Abs(filepath.Join("testdata", "npm"))
	if err != nil {
		t.Fatal(err)
	}

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
	encoded := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	options := auth0sim.Options{TLS: true, ClientID: "m", ClientSecret: "s", BuildTime: 200 * time.Millisecond, Exchanges: exchanges}
	one, two := auth0sim.Start(t, options), auth0sim.Start(t, options)
	ca := write("ca.pem", append(one.CA(), two.CA()...))
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

	audience := "https://" + one.Domain() + "/api/v2/"
	config := write("config.json", encoded(obj{
		"AUTH0_DOMAIN": one.Domain(), "AUTH0_CLIENT_ID": "m", "AUTH0_CLIENT_SECRET": "s", "AUTH0_AUDIENCE": audience, "AUTH0_ALLOW_DELETE": false,
		"AUTH0_INCLUDED_ONLY": []any{"actions", "triggers", "clients", "clientAuthCredentials", "clientGrants", "resourceServers", "roles", "tenant"},
	}))
	deploy := func(args ...string) {
		t.Helper()
		cli := []string{filepath.Join(modules, "auth0-deploy-cli", "lib", "index.js")}
		if os.Getenv("ECPLAN_TORTURE") == "" {
			cli = append([]string{"--require", filepath.Join(scripts, "without-prompts.js")}, cli...)
		}
		run(append(append(cli, args...), "-c", config)...)
	}
	write("in/code.js", []byte("exports.onExecutePostLogin = async (event, api) => {};\n"))
	deploy("import", "-i", write("in/tenant.yaml", encoded(npmGuide(audience)))) // JSON is YAML
	state := string(one.Snapshot())
	for _, want := range []string{`"permission_name": "expressconfigure:sso"`, `"use_scope_descriptions_for_consent": true`, `"post-login": [`, `"kid": "`} {
		if !strings.Contains(state, want) {
			t.Errorf("after the import there is no %s", want)
		}
	}
	deploy("export", "--format", "yaml", "-o", "out")
	exported, err := os.ReadFile(filepath.Join(dir, "out", "tenant.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		expressAPI, "EXPRESS_CONFIGURE_ADMIN_ROLE", "Okta OIN Integration Client", "express_configure_postlogin_action", "update:organization_connections",
		"express_configure_sp_client_id: abc", "SERVICE_INIT_LOGIN_URL", "use_scope_descriptions_for_consent: true",
	} {
		if !strings.Contains(string(exported), want) {
			t.Errorf("the export has no %s", want)
		}
	}
	deploy("import", "-i", "out/tenant.yaml")

	out := run(filepath.Join(scripts, "sdk.js"), one.Domain(), two.Domain(), write("key.pem", []byte(publicPEM(testKey()))))
	there, here, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if there != here || !strings.Contains(there, "EXPRESS_CONFIGURE_ADMIN_ROLE") {
		t.Errorf("the SDK read\n%s\nand after carrying it over\n%s", there, here)
	}

	for _, r := range append(one.Requests(), two.Requests()...) {
		switch {
		case r.Status < 400,
			r.Path == "/api/v2/clients/nobody",                                             // the script's own try
			r.Path == "/api/v2/actions/modules",                                            // not served
			r.Status == 400 && r.Method == "GET" && strings.HasSuffix(r.Path, "/bindings"): // entity-bound triggers, which have none
		default:
			t.Errorf("%s", r)
		}
	}
}

// npmInstall installs what testdata/npm/package-lock.json names, once, and returns its
// node_modules.
func npmInstall(ctx context.Context, t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	lock, err := os.ReadFile(filepath.Join("testdata", "npm", "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, fmt.Sprintf("ecplan-npm-clients-%.8x", sha256.Sum256(lock)))
	if _, err := os.Stat(dir); err == nil {
		return filepath.Join(dir, "node_modules")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(cache, "ecplan-npm-clients-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh) //nolint:errcheck // nothing is left of it when all went well
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", "npm", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(fresh, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--engine-strict", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = fresh
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the clients can't be installed: npm ci: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, fs.ErrExist) { // another run was faster
		t.Fatal(err)
	}
	return filepath.Join(dir, "node_modules")
}

// npmGuide is the guide's set-up in the deploy CLI's format.
func npmGuide(audience string) obj {
	const client, action = "Okta OIN Integration Client", "express_configure_postlogin_action"
	return obj{
		"tenant": obj{"flags": obj{"use_scope_descriptions_for_consent": true}},
		"resourceServers": []any{obj{
			"name": "Okta Express Configure API", "identifier": expressAPI, "enforce_policies": true, "token_lifetime": 300, "allow_offline_access": false,
			"skip_consent_for_verifiable_first_party_clients": false,
			"scopes": []any{obj{"value": "expressconfigure:sso", "description": "Configure SSO with Express Configuration"}},
		}},
		"roles": []any{obj{
			"name": "EXPRESS_CONFIGURE_ADMIN_ROLE", "description": "Administrator role for Express Configuration",
			"permissions": []any{obj{"permission_name": "expressconfigure:sso", "resource_server_identifier": expressAPI}},
		}},
		"clients": []any{obj{
			"name": client, "description": "For Okta OIN Integration", "app_type": "regular_web",
			"callbacks":       []any{"https://system-admin.okta.com/admin/app/generic/oauth20redirect"},
			"oidc_conformant": true, "grant_types": []any{"authorization_code", "client_credentials"}, "jwt_configuration": obj{"alg": "RS256"},
			"client_metadata":               obj{"express_configure_sp_client_id": "abc", "is_express_configure_app": "true"},
			"organization_require_behavior": "post_login_prompt", "organization_usage": "require",
			"client_authentication_methods": obj{"private_key_jwt": obj{"credentials": []any{
				obj{"name": "OIN Public Key", "credential_type": "public_key", "pem": publicPEM(testKey()), "alg": "RS256"},
			}}},
		}},
		"clientGrants": []any{obj{"client_id": client, "audience": audience, "scope": strings2any(
			"create:connections", "read:connections", "update:connections", "read:connections_options", "update:connections_options",
			"read:organization_connections", "create:organization_connections", "update:organization_connections")}},
		"actions": []any{obj{
			"name": action, "code": "./code.js", "runtime": "node22", "dependencies": []any{}, "deployed": true,
			"secrets": []any{
				obj{"name": "SERVICE_INIT_LOGIN_URL", "value": "https://x"},
				obj{"name": "EXPRESS_CONFIGURE_API_IDENTIFIER", "value": expressAPI},
				obj{"name": "TENANT_DOMAIN", "value": "https://y"},
			},
			"supported_triggers": []any{obj{"id": "post-login", "version": "v3"}},
		}},
		"triggers": obj{"post-login": []any{obj{"action_name": action, "display_name": action}}},
	}
}
