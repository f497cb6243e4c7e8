package manifest

import (
	"fmt"
	"time"
)

// Key is what a public key or certificate in PEM tells of itself.
type Key struct {
	// KID is the RFC 7638 thumbprint, by which Auth0 names the key (facts §3.4).
	KID string
	// Bits is the size of the RSA modulus.
	Bits int
	// Until is the end of a certificate's validity; zero for a bare key.
	Until time.Time
}

// ReadKey reads a public key or certificate that Auth0 takes. No error holds any of the
// text: it might be a private key.
func ReadKey(text string) (Key, error) {
	k, err := parsePublicKey(text)
	if err != nil {
		return Key{}, err
	}
	kid, err := Thumbprint(text)
	if err != nil {
		return Key{}, err
	}
	out := Key{KID: kid, Bits: k.rsa.N.BitLen()}
	if k.cert != nil {
		out.Until = k.cert.NotAfter.UTC()
	}
	return out, nil
}

// String describes the key in a few words.
func (k Key) String() string {
	s := fmt.Sprintf("kid %s, RSA %d bits", k.KID, k.Bits)
	if !k.Until.IsZero() {
		s += ", a certificate valid until " + k.Until.Format(time.DateOnly)
	}
	return s
}
