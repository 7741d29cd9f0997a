package table

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// responseTimeout is when a caller reports a request as failed.
const responseTimeout = 4 * time.Second

// overlay is a network that stands still: every node knows up to 16 others at each log distance.
type overlay struct {
	t     testing.TB
	r     *rand.Rand
	nodes []*enode.Node
	peers map[enode.ID][MaxDistance + 1][]*enode.Node
	dead  map[enode.ID]bool
	delay func() time.Duration
}

func newOverlay(t testing.TB, n int) *overlay {
	o := &overlay{t: t, r: newRand(t), peers: make(map[enode.ID][MaxDistance + 1][]*enode.Node), dead: make(map[enode.ID]bool)}
	for range n {
		o.nodes = append(o.nodes, newNode(RandomID(o.r), "20.0.0.1", 1))
	}
	order := slices.Clone(o.nodes)
	for _, a := range o.nodes {
		o.r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		var known [MaxDistance + 1][]*enode.Node
		for _, b := range order {
			if d := LogDist(a.ID(), b.ID()); d > 0 && len(known[d]) < 16 {
				known[d] = append(known[d], b)
			}
		}
		o.peers[a.ID()] = known
	}
	o.delay = func() time.Duration { return time.Duration(20+o.r.IntN(200)) * time.Millisecond }
	return o
}

// answer is what a node returns: each distance in turn, 16 nodes at most.
func (o *overlay) answer(from enode.ID, distances []uint) (list []*enode.Node) {
	known := o.peers[from]
	for i := range 16 {
		for _, d := range distances {
			if d > 0 && i < len(known[d]) && len(list) < 16 {
				list = append(list, known[d][i])
			}
		}
	}
	return list
}

// closest sorts the living.
func (o *overlay) closest(target enode.ID, k int, skip enode.ID) (list []*enode.Node) {
	for _, n := range o.nodes {
		if !o.dead[n.ID()] && n.ID() != skip {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *enode.Node) int { return enode.DistCmp(target, a.ID(), b.ID()) })
	return list[:min(k, len(list))]
}

// run leads a lookup to its end and returns how long it took. It checks what no lookup may do on the way.
func (o *overlay) run(l *Lookup) time.Duration {
	o.t.Helper()
	type event struct {
		at    time.Time
		id    enode.ID
		nodes []*enode.Node
		fails bool
	}
	var events []event
	asked := make(map[enode.ID]time.Time)
	for now := start; ; {
		asks, wake, done := l.Next(now)
		for _, a := range asks {
			id := a.Node.ID()
			if _, again := asked[id]; again || id == l.cfg.Self {
				o.t.Fatalf("%s is asked again", name(id))
			}
			asked[id] = now
			e := event{at: now.Add(o.delay()), id: id, nodes: o.answer(id, a.Distances)}
			if o.dead[id] {
				e = event{at: now.Add(responseTimeout), id: id, fails: true}
			}
			events = append(events, e)
		}
		checkLookup(o.t, l)
		busy := 0
		for _, e := range events {
			if l.cfg.Patience < 0 || now.Sub(asked[e.id]) < l.cfg.Patience {
				busy++
			}
		}
		if busy > l.cfg.Alpha {
			o.t.Fatalf("%d requests at a time", busy)
		}
		if done {
			return now.Sub(start)
		}
		if len(events) == 0 && wake.IsZero() {
			o.t.Fatal("the lookup waits for nothing")
		}
		slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
		if len(events) == 0 || !wake.IsZero() && wake.Before(events[0].at) {
			now = wake
			continue
		}
		e := events[0]
		events, now = events[1:], e.at
		if e.fails {
			l.Failed(e.id)
		} else {
			l.Answered(e.id, e.nodes)
		}
	}
}

// seeds are the 16 closest nodes that self knows.
func (o *overlay) seeds(self, target enode.ID) []*enode.Node {
	known := o.peers[self]
	list := slices.Concat(known[:]...)
	slices.SortFunc(list, func(a, b *enode.Node) int { return enode.DistCmp(target, a.ID(), b.ID()) })
	return list[:min(16, len(list))]
}

