package core

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/netsim"
	"github.com/discv5/host/core/internal/session"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// A challenge lives 2 s, whoever it was for.
func TestSimChallengesExpire(t *testing.T) {
	cases := map[string]func(*sim, int) *peer{
		"different ids at one address": nil,
		"one id at different ports":    nil,
	}
	for name := range cases {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n := s.node(quiet)
				key, addr := newKey(t), s.addr()
				for i := range 5 {
					var p *peer
					if name == "one id at different ports" {
						p = s.peerWith(key, netip.AddrPortFrom(addr.Addr(), uint16(1000+i)))
					} else {
						p = s.peerWith(newKey(t), addr)
					}
					nonce := p.random(n)
					if who := p.want(codec.FlagWhoareyou); who.Nonce != nonce || who.ENRSeq != 0 {
						t.Errorf("WHOAREYOU with nonce %x and seq %d, want %x and 0", who.Nonce, who.ENRSeq, nonce)
					}
					p.sock.Close()
				}
				if got := n.Stats().Sessions.PendingChallenges; got != 5 {
					t.Errorf("%d challenges pending, want 5", got)
				}
				pass(1500 * time.Millisecond)
				if got := n.Stats().Sessions.PendingChallenges; got != 5 {
					t.Errorf("%d challenges pending after 1.5 s, want 5", got)
				}
				pass(700 * time.Millisecond)
				if got := n.Stats().Sessions.PendingChallenges; got != 0 {
					t.Errorf("%d challenges pending after 2.2 s, want none", got)
				}
			})
		})
	}
}

// While a challenge is pending, every further packet gets the same bytes, and the handshake for them works.
func TestSimRepeatedChallengeIsIdentical(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		first := p.random(n)
		who := p.want(codec.FlagWhoareyou)
		for range 4 {
			p.random(n)
			again := p.want(codec.FlagWhoareyou)
			if !bytes.Equal(again.raw, who.raw) {
				t.Error("a second WHOAREYOU differs from the first")
			}
			if again.Nonce != first {
				t.Error("the repeated WHOAREYOU does not carry the first nonce")
			}
		}
		if st := n.Stats().Sessions; st.PendingChallenges != 1 || st.ChallengesRepeated != 4 {
			t.Errorf("%d challenges pending, %d repeated; want 1 and 4", st.PendingChallenges, st.ChallengesRepeated)
		}
		p.write(who.from, p.handshake(n, who, codec.Ping{RequestID: requestID("x")}.Append(nil), p.node))
		p.wantMessage(codec.PongType)
	})
}

// A challenge made soon after an earlier one was answered lives its own life.
func TestSimNewChallengeOutlivesTheOld(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		pass(1500 * time.Millisecond)
		p.random(n)
		who := p.want(codec.FlagWhoareyou)
		pass(time.Second) // the first challenge would be over
		p.write(who.from, p.handshake(n, who, codec.Ping{RequestID: requestID("x")}.Append(nil), p.node))
		p.wantMessage(codec.PongType)
	})
}

// Handshake packets that do not verify leave the challenge as it is, up to a bound.
func TestSimGarbageHandshake(t *testing.T) {
	for bad := 1; bad <= 4; bad++ {
		t.Run(fmt.Sprint(bad, " before the right one"), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, p := s.node(quiet), s.peer()
				p.random(n)
				who := p.want(codec.FlagWhoareyou)
				forger := &peer{s: s, key: newKey(t), node: p.node, keys: map[netip.AddrPort]*peerKeys{}, sock: p.sock}
				for range bad {
					// The forger has the victim's id and address but not its key.
					p.write(who.from, forger.handshake(n, who, codec.Ping{RequestID: requestID("bad")}.Append(nil), p.node))
				}
				p.write(who.from, p.handshake(n, who, codec.Ping{RequestID: requestID("good")}.Append(nil), p.node))
				if bad < 4 {
					p.wantMessage(codec.PongType)
				} else {
					p.silence(time.Second, "after four bad handshakes")
				}
				st := n.Stats().Sessions
				if st.Drops[session.DropBadSignature] != uint64(bad) {
					t.Errorf("%d bad signatures counted, want %d", st.Drops[session.DropBadSignature], bad)
				}
			})
		})
	}
}

