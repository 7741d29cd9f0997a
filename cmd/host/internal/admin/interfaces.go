package admin

import (
	"context"
	"encoding/json"
	"net/netip"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Node is what a server needs of a node. A *core.Node is one.
type Node interface {
	Record
	Network
	Table
	Bans
	Filters
	Health
	// Sessions returns the established sessions.
	Sessions() []core.SessionInfo
	// EndSession forgets the session with a node at an address.
	EndSession(id enode.ID, addr netip.AddrPort)
	// Events subscribes to what happens.
	Events(buffer int) (*core.Subscription, error)
}

// Record is the node's own record.
type Record interface {
	Self() *enode.Node
	RecordUsage() core.RecordUsage
	RecordError() error
	SetFields(ctx context.Context, owner string, set map[string]any, remove ...string) error
	SetAdvertised(ctx context.Context, at netip.AddrPort) error
	Endpoints() []core.EndpointInfo
	LocalAddrs() []netip.AddrPort
}

// Network is what a node asks others.
type Network interface {
	Ping(ctx context.Context, node *enode.Node) (core.Pong, error)
	FindNode(ctx context.Context, node *enode.Node, distances []uint) ([]*enode.Node, error)
	Talk(ctx context.Context, node *enode.Node, protocol string, payload []byte) ([]byte, error)
	Lookup(ctx context.Context, target enode.ID, options ...core.LookupOption) ([]*enode.Node, error)
	Resolve(ctx context.Context, id enode.ID) (*enode.Node, error)
}

// Table is the nodes that a node knows.
type Table interface {
	Table() core.TableInfo
	Node(id enode.ID) *enode.Node
	Add(node *enode.Node) (table.Result, error)
	Remove(id enode.ID) bool
	Closest(id enode.ID, k int, verifiedOnly bool) []*enode.Node
}

// Bans keep nodes out.
type Bans interface {
	Ban(b core.Ban) error
	Unban(b core.Ban) bool
	Bans() []core.Ban
}

// Filters decide about nodes.
type Filters interface {
	FilterStats() []core.FilterStats
	Explain(ctx context.Context, node *enode.Node) []core.Explanation
}

// Health is what tells how a node is.
type Health interface {
	Stats() core.Stats
	StoreStats() core.StoreStats
	StoreError() error
}

// Plugins are the plugins of a host. A *plugins.Set is one.
type Plugins interface {
	Status() []plugins.Status
	Missing() []string
	Restart(ctx context.Context, name string) error
	Disable(ctx context.Context, name string) error
	Enable(ctx context.Context, name string) error
	// Methods are what plugins serve, under their full names, and Call calls one.
	Methods() []plugins.Method
	Call(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)
}

var (
	_ Node    = (*core.Node)(nil)
	_ Plugins = (*plugins.Set)(nil)
)
