package core

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// A lookup that runs out of time returns what it has found, with the error of its context.
func TestSimLookupEndsWithWhatItFound(t *testing.T) {
	for name, run := range map[string]func(context.Context, *Node, enode.ID, ...LookupOption) ([]*enode.Node, error){
		"lookup": func(ctx context.Context, n *Node, id enode.ID, o ...LookupOption) ([]*enode.Node, error) {
			return n.Lookup(ctx, id, o...)
		},
		"query": func(ctx context.Context, n *Node, id enode.ID, o ...LookupOption) ([]*enode.Node, error) {
			return n.Query(ctx, id, 0, o...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, helpful, silent := s.node(quiet), s.peer(), s.peer()
				found := signed(t, keyAt(t, helpful.id(), 256), 1, s.addr())
				helpful.serve(n, helpful.polite(found))
				s.know(n, helpful.node, silent.node)
				for _, filtered := range []bool{false, true} {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					defer cancel()
					var options []LookupOption
					if filtered {
						options = append(options, Matching(func(node *enode.Node) bool { return node.ID() == found.ID() }))
					}
					nodes, err := run(ctx, n, found.ID(), options...)
					s.wantErr("result", err, context.DeadlineExceeded)
					if !ids(nodes)[found.ID()] || filtered && len(nodes) != 1 {
						t.Errorf("%d nodes were found in time", len(nodes))
					}
				}
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				if nodes, err := run(ctx, n, found.ID()); len(nodes) != 0 || err != context.Canceled {
					t.Errorf("without any time: %d nodes, %v", len(nodes), err)
				}
			})
		})
	}
}

// A node that is closed while a result waits for verdicts says so.
func TestSimCloseWhileVerdictsAreAwaited(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		r := &rules{before: slow(100 * time.Millisecond)}
		n := s.node(quiet, filtered(FilterConfig{Name: "f", Filter: r, Stages: []Stage{StageDeliver}, Deadline: time.Minute}))
		p := s.peer()
		p.serve(n, p.polite(signed(t, keyAt(t, p.id(), 256), 1, s.addr())))
		wait := finding(n, p.node, 256)
		pass(50 * time.Millisecond)
		n.Close()
		if r := wait(); r.err != ErrClosed || r.value != nil {
			t.Errorf("%v, %v; want ErrClosed", r.value, r.err)
		}
	})
}

// Close waits for handlers that heed their context, and not for others.
func TestSimCloseWaitsForHandlers(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		over := false
		s.handle(b, "heeds", func(ctx context.Context, _ TalkRequest) ([]byte, error) {
			<-ctx.Done()
			time.Sleep(time.Millisecond)
			over = true
			return nil, nil
		})
		talking(a, b, "heeds", "")
		pass(50 * time.Millisecond)
		start := time.Now()
		b.Close()
		if took := time.Since(start); !over || took > 10*time.Millisecond {
			t.Errorf("closed after %v, handler over %t", took, over)
		}

		c := s.node(quiet, func(c *Config) { c.Talk.Deadline = time.Hour })
		release := make(chan struct{})
		s.handle(c, "hangs", func(context.Context, TalkRequest) ([]byte, error) { <-release; return nil, nil })
		c.HandleUnknown(func(UnknownMessage) { <-release })
		talking(a, c, "hangs", "")
		pass(50 * time.Millisecond)
		if err := a.SendMessage(c.ID(), c.LocalAddrs()[0], 0x07, nil); err != nil {
			t.Fatal(err)
		}
		pass(50 * time.Millisecond)
		start = time.Now()
		c.Close()
		if took := time.Since(start); took != closeGrace {
			t.Errorf("closed after %v beside handlers that hang, want %v", took, closeGrace)
		}
		close(release)
	})
}

// Work that waits for the workers when the node is closed is left undone.
func TestSimCloseLeavesJobs(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, func(c *Config) { c.Workers = 1 })
		ran := 0 // by the only worker
		for range 1000 {
			n.offload(true, func() { ran++; time.Sleep(time.Millisecond) }, func(time.Time) {})
		}
		pass(10 * time.Millisecond)
		start := time.Now()
		n.Close()
		if took := time.Since(start); took > 2*time.Millisecond || ran > 20 {
			t.Errorf("close took %v, %d jobs ran", took, ran)
		}
	})
}
