package session

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/discv5/host/codec"
)

// drain is an outbox with one buffer, whose content is thrown away.
type drain struct {
	buf  [codec.MaxPacketSize]byte
	sent int
}

func (d *drain) Buffer(netip.AddrPort) []byte     { return d.buf[:0] }
func (d *drain) Queue(_ netip.AddrPort, b []byte) { d.sent += len(b) }

// pinger replays a sealed PING to b, whose answers go to a drain.
func pinger(t testing.TB) (answer func()) {
	w, a, b := friends(t)
	a.pings(b)
	packet := w.take(0).data
	b.m.cfg.Out = &drain{}
	datagram, message := make([]byte, len(packet)), make([]byte, 0, codec.MaxPacketSize)
	return func() {
		copy(datagram, packet)
		r := b.m.HandlePacket(w.now, a.addr, datagram)
		_, body, err := codec.SplitMessage(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		ping, err := codec.ParsePing(body)
		if err != nil {
			t.Fatal(err)
		}
		if !b.m.Reply(r.Session, codec.Pong{RequestID: ping.RequestID, ENRSeq: 1, Recipient: r.Peer.Addr}.Append(message)) {
			t.Fatal("no answer")
		}
	}
}

func TestEstablishedPingAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(1000, pinger(t)); n != 0 {
		t.Errorf("%v allocations for a PING and its answer", n)
	}
}

func BenchmarkEstablishedPing(b *testing.B) {
	answer := pinger(b)
	b.ReportAllocs()
	for b.Loop() {
		answer()
	}
}

// The same with a cache full of sessions, each in turn.
func BenchmarkEstablishedPing4096(b *testing.B) {
	const n = 4096
	w := newWorld(b)
	hub := w.host("hub")
	packets, from := make([][]byte, n), make([]netip.AddrPort, n)
	for i := range n {
		p := w.host(fmt.Sprint("peer ", i))
		for range 2 {
			c := p.pings(hub)
			for len(w.wire) > 0 {
				d := w.take(0)
				if d.to == hub.addr {
					hub.gets(d.from, d.data)
				} else {
					p.gets(d.from, d.data)
				}
			}
			c.mustBeAnswered("the PING")
		}
		p.pings(hub)
		packets[i], from[i] = w.take(0).data, p.addr
		w.hosts = append(w.hosts[:1], make([]*host, i+1)...) // the next gets another address
	}
	if got := hub.m.Stats().Sessions; got != n {
		b.Fatalf("%d sessions", got)
	}
	hub.m.cfg.Out = &drain{}
	datagram, message := make([]byte, codec.MaxPacketSize), codec.Pong{Recipient: hub.addr}.Append(nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := datagram[:copy(datagram, packets[i%n])]
		r := hub.m.HandlePacket(w.now, from[i%n], d)
		if r.Message == nil || !hub.m.Reply(r.Session, message) {
			b.Fatal("no answer")
		}
	}
}

// A packet of a new stranger each time, and the challenge for it.
func BenchmarkWhoareyou(b *testing.B) {
	w := newWorld(b)
	h := w.host("bob")
	h.m.cfg.Out = &drain{}
	packets := make([][]byte, 8192)
	for i := range packets {
		packets[i] = h.random(idOf(i), codec.Nonce{1})
	}
	datagram := make([]byte, len(packets[0]))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(packets) == 0 {
			w.now = w.now.Add(challengeLife)
			h.m.Advance(w.now)
		}
		copy(datagram, packets[i%len(packets)])
		if r := h.m.HandlePacket(w.now, addrOf(i%len(packets)), datagram); r.Drop != 0 {
			b.Fatal(r.Drop)
		}
	}
}

// The same packet again and again: the challenge is repeated.
func BenchmarkWhoareyouRepeated(b *testing.B) {
	w := newWorld(b)
	h := w.host("bob")
	h.m.cfg.Out = &drain{}
	packet := h.random(idOf(1), codec.Nonce{1})
	datagram := make([]byte, len(packet))
	b.ReportAllocs()
	for b.Loop() {
		copy(datagram, packet)
		h.m.HandlePacket(w.now, addrOf(1), datagram)
	}
}

// Both halves of a handshake, from the request to its answer.
func BenchmarkHandshake(b *testing.B) {
	w, x, y := pair(b)
	b.ReportAllocs()
	for b.Loop() {
		x.loses(y)
		y.loses(x)
		c := x.pings(y)
		for len(w.wire) > 0 {
			w.deliver(w.take(0))
		}
		if c.answers == 0 {
			b.Fatal("no answer")
		}
		clear(x.calls)
	}
}
