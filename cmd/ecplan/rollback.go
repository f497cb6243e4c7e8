package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/report"
)

// What apply does when it fails.
const (
	onFailureRollback = "rollback"
	onFailureKeep     = "keep"
)

func onFailureFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "on-failure", Value: onFailureRollback, Usage: "take back what was done, or keep it: `rollback|keep`",
		Action: func(_ *cli.Context, got string) error {
			if got != onFailureRollback && got != onFailureKeep {
				return fmt.Errorf("--on-failure is rollback or keep, not %q", got)
			}
			return nil
		},
	}
}

func rollbackCommand() *cli.Command {
	return &cli.Command{
		Name:      "rollback",
		Usage:     "take a run back, by default the tenant's last one, or a rollout on all its tenants",
		ArgsUsage: "[RUN]",
		Flags: append(runFlags(),
			&cli.BoolFlag{Name: "force", Usage: "take back also what somebody changed since, and delete what others may use"},
			&cli.StringFlag{Name: "back-to", Usage: "take back every run from the last one to `RUN`, newest first"},
		),
		Action: rollback,
	}
}

func rollback(c *cli.Context) error {
	s := streams(c)
	if c.NArg() > 0 && c.String("back-to") != "" {
		return fmt.Errorf("rollback takes back one RUN, or all --back-to one; not both")
	}
	if journal.IsRollout(c.Args().First()) {
		return rollbackRollout(c, c.Args().First())
	}
	t, logs, err := pastTarget(c)
	if err != nil {
		return err
	}
	by := who(s)
	unlock, err := t.Lock(by, "rollback", time.Now())
	if err != nil {
		return err
	}
	defer unlock() //nolint:errcheck // the lock goes with the process in any case
	runs, err := toTakeBack(logs, c.Args().First(), c.String("back-to"))
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		fmt.Fprintf(s.Err, "No run on the tenant %s is left to take back.\n", t.Tenant.Name)
		return nil
	}
	for _, run := range runs {
		if err := rollbackOne(c, t, run, by); err != nil {
			return err
		}
	}
	return nil
}

// toTakeBack lists the runs to take back, newest first: the one that is named, or the
// last one, or all from the last one back to one, without rollbacks and what they took
// back already.
func toTakeBack(logs []*journal.Log, run, backTo string) ([]string, error) {
	if run != "" {
		return []string{run}, nil
	}
	var out []string
	for _, l := range slices.Backward(logs) {
		name := l.Header.Run
		if l.Header.RollsBack != "" {
			if l.Interrupted() {
				return nil, fmt.Errorf("the rollback %s was interrupted: finish it first, by 'ecplan resume %s'", name, name)
			}
			continue
		}
		if !takenBack(logs, name) {
			out = append(out, name)
		}
		if name == backTo || backTo == "" && len(out) > 0 {
			return out, nil
		}
	}
	if backTo != "" {
		return nil, fmt.Errorf("the tenant has no run %s; 'ecplan history' lists those that there are", backTo)
	}
	return out, nil
}

// rollbackOne plans, shows, asks and takes back. What remains is an error.
func rollbackOne(c *cli.Context, t *fleet.Target, run string, by journal.Who) error {
	s := streams(c)
	began := time.Now()
	back, err := t.PlanRollback(c.Context, run, c.Bool("force"), pastOptions(c, by))
	if err != nil {
		return err
	}
	plan := single(back.Plan, t)
	tr := report.TenantRun{Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, Outcome: report.Nothing, Remains: remains(back)}
	if len(back.Plan.Steps) == 0 && len(tr.Remains) == 0 {
		tr.Remains = []string{"Of what the run " + run + " did nothing is there that could be taken back."}
	} else {
		fmt.Fprintf(s.Err, "Taking back the run %s:\n", run)
		if err := review(c, plan); err != nil {
			return err
		}
	}
	code := exitDone
	if len(back.Plan.Steps) > 0 {
		if !c.Bool("yes") && worthAsking(plan) {
			if err := confirm(c, "Take this back?"); err != nil {
				return err
			}
			now, err := t.PlanRollback(c.Context, run, c.Bool("force"), pastOptions(c, by)) // what was confirmed must still be so
			if err != nil {
				return err
			}
			if err := fleet.Fresh(plan, single(now.Plan, t)); err != nil {
				return err
			}
		}
		soft, hard, stop := interruptible(c.Context, s.Err)
		defer stop()
		o := applyOptions(c, hard, t, by)
		o.RollsBack = run
		out, err := t.Apply(soft, back.Plan, o)
		tr.Seconds = time.Since(began).Seconds()
		if err != nil {
			tr.Outcome, tr.Error, code = report.Refused, err.Error(), exitError
		} else {
			tr, code = finished(tr, back.Plan, out)
		}
	}
	if code == exitDone && len(back.Left) > 0 {
		code = exitChanged
	}
	return reported(c, "rollback", began, tr, code)
}

// rollbackRollout takes back what a rollout did on its tenants, or on those of them that the
// command line names, side by side.
func rollbackRollout(c *cli.Context, name string) error {
	s := streams(c)
	r, err := openRollout(c, name)
	if err != nil {
		return err
	}
	defer r.close()
	o := fleet.PlanOptions{Force: c.Bool("force"), SideBySide: c.Int("side-by-side"), Refused: r.refused, Progress: r.tell.Progress}
	past := pastOptions(c, r.by)
	past.Settled = settled(r.tell.lines)
	parts, p := fleet.BackAll(c.Context, r.ts, r.record.Name, version, past, o)
	r.tell.quiet()
	fmt.Fprintf(s.Err, "Taking back the rollout %s:\n", r.record.Name)
	if err := review(c, p); err != nil {
		return err
	}
	if worthAsking(p) && !c.Bool("yes") {
		if err := confirm(c, "Take this back?"); err != nil {
			return err
		}
		_, now := fleet.BackAll(c.Context, r.ts, r.record.Name, version, past, o) // what was confirmed must still be so
		fleet.RefuseStale(parts, now)
		r.tell.quiet()
	}
	ro := fleet.RolloutOptions{MaxFailures: -1, Rollback: manifest.RollbackNothing, Waves: fleet.OneWave(infos(r.ts))}
	underWay(c, &ro, r.by, r.tell)
	return carryOut(c, r.set, parts, journal.Rollout{}, ro, r.tell)
}

// remains says what a rollback leaves on the tenant.
func remains(back *executor.Rollback) []string {
	var out []string
	for _, l := range back.Left {
		out = append(out, fmt.Sprintf("%s is left alone: %s.", l.Step, l.Why))
	}
	for _, l := range back.Lost {
		out = append(out, l.String()+".")
	}
	return out
}
