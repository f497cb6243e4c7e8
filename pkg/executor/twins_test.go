package executor

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// TestCreationsShareTheListOfTheirTwins: creating many objects of a kind does not read
// the collection each time, and never while one of them is under way; when the list is
// old it is read again.
func TestCreationsShareTheListOfTheirTwins(t *testing.T) {
	const n = 40
	var plan planner.TenantPlan
	for i := range n {
		s := post(fmt.Sprintf("Client/%d", i), map[string]any{"name": fmt.Sprint(i)})
		s.Twins = &kind.Twins{Read: kind.Read{Path: "clients", List: "clients"}, Where: map[string]any{"name": fmt.Sprint(i)}, Pick: "client_id"}
		plan.Steps = append(plan.Steps, s)
	}
	var sending, sent atomic.Int64
	var clock atomic.Int64
	f := &scripted{
		send: func(tenant.Request) (tenant.Response, error) {
			sending.Add(1)
			defer sending.Add(-1)
			if sent.Add(1) == n/2 {
				clock.Add(int64(twinsFresh))
			}
			return tenant.Response{Status: 201, Body: map[string]any{"id": "x"}}, nil
		},
		read: func(kind.Read) any {
			if sending.Load() != 0 {
				t.Error("the collection is read while something is being created in it")
			}
			return []any{map[string]any{"name": "7", "client_id": "seven"}}
		},
	}
	now := func() time.Time { return time.Unix(1_000_000, clock.Load()) }
	s := newStore(t)
	j := begin(t, s, plan)
	out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j, Parallel: 8, Now: now})
	if !out.OK() {
		t.Fatal(out.Error())
	}
	if len(f.reads) != 2 {
		t.Errorf("the collection was read %d times", len(f.reads))
	}
	for id, st := range j.Log().Steps {
		if got := len(st.Intent.Twins); got != map[bool]int{true: 1}[id == "Client/7"] {
			t.Errorf("%s has %d twins", id, got)
		}
	}
}
