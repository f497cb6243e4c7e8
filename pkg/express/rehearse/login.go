package rehearse

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/express"
)

// openid are the scopes of OpenID Connect, which are nobody's permission.
var openid = []string{"openid", "profile", "email"}

// callback is where Okta gets the code (the guide's client; facts §1.2).
const callback = "https://system-admin.okta.com/admin/app/generic/oauth20redirect"

// request is what a browser asks of /authorize on Okta's behalf. The exact parameters
// are UNCONFIRMED (facts §1.4.1); these are what the flow can't do without.
type request struct {
	Client, Audience string
	Scopes           []string
	// User logs in, in the organization that he belongs to; Outside lets him in
	// without one, whatever the client demands.
	User    string
	Outside bool
}

// login is what came of it.
type login struct {
	// Steps tell it.
	Steps []Step
	// Refused says who refused and why; "" if a token was issued.
	Refused, By string
	// Token is the access token, Claims what it says.
	Token  string
	Claims object
	// Set tells which Action set a claim, by name.
	Set map[string]string
}

// authority plays the part of Auth0 that the simulator does not have: /authorize, the
// post-login Actions and RBAC. Everything it knows it reads from the stage.
type authority struct {
	stage *Stage
	world world
	now   time.Time
	limit time.Duration
}

// authorize plays a login: request, credentials, organization, Actions, consent, token.
func (a *authority) authorize(r request) login {
	out := &login{Set: map[string]string{}}
	client := with(a.world.Clients, "client_id", r.Client)
	user := with(a.world.Users, "user_id", r.User)
	api := with(a.world.APIs, "identifier", r.Audience)
	asked := Step{Who: "Okta", To: "Auth0", Title: "asks for an access token for Express Configuration (/authorize)", Result: "ok", Lines: []string{
		"response_type=code  client_id=" + r.Client, "audience=" + r.Audience, "scope=" + strings.Join(r.Scopes, " "), "redirect_uri=" + callback,
	}}
	if a.stage.LoginDomain != "" {
		asked.Lines = append([]string{"at the custom domain " + a.stage.LoginDomain}, asked.Lines...)
	}
	if why, advice := a.refuses(client, api, r); why != "" {
		asked.Result, asked.Lines, asked.Advice = "fail", append(asked.Lines, why), advice
		return out.refuse(asked, "Auth0", why)
	}
	out.Steps = append(out.Steps, asked)
	usage := str(client, "organization_usage")
	org := a.organizationOf(r.User)
	demanded := usage == "require" && !r.Outside
	if !demanded { // organization_require_behavior is heeded with "require" alone (OpenAPI, ClientOrganizationRequireBehaviorEnum)
		org = nil
	}
	prompt := Step{Who: "Admin", To: "Auth0", Title: "logs in", Result: "ok", Lines: []string{"as " + str(user, "email") + ", with a password of the rehearsal's own directory"}}
	switch {
	case org == nil && demanded:
		why := "the client demands an organization (organization_usage: require), and " + str(user, "email") + " is a member of none"
		prompt.Result, prompt.Lines = "fail", append(prompt.Lines, why)
		return out.refuse(prompt, "Auth0", why)
	case org != nil:
		prompt.Lines = append(prompt.Lines, fmt.Sprintf("in the organization %s (%s)", str(org, "name"), str(org, "id")))
	default:
		prompt.Lines = append(prompt.Lines, "in no organization: the client asks for none (organization_usage: "+cmp.Or(usage, "not set")+")")
	}
	out.Steps = append(out.Steps, prompt)
	scopes, cut := a.grantable(api, user, org, r.Scopes)
	rbac := Step{
		Who: "Auth0", To: "Auth0", Title: "cuts the scopes to what the user's roles allow (RBAC)", Result: "ok",
		Lines: []string{"asked for: " + strings.Join(r.Scopes, " "), "left:      " + strings.Join(scopes, " ")},
	}
	if len(cut) > 0 {
		rbac.Lines = append(rbac.Lines, "cut:       "+strings.Join(cut, " "))
	}
	if api["enforce_policies"] != true {
		rbac.Title, rbac.Result = "does not cut the scopes: the API does not enforce RBAC", "warn"
		rbac.Advice = "Set enforce_policies of the API to true, or every user of an organization may configure single sign-on."
	}
	out.Steps = append(out.Steps, rbac)
	claims := object{}
	if scopes = a.actions(out, r, client, user, org, api, scopes, claims); out.Refused != "" {
		return *out
	}
	out.Steps = append(out.Steps, a.consent(api, scopes))
	a.issue(out, r, api, user, org, scopes, claims)
	return *out
}

