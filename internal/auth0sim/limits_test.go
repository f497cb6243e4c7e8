package auth0sim_test

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

const tooMany = "You reached the limit of entities of this type for this tenant."

// keyOf is a public key of that many bits which nobody has the private one of.
func keyOf(bits int, n int64) string {
	modulus := new(big.Int).Lsh(big.NewInt(1), uint(bits-1)) //nolint:gosec // a few thousand
	return publicPEM(&rsa.PrivateKey{PublicKey: rsa.PublicKey{N: modulus.Add(modulus, big.NewInt(2*n+1)), E: 65537}})
}

// TestPlanLimits: what a plan names is how many there can be (facts §4).
func TestPlanLimits(t *testing.T) {
	s := newTenant(t, auth0sim.Options{RateLimit: "free", Now: clockOf(time.Hour)})
	for i := range 10 {
		s.post("/clients", obj{"name": "c"})
		s.post("/resource-servers", obj{"identifier": fmt.Sprint("https://api/", i)})
	}
	s.refused("POST", "/clients", obj{"name": "c"}, 403, "too_many_entities", tooMany)
	s.refused("POST", "/resource-servers", obj{"identifier": "https://more"}, 403, "too_many_entities", tooMany)
}

// clockOf is a clock that each look moves on.
func clockOf(step time.Duration) func() time.Time {
	now := time.Unix(1_800_000_000, 0)
	return func() time.Time { now = now.Add(step); return now }
}

