package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

func simCommand() *cli.Command {
	return &cli.Command{
		Name:  "sim",
		Usage: "serve a simulated Auth0 tenant on loopback",
		Description: "The address is printed when the tenant answers. It ends at SIGINT or SIGTERM.\n\n" +
			"A --fault is\n" + auth0sim.FaultGrammar,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:0", Usage: "`ADDRESS` on loopback; port 0 takes a free one"},
			&cli.IntFlag{Name: "tenants", Value: 1, Usage: "how many tenants, on consecutive ports"},
			&cli.StringFlag{Name: "domain", Usage: "the tenant's canonical `DOMAIN` (default: the address)"},
			&cli.StringFlag{Name: "token", Usage: "a fixed bearer `TOKEN` with every scope"},
			&cli.StringFlag{Name: "token-scopes", Usage: "the only `SCOPES` of the fixed bearer, separated by blanks"},
			&cli.StringFlag{Name: "client-id", Usage: "the `ID` of a management client with every scope"},
			&cli.StringFlag{Name: "client-secret", Usage: "its `SECRET`"},
			&cli.StringFlag{Name: "seed", Usage: "begin with the state in `FILE` (JSON)"},
			&cli.StringFlag{Name: "state", Usage: "keep the state in `FILE`, replaced after each write; later tenants in FILE.2, FILE.3, …"},
			&cli.Int64Flag{Name: "random", Usage: "draw ids and secrets from this `NUMBER`"},
			&cli.DurationFlag{Name: "latency", Usage: "added to every answer"},
			&cli.StringFlag{Name: "rate-limit", Value: "off", Usage: "`LIMIT`: " + auth0sim.Plans},
			&cli.BoolFlag{Name: "retry-after", Usage: "send Retry-After with a 429 of the rate limit"},
			&cli.DurationFlag{Name: "build-time", Usage: "how long an Action's build takes"},
			&cli.StringSliceFlag{Name: "fail-build", Usage: "`DEPENDENCY` (NAME or NAME@VERSION) whose builds fail; * fails all"},
			&cli.StringSliceFlag{Name: "fault", Usage: "a fault `RULE`, several times"},
			&cli.StringFlag{Name: "list-lag", Usage: "created objects list so much later: a `DURATION`, or a number of listings"},
			&cli.DurationFlag{Name: "delete-time", Usage: "how long the deletion of a connection takes; its name is taken until then"},
			&cli.StringFlag{Name: "log", Usage: "append one JSON line a request to `FILE`"},
			&cli.BoolFlag{Name: "tls", Usage: "serve https"},
			&cli.StringFlag{Name: "ca-file", Usage: "write the certificate authority of --tls to `FILE`"},
			&cli.BoolFlag{Name: "control", Usage: "serve /_sim/state, /_sim/reset, /_sim/faults and /_sim/requests"},
		},
		Action: runSim,
	}
}

