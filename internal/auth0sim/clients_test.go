package auth0sim_test

import (
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestClientReading: which scopes open which fields of a client, and its connections
// (OAS GET /clients/{id}, GET /clients/{id}/connections).
func TestClientReading(t *testing.T) {
	seed := []byte(`{"clients": [{"name": "c", "client_id": "c"}]}`)
	with := func(scopes ...string) *tenant {
		return newTenant(t, auth0sim.Options{Seed: seed, TokenScopes: scopes})
	}
	s := with("read:client_summary")
	if got := s.get("/clients/c"); got["name"] != "c" || got["grant_types"] != nil || got["client_secret"] != nil {
		t.Errorf("%v", got)
	}
	s.get("/clients/c?fields=name,app_type")
	s.get("/clients/c?fields=callbacks&include_fields=false")
	const closed = "You cannot read the following fields: "
	s.refused("GET", "/clients/c?fields=name,callbacks,client_secret", nil, 403, "insufficient_scope", closed+"callbacks, client_secret")
	s.refused("GET", "/clients?fields=grant_types", nil, 403, "insufficient_scope", closed+"grant_types")
	s.refused("GET", "/clients/c/connections", nil, 403, "insufficient_scope", "Insufficient scope, expected any of: read:connections")

	s = with("read:client_credentials")
	s.get("/clients/c?fields=client_secret")
	s.refused("GET", "/clients/c?fields=callbacks", nil, 403, "insufficient_scope", closed+"callbacks")
	s = with("read:clients")
	s.get("/clients/c?fields=callbacks")
	s.refused("GET", "/clients/c?fields=callbacks,client_secret", nil, 403, "insufficient_scope", closed+"client_secret")

	with("read:connections", "read:client_summary").get("/clients/c/connections")
	with("read:connections").refused("GET", "/clients/c/connections", nil, 403, "insufficient_scope", "Insufficient scope, expected any of: read:clients,read:client_summary")
}