// TestLimits: what one object can have of others (facts §3.2, §3.4, §3.6, §3.8).
func TestLimits(t *testing.T) {
	s := newTenant(t, auth0sim.Options{})
	client := "/clients/" + s.post("/clients", obj{"name": "c"})["client_id"].(string)
	var ids []any
	for i := range 4 {
		ids = append(ids, obj{"id": s.post(client+"/credentials", obj{"credential_type": "public_key", "pem": keyOf(2048, int64(i))})["id"]})
	}
	s.refused("POST", client+"/credentials", obj{"credential_type": "public_key", "pem": keyOf(2048, 9)}, 400, "invalid_body", "A client can have a maximum of 4 credentials.")
	attach := func(n int) obj {
		return obj{"client_authentication_methods": obj{"private_key_jwt": obj{"credentials": ids[:n]}}}
	}
	s.refused("PATCH", client, attach(3), 400, "invalid_body", "Payload validation error: 'Array is too long (3), maximum 2' on property client_authentication_methods.private_key_jwt.credentials.")
	s.patch(client, attach(2))
	other := "/clients/" + s.post("/clients", obj{"name": "d"})["client_id"].(string)
	for _, bits := range []int{1024, 2047, 4097} {
		s.refused("POST", other+"/credentials", obj{"credential_type": "public_key", "pem": keyOf(bits, 1)}, 400, "invalid_body", "Invalid public key…")
	}
	s.post(other+"/credentials", obj{"credential_type": "public_key", "pem": keyOf(4096, 1)})

	var bindings []any
	for i := range 100 {
		a := s.post("/actions/actions", obj{"name": fmt.Sprint("a", i), "supported_triggers": []any{obj{"id": "post-login"}}, "deploy": i < 21})
		bindings = append(bindings, obj{"ref": obj{"type": "action_id", "value": a["id"]}})
	}
	action := "/actions/actions/" + bindings[0].(obj)["ref"].(obj)["value"].(string)
	s.refused("POST", "/actions/actions", obj{"name": "x", "supported_triggers": []any{obj{"id": "post-login"}}}, 403, "", tooMany)
	s.refused("PATCH", "/actions/triggers/post-login/bindings", obj{"bindings": bindings[:21]}, 400, "", "invalid UpdateBindingsRequest.Bindings…")
	s.patch("/actions/triggers/post-login/bindings", obj{"bindings": bindings[:20]})
	const draft = "Draft: embedded message failed validation | caused by: invalid DraftInformation."
	for name, body := range map[string]obj{
		draft + "Secrets[1]: embedded message failed validation | caused by: invalid NameValueOptional.Value: value":                                                  {"secrets": []any{obj{"name": "n"}, obj{"name": "o", "value": strings.Repeat("x", 4097)}}},
		draft + "Secrets[0]: embedded message failed validation | caused by: invalid NameValueOptional.Name: value length must be between 1 and 128 runes, inclusive": {"secrets": []any{obj{"name": ""}}},
		draft + "Secrets: value must contain no more than 30 item(s)":                                                                                                 {"secrets": numbered(31, obj{"value": "v"})},
		draft + "Dependencies: value must contain no more than 10 item(s)":                                                                                            {"dependencies": numbered(11, obj{"version": "1"})},
		draft + "Code: value length": {"code": strings.Repeat("x", 100_001)},
		draft + "Modules[0]: embedded message failed validation | caused by: invalid ModuleRef.ModuleVersionId: value must be a valid UUID |": {"modules": []any{obj{"module_id": "7d2bc0c9-c0c2-433a-9f4e-86ef80270aad", "module_name": "m", "module_version_number": 1}}},
		"SupportedTriggers: value": {"supported_triggers": []any{obj{"id": "post-login"}, obj{"id": "post-login"}}},
	} {
		s.refused("PATCH", action, body, 400, "", "invalid UpdateActionRequest."+name+"…")
	}
	s.refused("PATCH", action, obj{"runtime": "node20"}, 400, "", "runtime is not supported")
	if a := s.patch(action, obj{"runtime": ""}); a["runtime"] != "node22" {
		t.Errorf("an empty runtime became %q", a["runtime"])
	}
	s.patch(action, obj{"secrets": numbered(30, obj{"value": "v"}), "dependencies": numbered(10, obj{"version": "1"}), "code": strings.Repeat("x", 100_000)})
	for range 55 {
		s.post(action+"/deploy", nil)
	}
	if versions := s.get(action + "/versions?per_page=100"); versions["total"] != 50.0 {
		t.Errorf("%v versions are kept", versions["total"])
	}

	organization := "/organizations/" + s.post("/organizations", obj{"name": "acme"})["id"].(string)
	user := s.post("/users", obj{"connection": "Username-Password-Authentication", "email": "a@b.example", "password": "x"})["user_id"].(string)
	person := strings.Replace(user, "|", "%7C", 1)
	s.send("POST", organization+"/members", obj{"members": []any{user}}, 204)
	for i := range 11 {
		con := obj{"connection_id": s.post("/connections", obj{"name": fmt.Sprint("okta", i), "strategy": "okta", "options": obj{"domain": "x.okta.com"}})["id"]}
		if i < 10 {
			s.post(organization+"/connections", con)
		} else {
			s.refused("POST", organization+"/connections", con, 403, "too_many_entities", tooMany)
		}
	}
	var roles []any
	for i := range 51 {
		roles = append(roles, s.post("/roles", obj{"name": fmt.Sprint("r", i)})["id"])
	}
	member, holder := organization+"/members/"+person+"/roles", "/users/"+person+"/roles"
	for _, at := range []string{member, holder} {
		s.send("POST", at, obj{"roles": roles[:50]}, 204)
	}
	s.refused("POST", member, obj{"roles": roles[50:]}, 409, "", "No more roles can be assigned to this organization member.")
	s.refused("POST", holder, obj{"roles": roles[50:]}, 403, "too_many_entities", tooMany)
}

func numbered(n int, with obj) []any {
	var out []any
	for i := range n {
		o := obj{"name": fmt.Sprint("n", i)}
		for k, v := range with {
			o[k] = v
		}
		out = append(out, o)
	}
	return out
}

// TestListLagTime: what was created lists when the time is over.
func TestListLagTime(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newTenant(t, auth0sim.Options{ListLag: 2 * time.Second, Now: func() time.Time { return now }})
	s.get("/roles/" + s.post("/roles", obj{"name": "late"})["id"].(string))
	for range 2 {
		if all := s.send("GET", "/roles", nil, 200).([]any); len(all) != 0 {
			t.Fatalf("it lists at once: %v", all)
		}
		now = now.Add(time.Second)
	}
	if all := s.send("GET", "/roles", nil, 200).([]any); len(all) != 1 {
		t.Errorf("it does not list: %v", all)
	}
}
