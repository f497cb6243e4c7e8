// Package workflow plays the GitHub workflow of examples/gitops, and by it the action at
// the repository's root, step by step: with the environment and the files that GitHub's
// runner gives to a step, its rules for "if", stand-ins for GitHub's own actions, for its
// API, its cache and its artifacts, and simulated tenants. The shell is the real one.
//
// It has tests only, and knows of GitHub what those need.
package workflow

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const root = "../.."

// workflow is a file in .github/workflows, as far as the project's own use it.
type workflow struct {
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]jobDef `yaml:"jobs"`
}

type jobDef struct {
	Needs       string            `yaml:"needs"`
	If          string            `yaml:"if"`
	Environment string            `yaml:"environment"`
	Permissions map[string]string `yaml:"permissions"`
	Concurrency struct {
		Group            string `yaml:"group"`
		CancelInProgress string `yaml:"cancel-in-progress"`
	} `yaml:"concurrency"`
	Outputs map[string]string `yaml:"outputs"`
	Steps   []stepDef         `yaml:"steps"`
}

type stepDef struct {
	ID    string            `yaml:"id"`
	Name  string            `yaml:"name"`
	If    string            `yaml:"if"`
	Uses  string            `yaml:"uses"`
	Run   string            `yaml:"run"`
	Shell string            `yaml:"shell"`
	With  map[string]string `yaml:"with"`
	Env   map[string]string `yaml:"env"`
}

// action is an action.yml.
type action struct {
	Inputs map[string]struct {
		Required bool   `yaml:"required"`
		Default  string `yaml:"default"`
	} `yaml:"inputs"`
	Outputs map[string]struct {
		Value string `yaml:"value"`
	} `yaml:"outputs"`
	Runs struct {
		Using string    `yaml:"using"`
		Steps []stepDef `yaml:"steps"`
	} `yaml:"runs"`
}

// read decodes a YAML file.
func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// event is what starts a workflow.
type event struct {
	name    string
	payload map[string]any
	ref     string // of the run: refs/heads/main, refs/pull/1/merge
	sha     string
	tree    string            // the folder that checkout gives
	inputs  map[string]string // of workflow_dispatch
	// interrupt, if it becomes readable while a step runs, cancels the job.
	interrupt <-chan struct{}
}

func (e event) refName() string {
	return strings.TrimPrefix(strings.TrimPrefix(e.ref, "refs/heads/"), "refs/pull/")
}

// job is what became of a job.
type job struct {
	t    *testing.T
	site *site
	run  int64
	ev   event

	def       jobDef
	workspace string
	temp      string
	path      []string // what steps have put before PATH
	env       map[string]string
	secrets   map[string]string
	needs     map[string]any
	token     string

	// conclusion is success, failure, skipped or cancelled.
	conclusion string
	outputs    map[string]string
	log        strings.Builder
	summary    string
	// commands are the lines of the log that a runner heeds: "::error …".
	commands []string
	// ran lists the steps that were not skipped, by name.
	ran []string
}

// play runs a workflow as GitHub would for the event, its jobs one after the other.
func (s *site) play(file string, ev event) map[string]*job {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var w workflow
	read(s.t, file, &w)
	if _, heeded := w.On[ev.name]; !heeded {
		s.t.Fatalf("%s is not started by %s", file, ev.name)
	}
	s.lastRun++
	run := s.lastRun
	s.runs[run] = ev
	done := map[string]*job{}
	for len(done) < len(w.Jobs) {
		before := len(done)
		for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
			def := w.Jobs[name]
			if done[name] != nil || def.Needs != "" && done[def.Needs] == nil {
				continue
			}
			if def.Permissions == nil {
				def.Permissions = w.Permissions
			}
			done[name] = s.playJob(run, ev, def, done[def.Needs])
		}
		if len(done) == before {
			s.t.Fatalf("%s: jobs need each other in a circle", file)
		}
	}
	return done
}

func (s *site) playJob(run int64, ev event, def jobDef, need *job) *job {
	t := s.t
	j := &job{
		t: t, site: s, run: run, ev: ev, def: def, workspace: t.TempDir(), temp: t.TempDir(),
		env: map[string]string{}, needs: map[string]any{}, outputs: map[string]string{}, secrets: s.environments[def.Environment],
	}
	var st status
	if need != nil {
		outputs := map[string]any{}
		for k, v := range need.outputs {
			outputs[k] = v
		}
		j.needs[def.Needs] = map[string]any{"result": need.conclusion, "outputs": outputs}
		st.failed = need.conclusion != "success"
		st.cancelled = need.conclusion == "cancelled"
	}
	j.token = s.grant(def.Permissions)
	if ok, err := condition(def.If, j.scope(nil, nil), st); err != nil {
		t.Fatal(err)
	} else if !ok {
		j.conclusion = "skipped"
		return j
	}
	s.played = append(s.played, j)
	steps, st := j.steps(def.Steps, nil, nil, "")
	for name, text := range def.Outputs {
		v, err := fill(text, j.scope(nil, steps), st)
		if err != nil {
			t.Fatal(err)
		}
		j.outputs[name] = v
	}
	switch {
	case st.cancelled:
		j.conclusion = "cancelled"
	case st.failed:
		j.conclusion = "failure"
	default:
		j.conclusion = "success"
	}
	return j
}

