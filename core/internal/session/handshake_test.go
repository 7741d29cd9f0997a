package session

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
)

func TestFirstContact(t *testing.T) {
	w, a, b := pair(t)
	c := a.pings(b)
	w.wantSent("a stranger is asked with a random packet", codec.FlagMessage)
	if n := len(w.sent(0).Ciphertext); n != codec.RandomPayloadSize {
		t.Errorf("the random packet carries %d bytes", n)
	}
	nonce := w.sent(0).Nonce
	w.deliver(w.take(0))
	w.wantSent("what cannot be decrypted is challenged", codec.FlagWhoareyou)
	if p := w.sent(0); p.Nonce != nonce || p.ENRSeq != 0 {
		t.Errorf("WHOAREYOU for %x with seq %d, want %x and 0", p.Nonce, p.ENRSeq, nonce)
	}
	w.deliver(w.take(0))
	w.wantSent("the challenge is answered", codec.FlagHandshake)
	if p := w.sent(0); !bytes.Equal(p.Record, a.raw) {
		t.Error("a handshake packet without the record, though the peer knows none")
	}
	w.deliver(w.take(0))
	if r := b.last; !r.Established || !r.Handshake || r.Record == nil || r.Record.ID() != a.record.ID() || r.Session.Node.ID() != a.record.ID() {
		t.Errorf("the acceptor was told %+v", r)
	}
	w.wantSent("the request in the handshake packet is answered", codec.FlagMessage)
	w.settle()
	c.mustBeAnswered("the PING")
	w.passes(challengeLife)
	a.wantEmpty("after the handshake")
	b.wantEmpty("after the handshake")
	if got := a.m.Stats(); got.HandshakesSent != 1 || got.Sessions != 1 || got.PendingChallenges != 0 || got.SessionHits != 1 {
		t.Errorf("statistics of the initiator: %+v", got)
	}
	if got := b.m.Stats(); got.HandshakesAccepted != 1 || got.Challenges != 1 || got.SessionMisses != 1 {
		t.Errorf("statistics of the acceptor: %+v", got)
	}
}

func TestNoRecordWhereThePeerKnowsIt(t *testing.T) {
	w, a, b := pair(t)
	b.known[a.record.ID()] = a.record
	c := a.pings(b)
	w.deliver(w.take(0))
	if seq := w.sent(0).ENRSeq; seq != 1 {
		t.Fatalf("WHOAREYOU names seq %d", seq)
	}
	w.deliver(w.take(0))
	if p := w.sent(0); len(p.Record) != 0 {
		t.Error("the record was sent to somebody who knows it")
	}
	w.settle()
	c.mustBeAnswered("the PING")
}

func TestNewerRecordComesWithTheHandshake(t *testing.T) {
	w, a, b := pair(t)
	b.known[a.record.ID()] = a.record
	a.record, a.raw = recordOf(t, a.key, a.addr, 2, 0)
	c := a.pings(b)
	for len(w.wire) > 0 && !b.last.Established {
		w.deliver(w.take(0))
	}
	if b.last.Record == nil || b.last.Record.Seq() != 2 {
		t.Fatalf("the acceptor learnt %v", b.last.Record)
	}
	w.settle()
	c.mustBeAnswered("the PING")
}

func TestAcceptorKeepsTheNewerRecord(t *testing.T) {
	w, a, b := pair(t)
	newer, _ := recordOf(t, a.key, a.addr, 7, 0)
	a.pings(b)
	w.deliver(w.take(0)) // WHOAREYOU with seq 0
	b.m.challenges.byPeer[a.peer()].node = newer
	w.settle()
	if got := b.m.Session(a.peer()).Node.Seq(); got != 7 {
		t.Errorf("the session knows seq %d", got)
	}
}

// The 63 bytes of a WHOAREYOU never exceed what provoked it.
func TestWhoareyouDoesNotAmplify(t *testing.T) {
	w, a, b := pair(t)
	shortest := codec.AppendRandomPacket(nil, codec.DefaultProtocolID, b.m.mask, codec.IV{}, codec.Nonce{1}, a.record.ID(), nil)
	b.gets(a.addr, shortest)
	w.wantSent("the shortest packet", codec.FlagWhoareyou)
	if len(w.wire[0].data) > len(shortest) {
		t.Errorf("%d bytes answered by %d", len(shortest), len(w.wire[0].data))
	}
}

