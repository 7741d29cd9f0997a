package expr

import (
	"fmt"
	"net/netip"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// networks are prefixes of addresses, IPv4 ones unmapped.
type networks []netip.Prefix

func (n networks) contains(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// networksOf reads a network or a list of them.
func networksOf(v ref.Val) (networks, error) {
	if s, ok := v.(types.String); ok {
		p, err := network(string(s))
		return networks{p}, err
	}
	list, ok := v.(traits.Lister)
	if !ok {
		return nil, errOpaque
	}
	var out networks
	for it := list.Iterator(); it.HasNext() == types.True; {
		s, ok := it.Next().(types.String)
		if !ok {
			return nil, errOpaque
		}
		p, err := network(string(s))
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// network reads "10.0.0.0/8", or an address, which is a network of its own. Bits after the prefix
// are an error: more often than not, they tell a mistake.
func network(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf(`%+q is not a network such as "10.0.0.0/8"`, clip(s))
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf(`%+q is not a network such as "10.0.0.0/8"`, clip(s))
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%+q is neither of IPv4 nor of IPv6", clip(s))
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if m := p.Masked(); m != p {
		return netip.Prefix{}, fmt.Errorf("%+q has bits after its prefix: write %q", clip(s), m)
	}
	return p, nil
}

// clip shortens text for an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
