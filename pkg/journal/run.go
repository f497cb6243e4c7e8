package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Run is a run whose journal is open for append. Its methods may be called by
// several goroutines; when one returns nil, the record survives a crash. After the
// first error every call fails: what is not on record must not happen.
type Run struct {
	name string
	now  func() time.Time

	mu  sync.Mutex
	out Appender
	log *Log
	err error
}

// Begin makes a run in s for the plan whose bytes are given. h.Format, h.Run and
// h.PlanDigest are filled in. random is where the last part of the run's name comes
// from. The run's name sorts after those of all the tenant's earlier runs, even if
// a clock went back. The tenant's lock must be held.
func Begin(s Store, h Header, plan []byte, now func() time.Time, random io.Reader) (*Run, error) {
	names, err := runsOf(s, h.Tenant)
	if err != nil {
		return nil, err
	}
	at := now().UTC().Truncate(time.Millisecond)
	for _, n := range names {
		if t, _, ok := parseName(n); ok && !t.Before(at) {
			at = t.Add(time.Millisecond)
		}
	}
	var id [nameRandom]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return nil, fmt.Errorf("naming the run: %w", err)
	}
	h.Format, h.Run, h.PlanDigest = Format, nameOf(at, h.Tenant, id), digest(plan)
	out, err := s.Create(h.Run, plan)
	if err != nil {
		return nil, fmt.Errorf("beginning the run %s in %s, nothing was sent: %w", h.Run, s.Where(), err)
	}
	r := &Run{name: h.Run, now: now, out: out, log: &Log{Steps: map[string]*StepState{}}}
	if err := r.write(Record{Type: TypeHeader, Header: &h}); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return r, nil
}

// Reopen takes up an interrupted run, or one that ended without all of it done.
func Reopen(s Store, name string, who Who, now func() time.Time) (*Run, error) {
	l, err := Read(s, name)
	if err != nil {
		return nil, err
	}
	if len(l.Records) == 0 {
		return nil, fmt.Errorf("the run %s never began: its journal is empty. There is nothing to take up", name)
	}
	out, err := s.Append(name, l.size)
	if err != nil {
		return nil, fmt.Errorf("opening the journal of the run %s in %s: %w", name, s.Where(), err)
	}
	r := &Run{name: name, now: now, out: out, log: l}
	if err := r.write(Record{Type: TypeResumed, Resumed: &who}); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return r, nil
}

// Read reads the journal of a run. A run without records is one that never began.
func Read(s Store, name string) (*Log, error) {
	data, err := s.Journal(name)
	if errors.Is(err, fs.ErrNotExist) {
		if names, listed := s.Runs(); listed == nil && slices.Contains(names, name) {
			return &Log{}, nil // a full disk let the run's folder be made, and no more: it never began
		}
		return nil, fmt.Errorf("there is no run %s in %s: 'ecplan history' lists those that there are", name, s.Where())
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journal of the run %s in %s: %w", name, s.Where(), err)
	}
	l, err := Parse(name+"/journal.jsonl in "+s.Where(), data)
	if err != nil {
		return nil, err
	}
	if len(l.Records) > 0 && l.Header.Run != name {
		return nil, &DamageError{File: name + "/journal.jsonl in " + s.Where(), Line: 1, Why: fmt.Sprintf("it is the journal of the run %s", l.Header.Run)}
	}
	l.UnderWay = l.whose(s)
	return l, nil
}

// ReadPlan reads the plan of a run, given its journal, and checks that it is the one
// that the run was begun with.
func ReadPlan(s Store, l *Log) ([]byte, error) {
	name := l.Header.Run
	plan, err := s.Plan(name)
	if err != nil {
		return nil, fmt.Errorf("reading the plan of the run %s in %s: %w", name, s.Where(), err)
	}
	if digest(plan) != l.Header.PlanDigest {
		return nil, &DamageError{File: name + "/plan.json in " + s.Where(), Line: 1, Why: "it is not the plan that the run was begun with: its digest is not the one in the journal"}
	}
	return plan, nil
}

// Name is the run's name.
func (r *Run) Name() string { return r.name }

// Log is what the journal held when the run was begun or taken up, and all that was
// added since. It must not be used while steps are running.
func (r *Run) Log() *Log { return r.log }

// Intent records that the step's request is about to be sent.
func (r *Run) Intent(step string, in Intent) error {
	return r.write(Record{Type: TypeIntent, Step: step, Intent: &in})
}

// Done records what the step's request brought about.
func (r *Run) Done(step string, d Done) error {
	return r.write(Record{Type: TypeDone, Step: step, Done: &d})
}

// Awaited records that what the step waits for has come true.
func (r *Run) Awaited(step string) error { return r.write(Record{Type: TypeAwaited, Step: step}) }

// Failed records why the step failed.
func (r *Run) Failed(step string, f Failed) error {
	return r.write(Record{Type: TypeFailed, Step: step, Failed: &f})
}

// End records how the run ended.
func (r *Run) End(e End) error { return r.write(Record{Type: TypeEnd, End: &e}) }

// Close closes the journal. Without End before it the run counts as interrupted.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Close()
}

func (r *Run) write(rec Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	rec.Seq, rec.Time = len(r.log.Records)+1, r.now().UTC()
	line, sum, err := encode(rec, r.log.sum)
	if err == nil {
		err = r.log.add(rec)
	}
	if err == nil {
		if r.log.open {
			line = append([]byte{'\n'}, line...)
		}
		err = r.out.Append(append(line, '\n'))
	}
	if err != nil {
		r.err = fmt.Errorf("the journal of the run %s can't be written: %w", r.name, err)
		return r.err
	}
	r.log.sum, r.log.open = sum, false
	return nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
