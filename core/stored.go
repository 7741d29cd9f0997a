package core

import (
	"net/netip"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/protobuf/encoding/protowire"
)

// The values of node/ and seen/ are the protobuf messages StoredNode and StoredContact of the plugin contract.
const (
	storedNodeRecord = 1 // bytes

	storedContactIP     = 1 // bytes, 4 or 16
	storedContactPort   = 2 // uint32
	storedContactSeen   = 3 // uint64, Unix milliseconds
	storedContactRTT    = 4 // uint64, microseconds
	storedContactFirst  = 5 // uint64, Unix milliseconds
	storedContactChecks = 6 // uint32

	storedBanSubject = 1 // string: node id in hex, or address prefix
	storedBanReason  = 2 // string, at most maxStoredReason bytes are read
	storedBanUntil   = 3 // uint64, Unix milliseconds
)

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func encodeStoredNode(record []byte) []byte { return appendBytes(nil, storedNodeRecord, record) }

func encodeStoredContact(c storedContact) []byte {
	b := appendBytes(nil, storedContactIP, c.addr.Addr().AsSlice())
	b = appendUint(b, storedContactPort, uint64(c.addr.Port()))
	b = appendUint(b, storedContactSeen, uint64(c.seen.UnixMilli()))
	b = appendUint(b, storedContactRTT, uint64(c.rtt.Microseconds()))
	if !c.first.IsZero() {
		b = appendUint(b, storedContactFirst, uint64(c.first.UnixMilli()))
	}
	return appendUint(b, storedContactChecks, uint64(c.checks))
}

func encodeStoredBan(ban Ban) []byte {
	b := appendBytes(nil, storedBanSubject, []byte(banSubject(ban)))
	b = appendBytes(b, storedBanReason, []byte(ban.Reason))
	return appendUint(b, storedBanUntil, uint64(ban.Until.UnixMilli()))
}

// maxStoredReason bounds what is taken of a stored reason.
const maxStoredReason = 256

// maxStoredTime is the end of the year 9999, the last that JSON can tell.
var maxStoredTime = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1

// eachField calls each for the fields of a protobuf message. It reports false for what is none.
func eachField(b []byte, each func(field protowire.Number, data []byte, v uint64)) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		switch typ {
		case protowire.BytesType:
			data, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return false
			}
			each(num, data, 0)
			b = b[n:]
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return false
			}
			each(num, nil, v)
			b = b[n:]
		default:
			n := protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return false
			}
			b = b[n:]
		}
	}
	return true
}

func decodeStoredNode(b []byte) (record []byte, ok bool) {
	ok = eachField(b, func(field protowire.Number, data []byte, _ uint64) {
		if field == storedNodeRecord {
			record = data
		}
	})
	return record, ok && len(record) > 0
}

// maxStoredRTT and maxStoredChecks bound what is read of a contact.
const (
	maxStoredRTT    = time.Hour
	maxStoredChecks = 1 << 20
)

// storedContact is when and where a node answered.
type storedContact struct {
	addr   netip.AddrPort // invalid: unknown
	seen   time.Time
	rtt    time.Duration // 0: unknown
	first  time.Time     // since when it is known; zero: unknown
	checks int           // answers in a row
}

func decodeStoredContact(b []byte) (c storedContact, ok bool) {
	var ip netip.Addr
	var port uint64
	ok = eachField(b, func(field protowire.Number, data []byte, v uint64) {
		switch field {
		case storedContactIP:
			ip, _ = netip.AddrFromSlice(data)
		case storedContactPort:
			port = v
		case storedContactSeen:
			c.seen = time.UnixMilli(int64(min(v, uint64(maxStoredTime))))
		case storedContactRTT:
			c.rtt = time.Duration(min(v, uint64(maxStoredRTT.Microseconds()))) * time.Microsecond
		case storedContactFirst:
			c.first = time.UnixMilli(int64(min(v, uint64(maxStoredTime))))
		case storedContactChecks:
			c.checks = int(min(v, maxStoredChecks))
		}
	})
	if ip.IsValid() && port > 0 && port <= 65535 {
		c.addr = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return c, ok && !c.seen.IsZero()
}

func decodeStoredBan(b []byte) (ban Ban, ok bool) {
	subject := ""
	ok = eachField(b, func(field protowire.Number, data []byte, v uint64) {
		switch field {
		case storedBanSubject:
			subject = string(data)
		case storedBanReason:
			ban.Reason = strings.ToValidUTF8(string(data[:min(len(data), maxStoredReason)]), "")
		case storedBanUntil:
			ban.Until = time.UnixMilli(int64(min(v, uint64(maxStoredTime))))
		}
	})
	if id, err := enode.ParseID(subject); err == nil {
		ban.ID = id
	} else if ban.Prefix, err = netip.ParsePrefix(subject); err != nil || ban.Prefix.Addr().Is4In6() {
		return Ban{}, false
	}
	return ban, ok && ban.Validate() == nil
}
