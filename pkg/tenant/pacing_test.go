package tenant

import (
	"container/heap"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is a tenant with a token bucket, and a pacer with some workers before it,
// in a time of their own. The server's clock is skewed, its headers are as facts
// §3.0 and §4 have them: Reset is the second, rounded up, at which the bucket is full.
type world struct {
	size, rate   float64
	there, back  time.Duration   // a request's way at least
	jitter       []time.Duration // what each way takes longer, in turn
	skew         time.Duration
	workers      int
	share        float64
	others       float64 // requests a second of others
	silent, date bool    // no headers; a Date header
	oneToken     bool    // the Reset of a 429 is that of the next token

	p          *pacer
	left       float64
	leftAt     time.Time
	sent, done int
	turns      int
	refused    []time.Duration // when
	others429  int
	spent      time.Duration
}

// event is something that happens at a time.
type event struct {
	at time.Time
	do func(now time.Time)
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// take lets the server count one request.
func (w *world) take(now time.Time) (ok bool, h http.Header) {
	w.left = math.Min(w.size, w.left+w.rate*now.Sub(w.leftAt).Seconds())
	w.leftAt = now
	if ok = w.left >= 1; ok {
		w.left--
	}
	h = http.Header{}
	server := now.Add(w.skew)
	if w.date {
		h.Set("Date", server.UTC().Format(http.TimeFormat))
	}
	if !w.silent {
		missing := w.size - w.left
		if !ok && w.oneToken {
			missing = 1 - w.left
		}
		full := server.Add(time.Duration(missing / w.rate * float64(time.Second)))
		h.Set("X-RateLimit-Limit", strconv.Itoa(int(w.size)))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(int(w.left)))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(int64(math.Ceil(float64(full.UnixNano())/1e9)), 10))
	}
	return ok, h
}

func (w *world) longer() time.Duration {
	if len(w.jitter) == 0 {
		return 0
	}
	w.turns++
	return w.jitter[w.turns%len(w.jitter)]
}

// run sends n requests with all workers and returns how long it took.
func (w *world) run(n int) time.Duration {
	start := time.Unix(1_800_000_000, 123_456_789)
	w.p, w.left, w.leftAt = newPacer(w.share), w.size, start
	var q events
	idle, end := w.workers, start
	wake := 0 // the number of the one alarm that counts
	var begin func(now time.Time)
	begin = func(now time.Time) {
		wake++
		for idle > 0 && w.sent < n {
			d := w.p.delay("read clients", now)
			if d > 0 {
				mine := wake
				heap.Push(&q, event{now.Add(d), func(now time.Time) {
					if mine == wake {
						begin(now)
					}
				}})
				return
			}
			w.p.take("read clients", now)
			w.sent++
			idle--
			sent := now
			heap.Push(&q, event{now.Add(w.there + w.longer()), func(now time.Time) {
				ok, h := w.take(now)
				status := http.StatusOK
				if !ok {
					status = http.StatusTooManyRequests
					w.refused = append(w.refused, now.Sub(start))
				}
				heap.Push(&q, event{now.Add(w.back + w.longer()), func(now time.Time) {
					w.p.report("read clients", sent, now, status, h)
					idle++
					if ok {
						w.done++
						end = now
					} else {
						w.sent-- // once more
					}
					begin(now)
				}})
			}})
		}
	}
	if w.others > 0 {
		var other func(now time.Time)
		other = func(now time.Time) {
			if ok, _ := w.take(now); !ok {
				w.others429++
			}
			if w.done < n {
				heap.Push(&q, event{now.Add(time.Duration(float64(time.Second) / w.others)), other})
			}
		}
		heap.Push(&q, event{start, other})
	}
	heap.Push(&q, event{start, begin})
	for steps := 0; q.Len() > 0 && w.done < n; steps++ {
		if steps > 100*n+100_000 {
			break // no progress; the caller sees it by done
		}
		e := heap.Pop(&q).(event)
		e.do(e.at)
	}
	w.spent = end.Sub(start)
	return w.spent
}

