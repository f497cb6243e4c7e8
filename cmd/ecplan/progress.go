package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/report"
)

// jsonLines is the format that tells of everything as it happens, an object a line.
const jsonLines = "jsonl"

// teller tells people or machines how a command goes on.
type teller struct {
	*fleet.Progress
	// lines is where lines go, above the live view if there is one.
	lines io.Writer
	view  *liveView
}

// newTeller tells in the way that fits: events as JSON for --format jsonl, a live view
// for several tenants on a terminal, a line an event elsewhere.
func newTeller(c *cli.Context, tenants int) *teller {
	s := streams(c)
	t := &teller{Progress: &fleet.Progress{}, lines: s.Err}
	f, isFile := s.Err.(*os.File)
	switch {
	case c.String("format") == jsonLines:
		t.Tell = func(e fleet.Event, _ fleet.Tally) { _ = report.Line(s.Out, e) } // a closed pipe ends the program
	case isFile && term.IsTerminal(int(f.Fd())) && tenants > 1:
		t.view = &liveView{w: f}
		t.lines = t.view
		t.Tell = func(e fleet.Event, now fleet.Tally) { t.view.show(e, now) }
	default:
		var w waits
		t.Tell = func(e fleet.Event, _ fleet.Tally) {
			if w.worthALine(e) {
				eventLine(s.Err, e, tenants > 1)
			}
		}
	}
	return t
}

// waits decides which waits get a line: the long ones, once each, and the short ones
// where nothing else has been said of the tenant for a while. The zero value is ready.
type waits struct {
	spoke map[string]time.Time // by tenant: the last line, or the first event
	until map[string]time.Time // by tenant: the end of the wait that was told
}

const (
	// longWait is a wait that people notice, in seconds.
	longWait = 2
	// silence is how long a tenant may go without a line while it waits.
	silence = 10 * time.Second
)

func (w *waits) worthALine(e fleet.Event) bool {
	if w.spoke == nil {
		w.spoke, w.until = map[string]time.Time{}, map[string]time.Time{}
	}
	if e.Event != fleet.EventWait {
		w.spoke[e.Tenant] = e.Time
		return true
	}
	last, known := w.spoke[e.Tenant]
	if !known {
		last, w.spoke[e.Tenant] = e.Time, e.Time
	}
	if e.Time.Before(w.until[e.Tenant]) || e.Seconds < longWait && e.Time.Sub(last) < silence {
		return false
	}
	w.spoke[e.Tenant], w.until[e.Tenant] = e.Time, e.Time.Add(time.Duration(e.Seconds*float64(time.Second)))
	return true
}

// quiet ends the live view for a while; the next event brings it back.
func (t *teller) quiet() {
	if t.view != nil {
		t.view.end()
	}
}

// eventLine tells of an event in a line; several says that there are several tenants.
func eventLine(w io.Writer, e fleet.Event, several bool) {
	switch e.Event {
	case fleet.EventStep:
		switch e.State {
		case executor.StateStarted: // its end is told, and a wait
		case executor.StateWaiting:
			fmt.Fprintf(w, "%s: %s: waiting for %s\n", e.Tenant, e.Step, e.Text)
		default:
			fmt.Fprintf(w, "%s: %s %s: %s\n", e.Tenant, e.Action, e.Step, e.State)
		}
	case fleet.EventBack:
		fmt.Fprintf(w, "%s: %s; what was done is taken back.\n", e.Tenant, failure(e))
	case fleet.EventWait:
		if e.Seconds >= longWait {
			fmt.Fprintf(w, "%s: waiting %.0f s (%s)\n", e.Tenant, e.Seconds, e.Text)
		} else {
			fmt.Fprintf(w, "%s: still waiting (%s)\n", e.Tenant, e.Text)
		}
	case fleet.EventWave:
		if e.Wave != "all" {
			fmt.Fprintf(w, "Wave %s begins.\n", e.Wave)
		}
	case fleet.EventCheck:
		fmt.Fprintf(w, "Wave %s is through; next: %s.\n", e.Wave, e.Text)
	case fleet.EventEnded:
		if several && (e.Text != "" || e.State != string(fleet.StateNothing)) {
			fmt.Fprintln(w, endLine(e))
		}
	}
}

