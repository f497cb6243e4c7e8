package auth0sim_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// TestMain runs the tests and then holds everything that they sent and got against
// Auth0's OpenAPI document, if that is beside the repository.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = checkOwn()
	}
	os.Exit(code)
}

// TestExchangesOfOthers holds the exchanges of a whole test run to the document: those
// in the file that AUTH0SIM_CHECK names, which every simulator of a run with
// AUTH0SIM_EXCHANGES appends to. The test command (.ci/test) does both.
func TestExchangesOfOthers(t *testing.T) {
	name := os.Getenv("AUTH0SIM_CHECK")
	if name == "" {
		t.Skip("AUTH0SIM_CHECK names no file; the test command runs this")
	}
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newChecker(raw)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		c.check(line)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if c.n < fewest {
		t.Errorf("only %d exchanges are in %s, and a run of all tests has more than %d: are simulators started without them?", c.n, name, fewest)
	}
	if c.report() != 0 {
		t.Error("the tests' exchanges do not fit Auth0's document; see above. What traffic disproves belongs among the exceptions")
	}
}

// fewest is how many exchanges a run of all tests has at least.
const fewest = 5000

var document = filepath.Join("..", "..", "..", "shared", "facts", "management-api-oas.json")

// exception is a deviation that stands. One that only replayed recordings show is not
// missed where they are not checked.
type exception struct {
	pattern, why string
	replayed     bool
}

// exceptions are where recorded traffic, or an error in the document, disproves it:
// a pattern of what the check says, and why. Each must be used, so that the list
// stays true.
var exceptions = []exception{
	{`^PATCH /resource-servers/\{id\}: status 200`, "201 in the document, 200 in 75 recordings (facts §2)", false},
	{`^DELETE /roles/\{id\}/permissions: status 204`, "200 in the document, 204 in 12 recordings (facts §2)", false},
	{`^POST /actions/actions/\{id\}/deploy: status 200`, "202 in the document, 200 in 21 recordings (facts §2)", false},
	{`^POST /actions/actions/\{actionId\}/versions/\{id\}/deploy: status 200`, "as above", false},
	{`^PATCH /clients/\{client_id\}/credentials/\{credential_id\}: status 200`, "201 in the document, 200 in 3 recordings (facts §2)", false},
	{`: status (404|409)$`, "the document leaves out statuses that were recorded or reported (facts §3.0)", false},
	{`/tenants/settings: (answer|request): .*(use_scope_descriptions_for_consent|universal_login|enable_sso|disable_impersonation|flags)`, "flags that recordings have and the document lacks (facts §2)", false},
	{`/tenants/settings: answer: /(idle_)?ephemeral_session_lifetime: must be >= 1`, "hours that were set in minutes: the document's own PATCH allows one (go-auth0's TestTenantManager reads 0.25)", false},
	{`/connection-profiles.*: answer: .*(connection_config|strategy_overrides): expected object, but got null`, "null while unset (REC-tf ConnectionProfile, ClientExpressAppConfiguration)", false},
	{`^(POST|PATCH) /organizations.*: request: : additionalProperties .*(is_app_entitlement_active|third_party_client_access)`, "shown in recordings (REC-tf RoleOrganizationLevel); go-auth0's test sends the first, clients since 2026-07 the second (terraform-provider-auth0 #1643)", false},
	{`/resource-servers.*: (answer|request): .*token_lifetime_for_web`, "recorded, missing from the document (facts §3.1)", false},
	{`/connections.*: answer: .*additionalProperties ('(enabled_clients|cross_app_access_resource_app|provisioning_ticket_url)'(, )?)+ not allowed$`, "fields that recordings have (REC-tf ConnectionOkta, ConnectionOIDCMetadata)", false},
	{`/roles.*: (answer|request): .*(type|owner_id)`, "roles have a type since 2026-08 (REC-tf Role)", false},
	{`/actions/.*: answer: .*additionalProperties 'current_version' not allowed$`, "recorded in actions and bindings (REC-tf Action)", false},
	{`^POST /clients: answer: /client_authentication_methods/.*/credentials/#: `, "the answer to a create has the whole credentials (facts §3.3)", false},
	{`^GET [^ ]+: answer: : (expected (array, but got object|object, but got array)|valid against schemas at indexes [0-9 and]+|additionalProperties ('(limit|start|total)'(, )?)+ not allowed)$`, "a listing has several styles, and an empty array is two of them; what else differs is named at its element", false},
	{`/clients.*: (answer|request): /token_vault_privileged_access(: additionalProperties 'grants' not allowed|/credentials/#: additionalProperties .* not allowed|: expected object, but got null|/ip_allowlist/#: valid against schemas at indexes [0-9 and]+)$`, "grants, null, and addresses that are both of two kinds: all recorded (REC-tf ClientCredentialsTokenVaultPrivilegedAccess); credentials are whole after a create (go-auth0's test of it)", true},
	{`/resource-servers.*: answer: /token_encryption/encryption_key: (additionalProperties 'thumbprint_sha256' not allowed|missing properties: 'pem')$`, "a recorded answer has the key's thumbprint in place of the key (REC-tf ResourceServer)", true},
	{`^PATCH /clients/\{id\}: request: /(signed_request_object|oidc_backchannel_logout): expected object, but got null$`, "null takes it away, as recorded (REC-tf ClientAuthenticationMethodsTLSClientAuth, ClientOIDCLogout)", true},
	{`/clients.*: (answer|request): .*additionalProperties 'cross_origin_auth' not allowed$`, "a deprecated name that reports say is still taken and shown (deploy-cli #1322)", false},
	{`^(POST|PATCH) /clients.*: request: : additionalProperties 'identity_assertion_authorization_grant' not allowed$`, "recorded (REC-tf ClientIdentityAssertionAuthorizationGrant)", true},
	{`^POST /connections: request: : additionalProperties 'cross_app_access_resource_app' not allowed$`, "recorded (REC-tf ConnectionOIDCMetadata)", true},
	{`^DELETE /users/\{id\}/roles: status 400`, "a body that does not fit its schema is refused here as everywhere", false},
}