// Anybody can forge a packet that does not decrypt: the session stays.
func TestSimUndecryptablePacketKeepsSession(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		for range 3 {
			p.random(n)
			p.want(codec.FlagWhoareyou)
		}
		p.send(n.LocalAddrs()[0], codec.Ping{RequestID: requestID("live")}.Append(nil))
		p.wantMessage(codec.PongType)
		wait := pinging(n, p.node)
		p.pong(p.wantMessage(codec.PingType), n.LocalAddrs()[0])
		if r := wait(); r.err != nil {
			t.Error("ping over the session that stood:", r.err)
		}
	})
}

// A peer that lost its keys says so by WHOAREYOU; the request reaches it in the new handshake.
func TestSimPeerThatLostItsKeys(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		clear(p.keys)
		wait := pinging(n, p.node)
		got := p.accept(n)
		if got.kind != codec.PingType {
			t.Fatalf("%v in the handshake, want PING", got.kind)
		}
		p.pong(got, n.LocalAddrs()[0])
		if r := wait(); r.err != nil {
			t.Error("ping:", r.err)
		}
	})
}

// WHOAREYOU must come from the address that the request went to and carry its nonce, and a request gets one handshake.
func TestSimWhoareyouRules(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p, other := s.node(quiet), s.peer(), s.peer()
		wait := pinging(n, p.node)
		knock := p.want(codec.FlagMessage)
		other.write(knock.from, p.challenge(knock, n.ID(), 0))
		other.silence(100*time.Millisecond, "WHOAREYOU from another address")
		p.silence(100*time.Millisecond, "WHOAREYOU from another address")
		strange := knock
		strange.Nonce[11] ^= 1
		p.write(knock.from, p.challenge(strange, n.ID(), 0))
		p.silence(100*time.Millisecond, "WHOAREYOU with another nonce")

		p.write(knock.from, p.challenge(knock, n.ID(), 0))
		got := p.want(codec.FlagHandshake)
		if !p.opened(&got, n.Self().Pubkey()) {
			t.Fatal("handshake does not verify")
		}
		p.write(knock.from, p.challenge(knock, n.ID(), 0))
		p.silence(100*time.Millisecond, "second WHOAREYOU for one request")
		p.pong(got, knock.from)
		if r := wait(); r.err != nil {
			t.Error("ping:", r.err)
		}
		drops := n.Stats().Sessions.Drops
		for drop, want := range map[session.Drop]uint64{
			session.DropWrongAddress: 1, session.DropUnsolicitedWhoareyou: 1, session.DropRepeatedWhoareyou: 1,
		} {
			if drops[drop] != want {
				t.Errorf("%d drops as %v, want %d", drops[drop], drop, want)
			}
		}
	})
}

// The record goes into the handshake only when the peer does not have it.
func TestSimHandshakeCarriesRecordWhenAsked(t *testing.T) {
	for _, known := range []uint64{0, 1} {
		t.Run(fmt.Sprintf("peer knows seq %d", known), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, p := s.node(quiet), s.peer()
				wait := pinging(n, p.node)
				knock := p.want(codec.FlagMessage)
				p.write(knock.from, p.challenge(knock, n.ID(), known))
				got := p.want(codec.FlagHandshake)
				if (len(got.Record) > 0) != (known == 0) {
					t.Errorf("handshake carries a record of %d bytes", len(got.Record))
				}
				if !p.opened(&got, n.Self().Pubkey()) {
					t.Fatal("handshake does not verify")
				}
				p.pong(got, knock.from)
				if r := wait(); r.err != nil {
					t.Error("ping:", r.err)
				}
			})
		})
	}
}

// A record in a handshake must belong to its sender.
func TestSimHandshakeWithForeignRecord(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.random(n)
		who := p.want(codec.FlagWhoareyou)
		foreign := signed(t, newKey(t), 1, p.addr)
		p.write(who.from, p.handshake(n, who, codec.Ping{RequestID: requestID("x")}.Append(nil), foreign))
		p.silence(time.Second, "handshake with the record of another node")
		if nodes, _ := n.Len(); nodes != 0 {
			t.Error("a foreign record entered the table")
		}
		if got := n.Stats().Sessions.Drops[session.DropBadRecord]; got != 1 {
			t.Errorf("%d bad records counted, want 1", got)
		}
	})
}