func runSim(c *cli.Context) error {
	if c.Args().Present() {
		return exit(exitError, fmt.Errorf("sim takes no arguments, but got %q", c.Args().First()))
	}
	s := streams(c)
	o, done, err := simOptions(c)
	if err != nil {
		return exit(exitError, err)
	}
	defer done()
	servers, err := startSims(c, o)
	for _, server := range servers {
		defer server.Close() //nolint:errcheck // the process ends with it
	}
	if err != nil {
		return exit(exitError, err)
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	for _, server := range servers {
		fmt.Fprintln(s.Out, server.URL())
	}
	<-ctx.Done()
	return nil
}

// simOptions reads the flags; done closes the log.
func simOptions(c *cli.Context) (o auth0sim.Options, done func(), err error) {
	done = func() {}
	o = auth0sim.Options{
		Token: c.String("token"), ClientID: c.String("client-id"), ClientSecret: c.String("client-secret"),
		Domain: c.String("domain"), Random: c.Int64("random"), Latency: c.Duration("latency"), RateLimit: c.String("rate-limit"),
		RetryAfter: c.Bool("retry-after"), BuildTime: c.Duration("build-time"), DeleteTime: c.Duration("delete-time"), FailBuilds: c.StringSlice("fail-build"),
		Faults: c.StringSlice("fault"), TLS: c.Bool("tls"), Control: c.Bool("control"),
	}
	if c.IsSet("token-scopes") {
		o.TokenScopes = append([]string{}, strings.Fields(c.String("token-scopes"))...)
	}
	if (o.ClientID == "") != (o.ClientSecret == "") {
		return o, done, errors.New("--client-id and --client-secret go together")
	}
	if c.String("ca-file") != "" && !o.TLS {
		return o, done, errors.New("--ca-file goes with --tls")
	}
	if c.Int("tenants") < 1 {
		return o, done, errors.New("--tenants must be at least 1")
	}
	if lag := c.String("list-lag"); lag != "" {
		if n, numErr := strconv.Atoi(lag); numErr == nil {
			o.ListLagReads = n
		} else if o.ListLag, err = time.ParseDuration(lag); err != nil {
			return o, done, fmt.Errorf("--list-lag %q: it is a duration (2s) or a number of listings (3)", lag)
		}
	}
	if file := c.String("seed"); file != "" {
		if o.Seed, err = os.ReadFile(file); err != nil {
			return o, done, fmt.Errorf("--seed: %w", err)
		}
	}
	if file := c.String("log"); file != "" {
		log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return o, done, fmt.Errorf("--log: %w", err)
		}
		o.LogWriter, done = io.Writer(log), func() { _ = log.Close() }
	}
	return o, done, nil
}

// startSims starts the tenants; those that were started are returned with an error too.
func startSims(c *cli.Context, o auth0sim.Options) ([]*auth0sim.Server, error) {
	_, port, err := net.SplitHostPort(c.String("listen"))
	tries := 1
	if err == nil && port == "0" {
		tries = 20 // the ports behind a free one may be taken
	}
	for {
		servers, err := startSimsOnce(c, o)
		if tries--; err == nil || tries == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return servers, err
		}
		for _, server := range servers {
			server.Close() //nolint:errcheck // it never served
		}
	}
}

func startSimsOnce(c *cli.Context, o auth0sim.Options) ([]*auth0sim.Server, error) {
	host, port, err := net.SplitHostPort(c.String("listen"))
	if err != nil {
		return nil, fmt.Errorf("--listen %q: %w", c.String("listen"), err)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("--listen %q: the port must be a number", c.String("listen"))
	}
	state, random := c.String("state"), o.Random
	var servers []*auth0sim.Server
	for i := range c.Int("tenants") {
		o.StateFile, o.Random = state, random+int64(i)
		if i > 0 && state != "" {
			o.StateFile = fmt.Sprintf("%s.%d", state, i+1)
		}
		if i > 0 && c.IsSet("domain") {
			o.Domain = fmt.Sprintf("tenant%d.%s", i+1, c.String("domain"))
		}
		at := port
		if first > 0 {
			at = strconv.Itoa(first + i)
		}
		server, err := auth0sim.New(o)
		if err != nil {
			return servers, err
		}
		servers = append(servers, server)
		if err := server.Listen(net.JoinHostPort(host, at)); err != nil {
			return servers, err
		}
		if i == 0 && first == 0 {
			if _, got, splitErr := net.SplitHostPort(server.Addr()); splitErr == nil {
				first, _ = strconv.Atoi(got)
			}
		}
	}
	if file := c.String("ca-file"); file != "" {
		var all []byte
		for _, server := range servers {
			all = append(all, server.CA()...)
		}
		if err := os.WriteFile(file, all, 0o600); err != nil {
			return servers, fmt.Errorf("--ca-file: %w", err)
		}
	}
	return servers, nil
}
