package daemon

import (
	"context"
	"net/netip"
	"sync"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/portmap"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/hashicorp/go-hclog"
)

// mapping carries the address that a router gives into the node's record.
type mapping struct {
	mapper *portmap.Mapper
	found  chan netip.AddrPort // the newest address that was not taken over yet; one place
	cancel context.CancelFunc
	taking sync.WaitGroup
}

// openMapping starts what cfg asks for; nil if that is nothing.
func openMapping(cfg *config.Config, node *core.Node, log hclog.Logger) (*mapping, error) {
	open, err := portmap.Open(cfg.NAT)
	if err != nil || open == nil {
		return nil, err
	}
	return startMapping(open, node, log), nil
}

func startMapping(open func() nat.Interface, node *core.Node, log hclog.Logger) *mapping {
	port := uint16(0)
	for _, at := range node.LocalAddrs() {
		if at.Addr().Is4() {
			port = at.Port()
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &mapping{found: make(chan netip.AddrPort, 1), cancel: cancel}
	m.taking.Go(func() { m.take(ctx, node, log) })
	changed := func(at netip.AddrPort) {
		if !at.IsValid() {
			node.Unpin(netip.IPv4Unspecified()) // the mapper tries again; until then peers may know better
			return
		}
		m.changed(at)
	}
	m.mapper = portmap.Start(portmap.Config{Open: open, Port: port, Changed: changed, Logger: log})
	return m
}

// changed runs on the mapper's goroutine, alone.
func (m *mapping) changed(at netip.AddrPort) {
	select {
	case <-m.found: // nobody took it, and now it is old
	default:
	}
	m.found <- at
}

// take puts addresses into the record until ctx ends.
func (m *mapping) take(ctx context.Context, node *core.Node, log hclog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-m.found:
			if err := node.SetAdvertised(ctx, at); err != nil && ctx.Err() == nil {
				log.Warn("mapped address not published", "addr", at, "err", err)
			}
		}
	}
}

// close deletes the mapping and waits for that, within the bounds of [portmap.Mapper.Close].
func (m *mapping) close() error {
	err := m.mapper.Close()
	m.cancel()
	m.taking.Wait()
	return err
}
