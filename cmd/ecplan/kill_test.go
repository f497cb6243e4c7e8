package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	// noticed is closed when the program says that it was interrupted.
	noticed chan struct{}
	at      int // the write at which the child is killed; 0 is never
	seen    int
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	seed, err := examples.Express.ReadFile("express/tenant.json")
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, sim: auth0sim.Start(t, auth0sim.Options{Token: "story-token", Seed: seed}), dir: t.TempDir()}
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
	out := heard{word: "nothing new is started", noticed: v.noticed}
	cmd := &exec.Cmd{
		Path: self, Dir: v.dir, Stdout: &out, Stderr: &out,
		Args: append(append([]string{"ecplan"}, args...), "-f", v.dir, "--store", filepath.Join(v.dir, ".ecplan"), "--tenant", "local"),
		Env:  append(os.Environ(), "ECPLAN_LOCAL_TOKEN=story-token"),
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
	return cmd.ProcessState.ExitCode(), out.text.String()
}

// heard is a program's output. It closes noticed when a word is in it.
type heard struct {
	text    bytes.Buffer // not embedded: its ReadFrom would go past Write
	word    string
	noticed chan struct{}
}

func (h *heard) Write(b []byte) (int, error) {
	n, err := h.text.Write(b)
	if h.noticed != nil && strings.Contains(h.text.String(), h.word) {
		close(h.noticed)
		h.noticed = nil
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

// sizes counts what a state holds.
func sizes(state map[string]any) map[string]int {
	out := map[string]int{}
	for k, v := range state {
		if l, ok := v.([]any); ok {
			out[k] = len(l)
		}
	}
	return out
}

// TestKilledAnywhere kills ecplan by SIGKILL at each of its writes. Resume, and apply,
// reach the undisturbed end without doubling anything; rollback reaches the start.
func TestKilledAnywhere(t *testing.T) {
	calm := newVictim(t)
	if code, out := calm.ecplan("apply", "--yes"); code != exitDone {
		t.Fatalf("undisturbed: exit %d\n%s", code, out)
	}
	end := sizes(calm.holds())
	const writes = 8
	cases := 0
	for at := 1; at <= writes; at++ {
		for _, after := range []bool{false, true} {
			for i, mend := range []string{"resume", "apply", "rollback"} {
				if os.Getenv("ECPLAN_TORTURE") == "" && (at+i)%writes != writes/2 {
					continue // the everyday test is a sample
				}
				cases++
				t.Run(fmt.Sprintf("write %d/after commit %v/%s", at, after, mend), func(t *testing.T) {
					v := newVictim(t)
					start := v.holds()
					v.killAt(at, after)
					if code, out := v.ecplan("apply", "--yes"); code != -1 {
						t.Fatalf("it was not killed: exit %d\n%s", code, out)
					}
					v.sim.SetHooks(nil, nil)
					args := []string{mend, "--yes", "--settle", "0s"}
					if code, out := v.ecplan(args...); code != exitDone {
						t.Fatalf("%s: exit %d\n%s", mend, code, out)
					}
					if mend == "rollback" {
						if diff := cmp.Diff(start, v.holds()); diff != "" {
							t.Errorf("after the rollback (- start, + now):\n%s", diff)
						}
						return
					}
					if diff := cmp.Diff(end, sizes(v.holds())); diff != "" {
						t.Errorf("numbers of objects (- undisturbed, + now):\n%s", diff)
					}
					if code, out := v.ecplan("plan", "--detailed-exitcode"); code != exitDone {
						t.Errorf("something is left to do: exit %d\n%s", code, out)
					}
				})
			}
		}
	}
	t.Logf("%d cases", cases)
}

// TestInterrupts: the first SIGINT lets what is in flight finish, and takes it back.
func TestInterrupts(t *testing.T) {
	v := newVictim(t)
	start := v.holds()
	v.noticed = make(chan struct{})
	var once sync.Once
	v.sim.SetHooks(func(r auth0sim.Request) bool {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/clients") {
			once.Do(func() {
				v.mu.Lock()
				defer v.mu.Unlock()
				if err := v.child.Signal(os.Interrupt); err != nil {
					t.Error(err)
					return
				}
				<-v.noticed
			})
		}
		return true
	}, nil)
	code, out := v.ecplan("apply", "--yes", "--settle", "0s")
	if code != exitRolledBack {
		t.Fatalf("exit %d\n%s", code, out)
	}
	if diff := cmp.Diff(start, v.holds()); diff != "" {
		t.Errorf("after the interrupt (- start, + now):\n%s", diff)
	}
}
