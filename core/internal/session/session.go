package session

import (
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/limit"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxKeySets bounds the key sets of a session: the newest, and those it replaced. Two simultaneous handshakes need
// two, a third covers the session that stood before them.
const maxKeySets = 3

// Session is an established session with one peer. It is valid until the machine's next step; whoever wants to
// answer later keeps the Peer and calls [Machine.Respond].
type Session struct {
	Peer Peer
	// Node is the newest record that the peer itself sent in a handshake, or the one that it was verified with.
	Node *enode.Node
	// Requests limits the peer's requests; its owner is whoever owns the machine.
	Requests limit.Bucket

	mask *codec.Mask // of the peer's id
	keys []*keySet   // newest first, at most maxKeySets
	last *keySet     // the one of keys that authenticated the latest packet, nil before any has
	// twin are the keys of our own handshake when the peer's came in before ours was confirmed. A peer that keeps a
	// single set has one or the other, so answers go out under both until its next packet tells.
	twin *keySet

	prev, next *Session // in its cache list
	main       bool     // which list
}

// keySet is what one handshake agreed on.
type keySet struct {
	seal, open *codec.Cipher
	counter    uint32    // of the next nonce
	confirmed  bool      // has authenticated a packet
	refused    bool      // the peer answered a packet sealed with it by WHOAREYOU, and has not used it since
	opened     time.Time // when it last authenticated a packet
	replaced   time.Time // when a newer set came; zero for the newest
}

// install puts the keys of a finished handshake in front.
func (s *Session) install(now time.Time, k *keySet) {
	s.twin = nil
	if len(s.keys) > 0 {
		s.keys[0].replaced = now
	}
	if len(s.keys) == maxKeySets {
		if s.last == s.keys[maxKeySets-1] {
			s.last = nil
		}
		s.keys = s.keys[:maxKeySets-1]
	}
	s.keys = append(s.keys, nil)
	copy(s.keys[1:], s.keys)
	s.keys[0] = k
	if k.confirmed {
		s.last = k
	}
}

// sealing returns the keys that encrypt: those that the peer used last, before it has used any the newest.
//
// The newest that authenticated a packet would not do: after two simultaneous handshakes a peer that keeps a single set
// may keep the one that is the older here, and could read nothing of what the other seals.
//
// Keys that the peer refused do not encrypt until it uses them itself: it told us that it lost them, so the newer ones
// are all that is left, authenticated or not. A forged refusal thus cannot part two peers for good.
func (s *Session) sealing() *keySet {
	if s.last != nil && !s.last.refused {
		return s.last
	}
	for _, k := range s.keys {
		if k.confirmed && !k.refused {
			return k
		}
	}
	return s.keys[0]
}

// open decrypts a packet into dst with the newest keys, then with those that they replaced. It returns nil keys when
// none fits.
func (s *Session) open(now time.Time, dst []byte, p *codec.Packet, keep time.Duration) ([]byte, *keySet) {
	for _, k := range s.keys {
		message, err := k.open.Open(dst, p)
		if err != nil {
			continue
		}
		k.confirmed, k.refused, k.opened = true, false, now // who seals with them has them
		s.last, s.twin = k, nil
		if len(s.keys) > 1 {
			s.retire(now, keep)
		}
		return message, k
	}
	return nil, nil
}

// retire drops replaced keys that nobody needs any more: a response timeout has passed since they were replaced and
// since the peer last used them, and it has used newer ones meanwhile. As long as the peer seals with replaced keys they
// stay: after two simultaneous handshakes the sides hold the two key sets in opposite order.
func (s *Session) retire(now time.Time, keep time.Duration) {
	newest := s.keys[0]
	kept := s.keys[:1]
	for _, k := range s.keys[1:] {
		if now.Sub(k.replaced) <= keep || now.Sub(k.opened) <= keep || !newest.confirmed || newest.opened.Before(k.opened) {
			kept = append(kept, k)
		}
	}
	clear(s.keys[len(kept):])
	s.keys = kept
}
