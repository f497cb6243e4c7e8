package rehearse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issue makes the access token (facts §1.4.4).
func (a *authority) issue(out *login, r request, api, user, org object, scopes []string, claims object) {
	lifetime, _ := api["token_lifetime"].(float64)
	all := object{}
	for k, v := range claims {
		all[k] = v
	}
	audience := any(r.Audience)
	if slices.Contains(scopes, "openid") {
		audience = []any{r.Audience, "https://" + a.stage.Domain + "/userinfo"}
	}
	own := object{
		"iss": "https://" + a.stage.login() + "/", "sub": str(user, "user_id"), "aud": audience, "azp": r.Client,
		"iat": a.now.Unix(), "exp": a.now.Unix() + int64(lifetime), "scope": strings.Join(scopes, " "),
	}
	for k, v := range own {
		all[k] = v
	}
	if org != nil {
		all["org_id"] = str(org, "id")
	}
	token, err := sign(a.stage.key, jose.RS256, "at+jwt", all)
	if err != nil {
		out.refuse(Step{Who: "Auth0", To: "Okta", Title: "issues the token", Result: "fail", Lines: []string{err.Error()}}, "Auth0", err.Error())
		return
	}
	out.Token = token
	out.Claims, _ = normal(all).(object)
}

// sign makes a JWT. Its key id is the key's thumbprint.
func sign(key any, alg jose.SignatureAlgorithm, typ jose.ContentType, claims object) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: thumbprint(key)}}, (&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

func normal(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil
	}
	return out
}

// compact is v as JSON on one line.
func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}
