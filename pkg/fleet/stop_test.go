package fleet_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ecplan/ecplan/pkg/fleet"
	"github.com/ecplan/ecplan/pkg/manifest"
)

// TestAskedToStopBetweenWaves: who is asked to stop between two waves, while somebody is
// asked or while the wave is looked at, waits for no answer and announces no other wave.
func TestAskedToStopBetweenWaves(t *testing.T) {
	for _, check := range []string{manifest.CheckConfirm, manifest.CheckVerify} {
		c := newCrowd(t, []int{0, 1})
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		o := waveOptions([]int{0, 1}, 0, manifest.RollbackAll, check, 8)
		never := make(chan struct{}) // nobody answers
		defer close(never)
		o.Confirm = func(fleet.Wave, fleet.Wave) error { stop(); <-never; return nil }
		var waves []string
		o.Progress = &fleet.Progress{Tell: func(e fleet.Event, _ fleet.Tally) {
			if e.Event == fleet.EventWave {
				waves = append(waves, e.Wave)
			}
			if e.Event == fleet.EventCheck && check == manifest.CheckVerify {
				stop()
			}
		}}
		results := c.rollOut(ctx, o)
		if results[0].State != fleet.StateDone || results[1].State != fleet.StateNotBegun || !strings.Contains(results[1].Err.Error(), "asked to stop") {
			t.Errorf("%s: got %s (%v), %s (%v)", check, results[0].State, results[0].Err, results[1].State, results[1].Err)
		}
		if len(waves) != 1 {
			t.Errorf("%s: the waves %v were announced", check, waves)
		}
		if err := c.asDeclared("t000"); err != nil {
			t.Errorf("%s: %v", check, err)
		}
	}
}
