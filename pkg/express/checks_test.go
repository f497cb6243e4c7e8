package express

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// TestPromises compares each promised setting alone.
func TestPromises(t *testing.T) {
	good := func() (c, in map[string]any) {
		return OktaConnection("okta-globex", "globex.okta.com", "0oa1"), OrganizationConnection("con_1")
	}
	c, in := good()
	for _, p := range Promises(c, in, nil) {
		if !p.Kept {
			t.Errorf("what Okta promises is not kept by what it promises: %+v", p)
		}
	}
	options := func(c map[string]any) map[string]any { return c["options"].(map[string]any) }
	for setting, spoil := range map[string]func(c, in map[string]any){
		"scopes":                              func(c, _ map[string]any) { options(c)["scope"] = "openid" },
		"mapping mode":                        func(c, _ map[string]any) { options(c)["attribute_map"] = map[string]any{"mapping_mode": "use_map"} },
		"PKCE":                                func(c, _ map[string]any) { options(c)["connection_settings"] = map[string]any{"pkce": "disabled"} },
		"home realm discovery":                func(c, _ map[string]any) { options(c)["domain_aliases"] = []any{"globex.example"} },
		"button on the connection":            func(c, _ map[string]any) { c["show_as_button"] = true },
		"button name":                         func(c, _ map[string]any) { c["display_name"] = "Globex" },
		"button logo":                         func(c, _ map[string]any) { delete(options(c), "icon_url") },
		"auto-membership of the organization": func(_, in map[string]any) { in["assign_membership_on_login"] = false },
		"button in the organization":          func(_, in map[string]any) { in["show_as_button"] = false },
	} {
		c, in := good()
		spoil(c, in)
		var broken []string
		for _, p := range Promises(c, in, nil) {
			if !p.Kept {
				broken = append(broken, p.Setting)
			}
		}
		if diff := cmp.Diff([]string{setting}, broken); diff != "" {
			t.Errorf("%s: %s", setting, diff)
		}
	}
	c, in = good()
	delete(c, "options")
	unread := 0
	for _, p := range Promises(c, in, nil) {
		if p.Unread {
			unread++
		}
	}
	if unread != 5 {
		t.Errorf("without read:connections_options %d settings can't be read, want 5", unread)
	}
}

// TestAliases: domains for home realm discovery come from the organization's metadata,
// where the Action is told the key.
func TestAliases(t *testing.T) {
	g := Organization{Metadata: map[string]any{"domains": "Globex.example, globex.com"}}
	v := &verifier{}
	v.Setup.Apps = []App{{Action: &manifest.Resource{Spec: map[string]any{"secrets": map[string]any{}}}}}
	if got := v.aliases(g); got != nil {
		t.Errorf("without home realm discovery: %v", got)
	}
	v.Setup.Apps[0].Action.Spec["secrets"] = map[string]any{secretDomains: "domains"}
	if diff := cmp.Diff([]string{"globex.example", "globex.com"}, v.aliases(g)); diff != "" {
		t.Error(diff)
	}
}

// TestLoginFlow: what Okta says of login flows is held against applications that demand an
// organization, for the flow is heeded with those alone.
func TestLoginFlow(t *testing.T) {
	for _, c := range []struct {
		usage, behaviour string
		want             Result // "" for no such check
		found            string
	}{
		{"require", "post_login_prompt", Warn, "post_login_prompt"},
		{"require", "pre_login_prompt", OK, "pre_login_prompt"},
		{"require", "no_prompt", OK, "must name the organization"},
		{"require", "", OK, "must name the organization"},
		{"allow", "post_login_prompt", "", ""},
	} {
		r := &manifest.Resource{Kind: "Client", Name: "app"}
		object := map[string]any{"organization_usage": c.usage, "app_type": "spa"}
		if c.behaviour != "" {
			object["organization_require_behavior"] = c.behaviour
		}
		v := &verifier{Evidence: Evidence{State: &State{found: map[string]kind.Observed{r.Address(): {Exists: true, Object: object}}}}}
		v.appReady(App{App: r}, AppState{})
		var got Check
		for _, check := range v.checks {
			if check.ID == "app.login-flow" {
				got = check
			}
		}
		if got.Result != c.want || !strings.Contains(got.Found, c.found) {
			t.Errorf("%s with %q: %+v", c.usage, c.behaviour, got)
		}
	}
}

// TestHolders: who has the role and is a member of no organization can't press the button.
func TestHolders(t *testing.T) {
	one := func(ids ...string) Seen[[]string] { return Seen[[]string]{Value: ids} }
	in := func(admins ...int) Seen[[]Organization] {
		var out Seen[[]Organization]
		for i, n := range admins {
			out.Value = append(out.Value, Organization{Name: string(rune('a' + i)), Admins: Seen[int]{Value: n}})
		}
		return out
	}
	for _, c := range []struct {
		name  string
		state State
		want  Result
		found string
	}{
		{"a member has it", State{Organizations: in(1)}, OK, "1 member of organizations"},
		{"one of two has an admin", State{Organizations: in(1, 0), Holders: one("u")}, OK, "nobody in b"},
		{"nobody", State{Organizations: in(0)}, Warn, "0 members"},
		{"a user outside", State{Organizations: in(0), Holders: one("u")}, Warn, "can't log in"},
		{"a user, and organizations that nobody looked into", State{Organizations: in(0), Holders: one("u"), Uncounted: 3}, OK, "1 user"},
		{"a user, and organizations that may not be read", State{Organizations: Seen[[]Organization]{Lacks: []string{"read:organizations"}}, Holders: one("u")}, OK, "1 user"},
		{"organizations that may not be read", State{Organizations: Seen[[]Organization]{Lacks: []string{"read:organizations"}}}, Unknown, "may not look"},
	} {
		v := &verifier{Evidence: Evidence{State: &c.state, Setup: Setup{Role: &manifest.Resource{Kind: "Role", Name: "r"}}}}
		v.holders()
		if got := v.checks[0]; got.Result != c.want || !strings.Contains(got.Found, c.found) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestConnectionOfNoApplication: a connection that no application may use lets nobody in,
// whatever else is as promised.
func TestConnectionOfNoApplication(t *testing.T) {
	app := &manifest.Resource{Kind: "Client", Name: "app"}
	for _, c := range []struct {
		clients any
		want    Result
	}{{[]any{"crm", "other"}, OK}, {[]any{"other"}, Warn}, {[]any{}, Warn}, {nil, OK}} {
		connection := OktaConnection("okta-globex", "globex.okta.com", "0oa1")
		if c.clients != nil {
			connection["enabled_clients"] = c.clients
		}
		state := &State{found: map[string]kind.Observed{app.Address(): {Exists: true, ID: "crm"}}}
		v := &verifier{Evidence: Evidence{State: state, Setup: Setup{Apps: []App{{App: app}}}}}
		v.connection(Organization{Name: "globex"}, connection, OrganizationConnection("con_1"))
		if got := v.checks[0]; got.Result != c.want || strings.Contains(got.Found, "applications: none") != (c.want == Warn) {
			t.Errorf("enabled_clients %v: %+v", c.clients, got)
		}
	}
}
