package fleet_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/manifest"
)

// The pools are small, so that manifests and tenants often mean the same objects.
var (
	poolAPIs    = []string{"https://api.one.example", "urn:two"}
	poolScopes  = []string{"read:x", "write:x", "admin"}
	poolRoles   = []string{"ops", "support"}
	poolClients = []string{"Alpha", "Beta"}
	poolActions = []string{"audit", "enrich", "deny"}
	poolFlags   = []string{"use_scope_descriptions_for_consent", "enable_client_connections", "revoke_refresh_token_grant"}
	poolCode    = []string{
		"exports.onExecutePostLogin = async () => {};\n",
		"\n  exports.onExecutePostLogin = async (event, api) => {\n    api.user.setUserMetadata(`a${1}`, 1);\n  };",
	}
)

// testKeys are two public keys, made once.
var testKeys = sync.OnceValue(func() [2]string {
	var out [2]string
	for i := range out {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			panic(err)
		}
		out[i] = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	return out
})

type object = map[string]any

// some draws a subset of a pool, in random order.
func some(t *rapid.T, label string, pool []string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(pool), 0, len(pool), rapid.ID).Draw(t, label)
}

// maybe sets a field, or leaves it out.
func maybe(t *rapid.T, m object, field string, values ...any) {
	if i := rapid.IntRange(-1, len(values)-1).Draw(t, field); i >= 0 {
		m[field] = values[i]
	}
}

func drawScopes(t *rapid.T, label string) []any {
	var out []any
	for _, s := range some(t, label, poolScopes) {
		out = append(out, object{"value": s, "description": rapid.SampledFrom([]string{"one", "two"}).Draw(t, "description")})
	}
	return out
}

func drawAPI(t *rapid.T, identifier string) object {
	m := object{"identifier": identifier}
	maybe(t, m, "name", "First", "Second")
	maybe(t, m, "token_lifetime", 300, 86400)
	maybe(t, m, "enforce_policies", true, false)
	maybe(t, m, "allow_offline_access", true, false)
	if scopes := drawScopes(t, "scopes"); len(scopes) > 0 {
		m["scopes"] = scopes
	}
	return m
}

func drawClient(t *rapid.T, name string) object {
	m := object{"name": name}
	maybe(t, m, "description", "one", "two")
	maybe(t, m, "app_type", "regular_web", "spa")
	maybe(t, m, "callbacks", []string{"https://a.example", "https://b.example"}, []string{"https://b.example"}, []string{})
	maybe(t, m, "grant_types", []string{"authorization_code", "client_credentials"}, []string{"client_credentials"})
	maybe(t, m, "oidc_conformant", true, false)
	maybe(t, m, "client_metadata", object{"a": "1"}, object{"a": "2", "b": "1"}, object{"b": "3"})
	maybe(t, m, "organization_usage", "allow", "require")
	return m
}

func drawAction(t *rapid.T, name string) object {
	m := object{"name": name, "code": rapid.SampledFrom(poolCode).Draw(t, "code")}
	maybe(t, m, "runtime", "node22", "node18")
	return m
}

// drawSeed makes what a tenant holds before.
func drawSeed(t *rapid.T) object {
	seed := object{}
	var apis, roles, clients, actions []any
	for _, a := range some(t, "seed apis", poolAPIs) {
		apis = append(apis, drawAPI(t, a))
	}
	for _, r := range some(t, "seed roles", poolRoles) {
		role := object{"name": r}
		maybe(t, role, "description", "one", "two")
		var ps []any
		for _, a := range apis {
			for _, s := range list(a.(object)["scopes"]) {
				if rapid.Bool().Draw(t, "has permission") {
					ps = append(ps, object{"resource_server_identifier": a.(object)["identifier"], "permission_name": s.(object)["value"]})
				}
			}
		}
		if len(ps) > 0 {
			role["permissions"] = ps
		}
		roles = append(roles, role)
	}
	for _, c := range some(t, "seed clients", poolClients) {
		clients = append(clients, drawClient(t, c))
	}
	var bound []string
	for _, a := range some(t, "seed actions", append([]string{"foreign"}, poolActions...)) {
		act := drawAction(t, a)
		act["supported_triggers"] = []any{object{"id": "post-login", "version": "v3"}}
		maybe(t, act, "secrets", []any{object{"name": "A", "value": canary + "seeded"}})
		if rapid.Bool().Draw(t, "deployed") {
			act["deployed"] = true
			if rapid.Bool().Draw(t, "bound") {
				bound = append(bound, a)
			}
		}
		actions = append(actions, act)
	}
	flags := object{}
	for _, f := range some(t, "seed flags", poolFlags) {
		flags[f] = rapid.Bool().Draw(t, f)
	}
	for k, v := range map[string][]any{"resource_servers": apis, "roles": roles, "clients": clients, "actions": actions} {
		if len(v) > 0 {
			seed[k] = v
		}
	}
	seed["tenant"] = object{"flags": flags}
	if len(bound) > 0 {
		seed["bindings"] = object{"post-login": bound}
	}
	return seed
}

