package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/report"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// version is stamped at build time.
var version = "dev"

// storeFlag names the folder of runs, locks and fingerprints.
func storeFlag() cli.Flag {
	return &cli.StringFlag{Name: "store", Value: ".ecplan", Usage: "keep runs, locks and fingerprints in `DIR`", EnvVars: []string{"ECPLAN_STORE"}}
}

// load reads the manifests that the command names and reports every problem.
func load(c *cli.Context) (*manifest.Set, manifest.Inputs, error) {
	s := streams(c)
	set, ds := manifest.Load(c.StringSlice("file"))
	if err := complain(c, ds); err != nil {
		return nil, manifest.Inputs{}, err
	}
	vars, err := varFlags(c)
	if err != nil {
		return nil, manifest.Inputs{}, err
	}
	return set, manifest.Inputs{Env: s.Env, Vars: vars, Now: time.Now()}, nil
}

// complain writes diagnostics to standard error and returns an error if one stops.
func complain(c *cli.Context, ds manifest.Diagnostics) error {
	if len(ds) == 0 {
		return nil
	}
	o := look(c, streams(c).Err)
	o.Format = report.Text
	if err := report.Diagnostics(streams(c).Err, ds, o); err != nil {
		return err
	}
	if n := ds.Errors(); n > 0 {
		return exit(exitError, nil)
	}
	return nil
}

// look says how to print to w: in colour and to the width of a terminal, plainly elsewhere.
func look(c *cli.Context, w io.Writer) report.Options {
	o := report.Options{Format: c.String("format"), Source: os.ReadFile}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	_, quiet := streams(c).Env("NO_COLOR")
	o.Color = !quiet && !c.Bool("no-color")
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		o.Width = width
	}
	return o
}

// targets opens the tenants that the command addresses, in the order of their names.
func targets(c *cli.Context, set *manifest.Set, in manifest.Inputs) ([]*fleet.Target, error) {
	names, err := selected(c, set)
	if err != nil {
		return nil, err
	}
	return openTargets(c, set, in, names, nil)
}

// openTargets opens the named tenants; progress hears of their requests.
func openTargets(c *cli.Context, set *manifest.Set, in manifest.Inputs, names []string, progress *fleet.Progress) ([]*fleet.Target, error) {
	store, err := journal.OpenDir(c.String("store"))
	if err != nil {
		return nil, err
	}
	cfg := tenant.Config{UserAgent: "ecplan/" + version}
	if progress != nil {
		cfg.Observe = progress.Request
	}
	ts, ds := fleet.OpenAll(set, names, in, store, cfg)
	return ts, complain(c, ds)
}

// selected returns the names of the tenants that --tenant and --select name, all without
// them.
func selected(c *cli.Context, set *manifest.Set) ([]string, error) {
	infos := set.Tenants()
	if len(infos) == 0 {
		return nil, errors.New("the manifests declare no Tenant, so there is nothing to plan for. Add a document of kind Tenant with a domain and credentials, or name its file with -f")
	}
	ts, err := fleet.Select(infos, c.StringSlice("tenant"), c.StringSlice("select"))
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.Name
	}
	return names, err
}

// saysWhich reports whether the command line says which tenants are meant.
func saysWhich(c *cli.Context) bool {
	return len(c.StringSlice("tenant"))+len(c.StringSlice("select")) > 0 || c.Bool("all")
}

// who says who runs this, as far as the environment tells: the CI systems' own
// variables first, then the user and the commit of the working folder.
func who(s Streams) journal.Who {
	env := func(names ...string) string {
		for _, n := range names {
			if v, ok := s.Env(n); ok && v != "" {
				return v
			}
		}
		return ""
	}
	w := journal.Who{
		User:   env("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID", "CIRCLE_USERNAME", "BUILD_REQUESTEDFOR"),
		Commit: env("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "CIRCLE_SHA1", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION"),
		CI:     env("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL"),
	}
	if server, repo, run := env("GITHUB_SERVER_URL"), env("GITHUB_REPOSITORY"), env("GITHUB_RUN_ID"); server != "" && repo != "" && run != "" {
		w.CI = server + "/" + repo + "/actions/runs/" + run
	}
	if w.User == "" {
		if u, err := user.Current(); err == nil {
			w.User = u.Username
		}
	}
	if w.Commit == "" {
		if out, err := exec.Command("git", "rev-parse", "HEAD").Output(); err == nil { // no git, no commit on record
			w.Commit = strings.TrimSpace(string(out))
		}
	}
	return w
}

// interruptible returns two contexts: soft ends at the first Ctrl-C or SIGTERM, when
// nothing new may start; hard at the second, when what is in flight is given up.
func interruptible(ctx context.Context, w io.Writer) (soft, hard context.Context, stop func()) {
	soft, endSoft := context.WithCancel(ctx)
	hard, endHard := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case sig := <-signals:
				if n == 0 {
					fmt.Fprintf(w, "\n%s: nothing new is started; what is in flight finishes. Once more stops at once.\n", sig)
					endSoft()
				} else {
					fmt.Fprintf(w, "\n%s: stopped at once. The journal tells what was under way.\n", sig)
					endHard()
				}
			}
		}
	}()
	return soft, hard, func() { signal.Stop(signals); close(done); endSoft(); endHard() }
}

// Why a question was not answered with "yes".
var (
	errNobodyToAsk  = errors.New("there is no terminal to ask on. Give --yes, or apply a saved plan: ecplan plan --out plan.json, then ecplan apply plan.json")
	errNotConfirmed = errors.New("not confirmed; nothing was changed")
)

// confirm asks a question that only "yes" answers. Without a terminal it is an error.
func confirm(c *cli.Context, question string) error {
	s := streams(c)
	f, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return errNobodyToAsk
	}
	fmt.Fprintf(s.Err, "%s Only \"yes\" goes on: ", question)
	var answer string
	if _, err := fmt.Fscanln(s.In, &answer); err != nil || answer != "yes" {
		return errNotConfirmed
	}
	return nil
}
