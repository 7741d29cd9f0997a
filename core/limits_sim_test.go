package core

import (
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/session"
)

// count reads packets until nothing comes for a while.
func (p *peer) count(wait time.Duration) (packets int) {
	for {
		if _, ok := p.read(wait); !ok {
			return packets
		}
		packets++
	}
}

// A source gets 200 WHOAREYOU at once and 50 a second after that, and nobody else suffers.
func TestSimSourceLimit(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		for range 250 {
			p.random(n)
		}
		if got := p.count(100 * time.Millisecond); got < 200 || got > 206 {
			t.Errorf("%d WHOAREYOU for 250 packets in an instant, want 200", got)
		}
		st := n.Stats().Sessions
		if got := st.Drops[session.DropChallengeLimit]; got < 44 || got > 50 {
			t.Errorf("%d packets counted beyond the limit, want 50", got)
		}
		s.peer().dial(n)
		pass(time.Second)
		neighbour := s.peerWith(newKey(t), netip.AddrPortFrom(p.addr.Addr(), 999))
		for range 100 {
			neighbour.random(n)
		}
		if got := neighbour.count(100 * time.Millisecond); got < 45 || got > 65 {
			t.Errorf("%d WHOAREYOU a second later to the same source, want about 55", got)
		}
		if got := n.Stats().PacketsReceived; got < 350 {
			t.Errorf("%d packets counted, want all of them", got)
		}
	})
}

// The /64 of an IPv6 address is one source.
func TestSimSourceLimitIPv6(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, s.at("[2001:db9::1]:30303"))
		answered := 0
		for i, a := range []string{"[2001:db9:5::1]:1", "[2001:db9:5::2]:1", "[2001:db9:5:0:9::3]:1", "[2001:db9:6::1]:1"} {
			p := s.peerAt(a)
			for range 100 {
				p.random(n)
			}
			got := p.count(30 * time.Millisecond)
			if i == 3 {
				if got != 100 {
					t.Errorf("another /64 got %d WHOAREYOU, want 100", got)
				}
				return
			}
			answered += got
		}
		if answered < 200 || answered > 215 {
			t.Errorf("%d WHOAREYOU to three addresses of a /64, want 200", answered)
		}
	})
}

// Loopback and LAN sources have no limit.
func TestSimExemptSources(t *testing.T) {
	for _, addr := range []string{"127.0.0.2:5", "10.0.0.2:5", "192.168.3.3:5", "[fe80::2]:5", "[fd00::2]:5"} {
		t.Run(addr, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n := s.node(quiet, s.at("198.18.0.1:1", "[2001:db9::1]:1"))
				p := s.peerAt(addr)
				to := n.linkTo(p.addr.Addr()).local
				for range 400 {
					p.randomTo(n.ID(), to, p.nonce())
				}
				if got := p.count(100 * time.Millisecond); got != 400 {
					t.Errorf("%d WHOAREYOU for 400 packets", got)
				}
			})
		})
	}
}

// 64 challenges of one source may be open.
func TestSimChallengesPerSource(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, addr := s.node(quiet), s.addr()
		answered := 0
		for i := range 70 {
			p := s.peerWith(newKey(t), netip.AddrPortFrom(addr.Addr(), uint16(1000+i)))
			p.random(n)
			if _, ok := p.read(25 * time.Millisecond); ok {
				answered++
			}
		}
		if st := n.Stats().Sessions; answered != 64 || st.PendingChallenges != 64 || st.Drops[session.DropChallengesFull] != 6 {
			t.Errorf("%d answered, %d open, %d refused; want 64, 64 and 6", answered, st.PendingChallenges, st.Drops[session.DropChallengesFull])
		}
		s.peer().dial(n)
		pass(2 * time.Second)
		s.peerWith(newKey(t), netip.AddrPortFrom(addr.Addr(), 999)).dial(n)
	})
}

