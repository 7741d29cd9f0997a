package core

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/netsim"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// host takes a node off the network, or puts it back.
func (s *sim) host(n *Node, up bool) { s.net.SetDown(n.LocalAddrs()[0].Addr(), !up) }

func verified(n *Node, id enode.ID) bool {
	i, ok := info(n, id)
	return ok && i.Verified
}

// A node that is gone leaves the table; a bootstrap node stays, but is not relayed.
func TestSimDeadNodesLeave(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		first, second := s.node(quiet), s.node(quiet)
		n := s.node(boot(first.Self()))
		if _, err := n.Add(second.Self()); err != nil {
			t.Fatal(err)
		}
		s.within(5*time.Second, "both nodes are verified", func() bool { return verified(n, first.ID()) && verified(n, second.ID()) })
		first.Close()
		second.Close()
		s.within(5*time.Minute, "the node that is gone has left the table", func() bool { _, ok := info(n, second.ID()); return !ok })
		pass(time.Hour)
		if i, ok := info(n, first.ID()); !ok || i.Verified || !i.Bootstrap {
			t.Errorf("the bootstrap node that is gone: %+v, %t; want it unverified", i, ok)
		}
	})
}

// A lookup finds its target first, through nodes that know more.
func TestSimLookupTargets(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		var nodes []*Node
		for range 17 {
			nodes = append(nodes, s.node(quiet))
		}
		for _, n := range nodes[:16] {
			for _, other := range nodes[:16] {
				if n != other {
					s.know(n, other.Self())
				}
			}
		}
		last := nodes[16]
		s.know(last, nodes[0].Self())
		ctx := context.Background()
		for i, target := range nodes[:16] {
			found, err := last.Lookup(ctx, target.ID())
			if err != nil || len(found) == 0 || found[0].ID() != target.ID() {
				t.Errorf("lookup of node %d gave %d nodes, %v; want it first", i, len(found), err)
			}
			for j := 1; j < len(found); j++ {
				if enode.DistCmp(target.ID(), found[j-1].ID(), found[j].ID()) > 0 {
					t.Errorf("lookup of node %d is not in order", i)
				}
			}
		}
		found, err := last.QueryRandom(ctx)
		if err != nil || len(found) != 16 {
			t.Errorf("random query met %d nodes, %v; want 16", len(found), err)
		}
		if ids(found)[last.ID()] {
			t.Error("a query met the node itself")
		}
		if got, _ := last.Len(); got != 16 {
			t.Errorf("%d nodes met in lookups are in the table, want 16", got)
		}
	})
}

// Lookups take a predicate, and stop when enough nodes match.
func TestSimLookupPredicate(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		var nodes []*enode.Node
		for i := range 7 { // as many as fit one packet
			nodes = append(nodes, signed(t, keyAt(t, p.id(), 256), 1, s.addr(), enr.WithEntry("mark", []byte{byte(i % 2)})))
		}
		p.serve(n, p.polite(nodes...))
		s.know(n, p.node)
		ctx := context.Background()
		start := time.Now()
		found, err := n.Lookup(ctx, nodes[0].ID(), Matching(HasField("mark", []byte{1})), Wanting(3))
		if err != nil || len(found) != 3 || time.Since(start) > time.Second {
			t.Errorf("three of a kind: %d nodes, %v after %v", len(found), err, time.Since(start))
		}
		for _, node := range found {
			if !HasField("mark", []byte{1})(node) {
				t.Error("a node does not match")
			}
		}
		if found, err = n.Lookup(ctx, nodes[0].ID(), Matching(func(*enode.Node) bool { return false })); err != nil || len(found) != 0 {
			t.Errorf("nobody matches: %d nodes, %v", len(found), err)
		}
		pass(5 * time.Second) // requests that a lookup did not wait for run on
		limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, err = n.Lookup(limited, nodes[0].ID())
		s.wantErr("lookup whose caller leaves", err, context.DeadlineExceeded)
		if got := n.Stats().Calls; got != 0 {
			t.Errorf("%d calls are left of an abandoned lookup", got)
		}
	})
}

