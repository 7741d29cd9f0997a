package core

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core/internal/netsim"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// TestForkBoundary runs a filter through a fork: the nodes of both sides are in the table, relayed and handed out from
// the begin of the grace window to its end, and after it those of the new side alone. The node with the filter is not
// touched meanwhile.
func TestForkBoundary(t *testing.T) {
	const each = 10
	p := onlyDevnet(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSwarm(t, netsim.Config{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Seed: 4}, 1)
		defer s.end()
		begin := time.Now()
		group := make(map[string][]*Node)
		of := make(map[enode.ID]string)
		join := func(name string, adjust ...func(*Config)) *Node {
			n := s.join(adjust...)
			group[name] = append(group[name], n)
			of[n.ID()] = name
			return n
		}
		of[s.boot.ID()] = "boot"
		for range each {
			join("upgraded", onFork(forkOne)) // takes the fork in time
			join("old", onFork(forkOne))      // never does
			join("early", onFork(forkTwo))    // announces it from the begin
			join("foreign")
		}
		host := join("host", onFork(forkOne), filtered(everywhere("devnet", p)))
		asker := group["foreign"][0]
		events, err := host.Events(4096)
		if err != nil {
			t.Fatal(err)
		}

		// seen is how many nodes of each group there are, and "" where there is none.
		seen := func(nodes []*enode.Node) string {
			count := make(map[string]int)
			for _, n := range nodes {
				count[of[n.ID()]]++
			}
			return fmt.Sprintf("upgraded %d, old %d, early %d, foreign %d", count["upgraded"], count["old"], count["early"], count["foreign"])
		}
		check := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after - time.Since(begin))
			var table []*enode.Node
			for _, e := range host.Table().Nodes {
				table = append(table, e.Node)
			}
			if got := seen(table); got != want {
				t.Errorf("after %v in the table: %s, want %s", after, got, want)
			}
			if got := seen(host.Closest(host.ID(), 100, false)); got != want {
				t.Errorf("after %v handed out: %s, want %s", after, got, want)
			}
			relayed := make(map[enode.ID]*enode.Node)
			for d := uint(245); d <= 256; d++ {
				for range 6 { // 16 at most at a time, chosen anew
					nodes, err := asker.FindNode(context.Background(), host.Self(), []uint{d})
					if err != nil {
						t.Errorf("findnode: %v", err)
					}
					for _, n := range nodes {
						relayed[n.ID()] = n
					}
				}
			}
			var nodes []*enode.Node
			for _, n := range relayed {
				if n.ID() != asker.ID() {
					nodes = append(nodes, n)
				}
			}
			if got := seen(nodes); got != want {
				t.Errorf("after %v relayed: %s, want %s", after, got, want)
			}
		}
		// met lets the host meet everybody again.
		met := func(after time.Duration) {
			time.Sleep(after - time.Since(begin))
			for _, n := range s.nodes {
				if n != host {
					if _, err := n.Ping(context.Background(), host.Self()); err != nil {
						t.Errorf("ping: %v", err)
					}
				}
				if _, err := host.Lookup(context.Background(), n.ID()); err != nil {
					t.Errorf("lookup: %v", err)
				}
			}
		}

		opens, ends := forkAfter-forkGrace, forkAfter+forkGrace
		met(time.Minute)
		check(5*time.Minute, "upgraded 10, old 10, early 0, foreign 0")
		check(opens-10*time.Second, "upgraded 10, old 10, early 0, foreign 0")
		met(opens + 10*time.Second)
		check(opens+time.Minute, "upgraded 10, old 10, early 10, foreign 0")
		time.Sleep(forkAfter - time.Since(begin))
		for _, n := range group["upgraded"] {
			if err := n.SetEntries(context.Background(), announcing(forkTwo)); err != nil {
				t.Fatal(err)
			}
		}
		met(forkAfter + time.Minute)
		check(forkAfter+2*time.Minute, "upgraded 10, old 10, early 10, foreign 0")
		check(ends-5*time.Second, "upgraded 10, old 10, early 10, foreign 0")
		check(ends+10*time.Second, "upgraded 10, old 0, early 10, foreign 0")
		met(ends + time.Minute)
		check(ends+10*time.Minute, "upgraded 10, old 0, early 10, foreign 0")

		removed := make(map[string]int)
		events.Close()
		for e := range events.C {
			if e.Type == NodeRemoved {
				removed[of[e.ID]]++
			}
			if e.Type == SessionDown || e.Lost > 0 {
				t.Errorf("event %+v", e)
			}
		}
		if len(removed) != 1 || removed["old"] != each {
			t.Errorf("nodes left the table: %v, want those on the old fork, once", removed)
		}
	})
}
