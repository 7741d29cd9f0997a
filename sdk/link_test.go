package sdk

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
)

// linkHost is the host's end of the link.
type linkHost struct {
	*served
	host   *Host
	stream grpc.BidiStreamingClient[pluginpb.HostReplies, pluginpb.HostCalls]
	calls  []*pluginpb.HostCall
	gone   []uint64 // cancelled
}

// linked serves a plugin and configures it with these grants. The link is opened if open is set.
func linked(t *testing.T, open bool, r *pluginpb.ConfigureRequest) *linkHost {
	t.Helper()
	lh := &linkHost{}
	p := echoPlugin()
	p.Start = func(_ context.Context, h *Host) error { lh.host = h; return nil }
	lh.served = serve(t, p)
	lh.configure(t, r)
	if open {
		lh.open(t)
	}
	return lh
}

func (lh *linkHost) open(t *testing.T) {
	t.Helper()
	stream, err := pluginpb.NewHostClient(lh.conn).Link(lh.ctx)
	if err != nil {
		t.Fatal(err)
	}
	lh.stream = stream
}

func (lh *linkHost) receive(t *testing.T) {
	t.Helper()
	m, err := lh.stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	lh.calls = append(lh.calls, m.Calls...)
	lh.gone = append(lh.gone, m.Cancelled...)
}

// next waits for a call.
func (lh *linkHost) next(t *testing.T) *pluginpb.HostCall {
	t.Helper()
	for len(lh.calls) == 0 {
		lh.receive(t)
	}
	c := lh.calls[0]
	lh.calls = lh.calls[1:]
	return c
}

func (lh *linkHost) reply(t *testing.T, r *pluginpb.HostReply) {
	t.Helper()
	if err := lh.stream.Send(&pluginpb.HostReplies{Replies: []*pluginpb.HostReply{r}}); err != nil {
		t.Fatal(err)
	}
}

func everything() *pluginpb.ConfigureRequest { return &pluginpb.ConfigureRequest{Grants: grants} }

