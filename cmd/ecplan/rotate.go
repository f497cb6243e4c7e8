package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/report"
)

func rotateCommand() *cli.Command {
	return &cli.Command{
		Name:  "rotate",
		Usage: "edit the manifest for Okta's next public key: it is added beside the old one, which a later --finish takes out",
		Flags: append(loadFlags(),
			tenantFlag(), noColorFlag(), storeFlag(),
			&cli.StringFlag{Name: "key", Usage: "the next public key or certificate, in PEM, is in `FILE`"},
			&cli.BoolFlag{Name: "finish", Usage: "take the former key out"},
			&cli.StringFlag{Name: "app", Usage: "rotate the key of the ExpressConfiguration `NAME`, where there are several"},
			&cli.StringFlag{Name: "overlap", Value: "14d", Usage: "keep the former key for `TIME` at least, such as 14d or 36h"},
			&cli.BoolFlag{Name: "write", Aliases: []string{"w"}, Usage: "write the manifest; without it the change is only shown"},
			&cli.BoolFlag{Name: "force", Usage: "finish before the former key's time is over"},
		),
		Action: rotate,
	}
}

func rotate(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("rotate takes no argument, and got %q; name the key with --key", c.Args().First())
	}
	if (c.String("key") == "") != c.Bool("finish") {
		return errors.New("give either --key FILE, to begin a rotation, or --finish, to end one")
	}
	overlap, err := days("overlap", c.String("overlap"))
	if err != nil {
		return err
	}
	set, in, err := load(c)
	if err != nil {
		return err
	}
	names, err := selected(c, set)
	if err != nil {
		return err
	}
	in.SyntaxOnly = true // nothing is sent
	_, rs, ds := set.Resolve(names[0], in)
	if err := complain(c, ds); err != nil {
		return err
	}
	r, err := express.PlanRotation(express.RotationInput{
		Resources: rs, App: c.String("app"), KeyFile: c.String("key"), Overlap: overlap, Force: c.Bool("force"), Now: in.Now,
	})
	if err != nil {
		return err
	}
	return carryOutRotation(c, r)
}

// carryOutRotation shows the edit, and makes it if --write says so.
func carryOutRotation(c *cli.Context, r *express.Rotation) error {
	out := streams(c).Out
	fmt.Fprintf(out, "%s\n\nnext key:   %s\n", strings.TrimSpace(string(diff.Diff(r.File, r.Before, r.File, r.After))), r.Next)
	if r.Former.KID != "" {
		fmt.Fprintf(out, "former key: %s\n", r.Former)
	}
	if !c.Bool("write") {
		fmt.Fprintln(out, "\nNothing was written. --write edits the manifest; the tenant follows with the next apply.")
		return nil
	}
	if r.KeyFile != "" {
		if err := saveFile("the key", r.KeyFile, r.Key, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(out, "\nThe key was copied to %s.\n", r.KeyFile)
	}
	if err := saveFile("the manifest", r.File, r.After, mode(r.File)); err != nil {
		return err
	}
	if !c.IsSet("tenant") {
		fmt.Fprintln(out, "\nThe manifest was edited. Plan and apply it; until then nothing has changed on any tenant.")
		return nil
	}
	fmt.Fprintln(out, "\nThe manifest was edited. This is what apply will do:")
	fmt.Fprintln(out)
	ts, err := loadTargets(c)
	if err != nil {
		return err
	}
	p := fleet.PlanAll(c.Context, ts, version, fleet.PlanOptions{})
	if err := report.Plan(out, p, look(c, out)); err != nil {
		return err
	}
	return planExit(c, p)
}

// mode is the permission that a file has, or an ordinary one.
func mode(file string) os.FileMode {
	if info, err := os.Stat(file); err == nil {
		return info.Mode().Perm()
	}
	return 0o644
}

// days reads a flag's time, such as 14d or 36h.
func days(flag, s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if d, err := strconv.ParseFloat(n, 64); err == nil && d >= 0 && d <= 3650 {
			return time.Duration(d * float64(24*time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("--%s %q is not a time; write days or hours, such as 14d or 36h", flag, s)
	}
	return d, nil
}
