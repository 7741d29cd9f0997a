package core

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/discv5/host/codec"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// FindNodeAt is FindNode at an address that the caller chooses, such as the second one of a node with two. It also tells how long
// the answer took, without the handshake before it. The record must be that of the node; where it says the node is does not matter.
func (n *Node) FindNodeAt(ctx context.Context, node *enode.Node, addr netip.AddrPort, distances []uint) ([]*enode.Node, time.Duration, error) {
	if node == nil {
		return nil, 0, ErrNoNode
	}
	for _, d := range distances {
		if d > codec.MaxDistance {
			return nil, 0, fmt.Errorf("core: distance %d is beyond %d", d, codec.MaxDistance)
		}
	}
	to := target{node.ID(), unmapped(addr), node}
	r, err := n.await(ctx, func(now time.Time, done func(time.Time, reply)) *call {
		return n.findNode(now, to, slices.Clone(distances), done)
	})
	if err != nil {
		return nil, 0, err
	}
	nodes, err := n.deliver(ctx, r.nodes)
	return nodes, r.rtt, err
}
