package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// Tenant is what a run needs of a tenant.
type Tenant interface {
	// Read answers questions, by their keys, as the tenant is now.
	Read(ctx context.Context, reads []kind.Read) (map[string]any, error)
	// Send carries out one write. An error may be a *tenant.Error.
	Send(ctx context.Context, r tenant.Request) (tenant.Response, error)
}

// Options say what to run, on what, and under which rules.
type Options struct {
	Plan   planner.TenantPlan
	Tenant Tenant
	// Journal is the run's, just begun or taken up again: steps that it knows as done
	// are not done again. Apply writes how the run ended, and does not close it.
	Journal *journal.Run
	// Secrets are the sensitive values, by address and path. They go nowhere but into
	// request bodies and through Fingerprint.
	Secrets map[string]map[string]string
	// Fingerprint gives the keyed hash of a value that can't be read back.
	Fingerprint func(value string) string
	// Parallel is how many steps may be in flight at once; 0 is 4.
	Parallel int
	// Poll says how to wait for what a step awaits; zero values are the defaults.
	Poll Poll
	// Hard, if not nil, ends what is in flight when it is done: waits stop, and the
	// outcome of a request that was sent and not answered is unknown.
	Hard context.Context
	// Progress, if not nil, hears of every step as it goes, one event at a time.
	Progress func(Event)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Sleep waits; nil waits for real. Tests hand in their own.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Poll is how a run waits for the tenant to finish something: First, then each time
// more by Factor up to Max, and no longer than Limit in all.
type Poll struct {
	First, Max, Limit time.Duration
	Factor            float64
}

// The defaults: an Action without dependencies is built in less than a second, one
// with dependencies in 5 to 45 seconds (facts §3.6).
var defaultPoll = Poll{First: 75 * time.Millisecond, Max: 3 * time.Second, Limit: 5 * time.Minute, Factor: 1.6}

func (o *Options) defaults() {
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	if o.Poll.First <= 0 {
		o.Poll.First = defaultPoll.First
	}
	if o.Poll.Max <= 0 {
		o.Poll.Max = defaultPoll.Max
	}
	if o.Poll.Limit <= 0 {
		o.Poll.Limit = defaultPoll.Limit
	}
	if o.Poll.Factor <= 1 {
		o.Poll.Factor = defaultPoll.Factor
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Hard == nil {
		o.Hard = context.Background()
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	if o.Fingerprint == nil {
		o.Fingerprint = func(string) string { return "" }
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Apply runs the plan's steps, each as soon as all that it needs is done, a few at a
// time. After the first failure, and when ctx ends, nothing new is started, and what
// is in flight finishes. It returns when nothing is in flight any more.
func Apply(ctx context.Context, o Options) Outcome {
	o.defaults()
	r := &run{Options: o, outputs: map[string]map[string]any{}, at: map[string]int{}}
	r.out.Run = o.Journal.Name()
	if err := r.prepare(); err != nil {
		r.out.Err = err
		return r.out
	}
	r.loop(ctx)
	r.out.sum()
	if r.out.Err == nil {
		r.out.Err = o.Journal.End(r.out.end())
	}
	return r.out
}

// run is an Apply while it goes on. Only the goroutine of loop touches its fields but
// the last three; steps work on what they are given and report over a channel.
type run struct {
	Options
	out     Outcome
	at      map[string]int            // index in the plan and in out.Steps, by step id
	outputs map[string]map[string]any // what done steps gave, by step id

	lists  lists
	events sync.Mutex
	broken atomic.Bool // a step failed; its report may still be on its way
}

// prepare lines the steps up and takes over what the journal knows of them.
func (r *run) prepare() error {
	log := r.Journal.Log()
	if left := log.Unsettled(); len(left) > 0 {
		return fmt.Errorf("the run %s has steps whose outcome nobody knows (%v); they must be settled before it goes on", r.out.Run, left)
	}
	for i, s := range r.Plan.Steps {
		if _, twice := r.at[s.ID]; twice {
			return fmt.Errorf("the plan has two steps %s", s.ID)
		}
		r.at[s.ID] = i
		res := StepResult{ID: s.ID, Address: s.Address, Status: NotStarted}
		if state := log.Steps[s.ID]; state != nil && state.Done != nil {
			r.outputs[s.ID] = state.Done.Outputs
			res.Changed, res.ObjectID, res.Began, res.Ended = true, state.Done.ObjectID, state.IntentTime, state.LastTime
			if s.Await == nil || state.Awaited {
				res.Status = Done
			}
		}
		r.out.Steps = append(r.out.Steps, res)
	}
	for _, s := range r.Plan.Steps {
		for _, need := range s.Needs {
			if _, ok := r.at[need]; !ok {
				return fmt.Errorf("the step %s needs %s, which is not in the plan", s.ID, need)
			}
		}
	}
	return nil
}

// loop starts what can be started until nothing is in flight.
func (r *run) loop(ctx context.Context) {
	results := make(chan report)
	inFlight, started := 0, map[string]bool{}
	for {
		for i := range r.Plan.Steps {
			s := &r.Plan.Steps[i]
			if inFlight >= r.Parallel || r.stopping(ctx) {
				break
			}
			if started[s.ID] || r.out.Steps[i].Status != NotStarted || !r.ready(s) {
				continue
			}
			started[s.ID] = true
			inFlight++
			job := r.job(s, r.out.Steps[i])
			go func() { results <- job.run() }()
		}
		if inFlight == 0 {
			r.out.Stopped = ctx.Err() != nil
			return
		}
		res := <-results
		inFlight--
		r.take(res)
	}
}

// stopping says that nothing new may start.
func (r *run) stopping(ctx context.Context) bool {
	return ctx.Err() != nil || r.Hard.Err() != nil || r.broken.Load()
}

func (r *run) ready(s *kind.Step) bool {
	for _, need := range s.Needs {
		if r.out.Steps[r.at[need]].Status != Done {
			return false
		}
	}
	return true
}

// take records what came of a step.
func (r *run) take(res report) {
	r.out.Steps[r.at[res.ID]] = res.StepResult
	if res.Status == Done {
		r.outputs[res.ID] = res.outputs
	}
	if res.journal != nil {
		r.out.Err = errors.Join(r.out.Err, res.journal)
	}
}

// job makes the work of one step, with its own copy of what earlier steps gave.
func (r *run) job(s *kind.Step, res StepResult) *job {
	return &job{Options: &r.Options, step: s, res: res, outputs: maps.Clone(r.outputs), secrets: r.Secrets[s.Address], say: r.say, lists: &r.lists}
}

func (r *run) say(e Event) {
	if e.Err != nil {
		r.broken.Store(true)
	}
	r.events.Lock()
	defer r.events.Unlock()
	e.Time = r.Now()
	r.Progress(e)
}
