package limit

import (
	"errors"
	"math"
	"time"
)

// maxDepth bounds how far ahead of now a bucket may be charged, so that a tiny rate cannot overflow the
// arithmetic. It is about 36 years.
const maxDepth = float64(1 << 60)

// ErrBadRate is returned by Rate.Validate.
var ErrBadRate = errors.New("limit: a rate needs a finite number per second, zero or more, and a burst of at least one")

// Rate is what a bucket is filled with: PerSecond tokens a second, up to Burst. A zero PerSecond means no
// limit. A Burst below one counts as one.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Unlimited reports whether r lets everything pass. A rate that Validate refuses because its PerSecond is
// negative or not a number is unlimited too.
func (r Rate) Unlimited() bool { return !(r.PerSecond > 0) }

// Validate reports ErrBadRate for a rate that nobody can have meant.
func (r Rate) Validate() error {
	switch {
	case math.IsNaN(r.PerSecond), math.IsInf(r.PerSecond, 0), r.PerSecond < 0:
		return ErrBadRate
	case r.PerSecond > 0 && r.Burst < 1:
		return ErrBadRate
	}
	return nil
}

// Bucket is a token bucket. The zero value is full. It remembers nothing but the instant at which it will be
// full again, in Unix nanoseconds, and learns its rate at each call: a changed rate applies at once, and the
// tokens already taken count at the old one.
type Bucket struct {
	full int64
}

// Allow takes a token and reports whether there was one. A refusal costs nothing: a source that keeps
// knocking is not punished beyond its rate. When the clock is set back the bucket is empty at worst, and
// fills up at its usual rate.
func (b *Bucket) Allow(now time.Time, r Rate) bool {
	if r.Unlimited() {
		return true
	}
	perToken := float64(time.Second) / r.PerSecond
	depth := min(perToken*float64(max(r.Burst, 1)), maxDepth)
	cost, limit, at := int64(min(perToken, depth)), int64(depth), now.UnixNano()
	var ahead int64 // how long the bucket needs to fill up
	if b.full != 0 {
		ahead = min(max(b.full-at, 0), limit) // at most a whole bucket: the clock may have been set back
	}
	if ahead+cost > limit {
		b.full = at + ahead
		return false
	}
	b.full = at + ahead + cost
	return true
}

// Full reports whether b is as good as a new one: forgetting it changes nothing.
func (b *Bucket) Full(now time.Time) bool { return b.full == 0 || b.full <= now.UnixNano() }
