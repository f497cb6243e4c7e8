package auth0sim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// newSigningKey is made once a process, when first needed: tenants of one process
// share it, and a tenant with a state file keeps the one that it began with.
var newSigningKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("auth0sim: " + err.Error()) // crypto/rand does not fail
	}
	return key
})

// key is the key that the tenant signs with.
func (t *tenant) key() *rsa.PrivateKey {
	if t.signingKey == nil {
		return newSigningKey()
	}
	return t.signingKey
}

// keyCertificate is the certificate of the tenant's key: the same for the same key and
// domain.
func (t *tenant) keyCertificate() (*x509.Certificate, error) {
	key := t.key()
	from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	own := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: t.domain}, NotBefore: from, NotAfter: from.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, SignatureAlgorithm: x509.SHA256WithRSA, // whose signatures don't vary
	}
	der, err := x509.CreateCertificate(rand.Reader, own, own, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("certify the signing key: %w", err)
	}
	return x509.ParseCertificate(der)
}

// signingCertificate is what clients show as signing_keys. It is for show: a real
// one would hold the key of the tenant's tokens, which takes time to make, and most
// tenants here never sign any. It is always the same, so that a client is too.
const signingCertificate = `-----BEGIN CERTIFICATE-----
MIIBEjCBuaADAgECAgEBMAoGCCqGSM49BAMCMBMxETAPBgNVBAMTCGF1dGgwc2lt
MB4XDTI1MDEwMTAwMDAwMFoXDTQ1MDEwMTAwMDAwMFowEzERMA8GA1UEAxMIYXV0
aDBzaW0wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQf21fMok+HWCTAxJ99hVeE
+2Br5ChJi6bFN1PSvQr4w5xcEolGfQSAd+dN+Cuiu3tXPBrdbLhGMrI31k2NG5ov
MAoGCCqGSM49BAMCA0gAMEUCIQD17G/bwpL68bnvAZQAwGXCywJJgkPk0MNwOq82
Y627IwIgOTE0MgK3R2PQ339e6Ujavr459n+4nsNFbSI4Q4qKxmc=
-----END CERTIFICATE-----
`

var errPEM = errors.New("neither a public key nor a certificate in PEM")

// parsePEM reads SPKI, PKCS #1 or an X.509 certificate (OAS PublicKeyCredential.pem).
func parsePEM(text string) (pub any, cert *x509.Certificate, err error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, nil, errPEM
	}
	switch block.Type {
	case "PUBLIC KEY":
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			pub = cert.PublicKey
		}
	default:
		err = errPEM
	}
	return pub, cert, err
}

func parsePublicKey(text string) (any, error) {
	pub, _, err := parsePEM(text)
	return pub, err
}

// thumbprint is the RFC 7638 SHA-256 thumbprint, Auth0's kid (facts §3.4); "" for a
// key that has none.
func thumbprint(pub any) string {
	sum, err := (&jose.JSONWebKey{Key: pub}).Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func certificateThumbprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