// TestHostCalls makes every call, and wants what the host sees and what the author gets.
func TestHostCalls(t *testing.T) {
	lh := linked(t, true, everything())
	h, ctx := lh.host, t.Context()
	n1, record1 := testNode(t, 1)
	n2, record2 := testNode(t, 2)
	id1, id2 := n1.ID(), n2.ID()
	addr := netip.MustParseAddrPort("192.0.2.7:30303")
	done := &pluginpb.HostReply{Result: &pluginpb.HostReply_Done{Done: &pluginpb.Done{}}}
	two := &pluginpb.HostReply{Result: &pluginpb.HostReply_Nodes{Nodes: &pluginpb.Nodes{Nodes: []*pluginpb.NodeRecord{{NodeId: id1[:], Record: record1}, {NodeId: id2[:], Record: record2}}}}}
	answer := &pluginpb.HostReply{Result: &pluginpb.HostReply_Talk{Talk: &pluginpb.TalkResult{Payload: []byte("answer")}}}
	kv := &pluginpb.HostReply{Result: &pluginpb.HostReply_Kv{Kv: &pluginpb.KvEntries{Entries: []*pluginpb.KvEntry{{Key: []byte("k"), Value: []byte("v"), ExpiresMs: 5}}}}}
	both := func(nodes []*enode.Node, err error) error {
		if err != nil || len(nodes) != 2 || nodes[0].ID() != id1 || nodes[1].Seq() != n2.Seq() || nodes[0].IPAddr() != n1.IPAddr() {
			return errors.Join(errors.New("want both nodes"), err)
		}
		return nil
	}
	first := func(n *enode.Node, err error) error {
		if err != nil || n.ID() != id1 || n.String() != n1.String() {
			return errors.Join(errors.New("want the first node"), err)
		}
		return nil
	}
	talked := func(b []byte, err error) error {
		if err != nil || string(b) != "answer" {
			return errors.Join(errors.New("want the answer"), err)
		}
		return nil
	}
	found := func(e []KVEntry, err error) error {
		if err != nil || len(e) != 1 || string(e[0].Key) != "k" || string(e[0].Value) != "v" || e[0].Expires.UnixMilli() != 5 {
			return errors.Join(errors.New("want the entry"), err)
		}
		return nil
	}
	for _, c := range []struct {
		name  string
		call  func() error
		want  string // what the host sees, without bytes of nodes
		reply *pluginpb.HostReply
	}{
		{"self", func() error { return first(h.Self(ctx)) }, `self:{}`,
			&pluginpb.HostReply{Result: &pluginpb.HostReply_Self{Self: &pluginpb.NodeRecord{NodeId: id1[:], Record: record1}}}},
		{"ping", func() error {
			p, err := h.Ping(ctx, n1)
			if err == nil && (p != Pong{9, addr, 1500 * time.Microsecond}) {
				err = errors.New("another pong")
			}
			return err
		}, `ping:{target:{record:R}}`,
			&pluginpb.HostReply{Result: &pluginpb.HostReply_Ping{Ping: &pluginpb.PingResult{EnrSeq: 9, RecipientIp: []byte{192, 0, 2, 7}, RecipientPort: 30303, RttUs: 1500}}}},
		{"findnode", func() error { return both(h.FindNode(ctx, n1, []uint{256, 0})) }, `find_node:{target:{record:R} distances:256 distances:0}`, two},
		{"talk", func() error { return talked(h.Talk(ctx, n1, "p", []byte("x"))) }, `talk:{target:{record:R} protocol:"p" payload:"x"}`, answer},
		{"talkto", func() error { return talked(h.TalkTo(ctx, id1, addr, "p", nil)) }, `talk:{target:{node_id:I ip:"\xc0\x00\x02\x07" port:30303} protocol:"p"}`, answer},
		{"talksend", func() error { return h.TalkSend(id1, addr, "p", []byte("x")) }, `talk_send:{target:{node_id:I ip:"\xc0\x00\x02\x07" port:30303} protocol:"p" payload:"x"}`, nil},
		{"lookup", func() error { return both(h.Lookup(ctx, id1, Want(3), Matching(HasKey("eth2")))) }, `lookup:{target:I match:{key:"eth2"} want:3}`, two},
		{"lookuprandom", func() error { return both(h.LookupRandom(ctx, Everything())) }, `lookup:{query:true}`, two},
		{"resolve", func() error { return first(h.Resolve(ctx, id1)) }, `resolve:{node_id:I}`, two},
		{"node", func() error { return first(h.Node(ctx, id1)) }, `resolve:{node_id:I local:true}`, two},
		{"closest", func() error { return both(h.Closest(ctx, id1, 16, true)) }, `closest:{target:I count:16 verified:true}`, two},
		{"sample", func() error { return both(h.Sample(ctx, 2, Match{Key: "a", Value: []byte("b")})) }, `sample:{count:2 match:{key:"a" value:"b"}}`, two},
		{"where", func() error { return both(h.Sample(ctx, 2, Where(`udp > 1`))) }, `sample:{count:2 match:{expression:"udp > 1"}}`, two},
		{"setfields", func() error {
			info, err := h.SetFields(ctx, enr.WithEntry("p", uint(5)), RemoveField("q"))
			if err == nil && (info != RecordInfo{4, 200, 300}) {
				err = errors.New("another record")
			}
			return err
		}, `set_fields:{fields:{key:"p" value:"\x05"} fields:{key:"q"}}`,
			&pluginpb.HostReply{Result: &pluginpb.HostReply_SetFields{SetFields: &pluginpb.SetFieldsResult{Seq: 4, Size: 200, Limit: 300}}}},
		{"kvput", func() error { return h.KV().Put(ctx, KVEntry{[]byte("k"), []byte("v"), time.UnixMilli(5)}) }, `kv_put:{entries:{key:"k" value:"v" expires_ms:5}}`, done},
		{"kvget", func() error { _, err := h.KV().Get(ctx, []byte("k")); return err }, `kv_get:{keys:"k"}`, kv},
		{"kvgetall", func() error { return found(h.KV().GetAll(ctx, []byte("k"), []byte("l"))) }, `kv_get:{keys:"k" keys:"l"}`, kv},
		{"kvscan", func() error { return found(h.KV().Scan(ctx, []byte("p"), []byte("a"), 7)) }, `kv_scan:{prefix:"p" after:"a" limit:7}`, kv},
		{"kvdelete", func() error { return h.KV().Delete(ctx, []byte("k")) }, `kv_delete:{keys:"k"}`, done},
		{"ban", func() error { return h.Ban(ctx, id1, "why", 1500*time.Millisecond) }, `ban:{node_id:I reason:"why" duration_s:2}`, done},
		{"banprefix", func() error { return h.BanPrefix(ctx, netip.MustParsePrefix("192.0.2.0/24"), "", time.Hour) }, `ban:{prefix:"192.0.2.0/24" duration_s:3600}`, done},
		{"unban", func() error { return h.Unban(ctx, id1) }, `unban:{node_id:I}`, done},
		{"unbanprefix", func() error { return h.UnbanPrefix(ctx, netip.MustParsePrefix("192.0.2.0/24")) }, `unban:{prefix:"192.0.2.0/24"}`, done},
		{"watch", func() error { _, err := h.Watch(ctx, NodeAdded, SessionDown); return err }, `watch:{kinds:EVENT_KIND_NODE_ADDED kinds:EVENT_KIND_SESSION_DOWN}`, done},
	} {
		result := make(chan error, 1)
		go func() { result <- c.call() }()
		call := lh.next(t)
		if (c.reply == nil) != (call.Id == 0) || call.TimeoutMs != 0 {
			t.Errorf("%s: id %d, timeout %d", c.name, call.Id, call.TimeoutMs)
		}
		id := call.Id
		call.Id = 0
		text := strings.NewReplacer(
			quoteBytes(record1), "R", quoteBytes(id1[:]), "I", "  ", " ").Replace(prototext.MarshalOptions{}.Format(call))
		if text != c.want {
			t.Errorf("%s: the host sees\n%s, want\n%s", c.name, text, c.want)
		}
		if c.reply != nil {
			c.reply.Id = id
			lh.reply(t, c.reply)
		}
		if err := <-result; err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// quoteBytes is how prototext shows bytes.
func quoteBytes(b []byte) string {
	text := strings.ReplaceAll(prototext.MarshalOptions{}.Format(&pluginpb.Target{Record: b}), "  ", " ")
	return strings.TrimPrefix(text, "record:")
}

func TestHostCallErrors(t *testing.T) {
	lh := linked(t, true, everything())
	for code, want := range map[pluginpb.CallCode]error{
		1: ErrTimeout, 2: ErrNotGranted, 3: ErrExhausted, 4: ErrTooLarge, 5: ErrInvalid, 6: ErrNotFound, 7: ErrNoAddress,
		8: ErrNoRecord, 9: ErrOwned, 10: ErrBanned, 11: ErrUnavailable, 12: context.Canceled,
	} {
		result := make(chan error, 1)
		go func() { _, err := lh.host.Self(t.Context()); result <- err }()
		lh.reply(t, &pluginpb.HostReply{Id: lh.next(t).Id, Error: &pluginpb.CallError{Code: code, Message: "so"}})
		err := <-result
		var ce *CallError
		if !errors.Is(err, want) || !errors.As(err, &ce) || ce.Call != "self" || !strings.HasSuffix(err.Error(), ": so") {
			t.Errorf("code %v: %v, want %v", code, err, want)
		}
	}
}

func TestHostCallsRefusedHere(t *testing.T) {
	lh := linked(t, false, everything()) // nothing is sent: there is no link
	h, ctx := lh.host, t.Context()
	n, _ := testNode(t, 1)
	keys := make([][]byte, 257)
	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"payload":   {second(h.Talk(ctx, n, "abcd", make([]byte, 1173))), ErrTooLarge},
		"protocol":  {second(h.Talk(ctx, n, "", nil)), ErrInvalid},
		"node":      {second(h.Ping(ctx, nil)), ErrInvalid},
		"send":      {h.TalkSend(n.ID(), netip.AddrPort{}, "abcd", make([]byte, 1173)), ErrTooLarge},
		"distance":  {second(h.FindNode(ctx, n, []uint{257})), ErrInvalid},
		"closest":   {second(h.Closest(ctx, n.ID(), 0, false)), ErrInvalid},
		"sample":    {second(h.Sample(ctx, 257)), ErrInvalid},
		"key":       {h.KV().Put(ctx, KVEntry{}), ErrInvalid},
		"long key":  {h.KV().Put(ctx, KVEntry{Key: make([]byte, 257)}), ErrTooLarge},
		"value":     {h.KV().Put(ctx, KVEntry{Key: []byte("k"), Value: make([]byte, maxKVValue+1)}), ErrTooLarge},
		"keys":      {second(h.KV().GetAll(ctx, keys...)), ErrTooLarge},
		"limit":     {second(h.KV().Scan(ctx, nil, nil, 257)), ErrInvalid},
		"field":     {second(h.SetFields(ctx, enr.WithEntry("x", make(chan int)))), ErrInvalid},
		"short ban": {h.Ban(ctx, n.ID(), "", time.Second-1), ErrInvalid},
		"long ban":  {h.Ban(ctx, n.ID(), "", maxBan+1), ErrInvalid},
		"prefix":    {h.BanPrefix(ctx, netip.Prefix{}, "", time.Hour), ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", what, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestHostCallsNotGranted(t *testing.T) {
	lh := linked(t, false, &pluginpb.ConfigureRequest{})
	h, ctx := lh.host, t.Context()
	n, _ := testNode(t, 1)
	for name, err := range map[string]error{
		"self": second(h.Self(ctx)), "ping": second(h.Ping(ctx, n)), "findnode": second(h.FindNode(ctx, n, nil)),
		"talk": second(h.Talk(ctx, n, "p", nil)), "talk_send": h.TalkSend(n.ID(), netip.AddrPort{}, "p", nil),
		"lookup": second(h.LookupRandom(ctx)), "resolve": second(h.Node(ctx, n.ID())), "closest": second(h.Closest(ctx, n.ID(), 1, false)),
		"sample": second(h.Sample(ctx, 1)), "watch": second(h.Watch(ctx)), "set_fields": second(h.SetFields(ctx)),
		"kv": h.KV().Delete(ctx), "ban": h.Ban(ctx, n.ID(), "", time.Hour), "unban": h.Unban(ctx, n.ID()),
	} {
		if !errors.Is(err, ErrNotGranted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHostCallWaitsForTheLink(t *testing.T) {
	lh := linked(t, false, everything())
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := lh.host.Self(short); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("call without link past its deadline: %v", err)
	}
	result := make(chan error, 1)
	go func() { result <- lh.host.Unban(t.Context(), enode.ID{}) }()
	lh.open(t)
	for c := lh.next(t); ; c = lh.next(t) {
		lh.reply(t, &pluginpb.HostReply{Id: c.Id, Result: &pluginpb.HostReply_Done{}})
		if c.GetUnban() != nil {
			break
		}
	}
	if err := <-result; err != nil {
		t.Errorf("call before the link opened: %v", err)
	}
}

func TestHostCallInStart(t *testing.T) {
	p := echoPlugin()
	p.Start = func(ctx context.Context, h *Host) error { return h.Unban(ctx, enode.ID{}) }
	lh := &linkHost{served: serve(t, p)}
	result := make(chan error, 1)
	go func() {
		_, err := lh.control.Configure(lh.ctx, everything())
		result <- err
	}()
	lh.open(t)
	lh.reply(t, &pluginpb.HostReply{Id: lh.next(t).Id, Result: &pluginpb.HostReply_Done{}})
	if err := <-result; err != nil {
		t.Errorf("Configure with a call in Start: %v", err)
	}
}

func TestHostCallCancel(t *testing.T) {
	r := everything()
	r.MaxHostCalls = 1
	lh := linked(t, true, r)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { _, err := lh.host.Self(ctx); result <- err }()
	id := lh.next(t).Id
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) {
		t.Errorf("cancelled call: %v", err)
	}
	for len(lh.gone) == 0 {
		lh.receive(t)
	}
	if lh.gone[0] != id {
		t.Errorf("cancelled %d, want %d", lh.gone[0], id)
	}
	if _, err := lh.host.Self(t.Context()); !errors.Is(err, ErrExhausted) {
		t.Errorf("a second call while the host has not answered the first: %v", err)
	}
	if _, err := lh.host.Self(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("call with a context that has ended: %v", err)
	}
	lh.reply(t, &pluginpb.HostReply{Id: id, Error: &pluginpb.CallError{Code: pluginpb.CallCode_CALL_CODE_CANCELLED}})
	lh.until(t, "the late reply frees the place", func(l *link) bool { return len(l.calls) == 0 })
	go func() { result <- lh.host.Unban(t.Context(), enode.ID{}) }()
	lh.reply(t, &pluginpb.HostReply{Id: lh.next(t).Id})
	if err := <-result; err != nil {
		t.Errorf("call after that: %v", err)
	}
}

func TestHostCallTimeout(t *testing.T) {
	lh := linked(t, true, everything())
	for _, c := range []struct{ timeout, most time.Duration }{{3 * time.Second, 3 * time.Second}, {time.Hour, maxCallTime}} {
		ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
		defer cancel()
		go lh.host.Self(ctx)
		call := lh.next(t)
		if got := time.Duration(call.TimeoutMs) * time.Millisecond; got > c.most || got < c.most-time.Second {
			t.Errorf("timeout %v of a call with %v", got, c.timeout)
		}
		lh.reply(t, &pluginpb.HostReply{Id: call.Id})
	}
}

func TestTalkSendDoesNotWait(t *testing.T) {
	lh := linked(t, false, everything())
	n, _ := testNode(t, 1)
	payload := []byte{0}
	for i := range maxSends {
		payload[0] = byte(i)
		if err := lh.host.TalkSend(n.ID(), netip.AddrPort{}, "p", payload); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := lh.host.TalkSend(n.ID(), netip.AddrPort{}, "p", nil); !errors.Is(err, ErrExhausted) {
		t.Errorf("one more than there is room for: %v", err)
	}
	lh.open(t)
	for i := range maxSends {
		if got := lh.next(t).GetTalkSend().GetPayload(); len(got) != 1 || got[0] != byte(i) {
			t.Fatalf("payload %x of the %dth", got, i)
		}
	}
}

func TestLinkLargeBatches(t *testing.T) {
	lh := linked(t, false, everything())
	var entries []KVEntry
	for i := range 30 {
		entries = append(entries, KVEntry{Key: []byte{byte(i)}, Value: make([]byte, maxKVValue)})
	}
	const n = 8 // of about 1 MiB: more than a message may have
	result := make(chan error, n)
	for range n {
		go func() { result <- lh.host.KV().Put(t.Context(), entries...) }()
	}
	lh.until(t, "all calls to wait", func(l *link) bool { return len(l.out) == n })
	lh.open(t)
	for range n {
		lh.reply(t, &pluginpb.HostReply{Id: lh.next(t).Id, Result: &pluginpb.HostReply_Done{}})
	}
	for range n {
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
}

// until waits until something holds for the link.
func (lh *linkHost) until(t *testing.T, what string, holds func(*link) bool) {
	t.Helper()
	for start := time.Now(); ; <-time.After(time.Millisecond) {
		lh.link.mu.Lock()
		held := holds(lh.link)
		lh.link.mu.Unlock()
		if held {
			return
		}
		if time.Since(start) > patience {
			t.Fatal("waited in vain for: ", what)
		}
	}
}

func TestLifeline(t *testing.T) {
	lh := linked(t, true, everything())
	drained := make(chan struct{})
	lh.own.drain = func(context.Context) error { close(drained); return nil }
	result := make(chan error, 1)
	go func() { _, err := lh.host.Self(context.Background()); result <- err }()
	lh.next(t)
	second, err := pluginpb.NewHostClient(lh.conn).Link(lh.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Recv(); status.Code(err) != codes.AlreadyExists {
		t.Errorf("a second link: %v", err)
	}
	select {
	case <-lh.Done():
		t.Error("the end of the second link ended the plugin")
	default:
	}
	if err := lh.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, ErrUnavailable) {
		t.Errorf("call at the end of the link: %v", err)
	}
	within(t, "the drain", drained)
	within(t, "the end of the plugin", lh.Done())
	if _, err := lh.stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the link ended with %v", err)
	}
	if _, err := lh.host.Self(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("call after the end of the link: %v", err)
	}
	if _, err := lh.host.Watch(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("watch after the end of the link: %v", err)
	}
}

func TestLifelineDoesNotWaitForEver(t *testing.T) {
	lh := linked(t, true, everything())
	lh.own.drain = func(context.Context) error { select {} }
	start := time.Now()
	if err := lh.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	within(t, "the end of the plugin", lh.Done())
	if took := time.Since(start); took < orphanedTime {
		t.Errorf("the drain had %v, want %v", took, orphanedTime)
	}
}