func TestLargestFirstContact(t *testing.T) {
	w := newWorld(t)
	a := w.host("alice", func(h *host) { h.record, h.raw = recordOf(t, h.key, h.addr, 1, 300) })
	b := w.host("bob")
	if len(a.raw) != 300 {
		t.Fatalf("record of %d bytes", len(a.raw))
	}
	size := codec.MaxTalkRequest([]byte("echo"))
	if size != 1172 {
		t.Fatalf("the largest TALKREQ of echo is %d bytes", size)
	}
	if c := a.talks(b, size+1); c.err != ErrTooLarge {
		t.Errorf("one byte too many gave %v", c.err)
	}
	c := a.talks(b, size)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	w.wantSent("a PING takes the place of the request", codec.FlagHandshake)
	if n := len(w.wire[0].data); n > 700 {
		t.Errorf("handshake packet of %d bytes", n)
	}
	w.settle()
	c.mustBeAnswered("the largest TALKREQ")
	if a.primed != 1 || b.served != 2 {
		t.Errorf("%d primers answered, %d requests served; want 1 and 2", a.primed, b.served)
	}
	w.passes(responseTimeout)
	a.wantEmpty("after the largest first contact")

	b.loses(a) // now a sealed packet is challenged
	c = a.talks(b, size)
	w.settle()
	c.mustBeAnswered("the largest TALKREQ to a peer that lost its keys")
}

func TestPrimerWithoutPongIsForgotten(t *testing.T) {
	w, a, b := pair(t)
	c := a.talks(b, 1172)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	w.lost()
	if len(a.m.primers.peers) != 1 {
		t.Fatal("no primer")
	}
	w.passes(responseTimeout)
	c.gives()
	w.lost()
	w.passes(challengeLife)
	a.wantEmpty("after a lost primer")
}

func TestPrimersAreBounded(t *testing.T) {
	w, a, b := pair(t)
	for range 2 * maxPrimers {
		a.m.primer(w.now, b.peer())
	}
	w.check()
	if len(a.m.primers.peers) != maxPrimers {
		t.Errorf("%d primers", len(a.m.primers.peers))
	}
	if a.m.Primed(b.peer(), codec.RequestID{}) || a.m.Primed(a.peer(), a.m.primers.order[0].id) {
		t.Error("a PONG of the wrong peer, or with a wrong id, was taken")
	}
	if id := a.m.primers.order[0].id; !a.m.Primed(b.peer(), id) || a.m.Primed(b.peer(), id) {
		t.Error("a primer is answered exactly once")
	}
}

func TestWhoareyouMustFit(t *testing.T) {
	w, a, b := pair(t)
	c := a.pings(b)
	w.deliver(w.take(0))
	d := w.take(0)
	for _, from := range []netip.AddrPort{
		netip.AddrPortFrom(b.addr.Addr(), b.addr.Port()+1), netip.MustParseAddrPort("85.9.9.9:9000"),
	} {
		if r := a.gets(from, d.data); r.Drop != DropWrongAddress {
			t.Errorf("WHOAREYOU from %v: %v", from, r.Drop)
		}
	}
	other := codec.AppendWhoareyou(nil, codec.DefaultProtocolID, a.m.mask, codec.IV{}, codec.Nonce{9}, codec.IDNonce{}, 0)
	if r := a.gets(b.addr, other); r.Drop != DropUnsolicitedWhoareyou {
		t.Errorf("WHOAREYOU with a wrong nonce: %v", r.Drop)
	}
	if len(w.wire) != 0 {
		t.Fatal("something was sent")
	}
	w.deliver(d)
	w.wantSent("the right one is still answered", codec.FlagHandshake)
	if r := a.gets(d.from, d.data); r.Drop != DropRepeatedWhoareyou || len(w.wire) != 1 {
		t.Errorf("its duplicate: %v", r.Drop)
	}
	w.settle()
	c.mustBeAnswered("the PING")
	if r := a.gets(d.from, d.data); r.Drop != DropUnsolicitedWhoareyou {
		t.Errorf("a duplicate after the session came up: %v", r.Drop)
	}
}

// A request gets one handshake, whatever challenges come.
func TestOneHandshakePerRequest(t *testing.T) {
	w, a, b := friends(t)
	b.loses(a)
	a.pings(b)
	nonce := w.sent(0).Nonce
	w.lost()
	for i := range 5 {
		a.gets(b.addr, codec.AppendWhoareyou(nil, codec.DefaultProtocolID, a.m.mask, codec.IV{}, nonce, codec.IDNonce{byte(i)}, 0))
		w.passes(2 * confirmAfter)
	}
	if got := a.m.Stats().HandshakesSent; got != 2 {
		t.Errorf("%d handshakes sent, 1 came before", got)
	}
}

func TestOwnIDIsIgnored(t *testing.T) {
	w, a, b := pair(t)
	if r := a.gets(b.addr, a.random(a.record.ID(), codec.Nonce{1})); r.Drop != DropSelf || len(w.wire) != 0 {
		t.Errorf("a packet from ourselves: %v", r.Drop)
	}
}

func TestGarbageBeforeTheGoodHandshake(t *testing.T) {
	for _, garbage := range []int{0, 1, maxTries - 1, maxTries} {
		w, a, b := pair(t)
		c := a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		good := w.take(0)
		for i := range garbage {
			bad := bytes.Clone(good.data)
			bad[len(bad)-1-i] ^= 1
			if b.gets(a.addr, bad); b.last.Drop != DropBadCiphertext {
				t.Errorf("garbage %d: %v", i, b.last.Drop)
			}
		}
		w.deliver(good)
		w.settle()
		if want := garbage < maxTries; (c.answers > 0) != want {
			t.Errorf("after %d bad ones the good one succeeded: %v", garbage, !want)
		}
	}
}

