package executor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecplan/ecplan/pkg/journal"
	"github.com/ecplan/ecplan/pkg/kind"
	"github.com/ecplan/ecplan/pkg/manifest"
	"github.com/ecplan/ecplan/pkg/planner"
	"github.com/ecplan/ecplan/pkg/tenant"
)

// scripted is a tenant that answers by functions and notes what it was sent.
type scripted struct {
	send func(tenant.Request) (tenant.Response, error)
	read func(kind.Read) any

	mu    sync.Mutex
	sent  []tenant.Request
	reads []string
}

func (f *scripted) Send(_ context.Context, r tenant.Request) (tenant.Response, error) {
	f.mu.Lock()
	f.sent = append(f.sent, r)
	f.mu.Unlock()
	if f.send == nil {
		return tenant.Response{Status: 200, Body: map[string]any{}}, nil
	}
	return f.send(r)
}

func (f *scripted) Read(ctx context.Context, reads []kind.Read) (map[string]any, error) {
	out := map[string]any{}
	for _, r := range reads {
		f.mu.Lock()
		f.reads = append(f.reads, r.Key())
		f.mu.Unlock()
		out[r.Key()] = f.read(r)
	}
	return out, ctx.Err()
}

func newStore(t testing.TB) *journal.Dir {
	t.Helper()
	s, err := journal.OpenDir(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func begin(t testing.TB, s journal.Store, p planner.TenantPlan) *journal.Run {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	r, err := journal.Begin(s, journal.Header{Tenant: "t", Domain: "d", Steps: len(p.Steps)}, b, time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// post is a step that creates an object.
func post(address string, body any, needs ...string) kind.Step {
	return kind.Step{
		ID: address, Address: address, Action: kind.Create, Needs: needs,
		Request: kind.Request{Method: "POST", Path: []any{"things"}, Body: body}, Outputs: []string{"id"},
	}
}

func statuses(o Outcome) map[string]Status {
	out := map[string]Status{}
	for _, s := range o.Steps {
		out[s.ID] = s.Status
	}
	return out
}

func noSleep(context.Context, time.Duration) error { return nil }

func TestReferencesAreFilledFromEarlierAnswers(t *testing.T) {
	plan := planner.TenantPlan{Steps: []kind.Step{
		post("A/a", map[string]any{"name": "a"}),
		{
			ID: "A/a#part", Address: "A/a", Part: "part", Action: kind.Update, Needs: []string{"A/a"},
			Request: kind.Request{
				Method: "PATCH", Path: []any{"things", manifest.Ref("A/a", "id"), "part"},
				Body: map[string]any{"url": manifest.Join("x:", manifest.Ref("A/a", "id"))},
			},
		},
	}}
	f := &scripted{send: func(tenant.Request) (tenant.Response, error) {
		return tenant.Response{Status: 201, Body: map[string]any{"id": "7", "client_secret": "never kept"}}, nil
	}}
	s := newStore(t)
	j := begin(t, s, plan)
	out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j})
	if err := out.Error(); err != nil || !out.OK() {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := f.sent[1]; !reflect.DeepEqual(got.Path, []string{"things", "7", "part"}) || !reflect.DeepEqual(got.Body, map[string]any{"url": "x:7"}) {
		t.Errorf("sent %+v", got)
	}
	l, err := journal.Read(s, j.Name())
	if err != nil || l.Outcome() != journal.OutcomeDone {
		t.Fatalf("%+v, %v", l, err)
	}
	if d := l.Steps["A/a"].Done; d.ObjectID != "7" || !reflect.DeepEqual(d.Outputs, map[string]any{"id": "7"}) {
		t.Errorf("done %+v", d)
	}
	data, err := s.Journal(j.Name())
	if err != nil || strings.Contains(string(data), "never kept") {
		t.Errorf("the journal holds what the plan did not say to keep (%v)", err)
	}
}

func TestAnOpenReferenceIsNeverSent(t *testing.T) {
	plan := planner.TenantPlan{Steps: []kind.Step{post("A/a", map[string]any{"of": manifest.Ref("B/b", "id")})}}
	f := &scripted{}
	out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: begin(t, newStore(t), plan)})
	if len(f.sent) != 0 || out.Failed != 1 || out.Changed() || !strings.Contains(out.Error().Error(), "B/b") {
		t.Errorf("sent %v, %+v", f.sent, out)
	}
}

func TestSecretsGoIntoTheRequestAndNowhereElse(t *testing.T) {
	const canary = "canary-5f1c"
	step := post("Action/a", map[string]any{"secrets": []any{map[string]any{"name": "S", "value": manifest.SecretRef("secrets.S")}}})
	step.After, step.Sets = map[string]any{"secrets": map[string]any{"S": manifest.SecretRef("secrets.S")}}, []string{"secrets.S"}
	plan := planner.TenantPlan{Steps: []kind.Step{step, post("B/b", nil, "Action/a")}}
	f := &scripted{send: func(r tenant.Request) (tenant.Response, error) {
		if r.Body == nil {
			return tenant.Response{}, fmt.Errorf("the tenant repeats %s", canary)
		}
		return tenant.Response{Status: 201, Body: map[string]any{"id": "1", "secrets": []any{map[string]any{"name": "S", "updated_at": "then"}}}}, nil
	}}
	s := newStore(t)
	j := begin(t, s, plan)
	out := Apply(context.Background(), Options{
		Plan: plan, Tenant: f, Journal: j, Fingerprint: func(v string) string { return fmt.Sprint("len ", len(v)) },
		Secrets: map[string]map[string]string{"Action/a": {"secrets.S": canary}, "B/b": {"x": canary}},
	})
	if !strings.Contains(fmt.Sprint(f.sent[0].Body), canary) || !slices.Contains(f.sent[0].Secrets, canary) {
		t.Errorf("the request lacks the value: %+v", f.sent[0])
	}
	if out.Unknown != 1 {
		t.Errorf("%+v", out)
	}
	l, err := journal.Read(s, j.Name())
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Steps["Action/a"].Done.Secrets["secrets.S"]; got != (journal.Trace{Fingerprint: "len 11", UpdatedAt: "then"}) {
		t.Errorf("trace %+v", got)
	}
	for _, file := range []func(string) ([]byte, error){s.Journal, s.Plan} {
		if b, err := file(j.Name()); err != nil || strings.Contains(string(b), canary) {
			t.Errorf("a file of the run holds the secret (%v)", err)
		}
	}
}

func TestAfterAFailureNothingStartsAndWhatIsInFlightFinishes(t *testing.T) {
	plan := planner.TenantPlan{Steps: []kind.Step{post("A/slow", "slow"), post("B/bad", "bad"), post("C/next", "next", "A/slow"), post("D/idle", "idle")}}
	failed := make(chan struct{})
	f := &scripted{send: func(r tenant.Request) (tenant.Response, error) {
		if r.Body == "bad" {
			return tenant.Response{}, &tenant.Error{Op: "POST things", Status: 400, Code: "invalid_body", Message: "no"}
		}
		<-failed
		return tenant.Response{Status: 201, Body: map[string]any{"id": "1"}}, nil
	}}
	s := newStore(t)
	j := begin(t, s, plan)
	out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j, Parallel: 2, Progress: func(e Event) {
		if e.State == string(Failed) {
			close(failed)
		}
	}})
	want := map[string]Status{"A/slow": Done, "B/bad": Failed, "C/next": NotStarted, "D/idle": NotStarted}
	if got := statuses(out); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	var e *tenant.Error
	if !errors.As(out.Error(), &e) || e.Status != 400 {
		t.Errorf("%v", out.Error())
	}
	l, err := journal.Read(s, j.Name())
	if err != nil || l.Outcome() != journal.OutcomeFailed || l.Steps["B/bad"].Failed.Status != 400 || l.Steps["A/slow"].Done == nil {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestStopFinishesWhatIsInFlight(t *testing.T) {
	plan := planner.TenantPlan{Steps: []kind.Step{post("A/a", nil), post("B/b", nil, "A/a")}}
	ctx, stop := context.WithCancel(context.Background())
	f := &scripted{send: func(tenant.Request) (tenant.Response, error) {
		stop()
		return tenant.Response{Status: 201, Body: map[string]any{"id": "1"}}, nil
	}}
	out := Apply(ctx, Options{Plan: plan, Tenant: f, Journal: begin(t, newStore(t), plan)})
	if out.Done != 1 || out.NotStarted != 1 || !out.Stopped || out.Error() == nil {
		t.Errorf("%+v", out)
	}
}

func TestGuardStopsAWriteThatWouldLoseWhatSomebodyDid(t *testing.T) {
	step := post("A/a", nil)
	step.Guard = &kind.Guard{What: "the order", Read: kind.Read{Path: "list", List: "[]"}, Pick: "action.id", Want: []any{"1", "2"}}
	plan := planner.TenantPlan{Steps: []kind.Step{step}}
	item := func(id string) any { return map[string]any{"action": map[string]any{"id": id}} }
	for _, c := range []struct {
		have []any
		sent int
	}{{[]any{item("1"), item("2")}, 1}, {[]any{item("2"), item("1")}, 0}, {[]any{item("1")}, 0}, {nil, 0}} {
		f := &scripted{read: func(kind.Read) any { return c.have }}
		out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: begin(t, newStore(t), plan)})
		var changed *ChangedError
		if len(f.sent) != c.sent || (c.sent == 0) != errors.As(out.Error(), &changed) || out.Changed() != (c.sent == 1) {
			t.Errorf("%v: sent %d, %v", c.have, len(f.sent), out.Error())
		}
	}
}

