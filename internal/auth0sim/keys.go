package auth0sim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
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

// signingCertificate is what clients show as signing_keys. It is for show: a real
// one would hold the key of the tenant's tokens, which takes time to make, and most
// tenants here never sign any.
var signingCertificate = sync.OnceValue(func() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic("auth0sim: " + err.Error()) // crypto/rand does not fail
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "auth0sim"},
		NotBefore: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic("auth0sim: " + err.Error())
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
})

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
