package core

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// New limits hold for the next packet.
func TestSimSetLimits(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		if err := n.SetLimits(Limits{Source: Rate{PerSecond: 10, Burst: 20}}); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			p.random(n)
		}
		if got := p.count(50 * time.Millisecond); got < 20 || got > 22 {
			t.Errorf("%d WHOAREYOU, want 20", got)
		}
		if err := n.SetLimits(Limits{Source: Rate{PerSecond: math.Inf(1)}}); err == nil {
			t.Error("a rate that is not finite was taken")
		}
		for range 100 {
			p.random(n)
		}
		if got := p.count(50 * time.Millisecond); got > 3 {
			t.Errorf("%d WHOAREYOU after limits that were refused, want the old ones", got)
		}
	})
}

// Fewer places for TALK requests hold for the next one.
func TestSimSetTalkLimits(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, asker := s.node(quiet), s.node(quiet)
		s.handle(n, "slow", func(ctx context.Context, _ TalkRequest) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() })
		s.ping(asker, n.Self())
		if err := n.SetTalkLimits(TalkLimits{InFlight: 2, PerPeer: 1}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := asker.TalkSend(n.ID(), n.LocalAddrs()[0], "slow", nil); err != nil {
				t.Fatal(err)
			}
		}
		pass(50 * time.Millisecond)
		if got := n.Stats().TalkShed; got != 2 {
			t.Errorf("%d requests beyond the limits, want 2", got)
		}
		if err := n.SetTalkLimits(TalkLimits{PerPeer: -1}); err == nil {
			t.Error("a negative limit was taken")
		}
	})
}

// New bootnodes are asked, and old ones are nodes like others from then on.
func TestSimSetBootnodes(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		old, fresh := s.node(quiet), s.node(quiet)
		n := s.node(boot(old.Self()))
		s.within(10*time.Second, "the old bootnode is verified", func() bool { i, ok := info(n, old.ID()); return ok && i.Verified })
		if err := n.SetBootnodes([]*enode.Node{nil}); err == nil {
			t.Error("no record was taken for a bootnode")
		}
		if err := n.SetBootnodes([]*enode.Node{fresh.Self()}); err != nil {
			t.Fatal(err)
		}
		s.within(10*time.Second, "the new bootnode is verified", func() bool { i, ok := info(n, fresh.ID()); return ok && i.Verified })
		old.Close()
		s.within(time.Hour, "the old bootnode is gone", func() bool { _, ok := info(n, old.ID()); return !ok })
		fresh.Close()
		pass(3 * time.Hour)
		if _, ok := info(n, fresh.ID()); !ok {
			t.Error("the new bootnode left the table")
		}
	})
}

// A ban of the configuration and one of an operator hold beside each other.
func TestSimSetBans(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		known := s.peer()
		n := s.node(quiet, func(c *Config) { c.Bans = []Ban{{ID: enode.ID{1}}} })
		s.know(n, known.node)
		prefix, err := known.addr.Addr().Prefix(32)
		if err != nil {
			t.Fatal(err)
		}
		whole := prefix.Masked()
		s.ban(n, Ban{Prefix: whole})
		configured := []Ban{{Prefix: whole}, {ID: known.id()}}
		if err := n.SetBans(configured); err != nil {
			t.Fatal(err)
		}
		bans := n.Bans()
		if len(bans) != 3 || bans[0].Permanent || !bans[1].Permanent || !bans[2].Permanent || n.Stats().Bans != 3 {
			t.Fatalf("bans %+v", bans)
		}
		if !n.Unban(Ban{Prefix: whole}) || n.Unban(Ban{Prefix: whole}) || n.Unban(Ban{ID: known.id()}) {
			t.Error("the operator's ban is to lift, once, and no other")
		}
		if _, err := n.Ping(t.Context(), known.node); !errors.Is(err, ErrBanned) {
			t.Errorf("a call to a node that the configuration bans: %v", err)
		}
		s.ban(n, Ban{Prefix: whole})
		for _, wrong := range []Ban{{}, {ID: known.id(), Prefix: whole}, {Prefix: netip.MustParsePrefix("::ffff:192.0.2.0/120")}} {
			if err := n.SetBans([]Ban{wrong}); err == nil {
				t.Errorf("%+v was taken", wrong)
			}
		}
		if err := n.SetBans(nil); err != nil {
			t.Fatal(err)
		}
		if bans := n.Bans(); len(bans) != 1 || bans[0].Permanent {
			t.Errorf("bans %+v, want the operator's", bans)
		}
	})
}

// A node that is in the table leaves it when the configuration bans it.
func TestSimSetBansExpels(t *testing.T) {
	for name, ban := range map[string]func(p *peer) Ban{
		"id":     func(p *peer) Ban { return Ban{ID: p.id()} },
		"prefix": func(p *peer) Ban { return Ban{Prefix: netip.PrefixFrom(p.addr.Addr(), 32).Masked()} },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				store := newMemStore()
				n, p := s.node(quiet, stored(store)), s.peer()
				p.dial(n)
				s.know(n, p.node)
				if err := n.SetBans([]Ban{ban(p)}); err != nil {
					t.Fatal(err)
				}
				if nodes, _ := n.Len(); nodes != 0 || len(n.Sessions()) != 0 {
					t.Errorf("%d nodes and %d sessions are left", nodes, len(n.Sessions()))
				}
				pass(5 * time.Second)
				if keys := store.keys(hostPrefix); len(keys) != 0 {
					t.Errorf("the store keeps %q", keys)
				}
			})
		})
	}
}