func checkOwn() int {
	raw, err := os.ReadFile(document)
	if err != nil {
		fmt.Printf("SKIPPED: the check of all exchanges against Auth0's OpenAPI document: %s is not there\n", document)
		return 0
	}
	c, err := newChecker(raw)
	if err != nil {
		fmt.Println("read the OpenAPI document:", err)
		return 1
	}
	for line := range bytes.Lines(allExchanges.b.Bytes()) {
		c.check(line)
	}
	return c.report()
}

type checker struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
	paths    []apiPath
	found    map[string]int // problem → times
	n        int
	known    map[[sha256.Size]byte]bool // exchanges that were checked
}

type apiPath struct {
	pattern string
	re      *regexp.Regexp
	ops     map[string]any
}

func newChecker(raw []byte) (*checker, error) {
	c := &checker{compiled: map[string]*jsonschema.Schema{}, found: map[string]int{}, known: map[[sha256.Size]byte]bool{}}
	if err := json.Unmarshal(raw, &c.doc); err != nil {
		return nil, err
	}
	c.compiler = jsonschema.NewCompiler()
	c.compiler.Draft = jsonschema.Draft2020
	defang(c.doc)
	clean, err := json.Marshal(c.doc)
	if err != nil {
		return nil, err
	}
	if err := c.compiler.AddResource("https://oas.example/document", bytes.NewReader(clean)); err != nil {
		return nil, err
	}
	for p, ops := range c.doc["paths"].(map[string]any) {
		re := regexp.MustCompile(`\\\{[a-zA-Z_]+\\\}`).ReplaceAllString(regexp.QuoteMeta(p), `[^/]+`)
		c.paths = append(c.paths, apiPath{p, regexp.MustCompile("^" + re + "$"), ops.(map[string]any)})
	}
	sort.Slice(c.paths, func(i, j int) bool { // fewer parameters first: organizations/name/{name}
		a, b := strings.Count(c.paths[i].pattern, "{"), strings.Count(c.paths[j].pattern, "{")
		return a < b || a == b && c.paths[i].pattern < c.paths[j].pattern
	})
	return c, nil
}

// defang takes out patterns that Go can't compile; formats are not asserted.
func defang(v any) {
	switch v := v.(type) {
	case map[string]any:
		if p, ok := v["pattern"].(string); ok {
			if _, err := regexp.Compile(p); err != nil {
				delete(v, "pattern")
			}
		}
		for _, x := range v {
			defang(x)
		}
	case []any:
		for _, x := range v {
			defang(x)
		}
	}
}

func (c *checker) schema(at string) *jsonschema.Schema {
	s, known := c.compiled[at]
	if !known {
		var err error
		if s, err = c.compiler.Compile("https://oas.example/document#" + at); err != nil {
			panic(fmt.Sprint("compile ", at, ": ", err))
		}
		c.compiled[at] = s
	}
	return s
}

