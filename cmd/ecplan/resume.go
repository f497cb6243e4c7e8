package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// runFlags are those of every command that writes.
func runFlags() []cli.Flag {
	return append(append(loadFlags(), selectFlags()...),
		sideBySideFlag(), formatFlag("text", "json", "markdown", "html", jsonLines), noColorFlag(), storeFlag(),
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "go on without asking"},
		settleFlag(),
		&cli.DurationFlag{Name: "build-limit", Value: 5 * time.Minute, Usage: "wait at most `TIME` for an Action to be built"},
	)
}

// settleFlag says how long a request without an answer may still get its effect.
func settleFlag() cli.Flag {
	return &cli.DurationFlag{
		Name: "settle", Value: executor.DefaultSettle,
		Usage: "believe that a request without an answer had no effect only `TIME` after it was sent",
	}
}

func resumeCommand() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "finish an interrupted run or rollout, by default the last one that is not done",
		ArgsUsage: "[RUN]",
		Flags: append(runFlags(), policyFlag(),
			parallelFlag(),
			&cli.BoolFlag{Name: "abandon", Usage: "close the run instead, and leave the tenant as it is"},
		),
		Action: resume,
	}
}

func resume(c *cli.Context) error {
	s := streams(c)
	if name, ok, err := rolloutToResume(c); err != nil || ok {
		if err == nil && c.Bool("abandon") {
			err = errors.New("--abandon closes one run; name it, or its tenant")
		}
		if err != nil {
			return err
		}
		return resumeRollout(c, name)
	}
	t, logs, err := pastTarget(c)
	if err != nil {
		return err
	}
	by := who(s)
	unlock, err := t.Lock(by, "resume", time.Now())
	if err != nil {
		return err
	}
	defer unlock() //nolint:errcheck // the lock goes with the process in any case
	run := c.Args().First()
	if run == "" {
		for _, l := range slices.Backward(logs) {
			if l.Outcome() != journal.OutcomeDone && !takenBack(logs, l.Header.Run) {
				run = l.Header.Run
				break
			}
		}
	}
	if run == "" {
		fmt.Fprintf(s.Err, "All runs on the tenant %s are done or taken back; there is nothing to finish.\n", t.Tenant.Name)
		return nil
	}
	if c.Bool("abandon") {
		if err := t.Abandon(run, pastOptions(c, by)); err != nil {
			return err
		}
		fmt.Fprintf(s.Err, "The run %s is closed; the tenant is as it is.\n", run)
		return nil
	}
	p, left, err := t.Left(run)
	if err != nil {
		return err
	}
	rest := p
	rest.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(st kind.Step) bool { return !slices.Contains(left, st.ID) })
	fmt.Fprintf(s.Err, "The run %s has %d of %d steps left:\n", run, len(left), len(p.Steps))
	if err := review(c, single(rest, t)); err != nil {
		return err
	}
	if !c.Bool("yes") && len(left) > 0 {
		if err := confirm(c, "Finish this run?"); err != nil {
			return err
		}
	}
	soft, hard, stop := interruptible(c.Context, s.Err)
	defer stop()
	began := time.Now()
	plan, out, err := t.Resume(soft, run, pastOptions(c, by), applyOptions(c, hard, t, by))
	tr := report.TenantRun{Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, Run: run, Seconds: time.Since(began).Seconds()}
	code := exitError
	if err != nil {
		tr.Outcome, tr.Error = report.Refused, err.Error()
	} else {
		tr, code = finished(tr, plan, out)
	}
	return reported(c, "resume", began, tr, code)
}

// reported shows what became of a run and ends with its exit code.
func reported(c *cli.Context, command string, began time.Time, tr report.TenantRun, code int) error {
	r := report.RunReport{Format: report.RunFormat, Tool: version, Command: command, Tenants: []report.TenantRun{tr}, Seconds: time.Since(began).Seconds()}
	if err := runReport(c, r); err != nil {
		return err
	}
	if code != exitDone {
		return exit(code, nil)
	}
	return nil
}

func single(p planner.TenantPlan, t *fleet.Target) *planner.Plan {
	out := &planner.Plan{Format: planner.Format, Tool: version, ManifestDigest: t.ManifestDigest, Tenants: []planner.TenantPlan{p}}
	out.Seal()
	return out
}

// pastTarget opens the one tenant that the command is about: that of the run which is
// named, else the one that --tenant names, else the only one there is.
func pastTarget(c *cli.Context) (*fleet.Target, []*journal.Log, error) {
	if c.NArg() > 1 {
		return nil, nil, fmt.Errorf("%s takes one run at most, and got %d arguments", c.Command.Name, c.NArg())
	}
	set, in, err := load(c)
	if err != nil {
		return nil, nil, err
	}
	store, err := journal.OpenDir(c.String("store"))
	if err != nil {
		return nil, nil, err
	}
	var name string
	if run := c.Args().First(); run != "" {
		l, err := journal.Read(store, run)
		if err != nil {
			return nil, nil, err
		}
		name = l.Header.Tenant
	} else {
		names, err := selected(c, set)
		if err != nil {
			return nil, nil, err
		}
		if len(names) != 1 {
			return nil, nil, fmt.Errorf("%s is about one tenant, and there are %d: name it with --tenant, or name the run", c.Command.Name, len(names))
		}
		name = names[0]
	}
	t, ds := fleet.Open(set, name, in, store, tenant.Config{UserAgent: "ecplan/" + version})
	if err := complain(c, ds); err != nil {
		return nil, nil, err
	}
	logs, err := journal.Load(store, t.Tenant.Name, t.Tenant.Domain)
	return t, logs, err
}

// takenBack says whether a finished rollback took the run back, and was not taken back itself.
func takenBack(logs []*journal.Log, run string) bool {
	return slices.ContainsFunc(logs, func(l *journal.Log) bool {
		return l.Header.RollsBack == run && l.Outcome() == journal.OutcomeDone && !takenBack(logs, l.Header.Run)
	})
}

func pastOptions(c *cli.Context, by journal.Who) fleet.PastOptions {
	return fleet.PastOptions{Who: by, Settle: c.Duration("settle"), Settled: settled(streams(c).Err), Now: time.Now}
}

// settled returns what tells of each request whose outcome was found out.
func settled(w io.Writer) func(string, executor.Settled) {
	return func(run string, s executor.Settled) {
		what := "had no effect"
		if s.State == kind.AsAfter {
			what = "had its effect"
		}
		fmt.Fprintf(w, "%s: the request of %s, whose answer was lost, %s.\n", run, s.Step, what)
	}
}

func applyOptions(c *cli.Context, hard context.Context, t *fleet.Target, by journal.Who) fleet.ApplyOptions {
	return fleet.ApplyOptions{
		Tool: version, Who: by, Parallel: c.Int("parallel"), Poll: executor.Poll{Limit: c.Duration("build-limit")},
		Hard: hard, Progress: newTeller(c, 1).Steps(t.Tenant.Name, false), Now: time.Now,
	}
}
