package core

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// crowd fills the table of a node, reserve included, and returns who was offered.
func (s *sim) crowd(n *Node, count int) (nodes []*enode.Node) {
	for i := range count {
		nodes = append(nodes, unsigned(i, uint64(i+1)))
	}
	s.add(n, nodes...)
	pass(2 * time.Second)
	return nodes
}

// decider is a filter of one stage.
type decider func(nodes []*enode.Node, out []Verdict) error

func (d decider) Decide(_ context.Context, _ Stage, nodes []*enode.Node, out []Verdict) error {
	return d(nodes, out)
}

// sizes returns how many nodes the filter was asked about at a time since it was last called.
func (r *rules) sizes() (sizes []int) {
	r.change(func() { sizes, r.batches = r.batches, nil })
	return sizes
}

// known returns who is in the table or in reserve.
func known(n *Node, nodes []*enode.Node) (known []*enode.Node) {
	n.turn(func(time.Time) {
		for _, node := range nodes {
			if n.table.Known(node.ID()) != nil {
				known = append(known, node)
			}
		}
	})
	return known
}

func odd(_ Stage, n *enode.Node) Verdict { return Verdict{Decision: Accept + Decision(n.Seq()%2)} }

func even(stage Stage, n *enode.Node) Verdict {
	return Verdict{Decision: Accept + Reject - odd(stage, n).Decision}
}

func (n *Node) serves(node *enode.Node) (ok bool) {
	n.turn(func(now time.Time) { ok = n.filters.passes(now, StageServe, node) })
	return ok
}

// A filter changes its mind, and the table follows: those that do not pass any more stay until it has said so.
func TestFilterForgetVerdicts(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Accept}), before: slow(50 * time.Millisecond)}
		n := s.node(quiet, filtered(everywhere("f", r)))
		all := s.crowd(n, 800)
		in := known(n, all)
		entries, _ := n.Len()
		if entries < 100 || len(in) == entries {
			t.Fatalf("%d nodes in the table, %d with those in reserve", entries, len(in))
		}
		r.change(func() { r.verdict = odd })
		r.sizes()
		pass(time.Hour)
		if got, sizes := known(n, all), r.sizes(); len(got) != len(in) || len(sizes) > 0 {
			t.Fatalf("%d nodes of %d, batches %v, and nobody has said that the filter changed its mind", len(got), len(in), sizes)
		}
		if n.ForgetVerdicts("g") || !n.ForgetVerdicts("f") {
			t.Error("ForgetVerdicts does not know which filters there are")
		}
		pass(40 * time.Millisecond)
		if got := known(n, all); len(got) != len(in) {
			t.Errorf("%d nodes of %d before the filter has answered", len(got), len(in))
		}
		rejected := in[slices.IndexFunc(in, func(n *enode.Node) bool { return n.Seq()%2 == 1 })]
		if !n.serves(rejected) {
			t.Error("a node of the table is not served before the filter has answered")
		}
		took := s.within(4*time.Second, "the table follows", func() bool {
			return !slices.ContainsFunc(known(n, all), func(n *enode.Node) bool { return n.Seq()%2 == 1 })
		})
		pass(time.Minute)
		for _, node := range known(n, all)[:20] {
			if r.times(StageTable, node) != 2 || r.times(StageServe, node) != 2 {
				t.Errorf("asked %d times about %v", r.times(StageTable, node), node)
			}
		}
		if got := len(known(n, all)); got < len(in)/3 {
			t.Errorf("%d nodes of %d are left", got, len(in))
		}
		sizes := r.sizes()
		t.Logf("%d nodes, %d of them in reserve, took %v, batches of %v", len(in), len(in)-entries, took, sizes)
		if most := slices.Max(sizes); most > MaxFilterBatch {
			t.Errorf("the filter was asked about %d nodes at once", most)
		}
		// The other way round: those that were rejected are offered again.
		r.change(func() { r.verdict = even })
		n.ForgetVerdicts("f")
		pass(4 * time.Second)
		if got := known(n, all); len(got) != 0 {
			t.Errorf("%d nodes of those that the filter rejects now", len(got))
		}
		s.add(n, all...)
		pass(4 * time.Second)
		if got := len(known(n, all)); got < len(in)/3 {
			t.Errorf("%d nodes of those that the filter accepts now", got)
		}
	})
}

// Whom a filter is asked about anew is not told by verdicts of before, unless he is in the table.
func TestFilterForgetVerdictsOnStrangers(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Accept})}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageDeliver}}))
		node := unsigned(1, 1)
		if got := delivered(n, t.Context(), []*enode.Node{node}); len(got) != 1 {
			t.Errorf("delivered %v", got)
		}
		r.change(func() { r.verdict, r.before = always(Verdict{Decision: Reject}), slow(100*time.Millisecond) })
		n.ForgetVerdicts("f")
		if got := delivered(n, t.Context(), []*enode.Node{node}); len(got) != 0 {
			t.Errorf("delivered %v by a verdict that was forgotten", got)
		}
	})
}

