package auth0sim_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// idpCertificate is an identity provider's, in PEM.
var idpCertificate = sync.OnceValue(func() string {
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp.example"}, NotAfter: time.Date(2036, 7, 20, 10, 42, 26, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &testKey().PublicKey, testKey())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
})

// TestConnectionFields: what Auth0 adds by strategy (OAS ConnectionResponseContentAD and
// its like).
func TestConnectionFields(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	for strategy, want := range map[string]struct {
		options        obj
		ticket, button bool
	}{
		"ad": {nil, true, false}, "adfs": {obj{"adfs_server": "fs.example"}, true, true}, "waad": {obj{"client_id": "c"}, true, true},
		"google-apps": {nil, true, true}, "pingfederate": {obj{"pingFederateBaseUrl": "https://ping.example"}, true, true},
		"samlp": {obj{"signInEndpoint": "https://idp.example"}, true, true}, "oidc": {obj{"client_id": "c"}, false, true}, "okta": {obj{"domain": "x.okta.com"}, false, true},
		"auth0": {nil, false, false}, "google-oauth2": {nil, false, false}, "email": {nil, false, false}, "sms": {nil, false, false}, "oauth2": {nil, false, false}, "github": {nil, false, false},
	} {
		body := obj{"name": "a-" + strategy, "strategy": strategy}
		if want.options != nil {
			body["options"] = want.options
		}
		con := s.post("/connections", body)
		ticket, _ := con["provisioning_ticket_url"].(string)
		if fits := regexp.MustCompile(`^https://tenant\.example/p/` + strategy + `/\w{32}$`).MatchString(ticket); fits != want.ticket || !want.ticket && ticket != "" {
			t.Errorf("%s: the ticket is %q", strategy, ticket)
		}
		if button, shown := con["show_as_button"]; shown != want.button || shown && button != false {
			t.Errorf("%s: show_as_button is %v", strategy, button)
		}
		if again := s.get("/connections/" + con["id"].(string)); again["provisioning_ticket_url"] != con["provisioning_ticket_url"] {
			t.Errorf("%s: the ticket changes: %v", strategy, again)
		}
	}
	seeded := newTenant(t, auth0sim.Options{Seed: []byte(`{"connections": [{"name": "seeded", "strategy": "samlp"}]}`)})
	if got := seeded.send("GET", "/connections?name=seeded", nil, 200).([]any)[0].(obj); got["provisioning_ticket_url"] == nil || got["show_as_button"] != false {
		t.Errorf("seeded: %v", got)
	}
	users := s.newConnection("users", "auth0", obj{})
	if got := s.patch("/connections/"+users, obj{"metadata": obj{"k": "v", "gone": nil}}); len(got["metadata"].(obj)) != 1 {
		t.Errorf("%v", got["metadata"])
	}
}

// TestSAMLMetadata: metadataXml is read and not kept, a certificate may be in Base64 (OAS
// ConnectionOptionsSAML).
func TestSAMLMetadata(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	cert := idpCertificate()
	lines := strings.Split(strings.TrimSpace(cert), "\n")
	body := strings.Join(lines[1:len(lines)-1], "\n")
	con := s.post("/connections", obj{"name": "by-xml", "strategy": "samlp", "options": obj{"metadataXml": `<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://idp.example">
 <md:IDPSSODescriptor WantAuthnRequestsSigned="true">
  <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + body + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
  <md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/out"/>
  <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example/in"/>
 </md:IDPSSODescriptor>
</md:EntityDescriptor>`}})["options"].(obj)
	for k, want := range map[string]any{
		"metadataXml": nil, "signInEndpoint": "https://idp.example/in", "signOutEndpoint": "https://idp.example/out", "signSAMLRequest": true,
		"protocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", "signingCert": cert, "cert": cert, "expires": "2036-07-20T10:42:26.000Z",
	} {
		if con[k] != want {
			t.Errorf("%s is %v, want %v", k, con[k], want)
		}
	}
	for _, strategy := range []string{"samlp", "pingfederate"} {
		got := s.post("/connections", obj{"name": "b-" + strategy, "strategy": strategy, "options": obj{"signingCert": base64.StdEncoding.EncodeToString([]byte(cert))}})["options"].(obj)
		if got["cert"] != cert || fmt.Sprint(got["subject"]) != "map[commonName:idp.example]" || fmt.Sprint(got["thumbprints"]) != fmt.Sprint(con["thumbprints"]) {
			t.Errorf("%s: %v", strategy, got)
		}
	}
	s.post("/connections", obj{"name": "broken", "strategy": "samlp", "options": obj{"metadataXml": "<", "signingCert": "AAAA"}})
}

