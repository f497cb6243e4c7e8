package express

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestObstacles meets each obstacle alone; what Auth0 sets by itself is none.
func TestObstacles(t *testing.T) {
	type object = map[string]any
	policy := func(p string) object { return object{"user": object{"policy": p}} }
	grantFor := func(scope ...any) []object {
		return []object{{"client_id": "oin", "audience": APIIdentifier, "subject_type": "user", "scope": scope}}
	}
	for _, x := range []struct {
		name               string
		api, client, grant object
		users              []object
		want               []string
	}{
		{name: "as Auth0 makes them", api: object{"signing_alg": "RS256", "subject_type_authorization": policy("allow_all")}, client: object{"require_pushed_authorization_requests": false, "compliance_level": nil}},
		{name: "a shared secret", api: object{"signing_alg": "HS256"}, want: []string{"api.signing_alg"}},
		{name: "encryption", api: object{"token_encryption": object{"format": "compact-nested-jwe"}}, want: []string{"api.token_encryption"}},
		{name: "bound tokens", api: object{"proof_of_possession": object{"required": true}}, want: []string{"api.proof_of_possession"}},
		{name: "bound tokens of public clients", api: object{"proof_of_possession": object{"required": true, "required_for": "public_clients"}}},
		{name: "no users", api: object{"subject_type_authorization": policy("deny_all")}, want: []string{"api.subject_type_authorization"}},
		{name: "no grant", api: object{"subject_type_authorization": policy("require_client_grant")}, want: []string{"grant.user"}},
		{name: "a grant of too little", api: object{"subject_type_authorization": policy("require_client_grant")}, users: grantFor(), want: []string{"grant.user"}},
		{name: "a grant", api: object{"subject_type_authorization": policy("require_client_grant")}, users: grantFor(ScopeSSO)},
		{name: "pushed requests", client: object{"require_pushed_authorization_requests": true}, want: []string{"client.require_pushed_authorization_requests"}},
		{name: "bound requests", client: object{"require_proof_of_possession": true}, want: []string{"client.require_proof_of_possession"}},
		{name: "signed requests", client: object{"signed_request_object": object{"required": true}}, want: []string{"client.signed_request_object"}},
		{name: "FAPI", client: object{"compliance_level": "fapi1_adv_pkj_par"}, want: []string{"client.compliance_level"}},
		{name: "organizations only", grant: object{"organization_usage": "require"}, want: []string{"grant.organization_usage"}},
	} {
		api, client := object{"identifier": APIIdentifier}, object{"client_id": "oin"}
		for k, v := range x.api {
			api[k] = v
		}
		for k, v := range x.client {
			client[k] = v
		}
		var got []string
		for _, o := range append(APIObstacles(api), ClientObstacles(api, client, x.grant, x.users, AskedScopes(false))...) {
			got = append(got, o.ID)
		}
		if diff := cmp.Diff(x.want, got); diff != "" {
			t.Errorf("%s: %s", x.name, diff)
		}
	}
}
