package core

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// rules is a filter for tests: what it says about a record, and what happens before it says so.
type rules struct {
	verdict func(Stage, *enode.Node) Verdict
	before  func(context.Context) error

	mu      sync.Mutex
	active  int
	overlap bool
	batches []int
	asked   map[Stage][]string // id and seq
}

func (r *rules) Decide(ctx context.Context, stage Stage, nodes []*enode.Node, out []Verdict) error {
	r.mu.Lock()
	r.active++
	r.overlap = r.overlap || r.active > 1
	r.batches = append(r.batches, len(nodes))
	if r.asked == nil {
		r.asked = make(map[Stage][]string)
	}
	for _, n := range nodes {
		r.asked[stage] = append(r.asked[stage], fmt.Sprintf("%v/%d", n.ID(), n.Seq()))
	}
	before := r.before
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.active--
	}()
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	verdict := r.verdict
	r.mu.Unlock()
	for i, n := range nodes {
		if verdict != nil {
			out[i] = verdict(stage, n)
		}
	}
	return nil
}

// change changes the rules from now on.
func (r *rules) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *rules) times(stage Stage, node *enode.Node) (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.asked[stage] {
		if q == fmt.Sprintf("%v/%d", node.ID(), node.Seq()) {
			count++
		}
	}
	return count
}

func always(v Verdict) func(Stage, *enode.Node) Verdict {
	return func(Stage, *enode.Node) Verdict { return v }
}

// slow answers after a while, or fails when its context ends before.
func slow(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deaf answers after a while, whatever its context says.
func deaf(d time.Duration) func(context.Context) error {
	return func(context.Context) error { time.Sleep(d); return nil }
}

// hanging never answers, until the test is over.
func hanging(t *testing.T) func(context.Context) error {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	return func(context.Context) error { <-over; return nil }
}

func filtered(filters ...FilterConfig) func(*Config) {
	return func(c *Config) { c.Filters = filters }
}

func everywhere(name string, f Filter) FilterConfig {
	return FilterConfig{Name: name, Filter: f, Stages: []Stage{StageTable, StageServe, StageDeliver}}
}

// unsigned is a record that nobody signed, with an address in a /24 of its own; for what is not checked again.
func unsigned(number int, seq uint64) *enode.Node {
	var id enode.ID
	binary.BigEndian.PutUint64(id[:], uint64(number)*0x9E3779B97F4A7C15)
	var r enr.Record
	r.Set(enr.IPv4Addr(netip.AddrFrom4([4]byte{byte(20 + number>>16), byte(number >> 8), byte(number), 9})))
	r.Set(enr.UDP(9000))
	r.SetSeq(seq)
	return enode.SignNull(&r, id)
}

func (s *sim) add(n *Node, nodes ...*enode.Node) {
	s.t.Helper()
	for _, node := range nodes {
		if _, err := n.Add(node); err != nil {
			s.t.Fatal(err)
		}
	}
}

// delivered is what a running node may hand out of some nodes.
func delivered(n *Node, ctx context.Context, nodes []*enode.Node) []*enode.Node {
	kept, _ := n.deliver(ctx, nodes)
	return kept
}

func (s *sim) wantInTable(n *Node, node *enode.Node, seq uint64) {
	s.t.Helper()
	if got := n.Node(node.ID()); got == nil || got.Seq() != seq {
		s.t.Fatalf("table has %v; want seq %d", got, seq)
	}
}

func (s *sim) wantNotInTable(n *Node, node *enode.Node) {
	s.t.Helper()
	if got := n.Node(node.ID()); got != nil {
		s.t.Fatalf("table has %v", got)
	}
}

// decisions returns how often a filter made a decision for a reason.
func decisions(n *Node, filter string, stage Stage, d Decision, reason string) uint64 {
	for _, s := range n.FilterStats() {
		for _, c := range s.Decisions {
			if s.Name == filter && c.Stage == stage && c.Decision == d && c.Reason == reason {
				return c.Count
			}
		}
	}
	return 0
}

func (s *sim) wantDecisions(n *Node, filter string, stage Stage, d Decision, reason string, want uint64) {
	s.t.Helper()
	if got := decisions(n, filter, stage, d, reason); got != want {
		s.t.Errorf("%s at %v: %d times %v for %q, want %d; all: %+v", filter, stage, got, d, reason, want, n.FilterStats())
	}
}

func TestFilterAdmitsToTheTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		good, bad := unsigned(1, 1), unsigned(2, 1)
		slowly := &rules{before: slow(100 * time.Millisecond), verdict: func(_ Stage, n *enode.Node) Verdict {
			if n.ID() == bad.ID() {
				return Verdict{Decision: Reject, Reason: "bad"}
			}
			return Verdict{Decision: Accept, Reason: "good"}
		}}
		silent := &rules{} // abstains
		n := s.node(quiet, filtered(
			FilterConfig{Name: "slow", Filter: slowly, Stages: []Stage{StageTable}}, everywhere("silent", silent)))
		s.add(n, good, bad)
		settle()
		s.wantNotInTable(n, good)
		pass(250 * time.Millisecond)
		s.wantInTable(n, good, 1)
		s.wantNotInTable(n, bad)
		s.wantDecisions(n, "slow", StageTable, Accept, "good", 1)
		s.wantDecisions(n, "slow", StageTable, Reject, "bad", 1)
		s.wantDecisions(n, "silent", StageDeliver, Abstain, "", 2)
		for range 10 {
			s.add(n, good, bad)
		}
		pass(time.Hour)
		if slowly.times(StageTable, good) != 1 || slowly.times(StageTable, bad) != 1 || len(slowly.asked[StageServe]) != 0 {
			t.Errorf("verdicts without an end were asked for again: %v", slowly.asked)
		}
		if got := n.Stats().FilterRejected; got != 1 {
			t.Errorf("%d rejections counted, want 1", got)
		}
	})
}

