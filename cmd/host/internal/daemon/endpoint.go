package daemon

import (
	"fmt"
	"net/netip"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/fields"
)

// checkPublished refuses to run with the record of another start that leads elsewhere. A record that cannot be saved is not
// published, lest the next start repeats its sequence number, and then the saved one stays: that is all right as long as it
// names where the node is.
func checkPublished(cfg *config.Config, node *core.Node) error {
	failed := node.RecordError()
	if failed == nil {
		return nil
	}
	published := fields.LoadEndpoints(node.Self())
	v4, _ := published.V4.UDPAddr()
	v6, _ := published.V6.UDPAddr()
	for i, named := range []netip.AddrPort{v4, v6} {
		if right, ok := asked(cfg, node.LocalAddrs(), i == 0, named); !ok {
			return hint.Wrap(
				fmt.Errorf("the saved record names %s, this start %s: %w", place(named), place(right), failed),
				fmt.Sprintf("this user must be able to write in the folder %s, which needs space too; choose another one with --data-dir, or start with the old addresses", cfg.DataDir))
		}
	}
	return nil
}

// asked is what the record has to name for a family, and whether named will do.
func asked(cfg *config.Config, local []netip.AddrPort, is4 bool, named netip.AddrPort) (right netip.AddrPort, ok bool) {
	if !named.IsValid() || named.Port() == 0 {
		named = netip.AddrPort{}
	}
	var at netip.AddrPort // the socket of the family
	for _, l := range local {
		if l.Addr().Unmap().Is4() == is4 {
			at = netip.AddrPortFrom(l.Addr().Unmap(), l.Port())
		}
	}
	for _, a := range cfg.Advertise {
		if a.Addr().Unmap().Is4() == is4 {
			right = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
			if a.Port() == 0 {
				right = netip.AddrPortFrom(a.Addr().Unmap(), at.Port())
			}
			return right, named == right
		}
	}
	if !at.IsValid() || !at.Addr().IsUnspecified() {
		return at, named == at
	}
	// Nobody knows yet what peers will report for this socket. What they reported last time is as good as ever when they may
	// change it, or when it has the same port.
	return at, !named.IsValid() || cfg.AutoUpdate || named.Port() == at.Port()
}

func place(at netip.AddrPort) string {
	if !at.IsValid() {
		return "no address"
	}
	return at.String()
}
