//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	// appID is the application that the set-up is for; the seed has it.
	appID = "7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu"
	// guideResources are what the guide's set-up expands to.
	guideResources = 7
)

// publicKey is that of examples/express; nobody has the private half.
const publicKey = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsZ8lZeaYp8j9MG/t1c9I
rexSKKlAPZZp3i2zH8hiEUInIPRhru9ozb5Lp4KGRmHOiAACdXLzeiT8PsqiqM0v
DBprhIGzEwLSHN195s86zKHtgIqEy8hMvyrJ41gxg5i7mHECzDHTCyLbhTel9M4v
KLKtEk8RRyZAT7a4AnhCImaZaf+TkaqXC1MPKEjah2fX08h6WKNI3y/SlGdMt4rV
5cIc6p85VIFFp8H9lbY0/b5+vH2jWsvr+zDuWc7J4xdGLCN7epSsiw0oWEXvGW39
tenR2jnDYTo2VZEc8sCS6fY7y0TcO3WGjJ+HJXCa35DLY3g6kDmRC6l2/BqdU3bC
gwIDAQAB
-----END PUBLIC KEY-----
`

// seedOf is what each tenant holds before: the application, and two clients besides.
func seedOf(s setup) []byte {
	if s.resources > 0 {
		return []byte("{}")
	}
	seed, err := json.Marshal(map[string]any{"clients": []any{
		map[string]any{"client_id": appID, "name": "App", "app_type": "regular_web", "organization_usage": "allow"},
		map[string]any{"name": "Mobile", "app_type": "native"},
		map[string]any{"name": "Nightly", "app_type": "non_interactive"},
	}})
	if err != nil {
		panic(err) // texts always marshal
	}
	return seed
}

// manifests writes the manifests of a session and returns their folder.
func (b *bench) manifests(s setup, sim *simulator) (string, error) {
	dir := filepath.Join(sim.dir, "manifests")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	var m strings.Builder
	for i, domain := range sim.domains {
		reach, auth := "insecure: true", "{token: '${env.ECPLAN_LOCAL_TOKEN}'}"
		if s.tls {
			reach, auth = "ca_file: "+sim.ca, "{client_id: m, client_secret: '${env.ECPLAN_BENCH_SECRET}'}"
		}
		fmt.Fprintf(&m, "---\napiVersion: ecplan/v1\nkind: Tenant\nmetadata: {name: t%04d}\nspec:\n  domain: %s\n  %s\n  auth: %s\n", i, domain, reach, auth)
	}
	if s.resources > 0 {
		many(&m, s.resources)
	} else {
		fmt.Fprintf(&m, "---\napiVersion: ecplan/v1\nkind: ExpressConfiguration\nmetadata: {name: crm}\nspec:\n  app: {client_id: %s}\n  init_login_url: 'https://${tenant.name}.example/login'\n  oin_client: {public_key: {file: key.pem}}\n", appID)
		for i := range s.more {
			api(&m, i)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte(publicKey), 0o600); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(m.String()), 0o600)
}

// many declares n resources of four kinds, which refer to each other.
func many(m *strings.Builder, n int) {
	for i := range n {
		switch k := i % 10; {
		case k < 5:
			fmt.Fprintf(m, "---\napiVersion: ecplan/v1\nkind: Client\nmetadata: {name: c%d}\nspec:\n  name: Client %d\n  app_type: regular_web\n  callbacks: ['https://a%d.example/cb', 'https://b%d.example/cb']\n"+
				"  grant_types: [authorization_code, refresh_token]\n  oidc_conformant: true\n", i, i, i, i)
		case k < 6:
			fmt.Fprintf(m, "---\napiVersion: ecplan/v1\nkind: Role\nmetadata: {name: r%d}\nspec: {name: Role %d, description: Role number %d}\n", i, i, i)
		case k < 9:
			api(m, i)
		default:
			fmt.Fprintf(m, "---\napiVersion: ecplan/v1\nkind: ClientGrant\nmetadata: {name: g%d}\nspec: {client_id: '${Client/c%d.client_id}', audience: '${ResourceServer/a%d.identifier}', scope: ['read:x']}\n", i, i-9, i-1)
		}
	}
}

func api(m *strings.Builder, i int) {
	fmt.Fprintf(m, "---\napiVersion: ecplan/v1\nkind: ResourceServer\nmetadata: {name: a%d}\nspec:\n  identifier: https://api%d.example\n  name: API %d\n  token_lifetime: 300\n"+
		"  scopes: [{value: 'read:x', description: Read}, {value: 'write:x', description: Write}]\n", i, i, i)
}
