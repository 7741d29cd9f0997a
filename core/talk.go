package core

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/session"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// TalkRequest is a TALKREQ for a handler.
type TalkRequest struct {
	ID       enode.ID
	Addr     netip.AddrPort
	Node     *enode.Node // the peer's record as the session knows it; nil if it never told
	Protocol string      // exact bytes
	Payload  []byte      // the handler's
	Deadline time.Time   // the host answers empty then
}

// TalkHandler serves a TALK protocol. ServeTalk runs on a goroutine of its own, many at a time. It returns the payload of
// the response, at most codec.MaxTalkResponse bytes; an error, a longer payload or the deadline of ctx makes the
// response empty.
type TalkHandler interface {
	ServeTalk(ctx context.Context, r TalkRequest) ([]byte, error)
}

// TalkFunc is a function as a TalkHandler.
type TalkFunc func(ctx context.Context, r TalkRequest) ([]byte, error)

// ServeTalk calls f.
func (f TalkFunc) ServeTalk(ctx context.Context, r TalkRequest) ([]byte, error) { return f(ctx, r) }

// UnknownMessageType is the first message type that this protocol version does not define.
const UnknownMessageType codec.MessageType = 0x07

// UnknownMessage is a message of a type from 0x07 on, as its session authenticated it.
type UnknownMessage struct {
	ID   enode.ID
	Addr netip.AddrPort
	Node *enode.Node // as in TalkRequest
	Type byte
	Body []byte // message data without the type
}

// talkState is owned by the turn.
type talkState struct {
	handlers   map[string]TalkHandler
	inFlight   int
	perPeer    map[session.Peer]int
	unanswered int // requests under way whose response nobody waits for
}

func newTalkState() talkState {
	return talkState{handlers: make(map[string]TalkHandler), perPeer: make(map[session.Peer]int)}
}

// enter takes a place for a request of a peer.
func (t *talkState) enter(p session.Peer, limits TalkLimits) bool {
	if t.inFlight >= limits.InFlight || t.perPeer[p] >= limits.PerPeer {
		return false
	}
	t.inFlight++
	t.perPeer[p]++
	return true
}

func (t *talkState) leave(p session.Peer) {
	t.inFlight--
	if t.perPeer[p]--; t.perPeer[p] <= 0 {
		delete(t.perPeer, p)
	}
}

// handleTalkReq hands a request to its handler. Whatever happens there, the peer gets an answer within the deadline.
func (n *Node) handleTalkReq(now time.Time, s *session.Session, body []byte) bool {
	m, err := codec.ParseTalkReq(body)
	if err != nil {
		return false
	}
	handler := n.talk.handlers[string(m.Protocol)]
	if handler == nil {
		n.stats.TalkUnknown++
		n.reply(s, codec.TalkRespType, codec.TalkResp{RequestID: m.RequestID}.Append(n.message[:0]))
		return true
	}
	peer := s.Peer
	if !n.talk.enter(peer, n.cfg.Talk) {
		n.stats.TalkShed++
		n.reply(s, codec.TalkRespType, codec.TalkResp{RequestID: m.RequestID}.Append(n.message[:0]))
		return true
	}
	r := TalkRequest{
		ID: peer.ID, Addr: peer.Addr, Node: s.Node,
		Protocol: string(m.Protocol), Payload: bytes.Clone(m.Payload), Deadline: now.Add(n.cfg.Talk.Deadline),
	}
	answered := false
	answer := func(now time.Time, payload []byte) {
		if answered {
			n.stats.TalkLate++
			return
		}
		answered = true
		n.respondTalk(now, peer, m.RequestID, payload)
	}
	late := n.after(now, n.cfg.Talk.Deadline, func(now time.Time) {
		n.stats.TalkTimeouts++
		answer(now, nil)
	})
	go func() {
		payload := n.serveTalk(handler, r)
		n.turn(func(now time.Time) {
			n.talk.leave(peer)
			n.stop(late)
			answer(now, payload)
		})
	}()
	return true
}

