package sdk

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// EventKind is what happened.
type EventKind uint8

// Kinds of events.
const (
	NodeAdded       = EventKind(pluginpb.EventKind_EVENT_KIND_NODE_ADDED)       // to the table
	NodeVerified    = EventKind(pluginpb.EventKind_EVENT_KIND_NODE_VERIFIED)    // it answered
	NodeUpdated     = EventKind(pluginpb.EventKind_EVENT_KIND_NODE_UPDATED)     // a newer record of it came
	NodeRemoved     = EventKind(pluginpb.EventKind_EVENT_KIND_NODE_REMOVED)     // from the table
	SessionUp       = EventKind(pluginpb.EventKind_EVENT_KIND_SESSION_UP)       // keys were agreed with it
	SessionDown     = EventKind(pluginpb.EventKind_EVENT_KIND_SESSION_DOWN)     // and are gone
	EndpointChanged = EventKind(pluginpb.EventKind_EVENT_KIND_ENDPOINT_CHANGED) // the host's own record has another endpoint
)

// Event is something that happened in the host.
type Event struct {
	Kind EventKind
	ID   enode.ID
	Node *enode.Node    // nil if the host has no record
	Addr netip.AddrPort // of a session or endpoint; otherwise it may be invalid
	Time time.Time      // in milliseconds
	Lost uint64         // events left out before this one, because they were not read fast enough
}

// watchBuffer is how many events wait for a plugin to read them.
const watchBuffer = 1024

// watch is the plugin's subscription. The link's reader delivers; anybody may close.
type watch struct {
	kinds []EventKind // empty: all

	mu     sync.Mutex
	events chan Event // nil: closed
	lost   uint64
}

// Watch returns a channel of events, from now on; no kinds mean all. The channel has room for 1024; when it is full, events are
// left out and counted. It is closed when ctx ends, when the host is gone and when Watch is called again: a plugin has one. Grant: watch.
func (h *Host) Watch(ctx context.Context, kinds ...EventKind) (<-chan Event, error) {
	if err := h.allowed("watch", GrantWatch); err != nil {
		return nil, err
	}
	events := make(chan Event, watchBuffer)
	w := &watch{kinds: slices.Clone(kinds), events: events}
	if !h.link.setWatch(w) {
		return nil, &CallError{Call: "watch", Reason: ErrUnavailable}
	}
	c := &pluginpb.WatchCall{}
	for _, k := range kinds {
		c.Kinds = append(c.Kinds, pluginpb.EventKind(k))
	}
	if _, err := h.link.call(ctx, "watch", &pluginpb.HostCall{Call: &pluginpb.HostCall_Watch{Watch: c}}); err != nil {
		w.close()
		return nil, err
	}
	context.AfterFunc(ctx, w.close)
	return events, nil
}

// setWatch makes w the one that gets events, and ends the one before it.
func (l *link) setWatch(w *watch) bool {
	l.mu.Lock()
	old := l.watch
	open := l.over == nil
	if open {
		l.watch = w
	}
	l.mu.Unlock()
	if open && old != nil {
		old.close()
	}
	return open
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.events != nil {
		close(w.events)
		w.events = nil
	}
}

func (w *watch) deliver(e *pluginpb.HostEvent) {
	kind := EventKind(e.GetKind())
	if len(w.kinds) > 0 && !slices.Contains(w.kinds, kind) {
		return // of the watch before this one
	}
	event := Event{Kind: kind, Time: time.UnixMilli(int64(e.GetTimeMs())), Addr: addrPort(e.GetIp(), e.GetPort())}
	event.ID, _ = nodeID(e.GetNodeId())
	if len(e.GetRecord()) > 0 {
		event.Node, _ = node(e.GetNodeId(), e.GetRecord())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.events == nil {
		return
	}
	event.Lost = w.lost + e.GetLost()
	select {
	case w.events <- event:
		w.lost = 0
	default:
		w.lost = event.Lost + 1
	}
}
