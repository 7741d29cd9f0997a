package core

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core/internal/netsim"
	"github.com/discv5/host/sdk/expr"
	enrfields "github.com/discv5/host/sdk/fields"
	"github.com/discv5/host/sdk/forks"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// A network whose schedule begins a little before the year 2000, where the time of a bubble does, with a fork at 00:20.
const (
	forkSchedule = `
network "devnet" {
  consensus {
    genesis_time     = 946684000
    seconds_per_slot = 1
    slots_per_epoch  = 1
    fork "one" {
      epoch   = 0
      version = "0x00000001"
      digest  = "0x11111111"
    }
    fork "two" {
      epoch   = 2000
      version = "0x00000002"
      digest  = "0x22222222"
    }
  }
}`
	forkAfter = 2000*time.Second - 800*time.Second // the fork, from the begin of a bubble
	forkGrace = 5 * time.Minute
)

var (
	forkOne   = enrfields.Bytes4{0x11, 0x11, 0x11, 0x11}
	forkTwo   = enrfields.Bytes4{0x22, 0x22, 0x22, 0x22}
	forkAlien = enrfields.Bytes4{0x77, 0x77, 0x77, 0x77} // of another network
)

// announcing is what the record of a node on a fork has.
func announcing(digest enrfields.Bytes4) enr.Entry {
	return enrfields.Eth2{ForkDigest: digest, NextForkEpoch: enrfields.FarFutureEpoch}
}

func onFork(digest enrfields.Bytes4) func(*Config) {
	return func(c *Config) { c.Fields = []enr.Entry{announcing(digest)} }
}

// program is a filter that an expression decides, as the bundled plugin is one in a process of its own.
type program struct{ *expr.Program }

func (p program) Decide(_ context.Context, _ Stage, nodes []*enode.Node, out []Verdict) error {
	for i, n := range nodes {
		v := p.Program.Decide(n)
		out[i] = Verdict{Decision: Accept, Reason: v.Reason}
		if !v.Match {
			out[i].Decision = Reject
		}
		if !v.Until.IsZero() {
			out[i].TTL = max(time.Until(v.Until), time.Second)
		}
	}
	return nil
}

// onlyDevnet compiles the expression of operators who want the nodes of one network. It reads the clock of the bubble
// that it is used in.
func onlyDevnet(t *testing.T) program {
	t.Helper()
	schedules, err := forks.Parse("devnet", []byte(forkSchedule))
	if err != nil {
		t.Fatal(err)
	}
	p, err := expr.Compile(`enr.has("eth2") && fork("devnet").accepts(enr)`, expr.WithSchedules(schedules.WithGrace(forkGrace)))
	if err != nil {
		t.Fatal(err)
	}
	return program{p}
}

// forkNet is a swarm of nodes on forks, and of foreign ones, which have no eth2 at all. Those on fork one have a filter.
// The bootstrap node is foreign.
type forkNet struct {
	*swarm
	wanted []*Node // on fork one
	others []*Node // on the fork of another network, and foreign ones
}

// newForkNet starts a network of which two fifths are wanted, two fifths are of another network and a fifth is foreign.
func newForkNet(t *testing.T, size int, filters ...FilterConfig) *forkNet {
	f := &forkNet{swarm: newSwarm(t, netsim.Config{Latency: 20 * time.Millisecond, Jitter: 20 * time.Millisecond, Seed: 3}, 0)}
	for i := range size {
		switch i % 5 {
		case 1, 3:
			f.wanted = append(f.wanted, f.join(onFork(forkOne), filtered(filters...)))
		case 2, 4:
			f.others = append(f.others, f.join(onFork(forkAlien)))
		default:
			f.others = append(f.others, f.join())
		}
	}
	return f
}

// set gives all wanted nodes other filters.
func (f *forkNet) set(filters ...FilterConfig) {
	f.t.Helper()
	for _, n := range f.wanted {
		if err := n.SetFilters(filters); err != nil {
			f.t.Fatal(err)
		}
	}
}

// unwanted returns how many of some nodes are not wanted.
func (f *forkNet) unwanted(nodes []*enode.Node) (count int) {
	for _, n := range nodes {
		if !slices.ContainsFunc(f.wanted, func(w *Node) bool { return w.ID() == n.ID() }) {
			count++
		}
	}
	return count
}

// tables returns what the median wanted node has in its table: wanted nodes, and others. The bootstrap node is not
// counted: it is exempt. most is the table with the most others.
func (f *forkNet) tables() (wanted, others, most int) {
	var w, o []int
	for _, n := range f.wanted {
		var nodes []*enode.Node
		for _, e := range n.Table().Nodes {
			if e.Node.ID() != f.boot.ID() {
				nodes = append(nodes, e.Node)
			}
		}
		bad := f.unwanted(nodes)
		w, o = append(w, len(nodes)-bad), append(o, bad)
	}
	slices.Sort(w)
	slices.Sort(o)
	return w[len(w)/2], o[len(o)/2], o[len(o)-1]
}

// search looks up wanted nodes from others of them. It returns the share that was found, and the unwanted nodes that were
// handed out.
func (f *forkNet) search(targets []*Node) (share float64, unwanted int) {
	var (
		mu   sync.Mutex
		hits int
		all  sync.WaitGroup
	)
	for i, to := range targets {
		from := f.wanted[(i+1+f.rand.IntN(len(f.wanted)-1))%len(f.wanted)]
		all.Go(func() {
			nodes, err := from.Lookup(context.Background(), to.ID())
			mu.Lock()
			defer mu.Unlock()
			if err == nil && len(nodes) > 0 && nodes[0].ID() == to.ID() {
				hits++
			}
			unwanted += f.unwanted(nodes)
		})
	}
	all.Wait()
	return float64(hits) / float64(len(targets)), unwanted
}

