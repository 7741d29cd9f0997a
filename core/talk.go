package core

import (
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
	Payload  []byte      // a TalkHandler may keep it; an AsyncTalkHandler has it only until StartTalk returns
	Deadline time.Time   // the host answers empty then
}

// TalkHandler serves a TALK protocol. ServeTalk runs on a goroutine of its own, many at a time. It returns the payload of
// the response, at most codec.MaxTalkResponse bytes; an error, a panic, a longer payload or the deadline of ctx makes the
// response empty. ctx also ends when the node is closed, and Close waits about a second for handlers.
type TalkHandler interface {
	ServeTalk(ctx context.Context, r TalkRequest) ([]byte, error)
}

// TalkFunc is a function as a TalkHandler.
type TalkFunc func(ctx context.Context, r TalkRequest) ([]byte, error)

// ServeTalk calls f.
func (f TalkFunc) ServeTalk(ctx context.Context, r TalkRequest) ([]byte, error) { return f(ctx, r) }

// AsyncTalkHandler serves a TALK protocol without a goroutine for each request: whoever gets the answers from elsewhere,
// such as from another process, notes p and hands the response in later, with [PendingTalk.Answer] or, for several at a
// time, with [Node.AnswerTalk].
//
// StartTalk is called in the middle of the node's work, by one goroutine at a time. It must not block and must not call the
// node, nor answer p before it returns; what it keeps of r.Payload it copies. To answer at once, such as empty because too
// much waits already, it returns that response and true; p is over then. A panic answers empty.
//
// The node sends an empty response at r.Deadline. It needs no answer to p then, and none after Close.
type AsyncTalkHandler interface {
	StartTalk(r TalkRequest, p *PendingTalk) (response []byte, done bool)
}

// PendingTalk is a TALK request that waits for its answer. The first answer in time counts; any other one is dropped and
// counted as Stats.TalkLate.
type PendingTalk struct {
	// set before a handler sees it, then read-only
	n        *Node
	protocol *protocol
	within   time.Duration // from the request to late
	peer     session.Peer
	id       codec.RequestID

	// owned by the turn
	over   bool // answered, or too late
	failed bool // the handler has nothing to say
	late   *timer
}

// Answer sends the response, at most codec.MaxTalkResponse bytes; a longer one is sent empty. The payload is copied. It may be
// called from any goroutine, at any time after StartTalk has returned.
func (p *PendingTalk) Answer(payload []byte) { p.n.AnswerTalk(TalkAnswer{p, payload}) }

// TalkAnswer is the response to a request. An empty one says that there is nothing to say.
type TalkAnswer struct {
	To      *PendingTalk
	Payload []byte
}

// AnswerTalk is PendingTalk.Answer for several requests: they cost one turn, and leave in as few system calls as they can. The
// node does nothing else meanwhile, about a microsecond per answer: a few hundred at a time are enough.
func (n *Node) AnswerTalk(answers ...TalkAnswer) {
	n.turn(func(now time.Time) {
		for _, a := range answers {
			if a.To != nil && a.To.n == n {
				a.To.end(now, a.Payload)
			}
		}
	})
}

// Handle makes h serve a TALK protocol, named by its exact bytes, until the returned function is called. ErrProtocolTaken
// says that another handler does, ErrTooLarge that no request with such a long name fits into a packet.
func (n *Node) Handle(protocol string, h TalkHandler) (remove func(), err error) {
	return n.register(protocol, newProtocol(protocol, h, nil, nil))
}

// HandleAsync is Handle for a handler that answers later.
func (n *Node) HandleAsync(protocol string, h AsyncTalkHandler) (remove func(), err error) {
	return n.register(protocol, newProtocol(protocol, nil, h, nil))
}

func (n *Node) register(name string, p *protocol) (remove func(), err error) {
	if codec.MaxTalkRequest([]byte(name)) < 0 {
		return nil, fmt.Errorf("%w: protocol name of %d bytes", ErrTooLarge, len(name))
	}
	open := n.turn(func(time.Time) {
		if n.talk.protocols[name] != nil {
			err = fmt.Errorf("%w: %q", ErrProtocolTaken, name)
			return
		}
		p.stats = n.talk.served(name)
		n.talk.protocols[name] = p
	})
	if !open {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	return func() {
		n.turn(func(time.Time) {
			if n.talk.protocols[name] == p {
				delete(n.talk.protocols, name)
			}
		})
	}, nil
}

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

// HandleUnknown makes f receive messages of types from 0x07 on, on goroutines of their own and within the same limits as the
// requests of one TALK protocol; nil ends that. f should return within Config.Talk.Deadline; a panic is its own. Without
// f such messages are counted and dropped. Answer with SendMessage.
func (n *Node) HandleUnknown(f func(UnknownMessage)) {
	n.turn(func(time.Time) {
		n.talk.unknown = nil
		if f != nil {
			n.talk.unknown = newProtocol("", nil, nil, f)
		}
	})
}

// SendMessage sends a message of a type from 0x07 on to a node that a session is up with, and waits for nothing. ErrNoSession
// says that there is none, ErrTooLarge that the message does not fit a packet.
func (n *Node) SendMessage(id enode.ID, addr netip.AddrPort, kind byte, body []byte) (err error) {
	if codec.MessageType(kind) < UnknownMessageType {
		return fmt.Errorf("core: message type 0x%02x is the node's own", kind)
	}
	if codec.MessagePacketSize(1+len(body)) > codec.MaxPacketSize {
		return ErrTooLarge
	}
	open := n.turn(func(now time.Time) {
		peer := session.Peer{ID: id, Addr: unmapped(addr)}
		if !n.sessions.Respond(now, peer, append(append(n.message[:0], kind), body...)) {
			err = ErrNoSession
			return
		}
		n.reach.Contacted(now, peer.Addr.Addr())
		n.stats.MessagesSent[UnknownMessageType]++
	})
	if !open {
		return ErrClosed
	}
	return err
}
