package tenant

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Auth0 counts requests with token buckets and says with each answer how large the
// bucket is (X-RateLimit-Limit), what is left in it (-Remaining), and at which second
// it will be full again (-Reset) (facts §3.0, §4; Auth0's limiter is open source:
// https://github.com/auth0/limitd-redis). The pacer keeps a cautious copy of each
// bucket and lets a request go when there is surely a token for it:
//
//   - What an answer reports counts less the requests under way, which may or may
//     not have been counted; and it may raise the copy only if its request was sent
//     after the last report that did, for answers overtake each other.
//   - The rate of refill is learned from "missing tokens / time until full", where the
//     second is rounded up and taken from the sending, so that it is never too fast.
//   - One token stays in the bucket: reaching 0 means to wait until the reset.
//
// A share below 1 leaves that part of the bucket untouched for others, and holds our
// own use to that part of the rate. golang.org/x/time/rate has no way to be told
// what is left, so the arithmetic is here.
//
// Some endpoints have buckets of their own. Which one an answer reports is told by
// its size; requests of a family are held to the bucket that its last answer named.
type pacer struct {
	share float64

	mu       sync.Mutex
	buckets  map[int]*bucket // by size
	families map[string]int  // the size that a family's last answer named
	inFlight int
	// ahead is how far the tenant's clock is at least ahead of ours; the Date
	// headers narrow it down from both sides.
	ahead, aheadMost time.Duration
	dated            bool
	changed          chan struct{} // closed when an answer came
}

// bucket is the copy of one of the tenant's buckets. Its amounts are those at `at`.
type bucket struct {
	size float64
	left float64 // surely there
	own  float64 // what our share allows
	rate float64 // tokens a second, rather too few
	at   time.Time
	hold time.Time // nothing before
	seen time.Time // when the report came that left was last raised by
}

const (
	// slowest is the rate while nothing tells of one, in tokens a second: the
	// slowest bucket that Auth0 documents has 25 a minute (facts §4).
	slowest = 25.0 / 60
	// longestHold bounds what a reset far away can stop; a 429 then says more.
	longestHold = time.Minute
)

func newPacer(share float64) *pacer {
	return &pacer{share: share, buckets: map[int]*bucket{}, families: map[string]int{}, changed: make(chan struct{})}
}

