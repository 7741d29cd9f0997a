package core

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/netsim"
)

// asyncFunc is a function as an AsyncTalkHandler.
type asyncFunc func(r TalkRequest, p *PendingTalk) ([]byte, bool)

func (f asyncFunc) StartTalk(r TalkRequest, p *PendingTalk) ([]byte, bool) { return f(r, p) }

// asked is a request that an inbox holds.
type asked struct {
	payload []byte
	pending *PendingTalk
	until   time.Time
}

// inbox makes a handler that leaves requests to the test.
func (s *sim) inbox(n *Node, protocol string) chan asked {
	s.t.Helper()
	requests := make(chan asked, 4096)
	_, err := n.HandleAsync(protocol, asyncFunc(func(r TalkRequest, p *PendingTalk) ([]byte, bool) {
		requests <- asked{bytes.Clone(r.Payload), p, r.Deadline}
		return nil, false
	}))
	if err != nil {
		s.t.Fatal(err)
	}
	return requests
}

func talking(n, to *Node, protocol, payload string) func() result[[]byte] {
	return background(func(ctx context.Context) ([]byte, error) { return n.Talk(ctx, to.Self(), protocol, []byte(payload)) })
}

// watchedSocket calls wrote before every datagram.
type watchedSocket struct {
	*netsim.Socket
	wrote func()
}

func (w watchedSocket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	w.wrote()
	return w.Socket.WriteToUDPAddrPort(b, to)
}

// Answers may be given later and in any order, one by one or together; those given together leave together.
func TestSimAsyncAnswers(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		var b *Node
		var together []int // for every datagram of b: how many wait in its queue and leave with it
		socket := watchedSocket{s.net.Listen(s.addr()), func() { together = append(together, b.links[0].out.Len()) }}
		a := s.node(quiet)
		b = s.node(quiet, func(c *Config) { c.Conns = []PacketConn{socket} })
		s.ping(a, b.Self())
		requests := s.inbox(b, "p")
		var waits []func() result[[]byte]
		for i := range 5 {
			waits = append(waits, talking(a, b, "p", fmt.Sprint(i)))
		}
		pass(100 * time.Millisecond)
		var answers []TalkAnswer
		for range waits {
			q := <-requests
			answers = append([]TalkAnswer{{q.pending, append([]byte("re "), q.payload...)}}, answers...)
		}
		answers[0].To.Answer(answers[0].Payload)
		together = nil
		b.AnswerTalk(answers[1:]...)
		if want := []int{4, 4, 4, 4}; !slices.Equal(together, want) {
			t.Errorf("the answers left in queues of %v, want %v", together, want)
		}
		for i, wait := range waits {
			if r := wait(); r.err != nil || string(r.value) != fmt.Sprintf("re %d", i) || r.took > 150*time.Millisecond {
				t.Errorf("request %d: %q, %v after %v", i, r.value, r.err, r.took)
			}
		}
	})
}

// The node answers in place of a handler that is late, says too much, panics or refuses; what comes after that is dropped
// and counted.
func TestSimAsyncTrouble(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		s.ping(a, b.Self())
		requests := s.inbox(b, "later")
		handle := func(protocol string, f asyncFunc) {
			if _, err := b.HandleAsync(protocol, f); err != nil {
				t.Fatal(err)
			}
		}
		handle("at once", func(r TalkRequest, _ *PendingTalk) ([]byte, bool) { return r.Payload, true })
		handle("panics", func(TalkRequest, *PendingTalk) ([]byte, bool) { panic("no") })
		_, err := b.HandleAsync("later", asyncFunc(nil))
		s.wantErr("second handler", err, ErrProtocolTaken)
		_, err = b.Handle("at once", TalkFunc(echo))
		s.wantErr("handler of the other kind", err, ErrProtocolTaken)

		if r := talking(a, b, "at once", "x")(); r.err != nil || string(r.value) != "x" {
			t.Errorf("answer at once: %q, %v", r.value, r.err)
		}
		if r := talking(a, b, "panics", "x")(); r.err != nil || len(r.value) != 0 || b.Stats().TalkFailed != 1 {
			t.Errorf("panic: %q, %v, counted %d", r.value, r.err, b.Stats().TalkFailed)
		}
		wait := talking(a, b, "later", "x")
		late := (<-requests).pending
		r := wait()
		if r.err != nil || len(r.value) != 0 || r.took < 300*time.Millisecond || r.took > 350*time.Millisecond {
			t.Errorf("late: %q, %v after %v; want an empty response at the deadline", r.value, r.err, r.took)
		}
		before := b.Stats()
		late.Answer([]byte("late"))
		settle()
		if st := b.Stats(); st.TalkTimeouts != 1 || st.TalkLate != 1 || st.PacketsSent != before.PacketsSent {
			t.Errorf("%d timeouts, %d late, %d packets; want 1, 1 and none", st.TalkTimeouts, st.TalkLate, st.PacketsSent-before.PacketsSent)
		}
		wait = talking(a, b, "later", "x")
		p := (<-requests).pending
		p.Answer([]byte("first"))
		p.Answer([]byte("second"))
		if r := wait(); string(r.value) != "first" || b.Stats().TalkLate != 2 {
			t.Errorf("two answers: %q, %d counted as late", r.value, b.Stats().TalkLate)
		}
		wait = talking(a, b, "later", "x")
		(<-requests).pending.Answer(make([]byte, codec.MaxTalkResponse+1))
		if r := wait(); r.err != nil || len(r.value) != 0 || b.Stats().TalkFailed != 2 {
			t.Errorf("answer too large: %d bytes, %v", len(r.value), r.err)
		}
		wait = talking(a, b, "later", "x")
		p = (<-requests).pending
		a.AnswerTalk(TalkAnswer{p, []byte("of another node")}, TalkAnswer{})
		b.Close()
		p.Answer([]byte("after close"))
		s.wantErr("talk with a node that closed", wait().err, ErrTimeout)
	})
}

