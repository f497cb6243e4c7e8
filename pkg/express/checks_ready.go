package express

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// ready adds a readiness check that found, or did not find, what it looked for.
func (v *verifier) ready(id, title, address string, ok bool, found, expected, advice string) {
	c := Check{ID: id, Title: title, Address: address, Class: ClassReadiness, Result: Warn, Found: found, Expected: expected, Advice: advice}
	if ok {
		c.Result = OK
	}
	v.add(c)
}

// lacking adds a check whose question the credentials may not ask; true if it did.
func (v *verifier) lacking(id, title string, scopes []string) bool {
	if len(scopes) == 0 {
		return false
	}
	v.add(Check{
		ID: id, Title: title, Class: ClassReadiness, Result: Unknown,
		Found: "the credentials may not look", Expected: strings.Join(scopes, ", "),
		Advice: "Grant ecplan's client " + strings.Join(scopes, " and ") + " to have this checked.",
	})
	return true
}

// readiness checks what a customer's admin needs around the set-up (facts §1.1, §1.2).
func (v *verifier) readiness() {
	v.organizations()
	v.holders()
	flags, _ := v.State.Settings["flags"].(map[string]any)
	on, set := flags["enable_client_connections"].(bool)
	found := "on"
	switch {
	case !set:
		found = "not set, which means on"
	case !on:
		found = "off"
	}
	v.ready("tenant.client-connections", "New connections are not enabled for every application", "", set && !on, found, "off",
		"Auth0's prerequisites want flags.enable_client_connections off, so that a customer's connection serves the intended application only. Set it in tenant_settings.flags if nothing else counts on it.")
	if api := v.State.Found(v.Setup.API); api.Exists {
		v.ready("api.rbac", "Scopes are cut to what a user's roles allow", v.Setup.API.Address(), api.Object["enforce_policies"] == true,
			"enforce_policies: "+shown(api.Object["enforce_policies"]), "enforce_policies: on",
			"Without it every user of an organization may configure single sign-on, unless an Action decides. Set api.enforce_policies to true.")
	}
	for i, app := range v.Setup.Apps {
		if v.several {
			v.suffix = "@" + app.Name
		}
		v.appReady(app, v.State.Apps[i])
	}
	v.suffix = ""
}

// loginFlow holds the application against what Okta's overview of Express Configuration
// says: login flows called Prompt with Credentials are not supported, and with No Prompt
// the application must name the organization itself. Whether the former is meant of the
// application or of the OIN client is not clear (facts §1.1), so it is a warning at most.
func (v *verifier) loginFlow(app App, object map[string]any) {
	behaviour := text(object, "organization_require_behavior")
	found := "organization_require_behavior: " + shown(object["organization_require_behavior"])
	if behaviour == "" || behaviour == "no_prompt" {
		found += "; the application must name the organization in its login requests"
	}
	v.ready("app.login-flow", "The application's login flow is one that Okta supports", app.App.Address(), behaviour != "post_login_prompt", found, "pre_login_prompt, or no_prompt",
		"Okta's documentation says that applications whose login flow is Prompt with Credentials (post_login_prompt) are not supported. Try it with a test organization before a customer does.")
}

func (v *verifier) appReady(app App, st AppState) {
	if object := v.State.Found(app.App).Object; object != nil {
		usage := text(object, "organization_usage")
		v.ready("app.organizations", "Users log in to the application through organizations", app.App.Address(), usage == "allow" || usage == "require",
			"organization_usage: "+shown(object["organization_usage"]), "allow or require",
			"Okta enables each customer's connection for an organization. Set organization_usage of the application to allow or require.")
		if usage == "require" { // what it prompts for is heeded with "require" alone
			v.loginFlow(app, object)
		}
		kind := text(object, "app_type")
		v.ready("app.type", "The application is of a type that the OIN takes", app.App.Address(), kind == "regular_web" || kind == "spa",
			"app_type: "+shown(object["app_type"]), "regular_web or spa", "Auth0 documents Express Configuration for regular web and single-page applications only.")
	}
	client := v.State.Found(app.Client).Object
	if client == nil {
		return
	}
	const id, title = "admins.connection", "Admins can log in when the OIN client asks for credentials"
	behaviour := text(client, "organization_require_behavior")
	if behaviour != "post_login_prompt" {
		v.add(Check{
			ID: id, Title: title, Class: ClassReadiness, Address: app.Client.Address(), Result: Skipped,
			Found: "organization_require_behavior: " + shown(client["organization_require_behavior"]) + ", so the organization's own connections are used",
		})
		return
	}
	if v.lacking(id, title, st.Directories.Lacks) {
		return
	}
	var names []string
	for _, c := range st.Directories.Value {
		if text(c, "strategy") != "okta" {
			names = append(names, text(c, "name"))
		}
	}
	found := strings.Join(names, ", ")
	if found == "" {
		found = "no connection is enabled for the OIN client"
	}
	v.ready(id, title, app.Client.Address(), len(names) > 0, found, "a connection that holds the admins' accounts",
		"Enable the OIN client on the connection with the admins' accounts (Applications → OIN client → Connections, or PATCH connections/{id}/clients).")
}

