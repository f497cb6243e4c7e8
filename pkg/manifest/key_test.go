package manifest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0") // weak keys are what is tested
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func spki(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PUBLIC KEY", der)
}

func certificate(t *testing.T, k *rsa.PrivateKey, until time.Time) string {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", der)
}

// TestThumbprint computes the thumbprint a second time from RFC 7638, section 3.
func TestThumbprint(t *testing.T) {
	k := rsaKey(t, 2048)
	enc := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256(fmt.Appendf(nil, `{"e":"%s","kty":"RSA","n":"%s"}`, enc(big.NewInt(int64(k.E)).Bytes()), enc(k.N.Bytes())))
	for name, text := range map[string]string{
		"SPKI":        spki(t, k.Public()),
		"PKCS 1":      block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.PublicKey)),
		"certificate": certificate(t, k, time.Now().AddDate(1, 0, 0)),
		"CRLF":        strings.ReplaceAll(spki(t, k.Public()), "\n", "\r\n"),
	} {
		if got, err := Thumbprint(text); err != nil || got != enc(sum[:]) {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	if _, err := Thumbprint("no key"); err == nil {
		t.Error("garbage has a thumbprint")
	}
}

func TestKeysThatAuth0Refuses(t *testing.T) {
	weak, good := rsaKey(t, 1024), rsaKey(t, 2048)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(good)
	if err != nil {
		t.Fatal(err)
	}
	private := block("PRIVATE KEY", pkcs8)
	public := spki(t, good.Public())
	for name, tt := range map[string]struct{ text, want string }{
		"weak":           {spki(t, weak.Public()), "1024 bits"},
		"too strong":     {spki(t, &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 4096), E: 65537}), "4097 bits"},
		"elliptic curve": {spki(t, ec.Public()), "elliptic curve"},
		"private":        {private, "private key"},
		"PKCS 1 private": {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(good)), "private key"},
		"both":           {public + private, "private key"},
		"two":            {public + public, "more than one"},
		"request":        {block("CERTIFICATE REQUEST", []byte{1}), "CERTIFICATE REQUEST"},
		"damaged":        {block("PUBLIC KEY", []byte{1, 2, 3}), "damaged"},
		"line ends lost": {strings.ReplaceAll(public, "\n", " "), "damaged"},
		"SSH":            {"ssh-rsa AAAA me@host", "ssh-keygen"},
		"JWK":            {`{"kty":"RSA"}`, "JSON"},
		"file name":      {"key.pem", "{file: path}"},
		"binary":         {strings.Repeat("\x01\n", 200), "openssl"},
		"empty":          {"", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			m := doc("Client", "c", "name: c\njwt_configuration: {alg: RS256}\ncredentials:\n  - pem: {file: k.pem}")
			got := validate(t, map[string]string{"m.yaml": m, "k.pem": tt.text})
			if len(got) != 1 || !strings.HasPrefix(got[0], "m.yaml:8:12 spec.credentials[0].pem is") || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %v", got)
			}
			for _, line := range strings.Split(tt.text, "\n") {
				if len(line) > 20 && !strings.HasPrefix(line, "-----") && strings.Contains(strings.Join(got, ""), line) {
					t.Error("the key's content is shown")
				}
			}
		})
	}
}

func TestExpiredCertificate(t *testing.T) {
	until := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	s := load(t, map[string]string{
		"m.yaml": doc("ExpressConfiguration", "x", "app: {client_id: a}\ninit_login_url: https://a.example\noin_client: {public_key: {file: k.pem}}"),
		"k.pem":  certificate(t, rsaKey(t, 2048), until),
	})
	for now, want := range map[time.Time]int{until.AddDate(0, 0, -1): 0, until.AddDate(0, 0, 1): 1, {}: 0} {
		_, _, ds := s.Resolve("", Inputs{Now: now})
		if len(ds) != want || want == 1 && !strings.Contains(ds.Error(), "valid until 2026-05-01T00:00:00Z") {
			t.Errorf("at %v: got %v", now, ds)
		}
	}
}
