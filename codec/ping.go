package codec

import (
	"math"
	"net/netip"

	"github.com/ethereum/go-ethereum/rlp"
)

// Ping asks whether the recipient is alive.
type Ping struct {
	RequestID RequestID
	ENRSeq    uint64 // sequence number of the sender's record
}

// Pong answers a Ping.
type Pong struct {
	RequestID RequestID
	ENRSeq    uint64 // sequence number of the sender's record
	// Recipient is where the Ping came from, as the sender of the Pong saw it.
	// A parsed IPv4 address is never in its IPv6 form. The port may be 0.
	Recipient netip.AddrPort
}

// ParsePing parses the data of a PING. It fails with ErrMessage,
// ErrRequestIDSize or ErrTrailingBytes, as all its siblings do; elements beyond
// the known ones are ignored.
//
//	message-data = [request-id, enr-seq]
func ParsePing(body []byte) (Ping, error) {
	id, fields, err := splitRequestID(body)
	if err != nil {
		return Ping{}, err
	}
	seq, fields, err := rlp.SplitUint64(fields)
	if err != nil {
		return Ping{}, ErrMessage
	}
	if err := checkExtra(fields); err != nil {
		return Ping{}, err
	}
	return Ping{id, seq}, nil
}

// Append appends the message, type included.
func (m Ping) Append(dst []byte) []byte {
	dst = appendHead(dst, PingType, m.RequestID.encodedSize()+rlp.IntSize(m.ENRSeq), m.RequestID)
	return rlp.AppendUint64(dst, m.ENRSeq)
}

// ParsePong parses the data of a PONG; see ParsePing for the errors. A
// recipient-ip of neither 4 nor 16 bytes is ErrRecipientIP.
//
//	message-data = [request-id, enr-seq, recipient-ip, recipient-port]
func ParsePong(body []byte) (Pong, error) {
	id, fields, err := splitRequestID(body)
	if err != nil {
		return Pong{}, err
	}
	seq, fields, err := rlp.SplitUint64(fields)
	if err != nil {
		return Pong{}, ErrMessage
	}
	ip, fields, err := rlp.SplitString(fields)
	if err != nil {
		return Pong{}, ErrMessage
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return Pong{}, ErrRecipientIP
	}
	port, fields, err := rlp.SplitUint64(fields)
	if err != nil || port > math.MaxUint16 {
		return Pong{}, ErrMessage
	}
	if err := checkExtra(fields); err != nil {
		return Pong{}, err
	}
	return Pong{id, seq, netip.AddrPortFrom(addr.Unmap(), uint16(port))}, nil
}

// Append appends the message, type included. An IPv4 address in IPv6 form is
// written as 4 bytes, an invalid one as 16 zeros.
func (m Pong) Append(dst []byte) []byte {
	addr, port := m.Recipient.Addr().Unmap(), uint64(m.Recipient.Port())
	ipSize := 16
	if addr.Is4() {
		ipSize = 4
	}
	dst = appendHead(dst, PongType,
		m.RequestID.encodedSize()+rlp.IntSize(m.ENRSeq)+1+ipSize+rlp.IntSize(port), m.RequestID)
	dst = rlp.AppendUint64(dst, m.ENRSeq)
	dst = append(dst, 0x80+byte(ipSize))
	if ip := addr.As16(); addr.Is4() {
		dst = append(dst, ip[12:]...)
	} else {
		dst = append(dst, ip[:]...)
	}
	return rlp.AppendUint64(dst, port)
}
