//go:build unix

// Command bench measures the ecplan program from outside, as a user meets it: processes
// against simulated tenants, their wall and CPU time, peak memory and requests. It
// writes the numbers as JSON, as the tables of docs/performance.md, and as a chart.
//
// It imports nothing of ecplan: what it measures is the program that make builds, and
// where npm is present, auth0-deploy-cli beside it. make bench calls it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{}
	flag.StringVar(&b.ecplan, "ecplan", "bin/ecplan", "the program to measure")
	flag.StringVar(&b.docs, "docs", "docs", "the folder of performance.md")
	flag.IntVar(&b.repeat, "repeat", 3, "measure so often, and take the median")
	flag.StringVar(&b.only, "only", "", "run only the sections whose names hold this; the documents are then left alone")
	render := flag.Bool("render", false, "measure nothing: write page and chart anew from performance.json")
	flag.Parse()
	do := b.run
	if *render {
		do = func(context.Context) error {
			if err := b.read(); err != nil {
				return err
			}
			return b.write()
		}
	}
	if err := do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// bench is what is measured with what, and what came of it.
type bench struct {
	ecplan, docs, only string
	repeat             int

	dir  string // for manifests, stores and logs
	port int    // of the next simulator's first tenant
	out  Results
}

// Results are all numbers of a run of the bench.
type Results struct {
	Machine Machine `json:"machine"`
	Rows    []Row   `json:"rows"`
	// Skipped says what was not measured, and why.
	Skipped []string `json:"skipped,omitempty"`
}

// Machine is where it was measured.
type Machine struct {
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	OS       string `json:"os"`
	Go       string `json:"go"`
	Version  string `json:"version"`
	Measured string `json:"measured"`
	// Load is the system's load average over a minute before and after.
	Load [2]string `json:"load"`
}

// Row is one command, measured.
type Row struct {
	// Section is what is varied, Command what was run.
	Section   string `json:"section"`
	Command   string `json:"command"`
	Tool      string `json:"tool"`
	Tenants   int    `json:"tenants"`
	Resources int    `json:"resources"` // declared for each tenant
	LatencyMS int    `json:"latency_ms"`
	Limit     string `json:"limit"`
	// Seconds is the wall time; CPU and SimulatorCPU are user and system time of the
	// command and of the simulator meanwhile, in seconds.
	Seconds      float64 `json:"seconds"`
	CPU          float64 `json:"cpu_seconds"`
	SimulatorCPU float64 `json:"simulator_cpu_seconds"`
	// Memory is the peak resident memory of the command, in megabytes.
	Memory   float64 `json:"memory_mb"`
	Requests int     `json:"requests"`
	// Early429 counts the answers of 429 in the second after the command's first request,
	// Late429 those later.
	Early429 int `json:"early_429"`
	Late429  int `json:"late_429"`
	// Dictated is the time that the rate limit dictates for the slowest tenant: what its
	// requests beyond the burst take at the rate. 0 where nothing has to wait.
	Dictated float64 `json:"dictated_seconds"`
}

// bound is the time that the cores need for all the computing, in seconds, the
// simulator's included: no command can be faster on this machine.
func (r Row) bound(cores int) float64 { return (r.CPU + r.SimulatorCPU) / float64(cores) }

func (b *bench) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ecplan-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder is harmless
	b.dir, b.port = dir, 21000
	if b.ecplan, err = filepath.Abs(b.ecplan); err != nil {
		return err
	}
	b.out.Machine = machine(ctx, b.ecplan)
	sections := []struct {
		name string
		run  func(context.Context) error
	}{
		{"one tenant", b.oneTenant},
		{"tenants", b.tenants},
		{"limits", b.limits},
		{"resources", b.resources},
		{"deploy CLI", b.deployCLI},
	}
	var failed []string
	for _, s := range sections {
		if !strings.Contains(s.name, b.only) {
			continue
		}
		if err := s.run(ctx); err != nil {
			if ctx.Err() != nil {
				return err
			}
			b.skip(fmt.Sprintf("%s: %v", s.name, err)) // the other sections are worth their time
			failed = append(failed, s.name)
		}
	}
	b.out.Machine.Load[1] = load()
	if b.only == "" {
		if err := b.write(); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not measured to their end: %s", strings.Join(failed, ", "))
	}
	return nil
}

func (b *bench) oneTenant(ctx context.Context) error {
	for _, latency := range []int{0, 50} {
		if err := b.session(ctx, setup{section: "one tenant", tenants: 1, latency: latency}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) tenants(ctx context.Context) error {
	for _, n := range []int{1, 10, 100, 200} {
		if err := b.session(ctx, setup{section: "tenants", tenants: n, latency: 50}); err != nil {
			return err
		}
	}
	return nil
}

// limits measures where Auth0's limits of the enterprise plans play a part: with the
// guide's set-up they hardly do, with more resources they dictate the time.
func (b *bench) limits(ctx context.Context) error {
	for _, s := range []setup{
		{tenants: 200, limit: "enterprise"},
		{tenants: 20, limit: "enterprise", more: 300},
		{tenants: 200, limit: "enterprise-nonprod", more: 20},
	} {
		s.section, s.latency, s.once = "limits", 50, true
		if err := b.session(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) resources(ctx context.Context) error {
	for _, n := range []int{10, 100, 1000, 5000} {
		if err := b.session(ctx, setup{section: "resources", tenants: 1, resources: n}); err != nil {
			return err
		}
	}
	return nil
}

// machine says where this is.
func machine(ctx context.Context, ecplan string) Machine {
	m := Machine{Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), Measured: time.Now().UTC().Format("2006-01-02")}
	m.Load[0] = load()
	if out, err := exec.CommandContext(ctx, ecplan, "version").Output(); err == nil { //nolint:gosec // the program that is measured
		m.Version, _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m
	}
	for line := range strings.SplitSeq(string(info), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

// load is the load average over the last minute, "?" where the system does not tell.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
