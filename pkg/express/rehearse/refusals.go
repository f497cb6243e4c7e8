package rehearse

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/express"
)

// foreignAPI is another API of the tenant, for a token that is not for Okta.
const foreignAPI = "https://rehearsal.invalid/another-api"

// refusals shows that what must not pass does not. A refusal is a step that went well.
func (p *play) refusals(ctx context.Context, part Part) (Act, error) {
	act := Act{Title: "What must be refused"}
	for _, scene := range []func(context.Context, Part) (Step, error){
		p.noOrganization, p.outsideOrganization, p.foreignAudience, p.withoutRole, p.withoutMetadata,
		p.wrongKey, p.replayed, p.expired, p.scopeNotGranted,
	} {
		s, err := scene(ctx, part)
		if err != nil {
			return act, err
		}
		act.Steps = append(act.Steps, s)
	}
	return act, nil
}

// refused turns what became of a login into a step: refused is as it must be.
func refused(title string, l login) Step {
	s := Step{Who: "Auth0", To: "Admin", Title: title, Result: express.OK}
	if l.Refused != "" {
		s.Refused, s.Lines = true, []string{"refused by " + l.By + ": " + l.Refused}
		return s
	}
	s.Result = express.Fail
	s.Lines = []string{"a token was issued"}
	s.Data = map[string]any{"access token": l.Claims}
	return s
}

// useless is refused for logins whose token may be issued, as long as Okta can't use it.
func (p *play) useless(part Part, title, advice string, l login) Step {
	s := refused(title, l)
	if l.Refused != "" {
		return s
	}
	var usable []string
	granted := strings.Fields(str(l.Claims, "scope"))
	for _, scope := range part.Scopes {
		if slices.Contains(granted, scope) {
			usable = append(usable, scope)
		}
	}
	if len(usable) == 0 {
		s.Result, s.Data = express.OK, nil
		s.Lines = []string{"the token has no scope that lets him configure anything: " + str(l.Claims, "scope")}
		return s
	}
	s.Lines = append(s.Lines, "with "+strings.Join(usable, ", "))
	s.Advice = advice
	return s
}

func (p *play) noOrganization(_ context.Context, part Part) (Step, error) {
	a, err := p.authority()
	if err != nil {
		return Step{}, err
	}
	s := refused("a user who belongs to no organization", a.authorize(p.request(part, p.cast.outsider)))
	s.Advice = adviceFor(s, "Set organization_usage of the OIN client to require.")
	return s, nil
}

func (p *play) outsideOrganization(_ context.Context, part Part) (Step, error) {
	a, err := p.authority()
	if err != nil {
		return Step{}, err
	}
	r := p.request(part, p.cast.admin)
	r.Outside = true
	s := refused("a login without an organization, were the client to allow one", a.authorize(r))
	s.Advice = adviceFor(s, "The Action must refuse a login without event.organization, as the guide's does.")
	return s, nil
}

// foreignAudience logs in for another API: no claim of Express Configuration may be in
// that token.
func (p *play) foreignAudience(ctx context.Context, part Part) (Step, error) {
	if _, err := p.stage.arrange(ctx, "POST", "resource-servers", object{"name": "Another API", "identifier": foreignAPI, "scopes": []any{object{"value": "read:things"}}}); err != nil {
		return Step{}, err
	}
	a, err := p.authority()
	if err != nil {
		return Step{}, err
	}
	r := p.request(part, p.cast.admin)
	r.Audience = foreignAPI
	l := a.authorize(r)
	s := Step{Who: "Auth0", To: "Okta", Title: "a token for another API", Result: express.OK}
	var leaked []string
	for _, name := range []string{"sp_client_id", "management_api_audience", "init_login_uri"} {
		if _, there := l.Claims[name]; there {
			leaked = append(leaked, name)
		}
	}
	switch {
	case l.Refused != "":
		s.Refused, s.Lines = true, []string{"refused by " + l.By + ": " + l.Refused}
	case len(leaked) == 0:
		s.Lines = []string{"it carries none of the claims that Okta goes by"}
	default:
		s.Result, s.Lines = express.Fail, []string{"it carries " + strings.Join(leaked, ", ")}
		s.Advice = "The Action must look at event.request.query.audience first, as the guide's does."
	}
	return s, nil
}

