// Package express holds what is special to Okta Express Configuration: the expansion
// of the kind ExpressConfiguration into the objects of Okta's guide.
//
// It does not know how objects are compared or written. Commands call Expand between
// loading manifests and planning.
package express

import (
	_ "embed" // the Action's code
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// The guide's values (seed, Step 2 to Step 6; facts §1.2). Every one can be overridden.
const (
	// APIIdentifier is the audience that Okta asks a token for.
	APIIdentifier = "https://system.okta.com/actions/express-configure/v1"
	// ScopeSSO allows an admin to set up single sign-on.
	ScopeSSO = "expressconfigure:sso"
	// ScopeSCIM allows an admin to set up provisioning (facts §1.2, G2).
	ScopeSCIM = "expressconfigure:scim"

	metadataApp  = "express_configure_sp_client_id"
	metadataMark = "is_express_configure_app"

	secretLoginURL   = "SERVICE_INIT_LOGIN_URL"
	secretLoginURLs  = "SERVICE_INIT_LOGIN_URLS"
	secretIdentifier = "EXPRESS_CONFIGURE_API_IDENTIFIER"
	secretDomain     = "TENANT_DOMAIN"
	secretDomains    = "DOMAIN_ALIASES_METADATA"
)

// GuideCode is the guide's post-login Action, byte for byte.
//
//go:embed post-login.js
var GuideCode string

// appsCode serves several applications on one tenant (docs/decisions/0002), and home
// realm discovery.
//
//go:embed post-login-apps.js
var appsCode string

// guideAPI is the API; scim says that some application has provisioning.
func guideAPI(scim bool) map[string]any {
	scopes := []any{map[string]any{"value": ScopeSSO, "description": "Configure SSO with Express Configuration"}}
	if scim {
		scopes = append(scopes, map[string]any{"value": ScopeSCIM, "description": "Configure SCIM with Express Configuration"})
	}
	return map[string]any{
		"name":                 "Okta Express Configure API",
		"identifier":           APIIdentifier,
		"scopes":               scopes,
		"enforce_policies":     true,
		"token_lifetime":       300.0,
		"allow_offline_access": false,
		"skip_consent_for_verifiable_first_party_clients": false,
	}
}

func guideRole() map[string]any {
	return map[string]any{
		"name":        "EXPRESS_CONFIGURE_ADMIN_ROLE",
		"description": "Administrator role for Express Configuration",
	}
}

// guidePermissions are what the role permits on the API.
func guidePermissions(identifier any, scim bool) []any {
	permission := func(scope string) any {
		return map[string]any{"resource_server_identifier": identifier, "permission_name": scope}
	}
	if scim {
		return []any{permission(ScopeSSO), permission(ScopeSCIM)}
	}
	return []any{permission(ScopeSSO)}
}

// guideClient is the client that stands for Okta; keys are as guideKeys makes them.
func guideClient(app any, keys []any) map[string]any {
	spec := map[string]any{
		"name":                          "Okta OIN Integration Client",
		"description":                   "For Okta OIN Integration",
		"app_type":                      "regular_web",
		"callbacks":                     []any{"https://system-admin.okta.com/admin/app/generic/oauth20redirect"},
		"oidc_conformant":               true, // post_login_prompt needs it (facts §1.2 j)
		"grant_types":                   []any{"authorization_code", "client_credentials"},
		"jwt_configuration":             map[string]any{"alg": "RS256"},
		"organization_require_behavior": "post_login_prompt",
		"organization_usage":            "require",
		"client_metadata":               map[string]any{metadataApp: app, metadataMark: "true"},
	}
	if len(keys) > 0 {
		spec["credentials"] = keys
	}
	return spec
}

// guideKeys are the credentials of a client that signs in with publicKey and, while
// there is one, with the key before (facts §3.4). A certificate brings its own end.
func guideKeys(publicKey any, former map[string]any) []any {
	var keys []any
	add := func(name string, pem any) map[string]any {
		key := map[string]any{"name": name, "credential_type": "public_key", "pem": pem, "alg": "RS256"}
		if s, ok := pem.(string); ok && strings.Contains(s, "-----BEGIN CERTIFICATE-----") {
			key["parse_expiry_from_cert"] = true
		}
		keys = append(keys, key)
		return key
	}
	name := keyName
	if former != nil {
		old := add(keyName, former["public_key"])
		if at := former["retire_after"]; at != nil {
			old["retire_after"] = at
		}
		name = nextKeyName(publicKey)
	}
	if publicKey != nil {
		add(name, publicKey)
	}
	return keys
}

const keyName = "OIN Public Key"

// nextKeyName tells the key to come from the one that is there: names can't be changed.
func nextKeyName(publicKey any) string {
	pem, _ := publicKey.(string)
	kid, err := manifest.Thumbprint(pem)
	if err != nil {
		return keyName + " (next)" // what is wrong with the key, its own check says
	}
	return keyName + " " + kid[:8]
}

// guideScopes are what Okta needs of the Management API for single sign-on.
func guideScopes() []any {
	return []any{
		"create:connections", "read:connections", "update:connections",
		"read:connections_options", "update:connections_options",
		"read:organization_connections", "create:organization_connections", "update:organization_connections",
	}
}

// scimScopes are what Okta needs besides for provisioning (facts §1.2).
func scimScopes() []any {
	return []any{"read:scim_config", "create:scim_config", "read:scim_token", "create:scim_token", "delete:scim_token"}
}

func guideAction() map[string]any {
	return map[string]any{
		"name":    "express_configure_postlogin_action",
		"trigger": "post-login",
		"runtime": "node22",
		"code":    GuideCode,
		"deploy":  true,
		"bind":    map[string]any{},
	}
}
