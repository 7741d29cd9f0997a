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

// Errors of [Machine.Send], and of a request that fails later (Result.Failed).
var (
	ErrBusy     = errors.New("session: too many requests wait for a handshake with this node")
	ErrNoRecord = errors.New("session: no record of this node, which a handshake with it needs")
	ErrTooLarge = errors.New("session: message does not fit into a packet")
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
	ex         *exchange
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
)

// exchange is what is under way to one peer. It exists while the machine tracks a request to it.
type exchange struct {
	peer     Peer
	phase    phase
	inFlight []*Request // on the wire, unanswered
	queue    []*Request // waiting for the handshake, at most MaxQueue
	job      *Job       // while working

	// The last handshake packet sent and what it answered, for the case that it was lost.
	opening   codec.Nonce
	answered  [codec.ChallengeDataSize]byte
	handshake []byte
	keys      *keySet
	carried   *Request
	sent      time.Time
	repeated  bool
}

// Send starts a request: message is a plaintext of this protocol, kept until Forget. node is the peer's record where the
// caller has it; a handshake cannot do without one. ErrBusy says that MaxQueue requests wait already,
// ErrTooLarge that the message would not fit into a packet of an established session.
func (m *Machine) Send(now time.Time, to Peer, node *enode.Node, message []byte) (*Request, error) {
	if codec.MessagePacketSize(len(message)) > codec.MaxPacketSize {
		return nil, ErrTooLarge
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
		m.seal(now, s, r)
	default:
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
		m.unlist(ex, r)
	}
	if ex.phase == asking && len(ex.inFlight) == 0 {
		// The packet that should have provoked a WHOAREYOU is out of time: the next in line knocks.
		m.reopen(now, ex)
		return
	}
	m.release(ex)
}

// reopen gives the opening of a session another start when the last one came to nothing: the next in line knocks.
func (m *Machine) reopen(now time.Time, ex *exchange) {
	ex.phase, ex.job = idle, nil
	if len(ex.queue) > 0 {
		next := ex.queue[0]
		ex.queue = slices.Delete(ex.queue, 0, 1)
		m.ask(now, next)
	}
	m.release(ex)
}

// unlist drops the nonce of a request, unless a lost handshake may still be asked for by it.
func (m *Machine) unlist(ex *exchange, r *Request) {
	if r.nonce != ex.opening || ex.handshake == nil {
		delete(m.byNonce, r.nonce)
	}
}

