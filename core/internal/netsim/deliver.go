package netsim

import (
	"container/heap"
	"net/netip"
	"time"
)

// packet is a datagram in the network: under way, in a socket's queue, or kept for reuse.
type packet struct {
	from, to netip.AddrPort
	data     []byte
	inside   *NAT // it does not leave this private network
	due      time.Time
	seq      uint64
	next     *packet // in a socket's queue
}

// flight is the heap of packets under way, the first one due on top.
type flight []*packet

func (f flight) Len() int { return len(f) }
func (f flight) Less(i, j int) bool {
	if c := f[i].due.Compare(f[j].due); c != 0 {
		return c < 0
	}
	return f[i].seq < f[j].seq
}
func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flight) Push(x any)   { *f = append(*f, x.(*packet)) }
func (f *flight) Pop() any {
	last := len(*f) - 1
	p := (*f)[last]
	(*f)[last] = nil
	*f = (*f)[:last]
	return p
}

// launch puts a packet under way. Without delay it arrives in the sender's goroutine.
func (n *Network) launch(p *packet, delay time.Duration) {
	n.mu.Lock()
	now, first := time.Now(), false
	switch {
	case delay <= 0 || n.closed:
		n.arrive(now, p)
	case len(n.flight) >= MaxInFlight:
		n.finish(now, p, Overflow)
	default:
		n.seq++
		p.due, p.seq = now.Add(delay), n.seq
		heap.Push(&n.flight, p)
		first = n.flight[0] == p
	}
	n.mu.Unlock()
	n.tell()
	if first {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// start starts the delivering goroutine, once. The caller holds the lock.
func (n *Network) start() {
	if !n.running {
		n.running = true
		go n.deliver()
	}
}

// deliver waits for packets to become due and delivers them, until the network is closed.
func (n *Network) deliver() {
	defer close(n.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if wait, more := n.deliverDue(); more {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-due:
		case <-n.wake:
		case <-n.closing:
			return
		}
	}
}

// deliverDue delivers what is due and tells how long it is to the next packet, if there is any.
func (n *Network) deliverDue() (wait time.Duration, more bool) {
	defer n.tell()
	n.mu.Lock()
	defer n.mu.Unlock()
	for now := time.Now(); len(n.flight) > 0; {
		if wait := n.flight[0].due.Sub(now); wait > 0 {
			return wait, true
		}
		n.arrive(now, heap.Pop(&n.flight).(*packet))
	}
	return 0, false
}

// arrive puts a packet in its receiver's queue, if there is one that can take it. The caller holds the
// lock.
func (n *Network) arrive(now time.Time, p *packet) {
	s, v := n.route(now, p)
	if v == Delivered && s.count >= n.cfg.QueueLen {
		v = Overflow
	}
	if v == Delivered {
		s.push(p)
	}
	n.finish(now, p, v)
}

// route finds the socket that a packet is for.
func (n *Network) route(now time.Time, p *packet) (*Socket, Verdict) {
	at := place{p.inside, p.to}
	if n.down[at.addr.Addr()] {
		return nil, Down
	}
	if nat := n.nats[p.to.Addr()]; nat != nil && p.inside == nil {
		private, ok := nat.inbound(now, p.from, p.to.Port())
		if !ok {
			return nil, Filtered
		}
		at = place{nat, private}
	}
	if n.down[at.addr.Addr()] {
		return nil, Down
	}
	s := n.sockets[at]
	if s == nil {
		return nil, NoRoute
	}
	return s, Delivered
}
