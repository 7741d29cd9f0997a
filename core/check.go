package core

import (
	"errors"
	"maps"
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/outage"
	"github.com/discv5/host/core/internal/session"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// maxChecks bounds the liveness checks of verified nodes under way.
	maxChecks = 32
	// maxFirstChecks bounds those of nodes that are not verified. They have places of their own, so that however many are
	// offered the others are looked at.
	maxFirstChecks = 64
	// firstCheckTime is how long a check of a node that is not verified holds its place. Most of them are of nodes that
	// are gone; an answer counts up to the response timeout all the same.
	firstCheckTime = time.Second
)

const (
	// fetchPause is the shortest time between two requests to a node for a newer record that it does not hand out.
	fetchPause = time.Minute
	// fetchAgain is the same for a node whose last one was as new as it said, or that could not be asked.
	fetchAgain = time.Second
	// maxFetched bounds the nodes whose last such request is remembered.
	maxFetched = 1024
)

// againPause is the pause between groups of maxChecks nodes that are asked again after an outage.
const againPause = 100 * time.Millisecond

// silenceWarning is how long after a request nobody at all is heard until the operator is told.
const silenceWarning = 20 * time.Second

// steadyPause is the longest time without an answer from anybody until a verified node is checked before its time: checks
// become rare and come in bursts as nodes earn trust, and our own outage is told from theirs by who answered in the
// last minute. With too few verified nodes to tell that by it is steadyPauseFew, to notice soon that they are all gone.
const (
	steadyPause    = 20 * time.Second
	steadyPauseFew = 35 * time.Second
)

// checkState is the state of revalidation.
type checkState struct {
	running  int                 // of verified nodes
	first    int                 // of others, those that hold a place
	backs    map[enode.ID]*timer // peers that opened a session and wait to be pinged
	timer    *timer
	steady   time.Time              // the last answer, or check for want of answers
	fetching int                    // records being asked for
	fetched  map[enode.ID]time.Time // until when a node is not asked for its record again
	heard    time.Time              // the last valid packet
	silence  silenceState
	again    []enode.ID        // nodes to be asked again after an outage
	pacing   bool              // again is being worked off
	trying   map[enode.ID]bool // nodes being asked at their other address
	doubted  time.Time         // when a silence last led to checks of others
}

// runChecks starts the liveness checks that are due.
func (n *Node) runChecks(now time.Time) {
	n.checksDue = false
	n.stop(n.checks.timer)
	n.checks.timer = nil
	if n.cfg.NoRefresh {
		return
	}
	var wake time.Time
	sooner := func(at time.Time) {
		if wake.IsZero() || !at.IsZero() && at.Before(wake) {
			wake = at
		}
	}
	for n.checks.running < maxChecks {
		e, at := n.table.NextVerified(now)
		if e == nil {
			e, at = n.steadyCheck(now, at)
		}
		if e == nil {
			sooner(at)
			break
		}
		n.checkNow(now, e)
	}
	for n.checks.first < maxFirstChecks {
		e, at := n.table.NextUnverified(now)
		if e == nil {
			sooner(at)
			break
		}
		n.checkNow(now, e)
	}
	if !wake.IsZero() {
		n.checks.timer = n.after(now, wake.Sub(now), n.runChecks)
	}
}

// steadyCheck returns a verified node when nobody has answered for a while, or else when to come again, given when the
// table wants that.
func (n *Node) steadyCheck(now, wake time.Time) (*table.Entry, time.Time) {
	pause := steadyPause
	switch verified := n.table.Verified(); {
	case verified == 0:
		return nil, wake
	case verified < outage.MinAsked:
		pause = steadyPauseFew
	}
	if at := n.checks.steady.Add(pause); at.After(now) {
		if wake.IsZero() || at.Before(wake) {
			wake = at
		}
		return nil, wake
	}
	n.checks.steady = now
	if n.checks.silence.told && len(n.cfg.Bootnodes) > 0 { // the table may be a thing of the past
		b := n.cfg.Bootnodes[n.rand.IntN(len(n.cfg.Bootnodes))]
		n.putOff(func(now time.Time) {
			if to, err := n.targetOf(now, b); err == nil {
				n.pingEntry(now, b, to.addr, func(time.Time, reply) {})
			}
		})
	}
	return n.table.Random(nil, 1, func(e *table.Entry) bool { return e.Verified })[0], wake
}