// release drops an exchange without requests. One whose handshake packet is being made or confirmed stays until that
// is over, so that the session comes up.
func (m *Machine) release(ex *exchange) {
	if len(ex.inFlight) > 0 || len(ex.queue) > 0 || ex.phase == working || ex.phase == confirming {
		return
	}
	if ex.handshake != nil {
		delete(m.byNonce, ex.opening)
		ex.handshake = nil
	}
	delete(m.exchanges, ex.peer)
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

// ask sends a random packet in place of the request: the peer cannot decrypt it and answers with WHOAREYOU.
func (m *Machine) ask(now time.Time, r *Request) {
	ex := r.ex
	ex.phase = asking
	var random [codec.RandomPayloadSize]byte
	m.cfg.Rand.Read(random[:])
	var nonce codec.Nonce
	m.cfg.Rand.Read(nonce[:])
	buf := m.cfg.Out.Buffer(r.Peer.Addr)
	m.cfg.Out.Queue(r.Peer.Addr, codec.AppendRandomPacket(buf, m.cfg.Protocol, codec.NewMask(r.Peer.ID), m.iv(), nonce, m.self, random[:]))
	ex.inFlight = append(ex.inFlight, r)
	m.list(now, r, nil, nonce)
}

// seal sends a request over an established session.
func (m *Machine) seal(now time.Time, s *Session, r *Request) {
	k := s.sealing()
	nonce := m.nonce(k)
	m.sealTo(s, k, nonce, r.message)
	if !slices.Contains(r.ex.inFlight, r) {
		r.ex.inFlight = append(r.ex.inFlight, r)
	}
	m.list(now, r, k, nonce)
}

func (m *Machine) sealTo(s *Session, k *keySet, nonce codec.Nonce, message []byte) {
	buf := m.cfg.Out.Buffer(s.Peer.Addr)
	m.cfg.Out.Queue(s.Peer.Addr, codec.AppendMessagePacket(buf, m.cfg.Protocol, s.mask, m.iv(), nonce, m.self, k.seal, message))
}

// list notes which packet carries the request now.
func (m *Machine) list(now time.Time, r *Request, k *keySet, nonce codec.Nonce) {
	if r.nonce != (codec.Nonce{}) {
		m.unlist(r.ex, r)
	}
	r.nonce, r.keys, r.Sent = nonce, k, now
	m.byNonce[nonce] = r.ex
}

// settle ends the opening of a session: what the peer could not read is sent once more with the same request id, and
// the queue follows.
func (m *Machine) settle(now time.Time, ex *exchange, s *Session) {
	ex.phase, ex.job = idle, nil
	current := s.sealing()
	for _, r := range ex.inFlight {
		if r.keys != current && !r.again {
			r.again = true
			m.seal(now, s, r)
		}
	}
	queue := ex.queue
	ex.queue = nil
	for _, r := range queue {
		m.seal(now, s, r)
	}
	m.release(ex)
}

// whoareyou handles the answer to a packet that the peer could not decrypt.
//
// The address must be the one that the request went to, the nonce that of the request, and a request gets one
// handshake.
func (m *Machine) whoareyou(now time.Time, from Peer, p *codec.Packet) Result {
	ex := m.byNonce[p.Nonce]
	if ex == nil {
		return dropped(DropUnsolicitedWhoareyou)
	}
	if ex.peer.Addr != from.Addr {
		return dropped(DropWrongAddress)
	}
	if ex.handshake != nil && p.Nonce == ex.opening {
		return m.repeatHandshake(now, ex, p)
	}
	i := slices.IndexFunc(ex.inFlight, func(r *Request) bool { return r.nonce == p.Nonce })
	if i < 0 {
		return dropped(DropUnsolicitedWhoareyou)
	}
	r := ex.inFlight[i]
	if r.challenged || ex.phase == working || ex.phase == confirming {
		return dropped(DropRepeatedWhoareyou)
	}
	r.challenged = true
	if r.keys != nil {
		r.keys.refused = true
	}
	node := m.record(ex.peer, r.node)
	if node == nil || node.Pubkey() == nil {
		return Result{Peer: ex.peer, Failed: r, Err: ErrNoRecord}
	}
	job := &Job{kind: initiate, peer: ex.peer, node: node, self: m.self, key: m.cfg.Key, request: r, enrSeq: p.ENRSeq}
	job.challenge = [codec.ChallengeDataSize]byte(p.Header)
	ex.phase, ex.job = working, job
	return Result{Peer: ex.peer, Job: job}
}

// repeatHandshake sends the handshake packet once more, byte for byte, when the peer repeats the challenge that it
// answered long after it should have arrived: it was lost.
func (m *Machine) repeatHandshake(now time.Time, ex *exchange, p *codec.Packet) Result {
	if ex.repeated || ex.keys.confirmed || now.Sub(ex.sent) < m.cfg.ConfirmAfter || [codec.ChallengeDataSize]byte(p.Header) != ex.answered {
		return dropped(DropRepeatedWhoareyou)
	}
	ex.repeated = true
	for _, r := range ex.inFlight {
		if r != ex.carried {
			r.keys = nil // the peer could not read it yet
		}
	}
	m.transmitHandshake(now, ex)
	return Result{Peer: ex.peer}
}

func (m *Machine) transmitHandshake(now time.Time, ex *exchange) {
	ex.phase, ex.sent = confirming, now
	m.confirming = append(m.confirming, confirmation{ex, now.Add(m.cfg.ConfirmAfter)})
	m.cfg.Out.Queue(ex.peer.Addr, append(m.cfg.Out.Buffer(ex.peer.Addr), ex.handshake...))
	m.stats.HandshakesSent++
}