func (l *login) refuse(s Step, by, why string) login {
	l.Steps = append(l.Steps, s)
	l.Refused, l.By = why, by
	return *l
}

// refuses tells why Auth0 does not begin a login. The wording is this program's.
func (a *authority) refuses(client, api object, r request) (why, advice string) {
	const apply = "Run 'ecplan plan' to see what differs."
	switch {
	case client == nil:
		return "there is no client " + r.Client, apply
	case !slices.Contains(texts(client["callbacks"]), callback):
		return "the redirect_uri is not among the client's callbacks", "Put " + callback + " into the OIN client's callbacks."
	case !slices.Contains(texts(client["grant_types"]), "authorization_code"):
		return "the client may not use the grant type authorization_code", "Put authorization_code into the OIN client's grant_types."
	case api == nil:
		return "there is no API with the identifier " + r.Audience, "Okta asks for exactly this audience; the API's identifier must be it."
	case str(client, "organization_usage") == "require" && !slices.Contains([]string{"pre_login_prompt", "post_login_prompt"}, str(client, "organization_require_behavior")) && !r.Outside:
		return "the client demands an organization, and neither asks for one (organization_require_behavior) nor is given one", "Set organization_require_behavior of the OIN client to post_login_prompt."
	case str(client, "organization_require_behavior") == "post_login_prompt" && client["oidc_conformant"] != true:
		return "post_login_prompt needs an OIDC-conformant client", "Set oidc_conformant of the OIN client to true (facts: OpenAPI ClientOrganizationRequireBehaviorEnum)."
	}
	if o := a.obstacle(client, api, express.AtRequest, r.Scopes); o != nil {
		return o.Found + " (to work: " + o.Expected + ")", o.Advice
	}
	return "", ""
}

// obstacle is a setting that stops Okta there; nil if there is none. What other APIs are
// set to does not matter to it.
func (a *authority) obstacle(client, api object, where string, scopes []string) *express.Obstacle {
	if api["identifier"] != express.APIIdentifier {
		return nil
	}
	var grant object
	var users []object
	for _, g := range a.world.Grants {
		switch {
		case g["client_id"] != client["client_id"]:
		case g["subject_type"] == "user":
			users = append(users, g)
		case g["audience"] == "https://"+a.stage.Domain+"/api/v2/":
			grant = g
		}
	}
	asked := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(openid, s) })
	for _, o := range append(express.APIObstacles(api), express.ClientObstacles(api, client, grant, users, asked)...) {
		if o.Where == where {
			return &o
		}
	}
	return nil
}

// stops makes a step of Okta fail that an obstacle stops.
func (a *authority) stops(s *Step, client object, where string) {
	if o := a.obstacle(client, with(a.world.APIs, "identifier", express.APIIdentifier), where, nil); o != nil {
		s.Result, s.Advice, s.Data = express.Fail, o.Advice, nil
		s.Lines = []string{o.Found + " (to work: " + o.Expected + ")"}
	}
}

func (a *authority) organizationOf(user string) object {
	for _, g := range a.world.Orgs {
		if slices.Contains(texts(g["members"]), user) && strings.HasPrefix(str(g, "name"), stagePrefix) {
			return g
		}
	}
	return nil
}

