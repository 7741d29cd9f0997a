package link

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/grpc"
)

// fakeNode are services as a test wants them.
type fakeNode struct {
	self  *enode.Node
	known []*enode.Node
	err   error         // of everything that can fail
	hang  bool          // calls wait for their context
	keep  bool          // talk calls are kept in talks, not ended
	seen  chan struct{} // a call that hangs has begun

	mu      sync.Mutex
	talks   []core.TalkCall
	turns   int // calls of TalkAsync
	sent    []string
	fields  map[string]any
	removed []string
	owner   string
	bans    []core.Ban
	events  chan core.Event
	watches int
}

func newFakeNode(t *testing.T) *fakeNode {
	return &fakeNode{self: testNode(t, newKey(t), 5), seen: make(chan struct{}, 1000), fields: make(map[string]any)}
}

func (f *fakeNode) wait(ctx context.Context) error {
	if f.hang {
		f.seen <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

func (f *fakeNode) Self() *enode.Node { return f.self }

func (f *fakeNode) Node(id enode.ID) *enode.Node {
	for _, n := range f.known {
		if n.ID() == id {
			return n
		}
	}
	return nil
}

func (f *fakeNode) Ping(ctx context.Context, node *enode.Node) (core.Pong, error) {
	return core.Pong{ENRSeq: node.Seq(), Recipient: netip.MustParseAddrPort("203.0.113.1:9000"), RTT: 1500 * time.Microsecond}, f.wait(ctx)
}

func (f *fakeNode) FindNode(ctx context.Context, _ *enode.Node, distances []uint) ([]*enode.Node, error) {
	return f.known[:min(len(distances), len(f.known))], f.wait(ctx)
}

func (f *fakeNode) TalkAsync(calls ...core.TalkCall) error {
	f.mu.Lock()
	f.turns++
	calls = slices.Clone(calls)
	f.talks = append(f.talks, calls...)
	err, keep := f.err, f.keep
	f.mu.Unlock()
	if err != nil {
		return err
	}
	for _, c := range calls {
		if c.Done != nil && !keep {
			go c.Done(append([]byte("re "), c.Payload...), nil)
		}
	}
	return nil
}

func (f *fakeNode) TalkSend(_ enode.ID, _ netip.AddrPort, protocol string, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, protocol+" "+string(payload))
	return f.err
}

func (f *fakeNode) Lookup(ctx context.Context, _ enode.ID, _ ...core.LookupOption) ([]*enode.Node, error) {
	return f.known, f.wait(ctx)
}

func (f *fakeNode) Query(ctx context.Context, _ enode.ID, _ int, _ ...core.LookupOption) ([]*enode.Node, error) {
	return f.known[:1], f.wait(ctx)
}

func (f *fakeNode) Resolve(ctx context.Context, id enode.ID) (*enode.Node, error) {
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	if n := f.Node(id); n != nil {
		return n, nil
	}
	return nil, core.ErrNotFound
}

func (f *fakeNode) Closest(_ enode.ID, k int, _ bool) []*enode.Node {
	return f.known[:min(k, len(f.known))]
}

func (f *fakeNode) Random(count int, match func(*enode.Node) bool) (found []*enode.Node) {
	for _, n := range f.known {
		if len(found) < count && (match == nil || match(n)) {
			found = append(found, n)
		}
	}
	return found
}

func (f *fakeNode) SetFields(ctx context.Context, owner string, set map[string]any, remove ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owner, f.fields, f.removed = owner, set, remove
	return f.err
}

func (f *fakeNode) RecordUsage() core.RecordUsage { return core.RecordUsage{Size: 170, Max: 300} }

func (f *fakeNode) Ban(b core.Ban) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bans = append(f.bans, b)
	return f.err
}

func (f *fakeNode) Unban(b core.Ban) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.bans)
	f.bans = slices.DeleteFunc(f.bans, func(held core.Ban) bool { return held.ID == b.ID && held.Prefix == b.Prefix })
	return len(f.bans) < before
}

func (f *fakeNode) Bans() []core.Ban {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.bans)
}

