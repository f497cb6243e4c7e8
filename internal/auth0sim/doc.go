// Package auth0sim is an Auth0 tenant on loopback: the part of the Management API
// that Okta Express Configuration touches, and the token endpoint, with Auth0's
// validation, wording, defaults, paging, limits and state changes.
//
// It is called by the command "ecplan sim", by demos and by tests (Start makes a
// tenant in one line). It knows nothing of ecplan: it imports no other package of
// this project, so that it can't share its mistakes.
//
// # Sources
//
// Every rule names where it comes from:
//
//	facts §3.6      the collected facts about the service, by section
//	OAS Name        Auth0's OpenAPI document, by schema or operation
//	REC-tf Name     a recorded exchange of the Terraform provider; REC-go, REC-dc and
//	                REC-rb are those of go-auth0, the deploy CLI and the Ruby SDK
//	UNCONFIRMED     no source says so: a conservative choice, named in docs/simulator.md
//
// Where they differ, recorded traffic wins over the OpenAPI document, and the newest
// recording over older ones.
//
// # How a request runs
//
//	route → rate limit → bearer → scopes → path, query, body checked → handler → answer
//
// The first six steps are data (routes.go, operations.json, amendments.go); a
// handler sees a request that is well formed and permitted. Faults, hooks, latency
// and the log wrap the whole (exchange.go). The state is one struct per tenant
// behind one mutex (tenant.go); handlers run while it is held.
package auth0sim
