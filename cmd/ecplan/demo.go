package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
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
	// Whatever ends it, the folder goes: a reader that has seen enough, or a signal.
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	asked, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "ecplan-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder; the system clears what is left
	seed, err := demoSeed()
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
		if asked.Err() != nil {
			return exitError
		}
		shown := strings.ReplaceAll(strings.Join(args, " "), "Acme CRM", `"Acme CRM"`)
		fmt.Fprintf(s.Out, "\n$ ecplan %s\n", shown)
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
	if err := holdings(s.Out, sim); err != nil {
		return err
	}
	say("5. A customer comes: an organization with its directory, and an admin who gets the\n   role. That is a manifest as well (examples/onboarding), and so is the setting of\n   the tenant that the warning was about.")
	if err := demoCustomer(dir); err != nil {
		return err
	}
	if code := run("plan", "--tenant", "local"); code != exitDone {
		return exit(code, nil)
	}
	inner.Err = io.Discard
	if code := run("apply", "--tenant", "local", "--yes"); code != exitDone {
		return exit(code, nil)
	}
	inner.Err = s.Err
	say("   One click in Auth0's dashboard is left: the OIN client may use the directory.")
	if err := allowDirectory(c.Context, sim); err != nil {
		return err
	}
	say("6. Is all there, and does it work? Check the tenant, then play the whole flow\n   on a copy of it: an admin presses the button, Okta makes the connection.")
	for _, args := range [][]string{{"verify"}, {"rehearse"}} {
		if code := run(append(args, "--tenant", "local")...); code != exitDone {
			return exit(code, nil)
		}
	}
	say("7. Tell Okta.")
	if code := run("handoff", "--tenant", "local", "--oin-name", "Acme CRM", "--okta-org", "trial-1234567"); code != exitDone {
		return exit(code, nil)
	}
	return nil
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
		fmt.Fprintf(w, "   Grant     %s on %s\n", strings.Join(g.Scope, ", "), g.Audience)
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

// demoSeed is the example's tenant, and the people of the customer who comes.
func demoSeed() ([]byte, error) {
	seed := map[string]json.RawMessage{}
	for _, from := range []struct {
		files embed.FS
		name  string
	}{{examples.Onboarding, "onboarding/tenant.json"}, {examples.Express, "express/tenant.json"}} { // the latter counts
		data, err := from.files.ReadFile(from.name)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &seed); err != nil {
			return nil, fmt.Errorf("read %s: %w", from.name, err)
		}
	}
	return json.Marshal(seed)
}

// demoCustomer adds the customer to the manifests in dir, and the prerequisite.
func demoCustomer(dir string) error {
	globex, err := examples.Onboarding.ReadFile("onboarding/globex.yaml")
	if err != nil {
		return err
	}
	setup, err := examples.Express.ReadFile("express/express.yaml")
	if err != nil {
		return err
	}
	setup = append(setup, "  tenant_settings: {flags: {enable_client_connections: false}}\n"...)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "globex.yaml"), globex, 0o600),
		os.WriteFile(filepath.Join(dir, "express.yaml"), setup, 0o600),
	)
}

// allowDirectory lets the OIN client use the directory with the admin's account: whose
// connections are whose is nothing that ecplan manages.
func allowDirectory(ctx context.Context, sim *auth0sim.Server) error {
	var state struct {
		Clients []struct {
			Name string
			ID   string `json:"client_id"`
		}
		Connections []struct{ Name, ID string }
	}
	if err := json.Unmarshal(sim.Snapshot(), &state); err != nil {
		return fmt.Errorf("read the simulated tenant: %w", err)
	}
	for _, client := range state.Clients {
		for _, directory := range state.Connections {
			if client.Name == "Okta OIN Integration Client" && directory.Name == "customer-admins" {
				return request(ctx, sim, "PATCH", "connections/"+directory.ID+"/clients", `[{"client_id":"`+client.ID+`","status":true}]`)
			}
		}
	}
	return errors.New("the simulated tenant lacks the OIN client or the directory")
}

// request sends the simulated tenant a request that is not ecplan's.
func request(ctx context.Context, sim *auth0sim.Server, method, path, body string) error {
	fail := func(err error) error { return fmt.Errorf("%s %s: %w", method, path, err) }
	req, err := http.NewRequestWithContext(ctx, method, sim.URL()+"/api/v2/"+path, strings.NewReader(body))
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Authorization", "Bearer demo")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is read from it
	if resp.StatusCode >= http.StatusBadRequest {
		return fail(errors.New(resp.Status))
	}
	return nil
}
