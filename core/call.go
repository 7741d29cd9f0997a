package core

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/session"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxCalls bounds our requests under way.
const maxCalls = 16_384

// call is a request of ours, from its start until its response, its timeout or its end by the caller.
type call struct {
	id       codec.RequestID
	kind     codec.MessageType // of the request
	counted  bool              // its result
	peer     session.Peer
	node     *enode.Node // nil if the caller had no record
	request  *session.Request
	deadline *timer
	done     func(now time.Time, r reply) // runs in a turn, once
	nodes    *nodesAnswer                 // of a FINDNODE
	talk     *TalkStats                   // of a TALKREQ
}

// reply is what came of a call.
type reply struct {
	err     error
	pong    codec.Pong
	nodes   []*enode.Node
	payload []byte
	rtt     time.Duration
}

// target is whom a call goes to.
type target struct {
	id   enode.ID
	addr netip.AddrPort
	node *enode.Node // nil: no record
}

// targetOf finds the address to use for a node.
func (n *Node) targetOf(now time.Time, node *enode.Node) (target, error) {
	switch {
	case node == nil:
		return target{}, ErrNoNode
	case node.ID() == n.self:
		return target{}, ErrSelf
	}
	addr, ok := n.endpointFor(node)
	if !ok {
		return target{}, ErrNoAddress
	}
	return target{node.ID(), addr, node}, nil
}

// admit checks whether a call to a target may start.
func (n *Node) admit(now time.Time, to target) error {
	switch {
	case to.id == n.self:
		return ErrSelf
	case n.bans.id(now, to.id) || n.bans.address(now, to.addr.Addr()):
		return ErrBanned
	case !to.addr.IsValid() || to.addr.Port() == 0 || n.linkTo(to.addr.Addr()) == nil:
		return ErrNoAddress
	case len(n.calls)+n.talk.unanswered >= maxCalls:
		return ErrBusy
	}
	return nil
}

// startCall sends a request. done runs in a later part of this turn or in a later turn, never before startCall
// returns. The result is nil if the call did not start; done gets the reason.
func (n *Node) startCall(now time.Time, to target, kind codec.MessageType, encode func(codec.RequestID) []byte, done func(time.Time, reply)) *call {
	refuse := func(err error) *call {
		n.stats.Latencies[kind][RequestFailed].observe(0)
		n.putOff(func(now time.Time) { done(now, reply{err: err}) })
		return nil
	}
	if err := n.admit(now, to); err != nil {
		return refuse(err)
	}
	id := n.requestID()
	c := &call{id: id, kind: kind, peer: session.Peer{ID: to.id, Addr: to.addr}, node: to.node, done: done}
	request, err := n.sessions.Send(now, c.peer, to.node, encode(id))
	if err != nil {
		return refuse(err)
	}
	request.Owner = c
	c.request = request
	c.deadline = n.after(now, n.cfg.ResponseTimeout, func(now time.Time) { n.timeout(now, c) })
	n.calls[id] = c
	n.stats.MessagesSent[kind]++
	n.outage.Asked(now, to.id)
	n.asking(now)
	n.reach.Contacted(now, to.addr.Addr())
	return c
}

// requestID makes an id that no call under way has.
func (n *Node) requestID() codec.RequestID {
	for {
		var b [codec.MaxRequestIDSize]byte
		for i, v := 0, n.rand.Uint64(); i < len(b); i, v = i+1, v>>8 {
			b[i] = byte(v)
		}
		id, _ := codec.NewRequestID(b[:])
		if n.calls[id] == nil {
			return id
		}
	}
}

// drop forgets a call; its response will be unsolicited.
func (n *Node) drop(now time.Time, c *call) bool {
	if n.calls[c.id] != c {
		return false
	}
	delete(n.calls, c.id)
	n.stop(c.deadline)
	n.sessions.Forget(now, c.request)
	return true
}

// end ends a call with its result.
func (n *Node) end(now time.Time, c *call, r reply) {
	if n.drop(now, c) {
		n.countResult(now, c, resultOf(r.err))
		c.done(now, r)
	}
}

// cancelCall ends a call that nobody waits for any more.
func (n *Node) cancelCall(now time.Time, c *call) {
	if n.drop(now, c) {
		n.countResult(now, c, RequestCancelled)
	}
}

// countResult counts what became of a call, the first time that it is told.
func (n *Node) countResult(now time.Time, c *call, result RequestResult) {
	if c.counted {
		return
	}
	c.counted = true
	took := now.Sub(c.deadline.at.Add(-n.cfg.ResponseTimeout))
	n.stats.Latencies[c.kind][result].observe(took)
	if c.talk != nil {
		c.talk.Asked.count(result, took)
	}
}

func resultOf(err error) RequestResult {
	switch {
	case err == nil:
		return RequestAnswered
	case errors.Is(err, ErrTimeout):
		return RequestTimeout
	case errors.Is(err, ErrInvalidResponse):
		return RequestInvalid
	}
	return RequestFailed
}

