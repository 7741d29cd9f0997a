package session

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func idOf(i int) (id enode.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(i)+1)
	return id
}

func addrOf(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{60, byte(i >> 16), byte(i >> 8), byte(i)}), 30303)
}

func TestChallengesEnd(t *testing.T) {
	at := netip.MustParseAddrPort("85.1.2.3:30303")
	for _, tc := range []struct {
		name string
		from func(i int) (enode.ID, netip.AddrPort)
	}{
		{"5 ids at one address", func(i int) (enode.ID, netip.AddrPort) { return idOf(i), at }},
		{"1 id at 5 ports", func(i int) (enode.ID, netip.AddrPort) { return idOf(0), netip.AddrPortFrom(at.Addr(), uint16(1000+i)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.host("bob")
			for i := range 5 {
				id, from := tc.from(i)
				b.gets(from, b.random(id, codec.Nonce{byte(i)}))
			}
			if got := b.m.Stats().PendingChallenges; got != 5 {
				t.Errorf("%d challenges, want 5", got)
			}
			w.passes(challengeLife - time.Nanosecond)
			if got := b.m.Stats().PendingChallenges; got != 5 {
				t.Errorf("%d challenges before their time", got)
			}
			w.passes(time.Nanosecond)
			b.wantEmpty("after 2 s")
		})
	}
}

// Five packets of one peer leave one challenge, for the first nonce, and five WHOAREYOU with the same bytes.
func TestChallengeIsRepeatedByteForByte(t *testing.T) {
	w, a, b := pair(t)
	for i := range 5 {
		b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{byte(i + 1)}))
		w.passes(challengeLife / 8)
	}
	w.wantSent("each is answered", codec.FlagWhoareyou, codec.FlagWhoareyou, codec.FlagWhoareyou, codec.FlagWhoareyou, codec.FlagWhoareyou)
	for i := range w.wire {
		if !bytes.Equal(w.wire[i].data, w.wire[0].data) {
			t.Errorf("WHOAREYOU %d has other bytes", i)
		}
	}
	p := w.sent(0)
	ch := b.m.challenges.byPeer[a.peer()]
	if len(b.m.challenges.byPeer) != 1 || p.Nonce != (codec.Nonce{1}) || !bytes.Equal(p.Header, ch.data[:]) {
		t.Error("the WHOAREYOU is not the one that was stored for the first packet")
	}
	if s := b.m.Stats(); s.Challenges != 5 || s.ChallengesRepeated != 4 {
		t.Errorf("%d sent, %d of them repeats", s.Challenges, s.ChallengesRepeated)
	}
	first := w.wire[0].data
	w.lost()
	w.passes(challengeLife)
	b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{9}))
	if bytes.Equal(w.wire[0].data, first) || w.sent(0).Nonce != (codec.Nonce{9}) {
		t.Error("the challenge outlived its time")
	}
}

// A challenge that was answered leaves nothing that could end a later one of the same peer early.
func TestChallengeAfterAnAnsweredOne(t *testing.T) {
	w, a, b := friends(t)
	w.passes(challengeLife / 2)
	b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{1}))
	w.lost()
	w.passes(challengeLife - time.Millisecond)
	if got := b.m.Stats().PendingChallenges; got != 1 {
		t.Errorf("%d challenges", got)
	}
}

func TestChallengesAreBounded(t *testing.T) {
	w := newWorld(t)
	b := w.host("bob")
	send := func(id int, from netip.AddrPort) Drop {
		return b.gets(from, b.random(idOf(id), codec.Nonce{})).Drop
	}
	one := addrOf(1)
	for i := range MaxChallengesPerSource {
		if d := send(i, one); d != 0 {
			t.Fatalf("challenge %d of a source: %v", i, d)
		}
	}
	if d := send(100, one); d != DropChallengesFull {
		t.Errorf("one too many for a source: %v", d)
	}
	if d := send(0, one); d != 0 {
		t.Errorf("a repeat, when the source has no more: %v", d)
	}
	prefix := netip.MustParsePrefix("2a00:1:2:3::/64").Addr().As16()
	for i := range MaxChallengesPerSource + 1 {
		prefix[15] = byte(i)
		want := Drop(0)
		if i == MaxChallengesPerSource {
			want = DropChallengesFull
		}
		if d := send(1, netip.AddrPortFrom(netip.AddrFrom16(prefix), 9)); d != want {
			t.Errorf("challenge %d of a /64: %v", i, d)
		}
	}
	for _, lan := range []string{"127.0.0.1:9", "192.168.1.5:9"} {
		for i := range 3 * MaxChallengesPerSource {
			if d := send(i, netip.MustParseAddrPort(lan)); d != 0 {
				t.Fatalf("challenge %d of %v: %v", i, lan, d)
			}
		}
	}
	w.check()
	w.lost()
	for i := 2; len(b.m.challenges.byPeer) < 16_384; i++ {
		if d := send(i, addrOf(i)); d != 0 {
			t.Fatalf("challenge %d in all: %v", len(b.m.challenges.byPeer), d)
		}
		w.lost()
	}
	oldest := b.m.challenges.root.next
	if d := send(1, addrOf(1<<20)); d != 0 {
		t.Errorf("one too many in all: %v", d)
	}
	if got := b.m.Stats(); got.PendingChallenges != 16_384 || got.ChallengesEvicted != 1 {
		t.Errorf("%d challenges, %d pushed out", got.PendingChallenges, got.ChallengesEvicted)
	}
	if b.m.challenges.byPeer[oldest.peer] == oldest {
		t.Error("the oldest challenge did not make room")
	}
	w.check()
	w.passes(challengeLife)
	b.wantEmpty("after the flood")
}

// The places of a source come free as its challenges are answered.
func TestAnsweredChallengesMakeRoom(t *testing.T) {
	w, a, b := pair(t)
	for range 3 * MaxChallengesPerSource {
		a.loses(b)
		b.loses(a)
		a.mustPing(b)
	}
	b.wantEmpty("with every challenge answered")
	_ = w
}

// Limits apply to strangers; whom we asked something gets a challenge of his own, whose repeats are counted again.
func TestLimits(t *testing.T) {
	w, a, b := pair(t)
	b.allow = false
	if r := b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{1})); r.Drop != DropChallengeLimit || len(w.wire) != 0 {
		t.Errorf("over the limit of challenges: %v", r.Drop)
	}
	c := b.pings(a)
	w.lost()
	asked := b.asked
	if r := b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{2})); r.Drop != 0 || b.asked != asked {
		t.Errorf("from whom we asked: %v", r.Drop)
	}
	if r := b.gets(a.addr, b.random(a.record.ID(), codec.Nonce{3})); r.Drop != DropChallengeLimit {
		t.Errorf("again from whom we asked: %v", r.Drop)
	}
	c.gives()
	w.lost()
	w.passes(challengeLife)

	b.allow = true
	a.pings(b)
	w.deliver(w.take(0))
	w.deliver(w.take(0))
	b.allow = false
	d := w.take(0)
	if r := b.gets(d.from, d.data); r.Drop != DropHandshakeLimit || b.m.challenges.byPeer[a.peer()].tries != 0 {
		t.Errorf("over the limit of handshakes: %v", r.Drop)
	}
	b.allow = true
	w.deliver(d)
	w.settle()
	b.allow, asked = false, b.asked
	a.mustPing(b)
	if b.asked != asked {
		t.Error("a packet of an established session was counted")
	}
}
