package rehearse

import (
	"context"
	"fmt"
	"slices"

	"github.com/ecplan/ecplan/pkg/express"
)

// authority reads the stage anew: what it knows is how things are now.
func (p *play) authority() (*authority, error) {
	w, err := p.stage.world()
	return &authority{stage: p.stage, world: w, now: p.script.Now, limit: p.script.Limit}, err
}

func (p *play) request(part Part, user string) request {
	return request{Client: part.Client, Audience: express.APIIdentifier, Scopes: slices.Concat(openid, part.Scopes), User: user}
}

// flow rehearses one application from the button to the connection. It ends at the
// first step that fails.
func (p *play) flow(ctx context.Context, part Part) (Act, error) {
	act := Act{Title: "From the button to the connection: " + part.Name}
	if part.Client == "" {
		act.Steps = []Step{{Who: "Okta", To: "Auth0", Title: "asks for a login", Result: express.Fail, Lines: []string{"there is no OIN client, or none that can be told from others, so nobody can ask"}, Advice: "Run 'ecplan verify': the check client says which, and what to do."}}
		return act, nil
	}
	a, err := p.authority()
	if err != nil {
		return act, err
	}
	act.Steps = append(act.Steps, Step{Who: "Admin", To: "Okta", Title: "presses the button “Configure SSO” of the application in Okta", Result: express.OK})
	l := a.authorize(p.request(part, p.cast.admin))
	act.Steps = append(act.Steps, l.Steps...)
	if l.Refused != "" {
		return act, nil
	}
	o := &okta{stage: p.stage, client: part.Client, key: p.key, now: p.script.Now}
	p.okta = o
	client := with(a.world.Clients, "client_id", part.Client)
	step := o.exchange(l, attached(client))
	if step.Result == express.Fail && part.Key != "" {
		step.Lines = append(step.Lines, part.Key)
	}
	if act.Steps = append(act.Steps, step); step.Result == express.Fail {
		return act, nil
	}
	step, w, err := p.accept(ctx, o, part, l, a)
	if err != nil {
		return act, err
	}
	a.stops(&step, client, express.AtToken)
	if act.Steps = append(act.Steps, step); step.Result == express.Fail {
		return act, nil
	}
	step, token, err := o.manager(ctx, w.Audience, part.Needed)
	if err != nil {
		return act, err
	}
	a.stops(&step, client, express.AtGrant)
	if act.Steps = append(act.Steps, step); step.Result == express.Fail {
		return act, nil
	}
	steps, connection, entry, err := o.configure(ctx, token, w, p.cast.org, part.SCIM)
	act.Steps = append(act.Steps, steps...)
	if err != nil || connection == nil {
		return act, err
	}
	p.last = flowResult{token: token, audience: w.Audience, connection: str(connection, "id")}
	act.Steps = append(act.Steps, promised(connection, entry, w.Aliases))
	return act, p.clear(ctx, connection)
}

// accept is Okta's look at the token, and this program's: what it says must be of this
// application and of no other.
func (p *play) accept(ctx context.Context, o *okta, part Part, l login, a *authority) (Step, wants, error) {
	step, w := o.accept(ctx, l, express.APIIdentifier, part.Scopes, a.world.Clients)
	for _, x := range []struct{ claim, got, want string }{{"sp_client_id", w.App, part.AppID}, {"init_login_uri", w.LoginURI, part.LoginURL}} {
		if x.got != "" && x.want != "" && x.got != x.want {
			step.Result = express.Fail
			step.Lines = append(step.Lines, fmt.Sprintf("%s is %s; the manifest says %s for %s", x.claim, x.got, x.want, part.Name))
			step.Advice = "The claim comes from the Action " + l.Set[x.claim] + ": look at its code and secrets."
		}
	}
	return step, w, nil
}

// clear removes the connection, so that the next application finds an organization
// like the one before.
func (p *play) clear(ctx context.Context, connection object) error {
	if len(p.script.Parts) == 1 {
		return nil
	}
	_, err := p.stage.arrange(ctx, "DELETE", "connections/"+str(connection, "id"), nil)
	return err
}

// attached are the credentials that a client signs in with, PEMs included.
func attached(client object) []object {
	methods, _ := client["client_authentication_methods"].(object)
	byKey, _ := methods["private_key_jwt"].(object)
	var out []object
	for _, id := range objects(byKey["credentials"]) {
		if c := with(objects(client["credentials"]), "id", id["id"]); c != nil {
			out = append(out, c)
		}
	}
	return out
}

// promised compares what came of it with the guide's last section.
func promised(connection, entry object, aliases []string) Step {
	s := Step{Who: "ecplan", To: "ecplan", Title: "compares the connection with what Okta promises", Result: express.OK}
	for _, p := range express.Promises(connection, entry, aliases) {
		line := p.Setting + ": " + p.Found
		if !p.Kept {
			s.Result = express.Fail
			line += " (promised: " + p.Expected + ")"
		}
		s.Lines = append(s.Lines, line)
	}
	return s
}
