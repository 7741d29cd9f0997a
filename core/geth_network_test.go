package core_test

import (
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

const (
	// ofEachKind is how many nodes of either kind the network has.
	ofEachKind = 20
	// lookersOfEachKind is how many of them look up each member, others for every member.
	lookersOfEachKind = 2

	gethBucketSize  = 16
	gethMinDistance = 240 // geth keeps all nodes up to this distance in one bucket
)

// network is nodes of both kinds.
type network struct {
	ours    []*core.Node
	geth    []*discover.UDPv5
	members []enode.ID
}

// startNetwork starts a network with a bootstrap node of each kind, which everybody is told of.
func startNetwork(t *testing.T) *network {
	t.Helper()
	w := &network{}
	var bootnodes []*enode.Node
	for range ofEachKind {
		n := listenOurs(t, lively, func(c *core.Config) { c.Bootnodes = bootnodes })
		w.ours = append(w.ours, n)
		w.members = append(w.members, n.ID())
		if len(w.ours) == 1 {
			bootnodes = append(bootnodes, n.Self())
		}
		g := listenGeth(t, func(c *discover.Config) {
			c.Bootnodes = bootnodes
			c.PingInterval = 100 * time.Millisecond
			c.RefreshInterval = 6 * time.Second
		})
		w.geth = append(w.geth, g)
		w.members = append(w.members, g.Self().ID())
		if len(w.geth) == 1 {
			bootnodes = append(bootnodes, g.Self())
		}
	}
	return w
}

// formed tells how many of our nodes have verified all others, and how many of geth's have as many live ones in every
// bucket as fit.
func (w *network) formed() (ours, geth int) {
	for _, n := range w.ours {
		if _, verified := n.Len(); verified == len(w.members)-1 {
			ours++
		}
	}
	for _, g := range w.geth {
		self := g.Self().ID()
		bucketOf := func(id enode.ID) int { return max(enode.LogDist(self, id), gethMinDistance) }
		missing := make(map[int]int)
		for _, id := range w.members {
			if id != self {
				missing[bucketOf(id)] = min(missing[bucketOf(id)]+1, gethBucketSize)
			}
		}
		for _, bucket := range g.Nodes() {
			for _, n := range bucket {
				if n.Live {
					missing[bucketOf(n.Node.ID())]--
				}
			}
		}
		sum := 0
		for _, m := range missing {
			sum += m
		}
		if sum == 0 {
			geth++
		}
	}
	return ours, geth
}

// closest returns the member closest to a target, besides the one that looks.
func (w *network) closest(target, looker enode.ID) (best enode.ID) {
	best = looker
	for _, id := range w.members {
		if id != looker && (best == looker || enode.DistCmp(target, id, best) < 0) {
			best = id
		}
	}
	return best
}

// lookUp reports a lookup whose first result is not the closest node.
func (w *network) lookUp(t *testing.T, kind string, looker, target enode.ID, lookup func(enode.ID) ([]*enode.Node, error)) {
	found, err := lookup(target)
	want := w.closest(target, looker)
	if err != nil || len(found) == 0 || found[0].ID() != want {
		t.Errorf("lookup of %v by %v (%s): %d nodes, %v; want %v first", target, looker, kind, len(found), err, want)
	}
}

// lookUpAll goes through all members and, for each, through some of the nodes of a kind, given by their index.
func (w *network) lookUpAll(f func(looker int, target enode.ID)) {
	for i, target := range w.members {
		for j := range lookersOfEachKind {
			f((i+j*ofEachKind/lookersOfEachKind)%ofEachKind, target)
		}
	}
}

// A network of both kinds forms, and then every lookup finds the node closest to its target.
func TestGethNetwork(t *testing.T) {
	start := time.Now()
	w := startNetwork(t)
	ctx := within(t, 40*time.Second)
	var ours, geth int
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ours < ofEachKind || geth < ofEachKind {
		select {
		case <-tick.C:
			ours, geth = w.formed()
		case <-ctx.Done():
			t.Fatalf("%d of our nodes and %d of geth's know everybody they should; want %d of each", ours, geth, ofEachKind)
		}
	}
	t.Logf("formed after %v", time.Since(start).Round(time.Millisecond))
	start = time.Now()
	var all sync.WaitGroup
	all.Go(func() {
		w.lookUpAll(func(i int, target enode.ID) {
			n := w.ours[i]
			w.lookUp(t, "ours", n.ID(), target, func(id enode.ID) ([]*enode.Node, error) { return n.Lookup(within(t, 20*time.Second), id) })
		})
	})
	all.Go(func() {
		w.lookUpAll(func(i int, target enode.ID) {
			g := w.geth[i]
			w.lookUp(t, "geth", g.Self().ID(), target, func(id enode.ID) ([]*enode.Node, error) { return g.Lookup(id), nil })
		})
	})
	all.Wait()
	t.Logf("%d lookups took %v", 2*lookersOfEachKind*len(w.members), time.Since(start).Round(time.Millisecond))
	for i, n := range w.ours {
		if s := n.Stats(); s.Bans > 0 || s.InvalidMessages > 0 {
			t.Errorf("our node %d has %d bans and %d invalid messages", i, s.Bans, s.InvalidMessages)
		}
	}
}
