package session

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// weather moves what is under way in an order of its own, and lets some of it come twice or not at all.
type weather struct {
	*world
	r         *rand.Rand
	duplicate float64
	loss      float64
	sent      int // duplicates so far
}

func newWeather(w *world, seed uint64) *weather {
	w.later = true
	return &weather{world: w, r: rand.New(rand.NewPCG(seed, 1))}
}

// moves does one thing and reports whether there was anything to do.
func (w *weather) moves() bool {
	switch {
	case len(w.wire)+len(w.jobs) == 0:
		return false
	case w.r.IntN(len(w.wire)+len(w.jobs)) >= len(w.wire):
		w.finish(w.r.IntN(len(w.jobs)))
	default:
		i := w.r.IntN(len(w.wire))
		switch {
		case w.r.Float64() < w.loss:
			w.take(i)
		case w.r.Float64() < w.duplicate && w.sent < 100:
			w.sent++
			w.deliver(w.wire[i])
		default:
			w.deliver(w.take(i))
		}
	}
	w.check()
	return true
}

// blows until nothing moves, with a little time between the steps.
func (w *weather) blows(pause time.Duration) {
	for w.moves() {
		if pause > 0 {
			w.passes(time.Duration(w.r.Int64N(int64(pause))))
		}
	}
}

// both sends requests from both sides in the same instant: at least one from each, no more than may wait.
func (w *weather) both(a, b *host) (calls []*call) {
	for range 1 + w.r.IntN(1+MaxQueue) {
		calls = append(calls, a.pings(b))
	}
	for range 1 + w.r.IntN(1+MaxQueue) {
		calls = append(calls, b.pings(a))
	}
	return calls
}

// TestSimultaneousOpen opens sessions from both sides in the same instant. Packets and jobs come in any order, some
// twice and some late; no request is lost.
func TestSimultaneousOpen(t *testing.T) {
	for _, tc := range []struct {
		name  string
		start func(t testing.TB) (w *world, a, b *host)
		begin func(w *weather, a, b *host)
	}{
		{"strangers", pair, func(*weather, *host, *host) {}},
		{"one lost its keys", friends, func(_ *weather, a, b *host) { a.loses(b) }},
		{"one restarted", friends, func(_ *weather, a, _ *host) { a.restarts() }},
		{"both lost their keys", friends, func(_ *weather, a, b *host) { a.loses(b); b.loses(a) }},
		{"crossed, then one lost its keys", crossed, func(_ *weather, a, b *host) { b.loses(a) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for seed := range uint64(1000) {
				w0, a, b := tc.start(t)
				w := newWeather(w0, seed)
				w.duplicate = 0.2
				tc.begin(w, a, b)
				calls := w.both(a, b)
				w.blows([]time.Duration{0, time.Millisecond, 20 * time.Millisecond}[seed%3])
				w.passes(confirmAfter)
				w.blows(0)
				for i, c := range calls {
					c.mustBeAnswered(fmt.Sprintf("seed %d: request %d of %d", seed, i, len(calls)))
				}
				w.passes(responseTimeout)
				a.wantEmpty("after all was answered")
				b.wantEmpty("after all was answered")
				w.passes(time.Hour)
				handshakes := a.m.stats.HandshakesSent + b.m.stats.HandshakesSent
				w.later = false
				a.mustPing(b)
				b.mustPing(a)
				a.mustPing(b)
				if a.m.stats.HandshakesSent+b.m.stats.HandshakesSent != handshakes {
					t.Errorf("seed %d: another handshake after an idle hour", seed)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// TestLoss loses a fifth of all packets, and now and then the keys of one side. Requests end by their timeout at the
// latest, nothing is left of them, and the two can still talk.
func TestLoss(t *testing.T) {
	answered, total := 0, 0
	for seed := range uint64(500) {
		w0, a, b := pair(t)
		w := newWeather(w0, seed)
		w.loss, w.duplicate = 0.2, 0.1
		for range 6 {
			switch w.r.IntN(8) {
			case 0:
				a.loses(b)
			case 1:
				b.loses(a)
			}
			calls := w.both(a, b)
			for end := w.now.Add(responseTimeout); w.now.Before(end); {
				w.blows(10 * time.Millisecond)
				w.passes(100 * time.Millisecond)
			}
			for _, c := range calls {
				total++
				if c.answers > 0 {
					answered++
				}
				c.gives()
			}
			w.check()
		}
		w.blows(0)
		w.passes(responseTimeout)
		w.blows(0)
		w.passes(responseTimeout)
		a.wantEmpty(fmt.Sprintf("seed %d", seed))
		b.wantEmpty(fmt.Sprintf("seed %d", seed))
		w.loss, w.later = 0, false
		a.mustPing(b)
		b.mustPing(a)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if answered < total/2 {
		t.Errorf("%d of %d requests answered", answered, total)
	}
	t.Logf("%d of %d requests answered", answered, total)
}