// scope is what an expression in the job can name.
func (j *job) scope(inputs map[string]string, steps map[string]any) scope {
	in := map[string]any{}
	if inputs == nil {
		inputs = j.ev.inputs
	}
	for k, v := range inputs {
		in[k] = v
	}
	secrets := map[string]any{}
	for k, v := range j.secrets {
		secrets[k] = v
	}
	return scope{
		"inputs": in, "steps": steps, "needs": j.needs, "secrets": secrets,
		"runner": map[string]any{"temp": j.temp},
		"github": map[string]any{
			"event_name": j.ev.name, "event": j.ev.payload, "ref": j.ev.ref, "ref_name": j.ev.refName(), "sha": j.ev.sha,
			"repository": repository, "run_id": strconv.FormatInt(j.run, 10), "run_attempt": "1", "token": j.token,
			"action_ref": exampleVersion,
		},
	}
}

// steps runs the steps of a job or of an action, and returns what "steps" then names.
func (j *job) steps(defs []stepDef, inputs, env map[string]string, actionPath string) (map[string]any, status) {
	done := map[string]any{}
	var st status
	for _, def := range defs {
		in := j.scope(inputs, done)
		ok, err := condition(def.If, in, st)
		if err != nil {
			j.t.Fatalf("%s: if: %v", def.Name, err)
		}
		outcome, outputs := "skipped", map[string]string{}
		if ok {
			outcome = "success"
			j.ran = append(j.ran, def.Name)
			full := maps.Clone(env)
			if full == nil {
				full = map[string]string{}
			}
			for k, text := range def.Env {
				if full[k], err = fill(text, in, st); err != nil {
					j.t.Fatalf("%s: env: %v", def.Name, err)
				}
			}
			with := map[string]string{}
			for k, text := range def.With {
				if with[k], err = fill(text, in, st); err != nil {
					j.t.Fatalf("%s: with: %v", def.Name, err)
				}
			}
			outputs, err = j.step(def, with, full, actionPath)
			switch {
			case errors.Is(err, errCancelled):
				outcome, st.cancelled = "cancelled", true
			case err != nil:
				outcome, st.failed = "failure", true
				fmt.Fprintf(&j.log, "##[error] %s: %v\n", def.Name, err)
			}
		}
		if def.ID != "" {
			o := map[string]any{}
			for k, v := range outputs {
				o[k] = v
			}
			done[def.ID] = map[string]any{"outcome": outcome, "outputs": o}
		}
	}
	return done, st
}

var errCancelled = errors.New("the job was cancelled")

func (j *job) step(def stepDef, with, env map[string]string, actionPath string) (map[string]string, error) {
	if def.Run != "" {
		return j.shell(def, env, actionPath)
	}
	name, ref, _ := strings.Cut(def.Uses, "@")
	if name == "ecplan/ecplan" {
		if ref != exampleVersion {
			j.t.Fatalf("the example uses %s; one version is enough", def.Uses)
		}
		return j.composite(with, env)
	}
	stand, known := standIns[name]
	if !known {
		j.t.Fatalf("there is no stand-in for %s", def.Uses)
	}
	return stand(j, with)
}

// composite runs the action at the repository's root.
func (j *job) composite(with, env map[string]string) (map[string]string, error) {
	var a action
	file, err := filepath.Abs(filepath.Join(root, "action.yml"))
	if err != nil {
		j.t.Fatal(err)
	}
	read(j.t, file, &a)
	inputs := map[string]string{}
	for name, def := range a.Inputs {
		v, given := with[name]
		if !given {
			if v, err = fill(def.Default, j.scope(nil, nil), status{}); err != nil {
				j.t.Fatal(err)
			}
		}
		if v == "" && def.Required {
			j.t.Fatalf("the action needs the input %s", name)
		}
		inputs[name] = v
	}
	for name := range with {
		if _, known := a.Inputs[name]; !known {
			j.t.Fatalf("the action has no input %s", name)
		}
	}
	steps, st := j.steps(a.Runs.Steps, inputs, env, filepath.Dir(file))
	outputs := map[string]string{}
	for name, def := range a.Outputs {
		if outputs[name], err = fill(def.Value, j.scope(inputs, steps), st); err != nil {
			j.t.Fatal(err)
		}
	}
	switch {
	case st.cancelled:
		return outputs, errCancelled
	case st.failed:
		return outputs, errors.New("a step of the action has failed")
	}
	return outputs, nil
}

