package workflow

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGitLab runs the scripts of the GitLab variant in their order, as its runner does:
// lines of sh, in one folder, with the variables that a job gets from the one before.
func TestGitLab(t *testing.T) {
	w := newWorld(t)
	type jobOf struct {
		Script []string `yaml:"script"`
		Needs  []string `yaml:"needs"`
	}
	var ci struct {
		Validate jobOf `yaml:"validate"`
		Plan     jobOf `yaml:"plan"`
		Apply    jobOf `yaml:"apply"`
	}
	read(t, root+"/examples/gitops/.gitlab-ci.yml", &ci)
	if fmt.Sprint(ci.Apply.Needs, ci.Plan.Needs) != "[plan] [validate]" {
		t.Errorf("apply needs %v and plan %v", ci.Apply.Needs, ci.Plan.Needs)
	}
	bin := t.TempDir()
	if err := os.Symlink(filepath.Join(built(t), asset()), filepath.Join(bin, "ecplan")); err != nil {
		t.Fatal(err)
	}
	work := w.branch()
	run := func(of jobOf, variables ...string) (string, error) {
		cmd := exec.Command("sh", "-e", "-c", strings.Join(of.Script, "\n"))
		cmd.Dir = work
		cmd.Env = append([]string{"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + w.home, "ECPLAN_STORE=.ecplan"}, variables...)
		for k, v := range w.environments["auth0-write"] {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, j := range []jobOf{ci.Validate, ci.Plan} {
		if out, err := run(j); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	w.wantWrites(0)
	handed := lines(t, filepath.Join(work, "plan.env"))
	if len(handed) != 1 || !strings.HasPrefix(handed[0], "CHECKSUM=sha256:") {
		t.Fatalf("plan.env has %q", handed)
	}
	if out, err := run(ci.Apply, "CHECKSUM=sha256:other"); err == nil || !strings.Contains(out, "checksum is") {
		t.Errorf("another plan than the one that was looked at is applied:\n%s", out)
	}
	w.wantWrites(0)
	// The cache brings what a job that was killed on another host held.
	locks := filepath.Join(work, ".ecplan", "locks")
	for _, sim := range w.tenants {
		record := strings.ReplaceAll(sim.Domain(), ":", "%3A") + ".json"
		if err := errors.Join(os.MkdirAll(locks, 0o700), os.WriteFile(filepath.Join(locks, record), []byte(`{"host": "runner-1", "pid": 7}`), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := run(ci.Apply, handed...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	w.wantWrites(16)

	// A plan that breaks the policy fails the job, and its page is there.
	change(t, work, "auth0/ecplan-policy.yaml", "min_key_bits: 2048", "min_key_bits: 8192")
	if err := os.Remove(filepath.Join(work, "plan.html")); err != nil {
		t.Fatal(err)
	}
	if out, err := run(ci.Plan); err == nil {
		t.Errorf("the policy is broken, and the job passes:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(work, "plan.html")); err != nil {
		t.Error(err)
	}
}