// enter waits until a request of the family may be sent, and counts it as under
// way. told is called once if there is a wait, with its likely length.
func (p *pacer) enter(ctx context.Context, family string, told func(time.Duration)) error {
	for {
		p.mu.Lock()
		d := p.delay(family, time.Now())
		if d <= 0 {
			p.take(family, time.Now())
			p.mu.Unlock()
			return ctx.Err()
		}
		changed := p.changed
		p.mu.Unlock()
		if told != nil {
			told(d)
			told = nil
		}
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// leave takes in what the answer to a request says that was sent at sent.
func (p *pacer) leave(family string, sent, now time.Time, status int, h http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report(family, sent, now, status, h)
	close(p.changed)
	p.changed = make(chan struct{})
}

// bucketOf returns the bucket that the family is held to: its own, else the
// largest known, else nil.
func (p *pacer) bucketOf(family string) *bucket {
	if b, ok := p.buckets[p.families[family]]; ok {
		return b
	}
	var largest *bucket
	for _, b := range p.buckets {
		if largest == nil || b.size > largest.size {
			largest = b
		}
	}
	return largest
}

// delay is how long a request of the family must wait from now on; 0 means it may go.
func (p *pacer) delay(family string, now time.Time) time.Duration {
	b := p.bucketOf(family)
	if b == nil {
		return 0
	}
	if now.Before(b.hold) {
		return b.hold.Sub(now)
	}
	b.refill(now, p.share)
	reserve := min(max(1, (1-p.share)*b.size), b.size-1)
	rate := cmp.Or(b.rate, slowest)
	missing := max((reserve+1-b.left)/rate, (min(1, b.ours(p.share))-b.own)/(rate*p.share))
	if missing <= 0 {
		return 0
	}
	return max(time.Duration(missing*float64(time.Second)), time.Millisecond)
}

// take counts one request of the family as sent.
func (p *pacer) take(family string, now time.Time) {
	p.inFlight++
	if b := p.bucketOf(family); b != nil {
		b.refill(now, p.share)
		b.left--
		b.own--
	}
}

// ours is how many of the tokens our share allows at once.
func (b *bucket) ours(share float64) float64 { return max(1, share*b.size) }

func (b *bucket) refill(now time.Time, share float64) {
	if s := now.Sub(b.at).Seconds(); s > 0 {
		rate := cmp.Or(b.rate, slowest)
		b.left = min(b.size, b.left+rate*s)
		b.own = min(b.ours(share), b.own+rate*share*s)
		b.at = now
	}
}

// report ends one request and takes in what its answer says.
func (p *pacer) report(family string, sent, now time.Time, status int, h http.Header) {
	p.inFlight--
	p.clock(h, sent, now)
	size, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	if err != nil || size < 1 {
		if status == http.StatusTooManyRequests {
			p.holdAll(h, now)
		}
		return
	}
	left, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if err != nil {
		return
	}
	left = min(max(left, 0), size)
	b := p.buckets[size]
	if b == nil {
		// What else is under way took its tokens already, or will.
		b = &bucket{size: float64(size), at: now}
		b.own = b.ours(p.share) - float64(1+p.inFlight)
		p.buckets[size] = b
	}
	p.families[family] = size
	b.refill(now, p.share)
	sure := max(0, float64(left-p.inFlight))
	if !sent.Before(b.seen) {
		b.left, b.seen = sure, now
	} else {
		b.left = min(b.left, sure)
	}
	full := p.untilFull(h, sent)
	if rate := float64(size-left) / full.Seconds(); full > 0 && left < size {
		if status == http.StatusTooManyRequests {
			b.rate = rate // what was learned before was too fast
		} else {
			b.rate = max(b.rate, rate)
		}
	}
	if left == 0 || status == http.StatusTooManyRequests {
		b.left = 0
		b.extend(now, cmp.Or(retryAfter(h, now), p.resetIn(h, now)))
	}
}

// holdAll stops everything after a 429 that names no bucket.
func (p *pacer) holdAll(h http.Header, now time.Time) {
	for _, b := range p.buckets {
		b.extend(now, cmp.Or(retryAfter(h, now), p.resetIn(h, now)))
	}
}

func (b *bucket) extend(now time.Time, d time.Duration) {
	if until := now.Add(min(d, longestHold)); until.After(b.hold) {
		b.hold = until
	}
}

// clock narrows down how far the tenant's clock is ahead: at some moment between
// sent and now it showed the Date header's second, or a fraction more.
func (p *pacer) clock(h http.Header, sent, now time.Time) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	least, most := date.Sub(now), date.Add(time.Second).Sub(sent)
	if p.dated {
		least, most = max(least, p.ahead), min(most, p.aheadMost)
	}
	if least > most { // one of the clocks was set
		least, most = date.Sub(now), date.Add(time.Second).Sub(sent)
	}
	p.ahead, p.aheadMost, p.dated = least, most, true
}

// untilFull is the longest that the bucket can take from then on to be full.
func (p *pacer) untilFull(h http.Header, then time.Time) time.Duration {
	reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	return time.Unix(reset, 0).Sub(then) - p.ahead
}

// resetIn is how long to wait for the reset from now on; 0 if none is named.
func (p *pacer) resetIn(h http.Header, now time.Time) time.Duration {
	return max(0, p.untilFull(h, now))
}

// untilReset is resetIn for those who don't hold the lock.
func (p *pacer) untilReset(h http.Header, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resetIn(h, now)
}

// retryAfter reads Retry-After, seconds or a date (RFC 9110 §10.2.3); 0 if there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s > 0 {
		return time.Duration(min(s, 86400)) * time.Second
	}
	if date, err := http.ParseTime(v); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
