package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/session"
	"github.com/hashicorp/go-hclog"
)

// talkState is owned by the turn.
type talkState struct {
	protocols  map[string]*protocol
	unknown    *protocol // for messages of later versions; nil: nobody wants them
	inFlight   int       // requests that wait for their answer
	perPeer    map[session.Peer]int
	unanswered int // requests of ours under way whose response nobody waits for
	callbacks  callbacks
	counters   talkCounters
}

func newTalkState() talkState {
	return talkState{
		counters:  newTalkCounters(),
		protocols: make(map[string]*protocol), perPeer: make(map[session.Peer]int),
		callbacks: callbacks{wake: make(chan struct{}, 1)},
	}
}

// protocol is a handler with its share of the places. One of handler, async and message is set.
type protocol struct {
	name    string
	handler TalkHandler
	async   AsyncTalkHandler
	message func(UnknownMessage)

	// owned by the turn
	stats   *TalkStats
	waiting int // requests that wait for their answer
	running int // goroutines, those included whose request is over
}

func newProtocol(name string, h TalkHandler, a AsyncTalkHandler, m func(UnknownMessage)) *protocol {
	return &protocol{name: name, handler: h, async: a, message: m, stats: new(TalkStats)}
}

// share is how many places one protocol may take: it cannot take all of the others' by hanging.
func (l TalkLimits) share() int { return l.InFlight - l.InFlight/4 }

// admitTalk takes a place for a request of a peer until it is answered or its deadline has passed. The result is nil when
// there is none.
func (n *Node) admitTalk(now time.Time, p *protocol, peer session.Peer, id codec.RequestID) *PendingTalk {
	t, limits := &n.talk, n.cfg.Talk
	if t.inFlight >= limits.InFlight || t.perPeer[peer] >= limits.PerPeer || max(p.waiting, p.running) >= limits.share() {
		n.stats.TalkShed++
		p.stats.Served.Shed++
		return nil
	}
	t.inFlight++
	t.perPeer[peer]++
	p.waiting++
	pending := &PendingTalk{n: n, protocol: p, within: limits.Deadline, peer: peer, id: id}
	pending.late = n.after(now, limits.Deadline, pending.expire)
	return pending
}

// leave gives the place back.
func (p *PendingTalk) leave() {
	p.over = true
	p.protocol.waiting--
	t := &p.n.talk
	t.inFlight--
	if t.perPeer[p.peer]--; t.perPeer[p.peer] <= 0 {
		delete(t.perPeer, p.peer)
	}
}

// end answers a request.
func (p *PendingTalk) end(now time.Time, payload []byte) {
	n := p.n
	if p.over {
		n.stats.TalkLate++
		return
	}
	n.stop(p.late)
	p.leave()
	if len(payload) > codec.MaxTalkResponse {
		n.stats.TalkFailed++
		p.failed = true
		n.log.Debug("talk response too large, sent empty", "proto", fmt.Sprintf("%q", p.protocol.name), "count", len(payload))
		payload = nil
	}
	p.count(now, payload)
	p.respond(now, payload)
}

// count counts a request that is answered in time.
func (p *PendingTalk) count(now time.Time, payload []byte) {
	s := &p.protocol.stats.Served
	if p.failed {
		s.Failed++
		return
	}
	s.Answered++
	if len(payload) == 0 {
		s.Empty++
	}
	s.Latency.observe(now.Sub(p.late.at.Add(-p.within)))
}

// expire is the deadline of a request.
func (p *PendingTalk) expire(now time.Time) {
	p.n.stats.TalkTimeouts++
	p.protocol.stats.Served.Timeouts++
	p.leave()
	p.respond(now, nil)
}

// respond sends the TALKRESP. Messages of later versions have none.
func (p *PendingTalk) respond(now time.Time, payload []byte) {
	n := p.n
	if p.protocol.message != nil {
		return
	}
	if n.sessions.Respond(now, p.peer, codec.TalkResp{RequestID: p.id, Payload: payload}.Append(n.message[:0])) {
		n.stats.MessagesSent[codec.TalkRespType]++
	} else {
		n.stats.SendDropped++
	}
}

// handleTalkReq hands a request to its handler. Whatever happens there, the peer gets an answer within the deadline.
func (n *Node) handleTalkReq(now time.Time, s *session.Session, body []byte) bool {
	m, err := codec.ParseTalkReq(body)
	if err != nil {
		return false
	}
	p := n.talk.protocols[string(m.Protocol)]
	if p == nil {
		n.stats.TalkUnknown++
		n.talk.counters.other.Served.Unknown++
		n.reply(s, codec.TalkRespType, codec.TalkResp{RequestID: m.RequestID}.Append(n.message[:0]))
		return true
	}
	pending := n.admitTalk(now, p, s.Peer, m.RequestID)
	if pending == nil {
		n.reply(s, codec.TalkRespType, codec.TalkResp{RequestID: m.RequestID}.Append(n.message[:0]))
		return true
	}
	r := TalkRequest{
		ID: s.Peer.ID, Addr: s.Peer.Addr, Node: s.Node,
		Protocol: p.name, Payload: m.Payload, Deadline: now.Add(n.cfg.Talk.Deadline),
	}
	if p.async != nil {
		if response, done := n.startServing(p.async, r, pending); done {
			pending.end(now, response)
		}
		return true
	}
	r.Payload = bytes.Clone(r.Payload)
	n.serve(pending, func() ([]byte, error) {
		ctx, cancel := context.WithDeadline(n.closing, r.Deadline)
		defer cancel()
		return p.handler.ServeTalk(ctx, r)
	})
	return true
}

// startServing calls a handler that answers later. Its panic is its own.
func (n *Node) startServing(h AsyncTalkHandler, r TalkRequest, p *PendingTalk) (response []byte, done bool) {
	defer func() {
		if v := recover(); v != nil {
			n.stats.TalkFailed++
			p.failed = true
			n.log.Error("talk handler panicked", "proto", fmt.Sprintf("%q", r.Protocol), "err", v)
			response, done = nil, true
		}
	}()
	return h.StartTalk(r, p)
}

// serve runs a handler on a goroutine of its own. When its request is over before it returns, it keeps a place of its
// protocol and none of the others'.
func (n *Node) serve(pending *PendingTalk, handler func() ([]byte, error)) {
	p := pending.protocol
	p.running++
	n.handlers.Go(func() {
		var payload []byte
		err := contained(func() (err error) {
			payload, err = handler()
			return err
		})
		n.turn(func(now time.Time) {
			p.running--
			if err != nil {
				n.handlerFailed(p, err)
				payload, pending.failed = nil, true
			}
			pending.end(now, payload)
		})
	})
}

func (n *Node) handlerFailed(p *protocol, err error) {
	n.stats.TalkFailed++
	level := hclog.Debug
	if errors.Is(err, errPanic) {
		level = hclog.Error
	}
	n.log.Log(level, "talk handler failed", "proto", fmt.Sprintf("%q", p.name), "err", err)
}

// handleUnknown hands a message of a later protocol version to whoever asked for them.
func (n *Node) handleUnknown(now time.Time, s *session.Session, kind codec.MessageType, body []byte) {
	p := n.talk.unknown
	if p == nil {
		return
	}
	pending := n.admitTalk(now, p, s.Peer, codec.RequestID{})
	if pending == nil {
		return
	}
	m := UnknownMessage{ID: s.Peer.ID, Addr: s.Peer.Addr, Node: s.Node, Type: byte(kind), Body: bytes.Clone(body)}
	n.serve(pending, func() ([]byte, error) {
		p.message(m)
		return nil, nil
	})
}
