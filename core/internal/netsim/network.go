package netsim

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultQueueLen = 1024
	maxPayload      = 65535 - 20 - 8 // what an IPv4 packet holds behind its headers
	// MaxInFlight bounds the datagrams under way in a network.
	MaxInFlight = 1 << 20
	// maxFree bounds the packets kept for reuse, keepCap the buffers among them, in bytes.
	maxFree = 4096
	keepCap = 2048
)

// Config describes a Network. The zero value is a perfect one: nothing is lost or late.
type Config struct {
	Latency   time.Duration // one way, of every datagram
	Jitter    time.Duration // up to this much is added, evenly; datagrams may overtake each other
	Loss      float64       // share of the datagrams that are lost, 0 to 1
	Duplicate float64       // share that arrives twice
	Reorder   float64       // share that is held back for twice its delay, at least 1 ms
	Seed      uint64        // of all the randomness
	QueueLen  int           // datagrams that wait in a socket to be read; 0 means 1024
}

// Network carries datagrams between its sockets. Its methods may be called from any goroutine.
type Network struct {
	tapped atomic.Bool // there is a tap
	hook   atomic.Pointer[func(*Packet) Verdict]
	groups atomic.Pointer[func(netip.Addr) int]

	wake, closing, done chan struct{} // of the delivering goroutine

	mu      sync.Mutex // covers everything below, and all sockets and NATs
	cfg     Config
	running bool // the delivering goroutine has been started
	closed  bool
	sockets map[place]*Socket
	nats    map[netip.Addr]*NAT
	down    map[netip.Addr]bool
	flight  flight
	seq     uint64 // of the packets put under way
	free    []*packet
	counts  [verdicts]uint64
	sent    uint64
	doubled uint64
	bytes   uint64

	taps    []func(Event) // replaced, never changed
	events  []Event       // that the taps have not been told
	telling bool          // a goroutine is telling them
}

// place is where a socket is: on the public network (nat is nil) or behind a NAT.
type place struct {
	nat  *NAT
	addr netip.AddrPort
}

// New makes a network. It starts nothing; the first Listen does.
func New(cfg Config) *Network {
	if cfg.QueueLen <= 0 {
		cfg.QueueLen = defaultQueueLen
	}
	return &Network{
		cfg:     cfg,
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
		sockets: make(map[place]*Socket),
		nats:    make(map[netip.Addr]*NAT),
		down:    make(map[netip.Addr]bool),
	}
}

// SetLoss changes Config.Loss for the datagrams sent from now on.
func (n *Network) SetLoss(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cfg.Loss = share
}

// SetLatency changes Config.Latency and Config.Jitter for the datagrams sent from now on.
func (n *Network) SetLatency(latency, jitter time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cfg.Latency, n.cfg.Jitter = latency, jitter
}

// Partition separates hosts: a datagram is dropped when groupOf tells different groups for its
// sender's and its receiver's address. A host behind a NAT has the NAT's public address, and the
// hosts behind one NAT are never separated. Datagrams under way still arrive. groupOf must be a pure
// function; calls may overlap; nil heals.
func (n *Network) Partition(groupOf func(netip.Addr) int) {
	if groupOf == nil {
		n.Heal()
		return
	}
	n.groups.Store(&groupOf)
}

// Heal ends a partition.
func (n *Network) Heal() { n.groups.Store(nil) }

// SetDown takes a host off the network or puts it back. A host that is down keeps its sockets, but
// nothing leaves it and nothing arrives, not even what was under way. The address of a NAT stands for
// all hosts behind it, a private address for the hosts that have it behind any NAT.
func (n *Network) SetDown(host netip.Addr, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if down {
		n.down[host.Unmap()] = true
	} else {
		delete(n.down, host.Unmap())
	}
}

// Close closes every socket, forgets what is under way and waits for the delivering goroutine, so it
// must not be called from a tap or a hook. It may be called more than once.
func (n *Network) Close() {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		for _, s := range n.sockets {
			s.close()
		}
		n.counts[NoRoute] += uint64(len(n.flight))
		n.flight, n.free = nil, nil
		close(n.closing)
	}
	running := n.running
	n.mu.Unlock()
	if running {
		<-n.done
	}
}

// send is the whole way of a datagram on the sender's side. b is copied.
func (n *Network) send(s *Socket, b []byte, to netip.AddrPort) error {
	p, f, v, err := n.depart(s, b, to)
	if err != nil {
		return err
	}
	if groups := n.groups.Load(); v == Delivered && groups != nil && p.inside == nil {
		if (*groups)(p.from.Addr()) != (*groups)(p.to.Addr()) {
			v = Partitioned
		}
	}
	if v == Delivered && f.lost {
		v = Lost
	}
	delay := f.delay
	if hook := n.hook.Load(); v == Delivered && hook != nil {
		h := Packet{From: p.from, To: p.to, Data: p.data, Delay: delay}
		v = (*hook)(&h)
		if len(h.Data) > maxPayload {
			h.Data = h.Data[:maxPayload]
		}
		p.from, p.to, delay = unmap(h.From), unmap(h.To), h.Delay
		p.data = append(p.data[:0], h.Data...)
	}
	if v != Delivered {
		n.end(p, v)
		return nil
	}
	if f.again > 0 {
		n.launch(n.double(p), delay+f.again-1)
	}
	n.launch(p, delay)
	return nil
}

// depart makes the packet as it leaves the sender's side of the network, and draws its fate.
func (n *Network) depart(s *Socket, b []byte, to netip.AddrPort) (*packet, fate, Verdict, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.closed {
		return nil, fate{}, 0, net.ErrClosed
	}
	n.sent++
	n.bytes += uint64(len(b))
	p := n.packet()
	p.from, p.to = s.addr, to
	p.data = append(p.data, b...)
	v := Delivered
	if n.down[s.addr.Addr()] {
		v = Down
	}
	if s.nat != nil {
		if n.sockets[place{s.nat, to}] != nil {
			p.inside = s.nat
		} else if v == Delivered {
			v = s.nat.outbound(p)
		}
	}
	return p, s.draw(&n.cfg), v, nil
}

// packet is an empty one.
func (n *Network) packet() *packet {
	if last := len(n.free) - 1; last >= 0 {
		p := n.free[last]
		n.free = n.free[:last]
		return p
	}
	return new(packet)
}

// release takes back a packet that nobody uses any more.
func (n *Network) release(p *packet) {
	if len(n.free) == maxFree || n.closed {
		return
	}
	data := p.data[:0]
	if cap(data) > keepCap {
		data = nil
	}
	*p = packet{data: data}
	n.free = append(n.free, p)
}

// double is a copy of a packet.
func (n *Network) double(p *packet) *packet {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doubled++
	d := n.packet()
	d.from, d.to, d.inside = p.from, p.to, p.inside
	d.data = append(d.data, p.data...)
	return d
}

// end is the fate of a packet that does not set out.
func (n *Network) end(p *packet, v Verdict) {
	n.mu.Lock()
	n.finish(time.Now(), p, v)
	n.mu.Unlock()
	n.tell()
}

// finish counts and records the fate of a packet, and takes it back unless it is in a socket's queue.
// A verdict that a hook made up is a loss. The caller holds the lock.
func (n *Network) finish(now time.Time, p *packet, v Verdict) {
	if v < 0 || v >= verdicts {
		v = Lost
	}
	n.counts[v]++
	n.record(now, p, v)
	if v != Delivered {
		n.release(p)
	}
}

// unmap turns a 4-in-6 address into the IPv4 address it stands for.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
