package devnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// MaxNodes bounds a network. Beyond it more time goes into the network than into what it shows.
const MaxNodes = 5000

// EchoProtocol is the TALK protocol that every plain node serves: it answers with what it was asked. So does the host's plugin.
const EchoProtocol = "echo"

// A plain node of a small network knows everybody. In a larger one, where that would be nodes times nodes records and sessions
// of about a kilobyte each, it keeps the table that the protocol asks for at least, one bucket per distance, and the
// sessions with those.
const (
	meshNodes     = 100 // a network up to here is small
	meshSessions  = 256
	largeSessions = 64  // with much fewer the liveness checks would become handshakes
	largeBits     = 1   // distance bits per hop
	largeNodes    = 500 // beyond it nodes do not search and check each other, see introduce
)

var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// Network is a running network.
type Network struct {
	nodes []*core.Node
	size  int // when it is complete
}

// Start starts count plain nodes, 1 to MaxNodes. All but the first join through the first. log gets their messages; nil
// discards them.
func Start(ctx context.Context, count int, log hclog.Logger) (*Network, error) {
	if count < 1 || count > MaxNodes {
		return nil, fmt.Errorf("a network of %d nodes: 1 to %d are possible", count, MaxNodes)
	}
	n := &Network{size: count}
	for range count {
		err := ctx.Err()
		if err == nil {
			err = n.add(log)
		}
		if err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	if count > largeNodes {
		if err := n.introduce(ctx); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

func (n *Network) add(log hclog.Logger) error {
	cfg := core.Config{Workers: 1, Sessions: meshSessions}
	if n.size > meshNodes {
		cfg.Sessions, cfg.Table.BitsPerHop = largeSessions, largeBits
		cfg.NoRefresh = n.size > largeNodes
	}
	if log != nil {
		cfg.Logger = log.Named(fmt.Sprintf("node%d", len(n.nodes)+1))
	}
	node, err := n.join(cfg)
	if err != nil {
		return fmt.Errorf("start node %d: %w", len(n.nodes)+1, err)
	}
	n.nodes = append(n.nodes, node)
	echo := func(_ context.Context, r core.TalkRequest) ([]byte, error) { return r.Payload, nil }
	_, err = node.Handle(EchoProtocol, core.TalkFunc(echo))
	return err
}

// join starts a node of this network that keeps nothing.
func (n *Network) join(cfg core.Config) (*core.Node, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	cfg.PrivateKey, cfg.NewKey = key, true
	cfg.Listen = []netip.AddrPort{loopback}
	if len(n.nodes) > 0 {
		cfg.Bootnodes = []*enode.Node{n.nodes[0].Self()}
	}
	return core.Listen(cfg)
}

// Records returns the records of the nodes, the first is the one to join by.
func (n *Network) Records() []*enode.Node {
	records := make([]*enode.Node, len(n.nodes))
	for i, node := range n.nodes {
		records[i] = node.Self()
	}
	return records
}

// MedianVerified tells how well the network has formed: half of its nodes know at least so many others that answered
// them.
func (n *Network) MedianVerified() int {
	counts := make([]int, len(n.nodes))
	for i, node := range n.nodes {
		_, counts[i] = node.Len()
	}
	slices.Sort(counts)
	return counts[len(counts)/2]
}

// Stop stops the last count nodes, as if they had lost their power: the others find out by themselves. At least the first node
// stays.
func (n *Network) Stop(count int) error {
	stay := max(len(n.nodes)-count, 1)
	stopped := n.nodes[stay:]
	n.nodes = n.nodes[:stay]
	return closeAll(stopped)
}

// Close stops all nodes at once and waits for them.
func (n *Network) Close() error { return closeAll(n.nodes) }

func closeAll(nodes []*core.Node) error {
	errs := make([]error, len(nodes))
	var closing sync.WaitGroup
	for i, node := range nodes {
		closing.Go(func() { errs[i] = node.Close() })
	}
	closing.Wait()
	return errors.Join(errs...)
}
