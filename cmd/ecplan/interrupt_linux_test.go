package main

import (
	"errors"
	"fmt"
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

// terminal is one that nobody types at.
func terminal(t *testing.T) *os.File {
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
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return slave
}
