package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRolloutRecord(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenDir(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadRollout(s, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty store: %v", err)
	}
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	first, err := BeginRollout(s, Rollout{Started: at, Waves: []RolloutWave{{Name: "a", Tenants: []string{"x"}}}}, []byte("{}"), strings.NewReader("abcd"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := BeginRollout(s, Rollout{Started: at.Add(time.Hour)}, []byte("{}"), strings.NewReader("abcd"))
	if err != nil {
		t.Fatal(err)
	}
	if newest, _, err := ReadRollout(s, ""); err != nil || newest.Name != second.Name || !IsRollout(second.Name) || runName.MatchString("rollouts") {
		t.Errorf("newest: %+v, %v", newest, err)
	}
	first.Ended = at.Add(time.Minute)
	if err := SaveRollout(s, first); err != nil {
		t.Fatal(err)
	}
	got, plan, err := ReadRollout(s, first.Name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got); diff != "" || string(plan) != "{}" {
		t.Errorf("(- written, + read):\n%s", diff)
	}
	for _, name := range []string{"../key", "x", "20261122T093000.000Z-prod-eu-1f2e3d4c"} {
		if _, _, err := ReadRollout(s, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := filepath.Join(dir, "store", "rollouts", first.Name+".json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of %s: %v, %v", file, info.Mode(), err)
	}
	for _, text := range []string{"{", `{"format": "other"}`, `{"format": "ecplan/rollout/v1", "plan_digest": "sha256:0"}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadRollout(s, first.Name); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if names, err := s.Runs(); err != nil || len(names) != 0 {
		t.Errorf("a rollout is no run: %v, %v", names, err)
	}
}
