package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/examples"
	"github.com/ecplan/ecplan/internal/auth0sim"
)

// demoBuildTime is how long the simulated tenant takes to build an Action: long enough
// to see the wait, short enough not to be one.
const demoBuildTime = 300 * time.Millisecond

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:   "demo",
		Usage:  "play the main job on a simulated tenant: no account needed, nothing left behind",
		Flags:  []cli.Flag{noColorFlag()},
		Action: demo,
	}
}

func demo(c *cli.Context) error {
	s := streams(c)
	dir, err := os.MkdirTemp("", "ecplan-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder; the system clears what is left
	seed, err := fs.ReadFile(examples.Express, "express/tenant.json")
	if err != nil {
		return err
	}
	sim, err := auth0sim.New(auth0sim.Options{Token: "demo", Seed: seed, BuildTime: demoBuildTime})
	if err != nil {
		return fmt.Errorf("start the simulated tenant: %w", err)
	}
	if err := sim.Listen("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the simulated tenant: %w", err)
	}
	defer sim.Close() //nolint:errcheck // the process ends with it
	if err := demoFiles(dir, sim.Domain()); err != nil {
		return err
	}
	inner := s
	inner.Env = func(name string) (string, bool) {
		if name == "ECPLAN_LOCAL_TOKEN" {
			return "demo", true
		}
		return s.Env(name)
	}
	run := func(args ...string) int {
		fmt.Fprintf(s.Out, "\n$ ecplan %s\n", strings.Join(args, " "))
		args = append([]string{"ecplan"}, args...)
		args = append(args, "-f", dir, "--store", filepath.Join(dir, ".ecplan"))
		if c.Bool("no-color") {
			args = append(args, "--no-color")
		}
		return Run(c.Context, args, inner)
	}
	say := func(format string, args ...any) { fmt.Fprintf(s.Out, "\n"+format+"\n", args...) }

	say("A simulated Auth0 tenant runs on %s. It has three applications already,\nand somebody's Action runs at every login:", sim.Domain())
	if err := holdings(s.Out, sim); err != nil {
		return err
	}
	say("1. The manifest, from examples/express, asks for Okta Express Configuration.\n   What would change? (Nothing is written.)")
	if code := run("plan", "--tenant", "local"); code != exitDone {
		return exit(code, nil)
	}
	say("2. Carry it out. Each write is journaled before it is sent.")
	quiet := inner
	quiet.Err = io.Discard // the plan was just shown
	inner = quiet
	if code := run("apply", "--tenant", "local", "--yes"); code != exitDone {
		return exit(code, nil)
	}
	inner.Err = s.Err
	say("3. Again: there is nothing left to do.")
	if code := run("plan", "--tenant", "local", "--detailed-exitcode"); code != exitDone {
		return exit(code, nil)
	}
	say("4. What the tenant holds now. The Action that was there still runs, and first:")
	return holdings(s.Out, sim)
}

// demoFiles writes the example's manifests to dir, for the tenant at domain.
func demoFiles(dir, domain string) error {
	return fs.WalkDir(examples.Express, "express", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(examples.Express, path)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(data), "127.0.0.1:4010", domain)
		return os.WriteFile(filepath.Join(dir, filepath.Base(path)), []byte(text), 0o600)
	})
}

// holdings prints what a tenant holds, a line a collection.
func holdings(w io.Writer, sim *auth0sim.Server) error {
	var state struct {
		APIs    []named `json:"resource_servers"`
		Roles   []named `json:"roles"`
		Clients []named `json:"clients"`
		Grants  []struct {
			Audience string   `json:"audience"`
			Scope    []string `json:"scope"`
		} `json:"client_grants"`
		Actions  []named                      `json:"actions"`
		Bindings map[string][]json.RawMessage `json:"bindings"`
		Tenant   struct {
			Flags map[string]bool `json:"flags"`
		} `json:"tenant"`
	}
	if err := json.Unmarshal(sim.Snapshot(), &state); err != nil {
		return fmt.Errorf("read the simulated tenant: %w", err)
	}
	fmt.Fprintf(w, "   APIs      %s\n   Roles     %s\n   Clients   %s\n", names(state.APIs), names(state.Roles), names(state.Clients))
	for _, g := range state.Grants {
		fmt.Fprintf(w, "   Grant     %d scopes on %s\n", len(g.Scope), g.Audience)
	}
	fmt.Fprintf(w, "   Actions   %s\n", names(state.Actions))
	if state.Tenant.Flags["use_scope_descriptions_for_consent"] {
		fmt.Fprintf(w, "   Consent   shows what each scope means\n")
	}
	return nil
}

type named struct {
	Name string `json:"name"`
}

func names(list []named) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = n.Name
	}
	return strings.Join(out, ", ")
}
