package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/manifest"
)

func renderCommand() *cli.Command {
	return &cli.Command{
		Name:  "render",
		Usage: "print what a tenant is to get, every value filled in; sensitive ones are masked",
		Flags: append(append(loadFlags(), selectFlags()...), noColorFlag()),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return fmt.Errorf("render takes no argument, and got %q; name the tenant with --tenant", c.Args().First())
			}
			set, in, err := load(c)
			if err != nil {
				return err
			}
			names, err := selected(c, set)
			if err != nil {
				return err
			}
			if len(names) != 1 {
				return errors.New("render shows one tenant; name it with --tenant")
			}
			in.SyntaxOnly, in.Expand = true, express.Expand // credentials are not needed to look
			_, rs, ds := set.Prepare(names[0], in)
			if err := complain(c, ds); err != nil {
				return err
			}
			out, err := manifest.YAML(rs)
			if err != nil {
				return err
			}
			_, err = streams(c).Out.Write(out)
			return err
		},
	}
}
