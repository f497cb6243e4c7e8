package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/schemas"
)

func schemaCommand() *cli.Command {
	return &cli.Command{
		Name:      "schema",
		Usage:     "print the JSON Schema of a kind's spec, or of a whole document for editors",
		ArgsUsage: "[KIND]",
		Action: func(c *cli.Context) error {
			if c.NArg() > 1 {
				return fmt.Errorf("schema takes one kind at most, and got %d arguments", c.NArg())
			}
			name := schemas.Manifest
			if c.Args().Present() {
				name = c.Args().First()
			}
			b, err := schemas.File(name)
			if err != nil {
				return err
			}
			_, err = streams(c).Out.Write(b)
			return err
		},
	}
}
