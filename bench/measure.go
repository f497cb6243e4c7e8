//go:build unix

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// token is the bearer of all simulated tenants.
const token = "bench-token"

// setup is a simulator with manifests for its tenants, and what is run there: plan, apply,
// and plan again.
type setup struct {
	section   string
	tenants   int
	latency   int // milliseconds
	limit     string
	more      int  // resources besides the guide's
	resources int  // instead of the guide's
	once      bool // is not repeated
	tls       bool
}

// session measures the three commands, each time from a fresh simulator.
func (b *bench) session(ctx context.Context, s setup) error {
	repeat := b.repeat
	if s.once {
		repeat = 1
	}
	var runs [][]Row
	for range repeat {
		rows, err := b.once(ctx, s)
		if err != nil && ctx.Err() == nil { // a busy machine may have made it late
			fmt.Println("again, because", err)
			rows, err = b.once(ctx, s)
		}
		if err != nil {
			return err
		}
		runs = append(runs, rows)
	}
	for i := range runs[0] {
		var same []Row
		for _, r := range runs {
			same = append(same, r[i])
		}
		b.add(median(same))
	}
	return nil
}

// median is the row whose time is in the middle.
func median(rows []Row) Row {
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Seconds, b.Seconds) })
	return rows[len(rows)/2]
}

func (b *bench) add(r Row) {
	b.out.Rows = append(b.out.Rows, r)
	fmt.Printf("%-11s %-16s %-22s %3d tenants %5d resources %3d ms %-18s %7.2f s  CPU %6.2f + %5.2f s  %4.0f MB  %6d requests",
		r.Section, r.Tool, r.Command, r.Tenants, r.Resources, r.LatencyMS, r.Limit, r.Seconds, r.CPU, r.SimulatorCPU, r.Memory, r.Requests)
	if r.Dictated > 0 {
		fmt.Printf("  dictated %.2f s", r.Dictated)
	}
	fmt.Println()
}

