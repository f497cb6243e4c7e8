package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
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
	if err := holdings(s.Out, sim); err != nil {
		return err
	}
	say("5. A customer comes: an organization with an admin who gets the role, and a\n   directory that the OIN client may use (by hand here, in Auth0's dashboard).")
	if err := customer(c.Context, sim); err != nil {
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

// customer does what is left to people: an organization with an admin who has the role,
// the OIN client on the directory with his account, and Auth0's prerequisite.
func customer(ctx context.Context, sim *auth0sim.Server) error {
	var state struct {
		Roles, Clients []struct {
			ID     string `json:"id"`
			Client string `json:"client_id"`
			Name   string `json:"name"`
		}
	}
	if err := json.Unmarshal(sim.Snapshot(), &state); err != nil {
		return fmt.Errorf("read the simulated tenant: %w", err)
	}
	var role, client string
	for _, r := range state.Roles {
		if r.Name == "EXPRESS_CONFIGURE_ADMIN_ROLE" {
			role = r.ID
		}
	}
	for _, c := range state.Clients {
		if c.Name == "Okta OIN Integration Client" {
			client = c.Client
		}
	}
	ids := map[string]string{"ROLE": role, "CLIENT": client}
	for _, r := range []struct{ method, path, body, keep, as string }{
		{"PATCH", "tenants/settings", `{"flags":{"enable_client_connections":false}}`, "", ""},
		{"POST", "connections", `{"name":"acme-staff","strategy":"auth0","enabled_clients":["CLIENT"]}`, "id", "DIRECTORY"},
		{"POST", "users", `{"connection":"acme-staff","email":"ada@globex.example","password":"only-for-the-demo-1"}`, "user_id", "USER"},
		{"POST", "organizations", `{"name":"globex","display_name":"Globex"}`, "id", "ORG"},
		{"POST", "organizations/ORG/members", `{"members":["USER"]}`, "", ""},
		{"POST", "organizations/ORG/members/USER/roles", `{"roles":["ROLE"]}`, "", ""},
	} {
		for name, id := range ids {
			r.path, r.body = strings.ReplaceAll(r.path, name, url.PathEscape(id)), strings.ReplaceAll(r.body, name, id)
		}
		answer, err := request(ctx, sim, r.method, r.path, r.body)
		if err != nil {
			return err
		}
		if r.keep != "" {
			ids[r.as], _ = answer[r.keep].(string)
		}
	}
	return nil
}

// request sends the simulated tenant a request that is not ecplan's.
func request(ctx context.Context, sim *auth0sim.Server, method, path, body string) (map[string]any, error) {
	fail := func(err error) (map[string]any, error) { return nil, fmt.Errorf("%s %s: %w", method, path, err) }
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
	defer resp.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return fail(err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fail(fmt.Errorf("status %d: %s", resp.StatusCode, data))
	}
	answer := map[string]any{}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &answer); err != nil {
			return fail(err)
		}
	}
	return answer, nil
}
