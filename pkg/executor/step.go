package executor

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// job is the work of one step. It runs in a goroutine of its own.
type job struct {
	*Options
	step    *kind.Step
	res     StepResult
	outputs map[string]map[string]any // of earlier steps, by id
	secrets map[string]string         // of the step's address, by path
	say     func(Event)
	lists   *lists

	mine   map[string]any // what this step's answer gave
	answer any
}

// report is what a job reports back.
type report struct {
	StepResult
	outputs map[string]any
	// journal says that something could not be put on record. The run must stop.
	journal error
}

func (j *job) run() report {
	err := j.work()
	j.res.Ended = j.Now()
	rep := report{StepResult: j.res, outputs: j.mine}
	var lost *journalError
	if errors.As(err, &lost) {
		rep.journal = lost
	}
	j.say(Event{Step: j.step, State: string(j.res.Status), Err: j.res.Err})
	return rep
}

// journalError says that a record could not be written.
type journalError struct {
	when string
	err  error
}

func (e *journalError) Error() string { return e.when + ": " + e.err.Error() }
func (e *journalError) Unwrap() error { return e.err }

// work sends the request unless an earlier part of the run did, and waits for what
// the step awaits. It sets j.res; only an error of the journal matters beyond it.
func (j *job) work() error {
	j.say(Event{Step: j.step, State: StateStarted})
	if j.res.Changed { // done before the run was interrupted; only the wait is left
		j.mine = j.outputs[j.step.ID]
	} else {
		j.res.Began = j.Now()
		if err := j.send(); err != nil {
			return err
		}
	}
	if j.step.Await != nil {
		j.say(Event{Step: j.step, State: StateWaiting})
		if err := j.await(); err != nil {
			return j.fail(err, journal.Failed{Message: j.clean(err), Waiting: true})
		}
		if err := j.Journal.Awaited(j.step.ID); err != nil {
			return j.lost("was done, and that could not be put on record", err)
		}
	}
	j.res.Status = Done
	return nil
}

// send puts the intent on record, sends the request, and puts its outcome on record.
func (j *job) send() error {
	twins, leave, err := j.twins()
	if err != nil {
		j.res.Status, j.res.Err = Failed, j.wrap(err)
		return j.res.Err
	}
	defer leave()
	req, in, err := j.prepare(twins)
	if err != nil {
		j.res.Status, j.res.Err = Failed, j.wrap(err)
		return j.res.Err
	}
	if err := j.Journal.Intent(j.step.ID, in); err != nil {
		return j.lost("was not sent, because the intent could not be put on record", err)
	}
	res, err := j.Tenant.Send(j.Hard, req)
	if err != nil {
		return j.failedSend(err)
	}
	j.res.Changed = true
	done := doneBy(j.step, in, res.Body)
	j.mine, j.answer, j.res.ObjectID = done.Outputs, res.Body, done.ObjectID
	if err := j.Journal.Done(j.step.ID, done); err != nil {
		return j.lost("was done, and that could not be put on record", err)
	}
	return nil
}

// prepare makes the request and its intent. It reads what must be looked at right
// before, and sends nothing.
func (j *job) prepare(twins []string) (tenant.Request, journal.Intent, error) {
	var none tenant.Request
	body, err := j.fill(j.step.Request.Body, "its body")
	if err != nil {
		return none, journal.Intent{}, err
	}
	path, err := j.path(j.step.Request.Path)
	if err != nil {
		return none, journal.Intent{}, err
	}
	if err := j.guard(); err != nil {
		return none, journal.Intent{}, err
	}
	in := journal.Intent{
		Request: planner.Digest(kind.Request{Method: j.step.Request.Method, Path: anyPath(path), Query: j.step.Request.Query, Body: body}),
		Before:  j.step.Digest,
		Twins:   twins,
		Sets:    j.fingerprints(),
	}
	revealed, err := manifest.Reveal(body, j.secrets)
	if err != nil {
		return none, in, err
	}
	req := tenant.Request{Method: j.step.Request.Method, Path: path, Query: j.step.Request.Query, Body: revealed}
	for _, path := range manifest.Keys(j.secrets) {
		req.Secrets = append(req.Secrets, j.secrets[path])
	}
	return req, in, nil
}

// failedSend tells a request that had no effect from one of which nobody knows.
func (j *job) failedSend(err error) error {
	f := journal.Failed{Message: j.clean(err)}
	var e *tenant.Error
	if errors.As(err, &e) {
		f.Status, f.Code, f.Unknown = e.Status, e.Code, e.Unknown
	} else {
		f.Unknown = true // nobody who can tell said that it was not sent
	}
	return j.fail(err, f)
}

