package fleet_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// cut shortens a run's journal to its first n records.
func (w *world) cut(run string, n int) {
	w.t.Helper()
	path := filepath.Join(w.store.Where(), "runs", run, "journal.jsonl")
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if err := os.WriteFile(path, bytes.Join(lines[:n], nil), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// TestCutJournal: a journal that lost its end never leads to a wrong conclusion, though
// the tenant has all that the run did. (What a cut in the middle of a line leaves is the
// journal without that line: pkg/journal holds that for every byte.)
func TestCutJournal(t *testing.T) {
	s := scenarios()[0]
	_, _, start, end := s.undisturbed(t)
	probe, _ := s.prepared(t)
	run, _, _ := probe.applyOnce()
	l, err := journal.Read(probe.store, run)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(l.Records) {
		for _, mode := range []string{"resume", "rollback"} {
			name := fmt.Sprintf("%d of %d records/%s", n, len(l.Records), mode)
			if !sampled(name, 3) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				w, _ := s.prepared(t)
				run, _, out := w.applyOnce()
				if !out.OK() {
					t.Fatal(out.Error())
				}
				w.cut(run, n)
				if n == 0 {
					if _, _, _, err := w.rollback(run, true); err == nil || !strings.Contains(err.Error(), "never began") {
						t.Errorf("a run without a record: %v", err)
					}
					return
				}
				if mode == "resume" {
					if err := w.resume(run); err != nil {
						t.Fatal(err)
					}
					equalStates(t, "after resume", canonical(t, w.sim), end, nil)
					return
				}
				_, back, undone, err := w.rollback(run, true)
				if err != nil || !undone.OK() {
					t.Fatalf("%v, %v", err, undone.Error())
				}
				if len(back.Left) == 0 {
					equalStates(t, "after a rollback that left nothing", canonical(t, w.sim), start, nil)
				}
				for _, left := range back.Left {
					if !strings.Contains(left.Why, "breaks off") && !strings.Contains(left.Why, "needs it") {
						t.Errorf("%+v", left)
					}
				}
			})
		}
	}
}

// meddle sends a write to the tenant, as somebody else would.
func (w *world) meddle(method, path, body string) {
	w.t.Helper()
	if err := request(w.sim.URL(), method, path, body); err != nil {
		w.t.Fatal(err)
	}
}

// TestWhatSomebodyElseChanged is left alone, shown side by side, and taken back with
// force only.
func TestWhatSomebodyElseChanged(t *testing.T) {
	s := scenarios()[1] // an update of every kind
	w, _ := s.prepared(t)
	before := canonical(t, w.sim)
	run, p, out := w.applyOnce()
	if !out.OK() {
		t.Fatal(out.Error())
	}
	id := ""
	for _, st := range p.Steps {
		if st.Address == "Role/admin" && st.Part == "" {
			id = st.ObjectID
		}
	}
	w.meddle("PATCH", "roles/"+id, `{"description": "theirs"}`)
	back, err := w.open().PlanRollback(context.Background(), run, false, w.past())
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Left) != 1 || back.Left[0].Step != "Role/admin" {
		t.Fatalf("left alone: %+v", back.Left)
	}
	a := back.Left[0].Otherwise
	if len(a) != 1 || a[0].Path != "description" || a[0].Before != "one" || a[0].After != "two" || a[0].Now != "theirs" {
		t.Errorf("side by side: %+v", a)
	}
	for _, st := range back.Plan.Steps {
		if st.ID == "Role/admin" {
			t.Error("the plan touches what somebody else changed")
		}
	}
	shown := false
	for _, n := range back.Plan.Notices {
		shown = shown || n.ID == "left-alone" && n.Address == "Role/admin" && strings.Contains(n.Detail, `"theirs"`)
	}
	if !shown {
		t.Errorf("the plan does not show it: %+v", back.Plan.Notices)
	}
	_, forced, undone, err := w.rollback(run, true) // with force
	if err != nil || !undone.OK() || len(forced.Left) > 0 {
		t.Fatalf("with force: %v, %v, %+v", err, undone.Error(), forced)
	}
	equalStates(t, "after the forced rollback", canonical(t, w.sim), before, nil)
}

// TestRollbackKnowsItsOwn: an object that somebody made in place of one that the run had
// made, or had changed, is not the run's. What the run made is gone; with force only what it
// changed is put back.
func TestRollbackKnowsItsOwn(t *testing.T) {
	role := func(description string) []object {
		return []object{doc("Role", "ops", object{"name": "ops", "description": description})}
	}
	w := newWorld(t, nil, role("one"))
	made, p, out := w.applyOnce()
	if !out.OK() {
		t.Fatal(out.Error())
	}
	w.manifest(role("two"))
	changed, _, _ := w.applyOnce()
	w.meddle("DELETE", "roles/"+out.Steps[0].ObjectID, "")
	w.meddle("POST", "roles", `{"name": "ops", "description": "two"}`)
	theirs := canonical(t, w.sim)
	for _, c := range []struct {
		run   string
		force bool
	}{{changed, false}, {made, false}, {made, true}} {
		back, err := w.open().PlanRollback(t.Context(), c.run, c.force, w.past())
		if err != nil || len(back.Plan.Steps) > 0 || len(back.Left) != 1 || !strings.Contains(back.Left[0].Why, "another one") {
			t.Errorf("%s, force %t: %v %+v of %s", c.run, c.force, err, back, indent(p.Steps))
		}
	}
	equalStates(t, "after all", canonical(t, w.sim), theirs, nil)
	if back, err := w.open().PlanRollback(t.Context(), changed, true, w.past()); err != nil || len(back.Plan.Steps) != 1 {
		t.Errorf("with force: %v %+v", err, back)
	}
}

