package auth0sim

import (
	"net/http"
	"slices"
)

// checkConnection holds what no schema says of the body of a create or PATCH. con is the
// connection as it is, in a create only its name and strategy. The code of a 400 is that
// of the recorded ones (facts, recorded §10); where only the text is known it is
// UNCONFIRMED.
func (c *call) checkConnection(con *connection, o obj) *answer {
	strategy := con.field("strategy")
	if o["cross_app_access_requesting_app"] != nil && strategy != "oidc" && strategy != "okta" { // which strategies can is UNCONFIRMED
		a := badRequest("operation_not_supported", "Cross App Access Requesting App is not supported for this connection.")
		return &a
	}
	if fail := c.checkRealms(con, o); fail != nil {
		return fail
	}
	options, given := o["options"].(obj)
	if !given && c.route.method == http.MethodPatch {
		return nil // they stay
	}
	if fail := c.checkProvider(con, options); fail != nil {
		return fail
	}
	if strategy != "auth0" {
		return nil
	}
	if fail := c.checkDatabase(con, options); fail != nil {
		return fail
	}
	return c.checkAttributes(con, options)
}

// checkRealms: realms are a matter of databases (terraform-provider-auth0 #827, where the
// realm was another than the name; the name itself, which every connection shows, is taken
// back), and a realm leads to one connection (OAS POST /connections; for PATCH it is
// UNCONFIRMED).
func (c *call) checkRealms(con *connection, o obj) *answer {
	given, isGiven := o["realms"]
	if !isGiven {
		return nil
	}
	realms := strs(given)
	if len(realms) == 0 {
		o["realms"] = []any{con.o["name"]} // OAS
		return nil
	}
	if con.field("strategy") != "auth0" && !slices.Equal(realms, []string{con.field("name")}) {
		return c.invalidBody("Realms is only supported for database connections.")
	}
	for _, other := range c.t.connections.all {
		if other != con && slices.ContainsFunc(strs(other.o["realms"]), func(r string) bool { return slices.Contains(realms, r) }) {
			a := connectionConflict(`There is already another connection with some realms from "realms" parameter`)
			return &a
		}
	}
	return nil
}

// configured are the strategies of connections that can't be made without options
// (go-auth0's tests of connections).
var configured = setOf("oidc", "samlp", "okta", "adfs", "waad", "pingfederate", "oauth1")

// checkProvider holds what single strategies need of their options. What is missing was
// reported of creates alone.
func (c *call) checkProvider(con *connection, options obj) *answer {
	creates := c.route.method == http.MethodPost
	hashed := options["custom_password_hash"] != nil
	switch strategy := con.field("strategy"); {
	case hashed && strategy != "auth0": // OAS, this and the next
		return c.invalidBody("The custom_password_hash option is only available for database connections")
	case hashed:
		return c.invalidBody("custom_password_hash option cannot be set because the universal password hash feature is not enabled for this tenant")
	case creates && strategy == "adfs" && str(options["adfs_server"]) == "" && str(options["fedMetadataXml"]) == "":
		return c.invalidBody("missing federation metadata url") // terraform-provider-auth0 (alexkappa) #457, OAS ConnectionOptionsADFS
	case creates && strategy == "google-apps" && options != nil && str(options["tenant_domain"]) == "":
		return c.invalidBody("undefined is not a valid google apps domain") // terraform-provider-auth0 (alexkappa) #334; without options it can be made (go-auth0's tests)
	case configured[strategy] && options == nil:
		return c.invalidBody("Payload validation error: 'Missing required property: options'.") // wording UNCONFIRMED
	case strategy == "waad" && truth(options["useCommonEndpoint"]) && con.scim != nil:
		return c.invalidBody("The Azure AD common endpoint cannot be enabled for this connection when SCIM is enabled.") // OAS
	}
	return nil
}

// checkDatabase: where the users of a database are (OAS POST and PATCH /connections).
func (c *call) checkDatabase(con *connection, options obj) *answer {
	said, given := options["enabledDatabaseCustomization"]
	custom := truth(said)
	if options["set_user_root_attributes"] != nil && !custom {
		return c.invalidBody("options.set_user_root_attributes can be set only for enterprise connections, social connections or custom database connections (using external users store)")
	}
	former := object(con.o["options"])
	_, used := c.t.users.find(func(u *user) bool { return slices.Contains(u.connections(), con.field("name")) })
	if used && given && custom != truth(former["enabledDatabaseCustomization"]) {
		return c.invalidBody(`This database contains users. You cannot change "options.enabledDatabaseCustomization" setting.`)
	}
	return nil
}

// checkAttributes holds the recorded rules about the attributes that identify users.
func (c *call) checkAttributes(con *connection, options obj) *answer {
	attributes, _ := options["attributes"].(obj)
	if attributes == nil {
		return nil
	}
	if options["validation"] != nil {
		return c.invalidBody("Cannot set both options.attributes and options.validation")
	}
	if options["requires_username"] != nil {
		return c.invalidBody("Cannot set both options.attributes and options.requires_username")
	}
	if fail := c.checkEmail(con, attributes); fail != nil {
		return fail
	}
	var active []string
	for _, name := range sortedKeys(attributes) {
		a, _ := attributes[name].(obj)
		if id, _ := a["identifier"].(obj); truth(id["active"]) {
			active = append(active, name)
		}
	}
	if len(active) == 0 {
		return c.invalidBody("attributes must contain one active identifier")
	}
	if len(active) == 1 { // REC-tf ConnectionOptionsAttrInactiveSignUpNegative; for one of several it is UNCONFIRMED
		a, _ := attributes[active[0]].(obj)
		signup, _ := a["signup"].(obj)
		if status := str(signup["status"]); status != "" && status != "required" {
			return c.invalidBody("attribute " + active[0] + " must also be required on signup")
		}
	}
	return nil
}

// checkEmail: whether addresses are unique is said when the attribute is made, and for
// good; a PATCH that does not say so says that they are (terraform-provider-auth0 #1669).
func (c *call) checkEmail(con *connection, attributes obj) *answer {
	mail, given := attributes["email"].(obj)
	if !given {
		return nil
	}
	shared := func(mail obj) bool { unique, said := mail["unique"].(bool); return said && !unique }
	if id, _ := mail["identifier"].(obj); shared(mail) && truth(id["active"]) {
		return c.invalidBody("attribute email must be unique to be an active identifier") // non-unique-emails; the text is UNCONFIRMED
	}
	if c.route.method != http.MethodPatch {
		return nil
	}
	former, had := object(object(con.o["options"])["attributes"])["email"].(obj)
	switch {
	case had && shared(mail) != shared(former):
		return c.invalidBody("cannot patch unique property on email attribute")
	case !had && shared(mail):
		return c.invalidBody("cannot add non-unique email attribute") // REC-tf ConnectionAddEmailAttributeNonUnique
	}
	return nil
}