// fail puts a failure on record.
func (j *job) fail(err error, f journal.Failed) error {
	j.res.Status, j.res.Err = Failed, j.wrap(err)
	if f.Unknown {
		j.res.Status = Unknown
	}
	if err := j.Journal.Failed(j.step.ID, f); err != nil {
		return &journalError{"the failure of " + j.step.ID + " could not be put on record", err}
	}
	return j.res.Err
}

// lost says that the journal failed. What was not sent counts as not started; what
// was done is settled when the run is taken up again.
func (j *job) lost(what string, err error) error {
	lost := &journalError{"the step " + j.step.ID + " " + what, err}
	switch {
	case j.res.Changed:
		j.res.Status = Unknown
	default:
		j.res.Status, j.res.Began = NotStarted, j.res.Ended
	}
	j.res.Err = lost
	return lost
}

func (j *job) wrap(err error) error {
	return fmt.Errorf("%s %s: %w", verbs[j.step.Action], j.step.ID, err)
}

// clean gives an error's text for the journal, without any of the step's secrets.
func (j *job) clean(err error) string {
	return tenant.Mask(err.Error(), slices.Collect(maps.Values(j.secrets)))
}

var verbs = map[kind.Verb]string{
	kind.Create: "creating", kind.Update: "updating", kind.Delete: "deleting", kind.Deploy: "deploying",
	kind.Bind: "binding", kind.Unbind: "unbinding", kind.Attach: "attaching",
}

// doneBy makes the record of what the step brought about. answer is the tenant's, or
// stands for it.
func doneBy(s *kind.Step, in journal.Intent, answer any) journal.Done {
	d := journal.Done{
		Address: s.Address, Part: s.Part, Action: s.Action, ObjectID: s.ObjectID,
		Merged: s.Merged, Released: s.Released,
	}
	for _, name := range s.Outputs {
		if v := member(answer, name); v != nil {
			if d.Outputs == nil {
				d.Outputs = map[string]any{}
			}
			d.Outputs[name] = v
		}
	}
	if s.Made() && len(s.Outputs) > 0 { // the first one is the id
		d.ObjectID, _ = d.Outputs[s.Outputs[0]].(string)
	}
	for path, fingerprint := range in.Sets {
		if d.Secrets == nil {
			d.Secrets = map[string]journal.Trace{}
		}
		d.Secrets[path] = journal.Trace{Fingerprint: fingerprint, UpdatedAt: reportedTime(answer, path)}
	}
	return d
}

// fingerprints are those of the unreadable values that the step sets, by path.
func (j *job) fingerprints() map[string]string {
	var out map[string]string
	for _, path := range j.step.Sets {
		v, err := j.fill(member(j.step.After, path), path)
		if err != nil || v == nil {
			continue
		}
		text, err := manifest.Reveal(v, j.secrets)
		if s, ok := text.(string); ok && err == nil {
			if out == nil {
				out = map[string]string{}
			}
			out[path] = j.Fingerprint(s)
		}
	}
	return out
}

// guard reads what the step must find unchanged, and compares.
func (j *job) guard() error {
	g := j.step.Guard
	if g == nil {
		return nil
	}
	want, err := j.fill(g.Want, g.What)
	if err != nil {
		return err
	}
	have, err := j.pick(g.Read, g.Pick, nil)
	if err != nil {
		return fmt.Errorf("looking at %s right before the write: %w", g.What, err)
	}
	if w, _ := want.([]any); len(w) == len(have) && (len(w) == 0 || reflect.DeepEqual(w, have)) {
		return nil
	}
	return &ChangedError{What: g.What, Want: want.([]any), Have: have}
}

// ChangedError says that somebody changed what a write would replace, after the plan
// was made. Nothing was sent.
type ChangedError struct {
	What       string
	Want, Have []any
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s changed since the plan was made: planned from %v, now %v. Nothing was sent; plan again", e.What, e.Want, e.Have)
}

// pick reads a collection and takes one member of each item that has the given ones.
func (j *job) pick(r kind.Read, path string, where map[string]any) ([]any, error) {
	answers, err := j.Tenant.Read(j.Hard, []kind.Read{r})
	if err != nil {
		return nil, err
	}
	return picked(answers[r.Key()], path, where), nil
}

func picked(answer any, path string, where map[string]any) []any {
	items, _ := answer.([]any)
	out := []any{}
next:
	for _, item := range items {
		for _, k := range manifest.Keys(where) {
			if !reflect.DeepEqual(member(item, k), where[k]) {
				continue next
			}
		}
		out = append(out, member(item, path))
	}
	return out
}
