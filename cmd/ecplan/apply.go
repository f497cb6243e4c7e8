package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
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
			if saved != nil {
				if err := demanded(c, saved); err != nil {
					return err
				}
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
		&cli.BoolFlag{Name: "all", Usage: "change all tenants that the manifests declare"},
		&cli.StringFlag{Name: "rollout", Usage: "take the tenants in the order of the Rollout `NAME` (default: the only one that is declared)"},
		parallelFlag(),
	)
}

// planAndApply plans for the tenants that the command addresses, shows the plan, has it
// confirmed and carries it out. With a saved plan it carries out just that: each tenant's
// part as it was planned, or not at all.
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
	names, err := addressed(c, set, saved)
	if err != nil {
		return err
	}
	tell := newTeller(c, len(names))
	defer tell.quiet()
	ts, err := openTargets(c, set, in, names, tell.Progress)
	if err != nil {
		return err
	}
	if saved != nil {
		given := o
		if ts, o.Mode, o.Force, err = fleet.Covered(ts, saved); err != nil {
			return err
		}
		if err := asMade(c.Args().First(), given, o); err != nil {
			return err
		}
	}
	o.Progress = tell.Progress
	by := who(s)
	ro, err := rolloutOptions(c, set, ts, o, by, tell)
	if err != nil {
		return err
	}
	unlock, refused, err := hold(c, ts, by, tell)
	if err != nil {
		return err
	}
	defer unlock()
	o.Refused = refused
	p := fleet.PlanAll(c.Context, ts, version, o)
	parts := fleet.Parts(ts, p, refused)
	if saved != nil {
		if err := stillAllowed(p); err != nil {
			return err
		}
		parts = fleet.Parts(ts, saved, refused)
		if p, err = sameAsSaved(saved, p, parts); err != nil {
			return err
		}
	}
	if err := demanded(c, p); err != nil {
		return err
	}
	tell.quiet()
	if err := review(c, p); err != nil {
		return err
	}
	if err := applicable(p); err != nil {
		return refuse(c, p, err)
	}
	showWaves(s.Err, ro.Waves)
	if worthAsking(p) && saved == nil && !c.Bool("yes") {
		if err := confirm(c, "Apply this plan?"); err != nil {
			return err
		}
		now := fleet.PlanAll(c.Context, ts, version, o) // what was confirmed must still be so
		if len(parts) == 1 {
			if err := fleet.Fresh(p, now); err != nil {
				return err
			}
		}
		fleet.RefuseStale(parts, now)
	}
	return rollOut(c, set, parts, p, ro, tell)
}

// review shows a plan before it is carried out: as text, whatever the format of the report.
func review(c *cli.Context, p *planner.Plan) error {
	w := streams(c).Err
	shown := look(c, w)
	shown.Format = report.Text
	return report.Plan(w, p, shown)
}

// asMade is an error if flags ask for what the saved plan was not made with.
func asMade(file string, given, made fleet.PlanOptions) error {
	flag := ""
	switch {
	case given.Force && !made.Force:
		flag = "--force"
	case given.Mode == planner.Prune && made.Mode != planner.Prune:
		flag = "--prune"
	default:
		return nil
	}
	return fmt.Errorf("%s was made without %s, which can't be added now: what was reviewed is what is applied. Plan again: ecplan plan %[2]s --out %[1]s", file, flag)
}

// demanded is an error if --checksum names another plan.
func demanded(c *cli.Context, p *planner.Plan) error {
	if want := c.String("checksum"); want != "" && want != p.Checksum {
		return fmt.Errorf("the plan's checksum is %s, not %s; nothing was changed. Plan again and review it", p.Checksum, want)
	}
	return nil
}

// stillAllowed is an error if policy or a hazard speaks against the plan as it would be
// made now: what was saved may have been reviewed under another policy.
func stillAllowed(now *planner.Plan) error {
	for _, t := range now.Tenants {
		if err := fleet.Refused(t, planner.Identity{}); t.Error == "" && len(t.Steps) > 0 && err != nil {
			return fmt.Errorf("%s: %w", t.Tenant, err)
		}
	}
	return nil
}

// addressed returns the names of the tenants to change: those of the saved plan, or those
// that the command line says. Several are taken only if it says so.
func addressed(c *cli.Context, set *manifest.Set, saved *planner.Plan) ([]string, error) {
	names, err := selected(c, set)
	if err != nil {
		return nil, err
	}
	if saved != nil {
		return slices.DeleteFunc(names, func(n string) bool {
			return !slices.ContainsFunc(saved.Tenants, func(t planner.TenantPlan) bool { return t.Tenant == n })
		}), nil
	}
	if len(names) > 1 && !saysWhich(c) {
		return nil, fmt.Errorf("the manifests declare %d tenants; several are changed only when they are named with --tenant or --select, with --all, or from a saved plan", len(names))
	}
	return names, nil
}

// sameAsSaved compares a saved plan with the one made now. What was reviewed runs as a
// whole or not at all: if it has become stale anywhere, that is an error. A tenant that
// can't be read now is refused alone.
func sameAsSaved(saved, now *planner.Plan, parts []fleet.Part) (*planner.Plan, error) {
	if err := fleet.Fresh(fleet.Readable(saved, now), now); err != nil {
		return nil, err
	}
	fleet.RefuseStale(parts, now)
	return saved, nil
}

// applicable is an error if there is nothing that may be applied: no tenant has a plan,
// or the plan breaks the policy.
func applicable(p *planner.Plan) error {
	planned := 0
	for _, t := range p.Tenants {
		if slices.ContainsFunc(t.Notices, planner.Violates) {
			return exit(exitError, nil)
		}
		if t.Error == "" {
			planned++
		}
	}
	if planned == 0 {
		return exit(exitError, nil)
	}
	return nil
}

// refuse ends with err, which says that nothing of the plan may be applied. People have
// the plan before their eyes, which says why; programs get a report.
func refuse(c *cli.Context, p *planner.Plan, err error) error {
	if c.String("format") == report.Text {
		return err
	}
	r := report.RunReport{Format: report.RunFormat, Tool: version, Command: c.Command.Name}
	for _, t := range p.Tenants {
		tr := report.TenantRun{Tenant: t.Tenant, Domain: t.Domain, Outcome: report.Refused, Error: t.Error}
		if why := fleet.Refused(t, planner.Identity{}); tr.Error == "" && why != nil {
			tr.Error = why.Error()
		} else if tr.Error == "" {
			tr.Outcome, tr.Error = report.NotBegun, "not begun: the plan breaks the policy on another tenant"
		}
		r.Tenants = append(r.Tenants, tr)
	}
	return errors.Join(runReport(c, r), err)
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

// worthAsking reports whether a "yes" could carry out anything: where every step is refused,
// the report says so without a question.
func worthAsking(p *planner.Plan) bool {
	return slices.ContainsFunc(p.Tenants, func(t planner.TenantPlan) bool { return len(t.Steps) > 0 && !unfit(t) })
}

func steps(p *planner.Plan) int {
	n := 0
	for _, t := range p.Tenants {
		n += len(t.Steps)
	}
	return n
}
