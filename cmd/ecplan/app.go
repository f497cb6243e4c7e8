package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/pkg/report"
)

// Streams is what a run of the program may touch besides files and the network.
// Tests hand in their own.
type Streams struct {
	In  io.Reader
	Out io.Writer // results
	Err io.Writer // progress and errors
	Env func(name string) (string, bool)
}

// Exit codes, as the documentation promises them to scripts.
const (
	exitDone       = 0 // done, or nothing to do
	exitError      = 1 // an error; nothing was changed
	exitPending    = 2 // changes are pending (plan --detailed-exitcode)
	exitChanged    = 3 // failed, and changes remain on the tenant
	exitRolledBack = 4 // failed, and the changes were taken back
)

// exitError carries a code out of a command. A nil err prints nothing: the
// command has said already what there is to say.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// exit makes a command end with code; err may be nil.
func exit(code int, err error) error { return &codeError{code, err} }

// Run runs ecplan with args (args[0] is the program's name) and returns its exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	app := &cli.App{
		Name:                   "ecplan",
		Usage:                  "puts Okta Express Configuration on Auth0 tenants, safely, from git",
		Writer:                 s.Out,
		ErrWriter:              s.Err,
		HideVersion:            true,
		UseShortOptionHandling: false,
		// A comma in --var or a path is a comma.
		DisableSliceFlagSeparator: true,
		Metadata:                  map[string]any{"streams": s},
		Commands:                  commands(),
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              usageError,
		Action: func(c *cli.Context) error {
			if name := c.Args().First(); name != "" {
				return exit(exitError, fmt.Errorf("there is no command %q. %s\nRun 'ecplan --help' for those that there are", name, strings.TrimSpace(cli.SuggestCommand(c.App.Commands, name))))
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		c.OnUsageError = usageError
	}
	err := app.RunContext(ctx, flagsFirst(app, args))
	if err == nil {
		return exitDone
	}
	var code *codeError
	if errors.As(err, &code) {
		if code.err != nil {
			fmt.Fprintf(s.Err, "Error: %s\n", report.Lines(code.err.Error()))
		}
		return code.code
	}
	fmt.Fprintf(s.Err, "Error: %s\n", report.Lines(err.Error()))
	return exitError
}

// commands lists every command; a command is one file beside this one.
func commands() []*cli.Command {
	return []*cli.Command{
		validateCommand(),
		renderCommand(),
		planCommand(),
		showCommand(),
		applyCommand(),
		destroyCommand(),
		resumeCommand(),
		rollbackCommand(),
		historyCommand(),
		statusCommand(),
		verifyCommand(),
		rotateCommand(),
		rehearseCommand(),
		handoffCommand(),
		diagnoseCommand(),
		importCommand(),
		initCommand(),
		demoCommand(),
		graphCommand(),
		schemaCommand(),
		simCommand(),
		versionCommand(),
	}
}

func usageError(c *cli.Context, err error, _ bool) error {
	name := strings.TrimSpace("ecplan " + c.Command.FullName())
	return exit(exitError, fmt.Errorf("%w\nRun '%s --help' for the flags that there are", err, strings.TrimSuffix(name, " ecplan")))
}

func streams(c *cli.Context) Streams { return c.App.Metadata["streams"].(Streams) }

// flagsFirst moves a command's flags before its arguments. urfave/cli stops at the
// first argument; people write "ecplan apply plan.json --yes".
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	at := 1
	for at < len(args) && strings.HasPrefix(args[at], "-") {
		at++
	}
	if at >= len(args) {
		return args
	}
	cmd := app.Command(args[at])
	if cmd == nil {
		return args
	}
	takesValue := map[string]bool{}
	for _, f := range cmd.Flags {
		_, isBool := f.(*cli.BoolFlag)
		for _, n := range f.Names() {
			takesValue[n] = !isBool
		}
	}
	var flags, rest []string
	in := args[at+1:]
	for i := 0; i < len(in); i++ {
		a := in[i]
		if a == "--" {
			rest = append(rest, in[i:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		flags = append(flags, a)
		name := strings.TrimLeft(a, "-")
		if !strings.Contains(name, "=") && takesValue[name] && i+1 < len(in) {
			i++
			flags = append(flags, in[i])
		}
	}
	return append(append(append([]string{}, args[:at+1]...), flags...), rest...)
}
