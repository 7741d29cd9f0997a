package crawl

import (
	"net/netip"

	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// A record is kept as its RLP, which takes a quarter of the memory of a decoded one.

// encode returns the RLP of a record.
func encode(n *enode.Node) []byte {
	b, err := rlp.EncodeToBytes(n.Record())
	if err != nil {
		return nil // a node has a signed record, which encodes
	}
	return b
}

// verified is the identity scheme of records whose signature was checked when they came.
type verified struct{ enode.V4ID }

// Verify accepts every signature.
func (verified) Verify(*enr.Record, []byte) error { return nil }

var trusted = enr.SchemeMap{"v4": verified{}}

// decode returns the node of a record that encode returned.
func decode(b []byte) (*enode.Node, error) {
	var r enr.Record
	if err := rlp.DecodeBytes(b, &r); err != nil {
		return nil, err
	}
	return enode.New(trusted, &r)
}

// addresses returns where a node can be asked, IPv4 first.
func addresses(n *enode.Node) []netip.AddrPort {
	var all []netip.AddrPort
	e := fields.LoadEndpoints(n)
	for _, p := range []fields.Endpoint{e.V4, e.V6} {
		at, ok := p.UDPAddr()
		if !ok || at.Addr().IsUnspecified() || at.Addr().IsMulticast() {
			continue
		}
		all = append(all, netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
	}
	return all
}
