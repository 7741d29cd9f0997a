package core

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func (s *sim) setFilters(n *Node, filters ...FilterConfig) {
	s.t.Helper()
	if err := n.SetFilters(filters); err != nil {
		s.t.Fatal(err)
	}
}

// A filter comes and goes while the node runs.
func TestFilterSetAtRunTime(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		all := s.crowd(n, 100)
		in := known(n, all)
		r := &rules{verdict: odd, before: slow(50 * time.Millisecond)}
		s.setFilters(n, everywhere("f", r))
		if got := known(n, all); len(got) != len(in) || n.serves(in[1]) {
			t.Errorf("%d nodes of %d are in the table before the filter has decided, served: %v", len(got), len(in), n.serves(in[1]))
		}
		took := s.within(2*time.Second, "the table follows", func() bool {
			return !slices.ContainsFunc(known(n, all), func(n *enode.Node) bool { return n.Seq()%2 == 1 })
		})
		t.Logf("the table followed in %v", took)
		if got := known(n, all); len(got) < 40 || !n.serves(got[0]) {
			t.Errorf("%d nodes are left", len(got))
		}
		s.add(n, all...)
		pass(time.Second)
		if got := known(n, all); len(got) > 50 {
			t.Errorf("%d nodes", len(got))
		}
		s.setFilters(n)
		s.add(n, all...)
		if got := known(n, all); len(got) != len(in) || len(n.FilterStats()) != 0 {
			t.Errorf("%d nodes and filters %+v when there is no filter any more", len(got), n.FilterStats())
		}
	})
}

// Filters that are used in another way keep what they have said, and their counters.
func TestFilterSetKeepsVerdicts(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := &rules{verdict: always(Verdict{Decision: Accept})}, &rules{verdict: odd}
		dry := FilterConfig{Name: "b", Filter: b, Stages: []Stage{StageTable}, DryRun: true}
		n := s.node(quiet, filtered(everywhere("a", a), dry))
		even, odd := unsigned(2, 2), unsigned(3, 3)
		s.add(n, even, odd)
		settle()
		s.wantInTable(n, odd, 3)
		calls := n.FilterStats()[0].Calls
		wet := dry
		wet.DryRun, wet.Stages = false, []Stage{StageTable, StageServe}
		few := everywhere("a", a)
		few.Stages, few.Deadline = []Stage{StageTable}, time.Minute
		s.setFilters(n, wet, few)
		pass(time.Second)
		s.wantInTable(n, even, 2)
		s.wantNotInTable(n, odd)
		stats := n.FilterStats()
		if stats[0].Name != "b" || stats[0].DryRun || stats[1].Name != "a" || stats[1].Calls != calls {
			t.Errorf("filters %+v", stats)
		}
		if b.times(StageTable, even) != 1 || b.times(StageTable, odd) != 1 || b.times(StageServe, even) != 1 {
			t.Errorf("asked %v", b.asked)
		}
		s.add(n, unsigned(4, 4))
		settle()
		if a.times(StageTable, unsigned(4, 4)) != 1 || a.times(StageServe, unsigned(4, 4)) != 0 {
			t.Error("a filter is asked at a stage that it is not used at any more")
		}
		pass(time.Hour)
		n.turn(func(time.Time) {
			if n.filters.sweep != nil {
				t.Error("the table is looked at for verdicts that nobody needs")
			}
		})
	})
}

// A filter hangs, and an operator removes it: what waits for it goes on.
func TestFilterSetWithoutTheHung(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{before: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		hung := everywhere("hung", r)
		hung.Deadline, hung.OnError = time.Hour, Reject
		fine := &rules{verdict: always(Verdict{Decision: Accept})}
		n := s.node(quiet, filtered(hung))
		node := unsigned(1, 1)
		s.add(n, node)
		deliver := background(func(ctx context.Context) ([]*enode.Node, error) { return n.deliver(ctx, []*enode.Node{unsigned(2, 1)}) })
		explain := background(func(ctx context.Context) ([]Explanation, error) { return n.Explain(ctx, unsigned(3, 1)), nil })
		pass(time.Second)
		s.wantNotInTable(n, node)
		s.setFilters(n, everywhere("fine", fine))
		settle()
		s.wantInTable(n, node, 1)
		if got := deliver(); got.err != nil || len(got.value) != 1 || got.took != time.Second {
			t.Errorf("delivered %v after %v, %v", got.value, got.took, got.err)
		}
		if got := explain(); len(got.value) != 3 || got.value[0].Filter != "fine" || got.value[0].Verdict.Decision != Accept {
			t.Errorf("explained %+v", got.value)
		}
		if r.active != 0 {
			t.Error("the context of a filter that was removed has not ended")
		}
	})
}

// Another filter under the name of one that was: nodes of the table stay until it has decided.
func TestFilterSetAnother(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, filtered(everywhere("f", &rules{verdict: always(Verdict{Decision: Accept})})))
		node := unsigned(1, 1)
		s.add(n, node)
		settle()
		s.setFilters(n, everywhere("f", &rules{verdict: always(Verdict{Decision: Reject}), before: slow(100 * time.Millisecond)}))
		pass(90 * time.Millisecond)
		if s.wantInTable(n, node, 1); !n.serves(node) {
			t.Error("not served before the other filter has decided")
		}
		pass(time.Second)
		s.wantNotInTable(n, node)
	})
}

