package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// caller is a plugin that hands its host to the test.
func caller(t *testing.T, h *Host, grants ...string) (*sdk.Host, context.Context) {
	t.Helper()
	var host *sdk.Host
	p := &sdk.TalkPlugin{
		Info: sdk.Info{Name: "caller", Version: "1"}, Protocols: []string{"x"},
		Handler: sdk.TalkFunc(func(context.Context, *sdk.TalkRequest) ([]byte, error) { return nil, nil }),
		Start:   func(_ context.Context, given *sdk.Host) error { host = given; return nil },
	}
	Start(t, p, WithHost(h), Grants(grants...))
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	t.Cleanup(cancel)
	return host, ctx
}

func nodes(n uint32) (all []*enode.Node) {
	for i := range n {
		var extra []enr.Entry
		if i%2 == 1 {
			extra = append(extra, enr.WithEntry("odd", uint64(i)))
		}
		all = append(all, Node(i, Endpoint(i), extra...))
	}
	return all
}

func TestHostAnswersAboutNodes(t *testing.T) {
	h := NewHost()
	all := nodes(20)
	h.AddNodes(all...)
	h.AddNodes(all[3]) // again
	host, ctx := caller(t, h, sdk.GrantSelf, sdk.GrantPing, sdk.GrantFindNode, sdk.GrantLookup, sdk.GrantResolve, sdk.GrantClosest, sdk.GrantSample)

	if self, err := host.Self(ctx); err != nil || self.ID() != h.Self().ID() {
		t.Error("self:", self, err)
	}
	if pong, err := host.Ping(ctx, all[0]); err != nil || pong.Recipient.Port() != 9000 || pong.RTT <= 0 {
		t.Error("ping:", pong, err)
	}
	if _, err := host.Ping(ctx, Node(99, netip.AddrPort{})); !errors.Is(err, sdk.ErrNoAddress) {
		t.Error("ping of a node without an address:", err)
	}
	for what, test := range map[string]answer{
		"lookup":     list(host.Lookup(ctx, all[0].ID()))(16),
		"everything": list(host.Lookup(ctx, all[0].ID(), sdk.Everything()))(20),
		"want":       list(host.LookupRandom(ctx, sdk.Want(3)))(3),
		"matching":   list(host.LookupRandom(ctx, sdk.Matching(sdk.HasKey("odd"))))(10),
		"closest":    list(host.Closest(ctx, all[5].ID(), 4, false))(4),
		"sample":     list(host.Sample(ctx, 256))(20),
		"odd sample": list(host.Sample(ctx, 256, sdk.HasKey("odd")))(10),
		"expression": list(host.Sample(ctx, 256, sdk.Where(`enr.has("odd")`)))(10),
		"both":       list(host.LookupRandom(ctx, sdk.Matching(sdk.Where(`!enr.has("odd")`), sdk.HasKey("odd"))))(0),
		"itself":     list(host.FindNode(ctx, all[7], []uint{0}))(1),
	} {
		if test.err != nil || len(test.found) != test.want {
			t.Errorf("%s: %d nodes instead of %d, %v", what, len(test.found), test.want, test.err)
		}
	}
	if _, err := host.Sample(ctx, 1, sdk.Where("no such")); !errors.Is(err, sdk.ErrInvalid) {
		t.Error("an expression that is none:", err)
	}
	if closest, err := host.Closest(ctx, all[5].ID(), 1, true); err != nil || closest[0].ID() != all[5].ID() {
		t.Error("the closest to a node is itself:", closest, err)
	}
	if n, err := host.Resolve(ctx, all[2].ID()); err != nil || n.ID() != all[2].ID() {
		t.Error("resolve:", n, err)
	}
	if _, err := host.Node(ctx, enode.ID{1}); !errors.Is(err, sdk.ErrNotFound) {
		t.Error("an unknown node:", err)
	}
	if pings := h.Calls("ping"); len(pings) != 2 || pings[0].Node != all[0].ID() || pings[0].Addr != Endpoint(0) {
		t.Errorf("the pings were %+v", pings)
	}
}

