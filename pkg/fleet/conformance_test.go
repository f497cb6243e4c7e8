package fleet_test

import (
	"fmt"
	"testing"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/schemas"
)

// conformance says, for a kind, how an object begins and the values that each field of
// its schema takes one after the other.
type conformance struct {
	around []object // documents beside it
	base   object
	fields map[string][]any
	// not lists the fields that are not changed one by one, and why.
	not map[string]string
}

var onOff = []any{true, false}

const codeOne, codeTwo = "exports.onExecutePostLogin = async () => {};", "exports.onExecutePostLogin = async (event, api) => {\n};"

func doc(kind, name string, spec object) object {
	return object{"apiVersion": "ecplan/v1", "kind": kind, "metadata": object{"name": name, "acknowledge": object{"secret-loss": "a test"}}, "spec": spec}
}

func conformances(domain string) map[string]conformance {
	api := object{"identifier": "https://api.example", "scopes": []any{object{"value": "read:x"}, object{"value": "write:x"}}}
	permission := func(scope string) object {
		return object{"resource_server_identifier": "https://api.example", "permission_name": scope}
	}
	key := func(i int) object { return object{"name": "key", "pem": testKeys()[i]} }
	identity := "it is how the object is found"
	return map[string]conformance{
		"ResourceServer": {
			base: object{"identifier": "https://one.example"},
			fields: map[string][]any{
				"name": {"One", "Two"}, "token_lifetime": {300, 600}, "token_lifetime_for_web": {200, 100},
				"signing_alg": {"RS256", "PS256"}, "token_dialect": {"access_token_authz", "access_token"},
				"scopes":           {[]any{object{"value": "a", "description": "A"}}, []any{object{"value": "a", "description": "B"}, object{"value": "b"}}, []any{object{"value": "b"}}},
				"enforce_policies": onOff, "allow_offline_access": onOff, "skip_consent_for_verifiable_first_party_clients": onOff,
				"subject_type_authorization": {object{"user": object{"policy": "deny_all"}}, object{"client": object{"policy": "deny_all"}}},
				"allow_online_access":        onOff,
				"consent_policy":             {"transactional-authorization-with-mfa", nil},
			},
			not: map[string]string{"identifier": identity, "exclusive": "it is no field of the object"},
		},
		"Role": {
			around: []object{doc("ResourceServer", "api", api)},
			base:   object{"name": "ops"},
			fields: map[string][]any{
				"description": {"One", "Two", ""},
				"permissions": {[]any{permission("read:x")}, []any{permission("read:x"), permission("write:x")}, []any{permission("write:x")}, []any{}},
			},
			not: map[string]string{"name": identity, "exclusive": "it is no field of the object"},
		},
		"Client": {
			base: object{"name": "Alpha", "app_type": "regular_web", "oidc_conformant": true, "jwt_configuration": object{"alg": "RS256"}},
			fields: map[string][]any{
				"description": {"One", "Two", nil}, "logo_uri": {"https://a.example/l.png", ""}, "app_type": {"spa", "regular_web"},
				"callbacks":           {[]any{"https://a.example"}, []any{"https://b.example", "https://a.example"}, []any{}},
				"allowed_logout_urls": {[]any{"https://a.example"}, nil}, "web_origins": {[]any{"https://a.example"}, []any{}},
				"allowed_origins": {[]any{"https://a.example"}, []any{}}, "client_aliases": {[]any{"alias-one"}, []any{}}, "allowed_clients": {[]any{"AaaaBbbbCcccDdddEeeeFfffGggg0001"}, []any{}},
				"initiate_login_uri": {"https://a.example/login", nil}, "cross_origin_authentication": onOff, "cross_origin_loc": {"https://a.example", nil},
				"sso_disabled": onOff, "custom_login_page_on": {false, true}, "is_token_endpoint_ip_header_trusted": onOff,
				"grant_types":                           {[]any{"client_credentials"}, []any{"authorization_code", "client_credentials"}},
				"jwt_configuration":                     {object{"alg": "RS256", "lifetime_in_seconds": 600}, object{"lifetime_in_seconds": 900}},
				"token_endpoint_auth_method":            {"client_secret_basic", "client_secret_post"},
				"organization_usage":                    {"allow", "require", nil},
				"client_metadata":                       {object{"a": "1"}, object{"a": "2", "b": "1"}, object{"a": nil, "b": "1"}},
				"refresh_token":                         {object{"rotation_type": "rotating", "expiration_type": "expiring"}, object{"leeway": 10}},
				"require_pushed_authorization_requests": onOff, "require_proof_of_possession": onOff,
				"par_request_expiry": {30, nil},
				"credentials":        {[]any{key(0)}, []any{key(1)}, []any{key(1), key(0)}, []any{key(0)}},
			},
			not: map[string]string{
				"client_id": identity, "name": identity, "exclusive": "it is no field of the object",
				"oidc_conformant":                "the property over random manifests changes it",
				"is_first_party":                 "Auth0 takes it back with limits that depend on other fields",
				"organization_require_behavior":  "it needs organization_usage beside it; the guide's set-up has it",
				"organization_discovery_methods": "it needs organization_require_behavior beside it",
				"default_organization":           "it names an organization", "compliance_level": "it is part of an add-on",
				"skip_non_verifiable_callback_uri_confirmation_prompt": "null and false mean the same in some tenants only",
				"resource_server_identifier":                           "only for app type resource_server",
			},
		},
		"ClientGrant": {
			around: []object{doc("Client", "alpha", object{"name": "Alpha", "app_type": "non_interactive"})},
			base:   object{"client_id": "${Client/alpha.client_id}", "audience": "https://" + domain + "/api/v2/", "scope": []any{"read:roles"}},
			fields: map[string][]any{
				"scope":                  {[]any{"read:clients"}, []any{"read:roles", "read:clients"}, []any{}},
				"allow_any_organization": onOff, "organization_usage": {"allow", "deny"},
			},
			not: map[string]string{
				"client_id": identity, "audience": identity, "subject_type": identity,
				"allow_all_scopes":            "it excludes scope; it has a test of its own",
				"authorization_details_types": "it needs an API with such types",
			},
		},
		"Action": {
			around: []object{doc("Action", "other", object{"name": "other", "trigger": "post-login", "code": codeOne, "bind": object{}})},
			base:   object{"name": "audit", "trigger": "post-login", "code": codeOne},
			fields: map[string][]any{
				"code": {codeTwo, codeOne}, "runtime": {"node18", "node22"},
				"dependencies": {object{"lodash": "4.17.21"}, object{"lodash": "4.17.20", "axios": "1.7.0"}, object{}},
				"secrets":      {object{"A": canary + "one"}, object{"A": canary + "two", "B": canary + "three"}, object{"B": canary + "three"}},
				"bind":         {object{}, object{"position": "first"}, object{"position": "last"}, object{"before": "other"}, object{"after": "other"}, nil},
				"deploy":       {false, true},
			},
			not: map[string]string{
				"name": identity, "trigger": "Auth0 can't change it", "display_name": "TestDisplayNameAlone changes it", "exclusive": "it is no field of the object",
			},
		},
		"TenantSettings": {
			base: object{"friendly_name": "Acme"},
			fields: map[string][]any{
				"flags":         {object{"use_scope_descriptions_for_consent": true}, object{"use_scope_descriptions_for_consent": false, "revoke_refresh_token_grant": true}},
				"friendly_name": {"One", "Two"}, "picture_url": {"https://a.example/p.png", ""}, "support_email": {"a@b.example", ""},
				"support_url": {"https://a.example", ""}, "default_audience": {"", ""}, "default_directory": {"", ""},
				"default_redirection_uri": {"https://a.example/login", ""}, "allowed_logout_urls": {[]any{"https://a.example"}, []any{}},
				"enabled_locales": {[]any{"en", "de"}, []any{"de"}}, "session_lifetime": {100, 168}, "idle_session_lifetime": {50, 72},
				"sandbox_version": {"22", "18"}, "session_cookie": {object{"mode": "persistent"}, object{"mode": "non-persistent"}},
				"sessions":                          {object{"oidc_logout_prompt_enabled": true}, object{"oidc_logout_prompt_enabled": false}},
				"oidc_logout":                       {object{"rp_logout_end_session_endpoint_discovery": true}, object{"rp_logout_end_session_endpoint_discovery": false}},
				"customize_mfa_in_postlogin_action": onOff, "allow_organization_name_in_authentication_api": onOff,
				"pushed_authorization_requests_supported": onOff, "mtls": {object{"enable_endpoint_aliases": true}, object{"enable_endpoint_aliases": false}},
				"error_page": {object{"html": "<p>one</p>", "show_log_link": false, "url": "https://a.example"}, nil},
			},
			not: restOf("TenantSettings", "alike to those that are changed here",
				"flags", "friendly_name", "picture_url", "support_email", "support_url", "default_audience", "default_directory", "default_redirection_uri",
				"allowed_logout_urls", "enabled_locales", "session_lifetime", "idle_session_lifetime", "sandbox_version", "session_cookie", "sessions", "oidc_logout",
				"customize_mfa_in_postlogin_action", "allow_organization_name_in_authentication_api", "pushed_authorization_requests_supported", "mtls", "error_page"),
		},
	}
}

