package link

import (
	"context"
	"net/netip"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Services is what a Host does for its plugin: *core.Node, by way of FromCore. All methods are safe for concurrent use, and
// those without a context do not block for long.
type Services interface {
	Self() *enode.Node
	Node(id enode.ID) *enode.Node
	Ping(ctx context.Context, node *enode.Node) (core.Pong, error)
	FindNode(ctx context.Context, node *enode.Node, distances []uint) ([]*enode.Node, error)
	TalkAsync(calls ...core.TalkCall) error
	TalkSend(id enode.ID, addr netip.AddrPort, protocol string, payload []byte) error
	Lookup(ctx context.Context, target enode.ID, options ...core.LookupOption) ([]*enode.Node, error)
	Query(ctx context.Context, target enode.ID, k int, options ...core.LookupOption) ([]*enode.Node, error)
	Resolve(ctx context.Context, id enode.ID) (*enode.Node, error)
	Closest(id enode.ID, k int, verifiedOnly bool) []*enode.Node
	Random(count int, match func(*enode.Node) bool) []*enode.Node
	SetFields(ctx context.Context, owner string, set map[string]any, remove ...string) error
	RecordUsage() core.RecordUsage
	Ban(core.Ban) error
	Unban(core.Ban) bool
	Bans() []core.Ban
	// Watch subscribes to events; stop ends that and closes the channel. It may be called twice.
	Watch(buffer int) (events <-chan core.Event, stop func(), err error)
}

// Space is where a plugin keeps its keys: *core.Space. It copies what it is given, and checks its bounds.
type Space interface {
	Put(entries []core.SpaceEntry) error
	Get(ctx context.Context, keys [][]byte) ([]core.SpaceEntry, error)
	Scan(ctx context.Context, prefix, after []byte, limit int) ([]core.SpaceEntry, error)
	Delete(keys [][]byte) error
}

// FromCore makes a node the services of plugins.
func FromCore(n *core.Node) Services { return coreServices{n} }

// coreNode has another name than its method Node.
type coreNode = core.Node

type coreServices struct{ *coreNode }

// Watch subscribes to events.
func (c coreServices) Watch(buffer int) (<-chan core.Event, func(), error) {
	s, err := c.Events(buffer)
	if err != nil {
		return nil, nil, err
	}
	return s.C, s.Close, nil
}
