package core

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// uniformly is a filter that decides in the same way at every stage.
func uniformly(name string, f Filter) FilterConfig {
	cfg := everywhere(name, f)
	cfg.Uniform = true
	return cfg
}

// asks returns how often a filter was asked about a node, at any stage.
func (r *rules) asks(node *enode.Node) (count int) {
	for stage := range numStages {
		count += r.times(stage, node)
	}
	return count
}

// views are what a node with filters does with another: whether it is in the table, served, handed out.
func (s *sim) wantViews(n *Node, node *enode.Node, want bool) {
	s.t.Helper()
	table := n.Node(node.ID()) != nil
	served := n.serves(node)
	handed := len(delivered(n, s.t.Context(), []*enode.Node{node})) == 1
	if table != want || served != want || handed != want {
		s.t.Errorf("node of seq %d is in the table %v, served %v, handed out %v; want %v", node.Seq(), table, served, handed, want)
	}
}

// A uniform filter is asked once, its verdict holds at all stages, and is counted at each.
func TestFilterUniform(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: odd, before: slow(50 * time.Millisecond)}
		n := s.node(quiet, filtered(uniformly("f", r)))
		fine, bad := unsigned(2, 2), unsigned(3, 3)
		s.add(n, fine, bad)
		pass(60 * time.Millisecond)
		s.wantViews(n, fine, true)
		s.wantViews(n, bad, false)
		if r.asks(fine) != 1 || r.asks(bad) != 1 {
			t.Errorf("asked %v", r.asked)
		}
		for stage := range numStages {
			s.wantDecisions(n, "f", stage, Accept, "", 1)
			s.wantDecisions(n, "f", stage, Reject, "", 1)
		}
		explained := n.Explain(t.Context(), bad)
		if len(explained) != 3 || r.asks(bad) != 2 {
			t.Errorf("explained %+v, asked %v", explained, r.asked)
		}
		for i, e := range explained {
			if e.Stage != Stage(i) || e.Verdict.Decision != Reject || e.Err != nil {
				t.Errorf("explained %+v", e)
			}
		}
		r.change(func() { r.verdict = even })
		n.ForgetVerdicts("f")
		pass(time.Second)
		s.add(n, bad)
		pass(60 * time.Millisecond)
		s.wantViews(n, fine, false)
		s.wantViews(n, bad, true)
	})
}

// A uniform filter that fails: OnError decides at all stages, and it decides itself when it is back.
func TestFilterUniformFails(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Reject}), before: func(context.Context) error { return errors.New("no") }}
		n := s.node(quiet, filtered(uniformly("f", r)))
		node := unsigned(1, 1)
		s.add(n, node)
		settle()
		s.wantViews(n, node, true)
		for stage := range numStages {
			s.wantDecisions(n, "f", stage, Accept, "error", 1)
		}
		r.change(func() { r.before = nil })
		pass(12 * time.Second)
		s.wantViews(n, node, false)
	})
}

// Where it does not decide about the table, a uniform filter holds nobody back from it.
func TestFilterUniformAtSomeStages(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: odd, before: slow(100 * time.Millisecond)}
		cfg := uniformly("f", r)
		cfg.Stages = []Stage{StageDeliver, StageServe}
		n := s.node(quiet, filtered(cfg))
		fine, bad := unsigned(2, 2), unsigned(3, 3)
		s.add(n, fine, bad)
		s.wantInTable(n, bad, 3)
		pass(time.Second)
		s.wantInTable(n, bad, 3)
		if n.serves(bad) || !n.serves(fine) || r.times(StageServe, bad) != 1 || r.asks(bad) != 1 {
			t.Errorf("serves a node that it should not, or was asked %v", r.asked)
		}
		// It is used at the table too: what it has said still counts.
		cfg.Stages = []Stage{StageTable, StageServe}
		s.setFilters(n, cfg)
		settle()
		s.wantNotInTable(n, bad)
		s.wantInTable(n, fine, 2)
		if r.asks(bad) != 1 || r.asks(fine) != 1 {
			t.Errorf("asked %v", r.asked)
		}
	})
}

// A filter turns out to be uniform, or not to be any more: what it has said holds, and nothing is asked that is known.
func TestFilterBecomesUniform(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: odd}
		n := s.node(quiet, filtered(everywhere("f", r)))
		fine, bad := unsigned(2, 2), unsigned(3, 3)
		s.add(n, fine, bad)
		settle()
		r.change(func() { r.before = slow(100 * time.Millisecond) })
		s.add(n, unsigned(4, 4), unsigned(5, 5)) // under way
		for _, cfg := range []FilterConfig{uniformly("f", r), everywhere("f", r)} {
			s.setFilters(n, cfg)
			s.wantViews(n, fine, true)
			s.wantViews(n, bad, false)
			pass(time.Second)
			s.wantViews(n, unsigned(4, 4), true)
			s.wantViews(n, unsigned(5, 5), false)
		}
		if r.asks(fine) != 3 || r.asks(bad) != 3 {
			t.Errorf("asked %v", r.asked)
		}
	})
}
