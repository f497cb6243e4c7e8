package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "show what apply would change on each tenant; changes nothing",
		Flags: append(loadFlags(),
			tenantFlag(), formatFlag("text", "json", "markdown", "html"), noColorFlag(), storeFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "save the plan to `FILE`, for apply"},
			&cli.BoolFlag{Name: "prune", Usage: "delete what earlier runs created and the manifests no longer declare"},
			&cli.BoolFlag{Name: "destroy", Usage: "delete all that earlier runs created"},
			forceFlag(),
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 if changes are pending"},
		),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("plan takes no argument, and got %q; manifests are named with -f", c.Args().First())
			}
			set, in, err := load(c)
			if err != nil {
				return err
			}
			ts, err := targets(c, set, in)
			if err != nil {
				return err
			}
			p := fleet.PlanAll(c.Context, ts, version, planOptions(c))
			if err := save(c.String("out"), p); err != nil {
				return err
			}
			if err := report.Plan(streams(c).Out, p, look(c, streams(c).Out)); err != nil {
				return err
			}
			return planExit(c, p)
		},
	}
}

// forceFlag overrides refusals.
func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "override refusals; the plan says which"}
}

// planOptions reads what the plan may delete from the flags.
func planOptions(c *cli.Context) fleet.PlanOptions {
	o := fleet.PlanOptions{Force: c.Bool("force")}
	switch {
	case c.Bool("destroy"):
		o.Mode = planner.Destroy
	case c.Bool("prune"):
		o.Mode = planner.Prune
	}
	return o
}

// save writes the plan to file, all of it or nothing; "" saves nothing.
func save(file string, p *planner.Plan) error {
	if file == "" {
		return nil
	}
	data, err := planner.Encode(p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a plan holds no secret; its folder is the user's
		return err
	}
	if err := renameio.WriteFile(file, data, 0o600); err != nil {
		return fmt.Errorf("the plan can't be saved: %w", err)
	}
	return nil
}

// planExit is the exit code of a plan: 1 where a tenant has none, 2 on demand where
// changes are pending.
func planExit(c *cli.Context, p *planner.Plan) error {
	pending := false
	for _, t := range p.Tenants {
		if t.Error != "" {
			return exit(exitError, nil)
		}
		pending = pending || len(t.Steps) > 0
	}
	if pending && c.Bool("detailed-exitcode") {
		return exit(exitPending, nil)
	}
	return nil
}
