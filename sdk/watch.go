package sdk

import (
	"context"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// EventKind is what happened.
type EventKind uint8

// Kinds of events.
const (
	NodeAdded       EventKind = iota + 1 // to the table
	NodeVerified                         // it answered
	NodeUpdated                          // a newer record of it came
	NodeRemoved                          // from the table
	SessionUp                            // keys were agreed with it
	SessionDown                          // and are gone
	EndpointChanged                      // the host's own record has another endpoint
)

// Event is something that happened in the host.
type Event struct {
	Kind EventKind
	ID   enode.ID
	Node *enode.Node    // nil if the host has no record
	Addr netip.AddrPort // of a session or endpoint; may be invalid otherwise
	Time time.Time
	Lost uint64 // events left out before this one, because they were not read fast enough
}

// watchBuffer is how many events wait for a plugin to read them.
const watchBuffer = 1024

// Watch returns a channel of events, from now on; no kinds mean all. The channel has room for 1024; when it is full, events are left
// out and counted. It is closed when ctx ends, when the host is gone and when Watch is called again: a plugin has one. Grant: watch.
func (h *Host) Watch(ctx context.Context, kinds ...EventKind) (<-chan Event, error) {
	return nil, ErrUnavailable
}