type answer struct {
	found []*enode.Node
	err   error
	want  int
}

func list(found []*enode.Node, err error) func(want int) answer {
	return func(want int) answer { return answer{found, err, want} }
}

func TestHostTalks(t *testing.T) {
	h := NewHost()
	host, ctx := caller(t, h, sdk.GrantTalk)
	to := Node(1, Endpoint(1))
	if got, err := host.Talk(ctx, to, "p", []byte("x")); err != nil || len(got) != 0 {
		t.Error("nobody speaks it, and the answer is", got, err)
	}
	h.OnTalk(func(id enode.ID, protocol string, payload []byte) ([]byte, error) {
		if protocol == "busy" {
			return nil, sdk.ErrTimeout
		}
		return fmt.Appendf(nil, "%s %s %s", id.TerminalString(), protocol, payload), nil
	})
	want := to.ID().TerminalString() + " p hello"
	if got, err := host.Talk(ctx, to, "p", []byte("hello")); err != nil || string(got) != want {
		t.Errorf("talk: %q, %v", got, err)
	}
	if got, err := host.TalkTo(ctx, to.ID(), Endpoint(1), "p", []byte("hello")); err != nil || string(got) != want {
		t.Errorf("talk to an address: %q, %v", got, err)
	}
	if _, err := host.Talk(ctx, to, "busy", nil); !errors.Is(err, sdk.ErrTimeout) {
		t.Error("a node that does not answer:", err)
	}
	if _, err := host.Talk(ctx, to, "p", make([]byte, 1176)); !errors.Is(err, sdk.ErrTooLarge) {
		t.Error("a payload that is too large:", err)
	}
	if err := host.TalkSend(to.ID(), Endpoint(1), "sent", []byte("x")); err != nil {
		t.Error(err)
	}
	err := h.waitFor(func() bool {
		calls := h.named("talk")
		last := calls[len(calls)-1]
		return last.Protocol == "sent" && last.Node == to.ID() && last.Addr == Endpoint(1) && string(last.Payload) == "x"
	})
	if err != nil {
		t.Errorf("the calls were %+v", h.Calls("talk"))
	}
}

func TestHostKeepsValues(t *testing.T) {
	h := NewHost()
	host, ctx := caller(t, h, sdk.GrantKV)
	h.Store("before", []byte("0"))
	kv := host.KV()
	past := time.Now().Add(-time.Second)
	err := kv.Put(ctx, sdk.KVEntry{Key: []byte("b"), Value: []byte("2")}, sdk.KVEntry{Key: []byte("a"), Value: []byte("1")},
		sdk.KVEntry{Key: []byte("past"), Expires: past})
	if err != nil {
		t.Fatal(err)
	}
	if value, ok := h.Stored("a"); !ok || string(value) != "1" {
		t.Errorf("a is %q", value)
	}
	found, err := kv.Scan(ctx, nil, []byte("a"), 10)
	if err != nil || len(found) != 2 || string(found[0].Key) != "b" || string(found[1].Key) != "before" {
		t.Errorf("scan: %v, %v", found, err)
	}
	if err := kv.Delete(ctx, []byte("a"), []byte("none")); err != nil {
		t.Error(err)
	}
	if _, err := kv.Get(ctx, []byte("a")); !errors.Is(err, sdk.ErrNotFound) {
		t.Error("a deleted key:", err)
	}
	if _, err := kv.Get(ctx, []byte("past")); !errors.Is(err, sdk.ErrNotFound) {
		t.Error("an expired key:", err)
	}
	if err := kv.Put(ctx, sdk.KVEntry{Key: []byte("a"), Value: make([]byte, maxKVValue+1)}); !errors.Is(err, sdk.ErrTooLarge) {
		t.Error("a large value:", err)
	}
}

