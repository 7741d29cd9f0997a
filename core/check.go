package core

import (
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/outage"
	"github.com/discv5/host/core/internal/session"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxChecks bounds the liveness checks under way.
const maxChecks = 32

// steadyPause is the longest time without an answer from anybody until a verified node is checked before its time: checks
// become rare and come in bursts as nodes earn trust, and our own outage is told from theirs by who answered in the
// last minute.
const steadyPause = 20 * time.Second

// checkState is the state of revalidation.
type checkState struct {
	running  int
	backs    map[enode.ID]*timer // peers that opened a session and wait to be pinged
	timer    *timer
	steady   time.Time         // the last answer, or check for want of answers
	fetching map[enode.ID]bool // records being asked for
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
	for n.checks.running < maxChecks {
		e, wake := n.table.NextCheck(now)
		if e == nil {
			e, wake = n.steadyCheck(now, wake)
		}
		if e == nil {
			if !wake.IsZero() {
				n.checks.timer = n.after(now, wake.Sub(now), n.runChecks)
			}
			return
		}
		n.checkNow(now, e)
	}
}

// steadyCheck returns a verified node when nobody has answered for a while, or else when to come again, given when the
// table wants that.
func (n *Node) steadyCheck(now, wake time.Time) (*table.Entry, time.Time) {
	if n.table.Verified() < outage.MinAsked {
		return nil, wake // too few to tell an outage by
	}
	if at := n.checks.steady.Add(steadyPause); at.After(now) {
		if wake.IsZero() || at.Before(wake) {
			wake = at
		}
		return nil, wake
	}
	n.checks.steady = now
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
	n.checks.running++
	n.pingEntry(now, e.Node, e.Addr, func(now time.Time, _ reply) {
		n.checks.running--
		n.checksDue = true
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

// pingBack pings a peer that opened a session, a little later. It counts on that, whatever else we ask it meanwhile.
func (n *Node) pingBack(now time.Time, id enode.ID) {
	e, ok := n.table.Entry(id)
	if n.cfg.NoRefresh || !ok || e.Verified || n.checks.backs[id] != nil || len(n.checks.backs) >= maxPingBacks {
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
		}
	})
}

// maxPingBacks bounds the peers that wait to be pinged. All of them are in the table.
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
	if !ok || e.Node.Seq() >= seq || n.checks.fetching[from.ID] || len(n.checks.fetching) >= maxChecks || n.cfg.NoRefresh {
		return
	}
	if n.checks.fetching == nil {
		n.checks.fetching = make(map[enode.ID]bool)
	}
	n.checks.fetching[from.ID] = true
	n.findNode(now, target{from.ID, from.Addr, e.Node}, []uint{0}, func(now time.Time, r reply) {
		delete(n.checks.fetching, from.ID)
		for _, node := range r.nodes {
			n.offer(now, node, netip.AddrPort{})
		}
	})
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
	n.outage.ValidPacket(now)
	n.askAgain(now)
}

// askAgain looks at the nodes that were silent while our own network was, once it works again.
func (n *Node) askAgain(now time.Time) {
	held := n.outage.Recovered()
	if len(held) > 0 {
		n.putOff(n.checkWitness)
	}
	for _, id := range held {
		n.putOff(func(now time.Time) {
			if e, ok := n.table.Entry(id); ok {
				n.checkNow(now, e)
			}
		})
	}
}
