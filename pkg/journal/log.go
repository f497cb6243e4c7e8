package journal

import (
	"bytes"
	"fmt"
	"time"
)

// Log is a journal as read.
type Log struct {
	Header  Header
	Records []Record
	// Steps tells, by step id, how far each step came that was begun.
	Steps map[string]*StepState
	// End is nil where the run was interrupted.
	End *End
	// UnderWay is who carries the run out at this time, where that is another process; nil
	// if the run has ended, or nobody does.
	UnderWay *Owner
	// Torn says that the last line was not written to its end, and was left out.
	Torn bool

	size int64  // bytes up to the end of the last whole record
	open bool   // the last record lacks its newline
	sum  string // checksum of the last record
}

// StepState is how far a step came.
type StepState struct {
	Intent *Intent
	// IntentSeq and IntentTime are those of the record of the last intent.
	IntentSeq  int
	IntentTime time.Time
	Done       *Done
	Failed     *Failed
	Awaited    bool
	// LastTime is the time of the last record of the step.
	LastTime time.Time
}

// Unsettled says that nobody knows whether the step's request had its effect.
func (s *StepState) Unsettled() bool {
	return s != nil && s.Intent != nil && s.Done == nil && (s.Failed == nil || s.Failed.Unknown)
}

// Unsettled lists the steps whose outcome nobody knows, in the order of their intents.
func (l *Log) Unsettled() []string {
	var out []string
	for _, r := range l.Records {
		if r.Type == TypeIntent && l.Steps[r.Step].Unsettled() && l.Steps[r.Step].IntentSeq == r.Seq {
			out = append(out, r.Step)
		}
	}
	return out
}

// Interrupted says that the run ended without saying how.
func (l *Log) Interrupted() bool { return l.End == nil && l.UnderWay == nil }

// Wrote counts the steps that changed the tenant, or may have.
func (l *Log) Wrote() int {
	n := 0
	for _, s := range l.Steps {
		if s.Done != nil || s.Unsettled() {
			n++
		}
	}
	return n
}

// Outcome is how the run ended.
func (l *Log) Outcome() Outcome {
	switch {
	case l.UnderWay != nil:
		return OutcomeUnderWay
	case l.End == nil:
		return OutcomeInterrupted
	}
	return l.End.Outcome
}

// whose tells who carries the run out: another process that holds the tenant's lock since
// before the run was begun, or taken up again.
func (l *Log) whose(s Store) *Owner {
	if l.End != nil || len(l.Records) == 0 {
		return nil
	}
	owner, held := s.Holder(l.Header.Domain)
	if me := ThisProcess(Owner{}); !held || owner.PID == me.PID && owner.sameHost(me) {
		return nil
	}
	for _, r := range l.Records {
		if (r.Type == TypeHeader || r.Type == TypeResumed) && !r.Time.Before(owner.Since) {
			return &owner
		}
	}
	return nil
}

// Started and Last are the times of the first and the last record.
func (l *Log) Started() time.Time { return l.Records[0].Time }

// Last is the time of the last record.
func (l *Log) Last() time.Time { return l.Records[len(l.Records)-1].Time }

// DamageError says where a journal is damaged. Nothing is concluded from such a journal.
type DamageError struct {
	// File names the file and the store that it is in.
	File string
	// Line counts from 1; Offset is that of the line's first byte, from 0.
	Line   int
	Offset int64
	Why    string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the record %s is damaged in line %d (from byte %d on): %s; nothing can be concluded from it. "+
		"Restore the file from a copy, or move the run's folder away and compare the tenant with the manifest by 'ecplan plan'", e.File, e.Line, e.Offset, e.Why)
}

// Parse reads a journal; name is for messages. A last line that was not written to
// its end is left out; all else that is wrong is a DamageError. A journal whose
// very first line is torn is that of a run that never began: it has no records.
func Parse(name string, data []byte) (*Log, error) {
	l := &Log{Steps: map[string]*StepState{}}
	damage := func(at int, why string, args ...any) error {
		return &DamageError{File: name, Line: len(l.Records) + 1, Offset: int64(at), Why: fmt.Sprintf(why, args...)}
	}
	for at := 0; at < len(data); {
		line, whole := data[at:], false
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, whole = line[:i], true
		}
		r, sum, err := decode(line, l.sum)
		if err != nil && !whole {
			// Not even its end was written, unless only the newline was changed.
			if n := len(line); n > 0 {
				if _, _, err := decode(line[:n-1], l.sum); err == nil {
					return nil, damage(at, "its newline was overwritten")
				}
			}
			l.Torn = true
			return l, nil
		}
		if err != nil {
			return nil, damage(at, "%v", err)
		}
		if err := l.add(r); err != nil {
			return nil, damage(at, "%v", err)
		}
		at += len(line)
		if whole {
			at++
		}
		l.sum, l.size, l.open = sum, int64(at), !whole
	}
	return l, nil
}

// add takes a record in, if it can follow those before it.
func (l *Log) add(r Record) error {
	if r.Seq != len(l.Records)+1 {
		return fmt.Errorf("it has the number %d where %d is due", r.Seq, len(l.Records)+1)
	}
	if (len(l.Records) == 0) != (r.Type == TypeHeader) {
		return fmt.Errorf("a record %q can't stand here", r.Type)
	}
	if l.End != nil && r.Type != TypeResumed {
		return fmt.Errorf("a record %q can't follow the end of the run", r.Type)
	}
	var payload bool
	var s *StepState
	switch r.Type {
	case TypeHeader:
		if payload = r.Header != nil; payload {
			if r.Header.Format != Format {
				return fmt.Errorf("its format is %q, and this version of ecplan reads %q", r.Header.Format, Format)
			}
			l.Header = *r.Header
		}
	case TypeResumed:
		payload, l.End = r.Resumed != nil, nil
	case TypeEnd:
		payload, l.End = r.End != nil, r.End
	case TypeIntent:
		if payload = r.Intent != nil; payload {
			s = &StepState{Intent: r.Intent, IntentSeq: r.Seq, IntentTime: r.Time}
			if old := l.Steps[r.Step]; old != nil && (old.Done != nil || old.Unsettled()) {
				return fmt.Errorf("step %s is begun again without being settled", r.Step)
			}
			l.Steps[r.Step] = s
		}
	case TypeDone, TypeAwaited, TypeFailed:
		if s = l.Steps[r.Step]; s == nil {
			return fmt.Errorf("step %s has an outcome without an intent", r.Step)
		}
		switch r.Type {
		case TypeDone:
			payload, s.Done, s.Failed = r.Done != nil, r.Done, nil
		case TypeAwaited:
			payload, s.Awaited, s.Failed = true, true, nil
		default:
			payload, s.Failed = r.Failed != nil, r.Failed
		}
	default:
		return fmt.Errorf("a record %q is not known to this version of ecplan", r.Type)
	}
	if !payload {
		return fmt.Errorf("a record %q lacks its content", r.Type)
	}
	if s != nil {
		s.LastTime = r.Time
	}
	l.Records = append(l.Records, r)
	return nil
}
