package auth0sim

import "strings"

const (
	expressAPI      = "urn:auth0:express-configure"
	expressCallback = "https://system-admin.okta.com/admin/app/generic/oauth20redirect"

	// expressGrantScopes is the system grant of an OIN client, in its order (REC-go
	// TestClientGrant_ExpressConfiguration, 2025-11).
	expressGrantScopes = `read:clients read:user_attribute_profiles read:connection_profiles read:organizations_summary
 read:connections create:connections update:connections read:connections_options update:connections_options
 read:organization_connections create:organization_connections update:organization_connections
 create:scim_config read:scim_token create:scim_token delete:scim_token`
)

// refreshToken is the default that goes with a lifetime and an idle lifetime, in seconds.
func refreshToken(lifetime, idle int) obj {
	return obj{
		"rotation_type": "non-rotating", "expiration_type": "non-expiring", "leeway": 0,
		"token_lifetime": lifetime, "infinite_token_lifetime": true,
		"idle_token_lifetime": idle, "infinite_idle_token_lifetime": true,
	}
}

// clientDefaults fills in what Auth0 adds to a created client, by what the 48
// recorded creates of REC-tf show (facts §3.3 has the sum).
func clientDefaults(o obj) {
	appType, method := str(o["app_type"]), str(o["token_endpoint_auth_method"])
	thirdParty := o["is_first_party"] == false
	strict := strictThirdParty(o)

	refresh := refreshToken(2592000, 1296000)
	if method == "client_secret_post" || method == "client_secret_basic" {
		refresh = refreshToken(31557600, 2592000)
	}
	grants := []any{"authorization_code", "implicit", "refresh_token", "client_credentials"}
	if method == "none" {
		grants = grants[:3]
	}
	jwt := obj{"secret_encoded": false, "lifetime_in_seconds": 36000}

	switch {
	case appType == "express_configuration": // REC-tf ClientExpressApp, facts §1.3
		grants = []any{"authorization_code", "client_credentials"}
		jwt = obj{"secret_encoded": false, "alg": "RS256"}
		defaults(o, obj{
			"oidc_conformant": true, "callbacks": []any{expressCallback},
			"organization_usage": "require", "organization_require_behavior": "pre_login_prompt",
		})
	case appType == "resource_server": // REC-tf ClientResourceServer
		grants = []any{}
		jwt = obj{"secret_encoded": false, "alg": "RS256"}
		defaults(o, obj{"oidc_conformant": true})
	case thirdParty: // REC-tf Client_ThirdPartySecurityMode, DataClients
		refresh["expiration_type"], refresh["infinite_idle_token_lifetime"] = "expiring", false
		if method == "none" {
			refresh["rotation_type"], refresh["infinite_token_lifetime"] = "rotating", false
		}
		defaults(o, obj{"oidc_conformant": true})
		if strict {
			grants = []any{"authorization_code"}
			jwt = obj{"secret_encoded": false, "alg": "RS256", "lifetime_in_seconds": 3600}
		}
	}
	// REC-tf ClientJWTConfiguration: a jwt_configuration that was sent gets no lifetime.
	if sent, given := o["jwt_configuration"].(obj); given {
		defaults(sent, obj{"secret_encoded": false})
	}
	if sent, given := o["refresh_token"].(obj); given {
		dropNulls(sent)
		defaults(sent, refresh)
	}
	fillClient(o)
	defaults(o, obj{
		"is_first_party": true, "oidc_conformant": false, "sso_disabled": false, "cross_origin_authentication": false,
		"custom_login_page_on": true, "is_token_endpoint_ip_header_trusted": false,
		"grant_types": grants, "jwt_configuration": jwt, "refresh_token": refresh,
	})
}

// strictThirdParty says whether a client is a third party's with Auth0's enhanced
// security controls.
func strictThirdParty(o obj) bool {
	return o["is_first_party"] == false && str(o["third_party_security_mode"]) == "strict"
}

// fillClient completes, after a create or a PATCH, what depends on what was sent.
func fillClient(o obj) {
	// REC-tf ClientOIDCLogout: the deprecated name shows what the new one holds.
	if logout, given := o["oidc_logout"].(obj); given {
		o["oidc_backchannel_logout"] = obj{"backchannel_logout_urls": logout["backchannel_logout_urls"]}
	}
	if transfer, given := o["session_transfer"].(obj); given { // REC-tf ClientSessionTransfer
		dropNulls(transfer)
		defaults(transfer, obj{
			"allow_refresh_token": false, "allowed_authentication_methods": []any{}, "can_create_session_transfer_token": false,
			"enforce_cascade_revocation": true, "enforce_device_binding": "ip", "enforce_online_refresh_tokens": true,
		})
	}
	if o["is_first_party"] == false { // docs-v2 permissive-mode.mdx: every third party's has a mode
		defaults(o, obj{"third_party_security_mode": "permissive"})
	}
	if o["initiate_login_uri"] == "" { // REC-tf ClientConfig: empty is not set
		delete(o, "initiate_login_uri")
	}
}

// fillExpressClient: a client of Express Configuration signs, with no key yet (REC-tf
// ClientExpressApp).
func fillExpressClient(cl *client) {
	if cl.field("app_type") == "express_configuration" && len(cl.used) == 0 {
		cl.used["private_key_jwt"] = obj{"credentials": []any{}}
	}
}

// addSystemGrant adds the grant that Auth0 makes with such a client (REC-go
// TestClientGrant_ExpressConfiguration).
func (c *call) addSystemGrant(cl *client) {
	c.t.grants.add(&grant{c.newRecord("cgr_"+c.t.draw.alnum(16), obj{
		"client_id": cl.id, "audience": c.t.managementAPI(), "is_system": true, "subject_type": "client",
		"scope": anys(strings.Fields(expressGrantScopes)),
	})})
}
