package core

import (
	"context"
	"math"
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
