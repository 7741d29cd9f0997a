package link

import (
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// watchBuffer is how many events of core may wait for a plugin; what exceeds it is lost, and counted.
const watchBuffer = 1024

// watch is a subscription of a plugin.
type watch struct {
	kinds  map[pluginpb.EventKind]bool // nil: all
	events <-chan core.Event
	stop   func()
}

// eventKinds are the events that plugins see.
var eventKinds = map[core.EventType]pluginpb.EventKind{
	core.NodeAdded:       pluginpb.EventKind_EVENT_KIND_NODE_ADDED,
	core.NodeVerified:    pluginpb.EventKind_EVENT_KIND_NODE_VERIFIED,
	core.NodeUpdated:     pluginpb.EventKind_EVENT_KIND_NODE_UPDATED,
	core.NodeRemoved:     pluginpb.EventKind_EVENT_KIND_NODE_REMOVED,
	core.SessionUp:       pluginpb.EventKind_EVENT_KIND_SESSION_UP,
	core.SessionDown:     pluginpb.EventKind_EVENT_KIND_SESSION_DOWN,
	core.EndpointChanged: pluginpb.EventKind_EVENT_KIND_ENDPOINT_CHANGED,
}

// startWatch makes events come from now on; it takes the place of the watch before.
func (h *Host) startWatch(id uint64, call *pluginpb.WatchCall) {
	w := &watch{}
	if len(call.GetKinds()) > 0 {
		w.kinds = make(map[pluginpb.EventKind]bool)
		for _, k := range call.Kinds {
			if _, known := pluginpb.EventKind_name[int32(k)]; known {
				w.kinds[k] = true
			}
		}
	}
	var err error
	if w.events, w.stop, err = h.cfg.Services.Watch(watchBuffer); err != nil {
		h.end(id, callWatch, outcome{err: err})
		return
	}
	h.mu.Lock()
	if h.err != nil {
		h.mu.Unlock()
		w.stop()
		return
	}
	before := h.watch
	h.watch = w
	h.room.Broadcast() // the one before may wait
	h.mu.Unlock()
	if before != nil {
		before.stop()
	}
	h.end(id, callWatch, succeed())
	h.calls.Go(func() { h.forward(w) })
}

// forward passes events on until the watch is over.
func (h *Host) forward(w *watch) {
	var lost uint64
	for e := range w.events {
		lost += e.Lost
		kind, known := eventKinds[e.Type]
		if !known || w.kinds != nil && !w.kinds[kind] {
			continue
		}
		m := &pluginpb.HostEvent{
			Kind: kind, Record: recordOf(e.Node), TimeMs: uint64(max(e.Time.UnixMilli(), 0)), Lost: lost,
		}
		if e.ID != (enode.ID{}) {
			m.NodeId = e.ID[:]
		}
		if e.Addr.IsValid() {
			m.Ip, m.Port = e.Addr.Addr().Unmap().AsSlice(), uint32(e.Addr.Port())
		}
		h.mu.Lock()
		for h.err == nil && h.watch == w && (h.out.size >= maxUnsentReplies || h.out.events >= maxUnsentEvents) {
			h.room.Wait()
		}
		if h.err != nil || h.watch != w {
			h.mu.Unlock()
			return
		}
		h.stats.events++
		h.stats.lost += lost
		lost = 0
		h.out.events++
		h.out.add(key2Bytes, m)
		h.pending.Signal()
		h.mu.Unlock()
	}
}
