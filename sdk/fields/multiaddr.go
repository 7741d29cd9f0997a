package fields

import (
	"encoding/binary"
	"io"
	"math"
	"math/big"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/rlp"
)

// Multiaddr is an address in binary multiaddr form. Specification: multiformats/multiaddr.
type Multiaddr []byte

// Multiaddrs is the "multiaddrs" key of Waku nodes: further addresses of the node, each with
// its length as a big-endian uint16 before it. Specification: waku standards/core/enr.md.
type Multiaddrs []Multiaddr

// ENRKey returns "multiaddrs".
func (Multiaddrs) ENRKey() string { return "multiaddrs" }

// EncodeRLP writes the addresses with their lengths. It fails above 65,535 bytes in one.
func (v Multiaddrs) EncodeRLP(w io.Writer) error {
	var b []byte
	for _, a := range v {
		if len(a) > math.MaxUint16 {
			return bad("multiaddrs", ProblemLength, "an address of %d bytes, want at most %d", len(a), math.MaxUint16)
		}
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(a))), a...)
	}
	return writeRaw(w, appendString(nil, b))
}

// DecodeRLP reads the value as node.Load does. The addresses themselves are not checked: one of
// an unknown protocol does not hide the others.
func (v *Multiaddrs) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Multiaddrs) decode(raw []byte) error {
	b, err := str("multiaddrs", raw)
	if err != nil {
		return err
	}
	out := Multiaddrs{}
	for len(b) > 0 {
		if len(b) < 2 {
			return bad("multiaddrs", ProblemLength, "one byte left, want a length of 2")
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) {
			return bad("multiaddrs", ProblemLength, "an address of %d bytes, %d left", n, len(b))
		}
		out = append(out, append(Multiaddr(nil), b[:n]...))
		b = b[n:]
	}
	*v = out
	return nil
}

// String lists the addresses in text form.
func (v Multiaddrs) String() string {
	if len(v) == 0 {
		return "none"
	}
	parts := make([]string, len(v))
	for i, a := range v {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}

// varSize marks a protocol whose value has its length before it.
const varSize = -1

// protocols are the multicodec numbers that appear in records.
var protocols = map[uint64]struct {
	name string
	size int // of the value in bytes
	text func([]byte) string
}{
	4:   {"ip4", 4, addrText},
	6:   {"tcp", 2, portText},
	41:  {"ip6", 16, addrText},
	42:  {"ip6zone", varSize, nameText},
	53:  {"dns", varSize, nameText},
	54:  {"dns4", varSize, nameText},
	55:  {"dns6", varSize, nameText},
	56:  {"dnsaddr", varSize, nameText},
	273: {"udp", 2, portText},
	290: {"p2p-circuit", 0, nil},
	421: {"p2p", varSize, peerText},
	448: {"tls", 0, nil},
	449: {"sni", varSize, nameText},
	460: {"quic", 0, nil},
	461: {"quic-v1", 0, nil},
	465: {"webtransport", 0, nil},
	477: {"ws", 0, nil},
	478: {"wss", 0, nil},
}

// String returns the text form, "/ip4/192.0.2.1/tcp/9000/ws". The result is ASCII without
// spaces. From a protocol that is not known, or a damaged one, on, the rest is one hex part:
// "/ip4/192.0.2.1/0x…". An empty address is "/".
func (a Multiaddr) String() string {
	var s strings.Builder
	for b := []byte(a); len(b) > 0; {
		part, rest, ok := protocolText(b)
		if !ok {
			return s.String() + "/" + hexString(b)
		}
		s.WriteString(part)
		b = rest
	}
	if s.Len() == 0 {
		return "/"
	}
	return s.String()
}

// MarshalText returns what String does.
func (a Multiaddr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// protocolText returns the text of the first protocol of b and the bytes after it.
func protocolText(b []byte) (text string, rest []byte, ok bool) {
	code, n := binary.Uvarint(b)
	if n <= 0 {
		return "", nil, false
	}
	p, known := protocols[code]
	if !known {
		return "", nil, false
	}
	b = b[n:]
	size := uint64(p.size)
	if p.size == varSize {
		if size, n = binary.Uvarint(b); n <= 0 {
			return "", nil, false
		}
		b = b[n:]
	}
	if size > uint64(len(b)) {
		return "", nil, false
	}
	text = "/" + p.name
	if p.text != nil {
		text += "/" + p.text(b[:size])
	}
	return text, b[size:], true
}

func addrText(b []byte) string {
	a, _ := netip.AddrFromSlice(b) // 4 or 16 bytes, by the table
	return a.String()
}

func portText(b []byte) string { return strconv.Itoa(int(binary.BigEndian.Uint16(b))) }

// nameText shows a name as it is if it is made of what names are made of, and as hex otherwise,
// so that it can neither end the part nor disturb a terminal.
func nameText(b []byte) string {
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '*':
		default:
			return hexString(b)
		}
	}
	return string(b)
}

// maxPeerID bounds the conversion to base 58, whose cost grows with the square of the length.
// Peer ids have at most 42 bytes.
const maxPeerID = 128

// peerText shows a peer id in its usual form, and one of absurd length as hex.
func peerText(b []byte) string {
	if len(b) > maxPeerID {
		return hexString(b)
	}
	return base58(b)
}

const base58Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58 is the Bitcoin form, in which peer ids are written: each leading zero byte is a 1.
func base58(b []byte) string {
	var out []byte
	num, mod, radix := new(big.Int).SetBytes(b), new(big.Int), big.NewInt(58)
	for num.Sign() > 0 {
		num.DivMod(num, radix, mod)
		out = append(out, base58Alphabet[mod.Int64()])
	}
	for i := 0; i < len(b) && b[i] == 0; i++ {
		out = append(out, base58Alphabet[0])
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}
