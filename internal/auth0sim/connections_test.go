package auth0sim_test

import (
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestConnectionUsers: a connection takes its users with it, from organizations too
// (community.auth0.com, "How to delete all users on a connection").
func TestConnectionUsers(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	con := s.newConnection("users", "auth0", obj{})
	gone := s.post("/users", obj{"connection": "users", "email": "a@b.example", "password": "x"})["user_id"]
	left := s.post("/users", obj{"connection": userDatabase, "email": "a@b.example", "password": "x"})["user_id"]
	members := "/organizations/" + s.post("/organizations", obj{"name": "a"})["id"].(string) + "/members"
	s.send("POST", members, obj{"members": []any{gone, left}}, 204)
	s.send("DELETE", "/connections/"+con, nil, 202)
	for _, path := range []string{"/users", members} {
		if got := s.send("GET", path, nil, 200).([]any); len(got) != 1 || got[0].(obj)["user_id"] != left {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// TestConnectorOffline: no connector calls here, so no AD connection is online (OAS GET
// /connections/{id}/status).
func TestConnectorOffline(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	s.refused("GET", "/connections/"+s.newConnection("corp", "ad", obj{})+"/status", nil, 404, "", "not connected to any node")
	s.refused("GET", "/connections/con_none/status", nil, 404, "inexistent_connection", "The connection does not exist")
}