// TestConnectionRules holds what Auth0's document and public reports say of bodies that
// fit the schema.
func TestConnectionRules(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	users := s.newConnection("users", "auth0", obj{})
	waad, common := s.newConnection("azure", "waad", obj{"client_id": "c"}), s.newConnection("azure-common", "waad", obj{"client_id": "c", "useCommonEndpoint": true})
	scim := "/connections/" + waad + "/scim-configuration"
	s.post(scim, obj{})
	s.post("/users", obj{"connection": "users", "email": "a@b.example", "password": "x"})
	create := func(strategy string, more obj) obj {
		o := obj{"name": "new", "strategy": strategy}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	options := func(strategy string, options obj) obj { return create(strategy, obj{"options": options}) }
	const hash = "custom_password_hash"
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		code, text   string
	}{
		{"POST", "", create("okta", obj{"realms": []any{"acme.example"}}), 400, "invalid_body", "Realms is only supported for database connections."},
		{"POST", "", create("auth0", obj{"realms": []any{"x", "users"}}), 409, "connection_conflict", `There is already another connection with some realms from "realms" parameter`},
		{"PATCH", "/" + users, obj{"realms": []any{userDatabase}}, 409, "connection_conflict", `There is already another connection with some realms from "realms" parameter`},
		{"POST", "", options("adfs", obj{}), 400, "invalid_body", "missing federation metadata url"},
		{"POST", "", obj{"name": "bare", "strategy": "okta"}, 400, "invalid_body", "Payload validation error: 'Missing required property: options'."},
		{"POST", "", options("google-apps", obj{"domain": "acme.example"}), 400, "invalid_body", "undefined is not a valid google apps domain"},
		{"POST", "", options("okta", obj{hash: obj{"action_id": "x"}}), 400, "invalid_body", "The custom_password_hash option is only available for database connections"},
		{"POST", "", options("auth0", obj{hash: obj{"action_id": "x"}}), 400, "invalid_body", "custom_password_hash option cannot be set because the universal password hash feature is not enabled for this tenant"},
		{"POST", "", options("auth0", obj{"set_user_root_attributes": "on_first_login"}), 400, "invalid_body", "options.set_user_root_attributes can be set only for enterprise connections, social connections or custom database connections (using external users store)"},
		{"PATCH", "/" + users, obj{"options": obj{"enabledDatabaseCustomization": true}}, 400, "invalid_body", `This database contains users. You cannot change "options.enabledDatabaseCustomization" setting.`},
		{"PATCH", "/" + waad, obj{"options": obj{"useCommonEndpoint": true}}, 400, "invalid_body", "The Azure AD common endpoint cannot be enabled for this connection when SCIM is enabled."},
		{"POST", "/" + common + "/scim-configuration", obj{}, 400, "", "SCIM cannot be enabled for this connection when the Azure AD common endpoint is used."},
		{"POST", "/" + waad + "/scim-configuration/tokens", obj{"token_lifetime": 899}, 400, "invalid_body", "Payload validation error: 'Value 899 is less than minimum 900' on property token_lifetime (Lifetime of the token in seconds. Must be greater than 900)."},
		{"PATCH", "/" + users + "/clients", manyClients(51), 400, "invalid_body", "Payload validation error: 'Array is too long (51), maximum 50'."},
	} {
		t.Run(c.text, func(t *testing.T) {
			(&tenant{t, s.Server, s.bearer}).refused(c.method, "/connections"+c.path, c.body, c.status, c.code, c.text)
		})
	}
	if got := s.post("/connections", create("auth0", obj{"realms": []any{}, "options": obj{hash: nil, "enabledDatabaseCustomization": true, "set_user_root_attributes": "on_first_login"}})); fmt.Sprint(got["realms"]) != "[new]" {
		t.Errorf("realms are %v", got["realms"])
	}
	named := create("samlp", obj{"name": "named", "realms": []any{"named"}, "options": obj{"signInEndpoint": "https://idp.example"}})
	at := "/connections/" + s.post("/connections", named)["id"].(string)
	for _, k := range []string{"name", "strategy"} {
		delete(named, k)
	}
	s.patch(at, named) // as a client sends back what it read
	s.refused("PATCH", at, obj{"realms": []any{"named", "other"}}, 400, "invalid_body", "Realms is only supported for database connections.")
	s.patch("/connections/"+s.newConnection("workspace", "google-apps", obj{"tenant_domain": "acme.example"}), obj{"options": obj{"client_id": "c"}})
	s.patch("/connections/"+s.newConnection("fs", "adfs", obj{"adfs_server": "fs.example"}), obj{"options": obj{"signInEndpoint": "https://fs.example"}})
	if got := s.patch("/connections/"+users, obj{"realms": []any{"users", "staff"}}); fmt.Sprint(got["realms"]) != "[users staff]" {
		t.Errorf("realms are %v", got["realms"])
	}
}

func manyClients(n int) []any {
	var out []any
	for i := range n {
		out = append(out, obj{"client_id": fmt.Sprintf("client%026d", i), "status": true})
	}
	return out
}

