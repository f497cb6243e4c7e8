package auth0sim_test

import (
	"io"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// people are users that the examples of Auth0's page on user search are about.
var people = []byte(`{
	"connections": [{"name": "staff", "strategy": "auth0"}],
	"users": [
	 {"user_id": "auth0|1", "email": "Jane@ExampleCo.com", "name": "Jane Smith", "nickname": "jane", "email_verified": true, "logins_count": 100,
	  "created_at": "2017-12-05T10:00:00.000Z", "user_metadata": {"full_name": "Jane Smith", "preferences": {"fontSize": 13}, "addresses": [{"city": ["Paris", "Seattle"]}], "none": [], "approved": false},
	  "app_metadata": {"subscription": {"plan": "gold"}}, "identities": [{"connection": "staff", "provider": "auth0", "user_id": "1"}]},
	 {"user_id": "auth0|2", "email": "john@exampleco.com", "name": "John Usa", "email_verified": false, "logins_count": 200,
	  "created_at": "2017-12-31T23:00:00.000Z", "app_metadata": {"subscription": {"plan": "Gold"}}, "identities": [{"connection": "other", "provider": "auth0", "user_id": "2"}]},
	 {"user_id": "auth0|3", "email": "ada@elsewhere.example", "name": "Ada (the first)", "created_at": "2018-01-01T00:00:00.000Z", "identities": [{"connection": "staff", "provider": "auth0", "user_id": "3"}]}
	],
	"organizations": [{"id": "org_aaaaaaaaaaaaaaaa", "name": "acme", "members": ["auth0|3"]}]
	}`)

// TestUserSearch holds the search to https://auth0.com/docs/manage-users/user-search/user-search-query-syntax
// and the examples of auth0/docs articles/users/search/v3.
func TestUserSearch(t *testing.T) {
	s := newTenant(t, auth0sim.Options{Seed: people})
	for q, want := range map[string]string{
		`name:"jane smith"`: "1", `name:jane`: "", `name:JANE*`: "1", `name:*smith`: "1", `name:*usa`: "2", `name:jane*smith`: "1", `name:*ane*`: "1", `name:j*`: "1 2",
		`email:"john@exampleco.com"`: "2", `email:("john@exampleco.com" OR "jane@exampleco.com")`: "1 2", `email.domain:"exampleco.com"`: "2",
		`user_id:auth0`: "", `user_id:auth0*`: "1 2 3", `user_id:"auth0|2"`: "2", `user_id:auth0|2`: "2", `logins_count:*`: "1 2",
		`email_verified:false OR NOT _exists_:email_verified`: "2 3", `(NOT _exists_:logins_count OR logins_count:0)`: "3", `email_verified:true`: "1",
		`user_metadata.full_name:"Jane Smith"`: "1", `user_metadata.full_name:"jane smith"`: "", `user_metadata.preferences.fontSize:13`: "1",
		`user_metadata.addresses.city:"Seattle"`: "1", `_exists_:user_metadata.preferences.fontSize`: "1", `_exists_:user_metadata.none`: "", `_exists_: user_metadata`: "1",
		`user_metadata.approved:false`: "1", `app_metadata.subscription.plan:"gold"`: "1", `app_metadata.subscription.plan:g*`: "1", `app_metadata.subscription.plan:*old`: "1 2",
		`identities.connection:"staff"`: "1 3", `organization_id:org_aaaaaaaaaaaaaaaa`: "3",
		`logins_count:[100 TO 200]`: "1 2", `logins_count:{100 TO *]`: "2", `logins_count:[100 TO 200}`: "1", `logins_count:{100 TO 200}`: "", `logins_count:100`: "1",
		`created_at:[2017-12 TO 2017-12]`: "1 2", `created_at:[* TO 2017-12-31]`: "1 2", `created_at:[* TO 2017-12-31}`: "1", `created_at:{2017-12 TO *]`: "3", `created_at:2017-12-05`: "1", `created_at:[2017-12-31T22:00:00 TO 2017-12-31T23:30:00]`: "2",
		`created_at:"2018-01-01T00:00:00.000Z"`: "3",
		`name:j* AND NOT email_verified:true`:   "2", `name:j* NOT email_verified:true`: "2", `name:j* -email_verified:true`: "2", `NOT name:j*`: "3", `name:("jane smith" "john usa")`: "1 2",
		`name:j* && logins_count:200 || _exists_:nothing`: "2", `+name:j* +logins_count:200`: "2", `name:"Ada (the first)"`: "3", `name:Ada\ \(the\ first\)`: "3",
		`"jane smith"`: "1", `jane`: "1", `Seattle`: "", `elsewhere.example`: "", `*elsewhere*`: "3", ``: "1 2 3", `unknown:x`: "", `not:x`: "",
	} {
		var got []string
		for _, u := range s.send("GET", "/users?search_engine=v3&q="+url.QueryEscape(q), nil, 200).([]any) {
			got = append(got, strings.TrimPrefix(u.(obj)["user_id"].(string), "auth0|"))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: found %v, want %s", q, got, want)
		}
	}
	for q, why := range map[string]string{
		`name:*sa`: "fewer than 3 characters", `name:j*th`: "fewer than 3", `name:j?ne`: "not supported", `name:jane~`: "not supported", `name:"jane`: "not closed", `(name:jane`: "not closed",
		`name:jane)`: "unexpected", `name:`: "no value", `name:jane AND`: "ends", `name:OR`: "OR is where", `NOT`: "ends", `OR name:x`: "OR is where", `logins_count:[1 TO`: "not closed", `logins_count:[1 2]`: "min TO max",
		`user_metadata.full_name:Jane*`: "not available", `user_metadata.preferences.fontSize:[1 TO 20]`: "not available", `na*e:x`: "no field", `_exists_:`: "no field", `a:b:c`: "no field", `x\`: "backslash",
		strings.Repeat("(", 60) + "a": "too deep",
	} {
		got := s.send("GET", "/users?q="+url.QueryEscape(q), nil, 400).(obj)
		if got["errorCode"] != "invalid_query_string" || !strings.Contains(got["message"].(string), why) {
			t.Errorf("%s: %v, want %q", q, got, why)
		}
	}
	s.refused("GET", "/users?search_engine=v2", nil, 400, "invalid_query_string", "You are not allowed to use search_engine=v2. Use search_engine=v3 instead.")
	s.refused("GET", "/users?page=10&per_page=100", nil, 400, "invalid_paging", "You can only page through the first 1000 records.…")
}

func TestSort(t *testing.T) {
	s := newTenant(t, auth0sim.Options{Seed: people})
	for by, want := range map[string]string{"created_at:-1": "321", "created_at:1": "123", "logins_count:-1": "213", "name:1": "312"} {
		got := ""
		for _, u := range s.send("GET", "/users?fields=user_id&sort="+by, nil, 200).([]any) {
			got += strings.TrimPrefix(u.(obj)["user_id"].(string), "auth0|")
		}
		if got != want {
			t.Errorf("by %s: %s, want %s", by, got, want)
		}
	}
	s.send("GET", "/users?sort=created_at", nil, 400)
	s.send("GET", "/users?sort=app_metadata.x:1", nil, 400)
	s.post("/organizations", obj{"name": "zeta"})
	for by, want := range map[string]string{"name:1": "acme", "name:-1": "zeta", "created_at:1": "acme", "created_at:-1": "zeta"} {
		if got := s.send("GET", "/organizations?sort="+by, nil, 200).([]any)[0].(obj)["name"]; got != want {
			t.Errorf("organizations by %s: %v is first, want %s", by, got, want)
		}
	}
}

// TestClientQuery holds GET /clients?q= to what Auth0's document permits.
func TestClientQuery(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	s.post("/resource-servers", obj{"identifier": "https://api.example"})
	org := s.post("/organizations", obj{"name": "acme"})["id"].(string)
	var ids []string
	for _, name := range []string{"one", "two", "three"} {
		ids = append(ids, s.post("/clients", obj{"name": name, "app_type": "non_interactive"})["client_id"].(string))
	}
	grant := func(client string, everybody bool) string {
		return s.post("/client-grants", obj{"client_id": client, "audience": "https://api.example", "scope": []any{}, "organization_usage": "allow", "allow_any_organization": everybody})["id"].(string)
	}
	one := grant(ids[0], false)
	grant(ids[1], true)
	grant(ids[2], false)
	s.send("POST", "/organizations/"+org+"/client-grants", obj{"grant_id": one}, 201)
	for q, want := range map[string]string{
		"client_grant.organization_id:" + org:          "one",
		`client_grant.organization_id:"` + org + `"`:   "one",
		"client_grant.organization_id:org_none":        "",
		"client_grant.allow_any_organization:true":     "two",
		"  client_grant.allow_any_organization:true  ": "two",
	} {
		var got []string
		for _, c := range s.get("/clients?take=10&q=" + url.QueryEscape(q))["clients"].([]any) {
			got = append(got, c.(obj)["name"].(string))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", q, got, want)
		}
	}
	for query, why := range map[string]string{
		"take=10&q=name:x": "must be client_grant", "take=10&q=client_grant.allow_any_organization:false": "must be client_grant",
		"q=client_grant.allow_any_organization:true":                           "paging parameters",
		"take=10&app_type=spa&q=client_grant.allow_any_organization:true":      "other filters",
		"take=10&is_global=false&q=client_grant.allow_any_organization%3Atrue": "other filters",
	} {
		if got := s.send("GET", "/clients?"+query, nil, 400).(obj)["message"].(string); !strings.Contains(got, why) {
			t.Errorf("%s: %s, want %q", query, got, why)
		}
	}
}

// FuzzQuery holds that no query breaks the search: it is refused or answered.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{`name:(a OR "b c") AND NOT x:[1 TO *}`, `_exists_:a.b -c +d*`, `\`, `a:"`, `((`, `[ TO ]`, `a:{2018-01 TO 2019-02-03T04:05:06Z]`, `*`, `:`, "\xff:\xfe*"} {
		f.Add(q)
	}
	s, err := auth0sim.New(auth0sim.Options{Token: token, Seed: people, Exchanges: io.Discard})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, q string) {
		for _, path := range []string{"users", "logs"} {
			r := httptest.NewRequest("GET", "/api/v2/"+path+"?q="+url.QueryEscape(q), nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 400 {
				t.Errorf("%q: %d %s", q, w.Code, w.Body)
			}
		}
	})
}
