package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/report"
)

func graphCommand() *cli.Command {
	return &cli.Command{
		Name:      "graph",
		Usage:     "draw what needs what: the resources of the manifests, or the steps of the saved plan FILE",
		ArgsUsage: "[FILE]",
		Flags:     append(loadFlags(), tenantFlag(), formatFlag(report.Mermaid, report.DOT), noColorFlag()),
		Action: func(c *cli.Context) error {
			chart, err := chartOf(c)
			if err != nil {
				return err
			}
			return report.Graph(streams(c).Out, chart, c.String("format"))
		},
	}
}

func chartOf(c *cli.Context) (report.Chart, error) {
	if c.NArg() > 1 {
		return report.Chart{}, fmt.Errorf("graph takes one saved plan at most, and got %d arguments", c.NArg())
	}
	p, err := readPlan(c.Args().First())
	if err != nil {
		return report.Chart{}, err
	}
	if p != nil {
		t, err := onlyTenant(c, p)
		if err != nil {
			return report.Chart{}, err
		}
		return report.Steps(t), nil
	}
	set, in, err := load(c)
	if err != nil {
		return report.Chart{}, err
	}
	names, err := selected(c, set)
	if err != nil {
		return report.Chart{}, err
	}
	if len(names) != 1 {
		return report.Chart{}, errors.New("graph draws one tenant; name it with --tenant")
	}
	in.SyntaxOnly, in.Expand = true, express.Expand // credentials are not needed to look
	_, rs, ds := set.Prepare(names[0], in)
	if err := complain(c, ds); err != nil {
		return report.Chart{}, err
	}
	return report.Resources(rs), nil
}

// onlyTenant returns the part of the plan for the tenant that --tenant names, or for its only one.
func onlyTenant(c *cli.Context, p *planner.Plan) (*planner.TenantPlan, error) {
	want := c.StringSlice("tenant")
	for i := range p.Tenants {
		if len(want) == 0 && len(p.Tenants) == 1 || len(want) == 1 && want[0] == p.Tenants[i].Tenant {
			return &p.Tenants[i], nil
		}
	}
	if len(want) == 1 {
		return nil, fmt.Errorf("the plan has no tenant %q", want[0])
	}
	return nil, fmt.Errorf("the plan is for %d tenants; name the one to draw with --tenant", len(p.Tenants))
}