// A filter is used in another way between an explanation and its last word: nobody else has to know.
func TestFilterSetWhileItExplains(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: odd}
		n := s.node(quiet, filtered(uniformly("f", r)))
		var j *judged
		n.turn(func(now time.Time) {
			j = n.filters.unjudged(unsigned(3, 3))
			j.detached = true
			n.filters.askAll(now, j)
		})
		settle()
		for _, cfg := range []FilterConfig{everywhere("f", r), uniformly("f", r)} {
			s.setFilters(n, cfg)
			n.turn(func(time.Time) {
				if pass, known := n.filters.pass(StageDeliver, j); pass || !known {
					t.Errorf("passes %v, known %v", pass, known)
				}
			})
		}
	})
}

// What OnError has decided follows it.
func TestFilterSetOnError(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		cfg := FilterConfig{Name: "f", Filter: &rules{before: hanging(t)}, Stages: []Stage{StageTable}, OnError: Reject}
		n := s.node(quiet, filtered(cfg))
		node := unsigned(1, 1)
		s.add(n, node)
		pass(time.Second)
		s.wantNotInTable(n, node)
		cfg.OnError = Accept
		s.setFilters(n, cfg)
		settle()
		s.wantInTable(n, node, 1)
		cfg.OnError = Reject
		s.setFilters(n, cfg)
		settle()
		s.wantNotInTable(n, node)
	})
}

// uncomparable is a filter that cannot be compared.
type uncomparable struct{ decide func() }

func (u uncomparable) Decide(context.Context, Stage, []*enode.Node, []Verdict) error {
	u.decide()
	return nil
}

func TestFilterSetErrors(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, filtered(everywhere("f", &rules{})))
		if err := n.SetFilters([]FilterConfig{everywhere("g", &rules{}), {Name: "f"}}); err == nil || !strings.Contains(err.Error(), "there is no filter") {
			t.Errorf("set: %v", err)
		}
		if stats := n.FilterStats(); len(stats) != 1 || stats[0].Name != "f" {
			t.Errorf("filters %+v after a change that is none", stats)
		}
		for range 100 {
			s.setFilters(n, everywhere("f", uncomparable{func() {}}), everywhere("g", uncomparable{func() {}}))
			settle()
		}
		n.turn(func(time.Time) {
			if len(n.guests) > 10 {
				t.Errorf("%d guests of a node with two filters", len(n.guests))
			}
		})
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		s.wantErr("filters of a closed node", n.SetFilters(nil), ErrClosed)
		if n.ForgetVerdicts("f") {
			t.Error("a closed node has filters")
		}
	})
}

// Whatever is changed while filters are asked, in the end they have decided about everybody, and nobody waits.
func TestFilterSetAtAnyTime(t *testing.T) {
	for seed := range uint64(20) {
		simulateSeeded(t, seed, func(t *testing.T, s *sim) {
			random := rand.New(rand.NewPCG(seed, 1))
			filters := make([]FilterConfig, 4)
			for i := range filters {
				delay := time.Duration(random.IntN(400)) * time.Millisecond
				verdict := Verdict{Decision: Decision(random.IntN(2)), TTL: time.Duration(random.IntN(3)) * 5 * time.Second}
				filters[i] = everywhere(string(rune('a'+i%3)), &rules{verdict: always(verdict), before: slow(delay)})
			}
			n := s.node(quiet, filtered(filters[0]))
			var waiting sync.WaitGroup
			var all []*enode.Node
			for range 300 {
				switch node := unsigned(random.IntN(100), uint64(1+random.IntN(3))); random.IntN(6) {
				case 0:
					waiting.Go(func() { n.Explain(context.Background(), node) })
				case 1:
					waiting.Go(func() { _, _ = n.deliver(context.Background(), []*enode.Node{node}) })
				case 2:
					n.ForgetVerdicts("a")
				case 3:
					var set []FilterConfig
					for k, f := range filters[random.IntN(2) : 2+random.IntN(2)] {
						f.DryRun, f.OnError, f.Uniform = random.IntN(2) == 0, Decision(random.IntN(3)), random.IntN(2) == 0
						f.Stages = f.Stages[random.IntN(2) : 2+random.IntN(2)]
						f.Deadline = time.Duration(100+random.IntN(300)) * time.Millisecond
						set = slices.Insert(set, random.IntN(k+1), f)
					}
					s.setFilters(n, set...)
				default:
					s.add(n, node)
					all = append(all, node)
				}
				pass(time.Duration(random.IntN(100)) * time.Millisecond)
			}
			final := everywhere("z", &rules{verdict: always(Verdict{Decision: Accept})})
			s.setFilters(n, filters[1], final)
			done := background(func(context.Context) (bool, error) { waiting.Wait(); return true, nil })
			pass(time.Minute)
			if got := done(); got.took > time.Minute {
				t.Errorf("seed %d: somebody waited for %v", seed, got.took)
			}
			n.turn(func(now time.Time) {
				for _, w := range n.filters.filters {
					for q := range w.questions {
						if now.Sub(q.asked) > time.Second {
							t.Errorf("seed %d: a question waits since %v", seed, now.Sub(q.asked))
						}
					}
				}
				for _, j := range n.filters.judged.Values() {
					if j.candidate.IsValid() && !n.filters.open(StageTable, j) {
						t.Errorf("seed %d: a candidate waits for nobody", seed)
					}
					if len(j.opinions) > 2 {
						t.Errorf("seed %d: %d opinions of two filters", seed, len(j.opinions))
					}
				}
				for e := range n.table.All() {
					if pass, known := n.filters.pass(StageTable, n.filters.about(now, e.Node)); !pass || !known {
						t.Errorf("seed %d: in the table is who does not pass: %v %v", seed, pass, known)
					}
				}
			})
			if len(known(n, all)) == 0 {
				t.Errorf("seed %d: nobody is in the table", seed)
			}
		})
	}
}