// One protocol that never answers does not take the places of the others, whichever way it is served.
func TestSimHungProtocolLeavesPlaces(t *testing.T) {
	for _, async := range []bool{true, false} {
		t.Run(fmt.Sprintf("async %t", async), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				b := s.node(quiet, func(c *Config) { c.Talk = TalkLimits{InFlight: 8, PerPeer: 8, Deadline: 200 * time.Millisecond} })
				release := make(chan struct{})
				defer close(release)
				if async {
					s.inbox(b, "hangs")
				} else {
					s.handle(b, "hangs", func(context.Context, TalkRequest) ([]byte, error) { <-release; return nil, nil })
				}
				s.handle(b, "echo", echo)
				a, other := s.node(quiet), s.node(quiet)
				s.ping(a, b.Self())
				s.ping(other, b.Self())
				for round := range 5 {
					var waits []func() result[[]byte]
					for range 8 {
						waits = append(waits, talking(a, b, "hangs", "x"))
					}
					pass(50 * time.Millisecond)
					if r := talking(other, b, "echo", "x")(); r.err != nil || string(r.value) != "x" {
						t.Errorf("round %d: another protocol was not served: %q, %v", round, r.value, r.err)
					}
					for _, wait := range waits {
						if r := wait(); r.err != nil || len(r.value) != 0 {
							t.Errorf("round %d: %q, %v", round, r.value, r.err)
						}
					}
				}
				want := uint64(5*8 - 6) // six goroutines hang, and no more are started
				if async {
					want = 5 * 2
				}
				if got := b.Stats().TalkShed; got != want {
					t.Errorf("%d requests shed, want %d", got, want)
				}
			})
		})
	}
}

// Calls that end in a callback end as those do that wait.
func TestSimTalkAsync(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b, silent, banned := s.node(quiet), s.node(quiet), s.peer(), s.peer()
		s.handle(b, "echo", echo)
		s.ping(a, b.Self())
		s.know(a, silent.node)
		s.ban(a, Ban{ID: banned.id()})
		to := b.LocalAddrs()[0]
		start := time.Now()
		var mu sync.Mutex
		type end struct {
			response string
			err      error
			took     time.Duration
		}
		ends := make(map[string][]end)
		call := func(name string, c TalkCall) TalkCall {
			if c.Protocol == "" {
				c.Protocol = "echo"
			}
			c.Done = func(response []byte, err error) {
				a.Len() // it may call the node
				mu.Lock()
				defer mu.Unlock()
				ends[name] = append(ends[name], end{string(response), err, time.Since(start)})
			}
			return c
		}
		payload := []byte("hello")
		err := a.TalkAsync(
			call("record", TalkCall{Node: b.Self(), Payload: payload}),
			call("address", TalkCall{ID: b.ID(), Addr: to, Payload: payload}),
			call("record at address", TalkCall{Node: b.Self(), Addr: to, Payload: payload}),
			call("unknown protocol", TalkCall{Node: b.Self(), Protocol: "?"}),
			call("silent", TalkCall{Node: silent.node}),
			call("silent, short", TalkCall{Node: silent.node, Timeout: time.Second}),
			call("silent, long", TalkCall{Node: silent.node, Timeout: time.Hour}),
			call("no record", TalkCall{ID: banned.another().id(), Addr: banned.addr}),
			call("banned", TalkCall{Node: banned.node}),
			call("itself", TalkCall{Node: a.Self()}),
			call("too large", TalkCall{Node: b.Self(), Payload: make([]byte, codec.MaxPacketSize)}),
			TalkCall{Node: b.Self(), Protocol: "echo", Payload: payload}, // nobody wants to know
			TalkCall{Protocol: "echo"},
		)
		clear(payload)
		if err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		wants := map[string]end{
			"record": {"hello", nil, 20 * time.Millisecond}, "address": {"hello", nil, 20 * time.Millisecond},
			"record at address": {"hello", nil, 20 * time.Millisecond}, "unknown protocol": {"", nil, 20 * time.Millisecond},
			"silent": {"", ErrTimeout, 4 * time.Second}, "silent, short": {"", ErrTimeout, time.Second},
			"silent, long": {"", ErrTimeout, 4 * time.Second}, "no record": {"", ErrNoRecord, 0},
			"banned": {"", ErrBanned, 0}, "itself": {"", ErrSelf, 0}, "too large": {"", ErrTooLarge, 0},
		}
		mu.Lock()
		defer mu.Unlock()
		for name, want := range wants {
			if len(ends[name]) != 1 {
				t.Errorf("%s: ended %d times", name, len(ends[name]))
				continue
			}
			got := ends[name][0]
			s.wantErr(name, got.err, want.err)
			if got.response != want.response || got.took != want.took {
				t.Errorf("%s: %q after %v, want %q after %v", name, got.response, got.took, want.response, want.took)
			}
		}
		if st := a.Stats(); st.Timeouts[codec.TalkReqType] != 2 || st.Calls != 0 {
			t.Errorf("%d timeouts held against the node, %d calls left; want 2 and none", st.Timeouts[codec.TalkReqType], st.Calls)
		}
		if got := b.Stats().MessagesReceived[codec.TalkReqType]; got != 5 {
			t.Errorf("%d requests arrived, want 5", got)
		}
	})
}

