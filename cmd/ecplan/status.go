package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/report"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show how each resource stands on each tenant; changes nothing",
		Flags: append(append(loadFlags(), selectFlags()...), sideBySideFlag(), formatFlag(report.Text, report.JSON, report.Markdown), noColorFlag(), storeFlag()),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("status takes no argument, and got %q; name tenants with --tenant", c.Args().First())
			}
			set, in, err := load(c)
			if err != nil {
				return err
			}
			names, err := selected(c, set)
			if err != nil {
				return err
			}
			tell := newTeller(c, len(names))
			ts, err := openTargets(c, set, in, names, tell.Progress)
			if err != nil {
				return err
			}
			all := fleet.StatusAll(c.Context, ts, fleet.PlanOptions{SideBySide: c.Int("side-by-side"), Progress: tell.Progress})
			tell.quiet()
			shown, failed := make([]report.TenantStatus, len(all)), false
			for i, s := range all {
				shown[i] = statusOf(s)
				failed = failed || s.Error != ""
			}
			if err := report.Status(streams(c).Out, shown, look(c, streams(c).Out)); err != nil {
				return err
			}
			if failed {
				return exit(exitError, nil)
			}
			return nil
		},
	}
}

// statusOf puts a status into the report's words.
func statusOf(s fleet.Status) report.TenantStatus {
	out := report.TenantStatus{Tenant: s.Tenant, Domain: s.Domain, Labels: s.Labels, Error: s.Error, LastRun: s.LastRun, Outcome: string(s.Outcome), RollsBack: s.RollsBack}
	for _, r := range s.Resources {
		out.Resources = append(out.Resources, report.ResourceStatus{Address: r.Address, State: string(r.Health), Why: r.Why, Run: r.Run})
	}
	return out
}
