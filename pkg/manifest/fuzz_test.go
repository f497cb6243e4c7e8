package manifest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzLoad holds that no input makes loading, filling in or linking panic or hang, and
// that what is reported has a place in the file.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		localTenant + doc("ResourceServer", "api", "identifier: a\nscopes: [{value: x}]"),
		doc("ExpressConfiguration", "x", "app: {client_id: '${var.a}'}\ninit_login_url: https://a.example\noin_client: {public_key: {file: k.pem}}"),
		doc("ClientGrant", "g", "client_id: ${Client/c.client_id}\naudience: x${ResourceServer/api.identifier}$${y}") + "---\n" + doc("Client", "c", "name: ${ClientGrant/g.audience}"),
		doc("Action", "a", "name: a\ntrigger: post-login\ncode: |\n  ${x}\nsecrets: {A: {env: X, sensitive: true}, B: '${var.b}'}\nbind: {before: x}"),
		aliasBomb(), "a: &a [*a]\n", "%YAML 1.1\n---\n<<: [{a: b}]\n? {x: y}\n: z\n", "apiVersion: ecplan/v1\nkind: Role\nmetadata: {name: {}}\nspec: [\n",
		"apiVersion: ecplan/v1\nkind: Role\nspec: {\"\": {\"\": !!binary x}, a.b: 1, ~: 2, ${x}: 3}\nmetadata: 0x7fffffffffffffffff\n",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		p := filepath.Join(dir, "m.yaml")
		if err := os.WriteFile(p, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s, ds := Load([]string{p})
		ds = append(ds, s.Check(Inputs{Now: time.Unix(1, 0), Vars: map[string]string{"a": "b"}})...)
		for _, info := range s.Tenants() {
			_, rs, more := s.Prepare(info.Name, Inputs{Env: environment(fullEnv)})
			ds = append(ds, more...)
			for _, r := range rs {
				if _, err := YAML([]*Resource{r}); err != nil {
					t.Error(err)
				}
			}
		}
		s.Digest(nil)
		lines := 1
		for _, b := range text {
			if b == '\n' {
				lines++
			}
		}
		for _, d := range ds {
			if d.Pos.Line > lines+1 || d.Summary == "" || d.Pos.Line < 0 || d.Pos.Column < 0 {
				t.Errorf("%d lines, and a problem at %v: %s", lines, d.Pos, d.Summary)
			}
		}
	})
}
