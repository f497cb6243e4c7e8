package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
)

// loadFlags name the manifests and the variables that fill them in.
func loadFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{
			Name: "file", Aliases: []string{"f"}, Value: cli.NewStringSlice("."),
			Usage: "read manifests from `PATH`, a file or a folder with all below it; may be repeated",
		},
		varFlag(),
	}
}

// varFlag sets variables.
func varFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "var", Usage: "set a variable, as in `NAME=VALUE`; may be repeated"}
}

// varFlags returns the variables that --var sets.
func varFlags(c *cli.Context) (map[string]string, error) {
	vars := map[string]string{}
	for _, v := range c.StringSlice("var") {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--var %q sets nothing; write --var NAME=VALUE", v)
		}
		vars[name] = value
	}
	return vars, nil
}

// tenantFlag names tenants; the command decides what none means.
func tenantFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "tenant", Aliases: []string{"t"}, Usage: "address the tenant `NAME`; a pattern such as prod-* is allowed; may be repeated"}
}

// selectFlags name tenants by name and by label.
func selectFlags() []cli.Flag {
	return []cli.Flag{
		tenantFlag(),
		&cli.StringSliceFlag{Name: "select", Usage: "address the tenants with `LABELS`: env=prod,region!=us; with --tenant, those of them; may be repeated: all must hold"},
	}
}

// sideBySideFlag bounds how many tenants are worked on at once.
func sideBySideFlag() cli.Flag {
	return boundFlag("side-by-side", fleet.DefaultSideBySide, "work on at most `N` tenants at once", "at least one tenant must be worked on")
}

// parallelFlag bounds how many writes a tenant gets at once.
func parallelFlag() cli.Flag {
	return boundFlag("parallel", 4, "have at most `N` writes in flight", "at least one write must be in flight")
}

// boundFlag is a number that is one at least; says is why.
func boundFlag(name string, value int, usage, says string) cli.Flag {
	return &cli.IntFlag{
		Name: name, Value: value, Usage: usage,
		Action: func(_ *cli.Context, n int) error {
			if n < 1 {
				return fmt.Errorf("--%s %d: %s", name, n, says)
			}
			return nil
		},
	}
}

// formatFlag chooses among formats, the first by default.
func formatFlag(formats ...string) cli.Flag {
	return &cli.StringFlag{
		Name: "format", Value: formats[0], Usage: "print as `FORMAT`: " + strings.Join(formats, ", "),
		Action: func(_ *cli.Context, got string) error {
			if !slices.Contains(formats, got) {
				return fmt.Errorf("there is no format %q here; the formats are %s", got, strings.Join(formats, ", "))
			}
			return nil
		},
	}
}

// noColorFlag switches colours off; NO_COLOR in the environment does too.
func noColorFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-color", Usage: "print without colours"}
}