// serveTalk runs a handler. Its panic is its own: the peer gets an empty response.
func (n *Node) serveTalk(handler TalkHandler, r TalkRequest) (payload []byte) {
	ctx, cancel := context.WithDeadline(context.Background(), r.Deadline)
	defer cancel()
	defer context.AfterFunc(n.closing, cancel)()
	defer func() {
		if p := recover(); p != nil {
			n.log.Error("talk handler panicked", "proto", fmt.Sprintf("%q", r.Protocol), "err", p)
			payload = nil
		}
	}()
	payload, err := handler.ServeTalk(ctx, r)
	if err != nil {
		n.log.Debug("talk handler failed", "proto", fmt.Sprintf("%q", r.Protocol), "err", err)
		return nil
	}
	if len(payload) > codec.MaxTalkResponse {
		n.log.Warn("talk response too large, sent empty", "proto", fmt.Sprintf("%q", r.Protocol), "count", len(payload))
		return nil
	}
	return payload
}

func (n *Node) respondTalk(now time.Time, to session.Peer, id codec.RequestID, payload []byte) {
	if n.sessions.Respond(now, to, codec.TalkResp{RequestID: id, Payload: payload}.Append(n.message[:0])) {
		n.stats.MessagesSent[codec.TalkRespType]++
	} else {
		n.stats.SendDropped++
	}
}

// Handle makes h serve a TALK protocol, named by its exact bytes, until the returned function is called. ErrProtocolTaken
// says that another handler does.
func (n *Node) Handle(protocol string, h TalkHandler) (remove func(), err error) {
	if codec.MaxTalkRequest([]byte(protocol)) < 0 {
		return nil, fmt.Errorf("%w: protocol name of %d bytes", ErrTooLarge, len(protocol))
	}
	open := n.turn(func(time.Time) {
		if n.talk.handlers[protocol] != nil {
			err = fmt.Errorf("%w: %q", ErrProtocolTaken, protocol)
			return
		}
		n.talk.handlers[protocol] = h
	})
	if !open {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	removed := false
	return func() {
		n.turn(func(time.Time) {
			if !removed {
				removed = true
				delete(n.talk.handlers, protocol)
			}
		})
	}, nil
}

// HandleUnknown makes f receive messages of types from 0x07 on, on goroutines of their own; nil ends that. Without it they
// are counted and dropped. Answer with SendMessage.
func (n *Node) HandleUnknown(f func(UnknownMessage)) {
	n.turn(func(time.Time) { n.unknown = f })
}

// handleUnknown hands a message of a later protocol version to whoever asked for them.
func (n *Node) handleUnknown(s *session.Session, kind codec.MessageType, body []byte) {
	if n.unknown == nil {
		return
	}
	peer := s.Peer
	if !n.talk.enter(peer, n.cfg.Talk) {
		n.stats.TalkShed++
		return
	}
	f := n.unknown
	m := UnknownMessage{ID: peer.ID, Addr: peer.Addr, Node: s.Node, Type: byte(kind), Body: bytes.Clone(body)}
	go func() {
		defer n.turn(func(time.Time) { n.talk.leave(peer) })
		f(m)
	}()
}

// SendMessage sends a message of a type from 0x07 on to a node that a session is up with, and waits for nothing. ErrNoRecord
// says that there is no session, ErrTooLarge that the message does not fit a packet.
func (n *Node) SendMessage(id enode.ID, addr netip.AddrPort, kind byte, body []byte) (err error) {
	if codec.MessageType(kind) < UnknownMessageType {
		return fmt.Errorf("core: message type 0x%02x is the node's own", kind)
	}
	if codec.MessagePacketSize(1+len(body)) > codec.MaxPacketSize {
		return ErrTooLarge
	}
	open := n.turn(func(now time.Time) {
		if !n.sessions.Respond(now, session.Peer{ID: id, Addr: unmapped(addr)}, append([]byte{kind}, body...)) {
			err = ErrNoRecord
			return
		}
		n.stats.MessagesSent[UnknownMessageType]++
	})
	if !open {
		return ErrClosed
	}
	return err
}
