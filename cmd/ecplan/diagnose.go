package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/report"
)

func diagnoseCommand() *cli.Command {
	return &cli.Command{
		Name:  "diagnose",
		Usage: "say in plain words, from the tenant's logs, what went wrong when an admin pressed the button",
		Flags: append(loadFlags(), tenantFlag(), formatFlag(report.Text, report.JSON), noColorFlag(), storeFlag(),
			&cli.StringFlag{Name: "since", Value: "24h", Usage: "look back `TIME`, such as 2h or 7d"},
		),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("diagnose takes no argument, and got %q; name the tenant with --tenant", c.Args().First())
			}
			since, err := days("since", c.String("since"))
			if err != nil {
				return err
			}
			ts, err := loadTargets(c)
			if err != nil {
				return err
			}
			if len(ts) != 1 {
				return errors.New("diagnose reads the logs of one tenant; name it with --tenant")
			}
			incidents, clients, err := ts[0].Diagnose(c.Context, time.Now().Add(-since))
			if err != nil {
				return err
			}
			if clients == 0 {
				return errors.New("the tenant has no OIN client yet, so nothing can have happened; run 'ecplan apply' first")
			}
			return report.Incidents(streams(c).Out, incidents, look(c, streams(c).Out))
		},
	}
}