func TestFilterServesAndDelivers(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		peers := []*Node{s.node(quiet), s.node(quiet), s.node(quiet)}
		asker := s.node(quiet)
		f := &rules{verdict: func(stage Stage, n *enode.Node) Verdict {
			if stage == StageServe && n.ID() == peers[0].ID() || stage == StageDeliver && n.ID() == peers[1].ID() {
				return Verdict{Decision: Reject}
			}
			return Verdict{Decision: Accept}
		}}
		n := s.node(quiet, filtered(everywhere("f", f)))
		for _, p := range peers {
			s.add(n, p.Self())
			settle()
			s.ping(n, p.Self())
		}
		known := func(nodes []*enode.Node) (all [3]bool) {
			for i, p := range peers {
				all[i] = slices.ContainsFunc(nodes, func(n *enode.Node) bool { return n.ID() == p.ID() })
			}
			return all
		}
		var distances []uint
		for _, p := range peers {
			distances = append(distances, uint(table.LogDist(n.ID(), p.ID())))
		}
		served, err := asker.FindNode(t.Context(), n.Self(), distances)
		if got := known(served); err != nil || got != [3]bool{false, true, true} {
			t.Errorf("serves %v, %v", got, err)
		}
		for what, nodes := range map[string][]*enode.Node{
			"closest": n.Closest(n.ID(), 16, false), "at distances": n.AtDistances(distances, 16), "random": n.Random(16, nil),
		} {
			if got := known(nodes); got != [3]bool{true, false, true} {
				t.Errorf("%s delivers %v", what, got)
			}
		}
		found, err := n.Lookup(t.Context(), peers[1].ID())
		if got := known(found); err != nil || got != [3]bool{true, false, true} {
			t.Errorf("a lookup delivers %v, %v", got, err)
		}
		if node, err := n.Resolve(t.Context(), peers[1].ID()); !errors.Is(err, ErrNotFound) {
			t.Errorf("resolve delivers %v, %v", node, err)
		}
	})
}

func TestFilterDeliverWaitsForVerdicts(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		f := &rules{before: slow(200 * time.Millisecond), verdict: func(_ Stage, n *enode.Node) Verdict {
			return Verdict{Decision: Accept + Decision(n.Seq()%2)}
		}}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: f, Stages: []Stage{StageDeliver}}))
		nodes := []*enode.Node{unsigned(1, 2), unsigned(2, 3), unsigned(3, 4)}
		start := time.Now()
		got := delivered(n, t.Context(), nodes)
		if took := time.Since(start); took != 200*time.Millisecond || !slices.Equal(got, []*enode.Node{nodes[0], nodes[2]}) {
			t.Errorf("delivered %v after %v", got, took)
		}
		f.change(func() { f.before = deaf(time.Hour) })
		start = time.Now()
		got = delivered(n, t.Context(), []*enode.Node{unsigned(4, 3)})
		if took := time.Since(start); took != 300*time.Millisecond || len(got) != 1 {
			t.Errorf("delivered %v after %v, want what OnError says after the deadline", got, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if got = delivered(n, ctx, []*enode.Node{nodes[0], unsigned(5, 2)}); len(got) != 1 || got[0] != nodes[0] {
			t.Errorf("delivered %v when the caller had enough, want what was decided", got)
		}
		f.change(func() { f.before = nil })
		pass(time.Hour) // the deaf one returns
	})
}

