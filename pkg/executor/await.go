package executor

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// await polls until what the step waits for holds. The answer to the request is
// looked at first: what it says already is not asked again.
func (j *job) await() error {
	a := j.step.Await
	path, err := j.path(a.Path)
	if err != nil {
		return err
	}
	read := kind.Read{Path: escape(path), For: j.step.Address}
	object, since, pause := j.answer, j.Now(), j.Poll.First
	for {
		if holds(object, a.Done) {
			return nil
		}
		if why := failing(object, a.Fail); why != "" {
			return fmt.Errorf("waiting for %s: the tenant says that it failed: %s", a.What, why)
		}
		if waited := j.Now().Sub(since); waited >= j.Poll.Limit {
			return fmt.Errorf("waiting for %s: not so after %s (%s). It may still come true: 'ecplan resume' goes on waiting", a.What, waited.Round(time.Second), state(object, a.Done))
		}
		if err := j.Sleep(j.Hard, pause); err != nil {
			return fmt.Errorf("waiting for %s: %w", a.What, err)
		}
		pause = min(time.Duration(float64(pause)*j.Poll.Factor), j.Poll.Max)
		answers, err := j.Tenant.Read(j.Hard, []kind.Read{read})
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", a.What, err)
		}
		if object = answers[read.Key()]; object == nil {
			return fmt.Errorf("waiting for %s: the object is no longer there", a.What)
		}
	}
}

func escape(path []string) string {
	out := make([]string, len(path))
	for i, p := range path {
		out[i] = url.PathEscape(p)
	}
	return strings.Join(out, "/")
}

func holds(object any, want map[string]any) bool {
	for _, path := range manifest.Keys(want) {
		if !reflect.DeepEqual(member(object, path), want[path]) {
			return false
		}
	}
	return true
}

// failing says which of the members that mean failure holds, with what the object
// says of the reason; "" if none does.
func failing(object any, fail map[string]any) string {
	for _, path := range manifest.Keys(fail) {
		if reflect.DeepEqual(member(object, path), fail[path]) {
			why := fmt.Sprintf("%s is %v", path, fail[path])
			if errs := complaints(object); len(errs) > 0 {
				why += ": " + strings.Join(errs, "; ")
			}
			return why
		}
	}
	return ""
}

// complaints collects the messages in every member "errors" of an answer: an Action's
// build errors are {id, msg, url} (OAS ActionError), on the Action or on a version.
func complaints(object any) []string {
	var out []string
	manifest.Walk(object, func(v any) {
		items, _ := member(v, "errors").([]any)
		for _, e := range items {
			msg, _ := member(e, "msg").(string)
			if msg == "" {
				msg, _ = member(e, "message").(string)
			}
			if msg != "" {
				out = append(out, msg)
			}
		}
	})
	return out
}

// state says how an object stands to what is waited for.
func state(object any, want map[string]any) string {
	var out []string
	for _, path := range manifest.Keys(want) {
		out = append(out, fmt.Sprintf("%s is %v", path, member(object, path)))
	}
	return strings.Join(out, ", ")
}
