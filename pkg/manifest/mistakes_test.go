package manifest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// doc writes a document of a kind with a spec, each line of it indented by two.
func doc(kind, name, spec string) string {
	return fmt.Sprintf("apiVersion: ecplan/v1\nkind: %s\nmetadata: {name: %s}\nspec:\n%s", kind, name,
		"  "+strings.ReplaceAll(strings.Trim(spec, "\n"), "\n", "\n  ")+"\n")
}

// validate loads and checks files as the command does, and gives each problem as
// "line:col summary | detail", the file's name before it where there are several.
func validate(t *testing.T, files map[string]string) []string {
	t.Helper()
	s, ds := Load([]string{write(t, files)})
	ds = append(ds, s.Check(Inputs{})...).Sort()
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = fmt.Sprintf("%d:%d %s | %s", d.Pos.Line, d.Pos.Column, d.Summary, d.Detail)
		if len(files) > 1 {
			out[i] = filepath.Base(d.Pos.File) + ":" + out[i]
		}
	}
	return out
}

// TestMistakes holds what a mistake is told as, and where. The first line of a spec is
// line 5, its first column 3. A "…" in a wanted text stands for anything.
func TestMistakes(t *testing.T) {
	rs := func(spec string) string { return doc("ResourceServer", "x", spec) }
	client := func(spec string) string { return doc("Client", "x", spec) }
	action := func(spec string) string {
		return doc("Action", "x", "name: a\ntrigger: post-login\ncode: x\n"+spec)
	}
	tenant := func(spec string) string { return doc("Tenant", "t", spec) }
	signIn := "auth: {token: '${env.T}'}\n"
	tests := []struct {
		name, text string
		want       []string
	}{
		// Documents.
		{"unknown kind", doc("Clent", "x", "a: 1"), []string{`2:7 there is no kind "Clent" | Did you mean "Client"?…TenantSettings, Variables.`}},
		{"old version", strings.Replace(doc("Role", "x", "name: r"), "v1", "v0", 1), []string{`1:13 apiVersion can't be "ecplan/v0" | Did you mean "ecplan/v1"?…`}},
		{"no kind", "apiVersion: ecplan/v1\nmetadata: {name: x}\nspec: {}\n", []string{`1:1 "kind" is missing in the document | What the document declares.`}},
		{"no spec", "apiVersion: ecplan/v1\nkind: Role\nmetadata: {name: x}\n", []string{`1:1 "spec" is missing in the document | The declaration.`}},
		{"unknown field beside spec", doc("Role", "x", "name: r") + "sepc: 1\n", []string{`6:1 the document has no field "sepc" | Did you mean "spec"?…`}},
		{"bad name", doc("Role", "X", "name: r"), []string{`3:18 metadata.name must be lower-case letters…| It is "X".`}},
		{"number as name", doc("Role", "1", "name: r"), []string{`3:18 metadata.name must be text, not a number | Put it in quotes: "1".`}},
		{"same address", doc("Role", "x", "name: r") + "---\n" + doc("Role", "x", "name: s"), []string{`9:18 the address is there twice |…3:18 already…`}},
		{"settings have one name", doc("TenantSettings", "x", "{}"), []string{`3:18 metadata.name of a TenantSettings must be tenant | A tenant has one only.`}},
		{
			"forgotten version", strings.Replace(doc("Role", "x", "name: r"), "apiVersion: ecplan/v1\n", "", 1) + "---\n" + doc("Role", "y", "name: r"),
			[]string{`1:1 the document has no apiVersion and is passed over |…`},
		},
		{"nothing", "a: 1\n", []string{`0:0 there are no manifests |…`}},

		// YAML.
		{"syntax", "apiVersion: ecplan/v1\nkind: Role\n  bad: [\n", []string{`3:3 this is not valid YAML | Mapping values are not allowed in this context.…`}},
		{"duplicate key", rs("identifier: a\nname: b\nidentifier: c"), []string{`7:3 the field "identifier" is there twice | It is on line 5 already.…`}},
		{"dollar key", rs("identifier: a\nsubject_type_authorization: {$ref: x}"), []string{`6:32 the name "$ref" begins with a dollar sign |…`}},
		{"tag", rs("identifier: !!binary aGk="), []string{`5:15 the YAML tag "!!binary" is not supported here |…`}},
		{"infinity", rs("identifier: a\ntoken_lifetime: .inf"), []string{`6:19 the number can't be represented |…`}},

		// Types and limits.
		{"number for text", rs("identifier: 12"), []string{`5:15 spec.identifier must be text, not a number | Put it in quotes: "12".`}},
		{"truth value for one of several", client("name: c\norganization_usage: true"), []string{`6:23 spec.organization_usage must be text, not true or false | Allowed are: allow, deny, require.`}},
		{"yes", rs("identifier: a\nenforce_policies: yes"), []string{`6:21 spec.enforce_policies must be true or false, not text | Write true; yes and on are text in YAML 1.2.`}},
		{"quoted number", rs("identifier: a\ntoken_lifetime: '300'"), []string{`6:19 spec.token_lifetime must be a whole number, not text | Write it without quotes.`}},
		{"fraction", rs("identifier: a\ntoken_lifetime: 1.5"), []string{`6:19 spec.token_lifetime must be a whole number, not a number |…`}},
		{"null", rs("identifier:"), []string{`5:14 spec.identifier is empty | It must be text.…`}},
		{"text for a list", client("name: c\ncallbacks: https://x.example"), []string{`6:14 spec.callbacks must be a list, not text | Write each entry on a line of its own, after a dash.`}},
		{"too large", rs("identifier: a\ntoken_lifetime: 2592001"), []string{`6:19 spec.token_lifetime is too large | It is 2592001. The largest value allowed is 2592000.`}},
		{"too small", rs("identifier: a\ntoken_lifetime: -1"), []string{`6:19 spec.token_lifetime is too small | It is -1. The smallest value allowed is 0.`}},
		{"too long", client("name: c\ndescription: " + strings.Repeat("ä", 141)), []string{`6:16 spec.description is too long | It has 141 characters; at most 140 are allowed.`}},
		{"empty", rs("identifier: ''"), []string{`5:15 spec.identifier is empty | It must hold text.`}},
		{"enum", client("name: c\napp_type: regular-web"), []string{`6:13 spec.app_type can't be "regular-web" | Did you mean "regular_web"? Allowed are: box,…`}},
		{"angle brackets", client("name: <b>"), []string{`5:9 spec.name must not be empty and must not contain < or > | It is "<b>".`}},
		{"twice in a list", client("name: c\ngrant_types: [a, b, a]"), []string{`6:16 spec.grant_types lists something twice |…`}},
		{"too many keys", client("name: c\nclient_metadata: {" + many(11, "k%d: v") + "}"), []string{`6:20 spec.client_metadata has too many entries | It has 11; at most 10 are allowed.`}},
		{"long metadata", client("name: c\nclient_metadata: {k: " + strings.Repeat("x", 256) + "}"), []string{`6:24 spec.client_metadata.k is too long |…at most 255…`}},
		{"31 secrets", action("secrets: {" + many(31, "s%d: '${env.V}'") + "}"), []string{`8:12 spec.secrets has too many entries | It has 31; at most 30 are allowed.`}},
		{"long secret name", action("secrets: {" + strings.Repeat("n", 129) + ": '${env.V}'}"), []string{`8:13 the name "nnn…" is too long | It has 129 characters; at most 128 are allowed.`}},
		{"11 packages", action("dependencies: {" + many(11, "p%d: '1'") + "}"), []string{`8:17 spec.dependencies has too many entries |…`}},
		{"version as number", action("dependencies: {lodash: 4.17}"), []string{`8:26 spec.dependencies.lodash must be text, not a number | Put it in quotes: "4.17".`}},
		{
			"three credentials", client("name: c\njwt_configuration: {alg: RS256}\ncredentials: [" + many(3, "{pem: '${env.K%d}'}") + "]"),
			[]string{`7:16 spec.credentials has too many entries | It has 3; at most 2 are allowed.`},
		},

		// Fields.
		{"unknown field", client("name: c\ncallback: []"), []string{`6:3 the Client has no field "callback" | Did you mean "callbacks"?`}},
		{"swapped letters", doc("Role", "x", "nmae: r"), []string{`4:1 "name" is missing in the Role |…`, `5:3 the Role has no field "nmae" | Did you mean "name"? The fields of the Role are: description, exclusive, name, permissions.`}},
		{"unknown field inside", rs("identifier: a\nscopes:\n  - value: s\n    desc: x"), []string{`8:7 spec.scopes[0] has no field "desc" |…`}},
		{"missing field", rs("name: a"), []string{`4:1 "identifier" is missing in the ResourceServer | The audience…`}},
		{"missing inside", rs("identifier: a\nscopes:\n  - description: x"), []string{`7:7 "value" is missing in spec.scopes[0] |…`}},

		// Rules between fields.
		{"name or id", client("description: x"), []string{`4:1 the Client needs name, or the client_id…|…`}},
		{
			"secret and key", client("name: c\njwt_configuration: {alg: RS256}\ntoken_endpoint_auth_method: none\ncredentials: [{pem: '${env.K}'}]"),
			[]string{`7:31 the Client must not set token_endpoint_auth_method together with credentials;…`},
		},
		{"credentials need RS256", client("name: c\njwt_configuration: {alg: HS256}\ncredentials: [{pem: '${env.K}'}]"), []string{`6:28 the Client needs jwt_configuration.alg: RS256…`}},
		{"prompt needs conformance", client("name: c\norganization_require_behavior: post_login_prompt"), []string{`4:1 the Client needs oidc_conformant: true…`}},
		{"prompt and no conformance", client("client_id: c\noidc_conformant: false\norganization_require_behavior: post_login_prompt"), []string{`6:20 the Client needs oidc_conformant: true…`}},
		{"all scopes and some", doc("ClientGrant", "x", "client_id: a\naudience: b\nallow_all_scopes: true\nscope: [a]"), []string{`4:1 the ClientGrant must not list scope together with allow_all_scopes: true |…`}},
		{"literal secret of an Action", action("secrets: {TOKEN: hunter2, FINE: '${env.X}', ALSO: {env: Y}}"), []string{`8:20 spec.secrets.TOKEN is written into the manifest |…${env.NAME}…literal-secret…`}},
		{
			"literal secret of a composite", doc("ExpressConfiguration", "x", "app: {client_id: a}\ninit_login_url: https://a.example\naction: {secrets: {TOKEN: hunter2}}"),
			[]string{`7:29 spec.action.secrets.TOKEN is written into the manifest |…`},
		},
		{"literal that is no secret", strings.Replace(action("secrets: {URL: hunter2}"), "name: x", "name: x, acknowledge: {literal-secret: an address}", 1), nil},
		{"unknown runtime", action("runtime: node99"), []string{`8:12 spec.runtime can't be "node99" |…Allowed are: node12, node16, node18, node18-actions, node22.`}},
		{
			"unknown notice", strings.Replace(client("name: c"), "name: x", "name: x, acknowledge: {grant-widend: why}", 1),
			[]string{`3:35 the name "grant-widend" is no notice that a plan can give | Did you mean "grant-widened"? There are: app-without-organizations,…`},
		},
		{"bind twice", action("bind: {before: a, after: b}"), []string{`8:9 spec.bind must say at most one of position, before and after |…`}},
		{"bind a draft", action("deploy: false\nbind: {position: last}"), []string{`4:1 the Action must not set bind together with deploy: false;…`}},
		{"app twice", doc("ExpressConfiguration", "x", "app: {client_id: a, name: b}\ninit_login_url: https://a.example"), []string{`5:8 spec.app must name the application by client_id or by name, and not by both |…`}},
		{"existing role changed", doc("ExpressConfiguration", "x", "app: {client_id: a}\ninit_login_url: https://a.example\nrole: {existing: R, name: S}"), []string{`7:9 spec.role must not change other fields…`}},
		{"lifetimes", doc("TenantSettings", "tenant", "session_lifetime: 2\nsession_lifetime_in_minutes: 3"), []string{`4:1 the TenantSettings must not set both session_lifetime and session_lifetime_in_minutes |…`}},
		{"unknown flag", doc("TenantSettings", "tenant", "flags: {use_scope_description_for_consent: true}"), []string{`5:11 spec.flags has no field "use_scope_description_for_consent" | Did you mean "use_scope_descriptions_for_consent"?`}},

		// Forms.
		{"quotes in an address", doc("ExpressConfiguration", "x", "app: {client_id: a}\ninit_login_url: \"'https://a.example'\""), []string{`6:19 spec.init_login_url is not an https address | It holds quotes,…`}},
		{"plain http", doc("ExpressConfiguration", "x", "app: {client_id: a}\ninit_login_url: http://a.example"), []string{`6:19 spec.init_login_url is not an https address | It begins with http://;…`}},
		{"no address", client("name: c\ncallbacks: [nope]"), []string{`6:15 spec.callbacks[0] is not an address |…begins with a scheme…`}},
		{"no time", client("name: c\njwt_configuration: {alg: RS256}\ncredentials: [{pem: '${env.K}', expires_at: 2027-01-31}]"), []string{`7:47 spec.credentials[0].expires_at is not a time |…2027-01-31T00:00:00Z.`}},
		{"SSH key", client("name: c\njwt_configuration: {alg: RS256}\ncredentials: [{pem: ssh-rsa AAAA}]"), []string{`7:23 spec.credentials[0].pem is not a public key that Auth0 takes | It is an SSH key;…`}},

		// Tenants.
		{"address for a domain", tenant(signIn + "domain: https://a.eu.auth0.com/"), []string{`6:11 spec.domain is not a tenant's domain | It is an address; write the domain alone: a.eu.auth0.com.`}},
		{"port", tenant(signIn + "domain: a.eu.auth0.com:443"), []string{`6:11 spec.domain is not a tenant's domain | It has a port,…`}},
		{"insecure", tenant(signIn + "domain: a.eu.auth0.com\ninsecure: true"), []string{`7:13 insecure is allowed only for a tenant on this computer |…`}},
		{"literal secret", tenant("domain: a.eu.auth0.com\nauth:\n  client_id: a\n  client_secret: hunter2"), []string{`8:20 spec.auth.client_secret must not be written into the manifest |…${env.NAME}…`}},
		{"variable for a token", tenant("domain: a.eu.auth0.com\nauth: {token: '${var.t}'}\nvars: {t: hunter2}"), []string{`6:17 spec.auth.token must not be written into the manifest |…`}},
		{"two ways in", tenant("domain: a.eu.auth0.com\nauth: {token: '${env.T}', client_id: x}"), []string{`6:9 spec.auth must have client_id and client_secret, or…`}},
		{"share", tenant(signIn + "domain: a.eu.auth0.com\nrate_share: 0"), []string{`7:15 spec.rate_share is too small | It is 0. It must be more than 0.`}},
		{"timeout", tenant(signIn + "domain: a.eu.auth0.com\ntimeout: 30"), []string{`7:12 spec.timeout must be text, not a number | It is "30"; write a number and a unit,…`}},
		{"metadata of a tenant", strings.Replace(tenant(signIn+"domain: a.eu.auth0.com"), "name: t", "name: t, existing: true", 1), []string{`3:21 metadata has no field "existing" | The fields of metadata are: labels, name.`}},
		{"resource in a tenant", tenant(signIn + "domain: ${Role/x.id}"), []string{`6:11 ${Role/x.id} can't be used here |…`}},
		{
			"one domain twice", tenant(signIn+"domain: a.eu.auth0.com") + "---\n" + doc("Tenant", "u", signIn+"domain: A.eu.auth0.com"),
			[]string{`13:11 Tenant/t and Tenant/u have the same domain |…6:11…`},
		},
		{"variable's name", tenant(signIn + "domain: a.eu.auth0.com\nvars: {a-b: 1}"), []string{`7:10 the name "a-b" is not a variable's name…`}},

		// Filling in.
		{
			"misspelt variable", tenant(signIn+"domain: a.eu.auth0.com\nvars: {login_url: a}") + "---\n" + rs("identifier: ${var.loginurl}"),
			[]string{`13:15 the variable "loginurl" is not set | Did you mean "login_url"? Set it under spec.vars of the Tenant,…`},
		},
		{"unknown form", rs("identifier: ${vars.a}"), []string{`5:15 ${vars.a} means nothing | There are ${var.NAME},…`}},
		{"not closed", rs("identifier: a ${var.a"), []string{`5:15 a ${ has no } |…`}},
		{"attribute of the tenant", rs("identifier: ${tenant.domian}"), []string{`5:15 a tenant has no attribute "domian" | Did you mean "domain"?…`}},
		{"list in a text", tenant(signIn+"domain: a.eu.auth0.com\nvars: {l: [a]}") + "---\n" + rs("identifier: x${var.l}"), []string{`13:15 ${var.l} is not text and can't stand inside a text |…`}},
		{"wrong map for text", action("secrets: {a: {fil: x}}"), []string{`8:16 spec.secrets.a must be text, not a map of fields | Write text, or say where to take it from: {file: path} or {env: NAME}.`}},
		{"extra beside file", rs("identifier: {file: x, mode: 1}"), []string{`5:15 spec.identifier must be text, not a map of fields | A value from elsewhere is written…`}},
		{"missing file", rs("identifier: {file: x.txt}"), []string{`5:22 the file "x.txt" can't be read | There is no such file or folder.`}},
		{"file outside", rs("identifier: {file: ../x.txt}"), []string{`5:22 the file "../x.txt" can't be read | It leads outside of the folder…`}},
		{"absolute file", rs("identifier: {file: /etc/hostname}"), []string{`5:22 the file "/etc/hostname" can't be read | It leads outside of the folder…`}},
		{"sensitive maybe", rs("identifier: {env: X, sensitive: maybe}"), []string{`5:35 sensitive must be true or false |…`}},

		// References.
		{
			"misspelt address", rs("identifier: a") + "---\n" + doc("ClientGrant", "g", "client_id: c\naudience: ${ResourceServer/y.identifier}"),
			[]string{`12:13 there is no resource "ResourceServer/y" | Did you mean "ResourceServer/x"?…`},
		},
		{
			"misspelt attribute", rs("identifier: a") + "---\n" + doc("ClientGrant", "g", "client_id: c\naudience: ${ResourceServer/x.identifer}"),
			[]string{`12:13 ResourceServer/x has no attribute "identifer" | Did you mean "identifier"?…`},
		},
		{"misspelt kind", rs("identifier: ${Clent/x.client_id}"), []string{`5:15 there is no resource "Clent/x" | There is no kind "Clent". Did you mean "Client"?…`}},
		{
			"circle", rs("identifier: ${Role/r.description}") + "---\n" + doc("Role", "r", "name: r\ndescription: ${ResourceServer/x.identifier}"),
			[]string{`1:1 resources wait for each other in a circle | ResourceServer/x needs Role/r needs ResourceServer/x.…`},
		},
		{"one object twice", rs("identifier: a") + "---\n" + doc("ResourceServer", "y", "identifier: a"), []string{`7:1 ResourceServer/x and ResourceServer/y are the same object |…`}},
		{
			"lost target", "apiVersion: ecplan/v1\nkind: ResourceServer\nmetadata: {name: api}\nspec: {identifier: a\n---\n" + doc("ClientGrant", "g", "client_id: c\naudience: ${ResourceServer/api.identifier}"),
			[]string{`4:1 this is not valid YAML |…`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := validate(t, map[string]string{"m.yaml": tt.text})
			if len(got) != len(tt.want) {
				t.Fatalf("got %d problems, want %d:\n%s", len(got), len(tt.want), strings.Join(got, "\n"))
			}
			for i := range got {
				if !like(got[i], tt.want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], tt.want[i])
				}
			}
			if strings.Contains(strings.Join(got, ""), "hunter2") {
				t.Error("the credential is shown")
			}
		})
	}
}

