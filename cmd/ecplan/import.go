package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:  "import",
		Usage: "write manifests for what a tenant has already; the plan of them is empty",
		Flags: append(loadFlags(), tenantFlag(), noColorFlag(), storeFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the files into `DIR`"},
			&cli.BoolFlag{Name: "organizations", Usage: "take customers along: organizations with their connections and members"},
		),
		Action: importAction,
	}
}

func importAction(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("import takes no argument, and got %q; name the tenant with --tenant", c.Args().First())
	}
	if c.String("out") == "" {
		return errors.New("import needs a folder to write into; give --out DIR")
	}
	ts, err := loadTargets(c)
	if err != nil {
		return err
	}
	if len(ts) != 1 {
		return errors.New("import reads one tenant; name it with --tenant")
	}
	ims, err := ts[0].Import(c.Context, c.Bool("organizations"))
	if err != nil {
		return err
	}
	files, err := fleet.Files(ims)
	if err != nil {
		return err
	}
	if err := writeNew(c.String("out"), files); err != nil {
		return err
	}
	out := streams(c).Out
	for _, name := range manifest.Keys(files) {
		fmt.Fprintln(out, filepath.Join(c.String("out"), name))
	}
	fmt.Fprintf(out, "%d objects of %s. Plan them together with the document of the tenant: nothing is to be changed.\n", len(ims), ts[0].Tenant.Name)
	return nil
}

// writeNew writes files into dir. None of them may be there already.
func writeNew(dir string, files map[string][]byte) error {
	for _, name := range manifest.Keys(files) {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s is there already, and nothing is overwritten; name another folder, or move it away", filepath.Join(dir, name))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // manifests are there to be read
		return err
	}
	for _, name := range manifest.Keys(files) {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the user names the folder, and manifests are there to be read
		if err != nil {
			return err
		}
		if _, err := f.Write(files[name]); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