// rolesOf are the roles of a user, those in the organization included.
func (a *authority) rolesOf(user, org object) []object {
	var out []object
	id := str(user, "user_id")
	members, _ := org["member_roles"].(object)
	for _, role := range a.world.Roles {
		if slices.Contains(texts(role["users"]), id) || slices.Contains(texts(members[id]), str(role, "id")) {
			out = append(out, role)
		}
	}
	return out
}

// grantable cuts scopes to what the API defines and, with RBAC, the user may have.
// Those of OpenID Connect are nobody's permission.
func (a *authority) grantable(api, user, org object, asked []string) (left, cut []string) {
	defined := map[string]bool{}
	for _, s := range objects(api["scopes"]) {
		defined[str(s, "value")] = true
	}
	may := map[string]bool{}
	for _, role := range a.rolesOf(user, org) {
		for _, p := range objects(role["permissions"]) {
			if p["resource_server_identifier"] == api["identifier"] {
				may[str(p, "permission_name")] = true
			}
		}
	}
	for _, s := range asked {
		switch {
		case slices.Contains(openid, s), defined[s] && (api["enforce_policies"] != true || may[s]):
			left = append(left, s)
		default:
			cut = append(cut, s)
		}
	}
	return left, cut
}

// actions runs the Actions bound to post-login in their order, and returns the scopes
// that they leave.
func (a *authority) actions(out *login, r request, client, user, org, api object, scopes []string, claims object) []string {
	shared := object{}
	for _, b := range a.world.Bindings["post-login"] {
		deployed := a.deployed(str(b, "action"))
		event := a.event(r, client, user, org, api, shared)
		p := perform(deployed, "onExecutePostLogin", event, a.limit)
		step := Step{Who: "Auth0", To: "Action " + deployed.Name, Title: "runs the Action " + deployed.Name, Result: "ok"}
		p = a.goOn(p, deployed, event, &step)
		for _, line := range p.Logs {
			step.Lines = append(step.Lines, "console: "+line)
		}
		denied := ""
		for _, o := range p.Ops {
			var line string
			if line, scopes = a.apply(o, deployed.Name, out, claims, scopes, shared); line != "" {
				step.Lines = append(step.Lines, line)
			}
			if why := o.denial(); why != "" {
				denied = why
			}
		}
		switch {
		case p.unfinished():
			step.Result = "warn"
			step.Lines = append(step.Lines, "it needs "+strings.Join(p.Missing, ", ")+", which a rehearsal does not have: from there on it is not rehearsed")
			step.Advice = "Read the Action for what it does after that call; the rehearsal goes on as if it had done nothing more."
		case p.Thrown != "":
			step.Result = "fail"
			step.Lines = append(step.Lines, "it ends with an error: "+p.Thrown)
			step.Advice = "An error in an Action ends the login. Look at the Action's code and secrets."
			return a.stop(out, step, "the Action "+deployed.Name, p.Thrown)
		case denied != "":
			step.Result = "fail"
			step.Lines = append(step.Lines, "it denies access: "+denied)
			step.Advice = "Let the Action pass logins of the OIN client, or give the admin what it asks for."
			return a.stop(out, step, "the Action "+deployed.Name, denied)
		case p.Absent:
			step.Lines = append(step.Lines, "it exports no onExecutePostLogin, so nothing happens")
		case len(p.Ops) == 0:
			step.Lines = append(step.Lines, "it lets the login pass and asks for nothing")
		}
		out.Steps = append(out.Steps, step)
	}
	return scopes
}

func (a *authority) stop(out *login, s Step, by, why string) []string {
	out.refuse(s, by, why)
	return nil
}

