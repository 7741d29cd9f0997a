package udp

import (
	"net"
	"net/netip"
)

// SocketBuffer is the size in bytes asked for the kernel's receive buffer and for its send buffer. At
// 1280 bytes a datagram it holds about a tenth of a second of a saturated gigabit link. The kernel
// may give less (net.core.rmem_max, net.core.wmem_max on Linux).
const SocketBuffer = 4 << 20

// Listen opens a UDP socket on addr, of its address family alone: an IPv6 socket takes no IPv4
// traffic, so that one of each can share a port. A 4-in-6 address counts as IPv4; port 0 lets the
// system choose. Large kernel buffers are asked for; getting less is no error.
func Listen(addr netip.AddrPort) (*net.UDPConn, error) {
	addr = unmap(addr)
	network := "udp4"
	if addr.Addr().Is6() {
		network = "udp6" // package net sets IPV6_V6ONLY for it
	}
	if !addr.IsValid() {
		return nil, &net.AddrError{Err: "no address to listen on", Addr: addr.String()}
	}
	pc, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	_ = pc.SetReadBuffer(SocketBuffer)
	_ = pc.SetWriteBuffer(SocketBuffer)
	return pc, nil
}
