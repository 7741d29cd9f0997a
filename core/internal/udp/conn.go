package udp

import (
	"net"
	"net/netip"
	"os"
	"time"
)

// MaxDatagram is the largest datagram handled, in bytes of UDP payload.
const MaxDatagram = 1280

// PacketConn is what a node needs of a socket. *net.UDPConn has it, and so have simulated sockets.
// ReadFromUDPAddrPort is called by one goroutine at a time, WriteToUDPAddrPort by one at a time,
// both at once. After Close, reads and writes return an error that is net.ErrClosed.
type PacketConn interface {
	ReadFromUDPAddrPort(b []byte) (n int, addr netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// receiver fills a batch, again and again, and gives each to take until that returns false. It blocks while there is no datagram.
type receiver interface {
	receive(into *ReadBatch, take func(n int) bool) error
}

// Conn reads a socket in batches. A *net.UDPConn on Linux is read with recvmmsg, any other PacketConn
// one datagram at a time. Read belongs to one goroutine at a time.
type Conn struct {
	pc PacketConn // set before use, then read-only
	in receiver   // owned by the reader

	got int              // the datagrams that Read got
	one func(n int) bool // notes them and has enough
}

// NewConn wraps pc. The Conn does not own pc until Close, which closes it.
func NewConn(pc PacketConn) *Conn {
	c := &Conn{pc: pc, in: newReceiver(pc)}
	c.one = func(n int) bool { c.got = n; return false }
	return c
}

// Read blocks until at least one datagram is there and takes up to MaxBatch of them into the batch,
// replacing what it held; the datagrams are into.At(0) to into.At(n-1). With an error n is 0. The
// package comment says which errors end the socket. Read allocates nothing per datagram; the batch
// itself grows a few times under load.
func (c *Conn) Read(into *ReadBatch) (n int, err error) {
	c.got = 0
	err = c.in.receive(into, c.one)
	return c.got, err
}

// ReadEach is Read in a loop: it calls take for each batch, until take returns false or a read fails. A reader that
// stays in it saves a system call for most batches. take may do anything but close the Conn, which would wait for it.
func (c *Conn) ReadEach(into *ReadBatch, take func(n int) bool) error {
	return c.in.receive(into, take)
}

// SetReadDeadline makes the Read that is blocked, and later ones, return os.ErrDeadlineExceeded after
// t; the zero time removes the deadline. It may be called at any time from any goroutine. A
// PacketConn that has no such method gives os.ErrNoDeadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if d, ok := c.pc.(interface{ SetReadDeadline(time.Time) error }); ok {
		return d.SetReadDeadline(t)
	}
	return os.ErrNoDeadline
}

// LocalAddr is the address that the socket is bound to, with a 4-in-6 address unmapped. It is the zero
// AddrPort when the PacketConn does not tell one as *net.UDPAddr.
func (c *Conn) LocalAddr() netip.AddrPort { return LocalAddr(c.pc) }

// LocalAddr is what Conn.LocalAddr is of a Conn for pc.
func LocalAddr(pc PacketConn) netip.AddrPort {
	if a, ok := pc.LocalAddr().(*net.UDPAddr); ok && a != nil {
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}

// Close closes the socket; a blocked Read returns net.ErrClosed. It may be called from any goroutine
// and more than once.
func (c *Conn) Close() error { return c.pc.Close() }

// unmap turns a 4-in-6 address into the IPv4 address it stands for.
func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}