// Request ids are bytes: 0 to 8 of them come back as they were; what is longer is dropped.
func TestSimRequestIDs(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		to := n.LocalAddrs()[0]
		for _, id := range [][]byte{{}, {0}, {0, 1}, {1}, {0, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 8)} {
			p.send(to, listOf(codec.PingType, id, uint64(1)))
			pong, err := codec.ParsePong(p.wantMessage(codec.PongType).body)
			if err != nil || !bytes.Equal(pong.RequestID.Bytes(), id) {
				t.Errorf("PING %x got PONG %x, %v", id, pong.RequestID.Bytes(), err)
			}
		}
		before := n.Stats().InvalidMessages
		p.send(to, listOf(codec.PingType, make([]byte, 9), uint64(1)))
		p.silence(time.Second, "PING with a request id of 9 bytes")
		if got := n.Stats().InvalidMessages - before; got != 1 {
			t.Errorf("%d invalid messages counted, want 1", got)
		}
	})
}

// Malformed messages over a session are dropped and counted; the session stays.
func TestSimMalformedMessages(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		to := n.LocalAddrs()[0]
		before := n.Stats().InvalidMessages
		bad := [][]byte{
			{0},
			{byte(codec.PingType)},
			{byte(codec.PingType), 0x80},
			append(listOf(codec.PingType, []byte{1}, uint64(1)), 0),
			listOf(codec.PingType, []byte{1}),
			listOf(codec.FindNodeType, []byte{1}, uint64(3)),
			listOf(codec.FindNodeType, []byte{1}, [][]byte{make([]byte, 20)}),
			listOf(codec.NodesType, []byte{1}, uint64(1), []byte("not a list")),
			listOf(codec.PongType, []byte{1}, uint64(1), make([]byte, 5), uint64(7)),
			listOf(codec.PongType, []byte{1}, uint64(1), make([]byte, 4), uint64(70_000)),
			listOf(codec.TalkReqType, []byte{1}, []byte("p")),
			listOf(codec.TalkRespType, []byte{1}, []any{}),
			bytes.Repeat([]byte{0xff}, codec.MaxMessageSize),
		}
		for _, m := range bad[:len(bad)-1] {
			p.send(to, m)
		}
		p.silence(time.Second, "malformed messages")
		if got := n.Stats().InvalidMessages - before; got != uint64(len(bad)-1) {
			t.Errorf("%d invalid messages counted, want %d", got, len(bad)-1)
		}
		p.send(to, bad[len(bad)-1]) // type 0xff is no mistake, but nobody answers it
		p.write(to, make([]byte, 1400))
		p.write(to, make([]byte, 62))
		p.write(to, nil)
		p.silence(time.Second, "malformed datagrams")
		if st := n.Stats(); st.Oversized != 1 || st.Sessions.Drops[session.DropMalformed] != 2 {
			t.Errorf("%d oversized and %d malformed counted, want 1 and 2", st.Oversized, st.Sessions.Drops[session.DropMalformed])
		}
		p.send(to, codec.Ping{RequestID: requestID("live")}.Append(nil))
		p.wantMessage(codec.PongType)
	})
}

// The largest TALKREQ does not fit into a handshake beside a record of 300 bytes: a PING takes its place, and it follows.
func TestSimLargestFirstContact(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a := s.node(quiet)
		fill := make([]byte, 300)
		for ; len(fill) > 0; fill = fill[1:] {
			if a.SetFields(t.Context(), "operator", map[string]any{"zz": fill}) == nil {
				break
			}
		}
		if got := len(encoded(t, a.Self())); got != 300 {
			t.Fatalf("record has %d bytes, want 300", got)
		}
		b := s.node(quiet)
		var seen *enode.Node
		if _, err := b.Handle("echo", TalkFunc(func(_ context.Context, r TalkRequest) ([]byte, error) {
			seen = r.Node
			return r.Payload[:codec.MaxTalkResponse-5], nil
		})); err != nil {
			t.Fatal(err)
		}
		payload := bytes.Repeat([]byte{7}, codec.MaxTalkRequest([]byte("echo")))
		answer, err := a.Talk(t.Context(), b.Self(), "echo", payload)
		if err != nil || !bytes.Equal(answer, payload[:codec.MaxTalkResponse-5]) {
			t.Fatalf("answer of %d bytes, %v; want %d", len(answer), err, codec.MaxTalkResponse-5)
		}
		if seen == nil || seen.ID() != a.ID() {
			t.Error("the handler did not get the record from the handshake")
		}
		if st := a.Stats(); st.Unsolicited != 0 {
			t.Errorf("the PONG to the node's own PING counts as unsolicited: %d", st.Unsolicited)
		}
	})
}

