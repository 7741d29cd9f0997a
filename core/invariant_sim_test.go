package core

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Whatever happens to nodes, the counters and the events of those that came and went add up to the table.
func TestSimCountersAgreeWithTheTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		events := must(n.Events(65_536))
		defer events.Close()
		in := make(map[enode.ID]bool)
		check := func(when string) {
			t.Helper()
			for len(events.C) > 0 {
				switch e := <-events.C; e.Type {
				case NodeAdded:
					if in[e.ID] {
						t.Fatalf("%s: a node was added twice", when)
					}
					in[e.ID] = true
				case NodeRemoved:
					if !in[e.ID] {
						t.Fatalf("%s: a node was removed that was not there", when)
					}
					delete(in, e.ID)
				}
			}
			st := n.Stats()
			if got := st.NodesAdded - st.NodesRemoved; got != uint64(st.TableNodes) || len(in) != st.TableNodes {
				t.Fatalf("%s: %d added, %d removed, %d by events; the table has %d", when, st.NodesAdded, st.NodesRemoved, len(in), st.TableNodes)
			}
			n.turn(func(time.Time) {
				for e := range n.table.All() {
					if !in[e.ID()] {
						t.Fatalf("%s: a node is in the table of which no event told", when)
					}
				}
			})
		}
		var nodes []*enode.Node
		for i := range 1500 {
			nodes = append(nodes, s.gone(i))
		}
		promoted := 0
		for round := range 4000 {
			node := nodes[rand.IntN(len(nodes))]
			if round < len(nodes) { // so many that buckets are full
				node = nodes[round]
			}
			id := node.ID()
			what := rand.IntN(16)
			if round < len(nodes) {
				what = 0
			}
			n.turn(func(now time.Time) {
				before := n.table.Len()
				_, was := n.table.Entry(id)
				if !was && n.table.Known(id) != nil && rand.IntN(2) == 0 {
					what = 6 // one in reserve answers
				}
				switch {
				case what < 6:
					n.offer(now, node, netip.AddrPort{})
				case what < 7:
					n.seenNode(now, id, time.Millisecond)
					if _, is := n.table.Entry(id); is && !was && n.table.Len() == before {
						promoted++
					}
				case what < 12:
					n.heardNode(now, id, time.Millisecond)
				case what < 14:
					n.failedNode(now, id)
				case what < 15:
					n.removeNode(now, id)
				default:
					n.moved(now, node, netip.AddrPort{}, time.Millisecond)
				}
			})
			if round > len(nodes) && what == 0 {
				s.ban(n, Ban{ID: id, Until: time.Now().Add(time.Minute)})
			}
			if round%20 == 0 {
				pass(6 * time.Second)
				check("in between")
			}
		}
		check("at the end")
		t.Logf("%d promoted", promoted)
		if promoted < 10 {
			t.Errorf("only %d nodes in reserve took the place of another", promoted)
		}
	})
}