// Challenges and handshakes have a limit in total, too.
func TestSimTotalLimits(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, func(c *Config) {
			c.Limits.Challenges = Rate{PerSecond: 1, Burst: 6}
			c.Limits.Handshakes = Rate{PerSecond: 1, Burst: 3}
		})
		var peers []*peer
		var whos []packet
		for range 8 {
			p := s.peer()
			p.random(n)
			if who, ok := p.read(25 * time.Millisecond); ok {
				peers, whos = append(peers, p), append(whos, who)
			}
		}
		if len(whos) != 6 || n.Stats().Sessions.Drops[session.DropChallengeLimit] != 2 {
			t.Errorf("%d sources of 8 got WHOAREYOU, want 6", len(whos))
		}
		opened := 0
		for i, p := range peers {
			p.write(whos[i].from, p.handshake(n, whos[i], codec.Ping{RequestID: requestID("x")}.Append(nil), p.node))
			opened += p.count(25 * time.Millisecond)
		}
		if st := n.Stats().Sessions; opened != 3 || st.Drops[session.DropHandshakeLimit] != 3 || st.HandshakesAccepted != 3 {
			t.Errorf("%d handshakes of 6 accepted, %d beyond the limit; want 3 and 3", opened, st.Drops[session.DropHandshakeLimit])
		}
	})
}

// Requests over a session have a generous limit; what answers our own requests always passes.
func TestSimSessionLimit(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet, func(c *Config) { c.Limits.Session = Rate{PerSecond: 10, Burst: 10} }), s.peer()
		p.dial(n)
		pass(time.Second)
		to := n.LocalAddrs()[0]
		flood := func(count int) int {
			for range count {
				p.send(to, codec.Ping{RequestID: requestID("x")}.Append(nil))
			}
			return p.count(30 * time.Millisecond)
		}
		if got := flood(25); got != 10 {
			t.Errorf("%d of 25 requests answered, want 10", got)
		}
		if got := n.Stats().SessionLimited; got != 15 {
			t.Errorf("%d requests counted beyond the limit, want 15", got)
		}
		wait := pinging(n, p.node)
		p.pong(p.wantMessage(codec.PingType), to)
		if r := wait(); r.err != nil {
			t.Error("a response was taken for a request beyond the limit:", r.err)
		}
		pass(time.Second)
		if got := flood(25); got < 10 || got > 11 {
			t.Errorf("%d requests answered a second later, want 10", got)
		}
	})
}

// A source that used up its limit can still be asked by us, and challenges our packets at its turn.
func TestSimOwnRequestsPassTheLimit(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		for range 300 {
			p.random(n)
		}
		p.count(30 * time.Millisecond)
		for range 50 {
			p.random(n) // keeps the bucket empty
		}
		p.count(30 * time.Millisecond)
		wait := pinging(n, p.node)
		got := p.accept(n)
		p.pong(got, got.from)
		if r := wait(); r.err != nil {
			t.Error("ping of a source beyond its limit:", r.err)
		}
	})
}

// The smallest answer to a stranger is never larger than what it answers.
func TestSimNoAmplification(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		s.record()
		n, p := s.node(quiet), s.peer()
		for size := range 100 {
			mask, iv := codec.NewMask(n.ID()), p.iv()
			p.write(n.LocalAddrs()[0], codec.AppendRandomPacket(nil, codec.DefaultProtocolID, mask, iv, p.nonce(), p.id(), make([]byte, size)))
			pass(25 * time.Millisecond)
		}
		var in, out int
		for _, e := range s.packets(p.addr, n.LocalAddrs()[0]) {
			in += len(e.Data)
		}
		for _, e := range s.packets(n.LocalAddrs()[0], p.addr) {
			out += len(e.Data)
			if len(e.Data) != codec.MinPacketSize {
				t.Errorf("a stranger got %d bytes", len(e.Data))
			}
		}
		if out == 0 || out >= in {
			t.Errorf("%d bytes out for %d bytes in", out, in)
		}
	})
}
