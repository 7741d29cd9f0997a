package core

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core/internal/netsim"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// swarm is a simulated network of nodes on public addresses, each in a /24 of its own, that all know the first one.
type swarm struct {
	t     *testing.T
	net   *netsim.Network
	nodes []*Node
	boot  *enode.Node
	next  int // host number of the next node
	rand  *rand.Rand
}

func newSwarm(t *testing.T, cfg netsim.Config, size int) *swarm {
	s := &swarm{t: t, net: netsim.New(cfg), rand: rand.New(rand.NewPCG(1, cfg.Seed))}
	t.Cleanup(s.net.Close)
	for range size {
		s.join()
	}
	return s
}

// join starts one more node.
func (s *swarm) join(adjust ...func(*Config)) *Node {
	s.next++
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(20 + s.next>>8), byte(s.next), 7, 1}), 9000)
	cfg := Config{PrivateKey: swarmKey(s.next), NewKey: true, Conns: []PacketConn{s.net.Listen(addr)}, Workers: 1}
	if s.boot != nil {
		cfg.Bootnodes = []*enode.Node{s.boot}
	}
	for _, f := range adjust {
		f(&cfg)
	}
	n, err := Listen(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.nodes = append(s.nodes, n)
	if s.boot == nil {
		s.boot = n.Self()
	}
	return n
}

// leave stops node i.
func (s *swarm) leave(i int) {
	s.close(s.nodes[i])
	s.nodes = slices.Delete(s.nodes, i, i+1)
}

func (s *swarm) close(n *Node) {
	if err := n.Close(); err != nil {
		s.t.Error("close:", err)
	}
}

// end stops everything; the bubble fails if a goroutine is left.
func (s *swarm) end() {
	var all sync.WaitGroup
	for _, n := range s.nodes {
		all.Go(func() { s.close(n) })
	}
	all.Wait()
	s.net.Close()
}

// verified returns how many verified nodes each node knows, in rising order.
func (s *swarm) verified() []int {
	var counts []int
	for _, n := range s.nodes {
		_, verified := n.Len()
		counts = append(counts, verified)
	}
	slices.Sort(counts)
	return counts
}

// found looks up random members from random nodes and returns the share of lookups that found theirs.
func (s *swarm) found(lookups int) float64 {
	var (
		mu   sync.Mutex
		hits int
		all  sync.WaitGroup
	)
	for range lookups {
		from, to := s.nodes[s.rand.IntN(len(s.nodes))], s.nodes[s.rand.IntN(len(s.nodes))]
		all.Go(func() {
			nodes, err := from.Lookup(context.Background(), to.ID())
			mu.Lock()
			defer mu.Unlock()
			if from == to || err == nil && len(nodes) > 0 && nodes[0].ID() == to.ID() {
				hits++
			}
		})
	}
	all.Wait()
	return float64(hits) / float64(lookups)
}

// strays returns how many entries of all tables name nodes that are gone.
func (s *swarm) strays() (strays, entries int) {
	live := make(map[enode.ID]bool)
	for _, n := range s.nodes {
		live[n.ID()] = true
	}
	for _, n := range s.nodes {
		for _, e := range n.Table().Nodes {
			entries++
			if !live[e.Node.ID()] {
				strays++
			}
		}
	}
	return strays, entries
}

// checkLeaks looks into every node for what should have ended by itself.
func (s *swarm) checkLeaks() {
	for _, n := range s.nodes {
		n.turn(func(time.Time) {
			st := n.sessions.Stats()
			if len(n.calls) > 64 || n.queries > 4 || st.PendingChallenges > 64 || len(n.timers) > len(n.calls)+64 || n.talk.inFlight != 0 {
				s.t.Errorf("node %v holds %d calls, %d lookups, %d challenges, %d timers, %d talk requests while nothing happens",
					n.self, len(n.calls), n.queries, st.PendingChallenges, len(n.timers), n.talk.inFlight)
			}
		})
	}
}

// swarmKey makes the key of a node from its number, so that a swarm is the same every time.
func swarmKey(number int) *ecdsa.PrivateKey {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[24:], uint64(number))
	key, err := crypto.ToECDSA(crypto.Keccak256(seed[:]))
	if err != nil {
		panic(fmt.Sprint("key of node ", number, ": ", err))
	}
	return key
}

// TestNetworkFormsInSeconds starts 100 nodes together that know one bootstrap node, with default settings.
func TestNetworkFormsInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwarm(t, netsim.Config{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Seed: 1}, 100)
		defer s.end()
		time.Sleep(10 * time.Second)
		counts := s.verified()
		if median := counts[len(counts)/2]; median < 50 {
			t.Errorf("after 10 s the median node has %d verified nodes, want 50: %v", median, counts)
		}
		if share := s.found(300); share < 0.99 {
			t.Errorf("%.1f %% of lookups found their node, want 99 %%", 100*share)
		}
	})
}

// TestSwarmSurvives runs 300 nodes through heavy loss, churn and a partition. Under the race detector there are fewer
// nodes and less churn.
func TestSwarmSurvives(t *testing.T) {
	size, churn := 300, 6
	if raceDetector {
		size, churn = 60, 1
		t.Logf("race detector: %d nodes and %d round of churn in place of 300 and 6", size, churn)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newSwarm(t, netsim.Config{Latency: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Seed: 2}, size)
		defer s.end()
		median := func() int { c := s.verified(); return c[len(c)/2] }
		goroutines := func() int { return runtime.NumGoroutine() }

		time.Sleep(30 * time.Second)
		formed, threads := median(), goroutines()
		t.Logf("formed: median of %d verified nodes", formed)
		if formed < size/3 {
			t.Fatalf("the median node has %d verified nodes of %d after 30 s", formed, size)
		}

		s.net.SetLoss(0.3)
		time.Sleep(time.Minute)
		lossy := median()
		s.net.SetLoss(0)
		time.Sleep(time.Minute)
		t.Logf("loss of 30 %% for a minute: %d, a minute later: %d", lossy, median())
		if now := median(); now < formed*9/10 {
			t.Errorf("a minute after heavy loss the median node has %d verified nodes, and had %d before", now, formed)
		}

		// 10 % an hour: every 10 minutes a sixth of that leaves and others come.
		for range churn {
			for range size / 60 {
				s.leave(1 + s.rand.IntN(len(s.nodes)-1))
				s.join()
			}
			time.Sleep(10 * time.Minute)
		}
		strays, entries := s.strays()
		t.Logf("churn: median %d, %d of %d entries are of nodes that left", median(), strays, entries)
		if now := median(); now < formed*8/10 {
			t.Errorf("after the churn the median node has %d verified nodes, and had %d before", now, formed)
		}
		if strays*20 > entries {
			t.Errorf("%d of %d table entries are of nodes that left", strays, entries)
		}

		s.net.Partition(func(a netip.Addr) int { return int(a.As4()[1]) % 2 })
		time.Sleep(5 * time.Minute)
		t.Logf("partition: median %d", median())
		s.net.Heal()
		time.Sleep(10 * time.Minute)
		t.Logf("healed: median %d", median())
		if now := median(); now < formed*8/10 {
			t.Errorf("10 min after a partition healed the median node has %d verified nodes, and had %d before", now, formed)
		}
		if share := s.found(300); share < 0.99 {
			t.Errorf("%.1f %% of lookups found their node, want 99 %%", 100*share)
		}
		time.Sleep(10 * time.Second)
		s.checkLeaks()
		if now := goroutines(); now > threads+16 {
			t.Errorf("%d goroutines, and %d before", now, threads)
		}
	})
}
