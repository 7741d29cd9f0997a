package admin

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

const (
	// maxConns bounds the connections of one listener.
	maxConns = 512
	// maxConnsFrom bounds, of them, those from one address, or of IPv6 one /64, on which no token has come: one stranger leaves room for
	// others.
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

func (b *bounded) leave(c *counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	b.forget(c)
}

// know says that a connection is of somebody with the token, who may have more of them than a stranger.
func (b *bounded) know(c *counted) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(c)
}

// forget takes a connection from those of its source, once.
func (b *bounded) forget(c *counted) {
	if !c.source.IsValid() {
		return
	}
	if b.from[c.source]--; b.from[c.source] == 0 {
		delete(b.from, c.source)
	}
	c.source = netip.Addr{}
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
	source netip.Addr // it counts for; guarded by of.mu
	once   sync.Once
}

// Close makes room for another connection.
func (c *counted) Close() error {
	c.once.Do(func() { c.of.leave(c) })
	return c.Conn.Close()
}

// connKey is where the context of a request has its *counted.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// authorized notes that the token came on the connection of a request.
func authorized(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*counted); ok {
		c.of.know(c)
	}
}
