// Command distill takes from Auth0's OpenAPI document what the simulator checks
// requests against: for each served operation its summary, scopes, parameters and
// body schema, the schemas that those name, and the scopes of all operations. It is run
// by hand when the document changes:
//
//	go run ./internal/auth0sim/distill management-api-oas.json > internal/auth0sim/operations.json
//
// It knows nothing of the simulator but the list of path prefixes below.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// served lists the first path segments whose operations are taken over, and
// refused the fragments of paths that the simulator does not serve.
var (
	served = []string{
		"resource-servers", "roles", "clients", "client-grants", "actions", "tenants", "organizations",
		"connections", "users", "users-by-email", "connection-profiles", "user-attribute-profiles", "logs",
	}
	refused = []string{
		"/modules", "/directory-provisioning", "/discovery-domains", "/invitations", "/groups", "/cimd/", "/keys",
		"/authentication-methods", "/authenticators", "/connected-accounts", "/effective-", "/enrollments",
		"tokensets", "/identities", "}/logs", "/multifactor", "/recovery-code", "/revoke-access", "/risk-assessments",
		"/refresh-tokens", "/sessions", "/connections/{id}/users",
	}
	dropped = map[string]bool{"example": true, "examples": true, "title": true, "deprecated": true, "default": true, "discriminator": true}
)

type object = map[string]any

type operation struct {
	Summary string   `json:"summary"`
	Scopes  []string `json:"scopes"`
	Params  []object `json:"params,omitempty"`
	Body    any      `json:"body,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: distill management-api-oas.json > operations.json")
		os.Exit(1)
	}
	raw, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = distill(raw)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "distill:", err)
		os.Exit(1)
	}
}

func distill(raw []byte) error {
	var doc struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return err
	}
	operations, schemas, scopes := map[string]operation{}, map[string]any{}, map[string]bool{}
	for path, methods := range doc.Paths {
		for method, body := range methods {
			if !strings.Contains(" get post put patch delete ", " "+method+" ") {
				continue
			}
			var op struct {
				Summary     string
				Parameters  []object
				Security    []map[string][]string
				RequestBody struct {
					Content map[string]struct{ Schema any }
				}
			}
			if err := json.Unmarshal(body, &op); err != nil {
				return fmt.Errorf("%s %s: %w", method, path, err)
			}
			out := operation{Summary: op.Summary}
			for _, s := range op.Security {
				out.Scopes = append(out.Scopes, s["oAuth2ClientCredentials"]...)
			}
			for _, s := range out.Scopes {
				scopes[s] = true
			}
			if !wanted(path) {
				continue
			}
			for _, p := range op.Parameters {
				if p["in"] == "header" {
					continue
				}
				param := object{
					"name": p["name"], "in": p["in"], "description": p["description"], "schema": clean(p["schema"], doc.Components.Schemas, schemas),
				}
				if p["in"] == "query" && p["required"] == true {
					param["required"] = true
				}
				out.Params = append(out.Params, param)
			}
			if s := op.RequestBody.Content["application/json"].Schema; s != nil {
				out.Body = clean(s, doc.Components.Schemas, schemas)
			}
			operations[strings.ToUpper(method)+" "+path] = out
		}
	}
	out, err := json.Marshal(object{"operations": operations, "schemas": schemas, "scopes": slices.Sorted(maps.Keys(scopes))})
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(out, '\n'))
	return err
}

func wanted(path string) bool {
	for _, r := range refused {
		if strings.Contains(path, r) {
			return false
		}
	}
	for _, s := range served {
		if strings.HasPrefix(path, "/"+s) && (len(path) == len(s)+1 || path[len(s)+1] == '/') {
			return true
		}
	}
	return false
}

// clean copies a schema without what no check needs, and the schemas that it
// names into found. It looks at "properties" by name, so that a property called
// "title" stays.
func clean(v any, all, found map[string]any) any {
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			name := ref[strings.LastIndex(ref, "/")+1:]
			if _, ok := found[name]; !ok {
				found[name] = nil
				found[name] = clean(all[name], all, found)
			}
			out := object{"$ref": name}
			if d, ok := v["description"]; ok {
				out["description"] = d
			}
			return out
		}
		out := object{}
		for k, x := range v {
			switch {
			case k == "properties":
				props := object{}
				for name, p := range x.(object) {
					props[name] = clean(p, all, found)
				}
				out[k] = props
			case dropped[k] || strings.HasPrefix(k, "x-"):
			default:
				out[k] = clean(x, all, found)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clean(x, all, found)
		}
		return out
	}
	return v
}
