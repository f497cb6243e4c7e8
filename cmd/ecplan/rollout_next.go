package main

import (
	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
)

// goOn are the commands that do what a rollout left. A resume carries out only what was
// planned: tenants without a plan that holds are planned anew by the command that began the
// rollout, and with them all that is left, where they are so many that the rollout's own
// rules would stop every resume.
func goOn(c *cli.Context, set *manifest.Set, record journal.Rollout, ends []fleet.Result) []string {
	var left, unplanned []string
	words := []string{record.Command}
	for i := range ends {
		if !ends[i].Failed() {
			continue
		}
		left = append(left, ends[i].Tenant)
		if ends[i].Unplanned() {
			unplanned = append(unplanned, ends[i].Tenant)
		}
	}
	resume := again(c, set, "resume", record.Name)
	planned := record.Command == "apply" || record.Command == "destroy"
	switch {
	case len(left) == 0:
		return nil
	case len(unplanned) == 0 || !planned:
		return []string{resume}
	}
	if p := ends[0].Plan; record.Command == "apply" && p.Mode == planner.Prune {
		words = append(words, "--prune")
	}
	if ends[0].Plan.Forced {
		words = append(words, "--force")
	}
	stuck := record.MaxFailures >= 0 && len(unplanned) > record.MaxFailures
	which := unplanned
	if stuck {
		which = left
	}
	for _, name := range which {
		words = append(words, "--tenant", name)
	}
	anew := again(c, set, words...)
	if stuck || len(unplanned) == len(left) {
		return []string{anew}
	}
	return []string{resume, anew}
}
