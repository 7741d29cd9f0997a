package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func (l *Latency) total() (count uint64) {
	for _, c := range l.Counts {
		count += c
	}
	return count
}

func TestLatencyClasses(t *testing.T) {
	var l Latency
	for _, d := range []time.Duration{-time.Second, 0, LatencyBounds[0], LatencyBounds[0] + 1, 10 * time.Second, 10*time.Second + 1, time.Hour} {
		l.observe(d)
	}
	last := len(LatencyBounds)
	if l.Counts[0] != 3 || l.Counts[1] != 1 || l.Counts[last-1] != 1 || l.Counts[last] != 2 || l.total() != 7 {
		t.Errorf("classes %v", l.Counts)
	}
	if !slices.IsSorted(LatencyBounds[:]) || !slices.IsSorted(SizeBounds[:]) {
		t.Error("the bounds are in no order")
	}
	var z Sizes
	for _, count := range []int{0, 1, 2, 3, 4, 1 << 20} {
		z.observe(count)
	}
	if z.Counts[0] != 1 || z.Counts[3] != 2 || z.Counts[len(SizeBounds)] != 1 || z.Sum != 10+1<<20 {
		t.Errorf("classes %v, sum %d", z.Counts, z.Sum)
	}
}

// Each request counts once, by what became of it.
func TestSimRequestResults(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, other, silent, liar := s.node(quiet), s.node(quiet), s.peer(), s.peer()
		liar.dial(n)
		s.ping(n, other.Self())
		waitSilent := pinging(n, silent.node)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := n.Ping(ctx, silent.node)
		s.wantErr("ping whose caller goes away", err, context.DeadlineExceeded)
		s.wantErr("ping of a silent node", waitSilent().err, ErrTimeout)
		wait := pinging(n, liar.node)
		ping, _ := codec.ParsePing(liar.wantMessage(codec.PingType).body)
		liar.send(n.LocalAddrs()[0], codec.TalkResp{RequestID: ping.RequestID}.Append(nil))
		s.wantErr("ping answered by TALKRESP", wait().err, ErrInvalidResponse)
		_, err = n.Ping(context.Background(), liar.node)
		s.wantErr("ping of a banned node", err, ErrBanned)

		st := n.Stats()
		for r, took := range map[RequestResult]time.Duration{
			RequestAnswered: 40 * time.Millisecond, RequestTimeout: 4 * time.Second, RequestInvalid: 20 * time.Millisecond,
			RequestCancelled: time.Second, RequestFailed: 0,
		} {
			if l := st.Latencies[codec.PingType][r]; l.total() != 1 || l.Sum != took {
				t.Errorf("%d pings came to %s within %v, want 1 within %v", l.total(), r, l.Sum, took)
			}
		}
		if st.SessionsOpened != 1 || other.Stats().SessionsOpened != 0 {
			t.Errorf("%d sessions opened, and %d by the one that was asked; want 1 and none", st.SessionsOpened, other.Stats().SessionsOpened)
		}
	})
}

// A FINDNODE whose first packet came is answered, however it goes on.
func TestSimPartialAnswerCountsOnce(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		for range 2 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			wait := background(func(context.Context) ([]*enode.Node, error) { return n.FindNode(ctx, p.node, []uint{256}) })
			p.nodes(p.wantMessage(codec.FindNodeType), 2)
			if err := wait().err; err == nil {
				t.Error("half an answer was enough")
			}
			cancel()
		}
		all := n.Stats().Latencies[codec.FindNodeType]
		if all[RequestAnswered].total() != 2 || all[RequestCancelled].total() != 0 {
			t.Errorf("%d answered, %d cancelled; want 2 and none", all[RequestAnswered].total(), all[RequestCancelled].total())
		}
	})
}

func talkStats(n *Node, protocol string) TalkStats {
	for _, s := range n.TalkStats() {
		if s.Protocol == protocol && !s.Other {
			return s
		}
	}
	return TalkStats{}
}

func otherTalk(n *Node) TalkStats {
	all := n.TalkStats()
	return all[len(all)-1]
}