// relayed asks some wanted nodes for what they relay, as a foreign node, and returns how many of the answers name wanted
// nodes and others.
func (f *forkNet) relayed() (wanted, others int) {
	asker := f.others[len(f.others)-1]
	for _, n := range f.wanted[:12] {
		for d := uint(256); d > 251; d-- {
			nodes, err := asker.FindNode(context.Background(), n.Self(), []uint{d})
			if err != nil {
				f.t.Errorf("findnode: %v", err)
			}
			bad := f.unwanted(nodes)
			wanted, others = wanted+len(nodes)-bad, others+bad
		}
	}
	return wanted, others
}

// asked returns how many different nodes that are not wanted are sent packets by wanted ones while f runs.
func (f *forkNet) asked(while func()) int {
	wanted, others, to := make(map[netip.Addr]bool), make(map[netip.Addr]bool), make(map[netip.Addr]bool)
	for _, n := range f.wanted {
		wanted[n.LocalAddrs()[0].Addr()] = true
	}
	for _, n := range f.others {
		others[n.LocalAddrs()[0].Addr()] = true
	}
	over := false
	var mu sync.Mutex
	f.net.Tap(func(e netsim.Event) {
		mu.Lock()
		defer mu.Unlock()
		if !over && wanted[e.From.Addr()] && others[e.To.Addr()] {
			to[e.To.Addr()] = true
		}
	})
	while()
	mu.Lock()
	defer mu.Unlock()
	over = true
	return len(to)
}

// TestForkNetwork runs 300 nodes, two fifths of them on the fork that is wanted, and has those filter at one stage after
// the other: what is in their tables, what they relay and what their lookups hand out. Under the race detector there are
// fewer nodes.
func TestForkNetwork(t *testing.T) {
	size := 300
	if raceDetector {
		size = 60
		t.Logf("race detector: %d nodes in place of 300", size)
	}
	p := onlyDevnet(t)
	at := func(stage Stage) FilterConfig { return FilterConfig{Name: "devnet", Filter: p, Stages: []Stage{stage}} }
	synctest.Test(t, func(t *testing.T) {
		f := newForkNet(t, size, at(StageTable))
		defer f.end()
		enough := min(len(f.wanted)*6/10, 60)

		time.Sleep(30 * time.Second)
		in, out, most := f.tables()
		t.Logf("table: the median table has %d of %d wanted nodes and %d others", in, len(f.wanted), out)
		if most > 0 || in < enough {
			t.Errorf("after 30 s the median table has %d wanted nodes, want %d, and one has %d others", in, enough, most)
		}
		share, _ := f.search(f.wanted)
		t.Logf("table: lookups found %.1f %% of the wanted nodes", 100*share)
		if share < 0.99 {
			t.Errorf("lookups found %.1f %% of the wanted nodes, want 99 %%", 100*share)
		}
		met := make(map[enode.ID]bool)
		for range 24 {
			nodes, err := f.wanted[0].QueryRandom(context.Background(), Matching(p.Match))
			if err != nil || f.unwanted(nodes) > 0 {
				t.Errorf("a random lookup of nodes that match has %d others, %v", f.unwanted(nodes), err)
			}
			for _, n := range nodes {
				met[n.ID()] = true
			}
		}
		if len(met) < (len(f.wanted)-1)*99/100 {
			t.Errorf("random lookups met %d of %d wanted nodes, want 99 %%", len(met), len(f.wanted)-1)
		}

		f.set(at(StageServe))
		time.Sleep(10 * time.Second)
		share, strangers := f.search(f.wanted[:len(f.wanted)/3])
		time.Sleep(20 * time.Second)
		in, out, _ = f.tables()
		kept, leaked := f.relayed()
		t.Logf("serve: median table %d wanted and %d others; relayed %d and %d; lookups found %.1f %%", in, out, kept, leaked, 100*share)
		if out == 0 || in < enough || kept < 12*len(f.wanted)/4 || leaked > 0 || strangers == 0 || share < 0.99 {
			t.Errorf("serve: tables have %d wanted nodes and %d others, relayed are %d and %d, handed out %d others, found %.1f %%",
				in, out, kept, leaked, strangers, 100*share)
		}

		f.set(at(StageDeliver))
		time.Sleep(10 * time.Second)
		routed := f.asked(func() { share, strangers = f.search(f.wanted[:len(f.wanted)/3]) })
		in, out, _ = f.tables()
		kept, leaked = f.relayed()
		t.Logf("deliver: median table %d wanted and %d others; relayed %d and %d; lookups asked %d of %d others, found %.1f %%",
			in, out, kept, leaked, routed, len(f.others), 100*share)
		if out == 0 || leaked == 0 || routed < len(f.others)/3 || strangers > 0 || share < 0.99 {
			t.Errorf("deliver: tables have %d others, relayed are %d, %d of %d were asked, handed out %d, found %.1f %%",
				out, leaked, routed, len(f.others), strangers, 100*share)
		}
		for _, n := range f.wanted {
			handed := slices.Concat(n.Closest(n.ID(), 64, false), n.Random(64, nil), n.AtDistances([]uint{254, 255, 256}, 64))
			if bad := f.unwanted(handed); bad > 0 {
				t.Errorf("deliver: %d of %d nodes handed out of a table are not wanted", bad, len(handed))
			}
		}
		if nodes, err := f.wanted[0].Resolve(context.Background(), f.others[1].ID()); err == nil {
			t.Errorf("deliver: resolved %v", nodes)
		}

		f.set(at(StageTable))
		time.Sleep(5 * time.Second)
		if _, _, most = f.tables(); most > 0 {
			t.Errorf("5 s after the filter came back to the table, one has %d others", most)
		}
	})
}