func TestFilterVerdictHoldsUntilTheNext(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Accept, TTL: 40 * time.Second})}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable, StageServe}, OnError: Reject}))
		node := unsigned(1, 1)
		s.add(n, node)
		serves := func() (ok bool) {
			n.turn(func(now time.Time) { ok = n.filters.passes(now, StageServe, node) })
			return ok
		}
		always := func(d time.Duration, want bool) {
			t.Helper()
			for end := time.Now().Add(d); time.Now().Before(end); pass(100 * time.Millisecond) {
				if settle(); serves() != want {
					t.Fatalf("served: %v, want %v", !want, want)
				}
			}
		}
		settle()
		always(5*time.Minute, true)
		if got := r.times(StageServe, node); got < 9 || got > 11 {
			t.Errorf("asked %d times in 5 min for a verdict of 40 s, want one question each 30 s", got)
		}
		// A new one that takes its time takes the place of the old when it comes.
		r.change(func() {
			r.before = deaf(4 * time.Second)
			r.verdict = func(Stage, *enode.Node) Verdict { return Verdict{Decision: Reject} }
		})
		pass(31 * time.Second)
		s.wantInTable(n, node, 1)
		pass(8 * time.Second)
		s.wantNotInTable(n, node)
	})
}

func TestFilterVerdictEndsForNodesThatAreNotInTheTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: always(Verdict{Decision: Accept, TTL: time.Minute}), before: slow(50 * time.Millisecond)}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageDeliver}}))
		node := unsigned(1, 1)
		if got := delivered(n, t.Context(), []*enode.Node{node}); len(got) != 1 {
			t.Errorf("delivered %v", got)
		}
		r.change(func() { r.verdict = always(Verdict{Decision: Reject}) })
		pass(time.Hour)
		if got := delivered(n, t.Context(), []*enode.Node{node}); len(got) != 0 || r.times(StageDeliver, node) != 2 {
			t.Errorf("delivered %v by a verdict that ended an hour ago", got)
		}
	})
}

func TestFilterJudgesTheNewestRecord(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{verdict: func(_ Stage, n *enode.Node) Verdict { return Verdict{Decision: Accept + Decision(n.Seq()%2)} }}
		n := s.node(quiet, filtered(everywhere("f", r)))
		s.add(n, unsigned(1, 2))
		settle()
		s.wantInTable(n, unsigned(1, 2), 2)
		s.add(n, unsigned(1, 3))
		settle()
		s.wantNotInTable(n, unsigned(1, 3))
		s.add(n, unsigned(1, 2)) // accepted once, and no longer its record
		settle()
		s.wantNotInTable(n, unsigned(1, 3))
		s.add(n, unsigned(1, 4))
		settle()
		s.wantInTable(n, unsigned(1, 4), 4)
		n.turn(func(now time.Time) {
			if n.filters.passes(now, StageServe, unsigned(1, 3)) || !n.filters.passes(now, StageServe, unsigned(1, 4)) {
				t.Error("an old record is served by the verdict on the newest")
			}
		})
		if got := delivered(n, t.Context(), []*enode.Node{unsigned(1, 3)}); len(got) != 1 || got[0].Seq() != 4 {
			t.Errorf("delivered %v, want the newest record", got)
		}
	})
}

func TestFilterVerdictOnAnOldRecordHasNoEffect(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		first := true
		r := &rules{verdict: func(_ Stage, n *enode.Node) Verdict { return Verdict{Decision: Accept + Decision(n.Seq()%2)} }}
		r.before = func(context.Context) error {
			if r.change(func() {}); first {
				first = false
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageTable}}))
		s.add(n, unsigned(1, 1)) // to be rejected, in 100 ms
		settle()
		s.add(n, unsigned(1, 2))
		pass(time.Second)
		s.wantInTable(n, unsigned(1, 2), 2)
		s.wantDecisions(n, "f", StageTable, Reject, "", 0)
	})
}