func (p *play) withoutRole(_ context.Context, part Part) (Step, error) {
	a, err := p.authority()
	if err != nil {
		return Step{}, err
	}
	return p.useless(part, "a member of the organization without the role", "Let the API enforce RBAC (enforce_policies), and no Action add the scope for everybody.",
		a.authorize(p.request(part, p.cast.member))), nil
}

// withoutMetadata takes the application's id from the OIN client for the length of a login.
func (p *play) withoutMetadata(ctx context.Context, part Part) (Step, error) {
	a, err := p.authority()
	if err != nil {
		return Step{}, err
	}
	client := with(a.world.Clients, "client_id", part.Client)
	metadata, _ := client["client_metadata"].(object)
	path := "clients/" + url.PathEscape(part.Client)
	const key = "express_configure_sp_client_id"
	if _, err := p.stage.arrange(ctx, "PATCH", path, object{"client_metadata": object{key: nil}}); err != nil {
		return Step{}, err
	}
	if a, err = p.authority(); err != nil {
		return Step{}, err
	}
	s := refused("a client that does not name its application (client_metadata)", a.authorize(p.request(part, p.cast.admin)))
	s.Advice = adviceFor(s, "The Action must refuse a client without express_configure_sp_client_id, as the guide's does.")
	_, err = p.stage.arrange(ctx, "PATCH", path, object{"client_metadata": object{key: metadata[key]}})
	return s, err
}

// assertionRefused signs in with an assertion that must not be taken.
func (p *play) assertionRefused(ctx context.Context, title, assertion string) (Step, error) {
	s := Step{Who: "Okta", To: "Auth0", Title: title, Result: express.OK}
	a, err := p.okta.signIn(ctx, assertion, p.last.audience)
	if err != nil {
		return s, err
	}
	if a.ok() {
		s.Result, s.Lines = express.Fail, []string{"a token for the Management API was issued"}
		return s, nil
	}
	s.Refused, s.Lines = true, []string{"refused: " + a.problem()}
	return s, nil
}

func (p *play) wrongKey(ctx context.Context, _ Part) (Step, error) {
	other, err := strangersKey()
	if err != nil {
		return Step{}, err
	}
	assertion, _, err := p.okta.assertion(p.stage.Domain, other, p.okta.now)
	if err != nil {
		return Step{}, err
	}
	return p.assertionRefused(ctx, "an assertion signed with another key", assertion)
}

func (p *play) replayed(ctx context.Context, _ Part) (Step, error) {
	assertion, _, err := p.okta.assertion(p.stage.Domain, p.okta.key, p.okta.now)
	if err != nil {
		return Step{}, err
	}
	first, err := p.okta.signIn(ctx, assertion, p.last.audience)
	if err != nil {
		return Step{}, err
	}
	s, err := p.assertionRefused(ctx, "an assertion that was used before", assertion)
	if !first.ok() {
		s.Refused = false
		s.Result, s.Lines = express.Fail, []string{"it was refused the first time already: " + first.problem()}
	}
	return s, err
}

func (p *play) expired(ctx context.Context, _ Part) (Step, error) {
	assertion, _, err := p.okta.assertion(p.stage.Domain, p.okta.key, p.okta.now.Add(-time.Hour))
	if err != nil {
		return Step{}, err
	}
	return p.assertionRefused(ctx, "an assertion that has expired", assertion)
}

// scopeNotGranted uses the token for what the guide grants nobody.
func (p *play) scopeNotGranted(ctx context.Context, _ Part) (Step, error) {
	s := Step{Who: "Okta", To: "Auth0", Title: "what was not granted: deleting a connection", Result: express.OK, Lines: nil}
	a, err := p.stage.manage(ctx, p.last.token, "DELETE", "connections/"+p.last.connection, nil)
	if err != nil {
		return s, err
	}
	if a.ok() {
		s.Result, s.Lines = express.Fail, []string{"the connection was deleted"}
		s.Advice = "Take delete:connections out of the OIN client's grant."
		return s, nil
	}
	s.Refused, s.Lines = true, []string{"refused: " + a.problem()}
	return s, nil
}

// adviceFor is advice where a step failed.
func adviceFor(s Step, advice string) string {
	if s.Result == express.Fail {
		return advice
	}
	return ""
}
