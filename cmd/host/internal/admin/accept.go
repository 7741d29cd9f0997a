package admin

import (
	"net"
	"sync"
	"sync/atomic"
)

// maxConns bounds the connections of one listener.
const maxConns = 512

// bounded is a listener that closes at once what exceeds a number of connections.
type bounded struct {
	net.Listener
	most    int64
	open    atomic.Int64
	refused *atomic.Uint64
}

// Accept waits for a connection that there is room for.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if b.open.Add(1) <= b.most {
			return &counted{Conn: c, of: b}, nil
		}
		b.open.Add(-1)
		b.refused.Add(1)
		_ = c.Close() // nothing was said on it
	}
}

type counted struct {
	net.Conn
	of   *bounded
	once sync.Once
}

// Close makes room for another connection.
func (c *counted) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}