// Resolve prefers the node itself, then what others know, then what is known; the newest wins.
func TestSimResolve(t *testing.T) {
	ctx := context.Background()
	mark := func(v byte) map[string]any { return map[string]any{"mark": []byte{v}} }
	simulate(t, func(t *testing.T, s *sim) {
		n, target, third := s.node(quiet), s.node(quiet), s.node(quiet)
		old := target.Self()
		s.know(n, old, third.Self())
		if err := target.SetFields(ctx, "operator", mark(1)); err != nil {
			t.Fatal(err)
		}
		if got, err := n.Resolve(ctx, target.ID()); err != nil || got.Seq() != 2 {
			t.Errorf("live target: %v, %v; want its new record", got, err)
		}
		if err := target.SetFields(ctx, "operator", mark(2)); err != nil {
			t.Fatal(err)
		}
		newest := target.Self()
		s.host(target, false)
		if got, err := n.Resolve(ctx, target.ID()); err != nil || got.ID() != target.ID() {
			t.Errorf("dead target: %v, %v; want the known record", got, err)
		}
		if _, err := n.Add(old); err != nil {
			t.Fatal(err)
		}
		s.know(third, newest)
		s.know(n, third.Self())
		if got, err := n.Resolve(ctx, target.ID()); err != nil || got.Seq() != 3 {
			t.Errorf("dead target that another one knows better: %v, %v; want seq 3", got, err)
		}
		if got, err := n.Resolve(ctx, n.ID()); err != nil || got.ID() != n.ID() {
			t.Errorf("the node itself: %v, %v", got, err)
		}
		_, err := n.Resolve(ctx, enode.PubkeyToIDV4(&newKey(t).PublicKey))
		s.wantErr("nobody", err, ErrNotFound)
	})
}

// A PONG that names a newer record makes the node ask for it, over the session that is up.
func TestSimNewRecordByCheck(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, other := s.node(), s.node(quiet)
		if _, err := n.Add(other.Self()); err != nil {
			t.Fatal(err)
		}
		s.within(5*time.Second, "the node is verified", func() bool { return verified(n, other.ID()) })
		handshakes := n.Stats().Sessions.HandshakesSent
		if err := other.SetFields(context.Background(), "operator", map[string]any{"mark": []byte{1}}); err != nil {
			t.Fatal(err)
		}
		s.within(2*time.Minute, "the new record is in the table", func() bool { return n.Node(other.ID()).Seq() == 2 })
		if !verified(n, other.ID()) {
			t.Error("a new record with the old endpoint is not verified")
		}
		if got := n.Stats().Sessions.HandshakesSent; got != handshakes {
			t.Errorf("%d further handshakes", got-handshakes)
		}
	})
}

// A PING that names a newer record does the same at once.
func TestSimNewRecordByPing(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, other := s.node(), s.node(quiet)
		s.ping(other, n.Self())
		s.within(5*time.Second, "the node is verified", func() bool { return verified(n, other.ID()) })
		if err := other.SetFields(context.Background(), "operator", map[string]any{"mark": []byte{1}}); err != nil {
			t.Fatal(err)
		}
		s.ping(other, n.Self())
		s.within(100*time.Millisecond, "the new record is in the table", func() bool { return n.Node(other.ID()).Seq() == 2 })
	})
}

// A handshake brings the new record itself.
func TestSimNewRecordByHandshake(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, other := s.node(quiet), s.node(quiet)
		s.ping(other, n.Self())
		if got := n.Node(other.ID()); got == nil || got.Seq() != 1 {
			t.Fatalf("after the first handshake: %v", got)
		}
		if err := other.SetFields(context.Background(), "operator", map[string]any{"mark": []byte{1}}); err != nil {
			t.Fatal(err)
		}
		other.EndSession(n.ID(), n.LocalAddrs()[0])
		s.ping(other, n.Self())
		if got := n.Node(other.ID()); got == nil || got.Seq() != 2 {
			t.Errorf("after the second handshake: %v", got)
		}
	})
}