func pointer(parts ...string) string {
	out := ""
	for _, p := range parts {
		out += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return out
}

func (c *checker) check(line []byte) {
	var head struct {
		Method, Path, Fault string
		Status              int
		Body, Response      json.RawMessage
	}
	if err := json.Unmarshal(line, &head); err != nil || head.Fault != "" {
		return // the end of the file, or an answer that the test asked to be wrong
	}
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(head.Method), []byte(head.Path), {byte(head.Status >> 8), byte(head.Status)}, head.Body, head.Response} {
		fmt.Fprintf(sum, "%d ", len(part))
		sum.Write(part)
	}
	key := [sha256.Size]byte(sum.Sum(nil))
	if c.known[key] {
		c.n++
		return
	}
	c.known[key] = true
	x := struct {
		Method, Path   string
		Status         int
		Body, Response any
	}{Method: head.Method, Path: head.Path, Status: head.Status}
	for raw, into := range map[*json.RawMessage]*any{&head.Body: &x.Body, &head.Response: &x.Response} {
		if len(*raw) == 0 {
			continue
		}
		if err := json.Unmarshal(*raw, into); err != nil {
			return // a hostile body that no value can hold, as 1e999: it belongs to no operation
		}
	}
	below, isAPI := strings.CutPrefix(x.Path, "/api/v2")
	if !isAPI || x.Status == 0 {
		return
	}
	i := slices.IndexFunc(c.paths, func(p apiPath) bool { return p.re.MatchString(below) && p.ops[strings.ToLower(x.Method)] != nil })
	if i < 0 {
		return // an unknown path, on purpose
	}
	c.n++
	p, method := c.paths[i], strings.ToLower(x.Method)
	op := p.ops[method].(map[string]any)
	name := x.Method + " " + p.pattern
	at := pointer("paths", p.pattern, method)
	answers := op["responses"].(map[string]any)
	response, named := answers[fmt.Sprint(x.Status)].(map[string]any)
	if !named {
		c.found[fmt.Sprintf("%s: status %d", name, x.Status)]++
		// The body is still held to the document's successful answer.
		for status, r := range answers {
			if x.Status < 300 && strings.HasPrefix(status, "2") {
				response = r.(map[string]any)
				x.Status = 0
				fmt.Sscan(status, &x.Status)
			}
		}
	}
	if x.Status < 300 {
		if hasSchema(response) {
			c.hold(name+": answer", at+pointer("responses", fmt.Sprint(x.Status), "content", "application/json", "schema"), x.Response)
		}
		if body, has := op["requestBody"].(map[string]any); has && x.Body != nil && hasSchema(body) {
			c.hold(name+": request", at+pointer("requestBody", "content", "application/json", "schema"), x.Body)
		}
	}
}

func hasSchema(o map[string]any) bool {
	content, _ := o["content"].(map[string]any)
	kind, _ := content["application/json"].(map[string]any)
	return kind["schema"] != nil
}

func (c *checker) hold(name, at string, v any) {
	err := c.schema(at).Validate(v)
	if err == nil {
		return
	}
	var deep func(e *jsonschema.ValidationError)
	deep = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			where := regexp.MustCompile(`/\d+`).ReplaceAllString(e.InstanceLocation, "/#")
			c.found[fmt.Sprintf("%s: %s: %s", name, where, e.Message)]++
		}
		for _, cause := range e.Causes {
			deep(cause)
		}
	}
	var failed *jsonschema.ValidationError
	if errors.As(err, &failed) {
		deep(failed)
	}
}

func (c *checker) report() int {
	used := map[int]bool{}
	code := 0
	for _, problem := range sortedKeys(c.found) {
		i := slices.IndexFunc(exceptions, func(e exception) bool { return regexp.MustCompile(e.pattern).MatchString(problem) })
		if i >= 0 {
			used[i] = true
			continue
		}
		fmt.Printf("against Auth0's document (%d times): %s\n", c.found[problem], problem)
		code = 1
	}
	for i, e := range exceptions {
		if !used[i] && !e.replayed && len(c.found) > 0 && testing.Testing() && flag.Lookup("test.run").Value.String() == "" {
			fmt.Printf("an exception that nothing needs: %s (%s)\n", e.pattern, e.why)
			code = 1
		}
	}
	fmt.Printf("%d exchanges held against Auth0's OpenAPI document, %d exceptions used\n", c.n, len(used))
	return code
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
