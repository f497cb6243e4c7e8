package main

import (
	"errors"

	"github.com/urfave/cli/v2"

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
			return report.Plan(streams(c).Out, p, o)
		},
	}
}
