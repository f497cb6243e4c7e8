package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/report"
)

func historyCommand() *cli.Command {
	return &cli.Command{
		Name:      "history",
		Usage:     "list the runs on record, or show one in full",
		ArgsUsage: "[RUN]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "tenant", Aliases: []string{"t"}, Usage: "list the runs on the tenant `NAME` only"},
			formatFlag("text", "json"), noColorFlag(), storeFlag(),
		},
		Action: func(c *cli.Context) error {
			store, err := journal.OpenDir(c.String("store"))
			if err != nil {
				return err
			}
			if c.NArg() > 1 {
				return fmt.Errorf("history takes one run at most, and got %d arguments", c.NArg())
			}
			if run := c.Args().First(); run != "" {
				l, err := journal.Read(store, run)
				if err != nil {
					return err
				}
				if len(l.Records) == 0 {
					return fmt.Errorf("the run %s never began: its journal is empty, and nothing was sent", run)
				}
				return report.PastInFull(streams(c).Out, report.Past(l, true), look(c, streams(c).Out))
			}
			runs, err := listed(store, c.String("tenant"))
			if err != nil {
				return err
			}
			return report.History(streams(c).Out, runs, look(c, streams(c).Out))
		},
	}
}

// listed tells of all runs in a store, a damaged one with what is wrong with it.
func listed(store journal.Store, tenant string) ([]report.PastRun, error) {
	names, err := store.Runs()
	if err != nil {
		return nil, fmt.Errorf("listing the runs in %s: %w", store.Where(), err)
	}
	var out []report.PastRun
	for _, name := range names {
		l, err := journal.Read(store, name)
		var damage *journal.DamageError
		switch {
		case errors.As(err, &damage):
			at, of := journal.Named(name)
			out = append(out, report.PastRun{Run: name, Tenant: of, Started: at, Outcome: "damaged", Damage: damage.Error()})
		case err != nil:
			return nil, err
		case len(l.Records) == 0:
			at, of := journal.Named(name)
			out = append(out, report.PastRun{Run: name, Tenant: of, Started: at, Outcome: "never began"})
		case tenant == "" || l.Header.Tenant == tenant:
			out = append(out, report.Past(l, false))
		}
	}
	return out, nil
}
