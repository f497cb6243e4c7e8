package fleet

import (
	"sync"
	"time"

	"github.com/ecplan/ecplan/pkg/executor"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// Event is one thing that happened on the way. It is plain data and holds no secret.
type Event struct {
	Time time.Time `json:"time"`
	// Event is one of the words below.
	Event  string `json:"event"`
	Tenant string `json:"tenant,omitempty"`
	Wave   string `json:"wave,omitempty"`
	// Step and Action are of a step's event.
	Step   string `json:"step,omitempty"`
	Action string `json:"action,omitempty"`
	// State is how far the step or the tenant has come, in the words of executor.Event
	// and State.
	State string `json:"state,omitempty"`
	// Steps is how many steps a plan has.
	Steps int `json:"steps,omitempty"`
	// Seconds is about how long a wait takes.
	Seconds float64 `json:"seconds,omitempty"`
	// Text says what is waited for, or why something failed.
	Text string `json:"text,omitempty"`
}

// The events.
const (
	EventPlanned = "planned" // a tenant has a plan, or an error
	EventWave    = "wave"    // a wave begins
	EventCheck   = "check"   // a wave is done and its check begins
	EventBegun   = "begun"   // a tenant's part begins
	EventStep    = "step"    // a step was started, waits, or came to its end
	EventWait    = "wait"    // a request waits for the tenant's rate limit, or to be tried again
	EventEnded   = "ended"   // a tenant's part came to its end
	EventBack    = "back"    // what was done on a tenant is taken back
)

// Tally is where everything stands.
type Tally struct {
	// Phase is "plan" or "run".
	Phase string
	// Tenants are all; Running those at work, Limited of them those that wait for their
	// rate limit, Done and Failed those at their end.
	Tenants, Running, Limited, Done, Failed int
	// Back are those whose changes are being taken back.
	Back int
	// Steps are all steps of all tenants that are known.
	Steps, StepsDone int
	// Left is about how long it will go on; 0 if nobody knows: not yet, or because changes
	// are being taken back.
	Left time.Duration
}

// Progress counts and tells what happens on all tenants. Its methods may be called at
// the same time; a nil one tells nobody.
type Progress struct {
	// Tell hears of each event, one at a time, with where everything stands then.
	Tell func(Event, Tally)
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	mu      sync.Mutex
	tally   Tally
	began   time.Time
	limited map[string]time.Time // by tenant: until when it waits
	done    map[string]int       // by tenant: steps done in this phase
	taken   map[string]bool      // tenants whose changes are being taken back
}

func (p *Progress) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// say tells of e after count has counted it.
func (p *Progress) say(e Event, count func(*Tally)) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Time = p.now()
	if e.Event == EventEnded {
		delete(p.taken, e.Tenant)
	}
	if count != nil {
		count(&p.tally)
	}
	if p.Tell != nil {
		p.Tell(e, p.standing(e.Time))
	}
}

// standing is the tally with what depends on the time.
func (p *Progress) standing(now time.Time) Tally {
	t := p.tally
	t.Back = len(p.taken)
	for _, until := range p.limited {
		if now.Before(until) {
			t.Limited++
		}
	}
	t.Limited = min(t.Limited, t.Running)
	done, all := t.Done+t.Failed, t.Tenants
	if t.Phase == "run" {
		done, all = t.StepsDone, t.Steps
	}
	if done > 0 && all > done && t.Back == 0 {
		t.Left = time.Duration(float64(now.Sub(p.began)) / float64(done) * float64(all-done))
	}
	return t
}

// Standing is where everything stands now.
func (p *Progress) Standing() Tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.standing(p.now())
}

// begin starts a phase anew.
func (p *Progress) begin(phase string, tenants, steps int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally, p.began, p.done, p.taken = Tally{Phase: phase, Tenants: tenants, Steps: steps}, p.now(), map[string]int{}, map[string]bool{}
}

func (p *Progress) planning(tenants int) { p.begin("plan", tenants, 0) }

func (p *Progress) reading(*Target) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.tally.Running++
	}
}

func (p *Progress) planned(tp *planner.TenantPlan) {
	p.say(Event{Event: EventPlanned, Tenant: tp.Tenant, Steps: len(tp.Steps), Text: tp.Error}, func(t *Tally) {
		t.Running--
		t.Steps += len(tp.Steps)
		if tp.Error != "" {
			t.Failed++
		} else {
			t.Done++
		}
	})
}

// Request takes in what happens to a tenant's requests: it is for tenant.Config.Observe.
func (p *Progress) Request(e tenant.Event) {
	if p == nil {
		return
	}
	if e.Wait <= 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.limited, e.Tenant)
		return
	}
	p.say(Event{Event: EventWait, Tenant: e.Tenant, Seconds: e.Wait.Seconds(), Text: e.Why + ", " + e.Op}, func(*Tally) {
		if p.limited == nil {
			p.limited = map[string]time.Time{}
		}
		if e.Why == "rate limit" {
			p.limited[e.Tenant] = p.now().Add(e.Wait)
		}
	})
}

// Steps returns what hears of a tenant's steps: it is for ApplyOptions.Progress. counts
// says that they are among the steps of the tally: a rollback's are not.
func (p *Progress) Steps(tenant string, counts bool) func(executor.Event) {
	return func(e executor.Event) {
		out := Event{Event: EventStep, Tenant: tenant, Step: e.Step.ID, Action: string(e.Step.Action), State: e.State}
		if e.State == executor.StateWaiting {
			out.Text = e.Step.Await.What
		}
		if e.Err != nil {
			out.Text = e.Err.Error()
		}
		p.say(out, func(t *Tally) {
			if counts && e.State == string(executor.Done) {
				t.StepsDone++
				p.done[tenant]++
			}
		})
	}
}

func (p *Progress) wave(w Wave) { p.say(Event{Event: EventWave, Wave: w.Name}, nil) }

func (p *Progress) check(w Wave) {
	p.say(Event{Event: EventCheck, Wave: w.Name, Text: w.Check}, nil)
}

func (p *Progress) begun(r *Result) {
	p.say(Event{Event: EventBegun, Tenant: r.Tenant, Wave: r.Wave, Steps: len(r.Plan.Steps)}, func(t *Tally) { t.Running++ })
}

// ended tells how a tenant's part ended; running says that it had begun.
func (p *Progress) ended(r *Result, running bool) {
	e := Event{Event: EventEnded, Tenant: r.Tenant, Wave: r.Wave, State: string(r.State)}
	if r.Err != nil {
		e.Text = r.Err.Error()
	}
	p.say(e, func(t *Tally) {
		if running {
			t.Running--
		}
		t.Steps -= len(r.Plan.Steps) - p.done[r.Tenant] // the others will not be done, or were before
		if r.Failed() {
			t.Failed++
		} else {
			t.Done++
		}
	})
}

func (p *Progress) back(r *Result, why string) {
	p.say(Event{Event: EventBack, Tenant: r.Tenant, Wave: r.Wave, Text: why}, func(*Tally) { p.taken[r.Tenant] = true })
}
