//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// deployCLI measures auth0-deploy-cli, Auth0's own tool, beside ecplan: the guide's objects
// on the same simulated tenants, over TLS, which the tool insists on. It knows one tenant
// at a time, so several are done in a loop; a few show what a tenant costs.
func (b *bench) deployCLI(ctx context.Context) error {
	cli, version, why := installed(ctx)
	if why != "" {
		b.skip("auth0-deploy-cli: " + why)
		return nil
	}
	for _, n := range besides {
		s := setup{section: "deploy CLI", tenants: n, latency: 50, tls: true, once: true}
		if err := b.session(ctx, s); err != nil {
			return err
		}
		if err := b.imports(ctx, s, cli, "deploy-cli "+version); err != nil {
			if ctx.Err() != nil {
				return err
			}
			b.skip(fmt.Sprintf("auth0-deploy-cli %s on %s: %v", version, tenants(n), err))
		}
	}
	return nil
}

// besides is how many tenants both tools are measured with.
var besides = []int{1, 3}

// skip tells what was not measured, and goes on.
func (b *bench) skip(what string) {
	fmt.Println("SKIPPED:", what)
	b.out.Skipped = append(b.out.Skipped, what)
}

// attempts is how often an import is tried: the tool computes for long and then takes
// its own connection for timed out, now and then.
const attempts = 3

// imports runs the tool twice on each tenant: the second time nothing is to be done.
func (b *bench) imports(ctx context.Context, s setup, cli, tool string) error {
	sim, err := b.simulate(ctx, s)
	if err != nil {
		return err
	}
	defer sim.stop()
	if err := os.WriteFile(filepath.Join(sim.dir, "code.js"), []byte(actionCode), 0o600); err != nil {
		return err
	}
	for _, name := range []string{"import", "import again"} {
		r := Row{Section: s.section, Tool: tool, Command: name, Tenants: s.tenants, Resources: guideResources, LatencyMS: s.latency, Limit: "off"}
		for i, domain := range sim.domains {
			audience := "https://" + domain + "/api/v2/"
			config, manifest := filepath.Join(sim.dir, fmt.Sprintf("config%d.json", i)), filepath.Join(sim.dir, fmt.Sprintf("tenant%d.yaml", i))
			for file, v := range map[string]any{
				config: map[string]any{
					"AUTH0_DOMAIN": domain, "AUTH0_CLIENT_ID": "m", "AUTH0_CLIENT_SECRET": "s", "AUTH0_AUDIENCE": audience, "AUTH0_ALLOW_DELETE": false,
					"AUTH0_INCLUDED_ONLY": []string{"actions", "triggers", "clients", "clientGrants", "resourceServers", "roles", "tenant"},
				},
				manifest: guide(domain),
			} {
				data, err := json.Marshal(v) // JSON is YAML
				if err != nil {
					return err
				}
				if err := os.WriteFile(file, data, 0o600); err != nil {
					return err
				}
			}
			for n := 1; ; n++ {
				err := sim.measure(ctx, &r, "", "node", cli, "import", "-c", config, "-i", manifest)
				if err == nil {
					break
				}
				if n == attempts || ctx.Err() != nil {
					return err
				}
			}
		}
		b.add(r)
	}
	return nil
}

// installed returns the tool's program and version, or why there is none. It is installed
// from npm once, into the user's cache folder.
func installed(ctx context.Context) (cli, version, why string) {
	for _, tool := range []string{"npm", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", "", tool + " is not there"
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "ecplan-npm-clients")
	home := filepath.Join(dir, "node_modules", "auth0-deploy-cli")
	cli = filepath.Join(home, "lib", "index.js")
	if _, err := os.Stat(cli); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", "", err.Error()
		}
		ctx, cancel := context.WithTimeout(ctx, longest)
		defer cancel()
		install := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "auth0", "auth0-deploy-cli") //nolint:gosec // a fixed command
		if out, err := install.CombinedOutput(); err != nil {
			return "", "", fmt.Sprintf("npm install: %v: %s", err, tail(string(out)))
		}
	}
	var p struct{ Version string }
	text, err := os.ReadFile(filepath.Join(home, "package.json"))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return "", "", err.Error()
	}
	return cli, p.Version, ""
}

const actionCode = "exports.onExecutePostLogin = async (event, api) => {};\n"

// guide is the set-up of Okta's guide in the tool's format.
func guide(domain string) map[string]any {
	type object = map[string]any
	const (
		api    = "https://system.okta.com/actions/express-configure/v1"
		client = "Okta OIN Integration Client"
		action = "express_configure_postlogin_action"
	)
	return object{
		"tenant": object{"flags": object{"use_scope_descriptions_for_consent": true}},
		"resourceServers": []object{{
			"name": "Okta Express Configure API", "identifier": api, "enforce_policies": true, "token_lifetime": 300, "allow_offline_access": false,
			"scopes": []object{{"value": "expressconfigure:sso", "description": "Configure SSO with Express Configuration"}},
		}},
		"roles": []object{{
			"name": "EXPRESS_CONFIGURE_ADMIN_ROLE", "description": "Administrator role for Express Configuration",
			"permissions": []object{{"permission_name": "expressconfigure:sso", "resource_server_identifier": api}},
		}},
		"clients": []object{{
			"name": client, "app_type": "regular_web", "oidc_conformant": true, "grant_types": []string{"authorization_code", "client_credentials"},
			"jwt_configuration": object{"alg": "RS256"}, "organization_require_behavior": "post_login_prompt", "organization_usage": "require",
			"callbacks":       []string{"https://system-admin.okta.com/admin/app/generic/oauth20redirect"},
			"client_metadata": object{"is_express_configure_app": "true", "express_configure_sp_client_id": appID},
		}},
		"clientGrants": []object{{
			"client_id": client, "audience": "https://" + domain + "/api/v2/",
			"scope": []string{
				"create:connections", "read:connections", "update:connections", "read:connections_options", "update:connections_options",
				"read:organization_connections", "create:organization_connections", "update:organization_connections",
			},
		}},
		"actions": []object{{
			"name": action, "code": "./code.js", "runtime": "node22", "dependencies": []object{}, "deployed": true,
			"secrets": []object{
				{"name": "EXPRESS_CONFIGURE_API_IDENTIFIER", "value": api},
				{"name": "TENANT_DOMAIN", "value": "https://" + domain},
				{"name": "SERVICE_INIT_LOGIN_URL", "value": "https://x.example/login"},
			},
			"supported_triggers": []object{{"id": "post-login", "version": "v3"}},
		}},
		"triggers": object{"post-login": []object{{"action_name": action, "display_name": action}}},
	}
}