func TestHostRecordAndBans(t *testing.T) {
	h := NewHost()
	host, ctx := caller(t, h, sdk.GrantRecord, sdk.GrantBan)
	info, err := host.SetFields(ctx, enr.WithEntry("x", uint64(5)))
	if err != nil || info.Limit != 300 || info.Size < 100 {
		t.Error(info, err)
	}
	if value, ok := h.Field("x"); !ok || !bytes.Equal(value, []byte{5}) {
		t.Errorf("x is %x", value)
	}
	if _, err := host.SetFields(ctx, enr.UDP(1)); !errors.Is(err, sdk.ErrOwned) {
		t.Error("the operator's field:", err)
	}
	if _, err := host.SetFields(ctx, sdk.RemoveField("x"), enr.WithEntry("y", make([]byte, 290))); !errors.Is(err, sdk.ErrTooLarge) {
		t.Error("a large field:", err)
	}
	if _, ok := h.Field("x"); !ok {
		t.Error("a call that failed removed a field")
	}
	if _, err := host.SetFields(ctx, sdk.RemoveField("x")); err != nil {
		t.Error(err)
	}
	if _, ok := h.Field("x"); ok {
		t.Error("x is still there")
	}
	id, prefix := Node(1, Endpoint(1)).ID(), netip.MustParsePrefix("203.0.113.0/24")
	if err := errors.Join(host.Ban(ctx, id, "bad", time.Hour), host.BanPrefix(ctx, prefix, "worse", time.Hour)); err != nil {
		t.Fatal(err)
	}
	if reason, ok := h.Banned(id.String()); !ok || reason != "bad" {
		t.Error("the node is not banned")
	}
	if reason, ok := h.Banned("203.0.113.0/24"); !ok || reason != "worse" {
		t.Error("the range is not banned")
	}
	if err := host.Unban(ctx, id); err != nil {
		t.Error(err)
	}
	if _, ok := h.Banned(id.String()); ok {
		t.Error("the node is still banned")
	}
}

func TestHostRefuses(t *testing.T) {
	h := NewHost()
	host, ctx := caller(t, h, sdk.GrantSelf)
	if _, err := host.Ping(ctx, Node(1, Endpoint(1))); !errors.Is(err, sdk.ErrNotGranted) {
		t.Error("without a grant:", err)
	}
	h.Fail(sdk.GrantSelf, sdk.ErrExhausted)
	if _, err := host.Self(ctx); !errors.Is(err, sdk.ErrExhausted) {
		t.Error("a call that is to fail:", err)
	}
	h.Fail(sdk.GrantSelf, nil)
	if _, err := host.Self(ctx); err != nil {
		t.Error(err)
	}
	if calls, err := h.WaitCalls(sdk.GrantSelf, 2); err != nil || len(calls) != 2 {
		t.Error(calls, err)
	}
}

func TestHostEmits(t *testing.T) {
	h := NewHost()
	host, ctx := caller(t, h, sdk.GrantWatch)
	events, err := host.Watch(ctx, sdk.SessionUp, sdk.NodeRemoved)
	if err != nil {
		t.Fatal(err)
	}
	n := Node(1, Endpoint(1))
	for _, e := range []sdk.Event{
		{Kind: sdk.NodeAdded, Node: n}, // not watched
		{Kind: sdk.SessionUp, ID: n.ID(), Addr: Endpoint(1), Lost: 3},
		{Kind: sdk.NodeRemoved, Node: n},
	} {
		if err := h.Emit(e); err != nil {
			t.Fatal(err)
		}
	}
	first, second := <-events, <-events
	if first.Kind != sdk.SessionUp || first.ID != n.ID() || first.Addr != Endpoint(1) || first.Lost != 3 || first.Node != nil {
		t.Errorf("the first event is %+v", first)
	}
	if second.Kind != sdk.NodeRemoved || second.Node == nil || second.Node.ID() != n.ID() || second.Time.IsZero() {
		t.Errorf("the second event is %+v", second)
	}
}
