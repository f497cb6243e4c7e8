package fleet_test

import (
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// TestPlaces: what a plan changes is found in the manifest at the line that gives the
// value, or at the nearest that is there.
func TestPlaces(t *testing.T) {
	b := newBench(t, nil)
	b.write("okta.pem", testKeys()[0])
	b.write("manifest.yaml", `apiVersion: ecplan/v1
kind: ExpressConfiguration
metadata: {name: crm}
spec:
  app: {client_id: 7ZkQ2bVn8RwT4xLm9PdY6sHj3CfA1gEu} # app
  init_login_url: https://crm.example/login # login
  oin_client:
    public_key: {file: okta.pem} # key
    description: Ours # description
  capabilities: [sso, scim] # capabilities
  action:
    runtime: node18 # runtime
---
apiVersion: ecplan/v1
kind: ResourceServer
metadata: {name: api}
spec: # api
  identifier: https://api.example
  scopes:
    - {value: "read:[x]", description: X} # read
    - value: write # write
      description: W # write description
---
apiVersion: ecplan/v1
kind: Action
metadata: {name: audit}
spec:
  name: audit
  trigger: post-login
  code: // one
  secrets: {A: "1"} # secret
  bind: {position: first} # bind
---
apiVersion: ecplan/v1
kind: Tenant
metadata: {name: local}
spec: # tenant
  domain: `+b.sim.Domain()+`
  insecure: true
  auth: {token: "${env.TOKEN}"}
`)
	target := b.target()
	places := fleet.PlacesOf([]*fleet.Target{target})
	lines := strings.Split(b.read("manifest.yaml"), "\n")
	const oin, composite = "Client/crm.okta-oin", "kind: ExpressConfiguration"
	for _, c := range []struct{ address, path, want string }{
		{oin, "description", "# description"},
		{oin, "client_metadata.express_configure_sp_client_id", "# app"},
		{oin, "credentials[OIN Public Key]", "# key"},
		{oin, "credentials", "# key"},
		{oin, "callbacks", "# key"}, // the section's first line
		{"ClientGrant/crm.okta-oin", "scope", "# capabilities"},
		{"ClientGrant/crm.okta-oin", "organization_usage", composite},
		{"Action/crm.post-login", "runtime", "# runtime"},
		{"Action/crm.post-login", "code", "# runtime"},
		{"Action/crm.post-login", "secrets.SERVICE_INIT_LOGIN_URL", "# login"},
		{"Role/express-admin", "description", composite},
		{"ExpressConfiguration/crm", "", composite},
		{"ResourceServer/api", "scopes[read:[x]].description", "# read"},
		{"ResourceServer/api", "scopes[write].description", "# write description"},
		{"ResourceServer/api", "scopes[gone]", "# read"},
		{"ResourceServer/api", "token_lifetime", "kind: ResourceServer"},
		{"Action/audit", "post-login bindings", "# bind"},
		{"Action/audit", "secrets.A", "# secret"},
		{"Tenant/local", "", "kind: Tenant"},
		{"Role/unknown", "name", ""},
	} {
		at := places.Of("local", c.address, c.path)
		got := ""
		if at.Line > 0 { // a document begins at its first line
			got = strings.Join(lines[at.Line-1:min(at.Line+1, len(lines))], "\n")
		}
		if !strings.Contains(got, c.want) || (c.want == "") != (at == manifest.Position{}) {
			t.Errorf("%s %s is at %s, which is %q, want %q", c.address, c.path, at, got, c.want)
		}
	}

	t.Run("a saved plan", func(t *testing.T) {
		p := b.planAll()
		set, _ := manifest.Load([]string{b.dir})
		again, err := fleet.ReadPlaces(set, p, manifest.Inputs{Env: func(string) (string, bool) { return "", false }})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Tenants[0].Steps {
			for _, c := range s.Changes {
				if at := again.Of("local", s.Address, c.Path); at != places.Of("local", s.Address, c.Path) || at.Line == 0 {
					t.Errorf("%s %s is at %s", s.Address, c.Path, at)
				}
			}
		}
		b.edit("manifest.yaml", "# app\n", "# app\n  grant: {organization_usage: deny}\n")
		set, _ = manifest.Load([]string{b.dir})
		if _, err := fleet.ReadPlaces(set, p, manifest.Inputs{}); err == nil {
			t.Error("lines are told of manifests that the plan was not made from")
		}
	})
}
