package auth0sim

import (
	"crypto/sha1" //nolint:gosec // the thumbprint that Auth0 shows
	_ "embed"     // discovery.json
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
)

// buttoned are the strategies of connections that may have a button (OAS
// CreateConnectionRequestContentADFS and its like), ticketed those that have an address
// for who sets them up (OAS ConnectionResponseContentAD and its like).
var (
	buttoned = setOf("adfs", "google-apps", "ip", "office365", "oidc", "okta", "pingfederate", "samlp", "sharepoint", "waad")
	ticketed = setOf("ad", "adfs", "custom", "google-apps", "office365", "pingfederate", "samlp", "waad")
)

func setOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	return set
}

// fillConnection adds what Auth0 adds to a created connection (REC-tf ConnectionOkta,
// ConnectionClient, ConnectionOIDCMetadata of 2025 and 2026).
func (t *tenant) fillConnection(o obj) {
	strategy := str(o["strategy"])
	options, given := o["options"].(obj)
	if !given {
		options = obj{}
	}
	refillOptions(strategy, options, nil)
	o["options"] = options
	if buttoned[strategy] {
		defaults(o, obj{"show_as_button": false}) // REC-tf ConnectionOIDCMetadata; OAS: the default
	}
	if ticketed[strategy] {
		defaults(o, obj{"provisioning_ticket_url": t.issuer() + "p/" + strategy + "/" + t.draw.alnum(32)})
	}
	defaults(o, obj{
		"is_domain_connection": false, "realms": []any{o["name"]}, // facts §1.4: realms is the name
		"authentication": obj{"active": true}, "connected_accounts": obj{"active": false},
	})
}

// refillOptions adds to options what Auth0 adds by itself. former are the options
// before a PATCH, nil for a create.
func refillOptions(strategy string, options, former obj) {
	switch strategy {
	case "auth0":
		if former == nil {
			withDatabaseDefaults(options)
			return
		}
		// REC-tf Connection: these two outlive a PATCH without them.
		for _, k := range []string{"authentication_methods", "passkey_options"} {
			if v, given := former[k]; given {
				defaults(options, obj{k: v})
			}
		}
	case "okta", "oidc":
		if len(object(options["oidc_metadata"])) == 0 {
			delete(options, "oidc_metadata") // OAS: discovery runs when it is empty
		}
		metadata := oktaMetadata(str(options["domain"]))
		if strategy == "oidc" {
			metadata = oidcMetadata(options)
		}
		defaults(options, obj{"oidc_metadata": metadata, "schema_version": "oidc-V4"})
		if strategy == "okta" {
			// REC-tf ConnectionOkta #8: defaults where nothing is sent.
			defaults(options, obj{"attribute_map": obj{"mapping_mode": "basic_profile"}, "connection_settings": obj{"pkce": "disabled"}})
		} else {
			defaults(options, obj{"attribute_map": obj{"mapping_mode": "bind_all"}, "connection_settings": obj{"pkce": "disabled"}})
		}
	case "samlp", "pingfederate": // OAS ConnectionOptionsCommonSAML; REC-tf ConnectionOIDCMetadata
		readMetadataXML(options)
		text, cert := providerCertificate(str(options["signingCert"]))
		if cert == nil {
			return
		}
		sum := sha1.Sum(cert.Raw) //nolint:gosec // as above
		defaults(options, obj{
			"cert": text, "expires": stamp(cert.NotAfter), "subject": obj{"commonName": cert.Subject.CommonName},
			"thumbprints":                   []any{hex.EncodeToString(sum[:])},
			"assertion_decryption_settings": obj{"algorithm_exceptions": []any{}, "algorithm_profile": "v2026-1"},
		})
	}
}

// withDatabaseDefaults are those of a database connection. What was not sent is as
// the bare creates of 2025–26 have it (REC-tf ConnectionClient); methods that were
// sent come back whole (REC-tf Connection).
func withDatabaseDefaults(options obj) obj {
	if methods, given := options["authentication_methods"].(obj); given {
		defaults(methods, obj{"email_otp": obj{"enabled": false}, "phone_otp": obj{"enabled": false}, "passkey": obj{"enabled": false}, "password": obj{"enabled": true}})
		if password, isObj := methods["password"].(obj); isObj {
			defaults(password, obj{"api_behavior": "required", "signup_behavior": "allow"})
		}
	}
	defaults(options, obj{
		"authentication_methods": obj{"passkey": obj{"enabled": false}, "password": obj{"api_behavior": "required", "enabled": true}},
		"brute_force_protection": true, "mfa": obj{"active": true, "return_enroll_settings": true},
		"passkey_options": obj{"challenge_ui": "both", "local_enrollment_enabled": true, "progressive_enrollment_enabled": true},
		"passwordPolicy":  "good", "strategy_version": 2,
	})
	return options
}