// checkWitness checks the node that answered last, beside others that may all be gone: as long as it answers, their silence
// is not our own.
func (n *Node) checkWitness(now time.Time) {
	var last *table.Entry
	for e := range n.table.All() {
		if e.Verified && (last == nil || e.LastSeen.After(last.LastSeen)) {
			last = e
		}
	}
	if last != nil {
		n.checkNow(now, last)
	}
}

// checkNow pings an entry of the table, and fetches its record if the answer says that there is a newer one.
func (n *Node) checkNow(now time.Time, e *table.Entry) {
	n.table.CheckStarted(now, e.ID())
	places := &n.checks.running
	if !e.Verified {
		places = &n.checks.first
	}
	*places++
	held := true
	free := func(time.Time) {
		if held {
			held = false
			*places--
			n.checksDue = true
		}
	}
	var early *timer
	if !e.Verified {
		early = n.after(now, firstCheckTime, free)
	}
	n.pingEntry(now, e.Node, e.Addr, func(now time.Time, _ reply) {
		n.stop(early)
		free(now)
	})
}

// tryOther pings a node that failed at one address at its other one, and enters it there when it answers.
func (n *Node) tryOther(now time.Time, node *enode.Node, failed netip.AddrPort) {
	id := node.ID()
	other, ok := n.otherEndpoint(node, failed)
	if !ok || !relayable(other.Addr(), failed.Addr()) || n.checks.trying[id] || len(n.checks.trying) >= maxChecks || n.cfg.NoRefresh {
		return
	}
	if n.checks.trying == nil {
		n.checks.trying = make(map[enode.ID]bool)
	}
	n.checks.trying[id] = true
	n.pingEntry(now, node, other, func(now time.Time, r reply) {
		delete(n.checks.trying, id)
		if r.err == nil {
			n.moved(now, node, other, r.rtt)
		}
	})
}

func (n *Node) pingEntry(now time.Time, node *enode.Node, addr netip.AddrPort, done func(time.Time, reply)) {
	n.ping(now, target{node.ID(), addr, node}, func(now time.Time, r reply) {
		done(now, r)
		if r.err == nil {
			n.heardSeq(now, session.Peer{ID: node.ID(), Addr: addr}, r.pong.ENRSeq)
		}
	})
}

// pingBack pings a peer that opened a session, a little later. It counts on that, whatever else we ask it meanwhile. A peer
// in reserve is pinged too, though others have pushed it out meanwhile: when it answers it takes the place of a node that
// never did.
func (n *Node) pingBack(now time.Time, node *enode.Node, addr netip.AddrPort) {
	id := node.ID()
	e := n.table.Known(id)
	if n.cfg.NoRefresh || e == nil || e.Verified || n.checks.backs[id] != nil || len(n.checks.backs) >= maxPingBacks {
		return
	}
	if n.checks.backs == nil {
		n.checks.backs = make(map[enode.ID]*timer)
	}
	pause := time.Duration(n.rand.Int64N(int64(n.checkWithin()) + 1))
	n.checks.backs[id] = n.after(now, pause, func(now time.Time) {
		delete(n.checks.backs, id)
		if e, ok := n.table.Entry(id); ok {
			n.checkNow(now, e)
			return
		}
		n.pingEntry(now, node, addr, func(now time.Time, r reply) {
			if r.err == nil && n.table.Known(id) == nil {
				n.offer(now, node, addr)
				n.seenNode(now, id, r.rtt)
			}
		})
	})
}

// maxPingBacks bounds the peers that wait to be pinged.
const maxPingBacks = 1024

