package core

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestFilterThatFails(t *testing.T) {
	broken := map[string]func(t *testing.T, r *rules){
		"error":   func(_ *testing.T, r *rules) { r.before = func(context.Context) error { return errors.New("no") } },
		"panic":   func(_ *testing.T, r *rules) { r.before = func(context.Context) error { panic("no") } },
		"invalid": func(_ *testing.T, r *rules) { r.verdict = always(Verdict{Decision: 77}) },
		"late":    func(t *testing.T, r *rules) { r.before = hanging(t) },
	}
	for reason, breaks := range broken {
		for _, onError := range []Decision{Abstain, Accept, Reject} {
			t.Run(fmt.Sprintf("%s %v", reason, onError), func(t *testing.T) {
				simulate(t, func(t *testing.T, s *sim) {
					r := &rules{}
					breaks(t, r)
					cfg := everywhere("broken", r)
					cfg.OnError = onError
					fine := &rules{}
					n := s.node(quiet, filtered(cfg, everywhere("fine", fine)))
					node := unsigned(1, 1)
					s.add(n, node)
					settle()
					if fine.times(StageTable, node) != 1 || fine.times(StageServe, node) != 1 {
						t.Error("the other filter was not asked at once")
					}
					pass(300 * time.Millisecond)
					if onError == Reject {
						s.wantNotInTable(n, node)
						s.wantDecisions(n, "broken", StageServe, Reject, reason, 1)
					} else {
						s.wantInTable(n, node, 1)
						s.wantDecisions(n, "broken", StageServe, Accept, reason, 1)
					}
				})
			})
		}
	}
}

func TestFilterIsAskedAgainAfterAFailure(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{before: func(context.Context) error { return errors.New("no") }, verdict: always(Verdict{Decision: Reject})}
		n := s.node(quiet, filtered(everywhere("f", r)))
		node := unsigned(1, 1)
		s.add(n, node)
		settle()
		s.wantInTable(n, node, 1)
		pass(25 * time.Second)
		if got := r.times(StageTable, node); got < 2 || got > 4 {
			t.Errorf("asked %d times in 25 s", got)
		}
		r.change(func() { r.before = nil })
		pass(12 * time.Second)
		s.wantNotInTable(n, node)
	})
}

// A filter that fails behind its deadline is asked again, too, whoever else looks at the table meanwhile.
func TestFilterIsAskedAgainAfterALateFailure(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{before: func(context.Context) error { time.Sleep(6 * time.Second); return errors.New("no") }, verdict: always(Verdict{Decision: Reject})}
		times := 0
		other := decider(func(_ []*enode.Node, out []Verdict) error {
			if out[0].Decision = Accept; times == 0 {
				out[0].TTL = 5 * time.Second
			}
			times++
			return nil
		})
		only := func(name string, f Filter) FilterConfig {
			return FilterConfig{Name: name, Filter: f, Stages: []Stage{StageTable}}
		}
		n := s.node(quiet, filtered(only("f", r), only("other", other)))
		node := unsigned(1, 1)
		s.add(n, node)
		pass(5 * time.Second)
		s.wantInTable(n, node, 1)
		r.change(func() { r.before = nil })
		pass(10 * time.Second)
		if s.wantNotInTable(n, node); times != 2 {
			t.Errorf("the other filter was asked %d times", times)
		}
	})
}

func TestFilterLateAnswerCounts(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{before: deaf(2 * time.Second), verdict: always(Verdict{Decision: Accept})}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}, OnError: Reject}))
		node := unsigned(1, 1)
		s.add(n, node)
		pass(time.Second)
		s.wantNotInTable(n, node)
		s.wantDecisions(n, "f", StageTable, Reject, "late", 1)
		pass(1100 * time.Millisecond)
		s.wantInTable(n, node, 1)
	})
}

func TestFilterVerdictHoldsToItsEndWhileRefreshingFails(t *testing.T) {
	for _, how := range []string{"error", "hung"} {
		t.Run(how, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				r := &rules{verdict: always(Verdict{Decision: Accept, TTL: 40 * time.Second})}
				n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}, OnError: Reject}))
				node := unsigned(1, 1)
				s.add(n, node)
				settle()
				r.change(func() {
					r.before = func(context.Context) error { return errors.New("no") }
					if how == "hung" {
						r.before = hanging(t)
					}
				})
				pass(39900 * time.Millisecond)
				s.wantInTable(n, node, 1)
				pass(1200 * time.Millisecond)
				s.wantNotInTable(n, node)
			})
		})
	}
}

func TestFilterBatches(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{before: slow(50 * time.Millisecond)}
		n := s.node(quiet, filtered(everywhere("f", r)))
		for i := range 1000 {
			s.add(n, unsigned(i, 1))
		}
		pass(2 * time.Second)
		total := 0
		for _, size := range r.batches {
			total += size
		}
		if slices.Max(r.batches) > MaxFilterBatch || total != 3000 || len(r.batches) > 15 {
			t.Errorf("%d questions in batches of %v", total, r.batches)
		}
		stats := n.FilterStats()[0]
		if stats.Calls != uint64(len(r.batches)) || stats.Waiting != 0 || stats.Latency.Sum != time.Duration(stats.Calls)*50*time.Millisecond {
			t.Errorf("stats %+v", stats)
		}
	})
}

func TestFilterHungIsBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		over := make(chan struct{})
		r := &rules{verdict: always(Verdict{Decision: Reject}), before: func(context.Context) error { <-over; return nil }}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}, OnError: Reject}))
		s.add(n, unsigned(0, 1))
		settle() // the filter has taken it
		for i := range maxPending + 100 {
			s.add(n, unsigned(1+i, 1))
		}
		s.wantDecisions(n, "f", StageTable, Reject, "overloaded", 100)
		for i := range 2 * maxPending {
			if i%1000 == 0 {
				pass(time.Second)
			}
			s.add(n, unsigned(maxPending+1000+i, 1))
		}
		pass(time.Minute)
		if got := n.FilterStats()[0].Waiting; got > maxPending {
			t.Errorf("%d questions wait", got)
		}
		open, candidates, timers := 0, 0, 0
		count := func() {
			open, candidates = 0, 0
			n.turn(func(time.Time) {
				for _, j := range n.filters.judged.Values() {
					if n.filters.open(StageTable, j) {
						open++
					}
					if j.candidate.IsValid() {
						candidates++
					}
				}
				timers = len(n.timers)
			})
		}
		if count(); open > maxPending+MaxFilterBatch || candidates > open || timers > 10 {
			t.Errorf("%d nodes are asked about, %d wait, %d timers", open, candidates, timers)
		}
		close(over)
		settle()
		if count(); open != 0 || candidates != 0 {
			t.Errorf("%d nodes are asked about and %d wait when all is answered", open, candidates)
		}
	})
}

func TestFilterCloseDoesNotWaitForTheHung(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		hung, store := &rules{before: hanging(t)}, newMemStore()
		n := s.node(quiet, filtered(everywhere("hung", hung)), func(c *Config) { c.Store = store })
		settle()
		store.change(func() { store.before = hanging(t) })
		s.add(n, unsigned(1, 1))
		if err := n.Ban(Ban{ID: unsigned(2, 1).ID(), Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		delivered := background(func(ctx context.Context) ([]*enode.Node, error) {
			return n.deliver(ctx, []*enode.Node{unsigned(3, 1)})
		})
		settle()
		start := time.Now()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 1200*time.Millisecond {
			t.Errorf("Close took %v", took)
		}
		delivered()
	})
}

func TestFilterReasonsAreBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: func(_ Stage, n *enode.Node) Verdict {
			if n.Seq() > 500 {
				return Verdict{Decision: Reject, Reason: strings.Repeat("long\n", 1000)}
			}
			return Verdict{Decision: Reject, Reason: fmt.Sprintf("reason_%d", n.Seq())}
		}}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}}))
		s.add(n, unsigned(1, 501))
		settle()
		s.wantDecisions(n, "f", StageTable, Reject, "unreadable", 1)
		for i := range 500 {
			s.add(n, unsigned(i+2, uint64(i+1)))
		}
		settle()
		if got := len(n.FilterStats()[0].Decisions); got != maxReasons+1 {
			t.Errorf("%d kinds of decisions are counted", got)
		}
		s.wantDecisions(n, "f", StageTable, Reject, "other", 501-maxReasons)
	})
}

func TestFilterConfigErrors(t *testing.T) {
	fine := everywhere("a", &rules{})
	if err := validateFilters([]FilterConfig{fine, everywhere("b", &rules{})}); err != nil {
		t.Error(err)
	}
	for want, breaks := range map[string]func(*FilterConfig){
		"no name": func(f *FilterConfig) { f.Name = "" }, "second": func(f *FilterConfig) { f.Name = "a" },
		"no filter": func(f *FilterConfig) { f.Filter = nil }, "no stage": func(f *FilterConfig) { f.Stages = nil },
		"unknown stage 9": func(f *FilterConfig) { f.Stages = []Stage{9} }, "unknown decision 3": func(f *FilterConfig) { f.OnError = 3 },
		"negative": func(f *FilterConfig) { f.Deadline = -1 },
	} {
		f := everywhere("b", &rules{})
		breaks(&f)
		want = strings.Replace(want, "no filter", "there is no filter", 1)
		if err := validateFilters([]FilterConfig{fine, f}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func TestFilterBanWhileItWaits(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, filtered(everywhere("f", &rules{before: slow(100 * time.Millisecond)})))
		a, b := unsigned(1, 1), unsigned(2, 1)
		s.add(n, a, b)
		v4, _ := endpoints(b)
		for _, ban := range []Ban{{ID: a.ID()}, {Prefix: netip.PrefixFrom(v4.Addr(), 24)}} {
			ban.Until = time.Now().Add(time.Hour)
			if err := n.Ban(ban); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		if nodes, _ := n.Len(); nodes != 0 {
			t.Errorf("%d nodes in the table", nodes)
		}
	})
}
