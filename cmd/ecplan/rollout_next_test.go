package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoPlanNoResume: a tenant that had no plan when the rollout began can't be resumed, and
// with a Rollout it stops all others. The command at the end of the summary says how it goes
// on instead, and once the trouble is over it does.
func TestNoPlanNoResume(t *testing.T) {
	f := newFlock(t, 3)
	rollout := `apiVersion: ecplan/v1
kind: Rollout
metadata: {name: careful}
spec:
  waves: [{name: all}]
`
	path := filepath.Join(f.dir, "rollout.yaml")
	toGoOn := func(out string) string {
		t.Helper()
		_, line, ok := strings.Cut(out, "To go on: ")
		if !ok {
			t.Fatalf("no command to go on:\n%s", out)
		}
		line, _, _ = strings.Cut(line, "\n")
		return line
	}
	fault := func(faults ...string) {
		t.Helper()
		if err := f.sims["t001"].SetFaults(faults...); err != nil {
			t.Fatal(err)
		}
	}

	// Without rules only the one is left.
	fault("any = status 403")
	code, out, errs := f.ecplan("apply", "--all", "--yes")
	if line := toGoOn(out); code != exitError || !strings.HasPrefix(line, "ecplan apply --tenant t001 ") {
		t.Fatalf("exit %d, %s\n%s\n%s", code, line, out, errs)
	}
	if code, out, _ := f.ecplan("resume", "--yes"); code != exitError || !strings.Contains(out, "plan it anew") {
		t.Errorf("resume: exit %d\n%s", code, out)
	}

	// With rules that stop the others it is all that are left, by which they are done.
	if err := os.WriteFile(path, []byte(rollout), 0o600); err != nil {
		t.Fatal(err)
	}
	fault()
	_, out, _ = f.ecplan("destroy", "--all", "--yes") // refused: clients would lose their ids
	if line := toGoOn(out); !strings.HasPrefix(line, "ecplan destroy --tenant t000 --tenant t002 ") {
		t.Errorf("%s\n%s", line, out)
	}
	if code, out, _ := f.ecplan("destroy", "--all", "--yes", "--force"); code != exitDone {
		t.Fatalf("destroy: exit %d\n%s", code, out)
	}
	fault("any = status 403")
	_, out, _ = f.ecplan("apply", "--all", "--yes")
	line := toGoOn(out)
	if !strings.HasPrefix(line, "ecplan apply --tenant t000 --tenant t001 --tenant t002 ") {
		t.Fatalf("%s\n%s", line, out)
	}
	fault()
	if out, err := f.paste(line + " --yes"); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if code, out, _ := f.ecplan("plan", "--detailed-exitcode"); code != exitDone {
		t.Errorf("something is left to do: exit %d\n%s", code, out)
	}
}