// like compares a text with a pattern in which … stands for anything.
func like(text, pattern string) bool {
	parts := strings.Split(pattern, "…")
	for i, p := range parts {
		at := strings.Index(text, p)
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		text = text[at+len(p):]
	}
	return parts[len(parts)-1] == "" || text == ""
}

// many writes n numbered entries of a flow collection.
func many(n int, format string) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(out, ", ")
}

func TestEveryProblemAtOnce(t *testing.T) {
	got := validate(t, map[string]string{
		"a.yaml": doc("Clent", "a", "name: a") + "---\n" + doc("Role", "b", "nam: b") + "---\nnot: [closed\napiVersion: ecplan/v1\n---\n" +
			doc("ResourceServer", "c", "identifier: ${var.x.y}\ntoken_lifetime: -1"),
		"sub/b.yml":       doc("Role", "d", "name: 4"),
		".hidden/c.yaml":  doc("Role", "e", "wrong: 4"),
		"other.yaml":      "apiVersion: v1\nkind: Role\nmetadata: {name: x}\n",
		"broken.yaml":     "{{ template }}\n",
		"notes/README.md": "apiVersion: ecplan/v1",
	})
	want := []string{
		`a.yaml:2:7 there is no kind "Clent"…`,
		`a.yaml:10:1 "name" is missing in the Role…`,
		`a.yaml:11:3 the Role has no field "nam"…`,
		`a.yaml:13:1 this is not valid YAML…`,
		`a.yaml:20:15 the variable "x.y" is not set…`,
		`a.yaml:21:19 spec.token_lifetime is too small…`,
		`b.yml:5:9 spec.name must be text…`,
	}
	if len(got) != len(want) {
		t.Fatalf("got %d problems, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !like(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}
