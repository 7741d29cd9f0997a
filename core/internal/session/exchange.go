package session

import (
	"errors"
	"slices"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// MaxQueue is how many requests to one peer wait while a handshake with it is under way.
const MaxQueue = 8

// maxLingering is the number of exchanges from which on none is kept for the sake of a challenge that the peer may
// still hold.
const maxLingering = 4096

// Errors of [Machine.Send], and of a request that fails later (Result.Failed). They are package core's own, and speak as
// such.
var (
	ErrBusy     = errors.New("core: too many requests wait")
	ErrNoRecord = errors.New("core: no record of this node, which a handshake with it needs")
	ErrTooLarge = errors.New("core: message does not fit into a packet")
)

// Request is an outgoing request, from [Machine.Send] until [Machine.Forget].
type Request struct {
	Peer Peer
	// Owner is for whoever sent the request, to find what it belongs to.
	Owner any
	// Sent is when the request last went out, zero while it waits for a handshake.
	Sent time.Time

	node       *enode.Node // nil: taken from the session or Config.Known if a handshake is needed
	message    []byte
	ex         *exchange   // nil once forgotten
	nonce      codec.Nonce // of the packet that last carried it
	keys       *keySet     // it was last sealed with; nil: waits, or went out as a random packet
	challenged bool        // a handshake was started for it
	again      bool        // was sent a second time
}

// phase is where the opening of a session with a peer stands.
type phase byte

const (
	idle       phase = iota // nothing under way
	asking                  // a random packet is out; WHOAREYOU is to come
	working                 // a Job makes the handshake packet
	confirming              // the handshake packet is out; the first packet under its keys is to come
	resting                 // nobody had time for the Job; another start follows
)

// exchange is what is under way to one peer. It exists while the machine tracks a request to it, and a little longer
// where the peer may still hold a challenge for it: the repeats of that challenge carry the nonce of the first packet.
type exchange struct {
	peer     Peer
	phase    phase
	inFlight []*Request // on the wire, unanswered
	queue    []*Request // waiting for the handshake, at most MaxQueue
	job      *Job       // while working
	due      time.Time  // while confirming or resting: when that ends by itself
	knock    codec.Nonce
	knocked  time.Time // when asking began, zero after the second knock
	until    time.Time // up to when the peer may hold a challenge, zero for not at all

	// The last handshake packet sent and what it answered, for the case that it was lost. handshake is nil when there
	// is none.
	opening   codec.Nonce // of our packet that the challenge was for
	answered  [codec.ChallengeDataSize]byte
	handshake []byte
	keys      *keySet
	carried   *Request
	sent      time.Time
	repeated  bool
}

// Send starts a request: message is a plaintext of this protocol, kept until Forget. node is the peer's record where the
// caller has it; a handshake cannot do without one. ErrBusy says that MaxQueue requests wait already,
// ErrTooLarge that the message would not fit into a packet of an established session, ErrNoRecord that there is neither
// a session nor a record of this node.
func (m *Machine) Send(now time.Time, to Peer, node *enode.Node, message []byte) (*Request, error) {
	if codec.MessagePacketSize(len(message)) > codec.MaxPacketSize {
		return nil, ErrTooLarge
	}
	if node != nil && node.ID() != to.ID {
		return nil, ErrNoRecord
	}
	s := m.cache.lookup(to)
	if s == nil && m.record(to, node) == nil {
		return nil, ErrNoRecord
	}
	ex := m.exchanges[to]
	if ex == nil {
		ex = &exchange{peer: to}
		m.exchanges[to] = ex
	}
	if ex.phase != idle && len(ex.queue) >= MaxQueue {
		return nil, ErrBusy
	}
	r := &Request{Peer: to, node: node, message: message, ex: ex}
	switch {
	case ex.phase != idle:
		ex.queue = append(ex.queue, r)
	case s != nil:
		ex.inFlight = append(ex.inFlight, r)
		m.seal(now, s, r)
	default:
		ex.inFlight = append(ex.inFlight, r)
		m.ask(now, r)
	}
	return r, nil
}

// Forget ends a request: answered, timed out or given up. Forgetting twice is harmless.
func (m *Machine) Forget(now time.Time, r *Request) {
	ex := r.ex
	if ex == nil {
		return
	}
	r.ex = nil
	if i := slices.Index(ex.queue, r); i >= 0 {
		ex.queue = slices.Delete(ex.queue, i, i+1)
	}
	if i := slices.Index(ex.inFlight, r); i >= 0 {
		ex.inFlight = slices.Delete(ex.inFlight, i, i+1)
		m.unlist(ex, r.nonce)
	}
	if ex.carried == r {
		ex.carried = nil
	}
	if ex.phase == asking && !slices.ContainsFunc(ex.inFlight, ex.asks) {
		m.reopen(now, ex)
		return
	}
	m.release(now, ex)
}

// asks tells whether the random packet that is out stands for a request.
func (ex *exchange) asks(r *Request) bool { return r.keys == nil && r.nonce == ex.knock }

// busy tells whether the opening of a session is past the random packet.
func (ex *exchange) busy() bool {
	return ex.phase == working || ex.phase == confirming || ex.phase == resting
}

// reopen gives the opening of a session another start when the last one came to nothing: the next in line knocks.
func (m *Machine) reopen(now time.Time, ex *exchange) {
	ex.phase, ex.job = idle, nil
	if len(ex.queue) > 0 {
		next := ex.queue[0]
		ex.queue = slices.Delete(ex.queue, 0, 1)
		ex.inFlight = append(ex.inFlight, next)
		m.ask(now, next)
		return
	}
	if i := slices.IndexFunc(ex.inFlight, func(r *Request) bool { return !r.again }); i >= 0 {
		ex.inFlight[i].again = true
		m.ask(now, ex.inFlight[i])
		return
	}
	m.release(now, ex)
}

// rest puts another start off.
func (m *Machine) rest(now time.Time, ex *exchange) {
	ex.phase, ex.job, ex.due = resting, nil, now.Add(m.cfg.ConfirmAfter)
	m.openings.push(ex, ex.due)
}

// unlist drops a nonce of an exchange, unless the peer may still repeat a challenge for it.
func (m *Machine) unlist(ex *exchange, n codec.Nonce) {
	if n != ex.knock && (n != ex.opening || ex.handshake == nil) {
		delete(m.byNonce, n)
	}
}

// release drops an exchange without requests. One whose handshake packet is being made or confirmed stays until that
// is over, so that the session comes up; one that the peer may hold a challenge for stays as long as that lives.
func (m *Machine) release(now time.Time, ex *exchange) {
	if len(ex.inFlight) > 0 || len(ex.queue) > 0 || ex.busy() {
		return
	}
	ex.phase = idle
	if now.Before(ex.until) && len(m.exchanges) <= maxLingering {
		return
	}
	delete(m.byNonce, ex.knock)
	delete(m.byNonce, ex.opening)
	delete(m.exchanges, ex.peer)
}

// linger keeps an exchange for as long as the peer may hold a challenge that our packet of now caused.
func (m *Machine) linger(now time.Time, ex *exchange) {
	ex.until = now.Add(m.cfg.ChallengeLife)
	m.lingering.push(ex, ex.until)
}

// record finds the newest record that can name the peer's key.
func (m *Machine) record(p Peer, node *enode.Node) *enode.Node {
	if node != nil {
		return node
	}
	if s := m.cache.lookup(p); s != nil && s.Node != nil {
		return s.Node
	}
	return m.cfg.Known(p.ID)
}

// knockAgainAfter is when a random packet that nobody answered goes out once more: it may have been lost, or the peer
// may have held a challenge to a packet that we do not remember. Challenges live for 1 s in go-ethereum.
const knockAgainAfter = 1200 * time.Millisecond

// ask sends a random packet in place of the request: the peer cannot decrypt it and answers with WHOAREYOU.
func (m *Machine) ask(now time.Time, r *Request) {
	ex := r.ex
	ex.phase = asking
	if ex.knock == (codec.Nonce{}) {
		if ex.knock = r.nonce; r.nonce == (codec.Nonce{}) {
			m.cfg.Rand.Read(ex.knock[:])
		}
	}
	m.knock(ex)
	ex.knocked = now
	m.knocks.push(ex, now.Add(knockAgainAfter))
	m.list(now, r, nil, ex.knock)
	m.linger(now, ex)
}

// knock sends the random packet of an opening.
//
// Another random packet of the same opening has the nonce of the first. The peer answers it with the challenge that it
// holds already, which names that nonce.
func (m *Machine) knock(ex *exchange) {
	var random [codec.RandomPayloadSize]byte
	m.cfg.Rand.Read(random[:])
	to := ex.peer
	buf := m.cfg.Out.Buffer(to.Addr)
	m.cfg.Out.Queue(to.Addr, codec.AppendRandomPacket(buf, m.cfg.Protocol, codec.NewMask(to.ID), m.iv(), ex.knock, m.self, random[:]))
}

// knockAgain knocks once more if nobody answered.
func (m *Machine) knockAgain(now time.Time, a alarm) {
	ex := a.ex
	if m.exchanges[ex.peer] != ex || ex.phase != asking || !ex.knocked.Add(knockAgainAfter).Equal(a.at) || len(ex.inFlight) == 0 {
		return
	}
	ex.knocked = time.Time{}
	m.knock(ex)
	m.linger(now, ex)
}

// seal sends a request over an established session.
func (m *Machine) seal(now time.Time, s *Session, r *Request) {
	k := s.sealing()
	nonce := m.nonce(k)
	m.sealTo(s, k, nonce, r.message)
	m.cache.touch(s, false)
	m.list(now, r, k, nonce)
}

func (m *Machine) sealTo(s *Session, k *keySet, nonce codec.Nonce, message []byte) {
	buf := m.cfg.Out.Buffer(s.Peer.Addr)
	m.cfg.Out.Queue(s.Peer.Addr, codec.AppendMessagePacket(buf, m.cfg.Protocol, s.mask, m.iv(), nonce, m.self, k.seal, message))
}

// list notes which packet carries the request now.
func (m *Machine) list(now time.Time, r *Request, k *keySet, nonce codec.Nonce) {
	if r.nonce != nonce {
		m.unlist(r.ex, r.nonce)
	}
	r.nonce, r.keys, r.Sent = nonce, k, now
	m.byNonce[nonce] = r.ex
}

// settle ends the opening of a session: what the peer could not read is sent once more with the same request id, and
// the queue follows.
func (m *Machine) settle(now time.Time, ex *exchange, s *Session) {
	ex.phase, ex.job = idle, nil
	current := s.sealing()
	if current.confirmed {
		ex.until = time.Time{}
	}
	knock := ex.knock
	ex.knock = codec.Nonce{}
	m.unlist(ex, knock)
	for _, r := range ex.inFlight {
		if r.keys != current && !r.again {
			r.again = true
			m.seal(now, s, r)
		}
	}
	queue := ex.queue
	ex.queue = nil
	for _, r := range queue {
		ex.inFlight = append(ex.inFlight, r)
		m.seal(now, s, r)
	}
	m.release(now, ex)
}