func (o *overlay) lookup(cfg LookupConfig) (*Lookup, time.Duration) {
	o.t.Helper()
	self := o.closest(RandomID(o.r), 1, enode.ID{})[0].ID()
	cfg.Self = self
	if cfg.Target == (enode.ID{}) {
		cfg.Target = RandomID(o.r)
	}
	l := NewLookup(cfg, o.seeds(self, cfg.Target))
	return l, o.run(l)
}

func TestLookupFindsTheClosest(t *testing.T) {
	for _, tt := range []struct {
		name string
		dead int // of 10
		slow bool
		most time.Duration
	}{
		{name: "everybody answers", most: 5 * time.Second},
		{name: "three of ten are dead", dead: 3, most: 15 * time.Second},
		{name: "everybody is slow", slow: true, most: 60 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOverlay(t, 1000)
			for _, n := range o.nodes {
				o.dead[n.ID()] = o.r.IntN(10) < tt.dead
			}
			if tt.slow {
				o.delay = func() time.Duration { return 1500 * time.Millisecond }
			}
			hits, first, requests, longest := 0, 0, 0, time.Duration(0)
			const lookups = 50
			for range lookups {
				l, took := o.lookup(LookupConfig{})
				want, got := o.closest(l.cfg.Target, 16, l.cfg.Self), l.Result()
				if len(got) > 0 && got[0] == want[0] {
					first++
				}
				for _, n := range want {
					if slices.Contains(got, n) {
						hits++
					}
				}
				for _, n := range got {
					if o.dead[n.ID()] {
						t.Errorf("dead node %s is in the result", name(n.ID()))
					}
				}
				requests += l.Asked()
				longest = max(longest, took)
			}
			t.Logf("%d of %d first, %d of %d in all, %d requests a lookup, longest %v",
				first, lookups, hits, 16*lookups, requests/lookups, longest)
			if first < lookups || hits < 16*lookups*95/100 || longest > tt.most {
				t.Error("too few or too slow")
			}
		})
	}
}

func TestLookupFindsEveryTarget(t *testing.T) {
	o := newOverlay(t, 17)
	for _, n := range o.nodes {
		l, _ := o.lookup(LookupConfig{Target: n.ID()})
		if r := l.Result(); l.cfg.Self != n.ID() && (len(r) == 0 || r[0] != n) {
			t.Errorf("looking for %s: %s", name(n.ID()), names(r))
		}
	}
}

func TestQueryMeetsMany(t *testing.T) {
	o := newOverlay(t, 1000)
	total := 0
	for range 20 {
		l, took := o.lookup(LookupConfig{Query: true})
		r := l.Result()
		total += len(r)
		if l.Asked() > 16 || took > 3*time.Second {
			t.Errorf("%d requests in %v", l.Asked(), took)
		}
		if !slices.IsSortedFunc(r, func(a, b *enode.Node) int { return enode.DistCmp(l.cfg.Target, a.ID(), b.ID()) }) {
			t.Error("the result is not sorted")
		}
	}
	if total < 20*60 {
		t.Errorf("20 queries met %d nodes", total)
	}
	rare := func(n *enode.Node) bool { return n.ID()[31]&7 == 0 }
	l, _ := o.lookup(LookupConfig{Query: true, Predicate: rare, Want: 5})
	if r := l.Result(); len(r) < 5 || slices.ContainsFunc(r, func(n *enode.Node) bool { return !rare(n) }) {
		t.Errorf("5 rare ones: %s", names(r))
	}
}

// naiveLookup recomputes everything from a list.
type naiveLookup struct {
	cfg  LookupConfig
	list []*naiveContact
}

type naiveContact struct {
	node   *enode.Node
	state  state
	silent bool
}

