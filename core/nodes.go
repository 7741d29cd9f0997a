package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/discv5/host/core/internal/session"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// wellFilled is how many verified nodes make newcomers less urgent: their first check takes up to checkSlower times as long.
const (
	wellFilled  = 128
	checkSlower = 5
)

// endpoints returns the UDP endpoints of a record, the zero value where it has none. A record with an IPv6 address and
// no udp6 port means its udp port for both.
func endpoints(node *enode.Node) (v4, v6 netip.AddrPort) {
	var (
		ip4  enr.IPv4Addr
		ip6  enr.IPv6Addr
		udp  enr.UDP
		udp6 enr.UDP6
	)
	if ip := node.IPAddr(); ip.Is4() && enr.IsNotFound(node.Load(&ip6)) { // nearly all, and go-ethereum has read it already
		if port := node.UDP(); port != 0 {
			v4 = netip.AddrPortFrom(ip, uint16(port))
		}
		return v4, v6
	}
	_ = node.Load(&udp)
	if node.Load(&udp6) != nil {
		udp6 = enr.UDP6(udp)
	}
	if udp != 0 && node.Load(&ip4) == nil {
		v4 = netip.AddrPortFrom(netip.Addr(ip4), uint16(udp))
	}
	if udp6 != 0 && node.Load(&ip6) == nil {
		v6 = netip.AddrPortFrom(netip.Addr(ip6).Unmap(), uint16(udp6))
	}
	return v4, v6
}

// endpointFor chooses the endpoint to use for a node: the one that it answered at last, else one with a session, else
// IPv4 before IPv6, of those that we have a socket for.
func (n *Node) endpointFor(node *enode.Node) (netip.AddrPort, bool) {
	v4, v6 := endpoints(node)
	ok4 := usable(v4) && n.linkTo(v4.Addr()) != nil
	ok6 := usable(v6) && n.linkTo(v6.Addr()) != nil
	switch {
	case ok4 && ok6:
		if e, ok := n.table.Entry(node.ID()); ok && e.Verified && (e.Addr == v4 || e.Addr == v6) {
			return e.Addr, true
		}
		if n.sessions.Session(session.Peer{ID: node.ID(), Addr: v6}) != nil && n.sessions.Session(session.Peer{ID: node.ID(), Addr: v4}) == nil {
			return v6, true
		}
		return v4, true
	case ok6:
		return v6, true
	}
	return v4, ok4
}

// otherEndpoint returns the endpoint of a node in the other address family, if it has one that we can use.
func (n *Node) otherEndpoint(node *enode.Node, addr netip.AddrPort) (netip.AddrPort, bool) {
	v4, v6 := endpoints(node)
	other := v4
	if addr.Addr().Is4() {
		other = v6
	}
	return other, usable(other) && n.linkTo(other.Addr()) != nil
}

func usable(a netip.AddrPort) bool {
	return a.IsValid() && a.Port() != 0 && !a.Addr().IsUnspecified() && !a.Addr().IsMulticast() && a.Addr() != broadcast
}

// known returns the newest record known of a node, or nil.
func (n *Node) known(id enode.ID) *enode.Node {
	if node := n.table.Node(id); node != nil {
		return node
	}
	for _, b := range n.cfg.Bootnodes {
		if b.ID() == id {
			return b
		}
	}
	return nil
}

func (n *Node) isBootnode(id enode.ID) bool {
	return slices.ContainsFunc(n.cfg.Bootnodes, func(b *enode.Node) bool { return b.ID() == id })
}

// offer proposes a node for the table: it enters when no ban and no filter of the table stage is against it. With a
// filter that has not decided yet it waits for the verdict: the result is Pending.
func (n *Node) offer(now time.Time, node *enode.Node, addr netip.AddrPort) table.Result {
	id := node.ID()
	switch {
	case id == n.self:
		return table.LocalNode
	case n.bans.id(now, id):
		return table.Banned
	}
	if !addr.IsValid() {
		var ok bool
		if addr, ok = n.endpointFor(node); !ok {
			return table.NoAddress
		}
	}
	if n.bans.address(now, addr.Addr()) {
		return table.Banned
	}
	if !n.filters.admits(now, node, addr) {
		if j, ok := n.filters.judged.Peek(id); ok {
			if pass, known := n.filters.pass(StageTable, j); known && !pass && !n.filters.open(StageTable, j) {
				return table.Rejected
			}
		}
		return table.Pending
	}
	return n.enter(now, node, addr)
}

// offerBack proposes a peer for the table that spoke to us from the endpoint that its record names, and sees to it that it
// is pinged.
func (n *Node) offerBack(now time.Time, node *enode.Node, from netip.AddrPort) {
	if node == nil || !hasEndpoint(node, from) {
		return
	}
	n.offer(now, node, from)
	n.pingBack(now, node, from)
}

