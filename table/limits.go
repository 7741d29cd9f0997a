package table

import "net/netip"

// usable returns addr without 4-in-6 mapping, and whether a packet can be sent there.
func usable(addr netip.AddrPort) (netip.AddrPort, bool) {
	ip := addr.Addr().Unmap()
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || addr.Port() == 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip, addr.Port()), true
}

// groupOf returns the prefix that addr counts for, the zero Prefix if addr is exempt.
func (t *Table) groupOf(addr netip.AddrPort) netip.Prefix {
	ip := addr.Addr()
	if ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
		return netip.Prefix{}
	}
	bits := t.cfg.Limits.PrefixV6
	if ip.Is4() {
		bits = t.cfg.Limits.PrefixV4
	}
	p, _ := ip.Prefix(bits) // Config.Validate bounds the bits.
	return p
}

// allowed reports whether one more node of group fits into the table's budget and into that of bucket b.
// A nil b asks for the table alone.
func (t *Table) allowed(b *bucket, group netip.Prefix) bool {
	if !group.IsValid() {
		return true
	}
	l, n := t.cfg.Limits, t.groups[group]
	if l.Table >= 0 && n >= l.Table {
		return false
	}
	if b == nil || l.Bucket < 0 || n < l.Bucket { // A bucket has no more of a group than the table.
		return true
	}
	return b.count(group) < l.Bucket
}

func (t *Table) take(group netip.Prefix) {
	if group.IsValid() {
		t.groups[group]++
	}
}

func (t *Table) release(group netip.Prefix) {
	if !group.IsValid() {
		return
	}
	if n := t.groups[group]; n > 1 {
		t.groups[group] = n - 1
	} else {
		delete(t.groups, group)
	}
}
