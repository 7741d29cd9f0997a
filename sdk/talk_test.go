package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// talkHost is the host's end of a talk stream with one peer, number 3.
type talkHost struct {
	tb     testing.TB
	stream grpc.BidiStreamingClient[pluginpb.TalkRequests, pluginpb.TalkResponses]
	got    map[uint64]*pluginpb.TalkResponse
}

func talkWith(tb testing.TB, h TalkFunc, settings *pluginpb.TalkSettings, log hclog.Logger) (*served, *talkHost) {
	tb.Helper()
	s := serveLog(tb, &TalkPlugin{Info: Info{Name: "t"}, Protocols: []string{"a", "b\x00"}, Handler: h}, log)
	s.configure(tb, &pluginpb.ConfigureRequest{Name: "t", Talk: settings})
	stream, err := pluginpb.NewTalkClient(s.conn).Serve(s.ctx)
	if err != nil {
		tb.Fatal(err)
	}
	th := &talkHost{tb: tb, stream: stream, got: make(map[uint64]*pluginpb.TalkResponse)}
	n, record := testNode(tb, 1)
	id := n.ID()
	th.send(&pluginpb.TalkRequests{Peers: []*pluginpb.TalkPeer{{Number: 3, NodeId: id[:], Ip: []byte{192, 0, 2, 1}, Port: 9000, Record: record}}})
	return s, th
}

func (th *talkHost) send(m *pluginpb.TalkRequests) {
	th.tb.Helper()
	if err := th.stream.Send(m); err != nil {
		th.tb.Fatal(err)
	}
}

// ask sends requests with these ids to the first protocol, which carry their id as text.
func (th *talkHost) ask(ids ...uint64) {
	th.tb.Helper()
	m := &pluginpb.TalkRequests{}
	for _, id := range ids {
		m.Requests = append(m.Requests, &pluginpb.TalkRequest{Id: id, Peer: 3, Payload: fmt.Append(nil, id), TimeoutUs: 30_000_000})
	}
	th.send(m)
}

// response waits for the response to a request and fails the test if there is a second one.
func (th *talkHost) response(id uint64) *pluginpb.TalkResponse {
	th.tb.Helper()
	for th.got[id] == nil {
		m, err := th.stream.Recv()
		if err != nil {
			th.tb.Fatalf("no response to %d: %v", id, err)
		}
		for _, r := range m.Responses {
			if th.got[r.Id] != nil {
				th.tb.Fatalf("two responses to %d", r.Id)
			}
			th.got[r.Id] = r
		}
	}
	return th.got[id]
}

func TestTalkRequest(t *testing.T) {
	requests := make(chan *TalkRequest, 1)
	_, th := talkWith(t, func(_ context.Context, r *TalkRequest) ([]byte, error) {
		requests <- r
		return []byte("answer"), nil
	}, &pluginpb.TalkSettings{Protocols: [][]byte{[]byte("b\x00")}}, hclog.NewNullLogger())
	before := time.Now()
	th.send(&pluginpb.TalkRequests{Requests: []*pluginpb.TalkRequest{{Id: 7, Peer: 3, Payload: []byte("question"), TimeoutUs: 5_000_000}}})
	if got := th.response(7); string(got.Payload) != "answer" || got.Error != "" {
		t.Errorf("response %v", got)
	}
	r := <-requests
	n, _ := testNode(t, 1)
	if r.ID != n.ID() || r.Node == nil || r.Node.ID() != n.ID() || r.Node.Seq() != n.Seq() {
		t.Errorf("request of %v with record %v, want those of %v", r.ID, r.Node, n)
	}
	if r.Addr != netip.MustParseAddrPort("192.0.2.1:9000") || r.Protocol != "b\x00" || string(r.Payload) != "question" {
		t.Errorf("request %+v", r)
	}
	if left := r.Deadline.Sub(before); left < 5*time.Second || left > 5*time.Second+patience {
		t.Errorf("deadline %v after the request was sent", left)
	}
}

