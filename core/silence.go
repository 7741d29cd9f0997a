package core

import (
	"time"

	"github.com/discv5/host/core/internal/outage"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// silenceState is what came of our requests since the last valid packet of anybody.
type silenceState struct {
	since   time.Time         // when the first of them left; zero: there was none
	from    map[enode.ID]bool // who did not answer in time, up to outage.MinAsked
	witness bool              // one of them was verified
	timer   *timer
	told    bool // the operator knows that nobody is heard
}

// doubt asks a few more nodes when a request timed out and nobody at all was heard meanwhile. Whether they answer tells one
// silent node from our own silence, before the table has lost more than that one.
func (n *Node) doubt(now time.Time) {
	if n.cfg.NoRefresh || !n.outage.Silent(now) || now.Sub(n.checks.doubted) < n.cfg.ResponseTimeout {
		return
	}
	n.checks.doubted = now
	n.putOff(func(now time.Time) {
		for _, e := range n.table.Random(nil, outage.MinAsked, func(e *table.Entry) bool { return e.Verified }) {
			n.checkNow(now, e)
		}
		n.checkWitness(now)
	})
}

// validPacket notes that our network works; nodes that were silent while it did not are asked again.
func (n *Node) validPacket(now time.Time) {
	s := &n.checks.silence
	if s.told {
		s.told = false
		n.log.Info("somebody is heard again")
	}
	s.since, s.witness = time.Time{}, false
	clear(s.from)
	n.checks.heard = now
	n.outage.ValidPacket(now)
	n.askAgain()
}

// asking notes that a request leaves.
func (n *Node) asking(now time.Time) {
	if n.checks.silence.since.IsZero() {
		n.checks.silence.since = now
	}
}

// unanswered notes that a request that left at a time timed out.
func (n *Node) unanswered(now, sent time.Time, id enode.ID) {
	s := &n.checks.silence
	if s.since.IsZero() || sent.Before(s.since) {
		return
	}
	if len(s.from) < outage.MinAsked {
		if s.from == nil {
			s.from = make(map[enode.ID]bool)
		}
		s.from[id] = true
	}
	e, ok := n.table.Entry(id)
	s.witness = s.witness || ok && e.Verified
	n.tellSilence(now)
}

// tellSilence tells the operator, once, when nobody at all has been heard for a while after a request. The silence of a few that
// never were verified is their own, unless nobody has ever been heard.
func (n *Node) tellSilence(now time.Time) {
	s := &n.checks.silence
	if s.told || len(s.from) == 0 || !s.witness && len(s.from) < outage.MinAsked && !n.checks.heard.IsZero() {
		return
	}
	if left := silenceWarning - now.Sub(s.since); left > 0 {
		n.stop(s.timer)
		if !n.cfg.NoRefresh { // otherwise nobody else is asked meanwhile
			s.timer = n.after(now, left, n.tellSilence)
		}
		return
	}
	s.told = true
	n.log.Warn("nobody answers, nothing is heard from anybody", "took", now.Sub(s.since).Round(time.Second))
}
