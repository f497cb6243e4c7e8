package workflow

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// journals counts the runs in a kept store.
func journals(all map[string]file) int {
	n := 0
	for name := range all {
		if filepath.Base(name) == "journal.jsonl" {
			n++
		}
	}
	return n
}

// storeArtifact returns the last artifact with a store.
func (w *world) storeArtifact() *artifact {
	w.t.Helper()
	for _, a := range slices.Backward(w.artifacts) {
		if a.name == "ecplan-store-default" {
			return a
		}
	}
	w.t.Fatal("there is no artifact with the store")
	return nil
}

// TestFailedApply: the store is kept though the step has failed, in the cache and as an
// artifact, and the artifact is taken where the cache has been cleared.
func TestFailedApply(t *testing.T) {
	w := newWorld(t)
	if err := w.tenants["prod"].SetFaults("POST /client-grants = status 403"); err != nil {
		t.Fatal(err)
	}
	w.propose(1, w.branch())
	jobs := w.merge(1, w.main)
	want(t, jobs, map[string]string{"apply": "failure"})
	has(t, "the summary", jobs["apply"].summary, "`prod`", "ClientGrant/acme-crm.okta-oin")
	if len(jobs["apply"].commands) != 1 || !strings.HasPrefix(jobs["apply"].commands[0], "::error title=ecplan::ecplan apply failed, and its changes were taken back") {
		t.Errorf("the run says %q", jobs["apply"].commands)
	}
	if len(w.caches) != 1 || journals(w.caches[0].files) == 0 {
		t.Fatalf("the cache has %d entries, and no journal", len(w.caches))
	}
	had := journals(w.caches[0].files)
	if got := w.storeArtifact(); journals(got.files) != had || got.files["key"].mode != 0o644 {
		t.Errorf("the artifact has %d journals, the cache %d", journals(got.files), had)
	}

	// The fault is gone, and so is the cache. What the failed run had locked is free.
	if err := w.tenants["prod"].SetFaults(); err != nil {
		t.Fatal(err)
	}
	w.caches = nil
	for name := range maps.Clone(w.storeArtifact().files) {
		if lock, ok := strings.CutSuffix(name, ".lock"); ok {
			w.storeArtifact().files[lock+".json"] = file{[]byte(`{"host": "another", "boot": "b", "machine": "m", "pid": 1}`), 0o644}
		}
	}
	w.tenants["staging"].ResetRequests()
	jobs = w.byHand(map[string]string{"command": "apply"})
	want(t, jobs, map[string]string{"plan": "success", "apply": "success"})
	has(t, "the log", jobs["apply"].log.String(), "The cache has no store; that of run ")
	if len(w.caches) != 1 || journals(w.caches[0].files) <= had {
		t.Errorf("the store that was kept last has not the runs before it: %v", slices.Sorted(maps.Keys(w.caches[0].files)))
	}
	for name, f := range w.caches[0].files {
		if f.mode&0o077 != 0 {
			t.Errorf("%s has the mode %o: whoever is on the runner can read it", name, f.mode)
		}
	}
}

// TestCancelled: the runner interrupts the step's shell. What is in flight finishes and is
// on record, nothing new starts, the store is kept, and the run can be taken back.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	clean, other := w.tenants["prod"].Essence(), w.tenants["staging"].Essence()
	interrupt := make(chan struct{})
	first := true
	w.tenants["prod"].SetHooks(func(r auth0sim.Request) bool {
		w.mu.Lock()
		here := first && r.Method == "POST" && strings.HasPrefix(r.Path, "/api/")
		progress := filepath.Join(w.played[len(w.played)-1].temp, "ecplan", "default", "progress.txt")
		if here {
			first = false
		}
		w.mu.Unlock()
		if here {
			close(interrupt)
			waitFor(t, func() bool {
				text, err := os.ReadFile(progress)
				return err == nil && strings.Contains(string(text), "nothing new is started")
			})
		}
		return true
	}, nil)
	w.propose(1, w.branch())
	ev := w.merged(1, w.main)
	ev.interrupt = interrupt
	jobs := w.play(exampleWorkflow, ev)
	want(t, jobs, map[string]string{"apply": "cancelled"})
	if !slices.Contains(jobs["apply"].ran, "Keep the store") {
		t.Errorf("of the job ran only %q", jobs["apply"].ran)
	}
	if n := journals(w.storeArtifact().files); n == 0 {
		t.Error("no journal was kept")
	}
	w.wantAsBefore("staging", other) // it ran side by side, or was not begun
	has(t, "the summary", jobs["apply"].summary, "asked to stop", "`prod` | failed, rolled back")
	w.wantAsBefore("prod", clean)
}

// TestRepair: a run that an operator regrets is taken back with the button.
func TestRepair(t *testing.T) {
	w := newWorld(t)
	clean := w.tenants["prod"].Essence()
	w.propose(1, w.branch())
	want(t, w.merge(1, w.main), map[string]string{"apply": "success"})
	w.wantWrites(16)
	jobs := w.byHand(map[string]string{"command": "rollback", "tenant": "prod", "force": "false"})
	want(t, jobs, map[string]string{"repair": "failure"})
	has(t, "the summary", jobs["repair"].summary, "nothing was changed", "client-id-lost")
	w.wantWrites(0)
	jobs = w.byHand(map[string]string{"command": "rollback", "tenant": "prod", "force": "true"})
	want(t, jobs, map[string]string{"repair": "success"})
	w.wantAsBefore("prod", clean)
	if w.writes("staging") != 0 {
		t.Error("a tenant that was not named is changed")
	}
	jobs = w.byHand(map[string]string{"command": "resume", "tenant": "prod"})
	want(t, jobs, map[string]string{"repair": "success"})
	has(t, "the log", jobs["repair"].log.String(), "there is nothing to finish")
}

// wantAsBefore checks that a tenant is as it was. A flag that was not set before is false
// after a rollback, for Auth0 can't unset it.
func (w *world) wantAsBefore(tenant string, then []byte) {
	w.t.Helper()
	state := func(text []byte) map[string]any {
		var s map[string]any
		if err := json.Unmarshal(text, &s); err != nil {
			w.t.Fatal(err)
		}
		flags := s["tenant"].(map[string]any)["flags"].(map[string]any)
		if flags["use_scope_descriptions_for_consent"] == false {
			delete(flags, "use_scope_descriptions_for_consent")
		}
		return s
	}
	if d := cmp.Diff(state(then), state(w.tenants[tenant].Essence())); d != "" {
		w.t.Errorf("%s is not as it was:\n%s", tenant, d)
	}
}

// waitFor waits for what another process is about to do. It gives up only to end a test
// that would hang.
func waitFor(t *testing.T, done func() bool) {
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("waited in vain")
			return
		}
	}
}