// enter puts a node into the table.
func (n *Node) enter(now time.Time, node *enode.Node, addr netip.AddrPort) table.Result {
	id := node.ID()
	before, existed := n.table.Entry(id)
	if existed && before.Verified && before.Node.Seq() < node.Seq() && before.Addr != addr && hasEndpoint(node, before.Addr) {
		addr = before.Addr // a new record that still names the proven endpoint
	}
	result := n.table.Add(now, table.Candidate{
		Node: node, Addr: addr, Scope: uint8(scopeOf(node, addr)), Bootstrap: n.isBootnode(id), CheckWithin: n.checkWithin(),
	})
	if result == table.ReplacementAdded && n.promote(now, id) {
		result = table.Added
	}
	switch result {
	case table.Added:
		n.stats.NodesAdded++
		n.events.publish(Event{Type: NodeAdded, ID: id, Addr: addr, Node: node})
	case table.Updated:
		n.events.publish(Event{Type: NodeUpdated, ID: id, Addr: addr, Node: node})
		n.store.record(now, node)
	case table.AddressLimit:
		if n.isBootnode(id) {
			n.log.Debug("bootstrap node stays out of the table, too many of its network are in", "node", id, "addr", addr)
		}
	}
	n.checksDue = true
	return result
}

// promote lets a node in reserve take the place of one that deserves it less, if there is one. The caller tells that the
// node was added.
func (n *Node) promote(now time.Time, id enode.ID) bool {
	displaced, promoted := n.table.Promote(now, id)
	if displaced != nil {
		n.removedNode(displaced)
	}
	return promoted != nil
}

// checkWithin bounds the random pause until a newcomer is pinged.
func (n *Node) checkWithin() time.Duration {
	if n.table.Verified() >= wellFilled {
		return checkSlower * n.cfg.PingBack
	}
	return n.cfg.PingBack
}

// seenNode notes that a node answered a PING.
func (n *Node) seenNode(now time.Time, id enode.ID, rtt time.Duration) {
	n.alive(now, id, rtt, n.table.Seen)
}

// heardNode notes that a node answered something else.
func (n *Node) heardNode(now time.Time, id enode.ID, rtt time.Duration) {
	n.alive(now, id, rtt, n.table.Heard)
}

func (n *Node) alive(now time.Time, id enode.ID, rtt time.Duration, note func(time.Time, enode.ID, time.Duration) bool) {
	e, ok := n.table.Entry(id)
	verified := ok && e.Verified
	note(now, id, rtt)
	if !ok {
		if !n.promote(now, id) {
			return
		}
		e, _ = n.table.Entry(id)
		n.stats.NodesAdded++
		n.events.publish(Event{Type: NodeAdded, ID: id, Addr: e.Addr, Node: e.Node})
		n.filters.returned(now, e.Node)
	}
	if !verified {
		n.checksDue = true
		n.events.publish(Event{Type: NodeVerified, ID: id, Addr: e.Addr, Node: e.Node})
	}
	n.store.contact(now, e)
}

// failedNode notes that a node did not answer.
func (n *Node) failedNode(now time.Time, id enode.ID) {
	removed, promoted := n.table.Failed(now, id)
	n.replacedNode(now, removed, promoted)
	n.checksDue = true
	n.refreshIfEmpty(now)
}

// rejectedNode takes a node that does not pass the filters any more out of the table. One in reserve takes its place.
func (n *Node) rejectedNode(now time.Time, id enode.ID) {
	if _, ok := n.table.Entry(id); !ok {
		n.table.Remove(id)
		return
	}
	removed, promoted := n.table.Replace(now, id)
	n.replacedNode(now, removed, promoted)
	n.checksDue = true
	n.refreshIfEmpty(now)
}

// replacedNode tells what became of an entry and of the replacement that took its place, either of which may be nil.
func (n *Node) replacedNode(now time.Time, removed, promoted *table.Entry) {
	if removed != nil {
		n.removedNode(removed)
	}
	if promoted != nil {
		n.stats.NodesAdded++
		n.events.publish(Event{Type: NodeAdded, ID: promoted.ID(), Addr: promoted.Addr, Node: promoted.Node})
		if n.bannedNode(now, promoted.Node) {
			n.removeNode(now, promoted.ID()) // its range was banned while it was in reserve
		} else {
			n.filters.returned(now, promoted.Node)
		}
	}
}

// removeNode takes a node out of the table.
func (n *Node) removeNode(now time.Time, id enode.ID) bool {
	e, ok := n.table.Entry(id)
	removed := n.table.Remove(id)
	if ok {
		n.removedNode(e)
		n.refreshIfEmpty(now)
	}
	return removed
}

func (n *Node) removedNode(e *table.Entry) {
	n.stats.NodesRemoved++
	n.events.publish(Event{Type: NodeRemoved, ID: e.ID(), Addr: e.Addr, Node: e.Node})
}
