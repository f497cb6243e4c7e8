package rehearse

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/pkg/express"
)

// event is a login for audience, in an organization unless org is nil.
func loginEvent(audience string, org object) object {
	e := object{
		"client":          object{"client_id": "oin", "metadata": object{"express_configure_sp_client_id": "app"}},
		"request":         object{"query": object{"audience": audience}},
		"resource_server": object{"identifier": audience},
		"user":            object{"app_metadata": object{"is_admin": true}},
	}
	if org != nil {
		e["organization"] = org
	}
	return e
}

// guideAction is the guide's Action with its secrets.
func guideAction() action {
	return action{Name: "guide", Code: express.GuideCode, Secrets: map[string]string{
		"EXPRESS_CONFIGURE_API_IDENTIFIER": express.APIIdentifier, "TENANT_DOMAIN": "https://acme.eu.auth0.com", "SERVICE_INIT_LOGIN_URL": "https://crm.acme.example/login",
	}}
}

func TestGuidesActionRunsUnchanged(t *testing.T) {
	p := perform(guideAction(), "onExecutePostLogin", loginEvent(express.APIIdentifier, object{"id": "org_1"}), time.Minute)
	want := []op{
		{"accessToken.setCustomClaim", []any{"sp_client_id", "app"}},
		{"accessToken.setCustomClaim", []any{"management_api_audience", "https://acme.eu.auth0.com/api/v2/"}},
		{"accessToken.setCustomClaim", []any{"init_login_uri", "https://crm.acme.example/login"}},
	}
	if diff := cmp.Diff(want, p.Ops); diff != "" || p.Thrown != "" || p.unfinished() {
		t.Errorf("the guide's Action: %+v\n%s", p, diff)
	}
	if p = perform(guideAction(), "onExecutePostLogin", loginEvent("https://other", object{"id": "org_1"}), time.Minute); len(p.Ops) > 0 || p.Thrown != "" {
		t.Errorf("for another audience it must do nothing: %+v", p)
	}
	if p = perform(guideAction(), "onExecutePostLogin", loginEvent(express.APIIdentifier, nil), time.Minute); !strings.Contains(p.Thrown, "missing data") {
		t.Errorf("without an organization it must throw: %+v", p)
	}
}

// The Actions that Auth0 documents (facts §1.3, A0-EC "Enable home realm discovery" and
// "Assign permissions based on user attributes"), written here anew.
const (
	domainsAction = `
exports.onExecutePostLogin = async (event, api) => {
  if (event.request.query.audience === "urn:auth0:express-configure") {
    if (event.organization && event.organization.metadata && event.organization.metadata.domains) {
      var found = event.organization.metadata.domains.replace(/ /g, '').split(',');
      api.accessToken.setCustomClaim("express_configuration", { "domain_aliases": found });
    }
  }
};`
	attributeAction = `
exports.onExecutePostLogin = async (event, api) => {
  if (event.resource_server && event.resource_server.identifier === "urn:auth0:express-configure") {
    if (event.user.app_metadata && event.user.app_metadata.is_admin === true) {
      api.accessToken.addScope("expressconfigure:sso");
      api.accessToken.addScope("expressconfigure:scim");
    } else {
      api.access.deny('Access denied');
    }
  }
};`
)

func TestDocumentedActionsRun(t *testing.T) {
	const audience = "urn:auth0:express-configure"
	p := perform(action{Code: domainsAction}, "onExecutePostLogin", loginEvent(audience, object{"id": "org_1", "metadata": object{"domains": "test.com, test2.com"}}), time.Minute)
	want := []op{{"accessToken.setCustomClaim", []any{"express_configuration", map[string]any{"domain_aliases": []any{"test.com", "test2.com"}}}}}
	if diff := cmp.Diff(want, p.Ops); diff != "" {
		t.Errorf("home realm discovery: %s%s", p.Thrown, diff)
	}
	e := loginEvent(audience, object{"id": "org_1"})
	p = perform(action{Code: attributeAction}, "onExecutePostLogin", e, time.Minute)
	if want := []op{{"accessToken.addScope", []any{"expressconfigure:sso"}}, {"accessToken.addScope", []any{"expressconfigure:scim"}}}; cmp.Diff(want, p.Ops) != "" {
		t.Errorf("an admin by attribute: %+v", p)
	}
	e["user"] = object{"app_metadata": object{}}
	p = perform(action{Code: attributeAction}, "onExecutePostLogin", e, time.Minute)
	if want := []op{{"access.deny", []any{"Access denied"}}}; cmp.Diff(want, p.Ops) != "" {
		t.Errorf("no admin by attribute: %+v", p)
	}
}

