package core

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func (s *sim) ban(n *Node, b Ban) {
	s.t.Helper()
	if b.Until.IsZero() {
		b.Until = time.Now().Add(time.Hour)
	}
	if err := n.Ban(b); err != nil {
		s.t.Fatal("ban:", err)
	}
}

// bansOn makes the two kinds of bans that meet a peer.
func bansOn(p *peer) map[string]Ban {
	prefix, err := p.addr.Addr().Prefix(24)
	if err != nil {
		panic(err)
	}
	return map[string]Ban{"id": {ID: p.id()}, "prefix": {Prefix: prefix}}
}

// A banned node leaves the table, and stays out of it and of every answer and result.
func TestSimBannedNodeIsNowhere(t *testing.T) {
	for _, kind := range []string{"id", "prefix"} {
		t.Run(kind, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, asker, bad := s.node(quiet), s.peer(), s.peer()
				good := signed(t, keyAt(t, n.ID(), 256), 1, s.addr())
				asker.dial(n)
				bad.dial(n)
				s.know(n, bad.node, good)
				s.ban(n, bansOn(bad)[kind])
				if _, ok := info(n, bad.id()); ok {
					t.Error("it is in the table")
				}
				if r, err := n.Add(bad.node); r.InTable() {
					t.Errorf("it was added again: %v, %v", r, err)
				}
				if n.Node(bad.id()) != nil {
					t.Error("it is found by id")
				}
				for _, i := range n.Sessions() {
					if i.ID == bad.id() {
						t.Error("its session stands")
					}
				}
				nodes, _ := asker.ask(n, uint64(256), uint64(255), uint64(254), uint64(253), uint64(252), uint64(251))
				if ids(nodes)[bad.id()] || !ids(nodes)[good.ID()] {
					t.Error("it is relayed, or the other one is not")
				}
				r := pinging(n, bad.node)()
				s.wantErr("ping", r.err, ErrBanned)
				if r.took != 0 {
					t.Errorf("ping took %v", r.took)
				}
				_, err := n.FindNode(context.Background(), bad.node, []uint{0})
				s.wantErr("find node", err, ErrBanned)
				_, err = n.TalkTo(context.Background(), bad.id(), bad.addr, "p", nil)
				s.wantErr("talk", err, ErrBanned)
				s.wantErr("talk without an answer", n.TalkSend(bad.id(), bad.addr, "p", nil), ErrBanned)
				if node, err := n.Resolve(context.Background(), bad.id()); node != nil || err == nil {
					t.Errorf("resolve gave %v, %v", node, err)
				}
			})
		})
	}
}

// What others say about banned nodes goes nowhere.
func TestSimBannedNodeInAnswers(t *testing.T) {
	for _, kind := range []string{"id", "prefix"} {
		t.Run(kind, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, teller := s.node(quiet), s.peer()
				bad := s.peerWith(keyAt(t, teller.id(), 256), s.addr())
				good := signed(t, keyAt(t, teller.id(), 256), 1, s.addr())
				teller.serve(n, teller.polite(bad.node, good))
				s.know(n, teller.node)
				s.ban(n, bansOn(bad)[kind])
				check := func(what string, nodes []*enode.Node, err error) {
					t.Helper()
					if set := ids(nodes); err != nil || set[bad.id()] || !set[good.ID()] {
						t.Errorf("%s gave %d nodes, %v; the banned one is there: %t", what, len(nodes), err, set[bad.id()])
					}
				}
				nodes, err := n.FindNode(context.Background(), teller.node, []uint{256})
				check("find node", nodes, err)
				nodes, err = n.Query(context.Background(), bad.id(), 0)
				check("query", nodes, err)
				if _, ok := info(n, bad.id()); ok {
					t.Error("it entered the table")
				}
			})
		})
	}
}

// The packets of a banned peer are ignored: it times out.
func TestSimBannedPeerIsIgnored(t *testing.T) {
	for _, kind := range []string{"id", "prefix"} {
		t.Run(kind, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, other := s.node(quiet), s.node(quiet)
				s.ping(other, n.Self())
				b := Ban{ID: other.ID()}
				if kind == "prefix" {
					b = Ban{Prefix: netip.PrefixFrom(other.LocalAddrs()[0].Addr(), 24)} // need not be masked
				}
				b.Until = time.Now().Add(time.Minute)
				s.ban(n, b)
				s.wantErr("ping by a banned node", pinging(other, n.Self())().err, ErrTimeout)
				if n.Stats().BannedPackets == 0 {
					t.Error("its packets are not counted")
				}
				if nodes, _ := n.Len(); nodes != 0 {
					t.Error("it entered the table by its handshake")
				}
				pass(time.Minute)
				if got := n.Bans(); len(got) != 0 {
					t.Errorf("bans after their end: %v", got)
				}
				s.ping(other, n.Self())
				s.ping(n, other.Self())
			})
		})
	}
}

