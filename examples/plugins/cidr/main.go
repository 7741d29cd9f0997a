package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

func main() { sdk.Serve(plugin()) }

func plugin() sdk.Plugin {
	f := new(filter)
	return &sdk.FilterPlugin{
		Info:   sdk.Info{Name: "cidr", Version: "1.0.0", Summary: "Accepts nodes by the IP addresses in their records."},
		Config: f,
		Filter: f,
	}
}

// filter is the plugin's config block and what it says.
type filter struct {
	Allow []string `hcl:"allow,optional" doc:"ranges such as \"203.0.113.0/24\"; none: every address"`
	Deny  []string `hcl:"deny,optional" doc:"ranges whose nodes are rejected, allowed or not"`

	allow, deny []netip.Prefix
}

// Validate reads the ranges.
func (f *filter) Validate() error {
	var allowErr, denyErr error
	f.allow, allowErr = parse("allow", f.Allow)
	f.deny, denyErr = parse("deny", f.Deny)
	return errors.Join(allowErr, denyErr)
}

func parse(name string, texts []string) (prefixes []netip.Prefix, err error) {
	for _, text := range texts {
		p, parseErr := netip.ParsePrefix(text)
		if parseErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %q is no range such as 203.0.113.0/24 or 2001:db8::/32", name, text))
			continue
		}
		prefixes = append(prefixes, p.Masked())
	}
	return prefixes, err
}

// Decide decides about each node for itself.
func (f *filter) Decide(_ context.Context, _ sdk.Stage, nodes []*enode.Node, out []sdk.Verdict) error {
	for i, n := range nodes {
		out[i] = f.decide(n)
	}
	return nil
}

// decide rejects a node if one of its addresses is denied, or none is allowed.
func (f *filter) decide(n *enode.Node) sdk.Verdict {
	var addrs []netip.Addr
	var v4 enr.IPv4Addr
	if n.Load(&v4) == nil {
		addrs = append(addrs, netip.Addr(v4))
	}
	var v6 enr.IPv6Addr
	if n.Load(&v6) == nil {
		addrs = append(addrs, netip.Addr(v6).Unmap())
	}
	in := func(prefixes []netip.Prefix) bool {
		return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return slices.ContainsFunc(addrs, p.Contains) })
	}
	switch {
	case len(addrs) == 0:
		return sdk.Rejected("no_address")
	case in(f.deny):
		return sdk.Rejected("denied")
	case len(f.allow) > 0 && !in(f.allow):
		return sdk.Rejected("not_allowed")
	}
	return sdk.Accepted()
}
