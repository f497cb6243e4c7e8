package executor

import (
	"fmt"
	"time"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
)

// Status is how far a step came.
type Status string

// The statuses.
const (
	Done       Status = "done"
	Failed     Status = "failed"
	Unknown    Status = "unknown"     // it was sent, and nobody knows whether it had its effect
	NotStarted Status = "not started" // nothing was sent
)

// StepResult is what came of one step.
type StepResult struct {
	ID      string
	Address string
	Status  Status
	// Changed says that the request had its effect, as far as anybody knows. It can
	// be true of a failed step: one whose request was done and whose wait failed; and of
	// an unknown one, when it was found out since.
	Changed bool
	// ObjectID is the object's id on the tenant, if known.
	ObjectID string
	// Began and Ended are zero where nothing was tried.
	Began, Ended time.Time
	Err          error
}

// Outcome is what came of a run.
type Outcome struct {
	// Run is the run's name.
	Run string
	// Steps are in the plan's order.
	Steps []StepResult
	// Stopped says that the run was asked to stop.
	Stopped bool
	// Err says what stopped the run besides a step: the journal could not be written,
	// or the plan is not whole.
	Err error
	// Done, Failed, Unknown and NotStarted count steps.
	Done, Failed, Unknown, NotStarted int
}

// OK says that all steps are done and on record.
func (o *Outcome) OK() bool { return o.Err == nil && o.Done == len(o.Steps) }

// Changed says that the tenant was changed, or may have been.
func (o *Outcome) Changed() bool {
	for _, s := range o.Steps {
		if s.Changed || s.Status == Unknown {
			return true
		}
	}
	return false
}

// failed returns the first step that failed or whose outcome is unknown.
func (o *Outcome) failed() *StepResult {
	for i, s := range o.Steps {
		if s.Status == Failed || s.Status == Unknown {
			return &o.Steps[i]
		}
	}
	return nil
}

// Found takes over what was found out, after the run, of a step whose outcome nobody knew.
func (o *Outcome) Found(s Settled) {
	for i := range o.Steps {
		if o.Steps[i].ID == s.Step {
			o.Steps[i].Changed = s.State == kind.AsAfter
		}
	}
}

func (o *Outcome) sum() {
	o.Done, o.Failed, o.Unknown, o.NotStarted = 0, 0, 0, 0
	for _, s := range o.Steps {
		switch s.Status {
		case Done:
			o.Done++
		case Failed:
			o.Failed++
		case Unknown:
			o.Unknown++
		case NotStarted:
			o.NotStarted++
		}
	}
}

func (o *Outcome) end() journal.End {
	e := journal.End{Outcome: journal.OutcomeDone, Done: o.Done, Failed: o.Failed, Unknown: o.Unknown, NotStarted: o.NotStarted}
	switch {
	case o.Failed+o.Unknown > 0:
		e.Outcome = journal.OutcomeFailed
	case o.NotStarted > 0:
		e.Outcome = journal.OutcomeStopped
	}
	return e
}

// Error says why the run is not all done, nil if it is.
func (o *Outcome) Error() error {
	switch f := o.failed(); {
	case o.Err != nil:
		return o.Err
	case f != nil:
		return f.Err
	case o.NotStarted > 0 && o.Stopped:
		return fmt.Errorf("the run was asked to stop: %d of %d steps were not started", o.NotStarted, len(o.Steps))
	case o.NotStarted > 0:
		return fmt.Errorf("%d of %d steps could not be started", o.NotStarted, len(o.Steps))
	}
	return nil
}

// Event tells of a step as it goes.
type Event struct {
	Step *kind.Step
	// State is "started", "waiting", or one of the statuses.
	State string
	Time  time.Time
	Err   error
}

// States of events besides the statuses.
const (
	StateStarted = "started"
	StateWaiting = "waiting"
)