// Both ends count a TALK request by its protocol and by what became of it.
func TestSimTalkResults(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		a, b := s.node(quiet), s.node(quiet, func(c *Config) { c.Talk.PerPeer = 1 })
		s.handle(b, "p", func(_ context.Context, r TalkRequest) ([]byte, error) {
			switch string(r.Payload) {
			case "fail":
				return []byte("x"), errors.New("no")
			case "panic":
				panic("no")
			case "long":
				return make([]byte, codec.MaxTalkResponse+1), nil
			case "slow":
				time.Sleep(time.Second)
			case "wait":
				time.Sleep(100 * time.Millisecond)
			}
			return r.Payload, nil
		})
		s.ping(a, b.Self())
		for _, payload := range []string{"ok", "", "fail", "panic", "long", "slow"} {
			if r := talking(a, b, "p", payload)(); r.err != nil {
				t.Errorf("%q: %v", payload, r.err)
			}
		}
		pass(time.Second)
		first := talking(a, b, "p", "wait")
		pass(50 * time.Millisecond)
		talking(a, b, "p", "shed")()
		first()
		if err := a.TalkSend(b.ID(), b.LocalAddrs()[0], "p", []byte("ok")); err != nil {
			t.Error(err)
		}
		talking(a, b, "unknown", "x")()
		pass(time.Second)

		in := talkStats(b, "p").Served
		want := TalkServed{Answered: 4, Empty: 1, Timeouts: 1, Failed: 3, Shed: 1, Latency: in.Latency}
		if in != want || in.Latency.total() != 4 || in.Latency.Sum != 100*time.Millisecond {
			t.Errorf("served %+v, want %+v", in, want)
		}
		out := talkStats(a, "p").Asked
		if out.Results != [NumRequestResults]uint64{RequestAnswered: 8} || out.Empty != 6 || out.Unawaited != 1 || out.Latency.total() != 8 {
			t.Errorf("asked %+v", out)
		}
		if got := otherTalk(b).Served; got != (TalkServed{Unknown: 1}) {
			t.Errorf("of other protocols served %+v", got)
		}
		if got := talkStats(a, "unknown").Asked; got.Results[RequestAnswered] != 1 || got.Empty != 1 {
			t.Errorf("of an unknown protocol asked %+v", got)
		}
		if len(b.TalkStats()) != 2 {
			t.Errorf("%d protocols are counted at the one that serves one", len(b.TalkStats()))
		}
	})
}

func TestSimTalkFailuresByProtocol(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, silent := s.node(quiet), s.peer()
		talk := func(ctx context.Context) error {
			_, err := n.Talk(ctx, silent.node, "p", nil)
			return err
		}
		s.wantErr("talk to a silent node", talk(context.Background()), ErrTimeout)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.wantErr("talk whose caller goes away", talk(ctx), context.DeadlineExceeded)
		if err := n.Ban(Ban{ID: silent.id(), Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		s.wantErr("talk to a banned node", talk(context.Background()), ErrBanned)
		s.wantErr("message to a banned node", n.TalkSend(silent.id(), silent.addr, "p", nil), ErrBanned)
		want := [NumRequestResults]uint64{RequestTimeout: 1, RequestCancelled: 1, RequestFailed: 2}
		if out := talkStats(n, "p").Asked; out.Results != want || out.Unawaited != 0 || out.Latency.total() != 0 {
			t.Errorf("asked %+v, want %v", out, want)
		}
	})
}

// Whatever protocols callers ask for and extensions serve, so many have counters of their own and no more.
func TestSimTalkCountersAreBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		long := strings.Repeat("x", maxCountedProtocol+1)
		for i := range 2 * maxServedCounters {
			s.handle(n, fmt.Sprintf("served %d", i), echo)() // and not any more
		}
		s.handle(n, long, echo)
		if got := len(n.TalkStats()); got != maxServedCounters+1 {
			t.Errorf("%d protocols served are counted", got)
		}
		to := s.peer()
		send := func(protocol string) {
			if err := n.TalkSend(to.id(), to.addr, protocol, nil); err != nil && !errors.Is(err, ErrNoRecord) {
				t.Errorf("%q: %v", protocol, err)
			}
		}
		for i := range 2 * maxAskedCounters {
			send(fmt.Sprintf("asked %d", i))
		}
		send(long)
		send("served 0")
		if got := len(n.TalkStats()); got != maxServedCounters+maxAskedCounters+1 {
			t.Errorf("%d protocols are counted", got)
		}
		if other := otherTalk(n); !other.Other || other.Asked.Results[RequestFailed] != maxAskedCounters+1 {
			t.Errorf("of other protocols asked %+v", other.Asked)
		}
		if got := talkStats(n, "served 0").Asked.Results[RequestFailed]; got != 1 {
			t.Errorf("a protocol that was served counts %d requests of ours, want 1", got)
		}
	})
}

