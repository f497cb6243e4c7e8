package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/ecplan/ecplan/pkg/express"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
)

func initCommand() *cli.Command {
	return &cli.Command{
		Name:  "init",
		Usage: "write a first manifest with comments: asks, or takes flags; changes nothing where there is one",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".", Usage: "write into `DIR`"},
			&cli.StringFlag{Name: "domain", Usage: "set up the tenant at `DOMAIN`, its canonical domain"},
			&cli.StringFlag{Name: "tenant-name", Usage: "call the tenant `NAME` in manifests"},
			&cli.StringFlag{Name: "app", Usage: "set up the application with the client `ID`"},
			&cli.StringFlag{Name: "app-name", Usage: "set up the application called `NAME` instead"},
			&cli.StringFlag{Name: "login-url", Usage: "start logins of the application at `URL`"},
			&cli.StringFlag{Name: "public-key", Usage: "let Okta sign in with the public key in `FILE`"},
			noColorFlag(),
		},
		Action: initAction,
	}
}

func initAction(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("init takes no argument, and got %q; the folder is named with --dir", c.Args().First())
	}
	s, dir := streams(c), c.String("dir")
	for _, name := range []string{"express.yaml", "tenants.yaml"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(s.Out, "%s is there already: nothing was changed.\n", filepath.Join(dir, name))
			return nil
		}
	}
	if name := c.String("tenant-name"); name != "" {
		if err := express.CheckName(name); err != nil {
			return fmt.Errorf("--tenant-name %q: %w", name, err)
		}
	}
	answers, err := interview(c)
	if err != nil {
		return err
	}
	token, _ := s.Env("ECPLAN_TOKEN")
	start := express.Start{
		Tenant: c.String("tenant-name"), Domain: answers["domain"], App: answers["app"], AppName: answers["app-name"], LoginURL: answers["login-url"], WithToken: token != "",
	}
	if name := c.String("app-name"); name != "" {
		start.App, start.AppByName = name, true
	}
	files := map[string][]byte{}
	if key := answers["public-key"]; key != "" {
		text, kid, err := readKey(key)
		if err != nil {
			return err
		}
		start.Key = filepath.Base(key)
		beside := filepath.Join(dir, start.Key)    // a manifest reads files below its own folder only
		switch have, err := os.ReadFile(beside); { //nolint:gosec // the user names the folder
		case errors.Is(err, fs.ErrNotExist):
			files[start.Key] = text
		case err != nil:
			return err
		case !bytes.Equal(have, text):
			return fmt.Errorf("the key can't be copied beside the manifests: %s is there already, with another content; rename one of the two", beside)
		}
		fmt.Fprintf(s.Err, "The key's id (kid) is %s.\n", kid)
	}
	manifests, err := start.Files()
	if err != nil {
		return err
	}
	for name, data := range manifests {
		files[name] = data
	}
	if err := writeNew(dir, files); err != nil {
		return err
	}
	for _, name := range manifest.Keys(files) {
		fmt.Fprintln(s.Out, filepath.Join(dir, name))
	}
	set, ds := manifest.Load([]string{dir})
	if err := complain(c, ds); err != nil {
		return err
	}
	for _, t := range set.Tenants() {
		_, ds := fleet.Offline(set, t.Name, manifest.Inputs{Env: s.Env})
		if err := complain(c, ds); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.Out, "Next: ecplan plan -f %s\n", quoted(dir))
	return nil
}

func readKey(file string) (text []byte, kid string, err error) {
	if text, err = os.ReadFile(file); err != nil { //nolint:gosec // the user names the file
		return nil, "", err
	}
	if kid, err = express.CheckKey(string(text)); err != nil {
		return nil, "", fmt.Errorf("%s can't be Okta's key: %w", file, err)
	}
	return text, kid, nil
}

// interview answers the questions from flags, and asks for the rest where somebody is
// there to be asked.
func interview(c *cli.Context) (map[string]string, error) {
	s := streams(c)
	in := bufio.NewReader(s.In)
	file, isFile := s.In.(*os.File)
	present := !isFile || term.IsTerminal(int(file.Fd()))
	answers := map[string]string{}
	for _, q := range express.Questions() {
		if q.Flag == "app" && c.String("app-name") != "" {
			continue
		}
		answer, given := c.String(q.Flag), c.IsSet(q.Flag)
		if !given && !present {
			if q.Optional {
				continue
			}
			return nil, fmt.Errorf("there is no terminal to ask on; give --%s", q.Flag)
		}
		var names, ids []string
		if !given && q.Flag == "app" {
			names, ids = offer(c, answers["domain"])
		}
		for {
			if !given {
				fmt.Fprintf(s.Err, "%s: ", q.Ask)
				line, err := in.ReadString('\n')
				if answer = strings.TrimSpace(line); err != nil && answer == "" && !q.Optional {
					return nil, errors.New("the questions were not answered; nothing was written")
				}
				if n, err := strconv.Atoi(answer); err == nil && len(ids) > 0 {
					if n < 1 || n > len(ids) {
						fmt.Fprintf(s.Err, "There is no %d among these.\n", n)
						continue
					}
					answer, answers["app-name"] = ids[n-1], names[n-1]
				}
			}
			checked, err := q.Check(answer)
			if err == nil && !given && q.Flag == "public-key" && checked != "" { // a flag's file is read later
				_, _, err = readKey(checked)
			}
			if err == nil || q.Optional && answer == "" {
				answers[q.Flag] = checked
				break
			}
			if given {
				return nil, fmt.Errorf("--%s %q: %w", q.Flag, answer, err)
			}
			fmt.Fprintf(s.Err, "That can't be used: %v.\n", err)
		}
	}
	return answers, nil
}

// offer lists the tenant's applications, if the environment has credentials for it.
func offer(c *cli.Context, domain string) (names, ids []string) {
	s := streams(c)
	env := func(name string) string { v, _ := s.Env(name); return v }
	clients, err := fleet.Applications(context.WithoutCancel(c.Context), domain, env("ECPLAN_CLIENT_ID"), env("ECPLAN_CLIENT_SECRET"), env("ECPLAN_TOKEN"))
	if err != nil {
		fmt.Fprintf(s.Err, "The tenant's applications can't be listed: %v\n", err)
		return nil, nil
	}
	names, ids = express.Candidates(clients)
	for i, name := range names {
		fmt.Fprintf(s.Err, "  %d. %s (%s)\n", i+1, name, ids[i])
	}
	if len(ids) > 0 {
		fmt.Fprintln(s.Err, "A number chooses one of these.")
	}
	return names, ids
}
