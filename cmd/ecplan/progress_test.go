package main

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/fleet"
)

// TestWaitsAreTold draws a tenant's waits, one after the other without an end: people are
// never left in silence for long, and never told of the same wait twice.
func TestWaitsAreTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w waits
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		said, until := now, now // the last line, and how long the wait that it told was to take
		for range rapid.IntRange(1, 60).Draw(t, "waits") {
			e := fleet.Event{Event: fleet.EventWait, Tenant: "a", Time: now, Seconds: rapid.Float64Range(0.01, 40).Draw(t, "seconds")}
			if rapid.Float64Range(0, 1).Draw(t, "short") < 0.7 {
				e.Seconds /= 40
			}
			if w.worthALine(e) {
				if now.Before(until) {
					t.Fatalf("told again at %v, and the wait that was told lasts until %v", now, until)
				}
				said, until = now, now.Add(time.Duration(e.Seconds*float64(time.Second)))
			} else if quiet := now.Sub(said); quiet >= silence && now.After(until) {
				t.Fatalf("silent for %v", quiet)
			} else if e.Seconds >= longWait && !now.Before(until) {
				t.Fatalf("a wait of %.0f s is not told", e.Seconds)
			}
			if rapid.Float64Range(0, 1).Draw(t, "step") < 0.1 {
				if !w.worthALine(fleet.Event{Event: fleet.EventStep, Tenant: "a", Time: now}) {
					t.Fatal("a step is not told")
				}
				said = now
			}
			now = now.Add(time.Duration(e.Seconds * float64(time.Second)))
		}
		// Another tenant's silence is its own.
		if w.worthALine(fleet.Event{Event: fleet.EventWait, Tenant: "b", Time: now, Seconds: 0.1}) {
			t.Fatal("the first short wait of a tenant is told")
		}
	})
}
