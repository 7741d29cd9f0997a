package daemon

import (
	"net/netip"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// life logs what an operator wants to know of a node: that it started, met somebody, lost everybody, how it is. What a
// single peer does is for the debug level. core logs changes of the record and bans itself.
type life struct {
	node      *core.Node
	log       hclog.Logger
	bootnodes int
	inTouch   bool // somebody has answered, and not everybody has gone since
}

func newLife(node *core.Node, log hclog.Logger, bootnodes int) *life {
	return &life{node: node, log: log, bootnodes: bootnodes}
}

// started logs the first lines.
func (l *life) started(cfg *config.Config, id *identity) {
	if id.created {
		l.log.Info("made a key, the identity of this node", "file", id.keyPath)
	}
	l.log.Info("node started", "node", l.node.ID(), "addr", addresses(l.node.LocalAddrs()), "seq", l.node.Self().Seq())
	if id.lost {
		l.log.Warn("the last record of this key is lost: the node keeps its id, and peers take the new record for newer if the clock is right; check the clock and the disk", "file", id.recordFile)
	}
	if l.bootnodes == 0 {
		l.log.Info("no network to join, waiting for others to come; --network or --bootnode would join one")
	} else {
		l.log.Info("joining", "network", cfg.Network, "count", l.bootnodes)
	}
	if _, ok := l.node.Self().UDPEndpoint(); !ok {
		l.log.Info("the record names no address until enough peers report one; --advertise names it now")
	}
	for _, n := range l.node.Table().Nodes { // somebody may have answered before the events were subscribed to
		if n.Verified {
			l.met(n.Node.ID(), n.Addr)
		}
	}
}

// met logs the first node that answers.
func (l *life) met(id enode.ID, at netip.AddrPort) {
	if !l.inTouch {
		l.inTouch = true
		l.log.Info("first node answered", "node", id, "addr", at)
	}
}

// event logs one event.
func (l *life) event(e core.Event) {
	switch e.Type {
	case core.NodeVerified:
		l.met(e.ID, e.Addr)
		l.debug(e)
	case core.NodeAdded, core.NodeUpdated, core.NodeRemoved, core.SessionUp, core.SessionDown, core.Unbanned:
		l.debug(e)
	case core.ReachabilityChanged:
		l.log.Info("reachability changed", "state", e.Detail)
	}
}

func (l *life) debug(e core.Event) {
	if l.log.IsDebug() {
		l.log.Debug(e.Type.String(), "node", e.ID, "addr", e.Addr)
	}
}

// status logs how the node is.
func (l *life) status() {
	s := l.node.Stats()
	l.report(s.TableNodes, s.TableVerified, s.Sessions.Sessions)
}

func (l *life) report(nodes, verified, sessions int) {
	l.log.Info("status", "nodes", nodes, "verified", verified, "sessions", sessions)
	switch {
	case verified > 0:
		l.inTouch = true
	case l.inTouch:
		l.inTouch = false
		l.log.Warn("no node answers any more, check the network connection")
	case l.bootnodes > 0:
		l.log.Warn("no bootnode answers, check that UDP may leave this machine and come back", "count", l.bootnodes)
	}
}

// addresses is the form in which a log shows several addresses.
func addresses(addrs []netip.AddrPort) string {
	text := ""
	for i, a := range addrs {
		if i > 0 {
			text += " "
		}
		text += a.String()
	}
	return text
}