// timeout ends a call that nobody answered.
//
// It counts against the node unless it is our own network that is silent. What the socket did not take counts in few cases
// only, see unreached.
func (n *Node) timeout(now time.Time, c *call) {
	if c.nodes != nil && c.nodes.packets > 0 {
		n.finishNodes(now, c) // what came is an answer
		return
	}
	if !n.drop(now, c) {
		return
	}
	n.stats.Timeouts[c.kind]++
	n.countResult(now, c, RequestTimeout)
	n.unanswered(now, c.deadline.at.Add(-n.cfg.ResponseTimeout), c.peer.ID)
	switch {
	case n.unsent(c):
		n.unreached(now, c)
	case n.outage.TimedOut(now, c.peer.ID):
		n.failed(now, c)
		n.doubt(now)
	default:
		n.askAgain()
	}
	c.done(now, reply{err: ErrTimeout})
}

// maxUnsent bounds the addresses for which the socket is known to have refused a datagram.
const maxUnsent = 1024

// notSent notes that the socket did not take a datagram.
func (n *Node) notSent(now time.Time, to netip.AddrPort) {
	if _, ok := n.refused[to]; !ok && len(n.refused) >= maxUnsent {
		for at, last := range n.refused {
			if now.Sub(last) > n.cfg.ResponseTimeout {
				delete(n.refused, at)
			}
		}
		if len(n.refused) >= maxUnsent {
			return
		}
	}
	n.refused[to] = now
}

// unsent tells whether the socket refused a datagram for the peer of a call since it began.
func (n *Node) unsent(c *call) bool {
	at, ok := n.refused[c.peer.Addr]
	return ok && !at.Before(c.deadline.at.Add(-n.cfg.ResponseTimeout))
}

// unsentGrace is how long a node may be out of reach of the socket until that counts as silence.
const unsentGrace = 10 * time.Minute

// unreached handles a call whose datagrams the socket did not take. A full buffer or a route that went away says nothing
// about the node, so it does not count, with one exception: the node has never answered or not for unsentGrace, and others
// are heard meanwhile. There is no way to its address then, and it would keep its place for good.
func (n *Node) unreached(now time.Time, c *call) {
	e := n.table.Known(c.peer.ID)
	if e == nil || e.Addr != c.peer.Addr {
		return
	}
	node, verified := e.Node, e.Verified
	if !e.Bootstrap && now.Sub(e.LastSeen) > unsentGrace && now.Sub(n.checks.heard) < steadyPause {
		n.failedNode(now, node.ID())
		verified = false
	}
	if !verified {
		n.tryOther(now, node, c.peer.Addr)
	}
}

// failed tells the table that a node did not answer.
//
// A TALK request may be slow for reasons of its own: the node is only looked at soon.
func (n *Node) failed(now time.Time, c *call) {
	if known := n.table.Known(c.peer.ID); known != nil && known.Addr != c.peer.Addr {
		return // it was asked at an address that the table does not count on
	}
	e, ok := n.table.Entry(c.peer.ID)
	if c.kind == codec.TalkReqType {
		if ok {
			n.checkNow(now, e)
		}
		return
	}
	n.failedNode(now, c.peer.ID)
	if ok {
		n.tryOther(now, e.Node, c.peer.Addr)
	}
}

// answered notes a valid response.
func (n *Node) answered(now time.Time, c *call, rtt time.Duration) {
	n.outage.Answered(now, c.peer.ID)
	n.checks.steady = now
	n.rtt.add(rtt)
	n.countResult(now, c, RequestAnswered)
	if e := n.table.Known(c.peer.ID); e != nil && e.Addr != c.peer.Addr {
		return
	}
	if c.kind == codec.PingType {
		n.seenNode(now, c.peer.ID, rtt)
	} else {
		n.heardNode(now, c.peer.ID, rtt)
	}
}

// await starts a call in a turn and waits for its result.
func (n *Node) await(ctx context.Context, start func(now time.Time, done func(time.Time, reply)) *call) (reply, error) {
	if err := ctx.Err(); err != nil {
		return reply{}, err
	}
	result := make(chan reply, 1)
	var c *call
	if !n.turn(func(now time.Time) {
		c = start(now, func(_ time.Time, r reply) { result <- r })
	}) {
		return reply{}, ErrClosed
	}
	select {
	case r := <-result:
		return r, r.err
	case <-ctx.Done():
		n.turn(func(now time.Time) {
			if c != nil {
				n.cancelCall(now, c)
			}
		})
		return reply{}, ctx.Err()
	case <-n.done: // also when the answer is with a worker, who does not hand it back any more
		return reply{}, ErrClosed
	}
}

// rttEstimate is a running mean and deviation of round trips, as TCP keeps them (RFC 6298).
type rttEstimate struct{ mean, deviation time.Duration }

func (r *rttEstimate) add(d time.Duration) {
	if r.mean == 0 {
		r.mean, r.deviation = d, d/2
		return
	}
	diff := r.mean - d
	if diff < 0 {
		diff = -diff
	}
	r.deviation += (diff - r.deviation) / 4
	r.mean += (d - r.mean) / 8
}

// Bounds of what passes for a normal round trip, handshake included.
const (
	minPatience = 400 * time.Millisecond
	maxPatience = 1500 * time.Millisecond
)

// patience is how long a normal response may take: a handshake is two round trips.
func (r *rttEstimate) patience() time.Duration {
	if r.mean == 0 {
		return 500 * time.Millisecond
	}
	return max(minPatience, min(maxPatience, 2*(r.mean+4*r.deviation)))
}