func (n *Node) ping(now time.Time, to target, done func(time.Time, reply)) *call {
	if t := n.checks.backs[to.id]; t != nil {
		n.stop(t)
		delete(n.checks.backs, to.id)
	}
	return n.startCall(now, to, codec.PingType, func(id codec.RequestID) []byte {
		return codec.Ping{RequestID: id, ENRSeq: n.local.node().Seq()}.Append(nil)
	}, done)
}

// moved enters a node again that answers at its other address.
func (n *Node) moved(now time.Time, node *enode.Node, addr netip.AddrPort, rtt time.Duration) {
	if e, ok := n.table.Entry(node.ID()); ok && (e.Verified || e.Addr == addr) {
		return
	}
	n.removeNode(now, node.ID())
	if n.offer(now, node, addr).InTable() {
		n.seenNode(now, node.ID(), rtt)
	}
}

// heardSeq compares the sequence number that a node of the table names with the record that we have, and fetches a newer
// record.
func (n *Node) heardSeq(now time.Time, from session.Peer, seq uint64) {
	e, ok := n.table.Entry(from.ID)
	if !ok || e.Node.Seq() >= seq || n.checks.fetching >= maxChecks || n.cfg.NoRefresh || !n.mayFetch(now, from.ID) {
		return
	}
	n.checks.fetching++
	n.checks.fetched[from.ID] = now.Add(fetchPause)
	n.findNode(now, target{from.ID, from.Addr, e.Node}, []uint{0}, func(now time.Time, r reply) {
		n.checks.fetching--
		if errors.Is(r.err, ErrTimeout) || errors.Is(r.err, ErrBusy) { // that says nothing about what it hands out
			n.checks.fetched[from.ID] = now.Add(fetchAgain)
		}
		for _, node := range r.nodes {
			if node.Seq() >= seq {
				n.checks.fetched[from.ID] = now.Add(fetchAgain)
			}
			n.offer(now, node, netip.AddrPort{})
		}
	})
}

// mayFetch tells whether a node may be asked for its record: not again and again while it only says that there is a newer
// one.
func (n *Node) mayFetch(now time.Time, id enode.ID) bool {
	if n.checks.fetched == nil {
		n.checks.fetched = make(map[enode.ID]time.Time)
	}
	if until, ok := n.checks.fetched[id]; ok || len(n.checks.fetched) < maxFetched {
		return !now.Before(until)
	}
	maps.DeleteFunc(n.checks.fetched, func(_ enode.ID, until time.Time) bool { return !now.Before(until) })
	return len(n.checks.fetched) < maxFetched
}

func (n *Node) findNode(now time.Time, to target, distances []uint, done func(time.Time, reply)) *call {
	var set codec.Distances
	for _, d := range distances {
		set.Add(int(d))
	}
	c := n.startCall(now, to, codec.FindNodeType, func(id codec.RequestID) []byte {
		return codec.FindNode{RequestID: id, Distances: set}.Append(nil)
	}, done)
	if c != nil {
		c.nodes = &nodesAnswer{distances: distances}
	}
	return c
}

// askAgain looks at the nodes that were silent while our own network was, once it works again, some at a time.
func (n *Node) askAgain() {
	held := n.outage.Recovered()
	if len(held) == 0 {
		return
	}
	n.putOff(n.checkWitness)
	room := max(0, outage.MaxHeld-len(n.checks.again))
	n.checks.again = append(n.checks.again, held[:min(room, len(held))]...)
	if !n.checks.pacing {
		n.checks.pacing = true
		n.putOff(n.askSome)
	}
}

// askSome asks the next of the nodes that are to be asked again.
func (n *Node) askSome(now time.Time) {
	some := n.checks.again[:min(maxChecks, len(n.checks.again))]
	n.checks.again = n.checks.again[len(some):]
	for _, id := range some {
		if e, ok := n.table.Entry(id); ok {
			n.checkNow(now, e)
		}
	}
	if n.checks.pacing = len(n.checks.again) > 0; n.checks.pacing {
		n.after(now, againPause, n.askSome)
	} else {
		n.checks.again = nil
	}
}