func list(v any) []any { l, _ := v.([]any); return l }

// drawManifest makes documents for the same small world.
func drawManifest(t *rapid.T, domain string) []object {
	var docs []object
	add := func(kind, name string, meta, spec object) {
		m := object{"name": name}
		for k, v := range meta {
			m[k] = v
		}
		docs = append(docs, object{"apiVersion": "ecplan/v1", "kind": kind, "metadata": m, "spec": spec})
	}
	var apis []object
	for i, a := range some(t, "apis", poolAPIs) {
		spec := drawAPI(t, a)
		maybe(t, spec, "exclusive", true)
		apis = append(apis, spec)
		add("ResourceServer", fmt.Sprintf("api-%d", i), nil, spec)
	}
	for _, r := range some(t, "roles", poolRoles) {
		spec := object{"name": r}
		maybe(t, spec, "description", "one", "two", "three")
		var ps []any
		for _, a := range apis {
			for _, s := range list(a["scopes"]) {
				if rapid.Bool().Draw(t, "permission") {
					ps = append(ps, object{"resource_server_identifier": a["identifier"], "permission_name": s.(object)["value"]})
				}
			}
		}
		if len(ps) > 0 {
			spec["permissions"] = ps
			maybe(t, spec, "exclusive", true)
		}
		add("Role", r, nil, spec)
	}
	for _, c := range some(t, "clients", poolClients) {
		spec := drawClient(t, c)
		if k := rapid.IntRange(-1, 1).Draw(t, "key"); k >= 0 {
			spec["credentials"] = []any{object{"name": "key", "credential_type": "public_key", "pem": testKeys()[k], "alg": "RS256"}}
			spec["jwt_configuration"] = object{"alg": "RS256"}
		}
		add("Client", strings.ToLower(c), nil, spec)
		if rapid.Bool().Draw(t, "grant") {
			add("ClientGrant", strings.ToLower(c), nil, object{
				"client_id": "${Client/" + strings.ToLower(c) + ".client_id}", "audience": "https://" + domain + "/api/v2/",
				"scope": rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"read:clients", "read:roles", "create:roles"}), 1, 3, rapid.ID).Draw(t, "grant scope"),
			})
		}
	}
	for _, a := range some(t, "actions", poolActions) {
		spec := drawAction(t, a)
		spec["trigger"] = "post-login"
		maybe(t, spec, "secrets", object{"A": canary + "one"}, object{"A": canary + "one", "B": canary + "two"})
		maybe(t, spec, "dependencies", object{"lodash": "4.17.21"}, object{})
		maybe(t, spec, "bind", object{}, object{"position": "first"}, object{"position": "last"})
		if rapid.Bool().Draw(t, "whole flow") && spec["bind"] != nil {
			spec["exclusive"] = true
		}
		maybe(t, spec, "display_name", "Shown as "+a, a)
		add("Action", a, object{"acknowledge": object{"secret-loss": "a test"}}, spec)
	}
	flags := object{}
	for _, f := range some(t, "flags", poolFlags) {
		flags[f] = rapid.Bool().Draw(t, f)
	}
	if len(flags) > 0 {
		add("TenantSettings", "tenant", nil, object{"flags": flags})
	}
	return docs
}

const tenantDocument = `
apiVersion: ecplan/v1
kind: Tenant
metadata: {name: local}
spec:
  domain: %s
  insecure: true
  auth: {token: "${env.TOKEN}"}
`

func (b *bench) manifest(docs []object) {
	b.t.Helper()
	var text strings.Builder
	for _, d := range docs {
		data, err := json.Marshal(d) // JSON is YAML
		if err != nil {
			b.t.Fatal(err)
		}
		text.Write(data)
		text.WriteString("\n---\n")
	}
	fmt.Fprintf(&text, tenantDocument, b.sim.Domain())
	b.write("manifest.yaml", text.String())
}

