package link

import (
	"context"
	"crypto/ecdsa"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// inBubble runs a test under virtual time, in which gRPC over a pipe works; goroutines left over fail it.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// connect serves a plugin in this process, to be called over a pipe.
func connect(t *testing.T, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	return connectWith(t, register, grpc.MaxRecvMsgSize(pluginpb.MaxMessage), grpc.MaxSendMsgSize(64<<20))
}

// connectRaw is connect for a plugin that sends bytes.
func connectRaw(t *testing.T, register func(*grpc.Server)) *grpc.ClientConn {
	t.Helper()
	return connectWith(t, register, grpc.ForceServerCodecV2(rawCodec{}))
}

func connectWith(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(64 << 10)
	server := grpc.NewServer(options...)
	register(server)
	go server.Serve(l)
	dial := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
	conn, err := grpc.NewClient("passthrough:///plugin", append(DialOptions(), dial, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
	})
	return conn
}

// talkPlugin is a talk plugin that does what a test wants.
type talkPlugin struct {
	pluginpb.UnimplementedTalkServer
	serve func(grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error
}

func (p talkPlugin) Serve(s grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
	return p.serve(s)
}

// peers remembers who was asked, and who was answered how often with what.
type peerLog struct {
	mu      sync.Mutex
	answers map[*core.PendingTalk][]string
	at      map[*core.PendingTalk]time.Time
}

func newPeerLog() *peerLog {
	return &peerLog{answers: make(map[*core.PendingTalk][]string), at: make(map[*core.PendingTalk]time.Time)}
}

func (l *peerLog) answer(answers ...core.TalkAnswer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range answers {
		l.answers[a.To] = append(l.answers[a.To], string(a.Payload))
		l.at[a.To] = time.Now()
	}
}

// got returns the only answer to a request; it fails the test when there are more, and reports false for none.
func (l *peerLog) got(t *testing.T, p *core.PendingTalk) (string, bool) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.answers[p]
	if len(all) > 1 {
		t.Fatalf("answered %d times: %q", len(all), all)
	}
	if len(all) == 0 {
		return "", false
	}
	return all[0], true
}

func (l *peerLog) wantAnswer(t *testing.T, p *core.PendingTalk, want string) {
	t.Helper()
	if got, ok := l.got(t, p); !ok || got != want {
		t.Fatalf("answer is %q (there is one: %v), want %q", got, ok, want)
	}
}

func (l *peerLog) wantNone(t *testing.T, p *core.PendingTalk) {
	t.Helper()
	if got, ok := l.got(t, p); ok {
		t.Fatalf("answered %q, want none yet", got)
	}
}

// testTalk is a Talk with its plugin and its peers.
type testTalk struct {
	*Talk
	t     *testing.T
	peers *peerLog
	in    chan *pluginpb.TalkRequests  // what the plugin got
	out   chan *pluginpb.TalkResponses // what it says
	end   chan error                   // ends its stream
}

// openTalk opens a Talk to a plugin that a test plays by hand.
func openTalk(t *testing.T, cfg TalkConfig) *testTalk {
	t.Helper()
	tt := &testTalk{
		t: t, peers: newPeerLog(),
		in: make(chan *pluginpb.TalkRequests, 10_000), out: make(chan *pluginpb.TalkResponses, 10_000), end: make(chan error, 1),
	}
	tt.Talk = newTalk(t, tt.serve, tt.peers, cfg)
	return tt
}

func newTalk(t *testing.T, serve func(grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error, peers *peerLog, cfg TalkConfig) *Talk {
	t.Helper()
	conn := connect(t, func(s *grpc.Server) { pluginpb.RegisterTalkServer(s, talkPlugin{serve: serve}) })
	cfg.Protocols, cfg.Answer = []string{"a", "b"}, peers.answer
	talk, err := OpenTalk(context.Background(), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(talk.Close)
	return talk
}

func (tt *testTalk) serve(s grpc.BidiStreamingServer[pluginpb.TalkRequests, pluginpb.TalkResponses]) error {
	go func() {
		for {
			m, err := s.Recv()
			if err != nil {
				return
			}
			tt.in <- m
		}
	}()
	for {
		select {
		case m := <-tt.out:
			if err := s.Send(m); err != nil {
				return err
			}
		case err := <-tt.end:
			return err
		case <-s.Context().Done():
			return nil
		}
	}
}

// respond makes the plugin answer requests, each with a payload.
func (tt *testTalk) respond(payload string, ids ...uint64) {
	m := &pluginpb.TalkResponses{}
	for _, id := range ids {
		m.Responses = append(m.Responses, &pluginpb.TalkResponse{Id: id, Payload: []byte(payload)})
	}
	tt.out <- m
	synctest.Wait()
}

// received returns what the plugin got since it was last asked.
func (tt *testTalk) received() *pluginpb.TalkRequests {
	synctest.Wait()
	all := &pluginpb.TalkRequests{}
	for {
		select {
		case m := <-tt.in:
			all.Peers = append(all.Peers, m.Peers...)
			all.Requests = append(all.Requests, m.Requests...)
			all.Cancelled = append(all.Cancelled, m.Cancelled...)
		default:
			return all
		}
	}
}

// request is a request of a peer for protocol b, with core's deadline in a minute.
func request(from int, payload string) core.TalkRequest {
	r := core.TalkRequest{Protocol: "b", Payload: []byte(payload), Deadline: time.Now().Add(time.Minute)}
	r.ID, r.Addr = numberedPeer(from)
	return r
}

// ask takes a request to the plugin, which must not be shed.
func (tt *testTalk) ask(r core.TalkRequest) *core.PendingTalk {
	tt.t.Helper()
	p := new(core.PendingTalk)
	if _, done := tt.StartTalk(r, p); done {
		tt.t.Fatalf("request was shed: %+v", tt.Stats())
	}
	return p
}

// wantShed checks that a request is answered empty at once, for a reason.
func (tt *testTalk) wantShed(r core.TalkRequest, why Shed) {
	tt.t.Helper()
	before := tt.Stats()
	response, done := tt.StartTalk(r, new(core.PendingTalk))
	after := tt.Stats()
	if !done || len(response) > 0 || after.Shed[why] != before.Shed[why]+1 {
		tt.t.Fatalf("shed: %v with %q, for %v, want %v", done, response, after.Shed, why)
	}
}

// testNode makes a signed record.
func testNode(t testing.TB, key *ecdsa.PrivateKey, seq uint64, entries ...enr.Entry) *enode.Node {
	t.Helper()
	var r enr.Record
	r.Set(enr.IPv4Addr(netip.AddrFrom4([4]byte{127, 0, 0, 1})))
	r.Set(enr.UDP(9000))
	for _, e := range entries {
		r.Set(e)
	}
	r.SetSeq(seq)
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func numberedPeer(i int) (enode.ID, netip.AddrPort) {
	return enode.ID{byte(i), byte(i >> 8), 1}, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 9000)
}
