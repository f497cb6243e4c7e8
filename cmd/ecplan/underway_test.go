package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ecplan/ecplan/internal/auth0sim"
)

// TestUnderWayIsNotInterrupted: whoever looks while another process carries out a run is
// told so, and is not sent to resume it or to take it back.
func TestUnderWayIsNotInterrupted(t *testing.T) {
	v := newVictim(t)
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	v.sim.SetHooks(func(r auth0sim.Request) bool {
		if r.Method != "GET" {
			once.Do(func() { close(reached) })
			<-goOn
		}
		return true
	}, nil)
	ended := make(chan int, 1)
	go func() {
		code, _ := v.ecplan("apply", "--yes")
		ended <- code
	}()
	<-reached
	look := func(args ...string) string {
		var out bytes.Buffer
		store := filepath.Join(v.dir, ".ecplan")
		if args[0] != "history" {
			args = append(args, "-f", v.dir)
		}
		Run(t.Context(), append(append([]string{"ecplan"}, args...), "--store", store), Streams{In: strings.NewReader(""), Out: &out, Err: &out, Env: func(name string) (string, bool) {
			return storyToken, name == "ECPLAN_LOCAL_TOKEN"
		}})
		return out.String()
	}
	for command, want := range map[string]string{"history": "under way", "plan": "is under way, for apply by ", "status": "(under way)"} {
		if out := look(command); !strings.Contains(out, want) || strings.Contains(out, "interrupted") || strings.Contains(out, "nobody knows") {
			t.Errorf("while a run is under way, %s says\n%s", command, out)
		}
	}
	close(goOn)
	if code := <-ended; code != exitDone {
		t.Errorf("apply ended with %d", code)
	}
	if out := look("history"); !strings.Contains(out, "done") || strings.Contains(out, "under way") {
		t.Errorf("when it has ended, history says\n%s", out)
	}
}
