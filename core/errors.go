package core

import (
	"errors"
	"fmt"
	"net"

	"github.com/discv5/host/core/internal/session"
)

// Errors of calls. Compare with errors.Is.
var (
	// ErrClosed says that the node was closed. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("core: node is closed: %w", net.ErrClosed)
	// ErrTimeout says that the node did not answer in time.
	ErrTimeout = errors.New("core: no response in time")
	// ErrNoAddress says that a record has no UDP endpoint of an address family that this node has a socket for.
	ErrNoAddress = errors.New("core: node has no usable UDP endpoint")
	// ErrNoRecord says that a session would need a handshake, and that needs the peer's record.
	ErrNoRecord = session.ErrNoRecord
	// ErrNoSession says that a message goes only over a session that is up, and that there is none with the node.
	ErrNoSession = errors.New("core: no session with this node")
	// ErrTooLarge says that a message would not fit into a packet, see [codec.MaxTalkRequest].
	ErrTooLarge = session.ErrTooLarge
	// ErrBusy says that too many requests wait, for one node's handshake or in total.
	ErrBusy = session.ErrBusy
	// ErrBanned says that the node is banned here.
	ErrBanned = errors.New("core: node is banned")
	// ErrInvalidResponse says that the node answered with something that is no answer to the request.
	ErrInvalidResponse = errors.New("core: invalid response")
	// ErrNoNode says that a call was given a nil record.
	ErrNoNode = errors.New("core: no node given")
	// ErrSelf says that a call was directed at the node itself.
	ErrSelf = errors.New("core: that is this node itself")
	// ErrNotFound says that no record of a node could be found.
	ErrNotFound = errors.New("core: node not found")
	// ErrProtocolTaken says that a TALK protocol has a handler already.
	ErrProtocolTaken = errors.New("core: protocol has a handler already")
)