// failure is why something is taken back.
func failure(e fleet.Event) string {
	if e.Text == "it failed" {
		return "failed"
	}
	return e.Text
}

func endLine(e fleet.Event) string {
	first, _, _ := strings.Cut(e.Text, "\n")
	if strings.HasPrefix(first, e.State) {
		return e.Tenant + ": " + first
	}
	if first != "" {
		return fmt.Sprintf("%s: %s: %s", e.Tenant, e.State, first)
	}
	return e.Tenant + ": " + e.State
}

// liveView is two bars on a terminal, tenants and steps, and lines above them for what
// must not be missed.
type liveView struct {
	w io.Writer

	mu             sync.Mutex
	bars           *mpb.Progress
	tenants, steps *mpb.Bar
	// now is read by the bars while they are drawn, when mu may be held by who waits for them.
	now atomic.Pointer[fleet.Tally]
}

// Write prints above the bars.
func (v *liveView) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bars == nil {
		return v.w.Write(b)
	}
	return v.bars.Write(b)
}

func (v *liveView) show(e fleet.Event, now fleet.Tally) {
	v.mu.Lock()
	if v.bars != nil && now.Phase != v.now.Load().Phase {
		v.stop()
	}
	v.now.Store(&now)
	if v.bars == nil {
		v.start()
	}
	v.tenants.SetTotal(int64(now.Tenants), false)
	v.tenants.SetCurrent(int64(now.Done + now.Failed))
	if v.steps != nil {
		v.steps.SetTotal(int64(max(now.Steps, 1)), false)
		v.steps.SetCurrent(int64(now.StepsDone))
	}
	v.mu.Unlock()
	bad := e.Text != "" && (e.Event == fleet.EventEnded || e.Event == fleet.EventBack)
	if bad || e.Event == fleet.EventWave || e.Event == fleet.EventCheck {
		eventLine(v, e, true)
	}
}

func (v *liveView) start() {
	v.bars = mpb.New(mpb.WithOutput(v.w), mpb.WithRefreshRate(100*time.Millisecond), mpb.WithWidth(40))
	name := map[string]string{"plan": "reading"}[v.now.Load().Phase]
	if name == "" {
		name = "tenants"
	}
	tally := func(text func(fleet.Tally) string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string { return text(*v.now.Load()) })
	}
	v.tenants = v.bars.AddBar(0, mpb.PrependDecorators(decor.Name(name, decor.WC{W: 8, C: decor.DindentRight}), decor.CountersNoUnit("%d/%d", decor.WCSyncWidth)),
		mpb.AppendDecorators(tally(func(t fleet.Tally) string {
			text := fmt.Sprintf("%d at work, %d waiting for a limit, %d failed", t.Running, t.Limited, t.Failed)
			if t.Back > 0 {
				text += fmt.Sprintf(", %d being taken back", t.Back)
			}
			return text
		})))
	v.steps = nil
	if v.now.Load().Phase != "plan" {
		v.steps = v.bars.AddBar(0, mpb.PrependDecorators(decor.Name("steps", decor.WC{W: 8, C: decor.DindentRight}), decor.CountersNoUnit("%d/%d", decor.WCSyncWidth)),
			mpb.AppendDecorators(tally(func(t fleet.Tally) string {
				if t.Left == 0 {
					return ""
				}
				return "about " + t.Left.Round(time.Second).String() + " left"
			})))
	}
}

// stop draws the bars a last time. mu is held.
func (v *liveView) stop() {
	v.tenants.Abort(false)
	if v.steps != nil {
		v.steps.Abort(false)
	}
	v.bars.Wait()
	v.bars, v.tenants, v.steps = nil, nil, nil
}

func (v *liveView) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bars != nil {
		v.stop()
	}
}
