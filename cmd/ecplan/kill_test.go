package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/internal/auth0sim"
)

// victim is the guide's set-up with a tenant in this process and ecplan in another one,
// which can be killed.
type victim struct {
	t   *testing.T
	sim *auth0sim.Server
	dir string

	mu    sync.Mutex
	child *os.Process
	// said are closed when the program says their words.
	said map[string]chan struct{}
	at   int // the write at which the child is killed; 0 is never
	seen int
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	seed, err := examples.Express.ReadFile("express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, sim: auth0sim.Start(t, auth0sim.Options{Token: storyToken, Seed: seed}), dir: t.TempDir()}
	if err := demoFiles(v.dir, v.sim.Domain()); err != nil {
		t.Fatal(err)
	}
	return v
}

// killAt kills the child at its n-th write, before or after that has its effect. The
// simulator does it: the program knows nothing of it.
func (v *victim) killAt(n int, after bool) {
	v.at, v.seen = n, 0
	strike := func(r auth0sim.Request) bool {
		if r.Method == "GET" {
			return true
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.seen++; v.seen != v.at {
			return true
		}
		_ = v.child.Kill() // it has no time to notice
		return false
	}
	if after {
		v.sim.SetHooks(nil, strike)
	} else {
		v.sim.SetHooks(strike, nil)
	}
}

// ecplan runs the program and returns its exit code, -1 if it was killed.
func (v *victim) ecplan(args ...string) (code int, output string) {
	v.t.Helper()
	self, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	out := heard{said: v.said}
	cmd := &exec.Cmd{
		Path: self, Dir: v.dir, Stdout: &out, Stderr: &out,
		Args: append(append([]string{"ecplan"}, args...), "-f", v.dir, "--store", filepath.Join(v.dir, ".ecplan"), "--tenant", "local"),
		Env:  append(os.Environ(), "ECPLAN_LOCAL_TOKEN="+storyToken),
	}
	v.mu.Lock()
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	v.child = cmd.Process
	v.mu.Unlock()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		v.t.Fatal(err)
	}
	if told := secretsIn(filepath.Join(v.dir, ".ecplan")); told != "" || strings.Contains(out.text.String(), canary) {
		v.t.Errorf("a secret was told: %s\n%s", told, out.text.String())
	}
	return cmd.ProcessState.ExitCode(), out.text.String()
}

// heard is a program's output. It closes what waits for words that are in it.
type heard struct {
	text bytes.Buffer // not embedded: its ReadFrom would go past Write
	said map[string]chan struct{}
}

func (h *heard) Write(b []byte) (int, error) {
	n, err := h.text.Write(b)
	for words, said := range h.said {
		if strings.Contains(h.text.String(), words) {
			close(said)
			delete(h.said, words)
		}
	}
	return n, err
}

// holds is the tenant's state without the flag that can't be made absent again.
func (v *victim) holds() map[string]any {
	v.t.Helper()
	var state map[string]any
	if err := json.Unmarshal(v.sim.Essence(), &state); err != nil {
		v.t.Fatal(err)
	}
	flags := state["tenant"].(map[string]any)["flags"].(map[string]any)
	delete(flags, "use_scope_descriptions_for_consent")
	return state
}

// anID is what a tenant draws at random: ids and client secrets.
var anID = regexp.MustCompile(`\b(rol|cgr|cred|con|org)_[A-Za-z0-9]+\b|\b[0-9a-f]{24}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|"[A-Za-z0-9]{32}"|"[A-Za-z0-9_-]{64}"`)

// shape is the tenant's state with all ids alike, for the comparison of two tenants:
// its collections, and the JSON of what is in them, sorted.
func (v *victim) shape() map[string][]string {
	v.t.Helper()
	out := map[string][]string{}
	for k, e := range v.holds() {
		all, ok := e.([]any)
		if !ok {
			all = []any{e}
		}
		out[k] = []string{}
		for _, one := range all {
			text, err := json.Marshal(one)
			if err != nil {
				v.t.Fatal(err)
			}
			text = bytes.ReplaceAll(text, []byte(v.sim.Domain()), []byte("DOMAIN"))
			out[k] = append(out[k], anID.ReplaceAllString(string(text), "(id)"))
		}
		slices.Sort(out[k])
	}
	return out
}

// deed is what the program is killed at.
type deed struct {
	name    string
	command []string
	// before, if there, is done undisturbed: the guide's set-up, and a change of the files.
	before func(v *victim)
	// mends are the commands that mend it; left plans what is left to do afterwards: nothing.
	mends [][]string
	left  []string
}

func deeds(t *testing.T) []deed {
	t.Helper()
	key := func() string {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}()
	apply, destroy := []string{"apply", "--yes"}, []string{"destroy", "--yes", "--force"}
	resume, rollback, plan := []string{"resume", "--yes"}, []string{"rollback", "--yes"}, []string{"plan", "--detailed-exitcode"}
	all := [][]string{resume, apply, rollback}
	return []deed{
		{"set-up from nothing", apply, nil, all, plan},
		{"update of every kind", apply, func(v *victim) {
			v.setUp()
			v.rewrite("express.yaml", "spec:\n", "spec:\n  capabilities: [sso, scim]\n  api: {token_lifetime: 600}\n")
			v.rewrite("express.yaml", "  oin_client:\n", "  oin_client:\n    description: other\n")
			v.rewrite("tenants.yaml", "https://crm.acme.example/login", "https://crm.acme.example/enter")
		}, all, plan},
		{"key rotation", apply, func(v *victim) {
			v.setUp()
			v.write("okta-public-key.pem", key)
		}, all, plan},
		{"destroy", destroy, (*victim).setUp, [][]string{resume, destroy, rollback}, []string{"plan", "--destroy", "--detailed-exitcode"}},
		{"rollback", append(rollback, "--force"), (*victim).setUp, [][]string{resume}, []string{"plan", "--destroy", "--detailed-exitcode"}},
	}
}

// setUp applies the guide's set-up without trouble.
func (v *victim) setUp() {
	v.t.Helper()
	if code, out := v.ecplan("apply", "--yes"); code != exitDone {
		v.t.Fatalf("the set-up: exit %d\n%s", code, out)
	}
}

func (v *victim) write(name, text string) {
	v.t.Helper()
	if err := os.WriteFile(filepath.Join(v.dir, name), []byte(text), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

func (v *victim) rewrite(name, old, now string) {
	v.t.Helper()
	text, err := os.ReadFile(filepath.Join(v.dir, name))
	if err != nil || !strings.Contains(string(text), old) {
		v.t.Fatalf("%s lacks %q: %v", name, old, err)
	}
	v.write(name, strings.Replace(string(text), old, now, 1))
}

// ready is a tenant on which the deed is about to be done.
func (d *deed) ready(t *testing.T) *victim {
	v := newVictim(t)
	if d.before != nil {
		d.before(v)
	}
	return v
}

// TestKilledAnywhere kills ecplan by SIGKILL at each of its writes. Resume, and the same
// command again, reach the undisturbed end without doubling anything; rollback reaches
// the start, save what it says that can't come back.
func TestKilledAnywhere(t *testing.T) {
	cases := 0
	for _, d := range deeds(t) {
		calm := d.ready(t)
		calm.sim.ResetRequests()
		if code, out := calm.ecplan(d.command...); code != exitDone {
			t.Fatalf("%s, undisturbed: exit %d\n%s", d.name, code, out)
		}
		writes := 0
		for _, r := range calm.sim.Requests() {
			writes = max(writes, r.Write)
		}
		end := calm.shape()
		for at := 1; at <= writes; at++ {
			for _, after := range []bool{false, true} {
				for i, mend := range d.mends {
					if os.Getenv("ECPLAN_TORTURE") == "" && ((at+i)%writes != writes/2 || after != (i%2 == 0)) {
						continue // the everyday test is a sample
					}
					cases++
					t.Run(fmt.Sprintf("%s/write %d/after commit %v/%s", d.name, at, after, mend[0]), func(t *testing.T) {
						v := d.ready(t)
						start := v.shape()
						v.killAt(at, after)
						if code, out := v.ecplan(d.command...); code != -1 {
							t.Fatalf("it was not killed: exit %d\n%s", code, out)
						}
						v.sim.SetHooks(nil, nil)
						code, out := v.ecplan(append(slices.Clone(mend), "--settle", "0s")...)
						if code != exitDone {
							t.Fatalf("%s: exit %d\n%s", mend[0], code, out)
						}
						if mend[0] == "rollback" {
							if diff := mended(start, v.shape(), out); diff != "" {
								t.Errorf("after the rollback (- start, + now):\n%s\n%s", diff, out)
							}
							return
						}
						if diff := cmp.Diff(end, v.shape()); diff != "" {
							t.Errorf("(- undisturbed, + now):\n%s", diff)
						}
						if code, out := v.ecplan(d.left...); code != exitDone {
							t.Errorf("something is left to do: exit %d\n%s", code, out)
						}
					})
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// mended compares the start with what a rollback came to, save what it says that can't
// be taken back: deleted objects of the guide's set-up, and what goes with them.
func mended(start, now map[string][]string, said string) string {
	start, now = maps.Clone(start), maps.Clone(now)
	lost := func(address string) bool { return strings.Contains(said, address+" can't be taken back: ") }
	drop := func(state map[string][]string, collection, word string) {
		state[collection] = slices.DeleteFunc(slices.Clone(state[collection]), func(e string) bool { return strings.Contains(e, word) })
	}
	if lost("Client/acme-crm.okta-oin") {
		drop(start, "clients", oinClient)
	}
	if lost("ClientGrant/acme-crm.okta-oin") {
		drop(start, "client_grants", "create:organization_connections")
	}
	if lost("Action/acme-crm.post-login") {
		drop(start, "actions", postLogin)
		start["bindings"] = []string{strings.Replace(start["bindings"][0], `,{"action":"(id)","display_name":"`+postLogin+`"}`, "", 1)}
	}
	if strings.Contains(said, "#credential-") && strings.Contains(said, "never gives a key's PEM back") { // the new key stays
		drop(start, "clients", oinClient)
		drop(now, "clients", oinClient)
	}
	return cmp.Diff(start, now)
}

const oinClient, postLogin = "Okta OIN Integration Client", "express_configure_postlogin_action"

// What the program says when it is interrupted, and once more.
const once, twice = "nothing new is started", "stopped at once"

// interrupt sends signals when the client is about to be created, each when the program
// has noticed the one before. Then the request goes on, if it may.
func (v *victim) interrupt(goesOn bool, signals ...os.Signal) {
	said := []chan struct{}{make(chan struct{}), make(chan struct{})}
	v.said = map[string]chan struct{}{once: said[0], twice: said[1]}
	var only sync.Once
	v.sim.SetHooks(func(r auth0sim.Request) bool {
		ok := true
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/clients") {
			only.Do(func() {
				v.mu.Lock()
				defer v.mu.Unlock()
				for i, s := range signals {
					if err := v.child.Signal(s); err != nil {
						v.t.Error(err)
						return
					}
					<-said[i]
				}
				ok = goesOn
			})
		}
		return ok
	}, nil)
}

// TestInterrupts: the first SIGINT or SIGTERM lets what is in flight finish, and takes it
// back.
func TestInterrupts(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			v := newVictim(t)
			start := v.holds()
			v.interrupt(true, s)
			code, out := v.ecplan("apply", "--yes", "--settle", "0s")
			if code != exitRolledBack {
				t.Fatalf("exit %d\n%s", code, out)
			}
			if diff := cmp.Diff(start, v.holds()); diff != "" {
				t.Errorf("after the interrupt (- start, + now):\n%s", diff)
			}
		})
	}
}

// TestInterruptedTwice: the second signal ends the run at once, and the journal is whole:
// a resume knows what was under way and finishes it.
func TestInterruptedTwice(t *testing.T) {
	calm := newVictim(t)
	calm.setUp()
	v := newVictim(t)
	v.interrupt(false, os.Interrupt, syscall.SIGTERM)
	if code, out := v.ecplan("apply", "--yes", "--settle", "0s"); code != exitChanged || !strings.Contains(out, "? unknown create Client/acme-crm.okta-oin") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	v.sim.SetHooks(nil, nil)
	if code, out := v.ecplan("resume", "--yes", "--settle", "0s"); code != exitDone || !strings.Contains(out, "had no effect") {
		t.Fatalf("resume: exit %d\n%s", code, out)
	}
	if diff := cmp.Diff(calm.shape(), v.shape()); diff != "" {
		t.Errorf("(- undisturbed, + now):\n%s", diff)
	}
}
