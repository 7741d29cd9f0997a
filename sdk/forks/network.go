package forks

import (
	"time"

	"github.com/discv5/host/sdk/fields"
)

// DefaultGrace is how long around a fork the digests on both sides of it are accepted.
const DefaultGrace = time.Hour

// MaxGrace bounds the grace window.
const MaxGrace = 30 * 24 * time.Hour

// Network is one network's schedule, of the execution layer, the consensus layer or both. It does
// not change and may be used concurrently.
type Network struct {
	Name      string
	Execution *Execution // nil: the schedule has none
	Consensus *Consensus // nil: the schedule has none

	grace time.Duration
}

// Grace returns how long around a fork both sides are accepted.
func (n *Network) Grace() time.Duration { return n.grace }

// Announcement is what a record says about forks; nil where it has no such field.
type Announcement struct {
	Eth  *fields.ForkID
	Eth2 *fields.Eth2
	NFD  *fields.Bytes4
}

// Verdict is what a schedule says about a record.
type Verdict struct {
	Accepted bool
	Reason   string    // why not: one of the Reasons; "" if accepted
	Until    time.Time // when the same record may get another verdict; zero: never
}

// Why a record is not accepted.
const (
	ReasonNone    = "none"    // it has no field about a fork of a layer that the schedule has
	ReasonForeign = "foreign" // its fork is not on the schedule
	ReasonOld     = "old"     // its fork is over, and the grace window too
	ReasonEarly   = "early"   // its fork has not begun
	ReasonStale   = "stale"   // it is on an earlier fork and does not know the one that followed
	ReasonSplit   = "split"   // it announced another next fork than happened
)

// Reasons are all values of Verdict.Reason but "".
var Reasons = []string{ReasonNone, ReasonForeign, ReasonOld, ReasonEarly, ReasonStale, ReasonSplit}

// Accepts reports whether a record is of the network at the time now. Each of eth and eth2 that the
// record and the schedule have must agree, and there must be one.
func (n *Network) Accepts(a Announcement, now time.Time) Verdict {
	v := Verdict{Reason: ReasonNone}
	if a.Eth2 != nil && n.Consensus != nil {
		v = n.Consensus.accepts(a.Eth2.ForkDigest, a.NFD, now, n.grace)
		if !v.Accepted {
			return v
		}
	}
	if a.Eth != nil && n.Execution != nil {
		e := n.Execution.accepts(*a.Eth, now)
		e.Until = earlier(e.Until, v.Until)
		return e
	}
	return v
}

// Prepared reports whether an accepted record also announces the next fork as the schedule has it,
// so that the node will be on the network after it. Where no fork is scheduled, all that are
// accepted are prepared, but for those that the last one left behind.
func (n *Network) Prepared(a Announcement, now time.Time) Verdict {
	v := n.Accepts(a, now)
	if !v.Accepted {
		return v
	}
	ok := true
	if a.Eth2 != nil && n.Consensus != nil {
		ok = n.Consensus.prepared(*a.Eth2, a.NFD, now)
		v.Until = earlier(v.Until, n.Consensus.boundary(now))
	}
	if a.Eth != nil && n.Execution != nil {
		ok = ok && n.Execution.prepared(*a.Eth, now)
	}
	if !ok {
		v.Accepted, v.Reason = false, ReasonStale
	}
	return v
}

// earlier returns the earlier of two times of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
