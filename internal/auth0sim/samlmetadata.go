package auth0sim

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"strings"
)

// samlMetadata is the part of an identity provider's metadata that Auth0 reads.
type samlMetadata struct {
	Provider struct {
		WantsSigned bool `xml:"WantAuthnRequestsSigned,attr"`
		Keys        []struct {
			Use         string `xml:"use,attr"`
			Certificate string `xml:"KeyInfo>X509Data>X509Certificate"`
		} `xml:"KeyDescriptor"`
		SignIn  []samlEndpoint `xml:"SingleSignOnService"`
		SignOut []samlEndpoint `xml:"SingleLogoutService"`
	} `xml:"IDPSSODescriptor"`
}

type samlEndpoint struct {
	Binding  string `xml:"Binding,attr"`
	Location string `xml:"Location,attr"`
}

// readMetadataXML takes metadataXml out of options and leaves what it says there (OAS
// ConnectionOptionsSAML: "Not persisted to database - deleted after parsing"). Which of
// several endpoints counts is UNCONFIRMED: the first; and what was sent beside it stays.
// What can't be read is left alone.
func readMetadataXML(options obj) {
	text := str(options["metadataXml"])
	var m samlMetadata
	if text == "" || xml.Unmarshal([]byte(text), &m) != nil || len(m.Provider.SignIn) == 0 {
		return
	}
	delete(options, "metadataXml")
	p := m.Provider
	defaults(options, obj{"signInEndpoint": p.SignIn[0].Location, "protocolBinding": p.SignIn[0].Binding, "signSAMLRequest": p.WantsSigned})
	if len(p.SignOut) > 0 {
		defaults(options, obj{"signOutEndpoint": p.SignOut[0].Location})
	}
	for _, k := range p.Keys {
		if k.Use == "encryption" {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(k.Certificate), ""))
		if err == nil {
			defaults(options, obj{"signingCert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
		}
		return
	}
}

// providerCertificate reads signingCert: PEM as recorded, or either PEM or DER in Base64
// (OAS ConnectionOptionsSAML).
func providerCertificate(text string) (string, *x509.Certificate) {
	if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil && len(plain) > 0 {
		text = string(plain)
		if block, _ := pem.Decode(plain); block == nil {
			text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: plain}))
		}
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", nil
	}
	return text, cert
}
