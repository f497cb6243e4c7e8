package auth0sim

import "strings"

// amend makes the document agree with recorded traffic where it does not
// (facts §2 "Spec ≠ wire", §3), and its schemas with its own words. What was accepted for
// real and is not in the document is added; what was refused for real is refused.
func amend(d *document) {
	boolean, text := &schema{Type: typeList{"boolean"}}, &schema{Type: typeList{"string"}}
	query := func(operation, name string) {
		op := d.Operations[operation]
		op.Params = append(op.Params, parameter{Name: name, In: "query", Schema: text})
	}
	query("GET /logs", "q")     // the document describes it in words only
	query("GET /roles", "type") // REC-tf DataSourceOrganizationRole, as the next
	query("GET /roles", "owner_id")
	most := 10 // identifiers "may be specified multiple times (max 10)"
	d.Operations["GET /resource-servers"].Params[0].Schema.MaxItems = &most
	zero, month := 0.0, 2592000.0
	add := func(name, property string, s *schema) { d.Schemas[name].Properties[property] = s }

	// facts §2: the flag of the guide is missing from the document (REC-tf DataSourceTenant).
	add("TenantSettingsFlags", "use_scope_descriptions_for_consent", boolean)
	for _, flag := range []string{
		"enable_sso", "universal_login", "disable_impersonation", // REC-tf Tenant_EnableSSO
		"require_pushed_authorization_requests", // deploy-cli's allowedTenantFlags, go-auth0's TenantFlags
		"enable_custom_domain_in_emails",        // these too, the former until 2026-06 (deploy-cli #1401)
		"enable_legacy_logs_search_v2",          // go-auth0's TenantFlags
	} {
		if d.Schemas["TenantSettingsFlags"].Properties[flag] == nil {
			add("TenantSettingsFlags", flag, boolean)
		}
	}
	year := 8760.0 // deploy-cli #1110
	d.Schemas["UpdateTenantSettingsRequestContent"].Properties["session_lifetime"].Maximum = &year
	for _, name := range []string{"CreateResourceServerRequestContent", "UpdateResourceServerRequestContent"} {
		// facts §3.1: accepted for real (REC-go, REC-tf ResourceServer).
		add(name, "token_lifetime_for_web", &schema{
			Type: typeList{"integer"}, Minimum: &zero, Maximum: &month,
			Description: "Expiration value (in seconds) for access tokens issued for this API via Implicit or Hybrid Flows. Cannot be greater than the token_lifetime value.",
		})
	}
	// The deploy CLI sends back the universal_login that settings show (REC-tf
	// Tenant_Main shows it; that a PATCH takes it is deploy-cli's and go-auth0's word).
	add("UpdateTenantSettingsRequestContent", "universal_login", &schema{Type: typeList{"object", "null"}})
	// A user is given no other properties than those of the schema, though the document permits them: that
	// was answered in 2017 to 2023 (auth0-java #46, #58, #549).
	update := d.Schemas["UpdateUserRequestContent"]
	update.Additional = &additional{forbidden: true}
	update.advice = ` (consider storing them in app_metadata or user_metadata. See "Users Metadata" in https://auth0.com/docs/api/v2/changes for more details)`
	// metadata-fields-data below https://auth0.com/docs; "not": {} each (auth0/docs #627).
	reserved := map[string]*schema{}
	for _, name := range strings.Fields("__tenant _id blocked clientID created_at email_verified email globalClientID global_client_id identities lastIP lastLogin loginsCount metadata multifactor_last_modified multifactor updated_at user_id") {
		reserved[name] = &schema{never: true}
	}
	d.Schemas["AppMetadata"].Properties = reserved
	// REC-tf RoleOrganizationLevel: organization-level roles, 2026.
	add("CreateRoleRequestContent", "type", &schema{Type: typeList{"string"}, Enum: []any{"tenant", "organization"}})
	add("CreateRoleRequestContent", "owner_id", text)

	for _, name := range []string{"CreateOrganizationRequestContent", "UpdateOrganizationRequestContent"} {
		// Shown by REC-tf RoleOrganizationLevel, sent since 2026-07 (terraform-provider-auth0 #1643, deploy-cli #1421).
		add(name, "third_party_client_access", &schema{Type: typeList{"string"}, Enum: []any{"allow", "block"}})
		add(name, "is_app_entitlement_active", boolean) // go-auth0's Organization; its test sets it and takes it back
	}

	// REC-tf ClientAuthenticationMethodsTLSClientAuth sends signed_request_object:null,
	// ClientCredentialsTokenVaultPrivilegedAccess and ClientOIDCLogout others: null
	// clears any object of a client.
	for _, p := range d.Schemas["UpdateClientRequestContent"].Properties {
		if s, _ := d.resolve(p); len(s.Type) == 1 && s.Type[0] == "object" && len(s.Enum) == 0 {
			s.Type = append(s.Type, "null")
		}
	}
	for _, name := range []string{"CreateClientRequestContent", "UpdateClientRequestContent"} {
		d.Schemas[name].Properties["grant_types"].UniqueItems = true // facts §3.3
	}
	for _, name := range []string{"CreateClientRequestContent", "UpdateClientRequestContent"} {
		// The deprecated name is taken and shown as it was sent, without effect on the new
		// one (Terraform provider #456, deploy-cli #1223 and #1322, 2026-03).
		add(name, "cross_origin_auth", boolean)
	}
	for _, method := range []string{"PrivateKeyJWT", "TLSClientAuth", "SelfSignedTLSClientAuth"} {
		d.Schemas["ClientAuthenticationMethod"+method+"Credentials"].UniqueItems = true // its description: "a list of unique … credential IDs"
	}
	one := 1 // its description: "Currently only one URL is allowed"
	d.Schemas["ClientOIDCBackchannelLogoutSettings"].Properties["backchannel_logout_urls"].MaxItems = &one
	objectOf := func(more map[string]*schema) *schema {
		return &schema{Type: typeList{"object", "null"}, Properties: more}
	}
	// REC-tf ClientCredentialsTokenVaultPrivilegedAccess, 2026-08; go-auth0's tests of it
	// say that none of the three may be missing, how many there can be, and that a create
	// takes no empty ones.
	for name, fewest := range map[string]int{"ClientTokenVaultPrivilegedAccessWithCredentialId": 0, "ClientTokenVaultPrivilegedAccessWithPublicKey": 1} {
		add(name, "grants", &schema{Type: typeList{"array"}})
		s := d.Schemas[name]
		s.Required = []string{"credentials", "ip_allowlist", "grants"}
		for property, most := range map[string]int{"credentials": 2, "ip_allowlist": 10, "grants": 5} {
			s.Properties[property].MaxItems = &most
			if property != "credentials" {
				s.Properties[property].MinItems = &fewest
			}
		}
	}
	for _, name := range []string{"CreateClientRequestContent", "UpdateClientRequestContent"} {
		// REC-tf ClientIdentityAssertionAuthorizationGrant, 2026-08.
		add(name, "identity_assertion_authorization_grant", objectOf(map[string]*schema{"active": boolean}))
	}
	for _, name := range []string{"CreateConnectionRequestContent", "UpdateConnectionRequestContent"} {
		add(name, "cross_app_access_resource_app", objectOf(map[string]*schema{"status": text})) // REC-tf ConnectionOIDCMetadata, 2026-07
	}
	// Two limits that the document states in words only. That 900 itself is too short is
	// not enforced: z-schema's words for it would be another rule's.
	fifty, shortest := 50, 900.0
	d.Schemas["UpdateEnabledClientConnectionsRequestContent"].MaxItems = &fifty
	d.Schemas["CreateScimTokenRequestContent"].Properties["token_lifetime"].Minimum = &shortest
}
