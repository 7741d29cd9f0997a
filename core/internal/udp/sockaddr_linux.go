package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// sockaddr is room for struct sockaddr_in6, the larger of the two. sockaddr_in is family, port (big
// endian) and address; sockaddr_in6 is family, port, flow, address and scope.
type sockaddr [unix.SizeofSockaddrInet6]byte

const (
	offPort   = 2
	offAddr4  = 4
	offAddr6  = 8
	offScope6 = 24
)

// addrPort is the address that the kernel wrote, and the zero AddrPort for one that is not IP.
func (s *sockaddr) addrPort(z *zones) netip.AddrPort {
	port := binary.BigEndian.Uint16(s[offPort:])
	switch binary.NativeEndian.Uint16(s[:]) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[offAddr4:])), port)
	case unix.AF_INET6:
		a := netip.AddrFrom16([16]byte(s[offAddr6:]))
		if scope := binary.NativeEndian.Uint32(s[offScope6:]); scope != 0 {
			a = a.WithZone(z.name(scope))
		}
		return netip.AddrPortFrom(a, port)
	}
	return netip.AddrPort{}
}

// set writes an address for a socket and returns the length of the structure. An IPv6 socket
// addresses IPv4 as 4-in-6. What the socket cannot reach is for the kernel to refuse.
func (s *sockaddr) set(to netip.AddrPort, v4 bool, z *zones) uint32 {
	binary.BigEndian.PutUint16(s[offPort:], to.Port())
	if v4 && to.Addr().Is4() {
		binary.NativeEndian.PutUint16(s[:], unix.AF_INET)
		a := to.Addr().As4()
		copy(s[offAddr4:], a[:])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(s[:], unix.AF_INET6)
	a := to.Addr().As16()
	clear(s[offAddr4:offAddr6])
	copy(s[offAddr6:], a[:])
	var scope uint32
	if zone := to.Addr().Zone(); zone != "" {
		scope = z.index(zone)
	}
	binary.NativeEndian.PutUint32(s[offScope6:], scope)
	return unix.SizeofSockaddrInet6
}

// zones translates between the scope of a link-local address and its zone. Zones that come from a
// socket are interface indices in decimal, so that they need no system call on the way back. It
// remembers the last one each way: a host has few links.
type zones struct {
	scope   uint32
	decimal string

	zone string
	ifi  uint32
}

func (z *zones) name(scope uint32) string {
	if z.scope != scope || z.decimal == "" {
		z.scope, z.decimal = scope, strconv.FormatUint(uint64(scope), 10)
	}
	return z.decimal
}

// index is 0, which the kernel refuses for a link-local address, when there is no such interface.
func (z *zones) index(zone string) uint32 {
	if z.zone == zone {
		return z.ifi
	}
	n, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		ifi, err := net.InterfaceByName(zone)
		if err != nil {
			return 0
		}
		n = uint64(ifi.Index)
	}
	z.zone, z.ifi = zone, uint32(n)
	return z.ifi
}
