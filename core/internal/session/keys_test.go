package session

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/discv5/host/codec"
)

// The first 32 bits of a nonce count the packets under a key; the handshake packet is number 0.
func TestNonceCounts(t *testing.T) {
	w, a, b := pair(t)
	counter := func(p codec.Packet) uint32 { return binary.BigEndian.Uint32(p.Nonce[:4]) }
	a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	if got := counter(w.sent(0)); got != 0 {
		t.Errorf("the handshake packet has number %d", got)
	}
	w.deliver(w.take(0))
	if got := counter(w.sent(0)); got != 0 {
		t.Errorf("the first packet of the acceptor has number %d", got)
	}
	w.settle()
	seen := make(map[codec.Nonce]bool)
	for want := uint32(1); want < 50; want++ {
		a.pings(b)
		p := w.sent(0)
		if got := counter(p); got != want || seen[p.Nonce] {
			t.Fatalf("packet %d has number %d", want, got)
		}
		seen[p.Nonce] = true
		w.settle()
	}
	k := a.m.Session(b.peer()).keys[0]
	if k.counter != 50 {
		t.Errorf("the counter stands at %d", k.counter)
	}
	n := a.m.nonce(&keySet{counter: 1<<32 - 1})
	if n[0] != 0xff || n[3] != 0xff {
		t.Errorf("the last nonce of a counter is %x", n)
	}
}

// crossed opens sessions from both sides in the same instant, so that each side ranks the other's handshake first.
func crossed(t testing.TB) (w *world, a, b *host) {
	w, a, b = pair(t)
	x, y := a.pings(b), b.pings(a)
	for range 2 { // the random packets, then the challenges, cross
		d, e := w.take(0), w.take(0)
		w.deliver(d)
		w.deliver(e)
	}
	w.wantSent("both answer the challenge of the other", codec.FlagHandshake, codec.FlagHandshake)
	w.settle()
	x.mustBeAnswered("one way")
	y.mustBeAnswered("the other way")
	if len(a.m.Session(b.peer()).keys) != 2 || len(b.m.Session(a.peer()).keys) != 2 {
		t.Fatal("each side should hold the keys of both handshakes")
	}
	return w, a, b
}

// After handshakes that crossed, the two sides rank the two key sets differently. Both stay as long as both are used.
func TestCrossedHandshakesLast(t *testing.T) {
	w, a, b := crossed(t)
	sent := a.m.Stats().HandshakesSent + b.m.Stats().HandshakesSent
	if sent != 2 {
		t.Fatalf("%d handshakes", sent)
	}
	for _, idle := range []time.Duration{0, responseTimeout - 1, responseTimeout, responseTimeout + 1, time.Minute, time.Hour, 48 * time.Hour} {
		w.passes(idle)
		a.mustPing(b)
		w.passes(idle)
		b.mustPing(a)
		w.passes(idle)
		a.mustPing(b)
	}
	if got := a.m.Stats().HandshakesSent + b.m.Stats().HandshakesSent; got != sent {
		t.Errorf("%d more handshakes after idle times", got-sent)
	}
	if got := a.m.Stats().DecryptFailures + b.m.Stats().DecryptFailures; got != 0 {
		t.Errorf("%d packets could not be decrypted", got)
	}
}

// Only one side talks: the keys that it seals with, second in the other's rank, must not go.
func TestCrossedHandshakesWithOneTalker(t *testing.T) {
	w, a, b := crossed(t)
	for range 100 {
		w.passes(time.Minute)
		a.mustPing(b)
	}
	w.passes(time.Hour)
	b.mustPing(a)
	if got := a.m.Stats().HandshakesSent + b.m.Stats().HandshakesSent; got != 2 {
		t.Errorf("%d handshakes", got)
	}
}