// Calls under way to a node that is banned end at once.
func TestSimBanEndsCalls(t *testing.T) {
	for _, kind := range []string{"id", "prefix"} {
		t.Run(kind, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, bad, silent := s.node(quiet), s.peer(), s.peer()
				waits := []func() result[Pong]{pinging(n, bad.node), pinging(n, bad.node)}
				other := pinging(n, silent.node)
				pass(time.Second)
				s.ban(n, bansOn(bad)[kind])
				for _, wait := range waits {
					r := wait()
					s.wantErr("call to a node that was banned", r.err, ErrBanned)
					if r.took != time.Second {
						t.Errorf("it ended after %v, want 1 s", r.took)
					}
				}
				s.wantErr("call to another node", other().err, ErrTimeout)
			})
		})
	}
}

// Bans end, the longer one holds, and can be taken back.
func TestSimBanTimes(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		node := signed(t, newKey(t), 1, s.addr())
		id, start := node.ID(), time.Now()
		events, err := n.Events(16)
		if err != nil {
			t.Fatal(err)
		}
		defer events.Close()
		prefix := netip.MustParsePrefix("203.0.113.0/24")
		s.ban(n, Ban{Prefix: prefix, Until: start.Add(time.Minute), Reason: "first"})
		s.ban(n, Ban{Prefix: prefix, Until: start.Add(time.Second), Reason: "shorter"})
		if got := n.Bans(); len(got) != 1 || got[0].Reason != "first" {
			t.Errorf("bans %v, want the longer one of the range", got)
		}
		if !n.Unban(Ban{Prefix: netip.MustParsePrefix("203.0.113.99/24")}) || eventTypes(events)[Banned] != 1 {
			t.Error("the ban of the range was not made once, or could not be taken back")
		}
		s.ban(n, Ban{ID: id, Until: start.Add(time.Minute), Reason: "first"})
		s.ban(n, Ban{ID: id, Until: start.Add(time.Second), Reason: "shorter"})
		if got := n.Bans(); len(got) != 1 || got[0].Reason != "first" {
			t.Errorf("bans %v, want the longer one", got)
		}
		s.ban(n, Ban{ID: id, Until: start.Add(2 * time.Minute), Reason: "longer"})
		if got := n.Bans(); len(got) != 1 || got[0].Reason != "longer" {
			t.Errorf("bans %v, want the longer one", got)
		}
		_, err = n.Add(node)
		s.wantErr("add of a banned node", err, ErrBanned)
		pass(2*time.Minute + time.Second)
		if r, err := n.Add(node); r != table.Added || err != nil {
			t.Errorf("add after the end of the ban gave %v, %v", r, err)
		}
		s.ban(n, Ban{ID: id})
		if !n.Unban(Ban{ID: id}) || n.Unban(Ban{ID: id}) {
			t.Error("a ban can be taken back once")
		}
		if r, err := n.Add(node); r != table.Added || err != nil {
			t.Errorf("add after the ban was taken back gave %v, %v", r, err)
		}
		for name, b := range map[string]Ban{
			"nobody":      {Until: time.Now().Add(time.Hour)},
			"both":        {ID: id, Prefix: netip.MustParsePrefix("1.2.3.0/24"), Until: time.Now().Add(time.Hour)},
			"for ever":    {ID: id},
			"4-in-6 form": {Prefix: netip.MustParsePrefix("::ffff:1.2.3.0/120"), Until: time.Now().Add(time.Hour)},
		} {
			if n.Ban(b) == nil {
				t.Errorf("a ban of %s was accepted", name)
			}
		}
		if got := eventTypes(events); got[Banned] != 3 || got[Unbanned] != 1 {
			t.Errorf("events %v, want three bans and one end", got)
		}
	})
}

// eventTypes counts the events that wait.
func eventTypes(s *Subscription) map[EventType]int {
	counts := make(map[EventType]int)
	for {
		select {
		case e, ok := <-s.C:
			if !ok {
				return counts
			}
			counts[e.Type]++
		default:
			return counts
		}
	}
}

// A lookup that meets a node which is banned meanwhile does not report it.
func TestSimBanDuringLookup(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, teller := s.node(quiet), s.peer()
		bad := s.peerWith(keyAt(t, teller.id(), 256), s.addr())
		teller.serve(n, teller.polite(bad.node))
		s.know(n, teller.node)
		wait := background(func(ctx context.Context) ([]*enode.Node, error) { return n.Lookup(ctx, bad.id()) })
		if got := bad.want(codec.FlagMessage); got.SrcID != n.ID() {
			t.Error("the lookup did not ask")
		}
		s.ban(n, Ban{ID: bad.id()})
		if r := wait(); r.err != nil || ids(r.value)[bad.id()] {
			t.Errorf("the lookup found %v, %v", r.value, r.err)
		}
	})
}
