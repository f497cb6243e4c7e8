package auth0sim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

const (
	maxClientMetadata = 10                               // OAS ClientMetadata, as the next
	metadataNames     = base62 + ":,-+=_*?\"/\\()<>@\t " // characters
	maxVaultScopes    = 20                               // over all grants of token_vault_privileged_access
)

// checkSettled refuses to change what is settled when a client is made, and to leave it
// without authentication. The texts are UNCONFIRMED.
func (c *call) checkSettled(cl *client) *answer {
	methods, cleared := c.body["client_authentication_methods"]
	method, given := c.body["token_endpoint_auth_method"]
	if cleared && methods == nil && given && method == nil { // Terraform provider, detachCredentialsFromClient
		return c.invalidBody("One of token_endpoint_auth_method and client_authentication_methods must be set.")
	}
	if cl.field("app_type") == "express_configuration" { // facts, recorded §2
		for _, f := range []string{"token_endpoint_auth_method", "signed_request_object"} {
			if _, given := c.body[f]; given {
				return c.invalidBody(f + " cannot be set for a client of type express_configuration.")
			}
		}
	}
	// docs-v2 permissive-mode.mdx. A first party's client has no mode, and becomes permissive.
	if mode, given := c.body["third_party_security_mode"]; given && mode != cmp.Or(cl.field("third_party_security_mode"), "permissive") {
		return c.invalidBody("third_party_security_mode cannot be changed after the client was created.")
	}
	if strictThirdParty(cl.o) && c.body["is_first_party"] == true { // docs-v2 security-controls.mdx
		return c.invalidBody("A third-party client cannot become a first-party one, with third_party_security_mode strict.")
	}
	return nil
}

// checkClient checks what no schema states: the whole client as it would be.
func (c *call) checkClient(cl *client) *answer {
	o := cl.o
	if len(cl.used) > 0 && o["token_endpoint_auth_method"] != nil {
		// facts §3.3: mutually exclusive; wording UNCONFIRMED
		return c.invalidBody("Payload validation error: 'token_endpoint_auth_method' and 'client_authentication_methods' cannot be set at the same time.")
	}
	if jwt, _ := o["jwt_configuration"].(obj); cl.used["private_key_jwt"] != nil && str(jwt["alg"]) == "HS256" {
		// facts §3.3: must be RS256; wording UNCONFIRMED, an alg that is not set is let through
		return c.invalidBody("jwt_configuration.alg must be RS256 when client_authentication_methods is configured.")
	}
	if fail := c.checkAttached(cl); fail != nil {
		return fail
	}
	if fail := c.checkVaultGrants(list(object(o[vaultPrivileged])["grants"])); fail != nil {
		return fail
	}
	if property := notStrict(cl); strictThirdParty(o) && property != "" {
		return c.invalidBody(property + " cannot have this value with third_party_security_mode strict.") // wording UNCONFIRMED
	}
	if _, given := c.body["grant_types"]; given {
		if bad := invalidGrantTypes(o, object(c.t.settings["flags"])); bad != nil {
			return c.invalidBody("Invalid grant types: " + strings.Join(bad, ", ")) // deploy-cli #45; code UNCONFIRMED
		}
	}
	if fail := c.checkReferences(); fail != nil {
		return fail
	}
	if meta, _ := o["client_metadata"].(obj); meta != nil {
		if len(meta) > maxClientMetadata {
			return c.invalidBody("Payload validation error: 'Too many properties defined (" + plain(float64(len(meta))) + "), maximum 10' on property client_metadata (Metadata associated with the client, in the form of an object with string values (max 255 chars)).")
		}
		for _, k := range sortedKeys(meta) {
			if len(k) > 255 || strings.Trim(k, metadataNames) != "" {
				return c.invalidBody("Payload validation error: client_metadata property names must be alphanumeric and at most 255 characters: " + k) // wording UNCONFIRMED
			}
			if s, isString := meta[k].(string); !isString || len([]rune(s)) > 255 {
				return c.invalidBody("Payload validation error: client_metadata property values must be of type: string and be at most 255 characters: " + k) // wording UNCONFIRMED
			}
		}
	}
	if str(o["organization_require_behavior"]) == "post_login_prompt" && o["oidc_conformant"] != true {
		return c.invalidBody("organization_require_behavior post_login_prompt requires oidc_conformant to be true.") // OAS ClientOrganizationRequireBehaviorEnum; wording UNCONFIRMED
	}
	if org, _ := o["default_organization"].(obj); org != nil && str(org["organization_id"]) != "" {
		if _, found := c.t.organizations.get(str(org["organization_id"])); !found {
			// REC-tf ClientWithDefaultOrganization #53 is a 400 whose text the recorder lost.
			return c.invalidBody("The organization of default_organization does not exist.")
		}
	}
	if o["is_first_party"] == false && (o["organization_usage"] != nil || o["organization_require_behavior"] != nil) {
		a := failure(http.StatusForbidden, "operation_not_supported", "Organizations are only available to first party clients on user-based flows. Properties organization_usage and organization_require_behavior must be unset for third party clients.") // OAS
		return &a
	}
	return nil
}

