package executor

import (
	"fmt"
	"sync"
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
)

// twinsFresh is how long a list of what could be mistaken for a new object is good for.
const twinsFresh = 5 * time.Second

// lists are the collections in which a run creates objects that could be mistaken for
// others. A list is read for several creations together: the run's own creations bear
// different names, and one that goes on while the pages are read would tear them apart.
type lists struct {
	mu sync.Mutex
	by map[string]*list
}

// list is one collection. Whoever creates in it holds mu for reading, whoever reads it
// holds mu alone.
type list struct {
	mu    sync.RWMutex
	items any
	at    time.Time
}

func (ls *lists) of(r kind.Read) *list {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.by == nil {
		ls.by = map[string]*list{}
	}
	l := ls.by[r.Key()]
	if l == nil {
		l = &list{}
		ls.by[r.Key()] = l
	}
	return l
}

// enter returns the collection as it was lately, and keeps others from reading it until
// leave is called: until the creation that asks is over.
func (l *list) enter(now func() time.Time, read func() (any, error)) (items any, leave func(), err error) {
	for {
		l.mu.RLock()
		if !l.at.IsZero() && now().Sub(l.at) < twinsFresh {
			return l.items, l.mu.RUnlock, nil
		}
		l.mu.RUnlock()
		if err := l.renew(now, read); err != nil {
			return nil, nil, err
		}
	}
}

func (l *list) renew(now func() time.Time, read func() (any, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.at.IsZero() && now().Sub(l.at) < twinsFresh {
		return nil // somebody else did it meanwhile
	}
	items, err := read()
	if err == nil {
		l.items, l.at = items, now()
	}
	return err
}

// twins lists the ids of the objects that could be mistaken for the one that the step
// creates. leave must be called when the creation is over.
func (j *job) twins() (ids []string, leave func(), err error) {
	t := j.step.Twins
	if t == nil {
		return nil, func() {}, nil
	}
	where, err := j.fill(t.Where, "the search for objects like the new one")
	if err != nil {
		return nil, nil, err
	}
	items, leave, err := j.lists.of(t.Read).enter(j.Now, func() (any, error) {
		answers, err := j.Tenant.Read(j.Hard, []kind.Read{t.Read})
		return answers[t.Read.Key()], err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("looking for objects like the new one: %w", err)
	}
	ids = []string{}
	for _, id := range picked(items, t.Pick, where.(map[string]any)) {
		ids = append(ids, fmt.Sprint(id))
	}
	return ids, leave, nil
}