func TestBadHandshakes(t *testing.T) {
	mallory := keyOf("mallory")
	for _, tc := range []struct {
		name string
		want Drop
		edit func(w *world, a, b *host, hs *codec.Handshake)
	}{
		{"without a record", DropMissingRecord, func(_ *world, _, _ *host, hs *codec.Handshake) { hs.Record = nil }},
		{"with a damaged record", DropBadRecord, func(_ *world, _, _ *host, hs *codec.Handshake) { hs.Record[10] ^= 1 }},
		{"with somebody else's record", DropBadRecord, func(_ *world, _, b *host, hs *codec.Handshake) { hs.Record = b.raw }},
		{"with a bad signature", DropBadSignature, func(_ *world, _, _ *host, hs *codec.Handshake) { hs.Signature[3] ^= 1 }},
		{"signed by somebody else", DropBadSignature, func(w *world, a, b *host, hs *codec.Handshake) {
			ch := b.m.challenges.byPeer[a.peer()]
			hs.Signature, _ = codec.SignIDNonce(mallory, ch.data[:], hs.EphemeralKey, b.record.ID())
		}},
		{"with a key off the curve", DropBadEphemeralKey, func(_ *world, a, b *host, hs *codec.Handshake) {
			hs.EphemeralKey = [codec.EphemeralKeySize]byte{5}
			hs.Signature, _ = codec.SignIDNonce(a.key, b.m.challenges.byPeer[a.peer()].data[:], hs.EphemeralKey, b.record.ID())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, a, b := pair(t)
			a.pings(b)
			w.deliver(w.take(0))
			w.deliver(w.take(0))
			p := w.sent(0)
			w.lost()
			hs := codec.Handshake{Signature: [64]byte(p.Signature), EphemeralKey: [33]byte(p.EphemeralKey), Record: bytes.Clone(p.Record)}
			tc.edit(w, a, b, &hs)
			b.gets(a.addr, codec.AppendHandshakePacket(nil, codec.DefaultProtocolID, b.m.mask, codec.IV{}, codec.Nonce{}, a.record.ID(), &hs, codec.NewCipher([16]byte{}), []byte{1, 2}))
			if b.last.Drop != tc.want || b.m.Session(a.peer()) != nil || len(w.wire) != 0 {
				t.Errorf("dropped as %v, want %v", b.last.Drop, tc.want)
			}
			if b.m.challenges.byPeer[a.peer()] == nil {
				t.Error("a bad handshake consumed the challenge")
			}
		})
	}
}

func TestHandshakeNeedsALiveChallenge(t *testing.T) {
	w, a, b := pair(t)
	c := a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	d := w.take(0)
	w.now = w.now.Add(challengeLife) // without Advance: the packet itself meets an old challenge
	if r := b.gets(d.from, d.data); r.Drop != DropNoChallenge {
		t.Errorf("a late handshake: %v", r.Drop)
	}
	c.gives()
	c = a.pings(b)
	w.settle()
	w.passes(confirmAfter)
	w.settle()
	c.mustBeAnswered("the next PING")
}

// A handshake packet that comes twice is good once, however late the second check of it ends.
func TestHandshakeIsNotReplayed(t *testing.T) {
	for _, wait := range []time.Duration{0, challengeLife, time.Minute} {
		w, a, b := pair(t)
		c := a.pings(b)
		w.deliver(w.take(0))
		w.deliver(w.take(0))
		d := w.take(0)
		w.later = true
		w.deliver(d)
		w.deliver(d)
		if len(w.jobs) != 2 {
			t.Fatal("two checks should be under way")
		}
		w.finish(0)
		w.passes(wait)
		second := w.jobs[0]
		w.finish(0)
		if second.at.last.Drop != DropNoChallenge || len(b.m.Session(a.peer()).keys) != 1 {
			t.Errorf("%v later the same handshake was taken again", wait)
		}
		w.settle()
		c.mustBeAnswered("the PING")
		if r := b.gets(d.from, d.data); r.Drop != DropNoChallenge {
			t.Errorf("the third copy: %v", r.Drop)
		}
	}
}

// A check that takes longer than the challenge lives is good: the packet came in time.
func TestSlowHandshakeCheck(t *testing.T) {
	w, a, b := pair(t)
	c := a.pings(b)
	w.later = true
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	w.finish(0)
	w.deliver(w.take(0))
	w.passes(challengeLife + time.Second)
	w.settle()
	c.mustBeAnswered("the PING")
	if len(b.m.Session(a.peer()).keys) != 1 {
		t.Error("more than one handshake")
	}
}

func TestEndRevokesTheChallenge(t *testing.T) {
	w, a, b := pair(t)
	a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	w.later = true
	w.deliver(w.take(0))
	b.m.End(a.peer())
	w.passes(challengeLife)
	w.finish(0)
	if b.last.Drop != DropNoChallenge || b.m.Session(a.peer()) != nil {
		t.Errorf("a revoked challenge led to a session: %v", b.last.Drop)
	}
}
