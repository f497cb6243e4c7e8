package express

import (
	"slices"
	"strings"
)

// Where in the flow an Obstacle is met.
const (
	AtRequest = "request" // Okta's request for a login
	AtToken   = "token"   // the token that comes of it
	AtGrant   = "grant"   // Okta's own sign-in
)

// Obstacle is a setting that the guide leaves at Auth0's default, and that keeps Okta out
// where it is another: all that is declared is as declared, and nothing works. What Okta
// sends is not public (facts §1.4.1); an obstacle is what a request that the guide's
// objects provide for does not get past (OpenAPI: ResourceServer, Client, ClientGrant).
type Obstacle struct {
	// ID is the kind of object and its field: api.signing_alg.
	ID, Where, Title, Found, Expected, Advice string
}

// APIObstacles are those of the API that Okta asks tokens for, as Auth0 shows it.
func APIObstacles(api map[string]any) []Obstacle {
	var out []Obstacle
	add := func(field, where, title, found, expected string) {
		out = append(out, Obstacle{
			ID: "api." + field, Where: where, Title: title, Found: field + ": " + found, Expected: field + ": " + expected,
			Advice: putBack("APIs → the API → Settings", "api", field),
		})
	}
	if alg := text(api, "signing_alg"); alg == "HS256" {
		add("signing_alg", AtToken, "Okta can check who signed the API's tokens", alg+", a secret that Okta does not have", "RS256")
	}
	if api["token_encryption"] != nil {
		add("token_encryption", AtToken, "Okta can read the API's tokens", "on", "null")
	}
	if pop, _ := api["proof_of_possession"].(map[string]any); pop["required"] == true && pop["required_for"] != "public_clients" {
		add("proof_of_possession", AtToken, "The API takes tokens that are bound to no key", "required", "null")
	}
	if policy := userPolicy(api); policy == "deny_all" {
		add("subject_type_authorization", AtRequest, "The API lets users log in for it", "{user: {policy: deny_all}}", "{user: {policy: allow_all}}")
	}
	return out
}

// ClientObstacles are those of an OIN client and its grant on the Management API. users
// are the grants that let applications act for users on the API; scopes are what Okta
// asks for.
func ClientObstacles(api, client, grant map[string]any, users []map[string]any, scopes []string) []Obstacle {
	var out []Obstacle
	add := func(field, title, found, expected string) {
		out = append(out, Obstacle{
			ID: "client." + field, Where: AtRequest, Title: title, Found: field + ": " + found, Expected: field + ": " + expected,
			Advice: putBack("Applications → the OIN client → Settings", "oin_client", field),
		})
	}
	const ordinary = "The OIN client takes an ordinary login request"
	if client["require_pushed_authorization_requests"] == true {
		add("require_pushed_authorization_requests", ordinary, "on", "off")
	}
	if client["require_proof_of_possession"] == true {
		add("require_proof_of_possession", "The OIN client takes tokens that are bound to no key", "on", "off")
	}
	if signed, _ := client["signed_request_object"].(map[string]any); signed["required"] == true {
		add("signed_request_object", ordinary, "required", "not required")
	}
	if level := text(client, "compliance_level"); level != "" && level != "none" {
		add("compliance_level", ordinary, level, "none")
	}
	if userPolicy(api) == "require_client_grant" && !slices.ContainsFunc(users, func(g map[string]any) bool { return allows(g, client, api, scopes) }) {
		out = append(out, Obstacle{
			ID: "grant.user", Where: AtRequest, Title: "The OIN client may ask for users' tokens of the API",
			Found:    "subject_type_authorization.user.policy: require_client_grant, and no grant of the OIN client on the API with subject_type user and " + strings.Join(scopes, ", "),
			Expected: "allow_all, or such a grant",
			Advice:   "Write api.subject_type_authorization {user: {policy: allow_all}} in the manifest and apply, or declare a ClientGrant with subject_type: user.",
		})
	}
	if usage := text(grant, "organization_usage"); usage == "require" {
		out = append(out, Obstacle{
			ID: "grant.organization_usage", Where: AtGrant, Title: "Okta may sign in for the Management API without an organization",
			Found: "organization_usage: require", Expected: "organization_usage: not set, allow or deny",
			Advice: "Put it back on the OIN client's grant, or write grant.organization_usage: deny in the manifest and apply.",
		})
	}
	return out
}

// undeclared are the fields that a manifest can't hold.
var undeclared = []string{"token_encryption", "proof_of_possession", "signed_request_object"}

func putBack(where, part, field string) string {
	if slices.Contains(undeclared, field) {
		return "Put it back in the dashboard (" + where + "), or by the Management API. A manifest does not hold this field."
	}
	return "Put it back in the dashboard (" + where + "), or write " + part + "." + field + " in the manifest and apply."
}

// userPolicy is who may get a user's token of an API: allow_all, deny_all or
// require_client_grant; "" on older tenants, which allow all.
func userPolicy(api map[string]any) string {
	by, _ := api["subject_type_authorization"].(map[string]any)
	user, _ := by["user"].(map[string]any)
	return text(user, "policy")
}

// allows reports whether a grant lets a client ask for users' tokens with scopes.
func allows(grant, client, api map[string]any, scopes []string) bool {
	if grant["subject_type"] != "user" || grant["client_id"] != client["client_id"] || grant["audience"] != api["identifier"] {
		return false
	}
	granted, _ := grant["scope"].([]any)
	return grant["allow_all_scopes"] == true || !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(granted, any(s)) })
}