// hideConfiguration replaces the settings of custom database scripts by what looks
// like the cipher text that Auth0 shows (REC-tf Connection): the values can't be read
// back. It differs at each write, as there.
func (c *call) hideConfiguration(o obj) {
	options, _ := o["options"].(obj)
	settings, _ := options["configuration"].(obj)
	for _, k := range sortedKeys(settings) {
		if s, isString := settings[k].(string); isString && !strings.HasPrefix(s, "CkIK") {
			settings[k] = "CkIK" + base64.StdEncoding.EncodeToString(c.t.draw.bytes(129))
		}
	}
}

// oktaMetadata is the discovery document that an Okta org publishes, which Auth0
// fetches and keeps (REC-tf ConnectionOkta); the simulator makes it of the domain.
func oktaMetadata(domain string) obj {
	if domain == "" {
		return obj{}
	}
	at := "https://" + domain + "/oauth2/v1/"
	words := func(s string) []any { return anys(strings.Fields(s)) }
	algs := words("HS256 HS384 HS512 RS256 RS384 RS512 ES256 ES384 ES512")
	auth := words("client_secret_basic client_secret_post client_secret_jwt private_key_jwt none")
	return obj{
		"issuer": "https://" + domain, "authorization_endpoint": at + "authorize", "token_endpoint": at + "token", "userinfo_endpoint": at + "userinfo",
		"jwks_uri": at + "keys", "registration_endpoint": at + "clients", "revocation_endpoint": at + "revoke", "introspection_endpoint": at + "introspect",
		"end_session_endpoint": at + "logout", "device_authorization_endpoint": at + "device/authorize", "pushed_authorization_request_endpoint": at + "par",
		"backchannel_authentication_request_signing_alg_values_supported": algs, "request_object_signing_alg_values_supported": algs,
		"backchannel_token_delivery_modes_supported": words("poll"), "claims_parameter_supported": false,
		"claims_supported": words(`iss ver sub aud iat exp jti auth_time amr idp nonce name nickname preferred_username given_name middle_name
 family_name email email_verified profile zoneinfo locale address phone_number picture website gender birthdate updated_at at_hash c_hash`),
		"code_challenge_methods_supported": words("S256"), "dpop_signing_alg_values_supported": words("RS256 RS384 RS512 ES256 ES384 ES512"),
		"grant_types_supported": words(`authorization_code implicit refresh_token password urn:ietf:params:oauth:grant-type:device_code
 urn:openid:params:grant-type:ciba urn:okta:params:oauth:grant-type:otp http://auth0.com/oauth/grant-type/mfa-otp
 urn:okta:params:oauth:grant-type:oob http://auth0.com/oauth/grant-type/mfa-oob`),
		"id_token_encryption_alg_values_supported": words("RSA-OAEP-256 RSA-OAEP-384 RSA-OAEP-512"),
		"id_token_encryption_enc_values_supported": words("A256GCM"), "id_token_signing_alg_values_supported": words("RS256"),
		"introspection_endpoint_auth_methods_supported": auth, "revocation_endpoint_auth_methods_supported": auth, "token_endpoint_auth_methods_supported": auth,
		"request_parameter_supported": true, "request_uri_parameter_supported": false, "require_request_uri_registration": false,
		"response_modes_supported": words("query fragment form_post okta_post_message"),
		"response_types_supported": []any{"code", "id_token", "code id_token", "code token", "id_token token", "code id_token token"},
		"scopes_supported":         words("openid email profile address phone offline_access groups"), "subject_types_supported": words("public"),
	}
}

// discoveryJSON are discovery documents of public providers, by their address, as
// Auth0 kept them (REC-tf ConnectionOIDC).
//
//go:embed discovery.json
var discoveryJSON []byte

var discoveryDocuments = sync.OnceValue(func() map[string]obj {
	docs := map[string]obj{}
	if err := json.Unmarshal(discoveryJSON, &docs); err != nil {
		panic("auth0sim: discovery.json: " + err.Error()) // embedded: a build error
	}
	return docs
})

// oidcMetadata is the discovery document of a provider. Auth0 fetches it; the
// simulator asks nobody, so for a provider that it does not know it makes a small one
// of the endpoints that were sent.
func oidcMetadata(options obj) obj {
	if doc, known := discoveryDocuments()[str(options["discovery_url"])]; known {
		return clone(doc)
	}
	out := obj{}
	for _, k := range []string{"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"} {
		if v, given := options[k]; given {
			out[k] = v
		}
	}
	return out
}