// Callbacks that hang or panic hurt nobody, calls beyond the bound are refused, and the end of the node is told.
func TestSimTalkAsyncCallbacks(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet)
		s.handle(b, "echo", echo)
		s.handle(b, "slow", func(ctx context.Context, _ TalkRequest) ([]byte, error) { <-ctx.Done(); return nil, nil })
		release := make(chan struct{})
		call := TalkCall{Node: b.Self(), Protocol: "echo"}
		call.Done = func([]byte, error) { panic("no") }
		hung := call
		hung.Done = func([]byte, error) { <-release }
		if err := a.TalkAsync(call, hung); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if r := talking(a, b, "echo", "x")(); r.err != nil || string(r.value) != "x" {
			t.Errorf("beside a callback that hangs: %q, %v", r.value, r.err)
		}
		var got atomic.Int64
		call.Done = func([]byte, error) { got.Add(1) }
		many := make([]TalkCall, maxCalls+1)
		for i := range many {
			many[i] = call
		}
		s.wantErr("more calls than there may be", a.TalkAsync(many...), ErrBusy)
		if err := a.TalkAsync(many[:100]...); err != nil {
			t.Error(err)
		}
		s.wantErr("more calls beside callbacks that wait", a.TalkAsync(many[:maxCalls-100]...), ErrBusy)
		pass(time.Second)
		if got.Load() != 0 {
			t.Error("callbacks do not run one after the other")
		}
		close(release)
		settle()
		if got.Load() != 100 {
			t.Errorf("%d callbacks ran, want 100", got.Load())
		}
		ended := make(chan error, 1)
		err := a.TalkAsync(TalkCall{Node: b.Self(), Protocol: "slow", Done: func(_ []byte, err error) { ended <- err }})
		if err != nil {
			t.Fatal(err)
		}
		pass(50 * time.Millisecond)
		a.Close()
		s.wantErr("call under way at close", <-ended, ErrClosed)
		s.wantErr("call after close", a.TalkAsync(call), ErrClosed)
	})
}

// Many goroutines answer while deadlines pass and peers ask: every request has exactly one answer.
func TestAsyncRace(t *testing.T) {
	a := listen(t)
	b := listen(t, func(c *Config) { c.Talk = TalkLimits{PerPeer: 1024, Deadline: 20 * time.Millisecond} })
	requests := make(chan asked, 1024)
	if _, err := b.HandleAsync("p", asyncFunc(func(r TalkRequest, p *PendingTalk) ([]byte, bool) {
		requests <- asked{pending: p, until: r.Deadline}
		return nil, false
	})); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Ping(t.Context(), b.Self()); err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	for i := range 4 {
		workers.Go(func() {
			for q := range requests {
				p := q.pending
				if i == 0 {
					<-time.After(time.Until(q.until)) // at the same time as the node
				}
				p.Answer([]byte("x"))
				if i == 1 {
					p.Answer([]byte("y"))
				}
			}
		})
	}
	const rounds, batch = 50, 20
	var done sync.WaitGroup
	var answered atomic.Int64
	for range rounds {
		calls := make([]TalkCall, batch)
		for i := range calls {
			done.Add(1)
			calls[i] = TalkCall{Node: b.Self(), Protocol: "p", Done: func(response []byte, err error) {
				defer done.Done()
				if err == nil {
					answered.Add(1)
				}
				if string(response) == "y" {
					t.Error("a second answer counted")
				}
			}}
		}
		if err := a.TalkAsync(calls...); err != nil {
			t.Fatal(err)
		}
		done.Wait()
	}
	b.Close() // nobody asks any more
	close(requests)
	workers.Wait()
	if answered.Load() < rounds*batch*9/10 {
		t.Errorf("%d of %d requests were answered", answered.Load(), rounds*batch)
	}
}