// One request opens the session and 8 wait for it; the tenth is refused at once. When the session is up nothing waits.
func TestSimConcurrentFirstContact(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		var waits []func() result[Pong]
		for range 9 {
			waits = append(waits, pinging(a, b.Self()))
			settle()
		}
		if r := pinging(a, b.Self())(); r.err == nil || r.took != 0 {
			t.Errorf("the tenth gave %v after %v, want ErrBusy at once", r.err, r.took)
		} else {
			s.wantErr("the tenth", r.err, ErrBusy)
		}
		for i, wait := range waits {
			if r := wait(); r.err != nil {
				t.Errorf("request %d: %v", i+1, r.err)
			}
		}
		if got := a.Stats().Sessions.HandshakesSent; got != 1 {
			t.Errorf("%d handshakes, want 1", got)
		}
		waits = waits[:0]
		for range 100 {
			waits = append(waits, pinging(a, b.Self()))
		}
		for _, wait := range waits {
			if r := wait(); r.err != nil {
				t.Errorf("over the session: %v", r.err)
			}
		}
	})
}

// Both sides open with each other in the same instant, on a network that reorders: no request is lost.
func TestSimSimultaneousOpen(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			simulateSeeded(t, seed, func(t *testing.T, s *sim) {
				s.net.SetLatency(5*time.Millisecond, 40*time.Millisecond)
				a, b := s.node(quiet), s.node(quiet)
				var waits []func() result[Pong]
				for range 3 {
					waits = append(waits, pinging(a, b.Self()), pinging(b, a.Self()))
				}
				for i, wait := range waits {
					if r := wait(); r.err != nil {
						t.Errorf("request %d: %v", i, r.err)
					}
				}
			})
		})
	}
}

// A WHOAREYOU names the record that is known of its recipient, who may then leave its own out.
func TestSimChallengeNamesKnownRecord(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		ping := codec.Ping{RequestID: requestID("x")}.Append(nil)
		p.random(n)
		who := p.want(codec.FlagWhoareyou)
		p.write(who.from, p.handshake(n, who, ping, nil))
		p.silence(100*time.Millisecond, "handshake of a stranger without a record")
		if got := n.Stats().Sessions.Drops[session.DropMissingRecord]; got != 1 {
			t.Errorf("%d missing records counted, want 1", got)
		}
		if _, err := n.Add(p.node); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		p.random(n)
		if who = p.want(codec.FlagWhoareyou); who.ENRSeq != 1 {
			t.Errorf("WHOAREYOU names seq %d, want 1", who.ENRSeq)
		}
		p.write(who.from, p.handshake(n, who, ping, nil))
		p.wantMessage(codec.PongType)
		// An older record than the known one does not replace it.
		newer := signed(t, p.key, 5, p.addr)
		if _, err := n.Add(newer); err != nil {
			t.Fatal(err)
		}
		p.random(n)
		if who = p.want(codec.FlagWhoareyou); who.ENRSeq != 5 {
			t.Errorf("WHOAREYOU names seq %d, want 5", who.ENRSeq)
		}
		p.write(who.from, p.handshake(n, who, ping, p.node))
		p.wantMessage(codec.PongType)
		if got := n.Node(p.id()).Seq(); got != 5 {
			t.Errorf("seq %d is known after a handshake with an old record, want 5", got)
		}
	})
}

// A handshake packet that is lost does not lose the request.
func TestSimLostHandshake(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		lost := 0
		s.net.SetHook(func(p *netsim.Packet) netsim.Verdict {
			if p.From == a.LocalAddrs()[0] && lost < 1 && len(p.Data) > 200 { // nothing else is as large
				lost++
				return netsim.Lost
			}
			return netsim.Delivered
		})
		waits := []func() result[Pong]{pinging(a, b.Self()), pinging(a, b.Self()), pinging(a, b.Self())}
		for i, wait := range waits {
			if r := wait(); r.err != nil {
				t.Errorf("request %d: %v", i+1, r.err)
			}
		}
		if lost != 1 {
			t.Errorf("%d handshake packets were lost, want 1", lost)
		}
	})
}