func TestTwinsAreOnRecordBeforeTheRequest(t *testing.T) {
	step := post("Client/c", nil)
	step.Twins = &kind.Twins{Read: kind.Read{Path: "clients", List: "clients"}, Where: map[string]any{"name": "N"}, Pick: "client_id"}
	plan := planner.TenantPlan{Steps: []kind.Step{step}}
	s := newStore(t)
	j := begin(t, s, plan)
	f := &scripted{
		read: func(kind.Read) any {
			return []any{map[string]any{"name": "N", "client_id": "1"}, map[string]any{"name": "M", "client_id": "2"}}
		},
		send: func(tenant.Request) (tenant.Response, error) {
			l, err := journal.Read(s, j.Name())
			if err != nil || !reflect.DeepEqual(l.Steps["Client/c"].Intent.Twins, []string{"1"}) {
				t.Errorf("when the request is sent the journal says %+v, %v", l.Steps["Client/c"], err)
			}
			return tenant.Response{}, nil
		},
	}
	if out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j}); !out.OK() {
		t.Error(out.Error())
	}
}

// full is a store whose journals take only so many records.
type full struct {
	journal.Store
	left *int
}

func (f full) Create(run string, plan []byte) (journal.Appender, error) {
	a, err := f.Store.Create(run, plan)
	return fullAppender{a, f.left}, err
}

