package auth0sim_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// shared is a folder that may stand beside the repository, with recordings and
// Auth0's OpenAPI document. Tests that want it are skipped without it.
func shared(t *testing.T, path ...string) string {
	t.Helper()
	full := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("SKIPPED: %s is not there", full)
	}
	full, err := filepath.Abs(full)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

// TestReplay lets the replay tool score the simulator, started as its own process.
func TestReplay(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	tool, recordings := shared(t, "tools", "replay"), shared(t, "recordings")
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the replay tool needs python3")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "--start", self+" -test.run=^TestServeForReplay$ serve {port}", recordings)
	cmd.Env = append(os.Environ(), "AUTH0SIM_SERVE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	last := lastLine(out)
	t.Log(last)
	scores := regexp.MustCompile(`status ([\d.]+)%, shape ([\d.]+)%, values ([\d.]+)%`).FindStringSubmatch(last)
	if scores == nil {
		t.Fatalf("no score: %s", out)
	}
	for i, least := range []float64{99, 95, 92} { // issue 3, acceptance
		if got, err := strconv.ParseFloat(scores[i+1], 64); err != nil || got < least {
			t.Errorf("%s is below %v: %s", scores[i+1], least, last)
		}
	}
}

func lastLine(b []byte) string {
	last := ""
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if s.Text() != "" {
			last = s.Text()
		}
	}
	return last
}

// TestServeForReplay is not a test: it is the process that TestReplay starts.
func TestServeForReplay(t *testing.T) {
	if os.Getenv("AUTH0SIM_SERVE") == "" {
		t.Skip("it serves TestReplay")
	}
	s, err := auth0sim.New(auth0sim.Options{Token: "replay-token"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen("127.0.0.1:" + os.Args[len(os.Args)-1]); err != nil {
		t.Fatal(err)
	}
	select {} // until it is killed
}

// TestRecordedPaths holds that every recorded path is served.
func TestRecordedPaths(t *testing.T) {
	dir := shared(t, "recordings")
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	s := newTenant(t, auth0sim.Options{})
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(raw) {
			var row struct {
				Method, Path string
				Status       int
			}
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatal(err)
			}
			s.raw(row.Method, "/"+row.Path, "application/json", "")
		}
	}
	for _, r := range s.Requests() {
		if r.Unknown {
			t.Errorf("%s %s is not served", r.Method, r.Path)
		}
	}
}