// TestLossesNeedForce: deleting a client whose id may be in use, and a role that has
// members, is refused without force.
func TestLossesNeedForce(t *testing.T) {
	s := scenarios()[0]
	w, _ := s.prepared(t)
	run, _, _ := w.applyOnce()
	back, err := w.open().PlanRollback(context.Background(), run, false, w.past())
	if err != nil {
		t.Fatal(err)
	}
	o := w.options()
	o.RollsBack = run
	if _, err := w.open().Apply(context.Background(), back.Plan, o); err == nil || !strings.Contains(err.Error(), "client-id-lost") {
		t.Errorf("without force: %v", err)
	}
	if strings.Contains(fmt.Sprint(back.Plan.Notices), "role-members-lost") {
		t.Error("the role has no members")
	}
	if _, _, undone, err := w.rollback(run, true); err != nil || !undone.OK() {
		t.Errorf("with force: %v, %v", err, undone.Error())
	}
}

// TestRollbackCutShort: killed in the middle of a rollback, the rollback is
// finished: the start.
func TestRollbackCutShort(t *testing.T) {
	s := scenarios()[1]
	for at := 1; at <= 9; at++ {
		for _, f := range faults[4:] {
			name := fmt.Sprintf("write %d/%s", at, f.name)
			if strings.HasPrefix(f.name, "hang") || !sampled(name, 8) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				w, _ := s.prepared(t)
				start := canonical(t, w.sim)
				run, _, out := w.applyOnce()
				if !out.OK() {
					t.Fatal(out.Error())
				}
				w.hurt(f, "write", at)
				undo, back, undone, err := w.rollback(run, true)
				w.heal()
				if err != nil {
					t.Fatal(err)
				}
				if !undone.OK() {
					if err := w.resume(undo); err != nil {
						t.Fatalf("%v\n%s", err, indent(back.Plan.Steps))
					}
				} else if at <= len(back.Plan.Steps) {
					t.Errorf("nothing went wrong at write %d of %d", at, len(back.Plan.Steps))
				}
				equalStates(t, "after the rollback", canonical(t, w.sim), start, nil)
			})
		}
	}
}

// TestRangeOfRuns: two runs taken back, newest first, are the start.
func TestRangeOfRuns(t *testing.T) {
	s := scenarios()[1]
	w := newWorld(t, s.seed, s.first)
	start := canonical(t, w.sim)
	first, _, _ := w.applyOnce()
	w.manifest(s.docs)
	second, _, _ := w.applyOnce()
	for _, run := range []string{second, first} {
		if _, back, out, err := w.rollback(run, true); err != nil || !out.OK() || len(back.Left) > 0 {
			t.Fatalf("%v, %v, %+v", err, out.Error(), back)
		}
	}
	equalStates(t, "after both", canonical(t, w.sim), start, nil)
	if keys := manifest.Keys(journal.Fold(w.logs())); len(keys) != 1 { // the tenant's settings were there before
		t.Errorf("on record afterwards: %v", keys)
	}
}

func (w *world) logs() []*journal.Log {
	w.t.Helper()
	logs, err := journal.Load(w.store, "local", w.sim.Domain())
	if err != nil {
		w.t.Fatal(err)
	}
	return logs
}

// TestSettleWaits: what shows no effect is believed only when the time has passed.
func TestSettleWaits(t *testing.T) {
	s := scenarios()[0]
	w, _ := s.prepared(t)
	w.hurt(faults[6], "write", 1) // dropped before commit
	run, p, _ := w.applyOnce()
	w.heal()
	j, err := journal.Reopen(w.store, run, journal.Who{}, w.options().Now)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close() //nolint:errcheck // read only from here on
	now, slept := w.options().Now(), 0
	_, err = executor.Settle(context.Background(), executor.SettleOptions{
		Plan: p, Tenant: w.open().Client(), Journal: j, Wait: executor.DefaultSettle,
		Now:   func() time.Time { return now },
		Sleep: func(_ context.Context, d time.Duration) error { slept++; now = now.Add(d); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if slept < 9 {
		t.Errorf("it was believed after %d looks", slept)
	}
}

// request is a write by somebody who is not ecplan.
func request(base, method, path, body string) error {
	r, err := http.NewRequest(method, base+"/api/v2/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+benchToken)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // nothing is read
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, path, res.Status)
	}
	return nil
}
