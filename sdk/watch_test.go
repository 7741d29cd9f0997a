package sdk

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// watching calls Watch and answers it.
func (lh *linkHost) watching(t *testing.T, ctx context.Context, kinds ...EventKind) <-chan Event {
	t.Helper()
	result := make(chan (<-chan Event), 1)
	go func() {
		events, err := lh.host.Watch(ctx, kinds...)
		if err != nil {
			t.Error(err)
		}
		result <- events
	}()
	lh.reply(t, &pluginpb.HostReply{Id: lh.next(t).Id, Result: &pluginpb.HostReply_Done{}})
	return <-result
}

func (lh *linkHost) events(t *testing.T, events ...*pluginpb.HostEvent) {
	t.Helper()
	if err := lh.stream.Send(&pluginpb.HostReplies{Events: events}); err != nil {
		t.Fatal(err)
	}
}

// flushed returns when the plugin has read everything before.
func (lh *linkHost) flushed(t *testing.T) {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- lh.host.Unban(t.Context(), enode.ID{}) }()
	lh.reply(t, &pluginpb.HostReply{Id: lh.next(t).Id})
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, events <-chan Event) {
	t.Helper()
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
		case <-time.After(patience):
			t.Fatal("the channel of events stays open")
		}
	}
}

func TestWatch(t *testing.T) {
	lh := linked(t, true, everything())
	events := lh.watching(t, t.Context(), NodeAdded, SessionUp)
	n, record := testNode(t, 1)
	id := n.ID()
	lh.events(t,
		&pluginpb.HostEvent{Kind: pluginpb.EventKind_EVENT_KIND_NODE_ADDED, NodeId: id[:], Record: record, TimeMs: 1234},
		&pluginpb.HostEvent{Kind: pluginpb.EventKind_EVENT_KIND_NODE_REMOVED},
		&pluginpb.HostEvent{Kind: pluginpb.EventKind_EVENT_KIND_SESSION_UP, NodeId: id[:], Ip: []byte{192, 0, 2, 1}, Port: 9, Lost: 3},
	)
	if e := <-events; e.Kind != NodeAdded || e.ID != id || e.Node == nil || e.Node.Seq() != n.Seq() || e.Time.UnixMilli() != 1234 || e.Lost != 0 {
		t.Errorf("first event %+v", e)
	}
	if e := <-events; e.Kind != SessionUp || e.ID != id || e.Node != nil || e.Addr != netip.MustParseAddrPort("192.0.2.1:9") || e.Lost != 3 {
		t.Errorf("second event %+v", e)
	}
}

func TestWatchCountsWhatIsLost(t *testing.T) {
	lh := linked(t, true, everything())
	events := lh.watching(t, t.Context())
	for range watchBuffer + 5 {
		lh.events(t, &pluginpb.HostEvent{Kind: pluginpb.EventKind_EVENT_KIND_NODE_ADDED, Lost: 1})
	}
	lh.flushed(t)
	for range watchBuffer {
		if e := <-events; e.Lost != 1 {
			t.Fatalf("lost %d, want 1", e.Lost)
		}
	}
	lh.events(t, &pluginpb.HostEvent{Kind: pluginpb.EventKind_EVENT_KIND_NODE_ADDED, Lost: 1})
	if e := <-events; e.Lost != 11 { // 5 here, and 6 that the host counted
		t.Errorf("lost %d, want 11", e.Lost)
	}
}

func TestWatchEnds(t *testing.T) {
	lh := linked(t, true, everything())
	first := lh.watching(t, t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	second := lh.watching(t, ctx)
	closed(t, first)
	cancel()
	closed(t, second)
	lh.events(t, &pluginpb.HostEvent{}) // nobody is there
	third := lh.watching(t, t.Context())
	if err := lh.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	closed(t, third)
}