// What a filter answers to a question of before does not count, and the question is asked again.
func TestFilterForgetVerdictsWhileItIsAsked(t *testing.T) {
	for what, before := range map[string]error{"answer": nil, "error": errors.New("replaced")} {
		t.Run(what, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				old := make(chan struct{})
				asked := make(map[enode.ID]int)
				f := decider(func(nodes []*enode.Node, out []Verdict) error {
					first := len(asked) == 0
					for i, node := range nodes {
						asked[node.ID()]++
						out[i] = Verdict{Decision: Reject, Reason: "new"}
						if first {
							out[i] = Verdict{Decision: Accept, Reason: "old"}
						}
					}
					if first {
						<-old
						return before
					}
					return nil
				})
				n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: f, Stages: []Stage{StageTable}, Deadline: time.Minute}))
				taken, waiting := unsigned(1, 1), unsigned(2, 1)
				s.add(n, taken)
				settle()
				s.add(n, waiting)
				n.ForgetVerdicts("f")
				close(old)
				settle()
				s.wantNotInTable(n, taken)
				s.wantNotInTable(n, waiting)
				if asked[taken.ID()] != 2 || asked[waiting.ID()] != 1 {
					t.Errorf("asked %d and %d times, want 2 and 1", asked[taken.ID()], asked[waiting.ID()])
				}
				s.wantDecisions(n, "f", StageTable, Accept, "old", 0)
				s.wantDecisions(n, "f", StageTable, Reject, "new", 2)
			})
		})
	}
}

// A filter that changes its mind and then hangs or fails: what it said before holds for a while, and then OnError decides.
func TestFilterForgetVerdictsAndHang(t *testing.T) {
	for how, breaks := range map[string]func(*testing.T) func(context.Context) error{
		"hang": hanging,
		"fail": func(*testing.T) func(context.Context) error {
			return func(context.Context) error { return errors.New("no") }
		},
	} {
		t.Run(how, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				r := &rules{verdict: always(Verdict{Decision: Accept, TTL: time.Hour})}
				n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}, OnError: Reject}))
				node := unsigned(1, 1)
				s.add(n, node)
				settle()
				r.change(func() { r.before = breaks(t) })
				n.ForgetVerdicts("f")
				pass(outdatedTTL - time.Second)
				s.wantInTable(n, node, 1)
				pass(2 * time.Second)
				s.wantNotInTable(n, node)
			})
		})
	}
}

// However often verdicts are forgotten, and whatever else asks for them, filters are asked at a bounded rate.
func TestFilterForgetVerdictsIsPaced(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Accept, TTL: 5 * time.Second})}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}}))
		all := s.crowd(n, 300)
		in := len(known(n, all))
		pass(1700 * time.Millisecond) // verdicts are about to be asked for again
		r.sizes()
		for range 10 {
			n.ForgetVerdicts("f")
			pass(10 * time.Millisecond)
		}
		if sizes := r.sizes(); len(sizes) == 0 || slices.Max(sizes) > reviseCount {
			t.Errorf("batches of %v", sizes)
		}
		pass(2 * time.Second)
		if got := len(known(n, all)); got != in {
			t.Errorf("%d nodes of %d", got, in)
		}
	})
}

// Nodes in reserve that pass take the places of entries that do not any more.
func TestFilterFillsTheTableFromReserve(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Accept})}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}}))
		all := s.crowd(n, 800)
		full, _ := n.Len()
		r.change(func() { r.verdict = odd })
		n.ForgetVerdicts("f")
		pass(5 * time.Second)
		in := known(n, all)
		entries, _ := n.Len()
		room := 0
		n.turn(func(time.Time) {
			for b := range n.table.Buckets() {
				if b.Entries < table.DefaultBucketSize {
					room += b.Replacements
				}
			}
		})
		if entries < full/2 || room > 0 || slices.ContainsFunc(in, func(n *enode.Node) bool { return n.Seq()%2 == 1 }) {
			t.Errorf("%d entries of %d, %d nodes in reserve that have room in the table", entries, full, room)
		}
	})
}

// Verdicts on nodes in reserve are not refreshed while they end. Who comes out of it is asked about again.
func TestFilterJudgesWhoComesOutOfReserve(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Accept, TTL: 40 * time.Second})}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}}))
		s.crowd(n, 800)
		reserve := make(map[enode.ID]bool)
		n.turn(func(time.Time) {
			for e := range n.table.Spares() {
				reserve[e.ID()] = true
			}
		})
		r.change(func() {
			r.verdict = func(_ Stage, n *enode.Node) Verdict {
				if reserve[n.ID()] {
					return Verdict{Decision: Reject}
				}
				return Verdict{Decision: Accept}
			}
		})
		pass(time.Minute)
		before := n.Stats().NodesAdded
		n.turn(func(now time.Time) {
			for _, e := range slices.Collect(n.table.All()) {
				n.failedNode(now, e.ID())
			}
		})
		pass(time.Second)
		promoted, rejected := n.Stats().NodesAdded-before, 0
		n.turn(func(time.Time) {
			for e := range n.table.All() {
				if reserve[e.ID()] {
					rejected++
				}
			}
		})
		if rejected > 0 || promoted < 50 {
			t.Errorf("of %d nodes that came out of reserve %d do not pass", promoted, rejected)
		}
	})
}