type fullAppender struct {
	journal.Appender
	left *int
}

func (f fullAppender) Append(b []byte) error {
	if *f.left--; *f.left < 0 {
		return errors.New("no space left on device")
	}
	return f.Appender.Append(b)
}

func TestFullDisk(t *testing.T) {
	plan := planner.TenantPlan{Steps: []kind.Step{post("A/a", nil), post("B/b", nil, "A/a")}}
	for records, want := range map[int]struct {
		sent    int
		first   Status
		changed bool
	}{
		1: {0, NotStarted, false}, // the intent does not fit: nothing is sent
		2: {1, Unknown, true},     // the outcome does not fit
		3: {1, Done, true},
	} {
		f := &scripted{}
		s := newStore(t)
		j := begin(t, full{s, &records}, plan)
		out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j})
		if len(f.sent) != want.sent || out.Steps[0].Status != want.first || out.Steps[1].Status != NotStarted || out.Changed() != want.changed {
			t.Errorf("%+v: sent %d, %+v", want, len(f.sent), out.Steps)
		}
		if out.Err == nil || !strings.Contains(out.Error().Error(), "no space left") {
			t.Errorf("%v", out.Error())
		}
		if l, err := journal.Read(s, j.Name()); err != nil || !l.Interrupted() {
			t.Errorf("the journal must be whole, and that of an interrupted run: %+v, %v", l, err)
		}
	}
}