func (f *fakeNode) Watch(buffer int) (<-chan core.Event, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, nil, f.err
	}
	events := make(chan core.Event, buffer)
	f.events = events
	f.watches++
	return events, sync.OnceFunc(func() { close(events) }), nil
}

// fakeSpace is a space in a map.
type fakeSpace struct {
	mu      sync.Mutex
	entries map[string]core.SpaceEntry
	err     error
}

func (s *fakeSpace) Put(entries []core.SpaceEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.entries[string(e.Key)] = core.SpaceEntry{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value), Expires: e.Expires}
	}
	return s.err
}

func (s *fakeSpace) Get(_ context.Context, keys [][]byte) (found []core.SpaceEntry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if e, ok := s.entries[string(k)]; ok {
			found = append(found, e)
		}
	}
	return found, s.err
}

func (s *fakeSpace) Scan(_ context.Context, prefix, after []byte, limit int) (found []core.SpaceEntry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.entries {
		if strings.HasPrefix(k, string(prefix)) && k > string(after) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b core.SpaceEntry) int { return bytes.Compare(a.Key, b.Key) })
	return found[:min(len(found), limit)], s.err
}

func (s *fakeSpace) Delete(keys [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		delete(s.entries, string(k))
	}
	return s.err
}

// hostPlugin serves Host.Link as a test wants.
type hostPlugin struct {
	pluginpb.UnimplementedHostServer
	link func(grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]) error
}

func (p hostPlugin) Link(s grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]) error {
	return p.link(s)
}

// testHost is a Host with a plugin that a test plays by hand.
type testHost struct {
	*Host
	t       *testing.T
	node    *fakeNode
	space   *fakeSpace
	calls   chan *pluginpb.HostCalls
	replies chan *pluginpb.HostReply
	events  chan *pluginpb.HostEvent
	next    uint64
}

// allGrants are the grants of all calls.
var allGrants = []string{"self", "ping", "findnode", "talk", "lookup", "resolve", "closest", "sample", "watch", "record", "kv", "ban"}

func openHost(t *testing.T, cfg HostConfig) *testHost {
	t.Helper()
	th := &testHost{
		t: t, node: newFakeNode(t), space: &fakeSpace{entries: make(map[string]core.SpaceEntry)},
		calls: make(chan *pluginpb.HostCalls, 10_000), replies: make(chan *pluginpb.HostReply, 100_000), events: make(chan *pluginpb.HostEvent, 10_000),
	}
	for i := range 3 {
		th.node.known = append(th.node.known, testNode(t, newKey(t), uint64(10+i)))
	}
	th.Host = newHost(t, cfg, th.node, th.space, func(s grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]) error {
		go func() {
			for {
				m, err := s.Recv()
				if err != nil {
					return
				}
				for _, r := range m.Replies {
					th.replies <- r
				}
				for _, e := range m.Events {
					th.events <- e
				}
			}
		}()
		for {
			select {
			case m := <-th.calls:
				if m == nil {
					return nil
				}
				if err := s.Send(m); err != nil {
					return err
				}
			case <-s.Context().Done():
				return nil
			}
		}
	})
	return th
}

