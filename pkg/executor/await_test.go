package executor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

func TestHardStopEndsAWait(t *testing.T) {
	step := post("A/a", nil)
	step.Await = &kind.Await{What: "it to be built", Path: []any{"things", manifest.Ref("A/a", "id")}, Done: map[string]any{"status": "built"}}
	plan := planner.TenantPlan{Steps: []kind.Step{step}}
	hard, stop := context.WithCancel(context.Background())
	f := &scripted{
		send: func(tenant.Request) (tenant.Response, error) {
			return tenant.Response{Body: map[string]any{"id": "1"}}, nil
		},
		read: func(kind.Read) any { stop(); return map[string]any{"status": "building"} },
	}
	s := newStore(t)
	j := begin(t, s, plan)
	out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j, Hard: hard, Poll: Poll{First: 1}})
	if out.Failed != 1 || !out.Changed() || !errors.Is(out.Error(), context.Canceled) {
		t.Fatalf("%+v", out)
	}
	// Taken up again, the request is not sent again; only the wait goes on.
	_ = j.Close()
	j, err := journal.Reopen(s, j.Name(), journal.Who{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f.read = func(kind.Read) any { return map[string]any{"status": "built"} }
	out = Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j, Sleep: noSleep})
	if !out.OK() || len(f.sent) != 1 {
		t.Errorf("%+v, sent %d", out, len(f.sent))
	}
}

func TestAwait(t *testing.T) {
	for name, c := range map[string]struct {
		answers []map[string]any // one a poll; the last one goes on
		want    string           // "" done, else part of the error
		polls   int
	}{
		"at once":  {answers: []map[string]any{{"status": "built", "v": map[string]any{"deployed": true}}}, polls: 1},
		"third":    {answers: []map[string]any{{"status": "building"}, {"status": "built"}, {"status": "built", "v": map[string]any{"deployed": true}}}, polls: 3},
		"fails":    {answers: []map[string]any{{"status": "building"}, {"status": "failed", "errors": []any{map[string]any{"msg": "no such package"}}}}, want: "no such package", polls: 2},
		"for ever": {answers: []map[string]any{{"status": "building"}}, want: "not so after 1m", polls: 6},
		"gone":     {answers: []map[string]any{nil}, want: "no longer there", polls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			step := post("A/a", nil)
			step.Await = &kind.Await{
				What: "it to be built", Path: []any{"things", manifest.Ref("A/a", "id")},
				Done: map[string]any{"status": "built", "v.deployed": true}, Fail: map[string]any{"status": "failed"},
			}
			plan := planner.TenantPlan{Steps: []kind.Step{step, post("B/b", nil, "A/a")}}
			now := time.Unix(0, 0)
			polls := 0
			f := &scripted{
				send: func(tenant.Request) (tenant.Response, error) {
					return tenant.Response{Body: map[string]any{"id": "a/1"}}, nil
				},
				read: func(r kind.Read) any {
					if r.Path != "things/a%2F1" {
						t.Errorf("polled %s", r.Path)
					}
					a := c.answers[min(polls, len(c.answers)-1)]
					polls++
					if a == nil {
						return nil
					}
					return a
				},
			}
			out := Apply(context.Background(), Options{
				Plan: plan, Tenant: f, Journal: begin(t, newStore(t), plan), Parallel: 1,
				Poll: Poll{First: 10 * time.Second, Max: 10 * time.Second, Limit: time.Minute},
				Now:  func() time.Time { return now }, Sleep: func(_ context.Context, d time.Duration) error { now = now.Add(d); return nil },
			})
			if err := out.Error(); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
			if polls != c.polls {
				t.Errorf("%d polls", polls)
			}
			if !out.Changed() {
				t.Error("the request was done, whatever became of the wait")
			}
		})
	}
}
