package rehearse

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// Stage is a simulated tenant that answers for a real one's domain. Nothing that is
// sent to it leaves this computer.
type Stage struct {
	// Domain is the canonical domain that it answers for.
	Domain string
	// LoginDomain is the custom domain at which people log in, "" if there is none. A token
	// bears the domain that it was asked of as its issuer
	// (https://auth0.com/docs/secure/tokens/access-tokens/get-access-tokens, Custom domains
	// and the Auth0 Management API); the Management API keeps the canonical one.
	LoginDomain string
	// Token is a bearer with every scope of its Management API.
	Token string

	sim  *auth0sim.Server
	key  *rsa.PrivateKey // signs the tokens of logins, as the tenant's own
	http *http.Client
}

// NewStage makes a stage that holds what seed says.
func NewStage(domain string, seed Seed) (*Stage, error) {
	key, err := tenantKey()
	if err != nil {
		return nil, err
	}
	state := map[string]any{}
	for name, objects := range seed {
		state[name] = objects
	}
	state["signing_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	data, err := json.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("describe the rehearsal's tenant: %w", err)
	}
	s := &Stage{Domain: domain, Token: draw(), key: key}
	if s.sim, err = auth0sim.New(auth0sim.Options{Token: s.Token, Domain: domain, Seed: data}); err != nil {
		return nil, fmt.Errorf("set up the rehearsal's tenant: %w", err)
	}
	if err := s.sim.Listen("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("set up the rehearsal's tenant: %w", err)
	}
	s.http = &http.Client{Transport: s.Transport()}
	return s, nil
}

// login is the domain at which people log in.
func (s *Stage) login() string { return cmp.Or(s.LoginDomain, s.Domain) }

// Close ends the stage.
func (s *Stage) Close() error { return s.sim.Close() }

// Transport leads every request to the stage, whatever host it is for, and without
// TLS: the connection stays on this computer.
func (s *Stage) Transport() *http.Transport {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.sim.Addr())
	}
	return &http.Transport{DialContext: dial, DialTLSContext: dial}
}

// answer is what a request to the stage came to.
type answer struct {
	status int
	body   any
}

func (a answer) object() map[string]any {
	m, _ := a.body.(map[string]any)
	return m
}

// problem is what an error answer says.
func (a answer) problem() string {
	o := a.object()
	for _, k := range []string{"message", "error_description", "error"} {
		if s, _ := o[k].(string); s != "" {
			return fmt.Sprintf("%d %s", a.status, s)
		}
	}
	return fmt.Sprintf("status %d", a.status)
}

func (a answer) ok() bool { return a.status/100 == 2 }

// manage calls the Management API with a bearer.
func (s *Stage) manage(ctx context.Context, token, method, path string, body any) (answer, error) {
	var r io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.Domain+"/api/v2/"+path, r)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return s.send(req)
}

// arrange calls the Management API with every right, to prepare the scene; anything
// but success is an error.
func (s *Stage) arrange(ctx context.Context, method, path string, body any) (map[string]any, error) {
	a, err := s.manage(ctx, s.Token, method, path, body)
	if err == nil && !a.ok() {
		err = errors.New(a.problem())
	}
	if err != nil {
		return nil, fmt.Errorf("prepare the rehearsal: %s %s: %w", method, path, err)
	}
	return a.object(), nil
}

// form posts a form, as clients do to the token endpoint.
func (s *Stage) form(ctx context.Context, path string, values url.Values) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.Domain+path, strings.NewReader(values.Encode()))
	if err != nil {
		return answer{}, fmt.Errorf("POST %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.send(req)
}

func newGet(ctx context.Context, address string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", address, err)
	}
	return req, nil
}

func (s *Stage) send(req *http.Request) (answer, error) {
	resp, err := s.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	a := answer{status: resp.StatusCode}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &a.body); err != nil {
			return answer{}, fmt.Errorf("%s %s: the answer is no JSON: %w", req.Method, req.URL.Path, err)
		}
	}
	return a, nil
}

// world is the stage as the login sees it: secrets' values and keys included.
type world struct {
	Tenant   map[string]any      `json:"tenant"`
	APIs     []map[string]any    `json:"resource_servers"`
	Roles    []map[string]any    `json:"roles"`
	Clients  []map[string]any    `json:"clients"`
	Grants   []map[string]any    `json:"client_grants"`
	Users    []map[string]any    `json:"users"`
	Orgs     []map[string]any    `json:"organizations"`
	Conns    []map[string]any    `json:"connections"`
	Actions  []map[string]any    `json:"actions"`
	Bindings map[string][]object `json:"bindings"`
}

type object = map[string]any

func (s *Stage) world() (world, error) {
	var w world
	if err := json.Unmarshal(s.sim.Snapshot(), &w); err != nil {
		return w, fmt.Errorf("read the rehearsal's tenant: %w", err)
	}
	return w, nil
}

// with returns the object whose member has the value, nil if there is none.
func with(list []object, member string, value any) object {
	for _, o := range list {
		if o[member] == value && value != nil {
			return o
		}
	}
	return nil
}

func str(o object, member string) string {
	s, _ := o[member].(string)
	return s
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func objects(v any) []object {
	list, _ := v.([]any)
	var out []object
	for _, e := range list {
		if o, ok := e.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

// draw makes something that nobody can guess.
func draw() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return hex.EncodeToString(b)
}
