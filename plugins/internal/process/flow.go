package process

import (
	"bytes"
	"context"
	"math"
	"sync"
	"time"
)

// flow takes what a plugin writes no faster than it may.
type flow struct {
	life context.Context // of the process: nothing is delayed afterwards

	mu      sync.Mutex
	allowed bucket
}

func newFlow(life context.Context) *flow {
	return &flow{life: life, allowed: newBucket(outputRate, outputBurst)}
}

// spend accounts for work and waits until there may be more.
func (f *flow) spend(cost int) {
	f.mu.Lock()
	wait := f.allowed.take(time.Now(), float64(cost))
	f.mu.Unlock()
	if wait <= 0 || f.life.Err() != nil {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.life.Done():
	}
}

// into hands b to out, in parts, so that a large one does not all come at once.
func (f *flow) into(out *splitter, b []byte) {
	for len(b) > 0 {
		part := b[:min(len(b), maxPart)]
		_, _ = out.Write(part)
		f.spend(len(part) + lineCost*bytes.Count(part, []byte{'\n'}))
		b = b[len(part):]
	}
}

// flowWriter is an io.Writer of a flow. It belongs to one goroutine.
type flowWriter struct {
	flow *flow
	out  *splitter
}

func (w flowWriter) Write(b []byte) (int, error) {
	w.flow.into(w.out, b)
	return len(b), nil
}

// bucket is a token bucket.
type bucket struct {
	rate, burst, tokens float64
	at                  time.Time
}

func newBucket(rate, burst float64) bucket { return bucket{rate: rate, burst: burst, tokens: burst} }

func (b *bucket) refill(now time.Time) {
	if !b.at.IsZero() {
		b.tokens = math.Min(b.burst, b.tokens+b.rate*now.Sub(b.at).Seconds())
	}
	b.at = now
}

// admit takes one token if there is one.
func (b *bucket) admit(now time.Time) bool {
	if b.refill(now); b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// any tells whether there is anything left.
func (b *bucket) any(now time.Time) bool {
	b.refill(now)
	return b.tokens > 0
}

// take takes n tokens and says how long to wait for those that were missing.
func (b *bucket) take(now time.Time, n float64) time.Duration {
	b.refill(now)
	if b.tokens -= n; b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens / b.rate * float64(time.Second))
}
