package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/discv5/host/sdk/fields"
)

// Endpoint is an address to publish. Port 0 stands for the port that is listened on.
type Endpoint struct{ netip.AddrPort }

// UnmarshalText accepts an IP address with or without a port.
func (e *Endpoint) UnmarshalText(text []byte) error {
	s := string(text)
	ap, err := netip.ParseAddrPort(s)
	if err == nil && ap.Port() == 0 {
		return hint.New(fmt.Sprintf("%q has port 0", s), "leave the port out to publish the port that is listened on")
	}
	if err != nil {
		ip, ipErr := netip.ParseAddr(strings.Trim(s, "[]"))
		if ipErr != nil {
			return hint.New(fmt.Sprintf("%q is not ip or ip:port", s), `write the public IP address, for example "203.0.113.7" or "203.0.113.7:9000"`)
		}
		ap = netip.AddrPortFrom(ip, 0)
	}
	ip := ap.Addr().Unmap()
	if ip.IsUnspecified() || ip.IsMulticast() || ip == broadcast || ip.Zone() != "" {
		return hint.New(fmt.Sprintf("%q is not an address that others can send to", s), "write the public IP address of this host")
	}
	e.AddrPort = netip.AddrPortFrom(ip, ap.Port())
	return nil
}

// broadcast is everybody on a link, and nobody.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// MarshalText returns the form that UnmarshalText reads.
func (e Endpoint) MarshalText() ([]byte, error) {
	if e.Port() == 0 {
		return e.Addr().MarshalText()
	}
	return e.AddrPort.MarshalText()
}

// protocolIDSize is the length of protocol-id: "header = static-header || authdata; static-header = protocol-id || …",
// with `protocol-id = "discv5"` (discv5-wire.md, Packet Encoding).
const protocolIDSize = 6

// ProtocolID is the protocol-id field of a packet header: 6 bytes.
type ProtocolID string

// UnmarshalText accepts any text of 6 bytes.
func (p *ProtocolID) UnmarshalText(text []byte) error {
	if len(text) != protocolIDSize {
		return hint.New(fmt.Sprintf("%q has %d bytes", text, len(text)), fmt.Sprintf("a protocol id has exactly %d bytes, like \"discv5\"", protocolIDSize))
	}
	*p = ProtocolID(text)
	return nil
}

func checkListen(s string) error {
	ap, err := netip.ParseAddrPort(s)
	if err == nil {
		if ap.Addr().IsMulticast() || ap.Addr().Unmap() == broadcast {
			return hint.New(fmt.Sprintf("%q is a multicast or broadcast address", s), "listen on an address of this machine")
		}
		return nil
	}
	err = fmt.Errorf("%q is not ip:port", s)
	if ip, ipErr := netip.ParseAddr(strings.Trim(s, "[]")); ipErr == nil {
		return hint.Wrap(err, fmt.Sprintf("add a port: %q", netip.AddrPortFrom(ip, 9000)))
	}
	if port, found := strings.CutPrefix(s, ":"); found {
		return hint.Wrap(err, fmt.Sprintf("write \"0.0.0.0:%s\" for all IPv4 addresses, \"[::]:%s\" for all IPv6 addresses", port, port))
	}
	return hint.Wrap(err, `write an IP address and a port, like "0.0.0.0:9000" or "[::]:9000"; names are not looked up`)
}

// maxENRText is the length of "enr:" and the base64 of 300 bytes, the largest record ("The maximum encoded size of a node
// record is 300 bytes", EIP-778).
const maxENRText = 4 + 400

func checkENR(s string) error {
	shown := s
	if len(shown) > 24 {
		shown = shown[:24] + "…"
	}
	if len(s) > maxENRText {
		return hint.New(fmt.Sprintf("%q is longer than a node record can be", shown), "one record per element")
	}
	n, err := fields.Parse(s)
	if err != nil {
		return hint.Wrap(fmt.Errorf("%q is not a node record: %w", shown, err), "copy the whole record again; host enr TEXT explains what is in it")
	}
	if _, ok := n.UDPEndpoint(); !ok {
		return hint.Wrap(errors.New("the record "+shown+" has no UDP address"), "ask its operator for a record with an address")
	}
	return nil
}