// TestAnyPlan runs random plans against random failures: steps run after what they
// need, each at most once; nothing starts after a failure was seen; and the journal
// says of each step what the tenant knows of it.
func TestAnyPlan(t *testing.T) {
	s := newStore(t)
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(rt, "steps")
		var plan planner.TenantPlan
		fate := map[string]string{}
		for i := range n {
			id := fmt.Sprintf("K/%d", i)
			var needs []string
			for k := range i {
				if rapid.IntRange(0, 3).Draw(rt, "need") == 0 {
					needs = append(needs, fmt.Sprintf("K/%d", k))
				}
			}
			plan.Steps = append(plan.Steps, post(id, map[string]any{"step": id}, needs...))
			fate[id] = rapid.SampledFrom([]string{"done", "done", "done", "done", "done", "done", "refused", "dropped"}).Draw(rt, id)
		}
		plan.Steps = rapid.Permutation(plan.Steps).Draw(rt, "order")
		var mu sync.Mutex
		sent, done := map[string]int{}, map[string]bool{}
		needs := map[string][]string{}
		for _, st := range plan.Steps {
			needs[st.ID] = st.Needs
		}
		f := &scripted{send: func(r tenant.Request) (tenant.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			id := r.Body.(map[string]any)["step"].(string)
			sent[id]++
			for _, need := range needs[id] {
				if !done[need] {
					rt.Errorf("%s was sent before %s was done", id, need)
				}
			}
			switch fate[id] {
			case "refused":
				return tenant.Response{}, &tenant.Error{Status: 409}
			case "dropped":
				return tenant.Response{}, &tenant.Error{Unknown: true}
			}
			done[id] = true
			return tenant.Response{Body: map[string]any{"id": id}}, nil
		}}
		j := begin(t, s, plan)
		out := Apply(context.Background(), Options{Plan: plan, Tenant: f, Journal: j, Parallel: rapid.IntRange(1, 5).Draw(rt, "parallel")})
		l, err := journal.Read(s, j.Name())
		if err != nil {
			rt.Fatal(err)
		}
		failed := 0
		for _, res := range out.Steps {
			st := l.Steps[res.ID]
			if sent[res.ID] > 1 || (sent[res.ID] == 1) != (st != nil) {
				rt.Errorf("%s: sent %d times, journal %+v", res.ID, sent[res.ID], st)
			}
			want := NotStarted
			if sent[res.ID] == 1 {
				want = map[string]Status{"done": Done, "refused": Failed, "dropped": Unknown}[fate[res.ID]]
			}
			if res.Status != want || st.Unsettled() != (want == Unknown) {
				rt.Errorf("%s is %s, want %s (%+v)", res.ID, res.Status, want, st)
			}
			if want == Failed || want == Unknown {
				failed++
			}
		}
		if (failed == 0) != out.OK() || failed == 0 && len(sent) != n {
			rt.Errorf("%d failed, %d of %d sent, %+v", failed, len(sent), n, out)
		}
		_ = os.RemoveAll(filepath.Join(s.Where(), "runs"))
	})
}
