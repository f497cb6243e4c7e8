package rehearse

import (
	"strings"
	"time"
)

// deployed is an Action as it runs: the code and secrets of its deployed version.
func (a *authority) deployed(id string) action {
	o := with(a.world.Actions, "id", id)
	out := action{Name: str(o, "name"), Secrets: map[string]string{}}
	v := with(objects(o["versions"]), "id", o["deployed_version"])
	out.Code = str(v, "code")
	for _, s := range objects(v["secrets"]) {
		out.Secrets[str(s, "name")] = str(s, "value")
	}
	return out
}

// event is Auth0's event object of a post-login Action, as far as a first login of an
// admin fills it (https://auth0.com/docs/customize/actions/explore-triggers/signup-and-login-triggers/login-trigger/post-login-event-object).
func (a *authority) event(r request, client, user, org, api object, shared object) object {
	orEmpty := func(v any) any {
		if v == nil {
			return object{}
		}
		return v
	}
	roles := []string{}
	for _, role := range a.rolesOf(user, org) {
		roles = append(roles, str(role, "name"))
	}
	at := a.now.UTC().Format(time.RFC3339)
	tenant, _, _ := strings.Cut(a.stage.Domain, ".")
	profile := object{"app_metadata": object{}, "user_metadata": object{}, "identities": []any{}, "email_verified": true}
	for k, v := range user {
		if k != "password" && k != "permissions" {
			profile[k] = v
		}
	}
	directory := with(a.world.Conns, "name", directoryName)
	e := object{
		"authentication":  object{"methods": []any{object{"name": "pwd", "timestamp": at}}},
		"authorization":   object{"roles": roles},
		"client":          object{"client_id": client["client_id"], "name": client["name"], "metadata": orEmpty(client["client_metadata"])},
		"connection":      object{"id": directory["id"], "name": directory["name"], "strategy": directory["strategy"], "metadata": object{}},
		"resource_server": object{"identifier": api["identifier"]},
		"request": object{
			"hostname": a.stage.login(), "ip": "203.0.113.7", "language": "en", "method": "GET", "user_agent": "Mozilla/5.0 (rehearsal)",
			"body": object{}, "geoip": object{"countryCode": "US"},
			"query": object{
				"audience": r.Audience, "client_id": r.Client, "redirect_uri": callback, "response_type": "code",
				"scope": strings.Join(r.Scopes, " "), "state": "rehearsal",
			},
		},
		"session": object{"id": "rehearsal-session"},
		"stats":   object{"logins_count": 1},
		"tenant":  object{"id": tenant},
		"transaction": object{
			"id": "rehearsal", "protocol": "oidc-basic-profile", "redirect_uri": callback, "requested_scopes": r.Scopes, "response_type": []string{"code"},
			"acr_values": []any{}, "ui_locales": []any{}, "locale": "en", "state": "rehearsal", "metadata": shared,
		},
		"user": profile,
	}
	if org != nil {
		e["organization"] = object{"id": org["id"], "name": org["name"], "display_name": org["display_name"], "metadata": orEmpty(org["metadata"])}
	}
	return e
}
