package core

import (
	"slices"
	"strings"
	"time"
)

// Bounds of the TALK protocols that have counters of their own.
const (
	maxServedCounters  = 256 // that were ever served here
	maxAskedCounters   = 64  // that were asked for and never served here
	maxCountedProtocol = 64  // bytes of a name
)

// TalkStats count the TALK requests of one protocol, or of all that have no counters of their own. A protocol has some once it has been
// served here, up to 256 protocols, and once it was asked for by us, up to 64 more; a stranger adds none. Names beyond 64 bytes have none.
type TalkStats struct {
	Protocol string // exact bytes; empty for Other
	Other    bool   // all protocols without counters of their own
	Served   TalkServed
	Asked    TalkAsked
}

// TalkServed counts requests of others. Each counts once, by what it led to.
type TalkServed struct {
	Answered uint64  // by the handler, in time
	Empty    uint64  // of those, with an empty payload
	Timeouts uint64  // answered empty at the deadline
	Failed   uint64  // answered empty because the handler failed, panicked or wanted to say too much
	Shed     uint64  // answered empty because of TalkLimits
	Unknown  uint64  // answered empty because nobody serves the protocol
	Latency  Latency // from a request to the answer of the handler
}

// TalkAsked counts requests of ours. Each counts once, by what it led to.
type TalkAsked struct {
	Results   [NumRequestResults]uint64
	Empty     uint64  // of those answered, with an empty payload
	Unawaited uint64  // sent without waiting for a response
	Latency   Latency // from a call to the response, of those answered
}

func (a *TalkAsked) count(result RequestResult, took time.Duration) {
	a.Results[result]++
	if result == RequestAnswered {
		a.Latency.observe(took)
	}
}

// talkCounters are owned by the turn.
type talkCounters struct {
	byName                map[string]*TalkStats
	other                 *TalkStats
	askedOnly, everServed int
}

func newTalkCounters() talkCounters {
	return talkCounters{byName: make(map[string]*TalkStats), other: &TalkStats{Other: true}}
}

// served returns the counters of a protocol that is to be served.
func (t *talkState) served(name string) *TalkStats {
	return t.counters.of(name, &t.counters.everServed, maxServedCounters)
}

// asked returns the counters of a protocol that a caller asks for.
func (t *talkState) asked(name string) *TalkStats {
	return t.counters.of(name, &t.counters.askedOnly, maxAskedCounters)
}

// of finds the counters of a protocol or makes some, if fewer than limit were made for the same reason.
func (c *talkCounters) of(name string, made *int, limit int) *TalkStats {
	if s := c.byName[name]; s != nil {
		return s
	}
	if *made >= limit || len(name) > maxCountedProtocol {
		return c.other
	}
	*made++
	s := &TalkStats{Protocol: strings.Clone(name)}
	c.byName[s.Protocol] = s
	return s
}

// TalkStats returns the counters of TALK protocols, in the order of their names, with those of all others at the end.
func (n *Node) TalkStats() (all []TalkStats) {
	n.turn(func(time.Time) {
		for _, s := range n.talk.counters.byName {
			all = append(all, *s)
		}
		all = append(all, *n.talk.counters.other)
	})
	slices.SortFunc(all, func(a, b TalkStats) int {
		switch {
		case a.Other == b.Other:
			return strings.Compare(a.Protocol, b.Protocol)
		case b.Other:
			return -1
		}
		return 1
	})
	return all
}
