package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/report"
)

func validateCommand() *cli.Command {
	return &cli.Command{
		Name:  "validate",
		Usage: "check manifests without a network, credentials or environment; reports every problem",
		Flags: append(loadFlags(), formatFlag(report.Text, report.JSON, report.JUnit, report.SARIF), noColorFlag()),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("validate takes no argument, and got %q; manifests are named with -f", c.Args().First())
			}
			vars, err := varFlags(c)
			if err != nil {
				return err
			}
			s := streams(c)
			set, ds := manifest.Load(c.StringSlice("file"))
			sum, more := set.Review(manifest.Inputs{Vars: vars, Now: time.Now(), Expand: express.Expand})
			ds = append(ds, more...).Sort()
			o := look(c, s.Out)
			if len(ds) > 0 || o.Format != report.Text {
				if err := report.Diagnostics(s.Out, ds, o); err != nil {
					return err
				}
			}
			if ds.Errors() > 0 {
				return exit(exitError, nil)
			}
			if o.Format == report.Text {
				_, err = fmt.Fprintln(s.Out, sum)
			}
			return err
		},
	}
}