func TestWhatActionsDo(t *testing.T) {
	for _, c := range []struct {
		name, code string
		check      func(p performance) bool
	}{
		{
			"waits without time going by", `exports.onExecutePostLogin = async (e, api) => { await new Promise(r => setTimeout(r, 19000)); api.idToken.setCustomClaim('a', 1); }`,
			func(p performance) bool { return p.Thrown == "" && len(p.Ops) == 1 },
		},
		{
			"waits longer than Auth0 lets it", `exports.onExecutePostLogin = async () => { await new Promise(r => setTimeout(r, 21000)); }`,
			func(p performance) bool { return strings.Contains(p.Thrown, "longer than") },
		},
		{
			"waits for what never comes", `exports.onExecutePostLogin = () => new Promise(() => {})`,
			func(p performance) bool { return strings.Contains(p.Thrown, "never settled") },
		},
		{
			"computes for ever", `exports.onExecutePostLogin = async () => { for (;;) {} }`,
			func(p performance) bool { return strings.Contains(p.Thrown, "longer than") },
		},
		{
			"throws what is no error", `exports.onExecutePostLogin = async () => { throw undefined }`,
			func(p performance) bool { return p.Thrown != "" },
		},
		{
			"fails when it is loaded", `const x = null; x.y; exports.onExecutePostLogin = async () => {}`,
			func(p performance) bool { return strings.Contains(p.Thrown, "TypeError") },
		},
		{
			"is no program", `exports.onExecutePostLogin = async () => {`,
			func(p performance) bool { return strings.Contains(p.Thrown, "can't be read") },
		},
		{"exports nothing", `const x = 1;`, func(p performance) bool { return p.Absent && p.Thrown == "" }},
		{
			"uses module.exports", `module.exports = { onExecutePostLogin: async (e, api) => { api.access.deny('no') } }`,
			func(p performance) bool { return len(p.Ops) == 1 && p.Ops[0].text(0) == "no" },
		},
		{
			"denies without a word", `exports.onExecutePostLogin = async (e, api) => { api.access.deny() }`,
			func(p performance) bool { return len(p.Ops) == 1 && p.Ops[0].denial() == "no reason is given" },
		},
		{
			"denies with an empty word", `exports.onExecutePostLogin = async (e, api) => { api.access.deny("") }`,
			func(p performance) bool { return len(p.Ops) == 1 && p.Ops[0].denial() == "no reason is given" },
		},
		{
			"revokes the session", `exports.onExecutePostLogin = async (e, api) => { api.session.revoke("stale") }`,
			func(p performance) bool { return strings.HasPrefix(p.Ops[0].denial(), "stale") },
		},
		{
			"takes a module apart and returns early", `const { ManagementClient } = require('auth0'); const u = require('axios').create; exports.onExecutePostLogin = async (e) => { if (!e.organization) return; new ManagementClient(); }`,
			func(p performance) bool { return p.Thrown == "" && !p.unfinished() },
		},
		{
			"calls a module", `const axios = require("axios"); exports.onExecutePostLogin = async () => { await axios.get("https://example.org") }`,
			func(p performance) bool { return slices.Equal(p.Missing, []string{"module 'axios'.get"}) },
		},
		{
			"calls a module and swallows the failure", `exports.onExecutePostLogin = async () => { try { await fetch("https://example.org") } catch (e) {} }`,
			func(p performance) bool { return slices.Equal(p.Missing, []string{"fetch"}) && p.Thrown == "" },
		},
		{
			"writes to the console", `exports.onExecutePostLogin = async (e) => { console.log("hi", {a: 1}) }`,
			func(p performance) bool { return slices.Equal(p.Logs, []string{`hi {"a":1}`}) },
		},
		{
			"chains", `exports.onExecutePostLogin = async (e, api) => { api.accessToken.setCustomClaim('a', 1).accessToken.addScope('b') }`,
			func(p performance) bool { return len(p.Ops) == 2 },
		},
		{
			"calls what Auth0 does not have", `exports.onExecutePostLogin = async (e, api) => { api.accessToken.explode() }`,
			func(p performance) bool { return strings.Contains(p.Thrown, "TypeError") },
		},
		{
			"reads its secrets", `exports.onExecutePostLogin = async (e, api) => { api.access.deny(e.secrets.KEY) }`,
			func(p performance) bool { return len(p.Ops) == 1 && p.Ops[0].text(0) == "value" },
		},
		{
			"can't get out", `exports.onExecutePostLogin = async () => { process.exit(1) }`,
			func(p performance) bool { return p.Thrown != "" },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit := time.Minute
			if strings.Contains(c.name, "for ever") {
				limit = 50 * time.Millisecond
			}
			p := perform(action{Name: c.name, Code: c.code, Secrets: map[string]string{"KEY": "value"}}, "onExecutePostLogin", loginEvent("x", nil), limit)
			if !c.check(p) {
				t.Errorf("%+v", p)
			}
		})
	}
}
