package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/report"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "print a saved plan, in any format; contacts nobody",
		ArgsUsage: "FILE",
		Flags: []cli.Flag{
			formatFlag(report.Text, report.JSON, report.Markdown, report.HTML, report.JUnit, report.SARIF),
			noColorFlag(),
			&cli.StringFlag{Name: "title", Usage: "head Markdown and HTML with `TEXT`"},
			&cli.StringFlag{Name: "link", Usage: "say in Markdown that the whole plan is at `URL`"},
			&cli.IntFlag{Name: "max-bytes", Usage: "keep Markdown below `N` bytes", Value: report.MaxComment},
			&cli.StringSliceFlag{Name: "file", Aliases: []string{"f"}, Usage: "let JUnit and SARIF point at the lines of the manifests in `PATH` that the plan was made from; may be repeated"},
			varFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return errors.New("show takes one saved plan; make it with: ecplan plan --out FILE")
			}
			p, err := readPlan(c.Args().First())
			if err != nil {
				return err
			}
			o := look(c, streams(c).Out)
			o.Title, o.Link, o.MaxBytes = c.String("title"), c.String("link"), c.Int("max-bytes")
			if c.IsSet("file") {
				set, in, err := load(c)
				if err != nil {
					return err
				}
				places, err := fleet.ReadPlaces(set, p, in)
				if err != nil {
					return err
				}
				o.Position = places.Of
			}
			return report.Plan(streams(c).Out, p, o)
		},
	}
}
