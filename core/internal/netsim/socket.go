package netsim

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// firstEphemeral is where ports are looked for when none is asked for (RFC 6335, section 6).
const firstEphemeral = 49152

// Socket is a UDP socket of a Network. It has the methods of *net.UDPConn that a node needs. Its
// methods may be called from any goroutine. Reading blocks, writing never does.
type Socket struct {
	net  *Network
	nat  *NAT // nil on the public network
	addr netip.AddrPort

	// Covered by the network's lock.
	ready      sync.Cond
	rand       *rand.Rand
	head, tail *packet // what waits to be read
	count      int
	closed     bool
	deadline   time.Time
	timer      *time.Timer // wakes readers at the deadline
}

// Listen opens a socket on a public address. Port 0 takes a free one from 49152 up. It panics when the
// address is invalid or unspecified, is in use or belongs to a NAT, or when the network is closed.
func (n *Network) Listen(at netip.AddrPort) *Socket {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nats[at.Addr().Unmap()] != nil {
		panic(fmt.Sprintf("netsim: listen %v: the address of a NAT", at))
	}
	return n.listen(nil, at)
}

// listen opens a socket; the caller holds the lock.
func (n *Network) listen(nat *NAT, at netip.AddrPort) *Socket {
	at = unmap(at)
	switch {
	case n.closed:
		panic(fmt.Sprintf("netsim: listen %v: the network is closed", at))
	case !at.IsValid() || at.Addr().IsUnspecified():
		panic(fmt.Sprintf("netsim: listen %v: a socket needs an address of its own", at))
	}
	for port := firstEphemeral; at.Port() == 0; port++ {
		if free := netip.AddrPortFrom(at.Addr(), uint16(port)); n.sockets[place{nat, free}] == nil {
			at = free
		}
	}
	where := place{nat, at}
	if n.sockets[where] != nil {
		panic(fmt.Sprintf("netsim: listen %v: address already in use", at))
	}
	s := &Socket{net: n, nat: nat, addr: at, rand: rand.New(rand.NewPCG(n.cfg.Seed, stream(where)))}
	s.ready.L = &n.mu
	n.sockets[where] = s
	n.start()
	return s
}

// stream tells the random numbers of one socket from those of another.
func stream(p place) uint64 {
	h := fnv.New64a()
	write := func(a netip.Addr) {
		b := a.As16()
		h.Write(b[:])
	}
	write(p.addr.Addr())
	h.Write(binary.BigEndian.AppendUint16(nil, p.addr.Port()))
	if p.nat != nil {
		write(p.nat.public)
	}
	return h.Sum64()
}

// fate is what chance does to one datagram.
type fate struct {
	lost  bool
	delay time.Duration
	again time.Duration // 0: no duplicate; else a duplicate comes again-1 later
}

// draw takes the same count of random numbers for every datagram, so that a change of the settings
// leaves the other fates as they were.
func (s *Socket) draw(c *Config) fate {
	loss, double, order := s.rand.Float64(), s.rand.Float64(), s.rand.Float64()
	early, late := s.rand.Float64(), s.rand.Float64()
	f := fate{lost: loss < c.Loss, delay: c.Latency + time.Duration(early*float64(c.Jitter))}
	if double < c.Duplicate {
		f.again = 1 + time.Duration(late*float64(c.Jitter))
	}
	if order < c.Reorder {
		f.delay += max(f.delay, time.Millisecond)
	}
	return f
}

// ReadFromUDPAddrPort waits for a datagram and copies it to b; what b cannot hold is lost. The error is
// net.ErrClosed after Close, or os.ErrDeadlineExceeded.
func (s *Socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	for {
		switch {
		case s.closed:
			return 0, netip.AddrPort{}, net.ErrClosed
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, netip.AddrPort{}, os.ErrDeadlineExceeded
		case s.head != nil:
			p := s.pop()
			from, n := p.from, copy(b, p.data)
			s.net.release(p)
			return n, from, nil
		}
		s.ready.Wait()
	}
}

// WriteToUDPAddrPort sends a copy of b. It never waits and knows nothing of the datagram's fate. The
// error is net.ErrClosed after Close, or that of the system call for what no socket could send: too
// large, to no address, to the other address family.
func (s *Socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	to = unmap(to)
	var err error
	switch {
	case len(b) > maxPayload:
		err = os.NewSyscallError("sendto", syscall.EMSGSIZE)
	case !to.IsValid() || to.Port() == 0:
		err = os.NewSyscallError("sendto", syscall.EINVAL)
	case to.Addr().Is4() != s.addr.Addr().Is4():
		err = os.NewSyscallError("sendto", syscall.EAFNOSUPPORT)
	default:
		err = s.net.send(s, b, to)
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// LocalAddr is the address listened on, a *net.UDPAddr; behind a NAT it is the private one.
func (s *Socket) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(s.addr) }

// SetReadDeadline makes reads, also one that waits, fail from t on; the zero time removes the deadline.
func (s *Socket) SetReadDeadline(t time.Time) error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.deadline = t
	if s.timer != nil {
		s.timer.Stop()
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		s.ready.Broadcast()
	case s.timer != nil:
		s.timer.Reset(wait)
	default:
		s.timer = time.AfterFunc(wait, s.expire)
	}
	return nil
}

func (s *Socket) expire() {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.ready.Broadcast()
}

// Close ends reads with net.ErrClosed and frees the address. It may be called more than once.
func (s *Socket) Close() error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.close()
	return nil
}

// close closes the socket; the caller holds the lock.
func (s *Socket) close() {
	if s.closed {
		return
	}
	s.closed = true
	for s.head != nil {
		s.net.release(s.pop())
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	delete(s.net.sockets, place{s.nat, s.addr})
	s.ready.Broadcast()
}

// push puts a packet last in the queue.
func (s *Socket) push(p *packet) {
	if s.head == nil {
		s.head = p
	} else {
		s.tail.next = p
	}
	s.tail = p
	s.count++
	s.ready.Signal()
}

// pop takes the first packet of a queue that is not empty.
func (s *Socket) pop() *packet {
	p := s.head
	s.head, p.next = p.next, nil
	s.count--
	return p
}
