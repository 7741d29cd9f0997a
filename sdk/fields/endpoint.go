package fields

import (
	"math"
	"net/netip"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// Endpoint is one address of a node and its ports. The zero value of each part says that the
// record does not have it.
type Endpoint struct {
	IP   netip.Addr `json:"ip"`
	UDP  uint16     `json:"udp,omitempty"`
	TCP  uint16     `json:"tcp,omitempty"`
	QUIC uint16     `json:"quic,omitempty"` // UDP port of QUIC
}

// UDPAddr returns the address that discovery packets go to, and false without address or port.
func (e Endpoint) UDPAddr() (netip.AddrPort, bool) {
	return netip.AddrPortFrom(e.IP, e.UDP), e.IP.IsValid() && e.UDP != 0
}

// Endpoints are the addresses of a record, by family. V6.IP is as the record has it, an IPv4
// address mapped into IPv6 included.
type Endpoints struct {
	V4 Endpoint `json:"v4"`
	V6 Endpoint `json:"v6"`
}

// LoadEndpoints reads ip, udp, tcp, quic and ip6, udp6, tcp6, quic6; what is damaged is absent.
// EIP-778: where udp6 or tcp6 is missing, udp or tcp "applies to both IP addresses". There is
// no such rule for quic6.
func LoadEndpoints(src Source) Endpoints {
	var e Endpoints
	e.V4.IP = loadAddr[enr.IPv4Addr](src)
	e.V6.IP = loadAddr[enr.IPv6Addr](src)
	e.V4.UDP = loadPort[enr.UDP](src)
	e.V4.TCP = loadPort[enr.TCP](src)
	e.V4.QUIC = loadPort[enr.QUIC](src)
	if !e.V6.IP.IsValid() {
		return e.without4()
	}
	if e.V6.UDP = loadPort[enr.UDP6](src); e.V6.UDP == 0 {
		e.V6.UDP = e.V4.UDP
	}
	if e.V6.TCP = loadPort[enr.TCP6](src); e.V6.TCP == 0 {
		e.V6.TCP = e.V4.TCP
	}
	e.V6.QUIC = loadPort[enr.QUIC6](src)
	return e.without4()
}

// without4 drops ports of IPv4 that have no address, whose use for IPv6 is over.
func (e Endpoints) without4() Endpoints {
	if !e.V4.IP.IsValid() {
		e.V4 = Endpoint{}
	}
	return e
}

func loadAddr[T enr.IPv4Addr | enr.IPv6Addr, P interface {
	*T
	enr.Entry
}](src Source) netip.Addr {
	v, err := Load[T, P](src)
	if err != nil {
		return netip.Addr{}
	}
	return netip.Addr(v)
}

func loadPort[T ~uint16, P interface {
	*T
	enr.Entry
}](src Source) uint16 {
	v, err := Load[T, P](src)
	if err != nil {
		return 0
	}
	return uint16(v)
}

// port reads an RLP uint16 as go-ethereum does: leading zeros are damage, because no node
// that reads records that way can be reached through such a port.
func port(key string, raw []byte) (uint16, error) {
	v, err := unsigned(key, raw, math.MaxUint16)
	if err != nil {
		return 0, err
	}
	var strict uint16
	if err := rlp.DecodeBytes(raw, &strict); err != nil {
		return 0, bad(key, ProblemValue, "leading zeros")
	}
	return uint16(v), nil
}

// address reads an IP address of n bytes.
func address(key string, raw []byte, n int) (netip.Addr, error) {
	b, err := fixed(key, raw, n)
	if err != nil {
		return netip.Addr{}, err
	}
	a, _ := netip.AddrFromSlice(b) // 4 or 16 bytes
	return a, nil
}

// publicKey checks a compressed secp256k1 key and returns its hex digits.
func publicKey(key string, raw []byte) (string, error) {
	b, err := fixed(key, raw, 33)
	if err != nil {
		return "", err
	}
	var pub enode.Secp256k1
	if err := rlp.DecodeBytes(raw, &pub); err != nil {
		return "", bad(key, ProblemValue, "not a point of the curve")
	}
	return hexString(b), nil
}
