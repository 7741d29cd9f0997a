package core

import (
	"context"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// A node that was away is known again soon after it is back, though its record and address are the same as before.
func TestSimReturn(t *testing.T) {
	for name, restart := range map[string]bool{"restarted": true, "cut off": false} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				b := s.node()
				key, addr := newKey(t), s.addr()
				start := func() *Node {
					return s.node(boot(b.Self()), func(c *Config) {
						c.PrivateKey = key
						c.Conns = []PacketConn{s.net.Listen(addr)}
					})
				}
				n := start()
				s.within(time.Minute, "it is known", func() bool { return verified(b, n.ID()) })
				if restart {
					n.Close()
				} else {
					s.host(n, false)
				}
				s.within(time.Hour, "it is forgotten", func() bool { _, ok := info(b, n.ID()); return !ok })
				if restart {
					n = start()
				} else {
					s.host(n, true)
				}
				took := s.within(6*time.Minute, "it is known again", func() bool { return verified(b, n.ID()) })
				t.Logf("known again after %v", took)
			})
		})
	}
}

// Both ways back in: a handshake without a record, and a PING over a session that is still up.
func TestSimReturnByHandshakeAndByPing(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, other := s.node(quiet), s.node(quiet)
		s.ping(other, n.Self())
		for what, forget := range map[string]func(){
			"handshake": func() { other.EndSession(n.ID(), n.LocalAddrs()[0]) },
			"ping":      func() {},
		} {
			if _, ok := info(n, other.ID()); !ok {
				t.Fatalf("%s: it is not known before", what)
			}
			forget()
			n.Remove(other.ID())
			s.ping(other, n.Self())
			if _, ok := info(n, other.ID()); !ok {
				t.Errorf("%s: it did not come back", what)
			}
		}
		liar := s.peer() // its record names another endpoint
		liar.node = signed(t, liar.key, 1, s.addr())
		liar.dial(n)
		liar.send(n.LocalAddrs()[0], codec.Ping{RequestID: requestID("a"), ENRSeq: 1}.Append(nil))
		liar.wantMessage(codec.PongType)
		if _, ok := info(n, liar.id()); ok {
			t.Error("a record with another endpoint entered the table by a PING")
		}
	})
}

// A record is told only where all of its addresses may be told.
func TestSimRecordsWithLANAddressStayInside(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, s.at("198.18.0.1:1"))
		v6 := func(ip string) []enr.Entry {
			return []enr.Entry{enr.IPv6Addr(addrPort("[" + ip + "]:9").Addr()), enr.UDP6(9)}
		}
		public := signed(t, keyAt(t, n.ID(), 256), 1, s.addr(), v6("2001:db9::7")...)
		lan := signed(t, keyAt(t, n.ID(), 256), 1, s.addr(), v6("fd00::7")...)
		machine := signed(t, keyAt(t, n.ID(), 256), 1, s.addr(), v6("::1")...)
		s.know(n, public, lan, machine)
		asks := func(from string, want ...*enode.Node) {
			p := s.peerAt(from)
			p.dial(n)
			p.send(n.LocalAddrs()[0], codec.FindNode{RequestID: requestID("a"), Distances: codec.NewDistances(256)}.Append(nil))
			m, err := codec.ParseNodes(p.wantMessage(codec.NodesType).body)
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]bool)
			for r := range m.Records.All() {
				got[string(r)] = true
			}
			for _, node := range want {
				if !got[string(encoded(t, node))] {
					t.Errorf("%s is not told all that it may know", from)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%s is told %d records, want %d", from, len(got), len(want))
			}
		}
		asks("198.51.100.77:7", public)
		asks("10.1.1.1:7", public, lan)
		asks("127.0.0.1:7", public, lan, machine)
	})
}

// Calls with no node are an error.
func TestSimNoNode(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		ctx := context.Background()
		_, err := n.Add(nil)
		s.wantErr("Add", err, ErrNoNode)
		_, err = n.Ping(ctx, nil)
		s.wantErr("Ping", err, ErrNoNode)
		_, err = n.FindNode(ctx, nil, []uint{256})
		s.wantErr("FindNode", err, ErrNoNode)
		_, err = n.Talk(ctx, nil, "p", nil)
		s.wantErr("Talk", err, ErrNoNode)
		if all := n.Explain(ctx, nil); all != nil {
			t.Errorf("Explain gave %v", all)
		}
	})
}

// Add tells bans from other refusals.
func TestSimAddOfBanned(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		id, ranged, nowhere := signed(t, newKey(t), 1, s.addr()), signed(t, newKey(t), 1, s.addr()), signed(t, newKey(t), 1, addrPort("[2001:db9::1]:1"))
		until := time.Now().Add(time.Hour)
		prefix, _ := ranged.IPAddr().Prefix(24)
		for _, b := range []Ban{{ID: id.ID(), Until: until}, {Prefix: prefix, Until: until}} {
			if err := n.Ban(b); err != nil {
				t.Fatal(err)
			}
		}
		for what, node := range map[string]*enode.Node{"a banned id": id, "an address in a banned range": ranged} {
			r, err := n.Add(node)
			s.wantErr(what, err, ErrBanned)
			if r != table.Banned {
				t.Errorf("%s: %v", what, r)
			}
		}
		if r, err := n.Add(nowhere); r != table.NoAddress || err != nil {
			t.Errorf("no socket for its family: %v, %v", r, err)
		}
	})
}

// Who is banned by id is not even challenged.
func TestSimBannedIsNotChallenged(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.random(n)
		who := p.want(codec.FlagWhoareyou)
		if err := n.Ban(Ban{ID: p.id(), Until: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		p.random(n)
		p.silence(time.Second, "unknown packet of a banned id")
		p.write(who.from, p.handshake(n, who, codec.Ping{RequestID: requestID("a")}.Append(nil), p.node))
		p.silence(time.Second, "handshake of a banned id")
		if st := n.Stats(); st.BannedPackets != 2 || st.Sessions.HandshakesAccepted != 0 {
			t.Errorf("%d packets counted, %d handshakes", st.BannedPackets, st.Sessions.HandshakesAccepted)
		}
		q := p.another()
		q.random(n)
		q.want(codec.FlagWhoareyou)
		pass(time.Minute)
		p.random(n)
		p.want(codec.FlagWhoareyou)
	})
}

// Add tells of a node that waits for a filter, and of one that a filter rejects.
func TestSimAddOfFiltered(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		good, bad := unsigned(1, 1), unsigned(2, 1)
		n := s.node(quiet, filtered(everywhere("slow", &rules{before: slow(100 * time.Millisecond), verdict: func(_ Stage, n *enode.Node) Verdict {
			if n.ID() == bad.ID() {
				return Verdict{Decision: Reject}
			}
			return Verdict{Decision: Accept}
		}})))
		want := func(when string, node *enode.Node, want table.Result) {
			t.Helper()
			if r, err := n.Add(node); r != want || err != nil {
				t.Errorf("%s: %v, %v; want %v", when, r, err, want)
			}
		}
		want("before the verdict", good, table.Pending)
		want("before the verdict", bad, table.Pending)
		pass(time.Second)
		want("accepted", good, table.Existing)
		want("rejected", bad, table.Rejected)
	})
}
