package session

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

type jobKind byte

const (
	initiate jobKind = iota // answer a WHOAREYOU
	accept                  // check a handshake packet
)

// Job is the elliptic-curve part of one handshake. Run may be called on any goroutine, once; then the job goes back to
// its machine by Finish, or by Abandon when nobody had time to run it.
type Job struct {
	kind      jobKind
	peer      Peer
	self      enode.ID
	key       *ecdsa.PrivateKey
	challenge [codec.ChallengeDataSize]byte

	// initiate
	node    *enode.Node
	request *Request
	opening codec.Nonce // of our packet that was challenged
	enrSeq  uint64

	// accept
	pending *challenge   // for the machine alone
	known   *enode.Node  // record that the challenge said we know, or nil
	packet  codec.Packet // its slices belong to the job
	verify  func([]byte) (*enode.Node, error)

	// results
	keys      codec.Keys
	handshake codec.Handshake
	message   []byte
	drop      Drop
}

var errIdentity = errors.New("session: record does not belong to the sender")

// Run does the work.
func (j *Job) Run() {
	if j.kind == initiate {
		j.initiate()
	} else {
		j.accept()
	}
}

func (j *Job) initiate() {
	ephemeral, err := crypto.GenerateKey()
	if err != nil {
		j.drop = DropCrypto
		return
	}
	copy(j.handshake.EphemeralKey[:], crypto.CompressPubkey(&ephemeral.PublicKey))
	j.handshake.Signature, err = codec.SignIDNonce(j.key, j.challenge[:], j.handshake.EphemeralKey, j.peer.ID)
	if err != nil {
		j.drop = DropCrypto
		return
	}
	secret := codec.ECDH(ephemeral, j.node.Pubkey())
	j.keys = codec.DeriveKeys(secret, j.challenge[:], j.self, j.peer.ID)
}

func (j *Job) accept() {
	node, err := j.sender()
	if err != nil {
		j.drop = DropBadRecord
		return
	}
	if node == nil || node.Pubkey() == nil {
		j.drop = DropMissingRecord
		return
	}
	j.node = node
	pub := node.Pubkey()
	if err := codec.VerifyIDNonce(j.packet.Signature, pub, j.challenge[:], j.packet.EphemeralKey, j.self); err != nil {
		j.drop = DropBadSignature
		return
	}
	ephemeral, err := codec.ParseEphemeralKey(j.packet.EphemeralKey)
	if err != nil {
		j.drop = DropBadEphemeralKey
		return
	}
	j.keys = codec.DeriveKeys(codec.ECDH(j.key, ephemeral), j.challenge[:], j.peer.ID, j.self)
	j.message, err = codec.NewCipher(j.keys.Initiator).Open(j.packet.Ciphertext[:0], &j.packet)
	if err != nil {
		j.drop = DropBadCiphertext
	}
}

// sender returns the record that names the sender's key: the newer of the one in the packet and the one that we said
// we know.
func (j *Job) sender() (*enode.Node, error) {
	if len(j.packet.Record) == 0 {
		return j.known, nil
	}
	node, err := j.verify(j.packet.Record)
	if err != nil {
		return nil, err
	}
	if node.ID() != j.peer.ID {
		return nil, errIdentity
	}
	if j.known != nil && j.known.Seq() > node.Seq() {
		return j.known, nil
	}
	return node, nil
}

// Finish takes back a job that was run.
func (m *Machine) Finish(now time.Time, j *Job) (r Result) {
	if j.kind == accept {
		r = m.accepted(now, j)
	} else {
		r = m.initiated(now, j)
	}
	if r.Drop != 0 {
		m.stats.Drops[r.Drop]++
	}
	return r
}

// accepted brings up the session that a peer opened.
func (m *Machine) accepted(now time.Time, j *Job) Result {
	if j.drop != 0 {
		return dropped(j.drop)
	}
	if j.pending.spent {
		return dropped(DropNoChallenge) // another packet answered the challenge first
	}
	j.pending.spent = true
	m.challenges.settle(j.pending)
	m.stats.HandshakesAccepted++
	k := &keySet{
		seal: codec.NewCipher(j.keys.Recipient), open: codec.NewCipher(j.keys.Initiator),
		confirmed: true, opened: now,
	}
	ex := m.exchanges[j.peer]
	s, evicted := m.install(now, j.peer, k, ex != nil)
	if s.Node == nil || s.Node.Seq() <= j.node.Seq() {
		s.Node = j.node
	}
	r := Result{Peer: j.peer, Session: s, Message: j.message, Established: true, Handshake: true, Evicted: evicted}
	if len(j.packet.Record) > 0 {
		r.Record = j.node
	}
	if ex != nil {
		if ex.phase == confirming && !ex.keys.confirmed {
			s.twin = ex.keys
		}
		m.settle(now, ex, s)
	}
	return r
}

// install adds keys to the session with a peer, and the session where there is none. ours tells that we want to talk
// to this peer, who is no stranger then.
func (m *Machine) install(now time.Time, p Peer, k *keySet, ours bool) (s, evicted *Session) {
	s = m.cache.lookup(p)
	if s == nil {
		s = &Session{Peer: p, mask: codec.NewMask(p.ID)}
		evicted = m.cache.add(s, ours)
		if evicted != nil {
			m.stats.SessionsEvicted++
		}
	} else {
		m.cache.touch(s, ours)
	}
	s.install(now, k)
	return s, evicted
}

// clonePacket copies a handshake packet out of the buffer that it was received in.
func clonePacket(p *codec.Packet) codec.Packet {
	c := *p
	c.Signature = bytes.Clone(p.Signature)
	c.EphemeralKey = bytes.Clone(p.EphemeralKey)
	c.Record = bytes.Clone(p.Record)
	c.Header = bytes.Clone(p.Header)
	c.Ciphertext = bytes.Clone(p.Ciphertext)
	return c
}

// Ours tells whether the job serves a request of our own, rather than a stranger.
func (j *Job) Ours() bool { return j.kind == initiate }