// shell runs a step's script as the runner does.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstepsshell
func (j *job) shell(def stepDef, env map[string]string, actionPath string) (map[string]string, error) {
	if placeholder.MatchString(def.Run) {
		j.t.Fatalf("%s: an expression in a script is code that others can write", def.Name)
	}
	if def.Shell != "bash" {
		j.t.Fatalf("%s: the shell is %q", def.Name, def.Shell)
	}
	files := j.t.TempDir()
	file := func(name string) string { return filepath.Join(files, name) }
	payload, err := json.Marshal(j.ev.payload)
	if err != nil {
		j.t.Fatal(err)
	}
	for name, text := range map[string][]byte{"script.sh": []byte(def.Run), "event.json": payload, "output": nil, "env": nil, "path": nil, "summary": nil} {
		if err := os.WriteFile(file(name), text, 0o600); err != nil {
			j.t.Fatal(err)
		}
	}
	full := map[string]string{
		"PATH": strings.Join(append(slices.Clone(j.path), os.Getenv("PATH")), string(os.PathListSeparator)),
		"HOME": j.site.home, "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": j.workspace,
		"GITHUB_ACTION_PATH": actionPath, "GITHUB_API_URL": j.site.api.URL, "GITHUB_SERVER_URL": "https://github.com",
		"GITHUB_REPOSITORY": repository, "GITHUB_RUN_ID": strconv.FormatInt(j.run, 10), "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_EVENT_NAME": j.ev.name, "GITHUB_EVENT_PATH": file("event.json"), "GITHUB_REF": j.ev.ref,
		"GITHUB_REF_NAME": j.ev.refName(), "GITHUB_SHA": j.ev.sha, "GITHUB_ACTOR": "sam",
		"GITHUB_OUTPUT": file("output"), "GITHUB_ENV": file("env"), "GITHUB_PATH": file("path"), "GITHUB_STEP_SUMMARY": file("summary"),
		"RUNNER_TEMP": j.temp, "RUNNER_OS": map[string]string{"linux": "Linux", "darwin": "macOS"}[runtime.GOOS],
		"RUNNER_ARCH": map[string]string{"amd64": "X64", "arm64": "ARM64"}[runtime.GOARCH],
	}
	maps.Copy(full, j.env)
	maps.Copy(full, env)
	cmd := exec.Command("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", file("script.sh"))
	cmd.Dir = j.workspace
	for k, v := range full {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		j.t.Fatal(err)
	}
	j.site.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	cancelled := false
	select {
	case err = <-ended:
	case <-j.ev.interrupt:
		// The shell alone is signalled, not what it has started.
		cancelled = true
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			j.t.Error(err)
		}
		err = <-ended
	}
	j.site.mu.Lock()
	j.log.Write(out.Bytes())
	j.commands = append(j.commands, heeded(out.String())...)
	outputs := variables(j.t, file("output"))
	maps.Copy(j.env, variables(j.t, file("env")))
	for _, dir := range lines(j.t, file("path")) {
		j.path = append([]string{dir}, j.path...)
	}
	summary, readErr := os.ReadFile(file("summary"))
	if readErr != nil {
		j.t.Fatal(readErr)
	}
	j.summary += string(summary)
	if cancelled {
		return outputs, errCancelled
	}
	return outputs, err
}

// heeded lists the lines of a log that a runner takes for commands.
func heeded(log string) []string {
	var out []string
	stopped := ""
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		switch {
		case stopped != "":
			if line == "::"+stopped+"::" {
				stopped = ""
			}
		case strings.HasPrefix(line, "::stop-commands::"):
			stopped = strings.TrimPrefix(line, "::stop-commands::")
		case strings.HasPrefix(line, "::"), strings.Contains(line, "##["):
			out = append(out, line)
		}
	}
	return out
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

// variables reads GITHUB_OUTPUT or GITHUB_ENV: NAME=VALUE, or NAME<<END, lines, END.
func variables(t *testing.T, file string) map[string]string {
	t.Helper()
	out := map[string]string{}
	all := lines(t, file)
	for i := 0; i < len(all); i++ {
		if name, end, ok := strings.Cut(all[i], "<<"); ok && !strings.Contains(name, "=") {
			var value []string
			for i++; i < len(all) && all[i] != end; i++ {
				value = append(value, all[i])
			}
			out[name] = strings.Join(value, "\n")
			continue
		}
		name, value, ok := strings.Cut(all[i], "=")
		if !ok {
			t.Errorf("%s has the line %q, which a runner refuses", filepath.Base(file), all[i])
		}
		out[name] = value
	}
	return out
}
