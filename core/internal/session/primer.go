package session

import (
	"time"

	"github.com/discv5/host/codec"
)

// maxPrimers bounds the PINGs of the machine whose PONG is awaited. A PONG that is not recognised is only counted
// as unsolicited.
const maxPrimers = 1024

// primers are the PINGs that took a request's place in a handshake packet, each for one response timeout.
type primers struct {
	peers map[codec.RequestID]Peer
	order []primer // oldest first; those already answered are skipped
}

type primer struct {
	id      codec.RequestID
	expires time.Time
}

func (p *primers) add(id codec.RequestID, peer Peer, expires time.Time) {
	if len(p.order) >= maxPrimers {
		delete(p.peers, p.order[0].id)
		p.order = p.order[1:]
	}
	p.peers[id] = peer
	p.order = append(p.order, primer{id, expires})
}

func (p *primers) expire(now time.Time) {
	for len(p.order) > 0 && !now.Before(p.order[0].expires) {
		delete(p.peers, p.order[0].id)
		p.order = p.order[1:]
	}
}

// next tells when expire has work, zero for never.
func (p *primers) next() time.Time {
	if len(p.order) == 0 {
		return time.Time{}
	}
	return p.order[0].expires
}

// primer makes the PING that takes the place of a request in a handshake packet.
func (m *Machine) primer(now time.Time, p Peer) []byte {
	var b [codec.MaxRequestIDSize]byte
	m.cfg.Rand.Read(b[:])
	id, _ := codec.NewRequestID(b[:]) // b has the right length
	m.primers.add(id, p, now.Add(m.cfg.KeepReplaced))
	return codec.Ping{RequestID: id, ENRSeq: m.cfg.Record().Seq()}.Append(nil)
}

// Primed tells whether a PONG answers a PING that the machine put into a handshake packet, and forgets that PING.
func (m *Machine) Primed(p Peer, id codec.RequestID) bool {
	if peer, ok := m.primers.peers[id]; !ok || peer != p {
		return false
	}
	delete(m.primers.peers, id)
	return true
}
