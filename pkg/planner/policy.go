package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// Policy is what an organization demands of every plan. The zero value demands nothing.
type Policy struct {
	// Deny forbids actions on kinds.
	Deny []Denial `yaml:"deny"`
	// RequireAcknowledgement lists notices that a manifest must acknowledge.
	RequireAcknowledgement []string `yaml:"require_acknowledgement"`
	// GrantScopes, if there, are the only scopes that a declared grant may have.
	GrantScopes []string `yaml:"grant_scopes"`
	// MinKeyBits is the least size of a declared RSA key, in bits.
	MinKeyBits int `yaml:"min_key_bits"`
	// MaxTokenLifetime is the longest lifetime of a declared API's tokens, in seconds.
	MaxTokenLifetime float64 `yaml:"max_token_lifetime"`
}

// Denial forbids an action on a kind; an empty field stands for every one. Delete and
// create are of the object itself: a key of a client that comes or goes is an update.
type Denial struct {
	Action kind.Verb `yaml:"action"`
	Kind   string    `yaml:"kind"`
	// Reason is told to whoever runs into it.
	Reason string `yaml:"reason"`
}

func (d Denial) covers(s kind.Step) bool {
	does := s.Action
	if s.Part != "" && (does == kind.Create || does == kind.Delete) {
		does = kind.Update
	}
	return (d.Action == "" || d.Action == does) && (d.Kind == "" || d.Kind == s.Kind())
}

// violationPrefix marks a notice that breaks the policy: nothing in a manifest or on
// the command line overrides it.
const violationPrefix = "policy/"

// Violates reports whether a notice says that the policy is broken.
func Violates(n kind.Notice) bool { return strings.HasPrefix(n.ID, violationPrefix) }

// Enforce adds a notice to p for each breach of the policy, by the rule that it breaks.
// rs are the resources that p was made from.
func (po Policy) Enforce(p *TenantPlan, rs []*manifest.Resource) {
	breach := func(rule, address, summary, detail string) {
		p.Notices = append(p.Notices, kind.Notice{ID: violationPrefix + rule, Address: address, Level: kind.Refusal, Summary: summary, Detail: detail})
	}
	for _, s := range p.Steps {
		for _, d := range po.Deny {
			if d.covers(s) {
				breach("deny", s.Address, fmt.Sprintf("The policy forbids the action %s on objects of kind %s", s.Action, s.Kind()), d.Reason)
			}
		}
	}
	for _, n := range slices.Clone(p.Notices) {
		if slices.Contains(po.RequireAcknowledgement, n.ID) && (n.Acknowledged == "" || n.Acknowledged == kind.ByForce) {
			breach("require_acknowledgement", n.Address, "The policy wants the notice "+n.ID+" acknowledged",
				"Give the reason in the manifest: metadata.acknowledge: {"+n.ID+": why}.")
		}
	}
	made := map[string]bool{}
	for _, s := range p.Steps {
		made[s.Address] = made[s.Address] || s.Made()
	}
	for _, r := range rs {
		po.check(r, made[r.Address()], breach)
	}
}

// defaultTokenLifetime is what Auth0 gives an API that is created without one, in seconds
// (facts §3.1).
const defaultTokenLifetime = 86400

// check looks at what a resource declares; made says that the plan creates its object.
func (po Policy) check(r *manifest.Resource, made bool, breach func(rule, address, summary, detail string)) {
	switch r.Kind {
	case "ClientGrant":
		var more []string
		scopes, _ := r.Spec["scope"].([]any)
		for _, s := range scopes {
			if name, ok := s.(string); ok && !slices.Contains(po.GrantScopes, name) {
				more = append(more, name)
			}
		}
		if all, _ := r.Spec["allow_all_scopes"].(bool); all {
			more = []string{"every scope (allow_all_scopes)"}
		}
		if po.GrantScopes != nil && len(more) > 0 {
			breach("grant_scopes", r.Address(), "The grant has scopes that the policy does not allow: "+strings.Join(more, ", "),
				"Allowed are "+strings.Join(po.GrantScopes, ", ")+".")
		}
	case "Client":
		creds, _ := r.Spec["credentials"].([]any)
		for _, c := range creds {
			m, _ := c.(map[string]any)
			pem, _ := m["pem"].(string)
			if bits, err := manifest.KeyBits(pem); err == nil && bits < po.MinKeyBits {
				breach("min_key_bits", r.Address(), fmt.Sprintf("The key %v has %d bits, and the policy wants at least %d", m["name"], bits, po.MinKeyBits),
					"Ask for a longer key.")
			}
		}
	case "ResourceServer":
		if po.MaxTokenLifetime <= 0 {
			return
		}
		for _, f := range []string{"token_lifetime", "token_lifetime_for_web"} {
			if life, ok := r.Spec[f].(float64); ok && life > po.MaxTokenLifetime {
				breach("max_token_lifetime", r.Address(), fmt.Sprintf("Tokens would live %v seconds (%s), and the policy allows %v", life, f, po.MaxTokenLifetime), "")
			}
		}
		if _, says := r.Spec["token_lifetime"]; made && !says && defaultTokenLifetime > po.MaxTokenLifetime {
			breach("max_token_lifetime", r.Address(), fmt.Sprintf("Tokens would live %d seconds, Auth0's default, and the policy allows %v", defaultTokenLifetime, po.MaxTokenLifetime),
				"Declare token_lifetime.")
		}
	}
}
