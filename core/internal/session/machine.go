package session

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// MaxChallengesPerSource is how many challenges may be outstanding to one IPv4 address or IPv6 /64. Loopback and LAN
// addresses are exempt.
const MaxChallengesPerSource = 64

// Peer names a session: a node at an address. The same node at another address is another session.
type Peer struct {
	ID   enode.ID
	Addr netip.AddrPort
}

// Outbox takes the datagrams that a step of the machine wants sent.
type Outbox interface {
	// Buffer returns an empty buffer with room for codec.MaxPacketSize bytes, for one datagram to addr.
	Buffer(to netip.AddrPort) []byte
	// Queue takes the filled buffer.
	Queue(to netip.AddrPort, datagram []byte)
}

// Limits says how much work strangers may cause.
type Limits interface {
	AllowChallenge(now time.Time, from netip.Addr) bool // one WHOAREYOU to from
	AllowHandshake(now time.Time, from netip.Addr) bool // one check of a handshake packet
	Banned(now time.Time, id enode.ID) bool             // packets that claim to be of id lead to nothing
}

// Config is what a machine needs. All fields are required.
type Config struct {
	Key           *ecdsa.PrivateKey
	Protocol      codec.ProtocolID
	Record        func() *enode.Node                    // the local record
	RecordRLP     func() []byte                         // its encoding
	Known         func(enode.ID) *enode.Node            // newest record known of a node, or nil
	Verify        func(rlp []byte) (*enode.Node, error) // checks a record; called by jobs, on any goroutine
	Out           Outbox
	Limits        Limits
	Capacity      int           // sessions
	MaxChallenges int           // outstanding
	ChallengeLife time.Duration // of one challenge
	ConfirmAfter  time.Duration // how long a handshake packet may stay without an answer until its keys are used anyway
	KeepReplaced  time.Duration // how long replaced keys open packets at least
	Rand          *rand.ChaCha8 // nonces, masking IVs, request ids of primers; seeded from the system
}

// Machine holds the sessions of one node. It has one owner at a time.
type Machine struct {
	// set before the first step, then read-only
	cfg  Config
	self enode.ID
	mask *codec.Mask

	// owned by the owner
	cache      *cache
	challenges *challenges
	exchanges  map[Peer]*exchange
	byNonce    map[codec.Nonce]*exchange // by the nonce of a packet that may be answered with WHOAREYOU
	openings   alarms                    // handshakes that count as done, openings that start over
	knocks     alarms                    // random packets that may go out again
	lingering  alarms                    // exchanges that are kept no longer
	primers    primers
	stats      Stats
	scratch    [codec.MaxPacketSize]byte // decrypted message of this step
}

// Result is what a step led to.
type Result struct {
	Peer        Peer
	Session     *Session    // that Message came over
	Message     []byte      // decrypted, nil when there is none; valid until the next step
	Handshake   bool        // Message came in a handshake packet
	Established bool        // the peer opened a session with us
	Opened      bool        // the peer's first packet over a session that we opened
	Record      *enode.Node // verified: the one that the peer sent in its handshake, or a newer one that was known; nil if it sent none
	Evicted     *Session    // pushed out of the cache, or nil
	Job         *Job        // to be run and handed back, or nil
	Failed      *Request    // cannot be answered any more, because of Err
	Err         error
	Drop        Drop // why nothing came of it, 0 otherwise
}

func dropped(d Drop) Result { return Result{Drop: d} }

// New returns a machine.
func New(cfg Config) *Machine {
	self := enode.PubkeyToIDV4(&cfg.Key.PublicKey)
	return &Machine{
		cfg: cfg, self: self, mask: codec.NewMask(self),
		cache:      newCache(cfg.Capacity),
		challenges: newChallenges(cfg.MaxChallenges, MaxChallengesPerSource),
		exchanges:  make(map[Peer]*exchange),
		byNonce:    make(map[codec.Nonce]*exchange),
		primers:    primers{peers: make(map[codec.RequestID]Peer)},
	}
}

// HandlePacket takes one datagram and unmasks its header in place; a Job keeps a copy of what it needs.
func (m *Machine) HandlePacket(now time.Time, from netip.AddrPort, datagram []byte) Result {
	r := m.handlePacket(now, from, datagram)
	if r.Drop != 0 {
		m.stats.Drops[r.Drop]++
	}
	return r
}

func (m *Machine) handlePacket(now time.Time, from netip.AddrPort, datagram []byte) Result {
	p, err := codec.ParsePacket(datagram, m.cfg.Protocol, m.mask)
	if err != nil {
		return dropped(DropMalformed)
	}
	peer := Peer{p.SrcID, from}
	if p.Flag != codec.FlagWhoareyou && m.cfg.Limits.Banned(now, p.SrcID) {
		return dropped(DropBanned)
	}
	switch p.Flag {
	case codec.FlagMessage:
		return m.ordinary(now, peer, &p)
	case codec.FlagWhoareyou:
		return m.whoareyou(now, peer, &p)
	default:
		return m.handshake(now, peer, &p)
	}
}

