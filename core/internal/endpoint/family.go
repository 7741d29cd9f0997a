package endpoint

import "net/netip"

// Family is an address family.
type Family uint8

const (
	IPv4 Family = iota
	IPv6
	families = 2
)

// FamilyOf is the family of addr; a 4-in-6 address is IPv4. It is false for the invalid address.
func FamilyOf(addr netip.Addr) (Family, bool) {
	switch {
	case addr.Is4(), addr.Is4In6():
		return IPv4, true
	case addr.Is6():
		return IPv6, true
	}
	return 0, false
}

// String is "ipv4" or "ipv6".
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4"
	case IPv6:
		return "ipv6"
	}
	return "unknown family"
}
