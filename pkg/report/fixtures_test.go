package report

import (
	"fmt"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

const (
	api    = "ResourceServer/express"
	role   = "Role/express-admin"
	client = "Client/acme-crm.okta-oin"
	grant  = "ClientGrant/acme-crm.okta-oin"
	action = "Action/acme-crm.post-login"
	tenant = "TenantSettings/tenant"

	identifier = "https://system.okta.com/actions/express-configure/v1"
)

const actionCode = `
exports.onExecutePostLogin = async (event, api) => {
  if (event.request.query.audience !== event.secrets.EXPRESS_CONFIGURE_API_IDENTIFIER) {
    return;
  }
  if (!event.client.metadata.express_configure_sp_client_id || !event.organization?.id) {
    throw Error("Unable to issue token for Express Configure API - missing data.");
  }
  api.accessToken.setCustomClaim('sp_client_id', event.client.metadata.express_configure_sp_client_id);
  api.accessToken.setCustomClaim('management_api_audience', event.secrets.TENANT_DOMAIN + '/api/v2/');
  api.accessToken.setCustomClaim('init_login_uri', event.secrets.SERVICE_INIT_LOGIN_URL);
};
`

var grantScopes = []any{
	"create:connections", "read:connections", "update:connections", "read:connections_options", "update:connections_options",
	"read:organization_connections", "create:organization_connections", "update:organization_connections",
}

func add(path string, v any) kind.Change { return kind.Change{Path: path, Op: "add", After: v} }

func from(path string, before, after any) kind.Change {
	return kind.Change{Path: path, Op: "change", Before: before, After: after}
}

func drop(path string, v any) kind.Change { return kind.Change{Path: path, Op: "remove", Before: v} }

func set(c kind.Change) kind.Change { c.Set = true; return c }

func program(c kind.Change) kind.Change { c.Code = true; return c }

func secret(path, op string, after any, note string) kind.Change {
	_, sensitive := manifest.AsSecret(after)
	return kind.Change{Path: path, Op: op, After: after, Sensitive: sensitive, Note: note}
}

func step(address, part string, verb kind.Verb, reason, undo string, changes ...kind.Change) kind.Step {
	return kind.Step{
		ID: kind.StepID(address, part), Address: address, Part: part, Action: verb, Reason: reason, Changes: changes,
		Request: kind.Request{Method: "POST", Path: []any{strings.ToLower(address)}}, Undo: kind.Undo{Effect: kind.Exact, How: undo},
	}
}

func needing(s kind.Step, ids ...string) kind.Step { s.Needs = ids; return s }

func keeping(s kind.Step, sentences ...string) kind.Step { s.Keeps = sentences; return s }

func undo(s kind.Step, e kind.Effect, how string) kind.Step {
	s.Undo = kind.Undo{Effect: e, How: how}
	return s
}

func losing(s kind.Step, lost ...string) kind.Step { s.Undo.Lost = lost; return s }

var classicNotice = kind.Notice{
	ID: "classic-generation", Address: "ExpressConfiguration/acme-crm", Level: kind.Info,
	Summary: "This is the first generation of Express Configuration",
	Detail:  "Auth0 has since built a second one in. Okta called the first deprecated in 2025-11; it goes on working.",
}

var built = &kind.Await{
	What: "the Action to be built and deployed", Path: []any{"actions", "actions", manifest.Ref(action, "id")},
	Done: map[string]any{"status": "built"}, Fail: map[string]any{"status": "failed"},
}

// firstApply is the guide's set-up on a tenant that has none of it.
func firstApply(name, domain string) planner.TenantPlan {
	gone := "not on the tenant"
	bind := step(action, "binding", kind.Bind, "not in the flow of post-login", "takes the Action out of the flow",
		add("bind.position", "last"))
	bind.Guard = &kind.Guard{
		What: "the order of the Actions bound to post-login", Pick: "action.id", Want: []any{"a1"},
		Read: kind.Read{Path: "actions/triggers/post-login/bindings", List: "bindings"},
	}
	create := step(action, "", kind.Create, gone, "deletes the Action",
		program(add("code", actionCode)),
		add("name", "express_configure_postlogin_action"),
		add("runtime", "node22"),
		add("trigger", "post-login"),
		secret("secrets.EXPRESS_CONFIGURE_API_IDENTIFIER", "add", identifier, ""),
		secret("secrets.SERVICE_INIT_LOGIN_URL", "add", "https://crm.acme.example/login", ""),
		secret("secrets.TENANT_DOMAIN", "add", "https://"+domain, ""))
	create.Await = built
	return planner.TenantPlan{Tenant: name, Domain: domain, Steps: []kind.Step{
		step(api, "", kind.Create, gone, "deletes the API",
			add("allow_offline_access", false),
			add("enforce_policies", true),
			add("identifier", identifier),
			add("name", "Okta Express Configure API"),
			add("scopes[expressconfigure:sso]", map[string]any{"value": "expressconfigure:sso", "description": "Configure SSO with Express Configuration"}),
			add("skip_consent_for_verifiable_first_party_clients", false),
			add("token_lifetime", float64(300))),
		step(role, "", kind.Create, gone, "deletes the role",
			add("description", "Administrator role for Express Configuration"),
			add("name", "EXPRESS_CONFIGURE_ADMIN_ROLE")),
		needing(step(role, "permissions", kind.Update, "the role lacks a declared permission", "takes the permission from the role",
			add("permissions["+identifier+" expressconfigure:sso]", map[string]any{"resource_server_identifier": identifier, "permission_name": "expressconfigure:sso"})), api, role),
		step(client, "", kind.Create, gone, "deletes the client; its client_id is then gone for good",
			add("app_type", "regular_web"),
			set(add("callbacks", []any{"https://system-admin.okta.com/admin/app/generic/oauth20redirect"})),
			add("client_metadata.express_configure_sp_client_id", "7ZkXw2pQ9rT4vB6nM1cL3sD5fG8hJ0aE"),
			add("credentials[OIN Public Key]", map[string]any{"kid": "Nn3x0Gd1gM6h2qvTzq9Yc8oX4mFJkB7uW5rSaEiPyLs", "name": "OIN Public Key", "alg": "RS256"}),
			add("description", "For Okta OIN Integration"),
			set(add("grant_types", []any{"authorization_code", "client_credentials"})),
			add("jwt_configuration.alg", "RS256"),
			add("name", "Okta OIN Integration Client"),
			add("oidc_conformant", true),
			add("organization_require_behavior", "post_login_prompt"),
			add("organization_usage", "require")),
		needing(step(grant, "", kind.Create, gone, "deletes the grant",
			add("audience", "https://"+domain+"/api/v2/"),
			add("client_id", manifest.Ref(client, "client_id")),
			set(add("scope", grantScopes))), client),
		needing(create, api),
		needing(keeping(bind, "1 other Action stays bound: audit."), action),
		step(tenant, "", kind.Update, "differs from the manifest", "puts the former values back",
			from("flags.use_scope_descriptions_for_consent", false, true)),
	}, Notices: []kind.Notice{
		{
			ID: "other-actions", Address: action, Level: kind.Warn, Summary: "1 other Action runs at post-login, before this one: audit",
			Detail: "An Action that denies the login, or calls api.redirect, keeps this one from running.",
		},
		classicNotice,
	}}
}

// inLine is a tenant that has everything.
func inLine(name, domain string) planner.TenantPlan {
	return planner.TenantPlan{Tenant: name, Domain: domain, Unchanged: []string{action, client, grant, api, role, tenant}, Notices: []kind.Notice{classicNotice}}
}

// updates changes every kind of field in every way.
func updates(name, domain string) planner.TenantPlan {
	why := "differs from the manifest"
	former := "puts the former values back"
	update := func(address string, changes ...kind.Change) kind.Step {
		return step(address, "", kind.Update, why, former, changes...)
	}
	newCode := strings.Replace(actionCode, "  const loginUri", "  const uri", 1)
	newCode = strings.Replace(newCode, "event.secrets.SERVICE_INIT_LOGIN_URL);", "event.secrets.SERVICE_INIT_LOGIN_URL);\n  api.accessToken.setCustomClaim('tenant', event.tenant.id);", 1)
	newCode = strings.Replace(newCode, "    return;\n", "    return; // not ours\n", 1)
	deploy := step(action, "deployment", kind.Deploy, "the new draft must run at login", "")
	deploy.Undo = kind.Undo{Effect: kind.Exact, How: "deploys version 3 again, with its code and its secrets' values"}
	deploy.Await = built
	draft := step(action, "", kind.Update, why, "deploys version 3 again, with its code and its secrets' values",
		program(from("code", actionCode, newCode)),
		add("dependencies.lodash", "4.17.21"),
		secret("secrets.AUDIT_TOKEN", "change", manifest.SecretRef("secrets.AUDIT_TOKEN"), "differs from what was set last"),
		secret("secrets.AUDIT_TOKEN_COPY", "add", manifest.SecretRef("secrets.AUDIT_TOKEN"), ""),
		secret("secrets.TENANT_DOMAIN", "change", "https://"+domain, "can't be read back; no record of what was set last"),
		kind.Change{Path: "secrets.OLD", Op: "remove", Sensitive: true, Note: "not declared; its value is lost for good"})
	return planner.TenantPlan{Tenant: name, Domain: domain, Unchanged: []string{"Role/other"}, Steps: []kind.Step{
		update(api, from("enforce_policies", false, true), from("token_lifetime", float64(86400), float64(300)),
			from("scopes[expressconfigure:sso].description", "SSO", "Configure SSO with Express Configuration")),
		keeping(update(client,
			set(from("callbacks", []any{"https://old.example/cb", "https://a.example/1"}, []any{"https://a.example/1", "https://system-admin.okta.com/admin/app/generic/oauth20redirect"})),
			from("client_metadata.express_configure_sp_client_id", "0000", "7ZkXw2pQ9rT4vB6nM1cL3sD5fG8hJ0aE"),
			drop("client_metadata.is_express_configure_app", "true"),
			from("description", strings.Repeat("A long description. ", 20), "For Okta OIN Integration"),
			from("initiate_login_uri", "https://crm.acme.example/a/rather/long/login/path?with=a&query=string", map[string]any{"$join": []any{"https://${literal}/", manifest.Ref(client, "client_id")}}),
			from("organization_discovery_methods", []any{"email", "organization_name"}, []any{"organization_name", "email"})),
			"2 other entries in client_metadata that the manifest does not name stay: owner, team."),
		needing(step(client, "credential-1", kind.Create, "the client does not know this key", "detaches and deletes the key",
			add("credentials[new key]", map[string]any{"kid": "k-new", "name": "new key"}))),
		needing(step(client, "credentials", kind.Attach, "the client signs in with other keys than declared", "lets the client sign in with the former keys again",
			set(from("credentials", []any{"k-old"}, []any{"k-new"}))), kind.StepID(client, "credential-1")),
		losing(update(grant, set(from("scope", append([]any{"delete:connections"}, grantScopes...), grantScopes))), "organization_usage, which was not set, can't be unset"),
		draft, needing(deploy, action),
		needing(keeping(step(action, "binding", kind.Bind, "stands in another place in the flow of post-login", "puts it back in its former place",
			from("bind", []any{"express_configure_postlogin_action", "audit"}, []any{"audit", "express_configure_postlogin_action"})),
			"1 other Action stays bound: audit."), kind.StepID(action, "deployment")),
		keeping(update(tenant, from("flags.use_scope_descriptions_for_consent", false, true)), "12 other entries in flags that the manifest does not name stay: a, b, c, d, e, f, g, h and 4 more."),
	}, Notices: []kind.Notice{
		{
			ID: "secret-loss", Address: action, Level: kind.Refusal, Summary: "Writing the secrets would lose 1 secret that the manifest does not declare: OLD",
			Detail: "Auth0 replaces an Action's secrets as a whole, and the value of one that is not sent can't be read back.",
		},
		{ID: "other-actions", Address: action, Level: kind.Warn, Summary: "1 other Action runs at post-login", Acknowledged: "audit only writes a log line"},
		classicNotice,
	}}
}

func rotation(name, domain string) planner.TenantPlan {
	attach := needing(step(client, "credentials", kind.Attach, "the client signs in with other keys than declared", "lets the client sign in with the former keys again",
		set(from("credentials", []any{"kid-2025"}, []any{"kid-2026"}))), kind.StepID(client, "credential-1"))
	return planner.TenantPlan{Tenant: name, Domain: domain, Unchanged: []string{action, grant, api, role, tenant}, Steps: []kind.Step{
		step(client, "credential-1", kind.Create, "the client does not know this key", "detaches and deletes the key",
			add("credentials[OIN Public Key 2026]", map[string]any{"kid": "kid-2026", "name": "OIN Public Key 2026", "alg": "RS256"})),
		attach,
		undo(needing(step(client, "credential-cred_1", kind.Delete, "the key is no longer declared", "",
			drop("credentials[OIN Public Key]", map[string]any{"kid": "kid-2025", "name": "OIN Public Key", "alg": "RS256"})), attach.ID),
			kind.None, "Auth0 never gives a key's PEM back"),
	}, Notices: []kind.Notice{{ID: "key-expiry", Address: client, Level: kind.Warn, Summary: "The key kid-2025 expires on 2026-12-01"}}}
}

func destruction(name, domain string) planner.TenantPlan {
	gone := "no longer wanted"
	return planner.TenantPlan{Tenant: name, Domain: domain, Mode: planner.Destroy, Unchanged: []string{tenant}, Steps: []kind.Step{
		step(action, "binding", kind.Unbind, gone, "puts the Action back in its place", drop("bind.position", "last")),
		undo(needing(step(action, "", kind.Delete, gone, "", program(drop("code", actionCode)), drop("name", "express_configure_postlogin_action")), kind.StepID(action, "binding")),
			kind.NewID, "creates the Action again, without the values of its secrets"),
		undo(step(grant, "", kind.Delete, gone, "", drop("scope", grantScopes)), kind.NewID, "creates the grant again"),
		undo(needing(step(client, "", kind.Delete, gone, "", drop("name", "Okta OIN Integration Client")), grant), kind.None, "the client's id and secret are gone"),
		undo(step(role, "", kind.Delete, gone, "", drop("name", "EXPRESS_CONFIGURE_ADMIN_ROLE")), kind.NewID, "creates the role again, under another id and without its members"),
		undo(needing(step(api, "", kind.Delete, "the identifier differs, and it can't be changed", "", drop("identifier", identifier)), role), kind.NewID, "creates the API again"),
		needing(step(api, "", kind.Create, "the identifier differs, and it can't be changed", "deletes the API", add("identifier", identifier+"/2")), api),
	}}
}

// drift is a plan of which the tenant changed one part and the manifest another.
func drift(name, domain string) planner.TenantPlan {
	granted := step(grant, "", kind.Update, "drift: changed on the tenant since run 20261120T101500Z-"+name+"-4f2a", "puts the former values back",
		set(from("scope", append([]any{"delete:connections"}, grantScopes...), grantScopes)))
	granted.Cause = kind.Drift
	flag := step(tenant, "", kind.Update, "the manifest changed since run 20261120T101500Z-"+name+"-4f2a", "puts the former values back",
		add("flags.enable_client_connections", false))
	flag.Cause = kind.Declared
	return planner.TenantPlan{
		Tenant: name, Domain: domain, Unchanged: []string{client, api, role}, Steps: []kind.Step{granted, flag},
		Notices: []kind.Notice{{ID: "grant-widened", Address: grant, Level: kind.Warn, Summary: "Somebody granted delete:connections to the OIN client"}},
	}
}

// driftOnly is what plan --drift makes of it; another tenant has none.
func driftOnly() *planner.Plan {
	quiet := inLine("prod-us", "acme.us.auth0.com")
	quiet.Notices = nil
	return planOf(planner.DriftOnly(drift("prod-eu", "acme.eu.auth0.com")), planner.DriftOnly(quiet))
}

func planOf(ts ...planner.TenantPlan) *planner.Plan {
	p := &planner.Plan{Format: planner.Format, Tool: "0.1.0", ManifestDigest: planner.Digest("manifest"), Tenants: ts}
	p.Seal()
	return p
}

// forced is the update with its refusal overridden.
func forced() *planner.Plan {
	t := updates("prod-eu", "acme.eu.auth0.com")
	t.Forced = true
	return planOf(t)
}

// fortyTenants is what a fleet looks like: most in line, some new, one drifted, one out of reach.
func fortyTenants() *planner.Plan {
	var ts []planner.TenantPlan
	for i := 1; i <= 40; i++ {
		name, domain := fmt.Sprintf("acme-%02d", i), fmt.Sprintf("acme-%02d.eu.auth0.com", i)
		switch {
		case i == 7:
			ts = append(ts, planner.TenantPlan{
				Tenant: name, Domain: domain,
				Error: "Reading the clients of acme-07 was refused: 403 insufficient_scope, expected any of: read:clients.\nGrant read:clients to the Machine-to-Machine application.",
			})
		case i == 12:
			ts = append(ts, drift(name, domain))
		case i == 30:
			ts = append(ts, destruction(name, domain))
		case i%4 == 1:
			t := firstApply(name, domain)
			if i == 5 || i == 9 {
				t.Steps[5].Changes[5].After = "https://" + name + ".crm.acme.example/login"
			}
			ts = append(ts, t)
		default:
			ts = append(ts, inLine(name, domain))
		}
	}
	return planOf(ts...)
}

// failedRun is a first apply that was refused in the middle and taken back.
func failedRun() RunReport {
	ids := firstApply("prod-eu", "acme.eu.auth0.com").Steps
	t := TenantRun{
		Tenant: "prod-eu", Domain: "acme.eu.auth0.com", Run: "20261122T101500Z-prod-eu-4f2a", Outcome: RolledBack, Seconds: 3.14,
		Error: "POST clients on prod-eu was refused: 403 insufficient_scope, expected any of: create:client_credentials.\n" +
			"Grant create:client_credentials to the application that ecplan signs in with, and apply again.",
		RollbackRun: "20261122T101502Z-prod-eu-77b0",
		Next:        []string{"ecplan plan -f . --tenant prod-eu"},
	}
	for i, s := range ids {
		r := StepResult{ID: s.ID, Address: s.Address, Part: s.Part, Action: s.Action, Outcome: StepNotStarted}
		switch {
		case i < 3:
			r.Outcome, r.Seconds = StepDone, 0.31+float64(i)/100
		case i == 3:
			r.Outcome, r.Seconds, r.Error = StepFailed, 0.2, "403 Forbidden: Insufficient scope, expected any of: create:client_credentials (insufficient_scope)"
		}
		t.Steps = append(t.Steps, r)
	}
	t.Steps[0].ObjectID, t.Steps[1].ObjectID = "66f1c0ffee66f1c0ffee66f1", "rol_Zk3pQ9rT4vB6nM1c"
	for i := 2; i >= 0; i-- {
		r := t.Steps[i]
		r.Action, r.Seconds = kind.Delete, 0.2
		t.Rollback = append(t.Rollback, r)
	}
	return RunReport{Tool: "0.1.0", Command: "apply", Seconds: 3.2, Tenants: []TenantRun{t}}
}

// mixedRun is a fleet in which everything happens.
func mixedRun() RunReport {
	r := RunReport{Tool: "0.1.0", Command: "apply", Seconds: 64}
	for i, o := range []Outcome{Done, Nothing, Refused, Failed, RolledBack} {
		t := TenantRun{Tenant: fmt.Sprintf("acme-%d", i+1), Domain: fmt.Sprintf("acme-%d.eu.auth0.com", i+1), Outcome: o, Seconds: 2.5, Same: 6}
		switch o {
		case Done:
			t.Run = "run-1"
			t.Steps = []StepResult{{ID: tenant, Address: tenant, Action: kind.Update, Outcome: StepDone, Seconds: 0.4}}
		case Refused:
			t.Error = "The plan is stale: Client/x changed since."
		case Failed:
			t.Run = "run-4"
			t.Error = "The connection broke while POST clients was under way."
			t.Steps = []StepResult{
				{ID: api, Address: api, Action: kind.Create, Outcome: StepDone, Seconds: 0.4},
				{ID: client, Address: client, Action: kind.Create, Outcome: StepUnknown, Error: "Nobody knows whether the client was created."},
			}
			t.Remains = []string{"ResourceServer/express was created and is still there."}
			t.Next = []string{"ecplan resume run-4", "ecplan rollback run-4"}
		case Nothing, RolledBack:
		}
		r.Tenants = append(r.Tenants, t)
	}
	return r
}

func diagnostics() manifest.Diagnostics {
	return manifest.Diagnostics{
		{
			Severity: manifest.Error, Pos: manifest.Position{File: "tenants.yaml", Line: 3, Column: 8}, Address: "Tenant/prod-eu", Path: "spec.domain",
			Summary: "the domain has a path", Detail: "A domain is a host name such as acme.eu.auth0.com.\nLeave out what follows the first slash.",
		},
		{Severity: manifest.Warning, Pos: manifest.Position{File: "with space/ä.yaml", Line: 1, Column: 1}, Summary: "nothing refers to this role"},
		{Severity: manifest.Error, Summary: "there are no manifests in the folder"},
	}
}

// plans are the situations for which every format has a golden file.
func plans() map[string]*planner.Plan {
	one := func(f func(string, string) planner.TenantPlan) *planner.Plan {
		return planOf(f("prod-eu", "acme.eu.auth0.com"))
	}
	return map[string]*planner.Plan{
		"nothing": one(inLine), "first": one(firstApply), "update": one(updates), "rotation": one(rotation),
		"destroy": one(destruction), "drift": one(drift), "drift-only": driftOnly(), "forty": fortyTenants(),
		"forced": forced(),
	}
}

func runs() map[string]RunReport {
	return map[string]RunReport{"rolled-back": failedRun(), "mixed": mixedRun()}
}
