package core

import (
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/session"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// TalkSend sends a TALKREQ and waits for nothing; a response is ignored, and silence is not held against the node. The error
// tells only whether the request left, or waits for a handshake.
func (n *Node) TalkSend(id enode.ID, addr netip.AddrPort, protocol string, payload []byte) (err error) {
	if !n.turn(func(now time.Time) {
		err = n.sendTalk(now, target{id: id, addr: unmapped(addr)}, protocol, payload)
	}) {
		return ErrClosed
	}
	return err
}

// sendTalk sends a request whose response nobody waits for. Over a session it leaves nothing behind; one that waits for a
// handshake counts towards maxCalls until the time for a response is over.
func (n *Node) sendTalk(now time.Time, to target, protocol string, payload []byte) error {
	if err := checkTalk(protocol, payload); err != nil {
		return err
	}
	stats := &n.talk.asked(protocol).Asked
	if err := n.admit(now, to); err != nil {
		stats.count(RequestFailed, 0)
		return err
	}
	peer := session.Peer{ID: to.id, Addr: to.addr}
	m := codec.TalkReq{RequestID: n.requestID(), Protocol: []byte(protocol), Payload: payload}
	if !n.sessions.Respond(now, peer, m.Append(n.message[:0])) {
		request, err := n.sessions.Send(now, peer, to.node, m.Append(nil))
		if err != nil {
			stats.count(RequestFailed, 0)
			return err
		}
		n.talk.unanswered++
		n.after(now, n.cfg.ResponseTimeout, func(now time.Time) {
			n.talk.unanswered--
			n.sessions.Forget(now, request)
		})
	}
	n.stats.MessagesSent[codec.TalkReqType]++
	stats.Unawaited++
	n.reach.Contacted(now, to.addr.Addr())
	return nil
}

// TalkCall is a TALKREQ to be sent by [Node.TalkAsync].
type TalkCall struct {
	Node     *enode.Node    // whom to ask; nil: the node ID, whose record may be known here
	ID       enode.ID       // without Node
	Addr     netip.AddrPort // where to ask; invalid: where Node's record says
	Protocol string
	Payload  []byte // copied before TalkAsync returns
	// Timeout is how long to wait, at most Config.ResponseTimeout, which is also what 0 means. A node is not blamed for not
	// answering within a shorter one.
	Timeout time.Duration
	// Done gets the response or the error, as Talk returns them, exactly once. The calls of a node share one goroutine for that,
	// so Done should not block, but it may call the node, except for Close, which would wait for this very goroutine: about a
	// second, until it is abandoned. It may run before TalkAsync has returned. With a nil Done the call is a TalkSend whose error
	// nobody wants to know.
	Done func(response []byte, err error)
}

// TalkAsync starts calls, and waits for none of them: no goroutine waits for a response. Several calls cost one turn, and
// leave in as few system calls as they can. It returns ErrClosed, or ErrBusy when more than 16,384 calls would wait for
// their Done to return: then none was started and no Done is called. Any other error goes to Done, and so does ErrClosed for the
// calls under way when the node is closed. As with AnswerTalk, a few hundred at a time are enough.
func (n *Node) TalkAsync(calls ...TalkCall) (err error) {
	owed := 0
	for i := range calls {
		if calls[i].Done != nil {
			owed++
		}
	}
	if !n.turn(func(now time.Time) {
		if n.talk.callbacks.owed+owed > maxCalls {
			err = ErrBusy
			return
		}
		n.talk.callbacks.owed += owed
		for i := range calls {
			n.startAsync(now, &calls[i])
		}
	}) {
		return ErrClosed
	}
	return err
}

// startAsync starts a call that owes a callback, unless its Done is nil.
func (n *Node) startAsync(now time.Time, c *TalkCall) {
	to, err := c.target(n, now)
	if c.Done == nil {
		if err == nil {
			_ = n.sendTalk(now, to, c.Protocol, c.Payload)
		}
		return
	}
	if err == nil {
		err = checkTalk(c.Protocol, c.Payload)
	}
	callback := callback{done: c.Done}
	if err != nil {
		callback.err = err
		n.talk.callbacks.add(callback)
		return
	}
	var early *timer
	started := n.startTalk(now, to, c.Protocol, c.Payload, func(_ time.Time, r reply) {
		n.stop(early)
		callback.response, callback.err = r.payload, r.err
		n.talk.callbacks.add(callback)
	})
	if started != nil && c.Timeout > 0 && c.Timeout < n.cfg.ResponseTimeout {
		early = n.after(now, c.Timeout, func(now time.Time) { n.end(now, started, reply{err: ErrTimeout}) })
	}
}

func (c *TalkCall) target(n *Node, now time.Time) (target, error) {
	switch {
	case c.Node == nil:
		return target{id: c.ID, addr: unmapped(c.Addr)}, nil
	case c.Addr.IsValid():
		return target{id: c.Node.ID(), addr: unmapped(c.Addr), node: c.Node}, nil
	}
	return n.targetOf(now, c.Node)
}

// callbacks are the ends of calls that nobody waits for, in their order. They are owned by the turn.
type callbacks struct {
	wake  chan struct{}
	queue []callback
	owed  int // calls whose callback has not returned, at most maxCalls
}

type callback struct {
	done     func([]byte, error)
	response []byte
	err      error
}

func (c *callbacks) add(cb callback) {
	c.queue = append(c.queue, cb)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// call runs callbacks outside of turns until the node is closed and all have run.
func (n *Node) call() {
	c := &n.talk.callbacks
	for {
		select {
		case <-c.wake:
		case <-n.done:
		}
		n.mu.Lock()
		queue, closed := c.queue, n.closed
		c.queue = nil
		n.mu.Unlock()
		for _, cb := range queue {
			if err := contained(func() error { cb.done(cb.response, cb.err); return nil }); err != nil {
				n.log.Error("callback of a talk call failed", "err", err)
			}
		}
		n.mu.Lock()
		c.owed -= len(queue)
		n.mu.Unlock()
		if closed {
			return
		}
	}
}
