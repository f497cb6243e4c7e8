package auth0sim

import (
	"crypto/rsa"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// tenant is the state of one tenant. mu guards all of it; handlers run with it held.
type tenant struct {
	mu     sync.RWMutex
	gone   bool // reset has put another in its place
	domain string
	draw   drawer

	settings        obj
	resourceServers collection[*resourceServer]
	roles           collection[*role]
	clients         collection[*client]
	grants          collection[*grant]
	actions         collection[*action]
	bindings        map[string][]*binding // by trigger
	organizations   collection[*organization]
	connections     collection[*connection]
	users           collection[*user]
	attributes      collection[*profile] // user attribute profiles
	profiles        collection[*profile] // connection profiles

	log eventLog // guards itself

	signingKey *rsa.PrivateKey      // nil until the first token; then kept with the state
	usedJTIs   map[string]time.Time // of client assertions, until they expire
	deleting   map[string]time.Time // names of connections whose deletion takes until then
}

type (
	resourceServer struct{ record }
	grant          struct{ record }
	profile        struct{ record }

	role struct {
		record
		permissions []permission
	}
	permission struct{ api, name string }

	client struct {
		record                     // without client_secret and client_authentication_methods
		secret      string         // always kept; shown when no credential is in use
		credentials []*credential  // oldest first
		used        map[string]obj // by method (private_key_jwt, …): its object, whose credentials are ids
	}
	credential struct {
		record
		pem string
	}

	organization struct {
		record
		connections []obj               // organization connections, as shown
		members     []string            // user ids
		memberRoles map[string][]string // role ids by user id
		grants      []string            // client grants that the organization may use
	}
	connection struct {
		record
		clients []string // enabled, in the order they were
		scim    obj      // nil: not configured
		tokens  []obj    // of SCIM, with "token"
	}
	user struct {
		record
		password    string
		roles       []string
		permissions []permission
	}
)

// issuer is the tenant's identifier: https even where plain http is served
// (DESIGN of the project: what a real tenant's would be).
func (t *tenant) issuer() string { return "https://" + t.domain + "/" }

// managementAPI is the identifier of the Management API; it goes by the canonical
// domain (facts §1.2 e).
func (t *tenant) managementAPI() string { return t.issuer() + "api/v2/" }

// newTenant is a tenant with what every tenant has: the Management API, the global
// client and the database connection that Auth0 makes for a new tenant.
func newTenant(domain string, random int64) *tenant {
	t := &tenant{
		domain: domain, draw: drawer{seed: random}, bindings: map[string][]*binding{},
		settings: defaultSettings(), usedJTIs: map[string]time.Time{}, deleting: map[string]time.Time{},
	}
	t.resourceServers.add(&resourceServer{record{id: t.draw.hex24(), o: obj{
		// REC-tf ResourceServerAuth0APIManagementImport #0
		"name": "Auth0 Management API", "identifier": t.managementAPI(), "is_system": true,
		"allow_offline_access": false, "skip_consent_for_verifiable_first_party_clients": false,
		"signing_alg": "RS256", "token_lifetime": 86400, "token_lifetime_for_web": 7200,
		"subject_type_authorization": defaultSubjectTypes(), // its scopes: managementScopes
	}}})
	t.clients.add(&client{
		// The global client of every tenant, "All Applications" (facts §3.3).
		record: record{id: t.draw.alnum(32), o: obj{
			"name": "All Applications", "global": true, "is_first_party": true, "callbacks": []any{}, "custom_login_page_on": true,
			"sso_disabled": false, "cross_origin_authentication": false, "oidc_conformant": false,
			"is_token_endpoint_ip_header_trusted": false,
			"grant_types":                         []any{"authorization_code", "implicit", "refresh_token", "client_credentials"},
			"refresh_token":                       refreshToken(2592000, 1296000),
		}}, secret: t.draw.alnum(64),
	})
	t.connections.add(&connection{record: record{id: "con_" + t.draw.alnum(16), o: obj{
		// REC-tf User: users are made in it, with user names.
		"name": "Username-Password-Authentication", "strategy": "auth0", "is_domain_connection": false,
		"realms": []any{"Username-Password-Authentication"}, "authentication": obj{"active": true}, "connected_accounts": obj{"active": false},
		"options": withDatabaseDefaults(obj{"requires_username": true}),
	}}})
	return t
}

// defaultSettings are the settings that recorded tenants of 2026 have in common
// (REC-tf Tenant_Main, Tenant_CountryCodes). A flag that was never set is absent
// (facts §3.7), so use_scope_descriptions_for_consent is.
func defaultSettings() obj {
	return obj{
		"enabled_locales": []any{"en"},
		"flags": obj{
			"allow_changing_enable_sso": false, "disable_clickjack_protection_headers": false, "disable_impersonation": true,
			"enable_sso": true, "revoke_refresh_token_grant": false, "universal_login": true,
		},
		"friendly_name": "Simulated tenant", "picture_url": "https://example.com/logo.png",
		"session_lifetime": 168, "idle_session_lifetime": 72, "ephemeral_session_lifetime": 72, "idle_ephemeral_session_lifetime": 24,
		"sandbox_version":            "22",
		"oidc_logout":                obj{"rp_logout_end_session_endpoint_discovery": true},
		"universal_login":            obj{},
		"default_directory":          "Username-Password-Authentication",
		"guardian_mfa_page":          obj{"enabled": false},
		"change_password":            obj{"enabled": false},
		"resource_parameter_profile": "audience", "phone_consolidated_experience": false,
		"client_id_metadata_document_supported": false, "dynamic_client_registration_security_mode": "permissive",
	}
}

// managementScopes are the scopes of the Management API: those that the document's
// operations name, served or not, and others that recordings have.
var managementScopes = sync.OnceValue(func() []any {
	named := map[string]bool{}
	for _, s := range append(strings.Fields(furtherScopes), api().Scopes...) {
		named[s] = true
	}
	out := make([]any, 0, len(named))
	for _, s := range sortedKeys(named) {
		verb, what, _ := strings.Cut(s, ":")
		words := strings.Fields(strings.ReplaceAll(what, "_", " "))
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		out = append(out, obj{"value": s, "description": strings.ToUpper(verb[:1]) + verb[1:] + " " + strings.Join(words, " ")})
	}
	return out
})

// furtherScopes are scopes of the Management API that no operation of the document asks
// for (REC-tf ResourceServerAuth0APIManagementImport; those for options are facts §1.2, §5).
const furtherScopes = `read:connections_options update:connections_options create:connections_options delete:connections_options
 blacklist:tokens create:actions_log_sessions create:client_keys delete:client_keys create:device_credentials update:device_credentials
 create:passwords_checking_job delete:passwords_checking_job create:shields read:shields update:shields delete:shields
 create:user_custom_blocks read:user_custom_blocks delete:user_custom_blocks create:users_app_metadata read:users_app_metadata delete:users_app_metadata
 read:entitlements read:insights read:limits update:limits read:triggers update:triggers`

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range maps.Keys(m) {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
