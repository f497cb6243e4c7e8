package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// storyToken is the token of the tests' tenants. Neither it nor anything that begins like
// a canary may be in what ecplan prints or writes.
const storyToken = canary + "story-token"

const canary = "canary-"

// toldFile is the variable that names the file in which a program that told a secret
// leaves word.
const toldFile = "ECPLAN_TEST_TOLD"

// overheard is main, with somebody who listens for secrets in all that it prints.
func overheard() {
	out, errs := &eavesdropper{to: os.Stdout}, &eavesdropper{to: os.Stderr}
	code := Run(context.Background(), os.Args, Streams{In: os.Stdin, Out: out, Err: errs, Env: os.LookupEnv})
	if out.heard || errs.heard {
		fmt.Fprintln(os.Stderr, "a secret was told")
		if path := os.Getenv(toldFile); path != "" {
			_ = os.WriteFile(path, []byte(strings.Join(os.Args, " ")+" told a "+canary), 0o600) // stderr says it too
		}
	}
	os.Exit(code)
}

// eavesdropper hands on what is written, and listens for canaries.
type eavesdropper struct {
	to    io.Writer
	mu    sync.Mutex
	last  []byte // the end of what came before
	heard bool
}

func (e *eavesdropper) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = append(e.last, b...)
	e.heard = e.heard || bytes.Contains(e.last, []byte(canary))
	e.last = append([]byte(nil), e.last[max(0, len(e.last)-len(canary)):]...)
	return e.to.Write(b)
}

// secretsIn names the file below a folder that holds a canary, "" if none does.
func secretsIn(dir string) string {
	told := ""
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(canary)) {
			told = fmt.Sprintf("%s holds a secret: %.200s", path, data[bytes.Index(data, []byte(canary)):])
		}
		return err
	})
	if err != nil {
		return err.Error()
	}
	return told
}

// TestEavesdropper: a secret is heard though it comes in pieces.
func TestEavesdropper(t *testing.T) {
	for _, pieces := range [][]string{{"x canary-y"}, {"x can", "ary", "-y"}, {"c", "a", "n", "a", "r", "y", "-"}} {
		e := &eavesdropper{to: io.Discard}
		for _, p := range pieces {
			if _, err := e.Write([]byte(p)); err != nil {
				t.Fatal(err)
			}
		}
		if !e.heard {
			t.Errorf("%q was not heard", pieces)
		}
	}
	e := &eavesdropper{to: io.Discard}
	if _, err := e.Write([]byte("canaries")); err != nil || e.heard {
		t.Errorf("something was heard: %v", err)
	}
}
