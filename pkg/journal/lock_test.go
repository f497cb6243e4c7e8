package journal

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestOneHolderAtATime(t *testing.T) {
	s := newDir(t)
	me := ThisProcess(Owner{Who: Who{User: "ann"}, Doing: "apply"})
	unlock, err := s.Lock("acme.auth0.com", me)
	must(t, err)
	var locked *LockedError
	if _, err := s.Lock("acme.auth0.com", me); !errors.As(err, &locked) || locked.Owner.User != "ann" || locked.Stale != "" {
		t.Fatalf("taken twice: %v", err)
	}
	other, err := s.Lock("other.auth0.com", me)
	must(t, err)
	must(t, other(), unlock())
	unlock, err = s.Lock("acme.auth0.com", me)
	must(t, err)
	must(t, unlock())
}

// TestLockOfAKilledProcess takes over what a process that was killed left behind.
func TestLockOfAKilledProcess(t *testing.T) {
	if dir := os.Getenv("ECPLAN_TEST_LOCK"); dir != "" {
		s, err := OpenDir(dir)
		must(t, err)
		_, err = s.Lock("t", ThisProcess(Owner{}))
		must(t, err)
		p, err := os.FindProcess(os.Getpid())
		must(t, err)
		must(t, p.Kill())
		select {}
	}
	s := newDir(t)
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, "-test.run", "^TestLockOfAKilledProcess$")
	cmd.Env = append(os.Environ(), "ECPLAN_TEST_LOCK="+s.Where())
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(s.Where(), "locks", "t.json")); err != nil {
		t.Fatalf("the child left no record: %v", err)
	}
	unlock, err := s.Lock("t", ThisProcess(Owner{}))
	must(t, err)
	must(t, unlock())
}

func TestRecordOfAnotherHost(t *testing.T) {
	s := newDir(t)
	unlock, err := s.Lock("t", ThisProcess(Owner{}))
	must(t, err)
	must(t, unlock())
	record := filepath.Join(s.Where(), "locks", "t.json")
	text, err := json.Marshal(Owner{Who: Who{User: "bob", Host: "runner-7", CI: "https://ci/7"}, Boot: "other", Machine: "other"})
	must(t, err)
	must(t, os.WriteFile(record, text, 0o600))
	_, err = s.Lock("t", ThisProcess(Owner{}))
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Owner.Host != "runner-7" || locked.Stale != record {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"bob", "runner-7", "https://ci/7", record} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the message lacks %q: %v", part, err)
		}
	}
	must(t, os.Remove(record))
	unlock, err = s.Lock("t", ThisProcess(Owner{}))
	must(t, err)
	must(t, unlock())
}
