package netsim

import (
	"fmt"
	"net/netip"
	"time"
)

// NATTimeout is how long a NAT remembers what was sent, unless SetTimeout says otherwise: what many
// home routers give a UDP flow.
const NATTimeout = 30 * time.Second

// MaxMappings bounds the mappings of a NAT, and the remote addresses that each lets in. What would
// exceed it is filtered.
const MaxMappings = 4096

// NATKind is how a NAT treats datagrams; the names are those of RFC 3489, section 5. Each but
// Symmetric maps a private address to one public port whatever the destination.
type NATKind int

// The kinds, from the most to the least permissive.
const (
	FullCone          NATKind = iota // lets everybody in on a mapped port
	AddressRestricted                // lets in addresses that were sent to, from any port
	PortRestricted                   // lets in only the addresses and ports that were sent to
	Symmetric                        // as PortRestricted, with a public port per destination
)

// NAT translates between hosts with private addresses and the public network. It lets nothing in on
// a port from which nothing was sent, and forgets what was sent after a while. Its hosts reach each
// other directly by their private addresses.
type NAT struct {
	net    *Network
	public netip.Addr
	kind   NATKind

	// Covered by the network's lock.
	timeout time.Duration
	next    uint16 // the port to try next when the private one is taken
	byFlow  map[flow]*mapping
	byPort  map[uint16]*mapping
}

// flow is what a mapping is for; remote is the zero value but with a symmetric NAT.
type flow struct{ private, remote netip.AddrPort }

type mapping struct {
	flow    flow
	port    uint16
	expires time.Time
	peers   map[netip.AddrPort]time.Time // who may come in, until when; port 0 is any port
}

// NAT makes a NAT with a public address of its own. It panics when the address is in use.
func (n *Network) NAT(public netip.Addr, kind NATKind) *NAT {
	public = public.Unmap()
	n.mu.Lock()
	defer n.mu.Unlock()
	used := n.nats[public] != nil
	for at := range n.sockets {
		used = used || at.nat == nil && at.addr.Addr() == public
	}
	if used || !public.IsValid() {
		panic(fmt.Sprintf("netsim: NAT on %v: address invalid or in use", public))
	}
	t := &NAT{
		net: n, public: public, kind: kind, timeout: NATTimeout,
		byFlow: make(map[flow]*mapping), byPort: make(map[uint16]*mapping),
	}
	n.nats[public] = t
	return t
}

// Listen opens a socket on a private address behind the NAT, of the family of its public address. It
// panics as Network.Listen does. Other NATs may have hosts of the same addresses.
func (t *NAT) Listen(private netip.AddrPort) *Socket {
	private = unmap(private)
	if private.Addr().Is4() != t.public.Is4() {
		panic(fmt.Sprintf("netsim: listen %v behind %v: different address families", private, t.public))
	}
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	return t.net.listen(t, private)
}

// SetTimeout changes how long the NAT remembers what is sent from now on.
func (t *NAT) SetTimeout(d time.Duration) {
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	t.timeout = d
}

// Mapped is the public address under which remote sees datagrams from a private address, false when
// there is no such mapping now.
func (t *NAT) Mapped(private, remote netip.AddrPort) (netip.AddrPort, bool) {
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	m := t.byFlow[t.flow(unmap(private), unmap(remote))]
	if m == nil || !time.Now().Before(m.expires) {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(t.public, m.port), true
}

func (t *NAT) flow(private, remote netip.AddrPort) flow {
	if t.kind == Symmetric {
		return flow{private, remote}
	}
	return flow{private: private}
}

// peer is the key of mapping.peers for a remote address.
func (t *NAT) peer(remote netip.AddrPort) netip.AddrPort {
	if t.kind == AddressRestricted {
		return netip.AddrPortFrom(remote.Addr(), 0)
	}
	return remote
}

// outbound translates the sender of a packet and opens the way back.
func (t *NAT) outbound(p *packet) Verdict {
	if t.net.down[t.public] {
		return Down
	}
	now := time.Now()
	key := t.flow(p.from, p.to)
	m := t.byFlow[key]
	if m != nil && !now.Before(m.expires) {
		t.forget(m)
		m = nil
	}
	if m == nil {
		if m = t.open(now, key); m == nil {
			return Filtered
		}
	}
	m.expires = now.Add(t.timeout)
	if !t.admit(now, m, t.peer(p.to)) {
		return Filtered
	}
	p.from = netip.AddrPortFrom(t.public, m.port)
	return Delivered
}

// inbound is the private address that a datagram to one of the public ports is for, false when the
// NAT does not let it in. Only outbound datagrams keep a mapping alive.
func (t *NAT) inbound(now time.Time, from netip.AddrPort, port uint16) (netip.AddrPort, bool) {
	m := t.byPort[port]
	if m == nil || !now.Before(m.expires) {
		return netip.AddrPort{}, false
	}
	if t.kind != FullCone && !now.Before(m.peers[t.peer(from)]) {
		return netip.AddrPort{}, false
	}
	return m.flow.private, true
}

// open makes a mapping, on the private port if that is free; nil when there are too many.
func (t *NAT) open(now time.Time, key flow) *mapping {
	if len(t.byPort) >= MaxMappings {
		for _, m := range t.byPort {
			if !now.Before(m.expires) {
				t.forget(m)
			}
		}
		if len(t.byPort) >= MaxMappings {
			return nil
		}
	}
	port := key.private.Port()
	for t.byPort[port] != nil { // there are more ports from firstEphemeral on than mappings
		port = max(t.next, firstEphemeral)
		t.next = port + 1
	}
	m := &mapping{flow: key, port: port, peers: make(map[netip.AddrPort]time.Time)}
	t.byFlow[key], t.byPort[port] = m, m
	return m
}

// admit lets a peer in; false when there are too many.
func (t *NAT) admit(now time.Time, m *mapping, peer netip.AddrPort) bool {
	if _, known := m.peers[peer]; !known && len(m.peers) >= MaxMappings {
		for p, until := range m.peers {
			if !now.Before(until) {
				delete(m.peers, p)
			}
		}
		if len(m.peers) >= MaxMappings {
			return false
		}
	}
	m.peers[peer] = now.Add(t.timeout)
	return true
}

func (t *NAT) forget(m *mapping) {
	delete(t.byFlow, m.flow)
	delete(t.byPort, m.port)
}