// Whoever opens a session is pinged back within a second, and then counts as verified. A record that names another endpoint
// does not enter.
func TestSimPingBack(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node()
		for range 10 {
			p := s.peer()
			p.dial(n)
			if i, ok := info(n, p.id()); !ok || i.Verified {
				t.Errorf("after the handshake: %+v, %t; want it in the table, not verified", i, ok)
			}
			dialled := time.Now()
			back, _ := p.read(time.Second)
			for back.kind == codec.FindNodeType { // it may be asked for nodes, too
				back, _ = p.read(time.Second)
			}
			if took := time.Since(dialled); back.kind != codec.PingType || took > 1100*time.Millisecond {
				t.Fatalf("no PING came back in %v, but %v", took, back.kind)
			}
			p.pong(back, back.from)
			s.within(100*time.Millisecond, "the peer is verified", func() bool { return verified(n, p.id()) })
			p.serve(n, p.polite())
		}
		liar := s.peer()
		liar.node = signed(t, liar.key, 1, s.addr())
		liar.dial(n)
		liar.silence(10*time.Second, "record with another endpoint")
		if _, ok := info(n, liar.id()); ok {
			t.Error("a record with another endpoint entered the table")
		}
	})
}

// A bootstrap node that does not answer at the start is found soon after it comes up, however late. Meanwhile the pauses grow.
func TestSimBootnodeComesUpLate(t *testing.T) {
	for _, after := range []time.Duration{5 * time.Second, 2 * time.Minute, 5 * time.Hour} {
		t.Run(after.String(), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				s.record()
				first := s.node(quiet)
				s.host(first, false)
				n := s.node(boot(first.Self()))
				pass(after)
				sent := len(s.packets(n.LocalAddrs()[0], first.LocalAddrs()[0]))
				if limit := 20 + int(after/(10*time.Second)); sent < 3 || sent > limit {
					t.Errorf("%d packets in %v, want a few and at most %d", sent, after, limit)
				}
				s.host(first, true)
				took := s.within(70*time.Second, "the bootstrap node is found", func() bool { return verified(n, first.ID()) })
				t.Logf("%d packets before, found after %v", sent, took)
			})
		})
	}
}

// A table that becomes nearly empty is filled again at once.
func TestSimRefillsAfterChurn(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		first := s.node()
		n := s.node(boot(first.Self()))
		var others []*Node
		for range 12 {
			others = append(others, s.node(boot(first.Self())))
		}
		s.within(20*time.Second, "the network forms", func() bool { _, v := n.Len(); return v >= 13 })
		for _, o := range others {
			o.Close()
		}
		var fresh []*Node
		for range 12 {
			fresh = append(fresh, s.node(boot(first.Self())))
		}
		took := s.within(10*time.Minute, "the table is full of new nodes", func() bool {
			for _, f := range fresh {
				if !verified(n, f.ID()) {
					return false
				}
			}
			return true
		})
		t.Logf("twelve of twelve neighbours replaced within %v", took)
	})
}

// In a formed network a random lookup runs every five minutes, unless others ran.
func TestSimRefreshInterval(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		first := s.node()
		n := s.node(boot(first.Self()))
		for range 6 {
			s.node(boot(first.Self()))
		}
		pass(5 * time.Minute)
		before := n.Stats().Lookups
		pass(time.Hour)
		if got := n.Stats().Lookups - before; got < 10 || got > 14 {
			t.Errorf("%d lookups in an hour, want one every 5 min", got)
		}
		before = n.Stats().Lookups
		for range 60 {
			if _, err := n.QueryRandom(context.Background()); err != nil {
				t.Error(err)
			}
			pass(time.Minute)
		}
		if got := n.Stats().Lookups - before; got > 62 {
			t.Errorf("%d lookups beside those of the caller, who made one every minute", got-60)
		}
	})
}

// A node with two addresses is used at the one that works, and at the other one when that changes.
func TestSimDeadFamily(t *testing.T) {
	for _, dead := range []string{"198.18.9.9", "2001:db9::9"} {
		t.Run(dead, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				other := s.node(quiet, s.at("198.18.9.9:9", "[2001:db9::9]:9"))
				n := s.node(s.at("198.18.0.1:1", "[2001:db9::1]:1"))
				s.net.SetDown(netip.MustParseAddr(dead), true)
				if r, err := n.Add(other.Self()); r != table.Added || err != nil {
					t.Fatalf("add gave %v, %v", r, err)
				}
				at := func() string { i, _ := info(n, other.ID()); return i.Addr.Addr().String() }
				s.within(10*time.Second, "the node is verified at the address that works", func() bool { return verified(n, other.ID()) && at() != dead })
				s.ping(n, other.Self())
				if got, _ := n.Len(); got != 1 {
					t.Errorf("%d nodes in the table, want it once", got)
				}
				works := at()
				s.net.SetDown(netip.MustParseAddr(dead), false)
				s.net.SetDown(netip.MustParseAddr(works), true)
				s.within(3*time.Minute, "the node is verified at the other address", func() bool { return verified(n, other.ID()) && at() == dead })
				s.ping(n, other.Self())
			})
		})
	}
}