// ideal is the time that the limit itself dictates for n requests.
func (w *world) ideal(n int) time.Duration {
	return time.Duration(math.Max(0, (float64(n)-w.size)/w.rate)*float64(time.Second)) + w.there + w.back
}

// Auth0's plans (facts §4), whatever the way and the clocks: no 429 after the first
// second, and hardly longer than the limit dictates.
func TestPacingOfPlans(t *testing.T) {
	for _, plan := range []struct {
		name       string
		size, rate float64
		most       float64 // of the ideal time
	}{
		// In a bucket of two, rounding to seconds hides the rate.
		{"free", 2, 2, 2.3},
		{"enterprise non-production", 10, 2, 1.15},
		{"enterprise", 50, 16, 1.15},
		{"private cloud 20", 20, 20, 1.15},
		{"private cloud 1x", 50, 50, 1.15},
		{"essentials, writes of organizations", 5, 25.0 / 60, 1.15},
	} {
		for _, latency := range []time.Duration{5 * time.Millisecond, 50 * time.Millisecond, 330 * time.Millisecond} {
			for _, skew := range []time.Duration{0, -17 * time.Second, 4700 * time.Millisecond} {
				t.Run(fmt.Sprintf("%s, latency %v, skew %v", plan.name, latency, skew), func(t *testing.T) {
					w := world{size: plan.size, rate: plan.rate, there: latency / 2, back: latency / 2, skew: skew, workers: 8, share: 1, date: true}
					n := 20 * int(plan.size)
					w.run(n)
					if w.done != n {
						t.Fatalf("%d of %d requests were done", w.done, n)
					}
					for _, at := range w.refused {
						if at > time.Second {
							t.Errorf("a 429 after %v", at)
						}
					}
					// more than 8 workers can do no limit asks for
					ideal := max(w.ideal(n), time.Duration(n/w.workers)*latency)
					ratio := w.spent.Seconds() / ideal.Seconds()
					t.Logf("%v, ideal %v, ratio %.3f, %d refused", w.spent.Round(time.Millisecond), ideal.Round(time.Millisecond), ratio, len(w.refused))
					if ratio > plan.most {
						t.Errorf("took %v, %.2f of the %v that the limit dictates", w.spent, ratio, ideal)
					}
				})
			}
		}
	}
}

// Whatever the bucket, the way, the clocks and the number of workers: while nobody
// else asks, nothing is refused but at the beginning, and the limit is used. Where
// answers overtake each other in just the wrong rhythm, the last token is taken and
// the reset waited for, which may double the time.
func TestPacing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t)
		n := 5*int(w.size) + w.workers
		w.run(n)
		if w.done != n {
			t.Fatalf("%d of %d requests were done", w.done, n)
		}
		for _, at := range w.refused {
			if at > w.there+time.Second {
				t.Errorf("a 429 after %v", at)
			}
		}
		way := w.there + w.back + 2*slices.Max(w.jitter)
		ideal := max(w.ideal(n), time.Duration(n/w.workers)*way)
		if ratio := w.spent.Seconds() / ideal.Seconds(); ratio > 2 {
			t.Errorf("took %v, %.2f of the %v that the limit dictates", w.spent, ratio, ideal)
		}
	})
}

func draw(t *rapid.T) *world {
	ms := func(most int, label string) time.Duration {
		return time.Duration(rapid.IntRange(1, most).Draw(t, label)) * time.Millisecond
	}
	w := &world{
		size:  float64(rapid.IntRange(10, 100).Draw(t, "size")),
		there: 10*time.Millisecond + ms(300, "there"), back: 10*time.Millisecond + ms(300, "back"),
		workers: rapid.IntRange(1, 9).Draw(t, "workers"), share: 1,
		date: rapid.Bool().Draw(t, "date"), oneToken: rapid.Bool().Draw(t, "one token"),
	}
	w.rate = w.size / rapid.Float64Range(2, 10).Draw(t, "seconds until full")
	w.jitter = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration { return min(ms(100, "longer"), w.there) }), 1, 20).Draw(t, "jitter")
	if w.date {
		w.skew = time.Duration(rapid.Int64Range(-1e11, 1e11).Draw(t, "skew"))
	}
	return w
}

