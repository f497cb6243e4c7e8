package auth0sim

// correct makes the document agree with recorded traffic where it does not
// (facts §2 "Spec ≠ wire", §3). What is in the document and refused there, but was
// accepted for real, is added; nothing is taken away.
func correct(d *document) {
	boolean, text := &schema{Type: typeList{"boolean"}}, &schema{Type: typeList{"string"}}
	zero, month := 0.0, 2592000.0
	add := func(name, property string, s *schema) { d.Schemas[name].Properties[property] = s }

	// facts §2: the flag of the guide is missing from the document (REC-tf DataSourceTenant).
	add("TenantSettingsFlags", "use_scope_descriptions_for_consent", boolean)
	for _, flag := range []string{"enable_sso", "universal_login", "disable_impersonation"} { // REC-tf Tenant_EnableSSO
		if d.Schemas["TenantSettingsFlags"].Properties[flag] == nil {
			add("TenantSettingsFlags", flag, boolean)
		}
	}
	for _, name := range []string{"CreateResourceServerRequestContent", "UpdateResourceServerRequestContent"} {
		// facts §3.1: accepted for real (REC-go, REC-tf ResourceServer).
		add(name, "token_lifetime_for_web", &schema{Type: typeList{"integer"}, Minimum: &zero, Maximum: &month,
			Description: "Expiration value (in seconds) for access tokens issued for this API via Implicit or Hybrid Flows. Cannot be greater than the token_lifetime value."})
	}
	// REC-tf RoleOrganizationLevel: organization-level roles, 2026.
	add("CreateRoleRequestContent", "type", &schema{Type: typeList{"string"}, Enum: []any{"tenant", "organization"}})
	add("CreateRoleRequestContent", "owner_id", text)
}