// checkVaultGrants: each connection once, and not too many scopes over all (go-auth0's test
// of them; the wording is UNCONFIRMED).
func (c *call) checkVaultGrants(grants []any) *answer {
	scopes, connections := 0, map[string]bool{}
	for _, g := range grants {
		name := str(object(g)["connection"])
		if connections[name] {
			return c.invalidBody("The connection " + name + " is twice in " + vaultPrivileged + ".grants.")
		}
		connections[name] = true
		scopes += len(list(object(g)["scopes"]))
	}
	if scopes > maxVaultScopes {
		return c.invalidBody("A client can have a maximum of " + plain(float64(maxVaultScopes)) + " scopes in " + vaultPrivileged + ".grants.")
	}
	return nil
}

// checkReferences looks for the clients that a body names. That an alias which is taken
// is refused by POST only, and the codes, are UNCONFIRMED.
func (c *call) checkReferences() *answer {
	landing := str(object(c.body["my_organization_configuration"])["invitation_landing_client_id"])
	if _, found := c.t.clients.get(landing); landing != "" && !found {
		a := failure(http.StatusNotFound, "inexistent_client", "The Client ID for Invitations could not be found.") // OAS
		return &a
	}
	aliases := strs(c.body["client_aliases"])
	if len(aliases) == 0 || c.method != http.MethodPost {
		return nil
	}
	_, taken := c.t.clients.find(func(other *client) bool {
		return slices.ContainsFunc(strs(other.o["client_aliases"]), func(a string) bool { return slices.Contains(aliases, a) })
	})
	if taken {
		a := failure(http.StatusConflict, "", "Another client exists with the same alias.") // OAS
		return &a
	}
	return nil
}

// invalidGrantTypes are the grant types that a client can't have (docs-v2
// application-grant-types.mdx; deploy-cli #205 and auth0.net #188 for public clients).
// URNs and Auth0's own URLs that are not known here are let through: there are new ones
// now and then.
func invalidGrantTypes(o, flags obj) []string {
	const own, legacy = "http://auth0.com/oauth/grant-type/", "http://auth0.com/oauth/legacy/grant-type/"
	public, thirdParty := o["token_endpoint_auth_method"] == "none", o["is_first_party"] == false
	valid := func(grant string) bool {
		switch {
		case strictThirdParty(o):
			return grant == "authorization_code" || grant == "refresh_token" || grant == "client_credentials" && !public
		case grant == "client_credentials":
			return !public
		case grant == "password" || grant == own+"password-realm": // docs-v2 permissive-mode.mdx
			return !thirdParty
		case strings.HasPrefix(grant, legacy+"ro"): // OAS TenantSettingsFlags
			return truth(flags["allow_legacy_ro_grant_types"])
		case strings.HasPrefix(grant, legacy+"delegation/"):
			return truth(flags["allow_legacy_delegation_grant_types"])
		case strings.HasPrefix(grant, legacy):
			return truth(flags["allow_other_legacy_grant_types"])
		}
		return slices.Contains([]string{"authorization_code", "implicit", "refresh_token"}, grant) ||
			strings.HasPrefix(grant, own) || strings.HasPrefix(grant, "urn:")
	}
	var bad []string
	for _, grant := range strs(o["grant_types"]) {
		if !valid(grant) {
			bad = append(bad, grant)
		}
	}
	return bad
}

// notStrict names a setting that a strict third-party client can't have (docs-v2
// third-party-applications/security-controls.mdx); "": there is none.
func notStrict(cl *client) string {
	refresh, jwt := object(cl.o["refresh_token"]), object(cl.o["jwt_configuration"])
	switch {
	case !slices.Contains([]string{"", "regular_web", "spa", "native", "non_interactive"}, cl.field("app_type")):
		return "app_type"
	case str(jwt["alg"]) != "" && str(jwt["alg"]) != "RS256":
		return "jwt_configuration"
	case str(refresh["expiration_type"]) == "non-expiring" || truth(refresh["infinite_idle_token_lifetime"]):
		return "refresh_token"
	case cl.used["tls_client_auth"] != nil || cl.used["self_signed_tls_client_auth"] != nil:
		return "client_authentication_methods"
	}
	return ""
}