// restOf excuses all fields but some.
func restOf(kind, why string, but ...string) map[string]string {
	out := map[string]string{}
	for f := range schemas.Rules(kind).Properties {
		out[f] = why
	}
	for _, f := range but {
		delete(out, f)
	}
	return out
}

// TestConformance: of every kind, an object is created, each of its fields changed, and
// the object deleted; after each, a second plan is empty.
func TestConformance(t *testing.T) {
	for name := range kind.All() {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			c, ok := conformances(b.sim.Domain())[name]
			if !ok {
				t.Skip("SKIPPED: this kind has a conformance test of its own")
			}
			for f := range schemas.Rules(name).Properties {
				if _, excused := c.not[f]; !excused && c.fields[f] == nil {
					t.Errorf("the field %s is neither changed nor excused", f)
				}
			}
			object1 := "tenant"
			if name != "TenantSettings" {
				object1 = "one"
			}
			settle := func(step string, spec object) {
				t.Helper()
				b.manifest(append(append([]object{}, c.around...), doc(name, object1, spec)))
				b.apply()
				if p := b.plan(); len(p.Steps) > 0 {
					t.Fatalf("%s: the second plan is not empty: %s", step, indent(p.Steps))
				}
			}
			settle("created", c.base)
			for _, f := range manifest.Keys(c.fields) {
				for i, v := range c.fields[f] {
					spec := object{}
					for k, b := range c.base {
						spec[k] = b
					}
					spec[f] = v
					settle(fmt.Sprintf("%s, value %d", f, i+1), spec)
				}
			}
			b.carryOut(fleet.PlanOptions{Mode: planner.Destroy, Force: true})
		})
	}
}