// ordinary handles a message packet.
//
// What cannot be decrypted is challenged, and never touches the session: anybody can forge such a packet.
func (m *Machine) ordinary(now time.Time, peer Peer, p *codec.Packet) Result {
	if peer.ID == m.self {
		return dropped(DropSelf)
	}
	s := m.cache.lookup(peer)
	if s == nil {
		m.stats.SessionMisses++
		return Result{Peer: peer, Drop: m.challenge(now, peer, p.Nonce)}
	}
	opened := s.last == nil
	message, k := s.open(now, m.scratch[:0], p, m.cfg.KeepReplaced)
	if k == nil {
		m.stats.DecryptFailures++
		return Result{Peer: peer, Drop: m.challenge(now, peer, p.Nonce)}
	}
	m.stats.SessionHits++
	m.cache.touch(s, true)
	if len(m.exchanges) > 0 {
		if ex := m.exchanges[peer]; ex != nil && ex.phase == confirming && ex.keys == k {
			m.settle(now, ex, s)
		}
	}
	return Result{Peer: peer, Session: s, Message: message, Opened: opened}
}

// handshake handles the answer to a challenge of ours.
func (m *Machine) handshake(now time.Time, peer Peer, p *codec.Packet) Result {
	m.challenges.expire(now)
	ch := m.challenges.byPeer[peer]
	switch {
	case ch == nil:
		return dropped(DropNoChallenge)
	case ch.tries >= maxTries:
		return dropped(DropTries)
	case !m.cfg.Limits.AllowHandshake(now, peer.Addr.Addr()):
		return dropped(DropHandshakeLimit)
	}
	ch.tries++
	return Result{Peer: peer, Job: &Job{
		kind: accept, peer: peer, self: m.self, key: m.cfg.Key, challenge: ch.data,
		pending: ch, known: ch.node, packet: clonePacket(p), verify: m.cfg.Verify,
	}}
}

// Respond sends a message to a peer over the session that is up with it. It reports whether there is one: a response
// without a session is dropped, a random packet in its place would only confuse the peer.
func (m *Machine) Respond(now time.Time, to Peer, message []byte) bool {
	s := m.cache.lookup(to)
	if s == nil {
		return false
	}
	m.cache.touch(s, false)
	return m.Reply(s, message)
}

// Reply is Respond over the session that a Result brought, in the same step. It reports whether the message fits into
// a packet.
func (m *Machine) Reply(s *Session, message []byte) bool {
	if codec.MessagePacketSize(len(message)) > codec.MaxPacketSize {
		return false
	}
	k := s.sealing()
	m.sealTo(s, k, m.nonce(k), message)
	if s.twin != nil {
		m.sealTo(s, s.twin, m.nonce(s.twin), message)
	}
	return true
}

// Advance does what time brings: challenges expire, unconfirmed handshakes count as done, what was kept for the sake of
// late packets goes.
func (m *Machine) Advance(now time.Time) {
	m.challenges.expire(now)
	m.primers.expire(now)
	for a := m.openings.pop(now); a.ex != nil; a = m.openings.pop(now) {
		m.openingDue(now, a)
	}
	for a := m.knocks.pop(now); a.ex != nil; a = m.knocks.pop(now) {
		m.knockAgain(now, a)
	}
	for a := m.lingering.pop(now); a.ex != nil; a = m.lingering.pop(now) {
		if m.exchanges[a.ex.peer] == a.ex {
			m.release(now, a.ex)
		}
	}
}

// openingDue ends the wait for the confirmation of a handshake, or for another start.
func (m *Machine) openingDue(now time.Time, a alarm) {
	if a.at != a.ex.due || !a.ex.busy() || a.ex.phase == working {
		return // over meanwhile
	}
	s := m.cache.lookup(a.ex.peer)
	if a.ex.phase == confirming && s != nil {
		m.settle(now, a.ex, s)
	} else {
		m.reopen(now, a.ex) // nobody ran the job, or the session was pushed out
	}
}

// Next tells when Advance has work, zero for never.
func (m *Machine) Next() time.Time {
	next := earlier(m.challenges.next(), m.primers.next())
	return earlier(next, earlier(m.knocks.next(), earlier(m.openings.next(), m.lingering.next())))
}

// Session returns the session with a peer, or nil.
func (m *Machine) Session(p Peer) *Session { return m.cache.lookup(p) }

// Sessions calls yield for every session until it returns false. The order is undefined.
func (m *Machine) Sessions(yield func(*Session) bool) {
	for _, s := range m.cache.sessions {
		if !yield(s) {
			return
		}
	}
}

// End drops the session with a peer, if there is one, and any challenge to it. Requests under way stay.
func (m *Machine) End(p Peer) {
	if s := m.cache.lookup(p); s != nil {
		m.cache.remove(s)
	}
	if ch := m.challenges.byPeer[p]; ch != nil {
		ch.spent = true
		m.challenges.settle(ch)
	}
}

// nonce makes the nonce of the next packet under k: a counter, so that none repeats, and random bits.
func (m *Machine) nonce(k *keySet) (n codec.Nonce) {
	binary.BigEndian.PutUint32(n[:4], k.counter)
	k.counter++
	binary.BigEndian.PutUint64(n[4:], m.cfg.Rand.Uint64())
	return n
}

func (m *Machine) iv() (iv codec.IV) {
	binary.BigEndian.PutUint64(iv[:8], m.cfg.Rand.Uint64())
	binary.BigEndian.PutUint64(iv[8:], m.cfg.Rand.Uint64())
	return iv
}

func (m *Machine) idNonce() (n codec.IDNonce) {
	m.cfg.Rand.Read(n[:])
	return n
}
