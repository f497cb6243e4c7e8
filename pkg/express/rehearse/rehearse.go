// Package rehearse plays the whole of Express Configuration without Okta and without a
// customer: an admin logs in, the post-login Actions run, a token is issued, Okta signs
// in with its key, makes the connection and enables it for the organization. It also
// shows what is refused.
//
// The Management API and the token endpoint are the simulator's (internal/auth0sim);
// the login, which that does not have, is played here (login.go), with the Actions'
// code as it is deployed in a JavaScript engine (action.go). It knows neither manifests
// nor flags: pkg/fleet sets the stage and calls Play.
package rehearse

import (
	"context"
	"crypto/rsa"
	"time"

	"github.com/ecplan/ecplan/pkg/express"
)

// Transcript is a rehearsal, told.
type Transcript struct {
	Tenant string `json:"tenant"`
	Domain string `json:"domain"`
	// Source says what was rehearsed: "the manifests", or "the tenant as it is".
	Source string `json:"source"`
	// Notes say what stands in for the real thing.
	Notes []string `json:"notes,omitempty"`
	Acts  []Act    `json:"acts"`
	// Error, if there, says why nothing could be rehearsed.
	Error string `json:"error,omitempty"`
}

// Act is a part of a rehearsal.
type Act struct {
	Title string `json:"title"`
	Steps []Step `json:"steps"`
}

// Step is one thing that happens.
type Step struct {
	// Who does it, To whom: "Okta", "Admin", "Auth0", "Action add-roles-claim".
	Who   string `json:"who"`
	To    string `json:"to"`
	Title string `json:"title"`
	// Result is ok, fail, warn, or skipped.
	Result express.Result `json:"result"`
	Lines  []string       `json:"lines,omitempty"`
	// Data are decoded tokens and the like, by name.
	Data   map[string]any `json:"data,omitempty"`
	Advice string         `json:"advice,omitempty"`
	// Refused says that somebody refused, as must be.
	Refused bool `json:"refused,omitempty"`
}

// Failures counts the steps that failed.
func (t *Transcript) Failures() int { return t.count(express.Fail) }

// Warnings counts the steps that want a look.
func (t *Transcript) Warnings() int { return t.count(express.Warn) }

func (t *Transcript) count(r express.Result) int {
	n := 0
	for _, a := range t.Acts {
		for _, s := range a.Steps {
			if s.Result == r {
				n++
			}
		}
	}
	return n
}

// Part is one application to rehearse.
type Part struct {
	Name string
	// Client is the OIN client's id, "" if there is none.
	Client string
	// AppID and LoginURL are what the token must say, "" if that is not known.
	AppID, LoginURL string
	// Scopes are those that Okta asks the admin for, Needed those of the Management API.
	Scopes, Needed []string
	// SCIM rehearses provisioning too.
	SCIM bool
	// Key says why Okta could not sign in as the client; "" if it could.
	Key string
}

// Script is what to rehearse on a stage.
type Script struct {
	Tenant, Source string
	Notes          []string
	Parts          []Part
	// Role is the name of the role that admins have.
	Role string
	// OrganizationName and Metadata are of the customer; AppMetadata is the admin's.
	OrganizationName      string
	Metadata, AppMetadata map[string]any
	// Limit bounds the computing of one Action; 0 is Auth0's 20 seconds.
	Limit time.Duration
	Now   time.Time
}

// stagePrefix begins the names of what the rehearsal brings along.
const (
	stagePrefix   = "rehearsal-"
	directoryName = "rehearsal-directory"
)

// cast are the people of a rehearsal and where they belong.
type cast struct {
	admin, member, outsider string
	org                     object
}

// Play rehearses the script on a stage that holds the set-up.
func Play(ctx context.Context, stage *Stage, sc Script) (Transcript, error) {
	t := Transcript{Tenant: sc.Tenant, Domain: stage.Domain, Source: sc.Source, Notes: sc.Notes}
	if sc.Limit == 0 {
		sc.Limit = executionLimit
	}
	c, err := stage.cast(ctx, sc)
	if err != nil {
		return t, err
	}
	p := &play{stage: stage, script: sc, cast: c}
	if p.key, err = oktaKey(); err != nil {
		return t, err
	}
	whole := -1
	for i, part := range sc.Parts {
		if part.Client != "" && part.Key == "" {
			if err := stage.giveKey(ctx, part.Client, p.key); err != nil {
				return t, err
			}
		}
		act, err := p.flow(ctx, part)
		if err != nil {
			return t, err
		}
		t.Acts = append(t.Acts, act)
		if whole < 0 && act.passed() {
			whole = i
		}
	}
	if whole < 0 {
		t.Acts = append(t.Acts, Act{Title: "What must be refused", Steps: []Step{{
			Who: "ecplan", To: "ecplan", Result: express.Skipped,
			Title: "not rehearsed: where nothing is let through, a refusal shows nothing",
		}}})
		return t, nil
	}
	if p.okta.client != sc.Parts[whole].Client { // another application was rehearsed since
		if _, err := p.flow(ctx, sc.Parts[whole]); err != nil {
			return t, err
		}
	}
	refusals, err := p.refusals(ctx, sc.Parts[whole])
	t.Acts = append(t.Acts, refusals)
	return t, err
}

func (a *Act) passed() bool {
	for _, s := range a.Steps {
		if s.Result == express.Fail {
			return false
		}
	}
	return true
}

type play struct {
	stage  *Stage
	script Script
	cast   cast
	key    *rsa.PrivateKey
	// okta and last are of the flow that the refusals build on.
	okta *okta
	last flowResult
}

// flowResult is what the refusals build on.
type flowResult struct {
	token, audience string
	connection      string
}
