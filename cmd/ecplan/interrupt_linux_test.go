package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestInterruptAtQuestion: Ctrl-C where a question waits for an answer ends the program. No
// request is in flight then, so there is nothing to finish.
func TestInterruptAtQuestion(t *testing.T) {
	v := newVictim(t)
	if code, out := v.ecplan("apply", "--yes"); code != exitDone {
		t.Fatalf("apply ended with %d:\n%s", code, out)
	}
	for _, command := range []string{"apply", "rollback"} {
		args := []string{"ecplan", command, "--force", "-f", v.dir, "--store", filepath.Join(v.dir, ".ecplan"), "--tenant", "local"}
		if command == "apply" {
			args = append(args, "--var", "init_login_url=https://other.example/login")
		}
		before := string(v.sim.Essence())
		asked := make(chan struct{})
		out := heard{said: map[string]chan struct{}{`Only "yes" goes on`: asked}}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := &exec.Cmd{
			Path: self, Args: args, Dir: v.dir, Stdin: terminal(t), Stdout: &out, Stderr: &out,
			Env: append(os.Environ(), "ECPLAN_LOCAL_TOKEN="+storyToken),
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-asked:
		case <-ended:
			t.Fatalf("%s did not ask:\n%s", command, out.text.String())
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
				t.Errorf("%s ended with %v", command, err)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
			t.Errorf("%s goes on waiting for an answer:\n%s", command, out.text.String())
		}
		if strings.Contains(out.text.String(), "in flight") || string(v.sim.Essence()) != before {
			t.Errorf("%s did something, or said that it does:\n%s", command, out.text.String())
		}
	}
}

// TestRolloutIsTakenBackAsItWasConfirmed: what somebody changed on a tenant while the
// question waited is not run over, as with one run.
func TestRolloutIsTakenBackAsItWasConfirmed(t *testing.T) {
	f := newFlock(t, 2)
	store := filepath.Join(f.dir, "the store")
	if code, out, errs := f.ecplan("apply", "--all", "--yes"); code != exitDone {
		t.Fatalf("apply ended with %d:\n%s%s", code, out, errs)
	}
	names, err := filepath.Glob(filepath.Join(store, "rollouts", "*.plan.json"))
	if err != nil || len(names) != 1 {
		t.Fatalf("the rollouts on record are %v: %v", names, err)
	}
	rollout := strings.TrimSuffix(filepath.Base(names[0]), ".plan.json")
	asked := make(chan struct{})
	out := heard{said: map[string]chan struct{}{`Only "yes" goes on`: asked}}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	keyboard, slave := terminals(t)
	cmd := &exec.Cmd{
		Path: self, Args: []string{"ecplan", "rollback", rollout, "--force", "-f", f.dir, "--store", store}, Dir: f.dir, Stdin: slave, Stdout: &out, Stderr: &out,
		Env: append(os.Environ(), "ECPLAN_LOCAL_TOKEN="+storyToken),
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-asked:
	case <-ended:
		t.Fatalf("rollback did not ask:\n%s", out.text.String())
	}
	theirs := f.sims[f.names[0]]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "http://"+theirs.Domain()+"/api/v2/tenants/settings", strings.NewReader(`{"flags": {"use_scope_descriptions_for_consent": false}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+storyToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	_ = resp.Body.Close()
	before := string(theirs.Essence())
	if _, err := keyboard.WriteString("yes\n"); err != nil {
		t.Fatal(err)
	}
	<-ended
	said := out.text.String()
	if !strings.Contains(said, "the plan is stale") || !strings.Contains(said, "1 refused, nothing changed; 1 done") || string(theirs.Essence()) != before {
		t.Errorf("what was changed meanwhile was run over:\n%s", said)
	}
}

// terminal is one that nobody types at.
func terminal(t *testing.T) *os.File {
	t.Helper()
	_, slave := terminals(t)
	return slave
}

// terminals are the two ends of a terminal: what is typed, and what a program reads.
func terminals(t *testing.T) (keyboard, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no terminal to be had: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}