// goOn plays what follows when an Action sends the user elsewhere: he comes back, and
// the Action's second function runs.
func (a *authority) goOn(p performance, deployed action, event object, step *Step) performance {
	for _, o := range p.Ops {
		if o.Name != "redirect.sendUserTo" {
			continue
		}
		step.Result = "warn"
		step.Lines = append(step.Lines, "it sends the admin's browser to "+o.text(0)+"; the rehearsal takes him straight back")
		step.Advice = "An admin who configures single sign-on has to get past that page too."
		second := perform(deployed, "onContinuePostLogin", event, a.limit)
		second.Ops = append(p.Ops, second.Ops...)
		second.Logs = append(p.Logs, second.Logs...)
		second.Absent = false
		return second
	}
	return p
}

// apply does what an Action asked for and says so; scopes are those left.
func (a *authority) apply(o op, by string, out *login, claims object, scopes []string, shared object) (string, []string) {
	switch o.Name {
	case "accessToken.setCustomClaim":
		name := o.text(0)
		if len(o.Args) < 2 {
			return "claim " + name + ": left out, for its value is undefined", scopes
		}
		value := o.Args[1]
		if slices.Contains(reserved, name) {
			return "claim " + name + ": left out, for it is one of Auth0's own", scopes
		}
		line := "claim " + name + " = " + compact(value)
		if former, there := out.Set[name]; there && former != by {
			line += "  (in place of what " + former + " set)"
		}
		claims[name], out.Set[name] = value, by
		return line, scopes
	case "accessToken.addScope":
		out.Set["scope "+o.text(0)] = by
		if slices.Contains(scopes, o.text(0)) {
			return "", scopes
		}
		return "adds the scope " + o.text(0), append(slices.Clone(scopes), o.text(0))
	case "accessToken.removeScope":
		out.Set["scope "+o.text(0)] = by
		return "takes the scope " + o.text(0) + " away", slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == o.text(0) })
	case "idToken.setCustomClaim":
		return "ID token: claim " + o.text(0), scopes
	case "user.setAppMetadata", "user.setUserMetadata":
		return "sets the user's metadata " + o.text(0), scopes
	case "transaction.setMetadata":
		if len(o.Args) > 1 {
			shared[o.text(0)] = o.Args[1]
		}
		return "", scopes
	case "multifactor.enable", "authentication.challengeWith", "authentication.challengeWithAny", "authentication.enrollWith", "authentication.enrollWithAny":
		return "asks the admin for a second factor; the rehearsal takes it as given", scopes
	case "access.deny", "validation.error", "redirect.sendUserTo":
		return "", scopes
	}
	return "calls api." + o.Name, scopes
}

// reserved are the claims that no Action can set: "the transaction won't fail, but your
// custom claim won't be added" (https://auth0.com/docs/secure/tokens/json-web-tokens/create-custom-claims).
var reserved = strings.Fields(`acr act active amr at_hash ath attest aud auth_time authorization_details azp c_hash client_id
 cnf cty dest entitlements events exp groups gty htm htu iat internalService iss jcard jku jti jwe jwk kid may_act mky nbf nonce
 object_id org_id org_name orig origid permissions roles rph s_hash sid sip_callid sip_cseq_num sip_date sip_from_tag
 sip_via_branch sub sub_jwk toe txn typ uuid vot vtm x5t#S256`)

// consent is what the admin is asked.
func (a *authority) consent(api object, scopes []string) Step {
	s := Step{Who: "Auth0", To: "Admin", Title: "asks the admin for consent", Result: "ok"}
	if api["skip_consent_for_verifiable_first_party_clients"] == true {
		s.Title = "asks for no consent, as the API is set"
		return s
	}
	flags, _ := a.world.Tenant["flags"].(object)
	for _, d := range objects(api["scopes"]) {
		if !slices.Contains(scopes, str(d, "value")) {
			continue
		}
		if flags["use_scope_descriptions_for_consent"] == true && str(d, "description") != "" {
			s.Lines = append(s.Lines, str(d, "description"))
		} else {
			s.Lines = append(s.Lines, str(d, "value"))
		}
	}
	return s
}
