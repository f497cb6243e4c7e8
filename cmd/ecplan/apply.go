package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
)

func applyCommand() *cli.Command {
	return &cli.Command{
		Name:      "apply",
		Usage:     "carry out a plan: the one in FILE, or one made now and confirmed",
		ArgsUsage: "[FILE]",
		Flags: append(writeFlags(),
			&cli.BoolFlag{Name: "prune", Usage: "delete what earlier runs created and the manifests no longer declare"},
			&cli.StringFlag{Name: "checksum", Usage: "refuse any plan but the one with this `CHECKSUM`"},
		),
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return fmt.Errorf("apply takes one saved plan at most, and got %d arguments", c.NArg())
			}
			saved, err := readPlan(c.Args().First())
			if err != nil {
				return err
			}
			return planAndApply(c, saved)
		},
	}
}

func destroyCommand() *cli.Command {
	return &cli.Command{
		Name:  "destroy",
		Usage: "delete what earlier runs created, and take out again what they added; the rest stays",
		Flags: writeFlags(),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("destroy takes no argument, and got %q; tenants are named with --tenant", c.Args().First())
			}
			return planAndApply(c, nil)
		},
	}
}

// writeFlags are those of commands that plan and carry out.
func writeFlags() []cli.Flag {
	return append(runFlags(), forceFlag(), policyFlag(), onFailureFlag(),
		&cli.IntFlag{Name: "parallel", Value: 4, Usage: "have at most `N` writes in flight"},
	)
}

// planAndApply plans for the tenants that the command addresses, shows the plan, has it
// confirmed and carries it out. With a saved plan it carries out just that, or nothing.
func planAndApply(c *cli.Context, saved *planner.Plan) error {
	s := streams(c)
	o, err := planOptions(c)
	if err != nil {
		return err
	}
	set, in, err := load(c)
	if err != nil {
		return err
	}
	ts, err := targets(c, set, in)
	if err != nil {
		return err
	}
	if saved != nil {
		if ts, o.Mode, o.Force, err = fleet.Covered(ts, saved); err != nil {
			return err
		}
	}
	if len(ts) > 1 && saved == nil && len(c.StringSlice("tenant")) == 0 {
		return fmt.Errorf("the manifests declare %d tenants; several are changed only when they are named with --tenant, or from a saved plan", len(ts))
	}
	by := who(s)
	for _, t := range ts {
		unlock, err := t.Lock(by, c.Command.Name, time.Now())
		if err != nil {
			return err
		}
		defer unlock() //nolint:errcheck // the lock goes with the process in any case
		if err := settleUnfinished(c, t, by); err != nil {
			return err
		}
	}
	p := fleet.PlanAll(c.Context, ts, version, o)
	if saved != nil {
		if err := fleet.Fresh(saved, p); err != nil {
			return err
		}
		p = saved
	}
	if want := c.String("checksum"); want != "" && want != p.Checksum {
		return fmt.Errorf("the plan's checksum is %s, not %s; nothing was changed. Plan again and review it", p.Checksum, want)
	}
	shown := look(c, s.Err)
	shown.Format = report.Text
	if err := report.Plan(s.Err, p, shown); err != nil {
		return err
	}
	if err := planExit(c, p); err != nil {
		return err
	}
	if steps(p) > 0 && saved == nil && !c.Bool("yes") {
		if err := confirm(c, "Apply this plan?"); err != nil {
			return err
		}
		now := fleet.PlanAll(c.Context, ts, version, o) // what was confirmed must still be so
		if err := fleet.Fresh(p, now); err != nil {
			return err
		}
	}
	return carryOut(c, ts, p, by)
}

// readPlan reads a saved plan and checks that it is whole; "" gives none.
func readPlan(file string) (*planner.Plan, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // no file, no plan: the caller asks for both
	}
	data, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	p, err := planner.Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func steps(p *planner.Plan) int {
	n := 0
	for _, t := range p.Tenants {
		n += len(t.Steps)
	}
	return n
}

// carryOut applies the plan to its tenants, one after the other, and reports.
func carryOut(c *cli.Context, ts []*fleet.Target, p *planner.Plan, by journal.Who) error {
	s := streams(c)
	soft, hard, stop := interruptible(c.Context, s.Err)
	defer stop()
	began := time.Now()
	r := report.RunReport{Tool: version, Command: c.Command.Name}
	worst := exitDone
	for i, t := range ts {
		tr, code := applyOne(c, soft, hard, t, p.Tenants[i], by)
		r.Tenants = append(r.Tenants, tr)
		worst = worse(worst, code)
	}
	r.Seconds = time.Since(began).Seconds()
	if err := report.Run(s.Out, r, look(c, s.Out)); err != nil {
		return err
	}
	if worst != exitDone {
		return exit(worst, nil)
	}
	return nil
}

// applyOne carries out one tenant's part, telling of each step on standard error, and
// returns what became of it with its exit code.
func applyOne(c *cli.Context, soft, hard context.Context, t *fleet.Target, p planner.TenantPlan, by journal.Who) (report.TenantRun, int) {
	tr := report.TenantRun{Tenant: p.Tenant, Domain: p.Domain, Same: len(p.Unchanged)}
	if len(p.Steps) == 0 {
		tr.Outcome = report.Nothing
		return tr, exitDone
	}
	began := time.Now()
	out, err := t.Apply(soft, p, applyOptions(c, hard, t, by))
	tr.Seconds = time.Since(began).Seconds()
	if err != nil {
		tr.Outcome, tr.Error = report.Refused, err.Error()
		return tr, exitError
	}
	tr, code := finished(tr, p, out)
	if code == exitChanged && c.String("on-failure") == onFailureRollback {
		return takeBack(hard, c, t, tr, by)
	}
	return tr, code
}
