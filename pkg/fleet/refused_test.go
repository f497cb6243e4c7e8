package fleet_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// TestRefusedBefore holds the manifests to refusing, before any tenant is asked, what
// docs/guides/prove.md says they refuse.
func TestRefusedBefore(t *testing.T) {
	page, err := os.ReadFile("../../docs/guides/prove.md")
	if err != nil {
		t.Fatal(err)
	}
	key := func(bits int) *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	weak, good := key(1024), key(2048)
	weakDER, weakErr := x509.MarshalPKIXPublicKey(&weak.PublicKey)
	ended := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "okta"}, NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(-1, 0, 0)}
	endedDER, endedErr := x509.CreateCertificate(rand.Reader, ended, ended, &good.PublicKey, good)
	for _, c := range []struct {
		name, key, old, new string
		says                string
	}{
		{name: "a weak key", key: block("PUBLIC KEY", weakDER, weakErr), says: "1024 bits"},
		{name: "a private key in place of the public one", key: block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(good), nil), says: "private key"},
		{name: "a certificate that has ended", key: block("CERTIFICATE", endedDER, endedErr), says: "expired"},
		{name: "quotation marks around the login URL", old: "https://crm.acme.example/login", new: `"'https://crm.acme.example/login'"`, says: "It holds quotes"},
		{name: "organization_usage: true, as the guide's text has it", old: "  oin_client:\n", new: "  oin_client:\n    organization_usage: true\n", says: "Allowed are: allow, deny, require"},
		{name: "an address in place of the tenant's domain", old: "domain: ", new: "domain: https://", says: "write the domain alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := guide(t)
			if c.key != "" {
				b.write("okta-public-key.pem", c.key)
			} else {
				changed := false
				for _, name := range []string{"express.yaml", "tenants.yaml"} {
					if text := b.read(name); strings.Contains(text, c.old) {
						b.write(name, strings.Replace(text, c.old, c.new, 1))
						changed = true
					}
				}
				if !changed {
					t.Fatalf("the example has no %q any more", c.old)
				}
			}
			set, ds := manifest.Load([]string{b.dir})
			_, more := fleet.Offline(set, "local", manifest.Inputs{Env: func(string) (string, bool) { return "", false }, Now: time.Now()})
			if ds = append(ds, more...); ds.Errors() == 0 || !strings.Contains(ds.Error(), c.says) {
				t.Errorf("it is refused with %q, which says nothing of %q", ds.Error(), c.says)
			}
			if row := "| " + c.name + " | “… " + c.says + " …” |\n"; !strings.Contains(string(page), row) {
				t.Errorf("docs/guides/prove.md lacks the row\n%s", row)
			}
		})
	}
}