func (v *verifier) organizations() {
	const id, title = "organizations", "Organizations are in use"
	o := v.State.Organizations
	if v.lacking(id, title, o.Lacks) {
		return
	}
	n := len(o.Value) + v.State.Uncounted
	found := count(n, "organization")
	switch {
	case v.State.Named != "" && n == 0: // a misspelt one would pass for one that nothing is wrong with
		v.add(Check{
			ID: id, Title: title, Class: ClassReadiness, Result: Fail, Found: "none is called " + v.State.Named,
			Expected: v.State.Named, Advice: "Name the organization by its name, not by the one that it is shown under; or make it.",
		})
		return
	case v.State.Named != "":
		found = v.State.Named
	case v.State.Uncounted > 0:
		found += fmt.Sprintf(", of which the first %d are looked into", len(o.Value))
	}
	v.ready(id, title, "", n > 0, found, "one for each customer",
		"Make an organization for each customer; Okta sets up a connection inside one.")
}

// holders checks that somebody may press the button: a member of an organization, for the
// OIN client demands one, who has the role there or everywhere.
func (v *verifier) holders() {
	if v.Setup.Role == nil {
		return
	}
	const id, title = "role.assigned", "Somebody has the role"
	at := v.Setup.Role.Address()
	lacks := slices.Concat(v.State.Holders.Lacks, v.State.Organizations.Lacks)
	admins, without := 0, []string{}
	for _, g := range v.State.Organizations.Value {
		lacks = append(lacks, g.Admins.Lacks...)
		admins += g.Admins.Value
		if g.Admins.Value == 0 && len(g.Admins.Lacks) == 0 {
			without = append(without, g.Name)
		}
	}
	n := admins
	if v.State.Uncounted > 0 || len(lacks) > 0 { // then some may be members where nobody looked
		n += len(v.State.Holders.Value)
	}
	if n == 0 && len(lacks) > 0 {
		v.lacking(id, title, unique(lacks))
		return
	}
	found := fmt.Sprintf("%s of organizations, %s besides", count(admins, "member"), count(len(v.State.Holders.Value), "user"))
	switch {
	case len(without) > 0 && n > 0:
		found += "; nobody in " + strings.Join(without, ", ")
	case n == 0 && len(v.State.Holders.Value) > 0:
		found += "; who is a member of no organization can't log in to one"
	}
	v.ready(id, title, at, n > 0, found, "at least one admin in each customer's organization",
		"Give "+shown(v.Setup.Role.Spec["name"])+" to the customer's admin (Organizations → Members → Roles). Nobody else may use the button.")
}

func unique(list []string) []string {
	seen := map[string]bool{}
	for _, s := range list {
		seen[s] = true
	}
	return manifest.Keys(seen)
}

// connections compares the connections that Okta has made already. Those are Okta's:
// they are told about, never changed.
func (v *verifier) connections() {
	const id, title = "connections", "The connections that Okta made are as promised"
	if v.lacking(id, title, v.State.Okta.Lacks) {
		return
	}
	made := 0
	for _, g := range v.State.Organizations.Value {
		if v.lacking(id+"."+g.Name, title, g.Connections.Lacks) {
			continue
		}
		for _, enabled := range g.Connections.Value {
			c := v.State.Okta.Value[text(enabled, "connection_id")]
			if c == nil {
				continue
			}
			made++
			v.connection(g, c, enabled)
		}
	}
	if made == 0 {
		v.add(Check{ID: id, Title: title, Class: ClassReadiness, Result: Skipped, Found: "no organization looked into has a connection to Okta yet"})
	}
}

func (v *verifier) connection(g Organization, c, enabled map[string]any) {
	var broken, expected, unread []string
	for _, p := range Promises(c, enabled, v.aliases(g)) {
		switch {
		case p.Unread:
			unread = append(unread, p.Setting)
		case !p.Kept:
			broken = append(broken, p.Setting+": "+p.Found)
			expected = append(expected, p.Setting+": "+p.Expected)
		}
	}
	if clients, shown := c["enabled_clients"].([]any); shown && !slices.ContainsFunc(v.Setup.Apps, func(app App) bool { return slices.Contains(clients, any(v.State.Found(app.App).ID)) }) {
		broken = append(broken, "applications: none of those declared here")
		expected = append(expected, "applications: the one that it was made for")
	}
	check := Check{
		ID: "connection." + text(c, "name"), Title: "Okta's connection " + text(c, "name") + " of " + g.Name + " is as promised", Class: ClassReadiness, Result: OK,
		Found: "scopes, mapping, PKCE, button, name, logo and membership as promised",
	}
	switch {
	case len(broken) > 0:
		check.Result, check.Found, check.Expected = Warn, list(broken), list(expected)
		check.Advice = "Okta sets these, and says that users can't change them. If somebody made the connection by hand, that is all right; else put it back, or let the admin configure it anew."
	case len(unread) > 0:
		check.Result, check.Found = Unknown, "not readable: "+strings.Join(unread, ", ")
		check.Expected = "read:connections_options"
		check.Advice = "Grant ecplan's client read:connections_options to have this checked."
	}
	v.add(check)
}

// aliases are the domains that a connection of the organization is to have for home realm
// discovery: none by the guide, those of its metadata where the Action hands them on.
func (v *verifier) aliases(g Organization) []string {
	for _, app := range v.Setup.Apps {
		if app.Action == nil {
			continue
		}
		secrets, _ := app.Action.Spec["secrets"].(map[string]any)
		if key := text(secrets, secretDomains); key != "" {
			return strings.FieldsFunc(strings.ToLower(text(g.Metadata, key)), func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	return nil
}