// TestUniqueEmails: whether addresses are unique is for good, and not saying so says yes
// (terraform-provider-auth0 #1669; non-unique-emails).
func TestUniqueEmails(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	attributes := func(email obj) obj {
		all := obj{"username": obj{"identifier": obj{"active": true}}}
		if email != nil {
			all["email"] = email
		}
		return obj{"attributes": all}
	}
	s.refused("POST", "/connections", obj{"name": "c", "strategy": "auth0", "options": attributes(obj{"unique": false, "identifier": obj{"active": true}})}, 400, "invalid_body", "attribute email must be unique to be an active identifier")
	shared, unique, without := s.newConnection("shared", "auth0", attributes(obj{"unique": false})), s.newConnection("unique", "auth0", attributes(obj{})), s.newConnection("without", "auth0", attributes(nil))
	const changed = "cannot patch unique property on email attribute"
	s.refused("PATCH", "/connections/"+shared, obj{"options": attributes(obj{})}, 400, "invalid_body", changed)
	s.refused("PATCH", "/connections/"+shared, obj{"options": attributes(obj{"unique": true})}, 400, "invalid_body", changed)
	s.refused("PATCH", "/connections/"+unique, obj{"options": attributes(obj{"unique": false})}, 400, "invalid_body", changed)
	s.refused("PATCH", "/connections/"+without, obj{"options": attributes(obj{"unique": false})}, 400, "invalid_body", "cannot add non-unique email attribute")
	s.patch("/connections/"+shared, obj{"options": attributes(obj{"unique": false, "profile_required": true})})
	s.patch("/connections/"+unique, obj{"options": attributes(obj{"unique": true})})
	s.patch("/connections/"+without, obj{"options": attributes(obj{})})
}

// TestConnectionUsers: a connection takes its users with it, from organizations too
// (community.auth0.com, "How to delete all users on a connection").
func TestConnectionUsers(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	con := s.newConnection("users", "auth0", obj{})
	gone := s.post("/users", obj{"connection": "users", "email": "a@b.example", "password": "x"})["user_id"]
	left := s.post("/users", obj{"connection": userDatabase, "email": "a@b.example", "password": "x"})["user_id"]
	members := "/organizations/" + s.post("/organizations", obj{"name": "a"})["id"].(string) + "/members"
	s.send("POST", members, obj{"members": []any{gone, left}}, 204)
	s.send("DELETE", "/connections/"+con, nil, 202)
	for _, path := range []string{"/users", members} {
		if got := s.send("GET", path, nil, 200).([]any); len(got) != 1 || got[0].(obj)["user_id"] != left {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// TestConnectorOffline: no connector calls here, so no AD connection is online (OAS GET
// /connections/{id}/status).
func TestConnectorOffline(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	s.refused("GET", "/connections/"+s.newConnection("corp", "ad", obj{})+"/status", nil, 404, "", "not connected to any node")
	s.refused("GET", "/connections/con_none/status", nil, 404, "inexistent_connection", "The connection does not exist")
}

// TestConnectionsByName: they are listed by name (REC-tf DataSourceConnection #8), and a
// page goes on where the last one ended, whatever went or came meanwhile.
func TestConnectionsByName(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	ids := map[string]string{}
	for _, name := range []string{"samlp", "conn2", "T2", "Conn1", "2Test", "conn1test"} {
		ids[name] = s.newConnection(name, "auth0", obj{})
	}
	var names []string
	for from := ""; ; {
		page := s.get("/connections?take=2&fields=name" + from)
		for _, con := range page["connections"].([]any) {
			names = append(names, con.(obj)["name"].(string))
		}
		next, more := page["next"].(string)
		if !more {
			break
		}
		from = "&from=" + next
		if len(names) == 2 {
			s.send("DELETE", "/connections/"+ids["Conn1"], nil, 202)
			s.newConnection("Aaa", "auth0", obj{})
			s.newConnection("d", "auth0", obj{})
		}
	}
	if got := strings.Join(names, " "); got != "2Test Conn1 conn1test conn2 d samlp T2 "+userDatabase {
		t.Errorf("listed: %s", got)
	}
	if got := s.send("GET", "/connections?per_page=1&page=1", nil, 200).([]any)[0].(obj)["name"]; got != "Aaa" {
		t.Errorf("the second is %v", got)
	}
}

// TestSCIMDefaults: how a user is told apart goes by the strategy (go-auth0 #419,
// inbound-scim-for-okta-workforce-saml-connections).
func TestSCIMDefaults(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	for strategy, want := range map[string][2]string{"okta": {"externalId", "preferred_username"}, "samlp": {"userName", "username"}} {
		at := "/connections/" + s.newConnection("a-"+strategy, strategy, obj{"domain": "x.okta.com"}) + "/scim-configuration"
		got := s.post(at, nil)
		if name := got["mapping"].([]any)[0].(obj); got["user_id_attribute"] != want[0] || name["scim"] != "userName" || name["auth0"] != want[1] {
			t.Errorf("%s: %v", strategy, got)
		}
		if again := s.get(at + "/default-mapping"); fmt.Sprint(again["mapping"]) != fmt.Sprint(got["mapping"]) {
			t.Errorf("%s: %v", strategy, again)
		}
	}
}