func TestTalkPeers(t *testing.T) {
	_, th := talkWith(t, func(_ context.Context, r *TalkRequest) ([]byte, error) {
		return fmt.Appendf(nil, "%v %v %v", r.ID.TerminalString(), r.Addr, r.Node != nil), nil
	}, nil, hclog.NewNullLogger())
	n2, _ := testNode(t, 2)
	id2 := n2.ID()
	th.ask(1)
	th.send(&pluginpb.TalkRequests{
		Peers:    []*pluginpb.TalkPeer{{Number: 3, NodeId: id2[:], Ip: netip.MustParseAddr("2001:db8::1").AsSlice(), Port: 1}, {Number: pluginpb.MaxPeers - 1, NodeId: id2[:], Ip: netip.MustParseAddr("::ffff:192.0.2.9").AsSlice(), Port: 2}},
		Requests: []*pluginpb.TalkRequest{{Id: 2, Peer: 3}, {Id: 3, Peer: pluginpb.MaxPeers - 1}, {Id: 4, Peer: 9}, {Id: 5, Peer: 1 << 31}, {Id: 6, Peer: 3, Protocol: 2}},
	})
	n1, _ := testNode(t, 1)
	for id, want := range map[uint64]string{
		1: n1.ID().TerminalString() + " 192.0.2.1:9000 true",
		2: id2.TerminalString() + " [2001:db8::1]:1 false",
		3: id2.TerminalString() + " 192.0.2.9:2 false",
	} {
		if got := string(th.response(id).Payload); got != want {
			t.Errorf("request %d: %q, want %q", id, got, want)
		}
	}
	for _, id := range []uint64{4, 5, 6} {
		if r := th.response(id); r.Error == "" || len(r.Payload) != 0 {
			t.Errorf("request %d to a peer or protocol that nobody introduced: %v", id, r)
		}
	}
}