// A node behind a NAT that nobody can ask is not relayed, whatever it sends itself.
func TestSimNodeBehindNATIsNotRelayed(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		nat := s.net.NAT(netip.MustParseAddr("203.0.113.9"), netsim.Symmetric)
		n := s.node()
		hidden := s.node(func(c *Config) {
			c.Conns = []PacketConn{nat.Listen(addrPort("192.168.1.2:30303"))}
			c.Advertise = []netip.AddrPort{addrPort("203.0.113.9:30303")}
		}, boot(n.Self()), quiet)
		stranger := s.node(quiet)
		s.ping(hidden, n.Self())
		pass(2 * time.Minute) // the mapping is forgotten; checks of the published address find nobody
		r := finding(stranger, n.Self(), 256, 255, 254, 253, 252)()
		if r.err != nil || ids(r.value)[hidden.ID()] {
			t.Errorf("%d nodes, %v; the hidden one among them: %t", len(r.value), r.err, ids(r.value)[hidden.ID()])
		}
	})
}

// Distances beyond 256 are the caller's mistake.
func TestSimFindNodeBadDistance(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		if r := finding(a, b.Self(), 256, 257)(); r.err == nil || r.took != 0 {
			t.Errorf("distance 257 gave %v after %v", r.err, r.took)
		}
		_, err := a.Ping(context.Background(), a.Self())
		s.wantErr("ping of itself", err, ErrSelf)
	})
}

// Lookups at a time are bounded.
func TestSimManyLookups(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, silent := s.node(quiet), s.peer()
		silent.dial(n) // with a session up all of them can ask it at a time
		s.know(n, silent.node)
		var waits []func() result[[]*enode.Node]
		for range maxQueries + 5 {
			waits = append(waits, background(func(ctx context.Context) ([]*enode.Node, error) { return n.QueryRandom(ctx) }))
		}
		busy := 0
		for _, wait := range waits {
			if r := wait(); r.err != nil {
				s.wantErr("one lookup too many", r.err, ErrBusy)
				busy++
			}
		}
		if busy != 5 {
			t.Errorf("%d lookups of %d were refused, want 5", busy, len(waits))
		}
		if r := background(func(ctx context.Context) ([]*enode.Node, error) { return n.QueryRandom(ctx) })(); r.err != nil {
			t.Error("a lookup after all of them:", r.err)
		}
	})
}

// A table that has become nearly empty is filled by a lookup at once, not when the next one is due.
func TestSimRefillsAtOnce(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		first := s.peer()
		n := s.node(boot(first.node))
		group := func() (peers []*peer, nodes []*enode.Node) {
			for range 5 {
				p := s.peerWith(keyAt(t, first.id(), 256), s.addr())
				p.serve(n, p.polite())
				peers, nodes = append(peers, p), append(nodes, p.node)
			}
			return peers, nodes
		}
		old, told := group()
		fresh, next := group()
		var tell atomic.Pointer[[]*enode.Node]
		tell.Store(&told)
		first.serve(n, func(got packet) { first.polite(*tell.Load()...)(got) })
		s.within(20*time.Second, "the table is filled", func() bool { _, v := n.Len(); return v == 6 })
		pass(time.Hour)
		for _, p := range old {
			s.net.SetDown(p.addr.Addr(), true)
		}
		s.within(20*time.Minute, "the table is nearly empty", func() bool { _, v := n.Len(); return v < nearlyEmpty })
		tell.Store(&next)
		took := s.within(20*time.Second, "the table is filled again", func() bool {
			for _, p := range fresh {
				if !verified(n, p.id()) {
					return false
				}
			}
			return true
		})
		t.Logf("filled again after %v", took)
	})
}