func TestFilterTwoRecordsWithOneSeq(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		key := newKey(t)
		signed := func(mark string) *enode.Node {
			var r enr.Record
			r.Set(enr.WithEntry("mark", mark))
			r.Set(enr.IPv4Addr(netip.MustParseAddr("93.184.216.34")))
			r.Set(enr.UDP(9000))
			r.SetSeq(7)
			if err := enode.SignV4(&r, key); err != nil {
				t.Fatal(err)
			}
			return must(enode.New(enode.ValidSchemes, &r))
		}
		r := &rules{verdict: func(_ Stage, n *enode.Node) Verdict {
			return Verdict{Decision: map[bool]Decision{true: Reject, false: Accept}[HasField("mark", []byte("bad"))(n)]}
		}}
		n := s.node(quiet, filtered(everywhere("f", r)))
		good, bad := signed("good"), signed("bad")
		if got := delivered(n, t.Context(), []*enode.Node{good, signed("good")}); len(got) != 2 {
			t.Errorf("delivered %v", got)
		}
		if got := delivered(n, t.Context(), []*enode.Node{bad}); len(got) != 0 {
			t.Errorf("delivered %v by the verdict on another record", got)
		}
	})
}

func TestFilterDryRun(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		cfg := everywhere("dry", &rules{verdict: always(Verdict{Decision: Reject, Reason: "would"}), before: slow(100 * time.Millisecond)})
		cfg.DryRun = true
		n := s.node(quiet, filtered(cfg))
		node := unsigned(1, 1)
		s.add(n, node)
		s.wantInTable(n, node, 1)
		start := time.Now()
		if got := delivered(n, t.Context(), []*enode.Node{node}); len(got) != 1 || time.Since(start) != 0 {
			t.Errorf("delivered %v after %v", got, time.Since(start))
		}
		pass(time.Second)
		s.wantInTable(n, node, 1)
		s.wantDecisions(n, "dry", StageTable, Reject, "would", 1)
		if got := n.Stats().FilterRejected; got != 0 {
			t.Errorf("%d rejections counted that had no effect", got)
		}
	})
}

func TestFilterExemptsBootnodes(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		node := unsigned(1, 1)
		r := &rules{verdict: always(Verdict{Decision: Reject, TTL: 10 * time.Second})}
		n := s.node(quiet, boot(node), filtered(everywhere("f", r)))
		pass(time.Minute)
		s.wantInTable(n, node, 1)
		if got := n.Closest(n.ID(), 16, false); len(got) != 0 {
			t.Errorf("delivers %v, and only the table stage exempts bootnodes", got)
		}
	})
}

func TestFilterExplain(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		fine := &rules{before: slow(50 * time.Millisecond), verdict: func(stage Stage, n *enode.Node) Verdict {
			return Verdict{Decision: Reject, Reason: stage.String()}
		}}
		cfg := everywhere("fine", fine)
		cfg.DryRun = true
		n := s.node(quiet, filtered(cfg,
			FilterConfig{Name: "hung", Filter: &rules{before: hanging(t)}, Stages: []Stage{StageServe}, Deadline: time.Second}))
		node := unsigned(1, 1)
		s.add(n, node)
		pass(2 * time.Second)
		before := n.FilterStats()
		start := time.Now()
		got := n.Explain(t.Context(), node)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want the longest deadline", took)
		}
		var text []string
		for _, e := range got {
			text = append(text, fmt.Sprintf("%s %v %v %s %v", e.Filter, e.Stage, e.Verdict.Decision, e.Verdict.Reason, e.Err))
		}
		want := []string{
			"fine table reject table <nil>", "fine serve reject serve <nil>", "hung serve accept late core: filter did not answer in time",
			"fine deliver reject deliver <nil>",
		}
		if !slices.Equal(text, want) {
			t.Errorf("explained:\n%s\nwant:\n%s", strings.Join(text, "\n"), strings.Join(want, "\n"))
		}
		if fine.overlap {
			t.Error("a filter was asked twice at once")
		}
		after := n.FilterStats()
		if !slices.Equal(before[0].Decisions, after[0].Decisions) {
			t.Errorf("an explanation was counted: %v, before %v", after[0].Decisions, before[0].Decisions)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, e := range n.Explain(ctx, node) {
			if !errors.Is(e.Err, context.Canceled) {
				t.Errorf("explained %+v to a caller who had gone", e)
			}
		}
	})
}

// What filters say of a bootnode does not count at the table, and an explanation shows that.
func TestFilterExplainsThatBootnodesAreExempt(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		node := signed(t, newKey(t), 1, s.addr())
		n := s.node(quiet, boot(node), filtered(everywhere("strict", &rules{verdict: func(Stage, *enode.Node) Verdict { return Verdict{Decision: Reject, Reason: "no"} }})))
		for _, e := range n.Explain(t.Context(), node) {
			if e.Exempt != (e.Stage == StageTable) || e.Verdict.Decision != Reject {
				t.Errorf("%+v", e)
			}
		}
		for _, e := range n.Explain(t.Context(), unsigned(1, 1)) {
			if e.Exempt {
				t.Errorf("a stranger is exempt: %+v", e)
			}
		}
	})
}