func TestSimLookupResults(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, other, silent := s.node(quiet), s.node(quiet), s.peer()
		if _, err := n.Lookup(context.Background(), enode.ID{1}); err != nil { // nobody is known
			t.Fatal(err)
		}
		s.know(n, other.Self())
		if found, err := n.Lookup(context.Background(), enode.ID{1}); err != nil || len(found) != 1 {
			t.Fatalf("%d found, %v", len(found), err)
		}
		n.Remove(other.ID())
		s.know(n, silent.node)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		_, err := n.Lookup(ctx, enode.ID{1})
		s.wantErr("lookup whose caller goes away", err, context.DeadlineExceeded)
		n.turn(func(time.Time) { n.queries += maxQueries })
		_, err = n.Lookup(context.Background(), enode.ID{1})
		s.wantErr("lookup beside too many others", err, ErrBusy)
		n.turn(func(time.Time) { n.queries -= maxQueries })

		st := n.Stats()
		ends := st.LookupEnds
		want := [NumLookupResults]uint64{LookupFound: 1, LookupEmpty: 1, LookupCancelled: 1, LookupRefused: 1}
		if ends.Results != want || st.LookupsRunning != 0 {
			t.Errorf("results %v, %d under way", ends.Results, st.LookupsRunning)
		}
		if ends.Latency.total() != 2 || ends.Nodes.Sum != 1 || ends.Asked.Sum != 1 || ends.Nodes.Counts[0] != 1 {
			t.Errorf("%d ended, %d nodes, %d requests; want 2, 1, 1", ends.Latency.total(), ends.Nodes.Sum, ends.Asked.Sum)
		}
		if got := st.Latencies[codec.FindNodeType][RequestCancelled].total(); got != 1 {
			t.Errorf("%d requests cancelled with their lookup, want 1", got)
		}
	})
}

func TestSimStoreOperations(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		m := newMemStore()
		m.before = down
		change := func(f func(context.Context) error) { m.change(func() { m.before = f }) }
		n := s.node(quiet, stored(m))
		settle()
		if got := n.StoreStats().Ops[StoreScan]; got.Failures != 1 || got.Latency.total() != got.Failures {
			t.Errorf("scans of a store that is down: %+v", got)
		}
		change(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		pass(storePause + 2*storeDeadline)
		if got := n.StoreStats().Ops[StoreScan]; got.Timeouts == 0 || got.Latency.Sum < storeDeadline {
			t.Errorf("scans of a store that hangs: %+v", got)
		}
		change(func(context.Context) error { panic("no") })
		before := n.StoreStats().Ops[StoreScan].Failures
		pass(time.Minute)
		if got := n.StoreStats().Ops[StoreScan]; got.Failures <= before {
			t.Errorf("scans of a store that panics: %+v", got)
		}
		change(func(context.Context) error { time.Sleep(20 * time.Millisecond); return nil })
		pass(2 * maxStorePause)
		if err := n.Ban(Ban{ID: enode.ID{1}, Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		pass(2 * maxStorePause)
		if !n.Unban(Ban{ID: enode.ID{1}}) {
			t.Error("no ban")
		}
		pass(2 * maxStorePause)
		ops := n.StoreStats().Ops
		for _, op := range []StoreOp{StorePut, StoreDelete} {
			if got := ops[op]; got.OK != 1 || got.Failures+got.Timeouts != 0 || got.Latency.Sum != 20*time.Millisecond {
				t.Errorf("%s: %+v", op, got)
			}
		}
		if got := ops[StoreScan].OK; got != 2 {
			t.Errorf("%d scans of a store that works, want one for bans and one for nodes", got)
		}
	})
}

// What has a number has a name, and no two the same.
func TestNamesOfResults(t *testing.T) {
	var names []string
	for r := range NumRequestResults + 1 {
		names = append(names, "request "+r.String())
	}
	for r := range NumLookupResults + 1 {
		names = append(names, "lookup "+r.String())
	}
	for o := range NumStoreOps + 1 {
		names = append(names, "store "+o.String())
	}
	slices.Sort(names)
	for i, name := range names {
		if strings.HasSuffix(name, " ") || i > 0 && names[i-1] == name {
			t.Errorf("%q is no name, or two have it", name)
		}
	}
	if RequestResult(200).String() != "unknown" || LookupResult(200).String() != "unknown" || StoreOp(200).String() != "unknown" {
		t.Error("a number without a name has one")
	}
}