func (b *bench) state() object {
	b.t.Helper()
	var out object
	if err := json.Unmarshal(b.sim.Snapshot(), &out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// TestConverges: whatever is declared of whatever tenant, one apply does it, and what
// the manifest does not name stays as it was.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, err := json.Marshal(drawSeed(rt))
		if err != nil {
			rt.Fatal(err)
		}
		b := newBench(t, seed)
		defer b.sim.Close() //nolint:errcheck // closed again at the end of the test
		var ever []object
		for range 2 { // then another manifest on what the first one left
			docs := drawManifest(rt, b.sim.Domain())
			ever = append(docs, ever...)
			b.manifest(docs)
			before := b.state()
			first := b.plan()
			if again := b.plan(); !reflect.DeepEqual(first, again) {
				rt.Fatalf("two plans of the same differ:\n%s\n%s", indent(first), indent(again))
			}
			b.apply()
			if p := b.plan(); len(p.Steps) > 0 {
				rt.Fatalf("the second plan is not empty:\n%s", indent(p.Steps))
			}
			if err := untouched(before, b.state(), ever, first.Steps == nil); err != nil {
				rt.Fatalf("%v\nmanifest: %s\nplan: %s", err, indent(docs), indent(first.Steps))
			}
		}
	})
}

func indent(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// untouched compares what the manifest does not name: objects, and fields of those
// that it names.
func untouched(before, after object, docs []object, nothing bool) error {
	if nothing && !reflect.DeepEqual(before, after) {
		return fmt.Errorf("a plan without steps changed the tenant")
	}
	for collection, by := range map[string][2]string{
		"resource_servers": {"ResourceServer", "identifier"}, "roles": {"Role", "name"},
		"clients": {"Client", "name"}, "actions": {"Action", "name"},
	} {
		for _, e := range list(before[collection]) {
			was := e.(object)
			now := same(list(after[collection]), was)
			if now == nil {
				return fmt.Errorf("%s %v is gone", by[0], was[by[1]])
			}
			if ps := list(was["permissions"]); len(ps) > 0 {
				was["permissions"] = standing(ps, after) // a scope that goes takes its permissions with it
			}
			spec := specOf(docs, by[0], by[1], was[by[1]])
			for _, f := range manifest.Keys(was) {
				if spec == nil && !reflect.DeepEqual(was[f], now[f]) {
					return fmt.Errorf("%s %v is not named, and its %s changed from %s to %s", by[0], was[by[1]], f, indent(was[f]), indent(now[f]))
				}
				if spec != nil && !declares(docs, by[0], by[1], was[by[1]], f) && !consequence[f] && !reflect.DeepEqual(was[f], now[f]) {
					return fmt.Errorf("%s %v: its %s is not named, and changed from %s to %s", by[0], was[by[1]], f, indent(was[f]), indent(now[f]))
				}
			}
		}
	}
	return nil
}

// standing leaves those permissions whose scope is still there.
func standing(ps []any, after object) []any {
	out := []any{}
	for _, p := range ps {
		for _, a := range list(after["resource_servers"]) {
			for _, s := range list(a.(object)["scopes"]) {
				if p.(object)["resource_server_identifier"] == a.(object)["identifier"] && p.(object)["permission_name"] == s.(object)["value"] {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// consequence are fields that Auth0 itself changes along with others.
var consequence = map[string]bool{
	"updated_at": true, "status": true, "all_changes_deployed": true, "deployed_version": true, "current_version": true,
	"versions": true, "building_since": true, "built_at": true, "credentials": true, "client_authentication_methods": true, "client_secret": true,
	"token_endpoint_auth_method": true,
}

func same(l []any, was object) object {
	for _, e := range l {
		m := e.(object)
		for _, id := range []string{"id", "client_id"} {
			if m[id] != nil && m[id] == was[id] {
				return m
			}
		}
	}
	return nil
}

// declares reports whether one of docs declares the field, now or in a former manifest:
// what a run has added goes when it is no longer declared.
func declares(docs []object, kind, field string, value any, f string) bool {
	for _, d := range docs {
		spec := d["spec"].(object)
		if _, ok := spec[f]; ok && d["kind"] == kind && spec[field] == value {
			return true
		}
	}
	return false
}

func specOf(docs []object, kind, field string, value any) object {
	for _, d := range docs {
		if spec := d["spec"].(object); d["kind"] == kind && spec[field] == value {
			return spec
		}
	}
	return nil
}
