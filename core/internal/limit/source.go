package limit

import (
	"encoding/binary"
	"net/netip"
)

// Prefix lengths of what counts as one source: whoever holds an IPv6 address usually holds its whole /64.
const (
	SourceBits4 = 32
	SourceBits6 = 64
)

// Source is what counts as one sender: an IPv4 address or the /64 of an IPv6 address. It is comparable and
// may be the key of a map. The zero value stands for every invalid address.
type Source struct {
	prefix uint64
	family uint8 // 0, 4 or 6
}

// SourceOf is the source that addr belongs to. A 4-in-6 address counts as IPv4; a zone is ignored.
func SourceOf(addr netip.Addr) Source {
	switch {
	case addr.Is4():
		b := addr.As4()
		return Source{uint64(binary.BigEndian.Uint32(b[:])), 4}
	case addr.Is4In6():
		b := addr.As16()
		return Source{uint64(binary.BigEndian.Uint32(b[12:])), 4}
	case addr.Is6():
		b := addr.As16()
		return Source{binary.BigEndian.Uint64(b[:8]), 6}
	}
	return Source{}
}

// Prefix is s as an address prefix, the zero Prefix for the zero Source.
func (s Source) Prefix() netip.Prefix {
	switch s.family {
	case 4:
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(s.prefix))
		return netip.PrefixFrom(netip.AddrFrom4(b), SourceBits4)
	case 6:
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], s.prefix)
		return netip.PrefixFrom(netip.AddrFrom16(b), SourceBits6)
	}
	return netip.Prefix{}
}

// String is the source in prefix notation, for logs and status pages.
func (s Source) String() string { return s.Prefix().String() }

// Exempt reports whether addr is one that per-source limits leave alone: loopback, private (RFC 1918),
// unique local (RFC 4193) or link-local. Whole test networks share such an address.
func Exempt(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
}