// With a share, others that use the rest are never refused, and our own rate is
// that share of it, within what the rounding of the headers hides.
func TestPacingShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t)
		w.share = rapid.Float64Range(0.2, 0.8).Draw(t, "share")
		w.others = 0.95 * (1 - w.share) * w.rate
		n := 5*int(w.size) + w.workers
		w.run(n)
		if w.done != n {
			t.Fatalf("%d of %d requests were done", w.done, n)
		}
		if w.others429 > 0 {
			t.Errorf("others were refused %d times", w.others429)
		}
	})
}

// Others that use most of the limit slow us down, but never stop us.
func TestPacingAgainstOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := draw(t)
		w.others = rapid.Float64Range(0.1, 0.9).Draw(t, "others") * w.rate
		n := int(w.size) + w.workers
		w.run(n)
		if w.done != n {
			t.Fatalf("%d of %d requests were done, %d refused", w.done, n, len(w.refused))
		}
	})
}

// Endpoints with buckets of their own don't slow down the others, and are not
// sent into by them.
func TestPacingFamilies(t *testing.T) {
	p := newPacer(1)
	now := time.Unix(1_800_000_000, 0)
	report := func(family string, size, left int) {
		p.take(family, now)
		h := http.Header{}
		h.Set("X-RateLimit-Limit", strconv.Itoa(size))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(now.Add(5*time.Second).Unix(), 10))
		p.report(family, now, now, 200, h)
	}
	report("read clients", 50, 40)
	report("read organizations", 10, 0)
	for family, waits := range map[string]bool{"read clients": false, "read organizations": true, "write roles": false} {
		if d := p.delay(family, now); (d > 0) != waits {
			t.Errorf("%s waits %v", family, d)
		}
	}
	if d := p.delay("read organizations", now); d != 5*time.Second {
		t.Errorf("nothing is left: it waits %v, want until the reset in 5s", d)
	}
}

func TestPacingWithoutHeaders(t *testing.T) {
	w := world{silent: true, size: 1e6, rate: 1e6, there: time.Millisecond, back: time.Millisecond, workers: 4, share: 1}
	if w.run(100); w.done != 100 || w.spent != 50*time.Millisecond {
		t.Errorf("%d done in %v: nothing tells of a limit, so none is kept", w.done, w.spent)
	}
}

// A tenant that stops telling of limits is not held to the last one that it told.
func TestPacingForgets(t *testing.T) {
	p := newPacer(1)
	now := time.Unix(1_800_000_000, 0)
	p.take("read roles", now)
	p.report("read roles", now, now, 429, http.Header{"X-Ratelimit-Limit": {"2"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"1800000001"}})
	if d := p.delay("read roles", now); d != time.Second {
		t.Errorf("it waits %v, want 1s", d)
	}
	now = now.Add(time.Minute)
	p.take("read roles", now)
	p.report("read roles", now, now, 200, http.Header{})
	if d := p.delay("read roles", now); d != 0 {
		t.Errorf("it waits %v", d)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "x": 0, "999999999": 24 * time.Hour,
		"Sun, 01 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}

func TestFamilyOf(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"GET", "https://x/api/v2/clients"}:                                 "read clients",
		{"GET", "https://x/api/v2/clients/abc"}:                             "read clients",
		{"POST", "https://x/api/v2/clients/abc/credentials"}:                "write clients/credentials",
		{"PATCH", "https://x/api/v2/resource-servers/https:%2F%2Fa%2Fb%2F"}: "write resource-servers",
	} {
		if got := familyOf(in[0], in[1]); got != want {
			t.Errorf("%v: %q, want %q", in, got, want)
		}
	}
}
