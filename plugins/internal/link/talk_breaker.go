package link

import "time"

const (
	// breakerPause is how long an open breaker waits before it lets a request try.
	breakerPause = time.Second
	// starvation is how long a plugin that owes all its responses may say nothing before it counts as stuck: no request can find
	// out any more whether it answers again.
	starvation = 15 * time.Second
)

// BreakerState is whether a talk plugin is asked at all.
type BreakerState uint8

// The states.
const (
	BreakerClosed   BreakerState = iota // it is
	BreakerOpen                         // it is not: it has stopped to answer
	BreakerHalfOpen                     // one request finds out
)

// String returns the name as it appears in metrics.
func (s BreakerState) String() string {
	return [...]string{"closed", "open", "half_open", "unknown"}[min(s, BreakerHalfOpen+1)]
}

// breaker spares peers the wait for a plugin that has stopped to answer. It opens when all credits are in use and nothing
// was heard for a while, and closes when a request sent to try is answered in time.
type breaker struct {
	state  BreakerState
	last   time.Duration // when the plugin was last heard, or began to owe responses
	opened time.Duration
	probe  uint64 // id of the request that tries
}

// admits reports whether a request may go to the plugin; credit tells whether there is one for it.
func (b *breaker) admits(now time.Duration, credit bool) bool {
	switch b.state {
	case BreakerClosed:
		return true
	case BreakerOpen:
		return credit && now-b.opened >= breakerPause
	}
	return false
}

// sent notes a request on its way; open is how many are, with it.
func (b *breaker) sent(now time.Duration, id uint64, open int) {
	if open == 1 {
		b.last = now
	}
	if b.state == BreakerOpen {
		b.state, b.probe = BreakerHalfOpen, id
	}
}

// heard notes that the plugin said something.
func (b *breaker) heard(now time.Duration) { b.last = now }

// answered notes the response to a request that was waited for.
func (b *breaker) answered(id uint64) {
	if b.state == BreakerHalfOpen && id == b.probe {
		b.state = BreakerClosed
	}
}

// late notes that a request was given up.
func (b *breaker) late(now time.Duration, id uint64) {
	if b.state == BreakerHalfOpen && id == b.probe {
		b.state, b.opened = BreakerOpen, now
	}
}

// stuck opens the breaker if no credit is left and nothing was heard for the patience. It reports whether it did.
func (b *breaker) stuck(now time.Duration, exhausted bool, patience time.Duration) bool {
	if b.state != BreakerClosed || !exhausted || now-b.last < patience {
		return false
	}
	b.state, b.opened = BreakerOpen, now
	return true
}

// Starved tells for how long a plugin that owes all the responses that it may owe has said nothing, once that is 15 s or more: it
// gets no further request then, not even one that tries.
func (t *Talk) Starved() (silent time.Duration, starved bool) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != talkServing || t.slots.sent < t.cfg.MaxInFlight {
		return 0, false
	}
	silent = now - t.breaker.last
	return silent, silent >= starvation
}
