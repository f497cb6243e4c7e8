package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/express/rehearse"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/report"
)

func rehearseCommand() *cli.Command {
	return &cli.Command{
		Name:  "rehearse",
		Usage: "play the whole flow on a simulated tenant, without Okta: of the manifests, or of what --tenant NAME has",
		Flags: append(loadFlags(), tenantFlag(), formatFlag(report.Text, report.JSON, report.Mermaid), noColorFlag(), storeFlag(), organizationFlag(),
			&cli.BoolFlag{Name: "offline", Usage: "ask no tenant, not even those that --tenant names: rehearse the manifests"},
			&cli.StringSliceFlag{Name: "organization-metadata", Usage: "give the rehearsal's organization the metadata `KEY=VALUE`; may be repeated"},
			&cli.StringSliceFlag{Name: "app-metadata", Usage: "give the rehearsal's admin the app_metadata `KEY=VALUE`, a JSON value or text; may be repeated"},
			&cli.StringSliceFlag{Name: "secret", Usage: "use `NAME=VALUE` for a secret of an Action that can't be read back; may be repeated"},
		),
		Action: rehearseAction,
	}
}

func rehearseAction(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("rehearse takes no argument, and got %q; name the tenant with --tenant", c.Args().First())
	}
	o := fleet.RehearseOptions{Live: len(c.StringSlice("tenant")) > 0 && !c.Bool("offline"), Organization: c.String("organization")}
	var err error
	if o.Metadata, err = pairsFlag(c, "organization-metadata", false); err != nil {
		return err
	}
	if o.AppMetadata, err = pairsFlag(c, "app-metadata", true); err != nil {
		return err
	}
	secrets, err := pairsFlag(c, "secret", false)
	if err != nil {
		return err
	}
	o.Secrets, o.Names = map[string]string{}, map[string]bool{}
	for k, v := range secrets {
		o.Secrets[k], _ = v.(string)
	}
	ts, err := stages(c, o.Live)
	if err != nil {
		return err
	}
	var out []rehearse.Transcript
	failed, whole := false, true
	for _, t := range ts {
		tr, err := t.Rehearse(c.Context, o)
		if err != nil {
			whole = false // what Actions it has is not known
			tr = rehearse.Transcript{Tenant: t.Tenant.Name, Domain: t.Tenant.Domain, Error: err.Error()}
		}
		failed = failed || tr.Error != "" || tr.Failures() > 0
		out = append(out, tr)
	}
	if err := o.Misnamed(); whole && err != nil {
		return err
	}
	if err := report.Rehearsals(streams(c).Out, out, look(c, streams(c).Out)); err != nil {
		return err
	}
	if failed {
		return exit(exitError, nil)
	}
	return nil
}

// stages opens the tenants that the command addresses; without live none of them will
// be asked anything, and no credentials are needed.
func stages(c *cli.Context, live bool) ([]*fleet.Target, error) {
	if live {
		return loadTargets(c)
	}
	set, in, err := load(c)
	if err != nil {
		return nil, err
	}
	names, err := selected(c, set)
	if err != nil {
		return nil, err
	}
	var out []*fleet.Target
	var all manifest.Diagnostics
	for _, name := range names {
		t, ds := fleet.Offline(set, name, in)
		all, out = append(all, ds...), append(out, t)
	}
	return out, complain(c, all.Sort())
}

// pairsFlag reads KEY=VALUE flags; with values, a VALUE that is JSON is taken as such.
func pairsFlag(c *cli.Context, name string, values bool) (map[string]any, error) {
	var out map[string]any
	for _, pair := range c.StringSlice(name) {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--%s %q sets nothing; write --%[1]s KEY=VALUE", name, pair)
		}
		if out == nil {
			out = map[string]any{}
		}
		out[key] = value
		var v any
		if values && json.Unmarshal([]byte(value), &v) == nil {
			out[key] = v
		}
	}
	return out, nil
}
