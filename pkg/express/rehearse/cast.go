package rehearse

import (
	"context"
	"crypto/rsa"
	"net/url"
)

// cast brings the people of the rehearsal on stage: a directory, an organization with
// an admin who has the role and a member who has not, and somebody who belongs nowhere.
func (s *Stage) cast(ctx context.Context, sc Script) (cast, error) {
	var c cast
	clients := []any{}
	for _, p := range sc.Parts {
		if p.Client != "" {
			clients = append(clients, p.Client)
		}
	}
	if _, err := s.arrange(ctx, "POST", "connections", object{"name": directoryName, "strategy": "auth0", "enabled_clients": clients}); err != nil {
		return c, err
	}
	name := sc.OrganizationName
	if name == "" {
		name = "customer"
	}
	org := object{"name": stagePrefix + name, "display_name": name}
	if len(sc.Metadata) > 0 {
		org["metadata"] = sc.Metadata
	}
	made, err := s.arrange(ctx, "POST", "organizations", org)
	if err != nil {
		return c, err
	}
	c.org = made
	for _, who := range []struct {
		id   *string
		name string
	}{{&c.admin, "admin"}, {&c.member, "member"}, {&c.outsider, "outsider"}} {
		user := object{"connection": directoryName, "email": who.name + "@customer.example", "password": draw(), "email_verified": true}
		if who.name == "admin" && len(sc.AppMetadata) > 0 {
			user["app_metadata"] = sc.AppMetadata
		}
		got, err := s.arrange(ctx, "POST", "users", user)
		if err != nil {
			return c, err
		}
		*who.id = str(got, "user_id")
	}
	members := "organizations/" + str(c.org, "id") + "/members"
	if _, err := s.arrange(ctx, "POST", members, object{"members": []any{c.admin, c.member}}); err != nil {
		return c, err
	}
	w, err := s.world()
	if err != nil {
		return c, err
	}
	role := with(w.Roles, "name", sc.Role)
	if role == nil {
		return c, nil // RBAC will tell
	}
	_, err = s.arrange(ctx, "POST", members+"/"+url.PathEscape(c.admin)+"/roles", object{"roles": []any{role["id"]}})
	return c, err
}

// giveKey lets the client sign in with the rehearsal's key instead of Okta's, whose
// private half nobody here has.
func (s *Stage) giveKey(ctx context.Context, client string, key *rsa.PrivateKey) error {
	pem, err := publicPEM(key)
	if err != nil {
		return err
	}
	path := "clients/" + url.PathEscape(client)
	made, err := s.arrange(ctx, "POST", path+"/credentials", object{"name": "rehearsal", "credential_type": "public_key", "pem": pem, "alg": "RS256"})
	if err != nil {
		return err
	}
	_, err = s.arrange(ctx, "PATCH", path, object{
		"client_authentication_methods": object{"private_key_jwt": object{"credentials": []any{object{"id": made["id"]}}}},
	})
	return err
}
