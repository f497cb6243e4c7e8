package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/report"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "check on each tenant whether Express Configuration can work; changes nothing",
		Flags: append(append(loadFlags(), selectFlags()...), formatFlag(report.Text, report.JSON, report.JUnit), noColorFlag(), storeFlag(), organizationFlag(),
			&cli.BoolFlag{Name: "strict", Usage: "fail on warnings and on what can't be found out, too"},
		),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("verify takes no argument, and got %q; name the tenant with --tenant", c.Args().First())
			}
			ts, err := loadTargets(c)
			if err != nil {
				return err
			}
			rs := fleet.VerifyAll(c.Context, ts, express.LookOptions{Organization: c.String("organization")})
			if err := report.Verify(streams(c).Out, rs, c.Bool("strict"), look(c, streams(c).Out)); err != nil {
				return err
			}
			for i := range rs {
				if rs[i].Failed(c.Bool("strict")) {
					return exit(exitError, nil)
				}
			}
			return nil
		},
	}
}

// organizationFlag names one customer.
func organizationFlag() cli.Flag {
	return &cli.StringFlag{Name: "organization", Usage: "look into the organization `NAME` only"}
}

// loadTargets reads the manifests and opens the tenants that the command addresses.
func loadTargets(c *cli.Context) ([]*fleet.Target, error) {
	set, in, err := load(c)
	if err != nil {
		return nil, err
	}
	return targets(c, set, in)
}
