package core

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// EventType says what happened.
type EventType uint8

// The events.
const (
	NodeAdded           EventType = iota + 1 // entered the table
	NodeVerified                             // answered for the first time, or again after a failure
	NodeUpdated                              // a newer record of a node in the table
	NodeRemoved                              // left the table
	SessionUp                                // a session works, whoever opened it
	SessionDown                              // Detail is "banned" or "ended", empty if others pushed the session out
	RecordChanged                            // the local record
	EndpointChanged                          // peers agree on another address of ours
	ReachabilityChanged                      // Detail is the new state
	Banned                                   // ID or Prefix; Detail is the reason
	Unbanned
	StoreChanged // Detail is "ok" or "degraded"
)

var eventNames = [...]string{
	NodeAdded: "node_added", NodeVerified: "node_verified", NodeUpdated: "node_updated", NodeRemoved: "node_removed",
	SessionUp: "session_up", SessionDown: "session_down",
	RecordChanged: "record_changed", EndpointChanged: "endpoint_changed", ReachabilityChanged: "reachability_changed",
	Banned: "banned", Unbanned: "unbanned", StoreChanged: "store_changed",
}

// String returns the name as it appears in APIs.
func (t EventType) String() string {
	if int(t) < len(eventNames) && t > 0 {
		return eventNames[t]
	}
	return "unknown"
}

// Event is something that happened. Fields that do not apply are zero.
type Event struct {
	Type   EventType
	Time   time.Time
	ID     enode.ID
	Addr   netip.AddrPort
	Prefix netip.Prefix // of a ban of an address range
	Node   *enode.Node
	Detail string
	Lost   uint64 // events that the subscriber was too slow for, right before this one
}

// maxSubscriptions bounds the subscribers.
const maxSubscriptions = 1024

// hub hands events to subscribers. It never waits for them.
type hub struct {
	any    atomic.Bool // there are subscribers
	mu     sync.Mutex
	subs   map[*Subscription]bool
	closed bool
}

// Subscription receives events until Close, or until the node is closed, which closes C.
type Subscription struct {
	// C delivers the events in order.
	C    <-chan Event
	c    chan Event
	lost uint64
	hub  *hub
}

// Events subscribes to what happens from now on. buffer is how many events may wait to be received, 1 to 65,536; what
// exceeds it is lost, and the next event says how many were.
func (n *Node) Events(buffer int) (*Subscription, error) {
	c := make(chan Event, min(max(buffer, 1), 65_536))
	s := &Subscription{C: c, c: c, hub: &n.events}
	h := &n.events
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrClosed
	case len(h.subs) >= maxSubscriptions:
		return nil, ErrBusy
	case h.subs == nil:
		h.subs = make(map[*Subscription]bool)
	}
	h.subs[s] = true
	h.any.Store(true)
	return s, nil
}

// Close ends the subscription. Closing twice is harmless.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.hub.subs[s] {
		delete(s.hub.subs, s)
		s.hub.any.Store(len(s.hub.subs) > 0)
		close(s.c)
	}
}

func (h *hub) publish(e Event) {
	if !h.any.Load() {
		return
	}
	e.Time = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		e.Lost = s.lost
		select {
		case s.c <- e:
			s.lost = 0
		default:
			s.lost++
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		close(s.c)
	}
	h.subs = nil
	h.any.Store(false)
}
