// Package express holds what is special to Okta Express Configuration: the expansion
// of the kind ExpressConfiguration into the objects of Okta's guide.
//
// It does not know how objects are compared or written. Commands call Expand between
// loading manifests and planning.
package express

import (
	_ "embed" // the Action's code
)

// The guide's values (seed, Step 2 to Step 6; facts §1.2). Every one can be overridden.
const (
	// APIIdentifier is the audience that Okta asks a token for.
	APIIdentifier = "https://system.okta.com/actions/express-configure/v1"
	// ScopeSSO allows an admin to set up single sign-on.
	ScopeSSO = "expressconfigure:sso"

	metadataApp  = "express_configure_sp_client_id"
	metadataMark = "is_express_configure_app"

	secretLoginURL   = "SERVICE_INIT_LOGIN_URL"
	secretLoginURLs  = "SERVICE_INIT_LOGIN_URLS"
	secretIdentifier = "EXPRESS_CONFIGURE_API_IDENTIFIER"
	secretDomain     = "TENANT_DOMAIN"
)

// GuideCode is the guide's post-login Action, byte for byte.
//
//go:embed post-login.js
var GuideCode string

// appsCode serves several applications on one tenant (docs/decisions/0002).
//
//go:embed post-login-apps.js
var appsCode string

func guideAPI() map[string]any {
	return map[string]any{
		"name":       "Okta Express Configure API",
		"identifier": APIIdentifier,
		"scopes": []any{
			map[string]any{"value": ScopeSSO, "description": "Configure SSO with Express Configuration"},
		},
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

func guideClient(app any, publicKey any) map[string]any {
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
	if publicKey != nil {
		spec["credentials"] = []any{map[string]any{
			"name": "OIN Public Key", "credential_type": "public_key", "pem": publicKey, "alg": "RS256",
		}}
	}
	return spec
}

// guideScopes are what Okta needs of the Management API for single sign-on.
func guideScopes() []any {
	return []any{
		"create:connections", "read:connections", "update:connections",
		"read:connections_options", "update:connections_options",
		"read:organization_connections", "create:organization_connections", "update:organization_connections",
	}
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