func (m *naiveLookup) meet(n *enode.Node) {
	if n.ID() == m.cfg.Self {
		return
	}
	for _, c := range m.list {
		if c.node.ID() == n.ID() {
			if n.Seq() > c.node.Seq() {
				if c.state == failed && addrOf(n) != addrOf(c.node) {
					c.state = met
				}
				c.node = n
			}
			return
		}
	}
	m.list = append(m.list, &naiveContact{node: n})
}

// next returns who may be asked, in order.
func (m *naiveLookup) next() (ids []enode.ID) {
	list := slices.Clone(m.list)
	if !m.cfg.Query {
		list = slices.DeleteFunc(list, func(c *naiveContact) bool { return c.state == failed })
		slices.SortFunc(list, m.compare)
	}
	busy := 0
	for _, c := range m.list {
		if c.state == asked {
			busy++
		}
	}
	for _, c := range list[:min(m.cfg.K, len(list))] {
		if c.state == met && busy < m.cfg.Alpha {
			c.state = asked
			ids = append(ids, c.node.ID())
			busy++
		}
	}
	return ids
}

func (m *naiveLookup) compare(a, b *naiveContact) int {
	return cmp.Or(enode.DistCmp(m.cfg.Target, a.node.ID(), b.node.ID()), 0)
}

func (m *naiveLookup) result() (nodes []*enode.Node) {
	list := slices.Clone(m.list)
	slices.SortFunc(list, m.compare)
	for _, c := range list {
		if odd(c.node) && (m.cfg.Query || c.state != failed && len(nodes) < m.cfg.K) {
			nodes = append(nodes, c.node)
		}
	}
	return nodes
}

func TestLookupAgainstModel(t *testing.T) {
	r := newRand(t)
	for range 300 {
		cfg := LookupConfig{
			Self: id("0f"), Target: RandomID(r), K: 1 + r.IntN(6), Alpha: 1 + r.IntN(3), Query: r.IntN(3) == 0,
			Predicate: odd, Patience: -1,
		}
		some := func() (list []*enode.Node) {
			for range r.IntN(6) {
				ip := []string{"20.0.0.1", "20.0.0.2"}[r.IntN(2)]
				list = append(list, newNode(enode.ID{byte(r.IntN(64))}, ip, uint64(r.IntN(3))))
			}
			return list
		}
		seeds := some()
		l, m := NewLookup(cfg, seeds), &naiveLookup{cfg: cfg}
		for _, n := range seeds {
			m.meet(n)
		}
		for {
			asks, _, done := l.Next(start)
			var got []enode.ID
			for _, a := range asks {
				got = append(got, a.Node.ID())
			}
			if want := m.next(); !slices.Equal(got, want) {
				t.Fatalf("%+v asks %v, want %v", cfg, got, want)
			}
			if got, want := l.Result(), m.result(); !slices.Equal(got, want) {
				t.Fatalf("%+v found %s, want %s", cfg, names(got), names(want))
			}
			checkLookup(t, l)
			var flying []*naiveContact
			for _, c := range m.list {
				if c.state == asked {
					flying = append(flying, c)
				}
			}
			if done != (len(flying) == 0) {
				t.Fatalf("done %v with %d requests under way", done, len(flying))
			}
			if done {
				break
			}
			c := flying[r.IntN(len(flying))]
			if r.IntN(3) == 0 {
				l.Failed(c.node.ID())
				c.state = failed
				continue
			}
			nodes := some()
			l.Answered(c.node.ID(), nodes)
			c.state = answered
			for _, n := range nodes {
				m.meet(n)
			}
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	o := newOverlay(b, 1000)
	target, self := RandomID(o.r), o.nodes[0].ID()
	seeds := o.seeds(self, target)
	steps := 0
	b.ReportAllocs()
	for b.Loop() {
		l := NewLookup(LookupConfig{Self: self, Target: target}, seeds)
		for {
			asks, _, done := l.Next(start)
			if done {
				break
			}
			for _, a := range asks {
				l.Answered(a.Node.ID(), o.answer(a.Node.ID(), a.Distances))
				steps++
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
}