func TestTalkBadPeersEndTheStream(t *testing.T) {
	n, record := testNode(t, 1)
	id := n.ID()
	for name, peer := range map[string]*pluginpb.TalkPeer{
		"number": {Number: pluginpb.MaxPeers, NodeId: id[:]},
		"id":     {Number: 1, NodeId: id[:31]},
		"record": {Number: 1, NodeId: id[:], Record: record[:len(record)-1]},
	} {
		_, th := talkWith(t, func(context.Context, *TalkRequest) ([]byte, error) { return nil, nil }, nil, hclog.NewNullLogger())
		th.send(&pluginpb.TalkRequests{Peers: []*pluginpb.TalkPeer{peer}})
		if _, err := th.stream.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTalkHandlersRunTogether(t *testing.T) {
	const n = 200
	var all sync.WaitGroup
	all.Add(n)
	_, th := talkWith(t, func(_ context.Context, r *TalkRequest) ([]byte, error) {
		all.Done()
		all.Wait() // each waits for every other one
		return r.Payload, nil
	}, &pluginpb.TalkSettings{MaxInFlight: n}, hclog.NewNullLogger())
	for round := range uint64(2) { // the second one by workers of the first
		all = sync.WaitGroup{}
		all.Add(n)
		var ids []uint64
		for i := range uint64(n) {
			ids = append(ids, round*n+i+1)
		}
		th.ask(ids...)
		for _, id := range ids {
			if r := th.response(id); string(r.Payload) != fmt.Sprint(id) {
				t.Fatalf("request %d: %v", id, r)
			}
		}
	}
}

func TestTalkResponseLeavesWhileOthersBlock(t *testing.T) {
	release := make(chan struct{})
	_, th := talkWith(t, func(_ context.Context, r *TalkRequest) ([]byte, error) {
		if string(r.Payload) != "2" {
			<-release
		}
		return r.Payload, nil
	}, &pluginpb.TalkSettings{MaxInFlight: 3}, hclog.NewNullLogger())
	th.ask(1, 2, 3)
	th.response(2)
	if th.got[1] != nil || th.got[3] != nil {
		t.Error("a response of a handler that blocks")
	}
	close(release)
	th.response(1)
	th.response(3)
}

func TestTalkTooManyInFlight(t *testing.T) {
	release := make(chan struct{})
	_, th := talkWith(t, func(context.Context, *TalkRequest) ([]byte, error) {
		<-release
		return []byte("late"), nil
	}, &pluginpb.TalkSettings{MaxInFlight: 2}, hclog.NewNullLogger())
	th.ask(1, 2, 3)
	if r := th.response(3); !strings.Contains(r.Error, "in flight") {
		t.Errorf("third request of two: %v", r)
	}
	close(release)
	th.response(1)
	th.response(2)
	th.ask(4)
	if r := th.response(4); r.Error != "" {
		t.Errorf("after that: %v", r)
	}
}

func TestTalkFailures(t *testing.T) {
	var log lockedBuffer
	_, th := talkWith(t, func(_ context.Context, r *TalkRequest) ([]byte, error) {
		switch string(r.Payload) {
		case "1":
			return []byte("ignored"), errors.New("no luck\xff " + strings.Repeat("x", 1000))
		case "2", "3", "4":
			panic("oh no")
		case "5":
			runtime.Goexit()
		case "6":
			return make([]byte, 101), nil
		case "7":
			return make([]byte, 100), nil
		}
		return nil, nil
	}, &pluginpb.TalkSettings{MaxResponse: 100, MaxInFlight: 1000}, hclog.New(&hclog.LoggerOptions{Output: &log}))
	for id := uint64(1); id <= 7; id++ {
		th.ask(id)
		th.response(id)
	}
	for id, want := range map[uint64]string{1: "no luck", 2: "panic: oh no", 3: "panic: oh no", 4: "panic: oh no", 5: "ended its goroutine", 6: "101 bytes, at most 100"} {
		if r := th.response(id); !strings.Contains(r.Error, want) || len(r.Payload) != 0 || len(r.Error) > maxTalkError {
			t.Errorf("request %d: %v, want the error %q", id, r, want)
		}
	}
	if r := th.response(7); r.Error != "" || len(r.Payload) != 100 {
		t.Errorf("request 7: %v", r)
	}
	text := log.String()
	if n := strings.Count(text, "talk handler panicked"); n < 1 || n > 2 { // one a second
		t.Errorf("%d log lines about panics", n)
	}
	if !strings.Contains(text, "talk_test.go") {
		t.Errorf("no stack in the log:\n%s", text)
	}
}

func TestTalkCancel(t *testing.T) {
	for _, extra := range []int{0, fewCancels} {
		started := make(chan struct{})
		_, th := talkWith(t, func(ctx context.Context, r *TalkRequest) ([]byte, error) {
			close(started)
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil, hclog.NewNullLogger())
		th.ask(1)
		within(t, "the handler", started)
		cancelled := []uint64{1}
		for i := range extra {
			cancelled = append(cancelled, uint64(100+i)) // unknown: answered already
		}
		th.send(&pluginpb.TalkRequests{Cancelled: cancelled})
		if r := th.response(1); r.Error != context.Canceled.Error() {
			t.Errorf("cancelled request: %v", r)
		}
	}
}

// TestTalkOverBeforeTheHandler: a request that is cancelled or late when a worker takes it is answered without its handler.
func TestTalkOverBeforeTheHandler(t *testing.T) {
	var calls atomic.Int32
	s, th := talkWith(t, func(context.Context, *TalkRequest) ([]byte, error) {
		calls.Add(1)
		return nil, nil
	}, nil, hclog.NewNullLogger())
	th.ask(1)
	th.response(1) // the stream is there
	s.talk.mu.Lock()
	var stream *talkStream
	for stream = range s.talk.streams {
	}
	s.talk.mu.Unlock()
	holds := func(f func() bool) bool {
		stream.mu.Lock()
		defer stream.mu.Unlock()
		return f()
	}
	for !holds(func() bool { return stream.parked == stream.workers && !stream.waking }) {
		runtime.Gosched()
	}
	holds(func() bool { stream.waking = true; return true }) // nobody else is woken
	th.send(&pluginpb.TalkRequests{
		Requests:  []*pluginpb.TalkRequest{{Id: 2, Peer: 3, TimeoutUs: 30_000_000}, {Id: 3, Peer: 3, TimeoutUs: 1}},
		Cancelled: []uint64{2},
	})
	for !holds(func() bool { return len(stream.queue) == 2 && stream.queue[0].cancelled }) {
		runtime.Gosched()
	}
	holds(func() bool { stream.waking = false; stream.help(); return true })
	if a, b := th.response(2), th.response(3); a.Error != "cancelled" || b.Error != "too late" {
		t.Errorf("responses %v, %v", a, b)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("the handler was called %d times, want 1", n)
	}
}

func TestTalkDeadline(t *testing.T) {
	_, th := talkWith(t, func(ctx context.Context, r *TalkRequest) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, nil, hclog.NewNullLogger())
	th.send(&pluginpb.TalkRequests{Requests: []*pluginpb.TalkRequest{{Id: 1, Peer: 3, TimeoutUs: 20_000}}})
	if r := th.response(1); r.Error != context.DeadlineExceeded.Error() && r.Error != "too late" {
		t.Errorf("request past its deadline: %v", r)
	}
}

func TestTalkContextEndsWithTheHandler(t *testing.T) {
	contexts := make(chan context.Context, 2)
	_, th := talkWith(t, func(ctx context.Context, r *TalkRequest) ([]byte, error) {
		derived, cancel := context.WithCancel(ctx)
		_ = cancel // it ends with its parent
		contexts <- ctx
		contexts <- derived
		return nil, ctx.Err()
	}, nil, hclog.NewNullLogger())
	th.ask(1)
	if r := th.response(1); r.Error != "" {
		t.Errorf("the context ended early: %v", r)
	}
	for range 2 {
		ctx := <-contexts
		within(t, "the end of the context", ctx.Done())
	}
}

func TestTalkStreamEndEndsContexts(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	_, th := talkWith(t, func(ctx context.Context, r *TalkRequest) ([]byte, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return nil, nil
	}, nil, hclog.NewNullLogger())
	th.ask(1)
	within(t, "the handler", started)
	if err := th.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	within(t, "the end of the request's context", ended)
}

func TestTalkBeforeConfigure(t *testing.T) {
	s := serve(t, echoPlugin())
	stream, err := pluginpb.NewTalkClient(s.conn).Serve(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Serve before Configure: %v", err)
	}
}

// TestTalkMany sends requests of every kind at a time, and wants one response for each.
func TestTalkMany(t *testing.T) {
	const n, inFlight = 20000, 100
	_, th := talkWith(t, func(ctx context.Context, r *TalkRequest) ([]byte, error) {
		switch r.Payload[len(r.Payload)-1] {
		case '1':
			runtime.Gosched()
		case '2':
			panic("2")
		case '3':
			select {
			case <-ctx.Done():
			case <-time.After(time.Microsecond):
			}
		case '4':
			runtime.Goexit()
		}
		return r.Payload, nil
	}, &pluginpb.TalkSettings{MaxInFlight: inFlight}, hclog.NewNullLogger())
	next := uint64(0)
	ask := func(n int) {
		var ids []uint64
		for range n {
			next++
			ids = append(ids, next)
		}
		th.ask(ids...)
	}
	ask(inFlight)
	for done := 0; done < n; {
		m, err := th.stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Responses {
			id := fmt.Sprint(r.Id)
			fails := id[len(id)-1] == '2' || id[len(id)-1] == '4'
			if th.got[r.Id] != nil || fails != (r.Error != "") || !fails && !bytes.Equal(r.Payload, []byte(id)) {
				t.Fatalf("response %v", r)
			}
			th.got[r.Id] = r
		}
		done += len(m.Responses)
		if left := n - int(next); left > 0 {
			ask(min(left, len(m.Responses)))
		}
	}
}

// lockedBuffer is a log that several goroutines write and a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
