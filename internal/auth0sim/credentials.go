package auth0sim

import (
	"crypto/rsa"
	"crypto/x509"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Limits of facts §3.4.
const (
	maxCredentials = 4 // records of a client
	maxAttached    = 2 // in one slot
	minRSABits     = 2048
	maxRSABits     = 4096
)

func showCredential(cr *credential) obj {
	o := maps.Clone(cr.o)
	o["id"] = cr.id // never the PEM (facts §3.4)
	return o
}

// newCredential reads a credential of a body and makes its record.
func (c *call) newCredential(cl *client, body obj) (*credential, *answer) {
	if len(cl.credentials) >= maxCredentials {
		a := badRequest("invalid_body", "A client can have a maximum of %d credentials.", maxCredentials) // facts §3.4
		return nil, &a
	}
	kind := str(body["credential_type"])
	if kind == "" {
		kind = "public_key"
	}
	o := obj{"credential_type": kind}
	if name, given := body["name"]; given {
		o["name"] = name
	}
	at := stamp(c.now)
	o["created_at"], o["updated_at"] = at, at
	pem := str(body["pem"])
	cr := &credential{record{o: o}, pem}

	if fail := c.checkSources(body); fail != nil {
		return nil, fail
	}
	if kind == "cert_subject_dn" && pem == "" {
		if str(body["subject_dn"]) == "" {
			return nil, c.invalidBody("Payload validation error: 'Missing required property: pem'.") // wording UNCONFIRMED
		}
		o["subject_dn"] = body["subject_dn"]
		cr.id = "cred_" + c.t.draw.short(22)
		return cr, nil
	}
	pub, cert, err := parsePEM(pem)
	if err != nil {
		return nil, c.invalidBody("Payload validation error: 'Invalid PEM' on property pem (PEM-formatted public key (SPKI and PKCS1) or X509 certificate).") // wording UNCONFIRMED
	}
	switch kind {
	case "public_key":
		if fail := c.checkPublicKey(cl, pub); fail != nil {
			return nil, fail
		}
		o["alg"], o["kid"] = "RS256", thumbprint(pub) // facts §3.4: defaults
		for _, f := range []string{"alg", "kid"} {
			if v := str(body[f]); v != "" {
				o[f] = v
			}
		}
		if at, err := time.Parse(time.RFC3339Nano, str(body["expires_at"])); err == nil {
			o["expires_at"] = stamp(at)
		}
		if truth(body["parse_expiry_from_cert"]) {
			if cert == nil { // docs-v2 configure-private-key-jwt.mdx; wording UNCONFIRMED
				return nil, c.invalidBody("parse_expiry_from_cert requires pem to be an X.509 certificate.")
			}
			o["expires_at"] = stamp(cert.NotAfter)
		}
	case "x509_cert", "cert_subject_dn":
		if cert == nil {
			return nil, c.invalidBody("Payload validation error: 'Invalid PEM' on property pem (PEM-formatted public key (SPKI and PKCS1) or X509 certificate).")
		}
		if kind == "x509_cert" { // REC-tf ClientAuthenticationMethodsSelfSignedTLSClientAuth
			o["thumbprint_sha256"], o["expires_at"] = certificateThumbprint(cert), stamp(cert.NotAfter)
		} else { // REC-tf ClientAuthenticationMethodsTLSClientAuth
			o["subject_dn"] = subjectLines(cert)
		}
	}
	cr.id = "cred_" + c.t.draw.short(22)
	return cr, nil
}

// checkSources refuses two sources of one thing (docs-v2 configure-private-key-jwt.mdx,
// against the Terraform provider, which says that expires_at wins; OAS
// PostClientCredentialRequestContent). The texts are UNCONFIRMED.
func (c *call) checkSources(body obj) *answer {
	if truth(body["parse_expiry_from_cert"]) && body["expires_at"] != nil {
		return c.invalidBody("parse_expiry_from_cert and expires_at cannot be set at the same time.")
	}
	if body["pem"] != nil && body["subject_dn"] != nil {
		return c.invalidBody("pem and subject_dn cannot be set at the same time.")
	}
	return nil
}

func (c *call) checkPublicKey(cl *client, pub any) *answer {
	key, isRSA := pub.(*rsa.PublicKey)
	if !isRSA || key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits {
		return c.invalidBody("Invalid public key: it must be an RSA key of 2048 to 4096 bits.") // facts §1.2 f, §3.4; wording UNCONFIRMED
	}
	print := thumbprint(pub)
	for _, other := range cl.credentials {
		if p, _, err := parsePEM(other.pem); err == nil && thumbprint(p) == print {
			return c.invalidBody("credentials contains public keys that already exist in client") // facts, recorded §2; text UNCONFIRMED
		}
	}
	return nil
}

// takeInlineCredentials makes the credentials that a POST /clients brings along, leaves
// their ids in their slots, and returns what is in each slot with the credentials whole.
func (c *call) takeInlineCredentials(cl *client) (map[string][]any, *answer) {
	for method, settings := range object(cl.o["client_authentication_methods"]) {
		if cl.used[method] = object(settings); cl.used[method] == nil {
			cl.used[method] = obj{}
		}
	}
	delete(cl.o, "client_authentication_methods")
	inline, slots := map[string][]any{}, cl.slots()
	for _, at := range sortedKeys(slots) {
		given, has := slots[at]["credentials"]
		if !has {
			continue
		}
		ids, whole := []any{}, []any{}
		for _, x := range list(given) {
			body := object(x)
			if id := str(body["id"]); id != "" && body["pem"] == nil {
				ids, whole = append(ids, obj{"id": id}), append(whole, obj{"id": id})
				continue
			}
			cr, fail := c.newCredential(cl, body)
			if fail != nil {
				return nil, fail
			}
			cl.add(c, cr)
			ids, whole = append(ids, obj{"id": cr.id}), append(whole, showCredential(cr))
		}
		if slots[at]["credentials"] = ids; at != "signed_request_object" { // ids alone (OAS Client)
			inline[at] = whole
		}
	}
	return inline, nil
}

func (cl *client) add(c *call, cr *credential) {
	cr.born, cr.unseen = c.now, c.s.o.ListLagReads
	cl.credentials = append(cl.credentials, cr)
}

// slots are the places of a client where credentials are attached.
func (cl *client) slots() map[string]obj {
	out := map[string]obj{}
	for method, settings := range cl.used {
		out["client_authentication_methods."+method] = settings
	}
	for _, f := range []string{"signed_request_object", vaultPrivileged} {
		if slot, isObj := cl.o[f].(obj); isObj {
			out[f] = slot
		}
	}
	return out
}

func attachedIDs(slot obj) []string {
	var ids []string
	for _, x := range list(slot["credentials"]) {
		if o, isObj := x.(obj); isObj {
			ids = append(ids, str(o["id"]))
		}
	}
	return ids
}

// checkAttached checks that what is attached exists, and how many it is.
func (c *call) checkAttached(cl *client) *answer {
	slots := cl.slots()
	for _, at := range sortedKeys(slots) {
		ids := attachedIDs(slots[at])
		if len(ids) > maxAttached {
			return c.invalidBody("Payload validation error: 'Array is too long (" + plain(float64(len(ids))) + "), maximum 2' on property " + at + ".credentials.") // facts §3.4
		}
		for _, id := range ids {
			if _, found := cl.credential(id); !found {
				return c.invalidBody("One or more of the credentials in " + at + " do not exist") // facts, recorded §2 (its middle is not known)
			}
		}
	}
	return nil
}

func (cl *client) credential(id string) (*credential, bool) {
	i := slices.IndexFunc(cl.credentials, func(cr *credential) bool { return cr.id == id })
	if i < 0 {
		return nil, false
	}
	return cl.credentials[i], true
}

// theCredential finds the client and the credential that a path names.
func (c *call) theCredential() (*client, *credential, *answer) {
	cl, found := c.t.clients.get(c.params["client_id"])
	if !found {
		a := noClient()
		return nil, nil, &a
	}
	cr, found := cl.credential(c.params["credential_id"])
	if !found {
		a := failure(http.StatusNotFound, "inexistent_credential", "Credential does not exist") // OAS; code UNCONFIRMED
		return cl, nil, &a
	}
	return cl, cr, nil
}

// listCredentials is a bare array whatever is asked, by kid: so are the six lists of REC-tf
// and that of go-auth0's test, in which credentials are neither by age nor by id.
func (c *call) listCredentials() answer {
	cl, found := c.t.clients.get(c.params["client_id"])
	if !found {
		return noClient()
	}
	items, _ := listing(c, cl.credentials, nil, showCredential)
	slices.SortStableFunc(items, func(a, b obj) int { return strings.Compare(str(a["kid"]), str(b["kid"])) })
	return ok(items)
}

func (c *call) createCredential() answer {
	cl, found := c.t.clients.get(c.params["client_id"])
	if !found {
		return noClient()
	}
	cr, fail := c.newCredential(cl, c.body)
	if fail != nil {
		return *fail
	}
	cl.add(c, cr)
	return created(showCredential(cr))
}

func (c *call) getCredential() answer {
	_, cr, fail := c.theCredential()
	if fail != nil {
		return *fail
	}
	return ok(showCredential(cr))
}

// updateCredential changes expires_at, the only field that changes (facts §3.4).
func (c *call) updateCredential() answer {
	_, cr, fail := c.theCredential()
	if fail != nil {
		return *fail
	}
	at, err := time.Parse(time.RFC3339Nano, str(c.body["expires_at"]))
	if err != nil {
		return *c.invalidBody("Unable to update the credential to never expire") // facts §3.4, TF:1260; wording UNCONFIRMED
	}
	cr.o["expires_at"], cr.o["updated_at"] = stamp(at), stamp(c.now)
	return ok(showCredential(cr))
}

func (c *call) deleteCredential() answer {
	cl, cr, fail := c.theCredential()
	if fail != nil {
		if cl == nil {
			return *fail
		}
		return noContent() // again 204 (facts §3.0)
	}
	for _, slot := range cl.slots() {
		if slices.Contains(attachedIDs(slot), cr.id) {
			return badRequest("invalid_body", "Cannot delete credential still associated with a client") // facts §3.4
		}
	}
	cl.credentials = slices.DeleteFunc(cl.credentials, func(x *credential) bool { return x.id == cr.id })
	return noContent()
}

// subjectLines writes a certificate's subject as recorded: one part a line, in the
// certificate's order.
func subjectLines(cert *x509.Certificate) string {
	names := map[string]string{
		"2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.7": "L", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.3": "CN",
		"1.2.840.113549.1.9.1": "emailAddress", "2.5.4.5": "serialNumber",
	}
	out := ""
	for _, part := range cert.Subject.Names {
		name := names[part.Type.String()]
		if name == "" {
			name = part.Type.String()
		}
		value, _ := part.Value.(string)
		if out != "" {
			out += "\n"
		}
		out += name + "=" + value
	}
	return out
}
