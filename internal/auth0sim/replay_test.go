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
	// A process of its own, without the race detector: it is started for each recording.
	serve := filepath.Join(t.TempDir(), "serve")
	if out, err := exec.Command("go", "build", "-o", serve, "./testdata/serve").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(tool, "--start", serve+" {port}", recordings)
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
