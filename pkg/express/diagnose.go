package express

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
)

// Incident is what happened when somebody pressed the button, in plain words.
type Incident struct {
	// At is when it happened last, Times how often.
	At    time.Time `json:"at"`
	Times int       `json:"times"`
	// App is the application, User whom Auth0 names, "" if nobody.
	App  string `json:"app"`
	User string `json:"user,omitempty"`
	// Type and Description are Auth0's own words.
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	// Says is what it means; Advice what to do, "" where all went well.
	Says   string `json:"says"`
	Advice string `json:"advice,omitempty"`
	Failed bool   `json:"failed"`
}

// LogsRead asks for what the tenant logged of a client since a time
// (https://auth0.com/docs/deploy-monitor/logs/log-search-query-syntax).
func LogsRead(clientID string, since time.Time) kind.Read {
	q := url.Values{
		"q":    {`client_id:"` + clientID + `" AND date:[` + since.UTC().Format(time.RFC3339) + ` TO *]`},
		"sort": {"date:-1"},
	}
	return kind.Read{Path: "logs", Query: q.Encode(), List: "logs", Scopes: []string{"read:logs"}}
}

// meaning is what events of a type mean; the first whose words are in the description,
// or in the reason beside it, counts. Types are Auth0's
// (https://auth0.com/docs/deploy-monitor/logs/log-event-type-codes; fapi stood there in
// former years: today a call of the Management API that fails leaves no entry);
// descriptions are matched loosely, for their exact wording is UNCONFIRMED.
type meaning struct {
	types  string
	words  []string
	says   string
	advice string
}

const (
	adviceKey    = "Run 'ecplan verify': the checks of the key tell whether Okta's key is on the client, in use and valid."
	adviceGrant  = "Run 'ecplan verify': grant.complete names the scope that is missing."
	adviceProof  = "The key is known, and Okta's proof is refused: send Okta's team Auth0's words."
	adviceAction = "Run 'ecplan rehearse --tenant …': it runs every Action of the login flow and names the one that refuses."
)

var meanings = []meaning{
	{"f", []string{"missing data"}, "The guide's Action refused: the OIN client does not name its application, or the admin logged in without an organization", "Run 'ecplan verify': the check client names the field that differs."},
	{"f", []string{"unknown application"}, "The Action does not know the application that the OIN client names", "Run 'ecplan apply', so that the Action knows every application."},
	{"f", []string{"not part of the"}, "The person is not a member of the organization", "Make the admin a member of the customer's organization, with the role."},
	{"f", []string{"organization is required"}, "The login named no organization and was asked for none", "Set organization_require_behavior of the OIN client to post_login_prompt."},
	{"f", []string{"callback url"}, "Okta's address is not among the client's callbacks", "Run 'ecplan apply': it puts Okta's callback back."},
	{"f", []string{"no connections enabled"}, "The OIN client can use no connection, so nobody can log in; a new connection can also take some minutes", "Enable the OIN client on the connection with the admins' accounts."},
	{"f", []string{"service not found"}, "The tenant has no API with the audience that Okta asks for", "Run 'ecplan apply': it makes Okta's API."},
	{"f", []string{"not authorized to access"}, "The API lets users log in for it through clients with a grant only, or not at all", "Run 'ecplan verify': api.subject_type_authorization or grant.user tells which."},
	{"f", []string{"pushed authorization"}, "The OIN client takes pushed login requests only", "Run 'ecplan verify': client.require_pushed_authorization_requests tells what to put back."},
	{"f", []string{"consent"}, "The admin did not consent", "Ask the admin to press the button again and to accept."},
	{"f", nil, "The login was refused", adviceAction},
	{"fp", nil, "The password was wrong", "Ask the admin to try again, or to reset the password."},
	{"fu", nil, "There is no such user", "Make an account for the admin in the customer's organization, with the role."},
	{"limit_wc limit_mu limit_sul", nil, "Auth0 blocked the login after too many attempts", "Unblock the user or the address in the dashboard, or wait."},
	{"feacft", []string{"assertion", "unauthorized", "invalid_client", "authentication"}, "Okta could not sign in to exchange the code: its key was not taken", adviceKey},
	{"feacft", nil, "The code could not be exchanged for a token", adviceKey},
	{"feccft", []string{"not authorized to access", "client-grant", "client grant"}, "The OIN client has no grant on the Management API", "Run 'ecplan apply': it makes the grant."},
	{"feccft", []string{"not been granted scopes"}, "Okta asked for a scope that the OIN client's grant does not have", adviceGrant},
	{"feccft", []string{"service not enabled"}, "Okta asked for a Management API that is not there: TENANT_DOMAIN of the Action is wrong", "Run 'ecplan apply': it sets the Action's secrets to the canonical domain."},
	{"feccft", []string{"grant type"}, "The OIN client may not use client_credentials", "Run 'ecplan apply': it puts the grant type back."},
	{"feccft", []string{"'exp'", "expire", "expiration", "lives too long", "'iat'", "in the future", "not valid yet", "jti", "used already", "'aud'", "audience is invalid"}, "Okta could not sign in for the Management API: its proof was late, used before or for another tenant", adviceProof},
	{"feccft", nil, "Okta could not sign in for the Management API: its key was not taken", adviceKey},
	{"fapi", []string{"insufficient scope"}, "Okta was refused a call for lack of a scope", adviceGrant},
	{"fapi", []string{"already exists", "conflict"}, "A connection of that name is there already, perhaps from an earlier attempt", "Look at the organization's connections; remove the half-made one and let the admin try again."},
	{"fapi", nil, "A call of the Management API failed", "Look at the description; run 'ecplan verify' for the state of the set-up."},
	{"s", nil, "An admin logged in", ""},
	{"seacft", nil, "Okta exchanged the code for the token", ""},
	{"seccft", nil, "Okta signed in for the Management API", ""},
	{"sapi", nil, "Okta changed something through the Management API", ""},
	{"mgmt_api_read", nil, "Okta read something through the Management API", ""},
	{"api_limit", nil, "Okta met the tenant's rate limit", "Let the admin try again a minute later."},
}

