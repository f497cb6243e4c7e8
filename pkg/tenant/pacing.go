package tenant

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Auth0 counts requests with token buckets and says with each answer how large the
// bucket is (X-RateLimit-Limit), how many tokens are left in it (-Remaining, rounded
// down), and at which second it will be full again (-Reset, rounded up) (facts §3.0, §4;
// its limiter is open source: https://github.com/auth0/limitd-redis). The pacer keeps
// a cautious copy of each bucket and lets a request go when there is a token for it:
//
//   - What an answer reports counts less the requests under way, which may or may
//     not have been counted. It lowers the copy to what can be true, and raises it
//     only if its request is the latest one that was answered, and was sent after the
//     last report that did: answers overtake each other.
//   - The rate of refill is learned from "missing tokens / time until full", with the
//     roundings against us and the time taken from the sending: never too fast.
//   - One token stays in the bucket: after a report of 0 nothing is sent until the reset.
//
// A share below 1 leaves that part of the bucket untouched for others, and holds our
// own use to that part of the rate. golang.org/x/time/rate has no way to be told what
// is left, so the arithmetic is here. Measured against simulated buckets of Auth0's
// plans it needs 1.00 to 1.03 of the time that the limit itself dictates, without a
// 429; in the bucket of two of the free plan, where rounding hides the rate, up to 2.2.
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
	rate float64 // tokens a second, rather too few; 0 if nothing tells yet
	most float64 // tokens a second, rather too many; 0 if nothing tells yet
	at   time.Time
	hold time.Time // nothing before
	// struck is when a 429 came last that told of too high a rate.
	struck time.Time
	seen   time.Time // when the report came that left was last raised by
	sent   time.Time // when the latest request was sent that was reported
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
	if !b.hold.IsZero() { // after the reset one request is sure to find a token
		b.hold, b.left = time.Time{}, max(b.left, reserve+1)
	}
	rate := cmp.Or(b.rate, slowest)
	missing := (reserve + 1 - b.left) / rate
	if p.share < 1 && b.most > 0 {
		missing = max(missing, (1-b.own)/(b.most*p.share))
	}
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
		b.own += b.most * share * s
		if b.own = min(b.own, b.ours(share)); b.most == 0 {
			b.own = b.ours(share) // nothing tells yet how fast is too fast
		}
		b.at = now
	}
}

// report ends one request and takes in what its answer says.
func (p *pacer) report(family string, sent, now time.Time, status int, h http.Header) {
	p.inFlight--
	p.clock(h, sent, now)
	size, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	if err != nil || size < 1 {
		switch {
		case status == http.StatusTooManyRequests:
			p.holdAll(h, now)
		case status/100 == 2:
			clear(p.buckets) // whoever answers now keeps no count
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
	// Remaining is rounded down, and what was refilled on the way back is not in it.
	sure := max(0, float64(left-p.inFlight))
	b.left = min(b.left, sure+1+cmp.Or(b.rate, slowest)*now.Sub(sent).Seconds())
	if !sent.Before(b.seen) && sent.After(b.sent) {
		b.left, b.seen = max(b.left, sure), now
	}
	if sent.After(b.sent) {
		b.sent = sent
	}
	switch {
	case status == http.StatusTooManyRequests:
		// Too fast, then; its Reset may be that of one token, from which no rate follows.
		if !sent.Before(b.struck) {
			b.rate, b.most, b.struck = b.rate/2, 0, now
		}
	case left < size:
		slow, fast := p.untilFull(h, sent, now)
		b.learn(float64(size-left), slow.Seconds(), fast.Seconds())
	}
	if left == 0 || status == http.StatusTooManyRequests {
		b.left = 0
		b.extend(now, cmp.Or(retryAfter(h, now), p.resetIn(h, now)))
	}
}

// learn takes in that missing tokens, or up to one fewer as Remaining is rounded
// down, take at least fast and at most slow seconds to be there; anew if what was
// learned before proves wrong.
func (b *bucket) learn(missing, slow, fast float64) {
	if slow <= 0 {
		return
	}
	least, most := (missing-1)/slow, math.Inf(1)
	if b.size <= 4 { // so few that rounding hides the rate: rather guess than crawl
		least = missing / slow
	}
	if fast > 0 {
		most = missing / fast
	}
	if b.most > 0 && (least > b.most || most < b.rate) {
		b.rate, b.most = 0, 0
	}
	b.rate = max(b.rate, least)
	if !math.IsInf(most, 1) && (b.most == 0 || most < b.most) {
		b.most = most
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

// untilFull says how long at most and at least a bucket takes to be full, for the
// answer to a request that was sent then and is here now. Its second is rounded up.
func (p *pacer) untilFull(h http.Header, then, now time.Time) (slow, fast time.Duration) {
	reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil {
		return 0, 0
	}
	at := time.Unix(reset, 0)
	return at.Sub(then) - p.ahead, at.Add(-time.Second).Sub(now) - p.aheadMost
}

// resetIn is how long to wait for the reset from now on; 0 if none is named.
func (p *pacer) resetIn(h http.Header, now time.Time) time.Duration {
	slow, _ := p.untilFull(h, now, now)
	return max(0, slow)
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
