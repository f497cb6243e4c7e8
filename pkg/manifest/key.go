package manifest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of RSA keys for private_key_jwt, in bits (facts §3.4).
const (
	minRSA = 2048
	maxRSA = 4096
)

// publicKey is the content of a PEM text that stands for a credential.
type publicKey struct {
	rsa *rsa.PublicKey
	// cert is there if the PEM was a certificate.
	cert *x509.Certificate
}

// Thumbprint returns the RFC 7638 SHA-256 thumbprint of the RSA key in a PEM public key
// or certificate: the kid that Auth0 gives a credential (facts §3.4).
func Thumbprint(text string) (kid string, err error) {
	k, err := parsePublicKey(text)
	if err != nil {
		return "", err
	}
	sum, err := (&jose.JSONWebKey{Key: k.rsa}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("computing the key's thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// KeyBits returns the size in bits of the RSA key in a PEM public key or certificate;
// a key that Auth0 would not take is an error.
func KeyBits(text string) (int, error) {
	k, err := parsePublicKey(text)
	if err != nil {
		return 0, err
	}
	return k.rsa.N.BitLen(), nil
}

// parsePublicKey reads one RSA public key or certificate of a size that Auth0 takes. No
// error holds any of the text: it might be a private key.
func parsePublicKey(text string) (*publicKey, error) {
	block, rest := pem.Decode([]byte(text))
	if strings.Contains(text, "PRIVATE KEY") {
		return nil, errors.New("it is a private key, which must never leave its owner; give the public key, and replace this key if others may have seen it")
	}
	if block == nil {
		return nil, notPEM(text)
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, errors.New("it holds more than one PEM block; give the one public key or certificate")
	}
	var k publicKey
	var pub any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		if k.cert, err = x509.ParseCertificate(block.Bytes); err == nil {
			pub = k.cert.PublicKey
		}
	default:
		return nil, fmt.Errorf("it is a PEM block of type %s; a PUBLIC KEY or a CERTIFICATE is needed", quoted(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("its PEM block %s is damaged and can't be read; take the file anew from whoever made it", quoted(block.Type))
	}
	switch p := pub.(type) {
	case *rsa.PublicKey:
		k.rsa = p
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return nil, errors.New("it is an elliptic curve key; Auth0 takes RSA keys only")
	default:
		return nil, errors.New("it is not an RSA key; Auth0 takes RSA keys only")
	}
	if bits := k.rsa.N.BitLen(); bits < minRSA || bits > maxRSA {
		return nil, fmt.Errorf("it is an RSA key of %d bits; Auth0 takes %d to %d", bits, minRSA, maxRSA)
	}
	return &k, nil
}

// notPEM guesses what was given instead of PEM.
func notPEM(text string) error {
	t := strings.TrimSpace(text)
	switch {
	case t == "":
		return errors.New("it is empty")
	case strings.HasPrefix(t, "ssh-"):
		return errors.New("it is an SSH key; turn it into PEM with: ssh-keygen -e -m PKCS8 -f FILE")
	case strings.HasPrefix(t, "{"):
		return errors.New("it is JSON, perhaps a JWK; the key is needed in PEM")
	case strings.Contains(t, "-----BEGIN"):
		return errors.New("its PEM block is damaged: between -----BEGIN and -----END must be base64, with line ends kept; take the file anew, or name it with {file: path}")
	case !strings.Contains(t, "\n") && len(t) < 200:
		return errors.New("it is not PEM text, which begins with -----BEGIN PUBLIC KEY-----; to name a file write {file: path}")
	}
	return errors.New("it is not PEM text, which begins with -----BEGIN PUBLIC KEY-----; a binary (DER) key becomes PEM with: openssl rsa -pubin -inform DER -in FILE")
}
