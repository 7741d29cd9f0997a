package core

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Close ends every call at once, and everything after it is refused.
func TestSimClose(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, silent := s.node(), s.peer()
		if _, err := n.Add(silent.node); err != nil {
			t.Fatal(err)
		}
		events, err := n.Events(1)
		if err != nil {
			t.Fatal(err)
		}
		remove := s.handle(n, "p", echo)
		calls := map[string]func(context.Context) (any, error){
			"ping":      func(ctx context.Context) (any, error) { return n.Ping(ctx, silent.node) },
			"find node": func(ctx context.Context) (any, error) { return n.FindNode(ctx, silent.node, []uint{256}) },
			"talk":      func(ctx context.Context) (any, error) { return n.Talk(ctx, silent.node, "p", nil) },
			"lookup":    func(ctx context.Context) (any, error) { return n.Lookup(ctx, silent.id()) },
			"query":     func(ctx context.Context) (any, error) { return n.QueryRandom(ctx) },
			"resolve":   func(ctx context.Context) (any, error) { return n.Resolve(ctx, silent.id()) },
		}
		waits := make(map[string]func() result[any])
		for name, call := range calls {
			waits[name] = background(call)
		}
		pass(time.Second)
		for range 2 {
			if err := n.Close(); err != nil {
				t.Error("close:", err)
			}
		}
		for name, wait := range waits {
			r := wait()
			if !errors.Is(r.err, ErrClosed) || !errors.Is(r.err, net.ErrClosed) || r.took != time.Second {
				t.Errorf("%s ended with %v after %v, want ErrClosed when the node was closed", name, r.err, r.took)
			}
		}
		later := map[string]error{
			"talk to":    func() error { _, err := n.TalkTo(t.Context(), silent.id(), silent.addr, "p", nil); return err }(),
			"talk send":  n.TalkSend(silent.id(), silent.addr, "p", nil),
			"message":    n.SendMessage(silent.id(), silent.addr, 0x07, nil),
			"add":        func() error { _, err := n.Add(silent.node); return err }(),
			"ban":        n.Ban(Ban{ID: silent.id(), Until: time.Now().Add(time.Hour)}),
			"set fields": n.SetFields(context.Background(), "a", map[string]any{"k": []byte{1}}),
			"handle":     func() error { _, err := n.Handle("q", TalkFunc(echo)); return err }(),
			"events":     func() error { _, err := n.Events(1); return err }(),
		}
		for name, call := range calls {
			_, later[name] = call(context.Background())
		}
		for name, err := range later {
			s.wantErr(name+" after close", err, ErrClosed)
		}
		remove()
		events.Close()
		if n.Self() == nil || n.ID() != n.Self().ID() || n.Node(silent.id()) != nil || n.Random(3, nil) != nil || len(n.Bans()) != 0 {
			t.Error("what can be asked after close is wrong")
		}
		n.HandleUnknown(nil)
		n.Stats()
		n.Table()
	})
}

// An answer that a worker is busy with does not keep its call from ending.
func TestSimCloseDuringRecordChecks(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet, func(c *Config) { c.Workers = 1 }), s.peer()
		p.dial(n)
		wait := finding(n, p.node, 256)
		got := p.wantMessage(codec.FindNodeType)
		release := make(chan struct{})
		n.offload(true, func() { <-release }, func(time.Time) {})
		settle()
		p.nodes(got, 1, s.nodesAt(p.id(), 256, 1)...)
		pass(time.Second)
		closed := make(chan error)
		go func() { closed <- n.Close() }()
		r := wait()
		s.wantErr("call whose answer is being checked", r.err, ErrClosed)
		close(release)
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// Handlers that run when the node closes are told so.
func TestSimCloseEndsHandlers(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet, func(c *Config) { c.Talk.Deadline = time.Hour })
		ended := make(chan time.Time, 1)
		s.handle(b, "p", func(ctx context.Context, _ TalkRequest) ([]byte, error) {
			<-ctx.Done()
			ended <- time.Now()
			return nil, ctx.Err()
		})
		wait := background(func(ctx context.Context) ([]byte, error) { return a.Talk(ctx, b.Self(), "p", nil) })
		pass(time.Second)
		b.Close()
		settle()
		select {
		case <-ended:
		default:
			t.Error("the handler runs on")
		}
		s.wantErr("talk with a node that closed", wait().err, ErrTimeout)
	})
}

// Events come in order; what a slow subscriber misses is counted in the next one it gets.
func TestSimEvents(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		fast, err := n.Events(64)
		if err != nil {
			t.Fatal(err)
		}
		slow, err := n.Events(1)
		if err != nil {
			t.Fatal(err)
		}
		other := s.node(quiet)
		s.ping(other, n.Self()) // reachable, session up, added
		s.ping(n, other.Self()) // verified
		if err := other.SetFields(context.Background(), "a", map[string]any{"mark": []byte{1}}); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Add(other.Self()); err != nil { // updated
			t.Fatal(err)
		}
		n.Remove(other.ID())
		if err := n.SetFields(context.Background(), "a", map[string]any{"mark": []byte{1}}); err != nil {
			t.Fatal(err)
		}
		var types []EventType
		for range 7 {
			e := <-fast.C
			types = append(types, e.Type)
			if e.Lost != 0 || !e.Time.Equal(time.Now()) && e.Time.After(time.Now()) {
				t.Errorf("event %v: %d lost, at %v", e.Type, e.Lost, e.Time)
			}
			if of := map[bool]enode.ID{true: n.ID(), false: other.ID()}[e.Type == RecordChanged || e.Type == ReachabilityChanged]; e.ID != of {
				t.Errorf("event %v is about another node", e.Type)
			}
		}
		want := []EventType{ReachabilityChanged, SessionUp, NodeAdded, NodeVerified, NodeUpdated, NodeRemoved, RecordChanged}
		for i := range want {
			if types[i] != want[i] {
				t.Fatalf("events %v, want %v", types, want)
			}
		}
		if e := <-slow.C; e.Type != ReachabilityChanged || e.Lost != 0 {
			t.Errorf("the slow one got %v first, %d lost", e.Type, e.Lost)
		}
		n.Remove(other.ID()) // nobody there: no event
		if _, err := n.Add(other.Self()); err != nil {
			t.Fatal(err)
		}
		if e := <-slow.C; e.Type != NodeAdded || e.Lost != 6 {
			t.Errorf("the slow one got %v then, %d lost; want 6", e.Type, e.Lost)
		}
		n.Remove(other.ID())
		if e := <-slow.C; e.Type != NodeRemoved || e.Lost != 0 {
			t.Errorf("the slow one got %v then, %d lost; want none", e.Type, e.Lost)
		}
		slow.Close()
		slow.Close()
		if _, open := <-slow.C; open {
			t.Error("a closed subscription goes on")
		}
		n.Close()
		for range fast.C { // what waited, then the end
		}
	})
}