// once runs the commands of a session.
func (b *bench) once(ctx context.Context, s setup) ([]Row, error) {
	sim, err := b.simulate(ctx, s)
	if err != nil {
		return nil, err
	}
	defer sim.stop()
	manifests, err := b.manifests(s, sim)
	if err != nil {
		return nil, err
	}
	base := Row{Section: s.section, Tool: "ecplan", Tenants: s.tenants, Resources: cmp.Or(s.resources, guideResources+s.more), LatencyMS: s.latency, Limit: cmp.Or(s.limit, "off")}
	common := []string{"-f", manifests, "--store", filepath.Join(sim.dir, "store")}
	var rows []Row
	for _, c := range []struct {
		name string
		args []string
	}{
		{"plan", []string{"plan"}},
		{"apply", []string{"apply", "--all", "--yes"}},
		{"plan without changes", []string{"plan", "--detailed-exitcode"}},
	} {
		r := base
		r.Command = c.name
		if err := sim.measure(ctx, &r, s.limit, b.ecplan, append(c.args, common...)...); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// simulator is the tenants, in a process of their own.
type simulator struct {
	cmd     *exec.Cmd
	dir     string
	log     string
	ca      string
	domains []string
}

// simulate starts a simulator on ports that are free.
func (b *bench) simulate(ctx context.Context, s setup) (*simulator, error) {
	dir, err := os.MkdirTemp(b.dir, "session-")
	if err != nil {
		return nil, err
	}
	seed := filepath.Join(dir, "seed.json")
	if err := os.WriteFile(seed, seedOf(s), 0o600); err != nil {
		return nil, err
	}
	var last error
	for range 20 {
		sim := &simulator{dir: dir, log: filepath.Join(dir, "requests.jsonl")}
		args := []string{
			"sim", "--tenants", strconv.Itoa(s.tenants), "--listen", fmt.Sprintf("127.0.0.1:%d", b.port), "--token", token,
			"--client-id", "m", "--client-secret", "s", "--seed", seed, "--latency", fmt.Sprintf("%dms", s.latency),
			"--rate-limit", cmp.Or(s.limit, "off"), "--log", sim.log,
		}
		if s.tls {
			sim.ca = filepath.Join(dir, "ca.pem")
			args = append(args, "--tls", "--ca-file", sim.ca)
		}
		b.port += s.tenants + 10
		if last = sim.start(ctx, b.ecplan, args); last == nil {
			return sim, nil
		}
	}
	return nil, last
}

// start waits until all tenants have told their address.
func (sim *simulator) start(ctx context.Context, ecplan string, args []string) error {
	sim.cmd = exec.CommandContext(ctx, ecplan, args...) //nolint:gosec // the program that is measured
	var errs bytes.Buffer
	sim.cmd.Stderr = &errs
	out, err := sim.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := sim.cmd.Start(); err != nil {
		return err
	}
	want, _ := strconv.Atoi(args[2]) // it was made from a number
	lines := bufio.NewScanner(out)
	for len(sim.domains) < want && lines.Scan() {
		_, domain, _ := strings.Cut(lines.Text(), "://")
		sim.domains = append(sim.domains, strings.TrimSpace(domain))
	}
	if len(sim.domains) < want {
		_ = sim.cmd.Wait() // it ended: its words tell more
		return fmt.Errorf("the simulator does not start: %s", strings.TrimSpace(errs.String()))
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // it ends with the process
	return nil
}

func (sim *simulator) stop() {
	_ = sim.cmd.Process.Signal(os.Interrupt) // it may be gone
	_ = sim.cmd.Wait()                       // nothing depends on how it ends
}

// cpu is the CPU time that the simulator has used, in seconds; 0 where the system does
// not tell.
func (sim *simulator) cpu() float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", sim.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	const ticks = 100 // a second, on every Linux
	return (user + system) / ticks
}

// buckets are the enterprise plans' limits: https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy/rate-limit-configurations
var buckets = map[string]struct{ burst, rate float64 }{"enterprise": {50, 16}, "enterprise-nonprod": {10, 2}}

// longest is how long one command may take: longer, and something is wrong.
const longest = 4 * time.Minute

// measure runs a command and adds what it took to r: a row may be several commands, one
// after the other. Of a command that fails, nothing is added.
func (sim *simulator) measure(ctx context.Context, r *Row, limit, name string, args ...string) error {
	limits, limited := buckets[limit]
	if limited { // every command begins with full buckets
		time.Sleep(time.Duration((limits.burst/limits.rate + 1) * float64(time.Second)))
	}
	before, size := sim.cpu(), fileSize(sim.log)
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the program that is measured
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Dir = sim.dir
	cmd.Env = append(os.Environ(), "ECPLAN_LOCAL_TOKEN="+token, "ECPLAN_BENCH_SECRET=s", "NO_COLOR=1")
	if sim.ca != "" {
		cmd.Env = append(cmd.Env, "NODE_EXTRA_CA_CERTS="+sim.ca)
	}
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("given up after %v: %w", took.Round(time.Second), err)
		}
		words := []string{filepath.Base(name)}
		for _, a := range args {
			words = append(words, filepath.Base(a)) // where it lay is of no interest
		}
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, tail(strings.TrimSpace(output.String())))
	}
	r.Seconds += took.Seconds()
	r.CPU += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	r.SimulatorCPU += sim.cpu() - before
	r.Memory = max(r.Memory, peak(cmd.ProcessState))
	return sim.count(r, size, limits.burst, limits.rate)
}

// count reads what the simulator was asked from offset on.
func (sim *simulator) count(r *Row, offset int64, burst, rate float64) error {
	f, err := os.Open(sim.log)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	counted := map[string]float64{}
	var first time.Time
	for lines := json.NewDecoder(f); ; {
		var q struct {
			Time         time.Time
			Tenant, Path string
			Status       int
		}
		if err := lines.Decode(&q); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("reading %s: %w", sim.log, err)
		}
		if first.IsZero() {
			first = q.Time
		}
		r.Requests++
		switch {
		case q.Status == http.StatusTooManyRequests && q.Time.Sub(first) > time.Second:
			r.Late429++
		case q.Status == http.StatusTooManyRequests:
			r.Early429++
		case strings.HasPrefix(q.Path, "/api/"):
			counted[q.Tenant]++
		}
	}
	for _, n := range counted {
		if rate > 0 {
			r.Dictated = max(r.Dictated, (n-burst)/rate)
		}
	}
	return nil
}

// peak is the peak resident memory of an ended process, in megabytes.
func peak(p *os.ProcessState) float64 {
	u, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return math.NaN()
	}
	kilobyte := 1024.0
	if runtime.GOOS == "darwin" {
		kilobyte = 1 // it counts in bytes
	}
	return float64(u.Maxrss) * kilobyte / (1 << 20)
}

func fileSize(name string) int64 {
	if info, err := os.Stat(name); err == nil {
		return info.Size()
	}
	return 0
}

// tail is the end of an output.
func tail(s string) string {
	const most = 2000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}