// Keys that newer ones replaced open packets for one response timeout, and no longer than until then once the peer has
// moved on.
func TestReplacedKeys(t *testing.T) {
	for _, tc := range []struct {
		late time.Duration
		open bool
	}{{0, true}, {time.Second, true}, {responseTimeout, true}, {responseTimeout + time.Millisecond, false}} {
		w, a, b := friends(t)
		a.pings(b) // under the first keys, and on its way for long
		late := w.take(0)
		a.loses(b)
		a.mustPing(b) // a new handshake
		w.passes(tc.late)
		a.mustPing(b) // the peer has moved on
		served := b.served
		b.gets(late.from, late.data)
		if got := b.served > served; got != tc.open {
			t.Errorf("%v after the replacement the old keys open: %v", tc.late, got)
		}
		if n := len(b.m.Session(a.peer()).keys); tc.open != (n == 2) {
			t.Errorf("%d key sets", n)
		}
	}
}

func TestKeySetsAreBounded(t *testing.T) {
	w, a, b := friends(t)
	for range 10 {
		a.loses(b)
		a.mustPing(b)
		w.check()
	}
	if n := len(b.m.Session(a.peer()).keys); n != maxKeySets {
		t.Errorf("%d key sets", n)
	}
}

// Keys that the peer has lost do not encrypt any more, even before the new ones have authenticated a packet.
func TestRefusedKeysDoNotSeal(t *testing.T) {
	w, a, b := friends(t)
	old := a.m.Session(b.peer()).keys[0]
	b.loses(a)
	a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	s := a.m.Session(b.peer())
	if !old.refused || s.sealing() == old || s.sealing() != s.keys[0] || s.keys[0].confirmed {
		t.Error("the keys that the peer refused still seal")
	}
	w.settle()
	if got := s.sealing(); got != s.keys[0] || !got.confirmed {
		t.Error("the new keys are not confirmed")
	}
}

// A refusal that somebody on the path forged is void once the peer uses the keys: both sides still understand each
// other, whoever asks.
func TestForgedRefusalIsVoid(t *testing.T) {
	w, a, b := friends(t)
	b.pings(a)
	forged := codec.AppendWhoareyou(nil, codec.DefaultProtocolID, b.m.mask, codec.IV{}, w.sent(0).Nonce, codec.IDNonce{}, 0)
	w.lost()
	b.gets(a.addr, forged)
	w.wantSent("the forged challenge is answered", codec.FlagHandshake)
	w.settle()
	w.passes(confirmAfter)
	w.settle()
	for range 3 { // a alone asks
		a.mustPing(b)
		w.passes(time.Minute)
	}
	b.mustPing(a)
}

// Before any keys have authenticated a packet the newest seal, afterwards the newest that have.
func TestWhichKeysSeal(t *testing.T) {
	old, newer := &keySet{}, &keySet{}
	s := &Session{keys: []*keySet{newer, old}}
	if s.sealing() != newer {
		t.Error("none confirmed: want the newest")
	}
	old.confirmed = true
	if s.sealing() != old {
		t.Error("want the newest that is confirmed")
	}
	newer.confirmed = true
	if s.sealing() != newer {
		t.Error("both confirmed: want the newest")
	}
	newer.refused, old.refused = true, true
	if s.sealing() != newer {
		t.Error("both refused: want the newest")
	}
}

// 2000 peers in a cache for 4096: nobody shakes hands twice.
func TestManyPeersKeepTheirSessions(t *testing.T) {
	w := newWorld(t)
	hub := w.host("hub")
	for i := range 2000 {
		w.host(fmt.Sprint("peer ", i))
	}
	peers := w.hosts[1:]
	w.hosts = w.hosts[:1] // invariants of the hub alone; delivery by hand below
	exchange := func(p *host, c *call) {
		for len(w.wire) > 0 {
			d := w.take(0)
			if d.to == hub.addr {
				hub.gets(d.from, d.data)
			} else {
				p.gets(d.from, d.data)
			}
		}
		c.mustBeAnswered("a PING")
	}
	for i, p := range peers {
		if i%2 == 0 {
			exchange(p, p.pings(hub))
		} else {
			exchange(p, hub.pings(p))
		}
	}
	w.check()
	for _, p := range peers {
		exchange(p, p.pings(hub))
		exchange(p, hub.pings(p))
	}
	w.check()
	stats := hub.m.Stats()
	if n := stats.HandshakesSent + stats.HandshakesAccepted; n != 2000 || stats.Sessions != 2000 || stats.SessionsEvicted != 0 {
		t.Errorf("%d handshakes, %d sessions, %d pushed out", n, stats.Sessions, stats.SessionsEvicted)
	}
}