// reasonOf is why Auth0 did not take a client for who it says it is: a real entry has it
// beside the description "Failed client authentication"
// (https://community.auth0.com/t/…/191217), Auth0's schema spells the field otherwise
// (auth0/auth0-log-schemas, feccft).
func reasonOf(entry map[string]any) string {
	details, _ := entry["details"].(map[string]any)
	return cmp.Or(text(details, "client_authentication_error"), text(details, "client_authentoication_error"))
}

// lacking are the scopes that a token for the Management API lacks of those that the
// manifest grants. Okta asks for none in particular (facts §1.4), so it gets what the
// grant had then.
func lacking(app App, entry map[string]any) []string {
	if app.Grant == nil || !strings.HasSuffix(text(entry, "audience"), "/api/v2/") {
		return nil
	}
	var have []string
	switch scope := entry["scope"].(type) { // auth0/auth0-log-schemas: either
	case string:
		have = strings.Fields(scope)
	case []any:
		for _, s := range scope {
			have = append(have, fmt.Sprint(s))
		}
	default:
		return nil
	}
	var out []string
	wanted, _ := app.Grant.Spec["scope"].([]any)
	for _, s := range wanted {
		if s := fmt.Sprint(s); !slices.Contains(have, s) {
			out = append(out, s)
		}
	}
	return out
}

// Explain tells what a log entry means; ok is false for what has nothing to do with it.
func Explain(app App, entry map[string]any) (Incident, bool) {
	in := Incident{App: app.Name, Times: 1, Type: text(entry, "type"), Description: text(entry, "description"), User: text(entry, "user_name")}
	if reason := reasonOf(entry); reason != "" {
		in.Description = strings.TrimPrefix(in.Description+": "+reason, ": ")
	}
	in.At, _ = time.Parse(time.RFC3339, text(entry, "date")) //nolint:errcheck // an entry without a readable time stands first
	low := strings.ToLower(in.Description)
	for _, m := range meanings {
		if !slices.Contains(strings.Fields(m.types), in.Type) {
			continue
		}
		if m.words == nil || slices.ContainsFunc(m.words, func(w string) bool { return strings.Contains(low, w) }) {
			in.Says, in.Advice, in.Failed = m.says, m.advice, m.advice != ""
			if less := lacking(app, entry); in.Type == "seccft" && len(less) > 0 {
				in.Says = "Okta signed in for the Management API with a token that lacks " + strings.Join(less, ", ") + "; calls that need it are refused, and Auth0 logs no refused call"
				in.Advice, in.Failed = adviceGrant, true
			}
			return in, true
		}
	}
	return in, false
}

// Together counts incidents that are alike as one, and puts the latest first.
func Together(all []Incident) []Incident {
	slices.SortStableFunc(all, func(a, b Incident) int { return b.At.Compare(a.At) })
	var out []Incident
	for _, in := range all {
		i := slices.IndexFunc(out, func(o Incident) bool {
			return o.Type == in.Type && o.Description == in.Description && o.User == in.User && o.App == in.App
		})
		if i >= 0 {
			out[i].Times += in.Times
			continue
		}
		out = append(out, in)
	}
	slices.SortStableFunc(out, func(a, b Incident) int {
		rank := func(in Incident) int {
			if in.Failed {
				return 0
			}
			return 1
		}
		return cmp.Compare(rank(a), rank(b))
	})
	return out
}
