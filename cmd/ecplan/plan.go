package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:  "plan",
		Usage: "show what apply would change on each tenant; changes nothing",
		Flags: append(append(loadFlags(), selectFlags()...),
			sideBySideFlag(), formatFlag("text", "json", "markdown", "html", "junit", "sarif", jsonLines), noColorFlag(), storeFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "save the plan to `FILE`, for apply"},
			policyFlag(),
			&cli.BoolFlag{Name: "drift", Usage: "show only what changed on the tenant since the last run"},
			&cli.BoolFlag{Name: "prune", Usage: "delete what earlier runs created and the manifests no longer declare"},
			&cli.BoolFlag{Name: "destroy", Usage: "delete all that earlier runs created"},
			forceFlag(),
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit with 2 if changes are pending"},
		),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("plan takes no argument, and got %q; manifests are named with -f", c.Args().First())
			}
			if c.Bool("drift") && c.IsSet("out") {
				return errors.New("--drift only tells; a plan to apply is saved without it")
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
			o, err := planOptions(c)
			if err != nil {
				return err
			}
			o.Progress = tell.Progress
			p := fleet.PlanAll(c.Context, ts, version, o)
			tell.quiet()
			if c.Bool("drift") {
				p = fleet.DriftOf(p)
			}
			if err := save(c.String("out"), p); err != nil {
				return err
			}
			shown := look(c, streams(c).Out)
			shown.Position = fleet.PlacesOf(ts).Of
			if shown.Format == jsonLines {
				err = planLine(streams(c).Out, p)
			} else {
				err = report.Plan(streams(c).Out, p, shown)
			}
			if err != nil {
				return err
			}
			return planExit(c, p)
		},
	}
}

// planLine ends the events of a plan.
func planLine(w io.Writer, p *planner.Plan) error {
	sum := struct {
		Event    string `json:"event"`
		Tenants  int    `json:"tenants"`
		Changed  int    `json:"changed"`
		Failed   int    `json:"failed"`
		Steps    int    `json:"steps"`
		Checksum string `json:"checksum"`
	}{Event: "summary", Tenants: len(p.Tenants), Steps: steps(p), Checksum: p.Checksum}
	for _, t := range p.Tenants {
		switch {
		case t.Error != "":
			sum.Failed++
		case len(t.Steps) > 0:
			sum.Changed++
		}
	}
	return report.Line(w, sum)
}

// forceFlag overrides refusals.
func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "override refusals; the plan says which"}
}

// policyFlag names the policy.
func policyFlag() cli.Flag {
	return &cli.StringFlag{Name: "policy", Usage: "enforce the policy in `FILE` (default: " + fleet.PolicyFile + " beside the manifests, if it is there)"}
}

// planOptions reads from the flags what the plan may do.
func planOptions(c *cli.Context) (fleet.PlanOptions, error) {
	o := fleet.PlanOptions{Force: c.Bool("force"), SideBySide: c.Int("side-by-side")}
	switch {
	case c.Bool("destroy") || c.Command.Name == "destroy":
		o.Mode = planner.Destroy
	case c.Bool("prune"):
		o.Mode = planner.Prune
	}
	var err error
	o.Policies, err = fleet.LoadPolicies(c.String("policy"), c.StringSlice("file"))
	return o, err
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
		return unsaved("the plan", file, err)
	}
	return saveFile("the plan", file, data, 0o600)
}

// planExit is the exit code of a plan: 1 where a tenant has none that may be applied, 2 on
// demand where changes are pending. Of drift nothing is applied, so no refusal counts.
func planExit(c *cli.Context, p *planner.Plan) error {
	pending := false
	for _, t := range p.Tenants {
		if t.Error != "" || !c.Bool("drift") && unfit(t) {
			return exit(exitError, nil)
		}
		pending = pending || len(t.Steps) > 0
	}
	if pending && c.Bool("detailed-exitcode") {
		return exit(exitPending, nil)
	}
	return nil
}

// unfit reports whether a tenant's plan can't be applied as it is: it breaks the policy,
// or has steps and a refusal that nobody acknowledged.
func unfit(t planner.TenantPlan) bool {
	return slices.ContainsFunc(t.Notices, planner.Violates) || len(t.Steps) > 0 && fleet.Refused(t, planner.Identity{}) != nil
}
