package sdktest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// Node makes a node with a signed record: its key comes from the number, so that the same number is the same node in every run. It has
// the endpoint, unless that is the zero AddrPort, and the entries.
func Node(number uint32, endpoint netip.AddrPort, entries ...enr.Entry) *enode.Node {
	var secret [32]byte
	copy(secret[:], "sdktest")
	binary.BigEndian.PutUint32(secret[28:], number+1)
	key, err := crypto.ToECDSA(secret[:])
	if err != nil {
		panic(fmt.Sprintf("sdktest: key %d: %v", number, err)) // all of these are keys
	}
	var r enr.Record
	r.SetSeq(1)
	if endpoint.IsValid() {
		if addr := endpoint.Addr().Unmap(); addr.Is4() {
			r.Set(enr.IPv4Addr(addr))
			r.Set(enr.UDP(endpoint.Port()))
		} else {
			r.Set(enr.IPv6Addr(addr))
			r.Set(enr.UDP6(endpoint.Port()))
		}
	}
	for _, e := range entries {
		r.Set(e)
	}
	if err := enode.SignV4(&r, key); err != nil {
		panic(fmt.Sprintf("sdktest: a record of more than 300 bytes: %v", err))
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		panic(fmt.Sprintf("sdktest: %v", err)) // it was signed a line above
	}
	return n
}

// Endpoint is the endpoint that nodes of this package have unless told otherwise: 192.0.2.<number>:30303.
func Endpoint(number uint32) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(number%254) + 1}), 30303)
}
