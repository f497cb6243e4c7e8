package fleet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecondApplicationWithoutAStore: the guide's own login URL, which the Action for
// several applications does not need, is no loss, though no record tells who set it. A
// colleague's secret is one.
func TestSecondApplicationWithoutAStore(t *testing.T) {
	const second = "apiVersion: ecplan/v1\nkind: ExpressConfiguration\nmetadata: {name: mobile}\nspec:\n  app: {name: Acme Mobile}\n  init_login_url: https://m.acme.example/login\n"
	losses := func(b *bench) string {
		var out []string
		for _, n := range b.plan().Notices {
			if n.ID == "secret-loss" {
				out = append(out, n.Summary)
			}
		}
		return strings.Join(out, "\n")
	}
	b := guide(t)
	b.apply()
	if err := os.RemoveAll(filepath.Join(b.dir, ".ecplan")); err != nil {
		t.Fatal(err)
	}
	b.write("mobile.yaml", second)
	if got := losses(b); got != "" {
		t.Errorf("with a second application: %s", got)
	}
	b.apply()
	if p := b.plan(); len(p.Steps) > 0 {
		t.Errorf("a second plan has %s", indent(p.Steps))
	}
	action := b.find("actions", "name", ownAction)
	names := []string{}
	for _, s := range list(action["secrets"]) {
		names = append(names, s.(object)["name"].(string))
	}
	if got := strings.Join(names, " "); strings.Contains(got+" ", "SERVICE_INIT_LOGIN_URL ") || !strings.Contains(got, "SERVICE_INIT_LOGIN_URLS") {
		t.Errorf("the Action's secrets are %s", got)
	}
	if err := os.RemoveAll(filepath.Join(b.dir, ".ecplan")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.dir, "mobile.yaml")); err != nil {
		t.Fatal(err)
	}
	if got := losses(b); got != "" {
		t.Errorf("back to one application: %s", got)
	}

	b = guide(t)
	b.apply()
	hand{b}.secrets(map[string]string{"EXPRESS_CONFIGURE_API_IDENTIFIER": "x", "SERVICE_INIT_LOGIN_URL": "https://x.example", "TENANT_DOMAIN": "https://x", "COLLEAGUES": "x"})
	b.write("mobile.yaml", second)
	if got := losses(b); !strings.HasSuffix(got, ": COLLEAGUES") {
		t.Errorf("with a colleague's secret it is told: %q", got)
	}
}