func newHost(t *testing.T, cfg HostConfig, node Services, space Space, link func(grpc.BidiStreamingServer[pluginpb.HostReplies, pluginpb.HostCalls]) error) *Host {
	t.Helper()
	conn := connect(t, func(s *grpc.Server) { pluginpb.RegisterHostServer(s, hostPlugin{link: link}) })
	cfg.Name, cfg.Services, cfg.Space = "counter", node, space
	if cfg.Grants == nil {
		cfg.Grants = allGrants
	}
	h, err := OpenHost(context.Background(), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// send makes the plugin call, and returns the id.
func (th *testHost) send(c *pluginpb.HostCall) uint64 {
	th.next++
	c.Id = th.next
	th.calls <- &pluginpb.HostCalls{Calls: []*pluginpb.HostCall{c}}
	synctest.Wait()
	return c.Id
}

// reply returns the reply to the last call, which must be there.
func (th *testHost) reply(id uint64) *pluginpb.HostReply {
	th.t.Helper()
	synctest.Wait()
	select {
	case r := <-th.replies:
		if r.Id != id {
			th.t.Fatalf("reply to call %d, want one to %d: %v", r.Id, id, r)
		}
		return r
	default:
		th.t.Fatalf("no reply to call %d", id)
		return nil
	}
}

// call makes a call that must succeed.
func (th *testHost) call(c *pluginpb.HostCall) *pluginpb.HostReply {
	th.t.Helper()
	r := th.reply(th.send(c))
	if r.Error != nil {
		th.t.Fatalf("%T failed: %v", c.Call, r.Error)
	}
	return r
}

// wantError makes a call that must fail.
func (th *testHost) wantError(c *pluginpb.HostCall, want pluginpb.CallCode) {
	th.t.Helper()
	if r := th.reply(th.send(c)); r.Error.GetCode() != want || r.Error == nil || r.Result != nil {
		th.t.Errorf("%v: %v, want %v", c, r, want)
	}
}

// wantNoReply checks that nothing came.
func (th *testHost) wantNoReply() {
	th.t.Helper()
	synctest.Wait()
	select {
	case r := <-th.replies:
		th.t.Fatalf("unexpected reply %v", r)
	default:
	}
}

// Calls of each kind.
func selfCall() *pluginpb.HostCall { return &pluginpb.HostCall{Call: &pluginpb.HostCall_Self{}} }
func pingCall(to *pluginpb.Target) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Ping{Ping: &pluginpb.PingCall{Target: to}}}
}
func findCall(to *pluginpb.Target, distances ...uint32) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_FindNode{FindNode: &pluginpb.FindNodeCall{Target: to, Distances: distances}}}
}
func talkCall(to *pluginpb.Target, payload string) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Talk{Talk: &pluginpb.TalkCall{Target: to, Protocol: []byte("utp"), Payload: []byte(payload)}}}
}
func sendCall(to *pluginpb.Target, payload string) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_TalkSend{TalkSend: &pluginpb.TalkSendCall{Target: to, Protocol: []byte("utp"), Payload: []byte(payload)}}}
}
func lookupCall(c *pluginpb.LookupCall) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Lookup{Lookup: c}}
}
func resolveCall(id []byte, local bool) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Resolve{Resolve: &pluginpb.ResolveCall{NodeId: id, Local: local}}}
}
func closestCall(id []byte, count uint32) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Closest{Closest: &pluginpb.ClosestCall{Target: id, Count: count}}}
}
func sampleCall(count uint32, match ...*pluginpb.FieldMatch) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Sample{Sample: &pluginpb.SampleCall{Count: count, Match: match}}}
}
func watchCall(kinds ...pluginpb.EventKind) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Watch{Watch: &pluginpb.WatchCall{Kinds: kinds}}}
}
func fieldsCall(fields ...*pluginpb.RecordField) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_SetFields{SetFields: &pluginpb.SetFieldsCall{Fields: fields}}}
}
func putCall(entries ...*pluginpb.KvEntry) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_KvPut{KvPut: &pluginpb.KvPutCall{Entries: entries}}}
}
func getCall(keys ...string) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_KvGet{KvGet: &pluginpb.KvGetCall{Keys: byteSlices(keys)}}}
}
func scanCall(prefix, after string, limit uint32) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_KvScan{KvScan: &pluginpb.KvScanCall{Prefix: []byte(prefix), After: []byte(after), Limit: limit}}}
}
func deleteCall(keys ...string) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_KvDelete{KvDelete: &pluginpb.KvDeleteCall{Keys: byteSlices(keys)}}}
}
func banCall(c *pluginpb.BanCall) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Ban{Ban: c}}
}
func unbanCall(c *pluginpb.UnbanCall) *pluginpb.HostCall {
	return &pluginpb.HostCall{Call: &pluginpb.HostCall_Unban{Unban: c}}
}

func byteSlices(all []string) (out [][]byte) {
	for _, s := range all {
		out = append(out, []byte(s))
	}
	return out
}
