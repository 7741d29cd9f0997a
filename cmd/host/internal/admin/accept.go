package admin

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

const (
	// maxConns bounds the connections of one listener.
	maxConns = 512
	// maxConnsFrom bounds, of them, those from one address, or of IPv6 one /64: one stranger leaves room for others.
	maxConnsFrom = 128
)

// bounded is a listener that closes at once what exceeds a number of connections.
type bounded struct {
	net.Listener
	most, mostFrom int
	refused        *atomic.Uint64

	mu   sync.Mutex // a leaf
	open int
	from map[netip.Addr]int // by source; those on a unix socket have none
}

// Accept waits for a connection that there is room for.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := sourceOf(c.RemoteAddr())
		if b.enter(source) {
			return &counted{Conn: c, of: b, source: source}, nil
		}
		b.refused.Add(1)
		_ = c.Close() // nothing was said on it
	}
}

func (b *bounded) enter(source netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open >= b.most || source.IsValid() && b.from[source] >= b.mostFrom {
		return false
	}
	b.open++
	if source.IsValid() {
		if b.from == nil {
			b.from = make(map[netip.Addr]int)
		}
		b.from[source]++
	}
	return true
}

func (b *bounded) leave(source netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if source.IsValid() {
		if b.from[source]--; b.from[source] == 0 {
			delete(b.from, source)
		}
	}
}

// sourceOf is the address that a connection counts for; invalid: it counts for none.
func sourceOf(addr net.Addr) netip.Addr {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	source := tcp.AddrPort().Addr().Unmap().WithZone("")
	if source.Is6() {
		source = netip.PrefixFrom(source, 64).Masked().Addr()
	}
	return source
}

type counted struct {
	net.Conn
	of     *bounded
	source netip.Addr
	once   sync.Once
}

// Close makes room for another connection.
func (c *counted) Close() error {
	c.once.Do(func() { c.of.leave(c.source) })
	return c.Conn.Close()
}
