package link

import (
	"math"
	"net/netip"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/protobuf/encoding/protowire"
)

// appendTalkPeer appends an item of TalkRequests.peers.
func appendTalkPeer(b []byte, number uint32, id enode.ID, addr netip.AddrPort, record []byte) []byte {
	ip := addr.Addr().Unmap().As16()
	host := ip[:]
	if addr.Addr().Unmap().Is4() {
		host = ip[12:]
	}
	size := varintField(uint64(number)) + bytesField(len(id)) + bytesField(len(host)) + varintField(uint64(addr.Port())) + bytesField(len(record))
	b = protowire.AppendVarint(append(b, key1Bytes), uint64(size))
	b = appendVarintField(b, key1Varint, uint64(number))
	b = appendBytesField(b, key2Bytes, id[:])
	b = appendBytesField(b, key3Bytes, host)
	b = appendVarintField(b, key4Varint, uint64(addr.Port()))
	return appendBytesField(b, key5Bytes, record)
}

// appendTalkRequest appends an item of TalkRequests.requests.
func appendTalkRequest(b []byte, id uint64, peer, protocol uint32, payload []byte, timeout time.Duration) []byte {
	us := uint64(min(max(timeout.Microseconds(), 1), math.MaxUint32))
	size := varintField(id) + varintField(uint64(peer)) + varintField(uint64(protocol)) + bytesField(len(payload)) + varintField(us)
	b = protowire.AppendVarint(append(b, key2Bytes), uint64(size))
	b = appendVarintField(b, key1Varint, id)
	b = appendVarintField(b, key2Varint, uint64(peer))
	b = appendVarintField(b, key3Varint, uint64(protocol))
	b = appendBytesField(b, key4Bytes, payload)
	return appendVarintField(b, key5Varint, us)
}

// appendTalkCancelled appends TalkRequests.cancelled.
func appendTalkCancelled(b []byte, ids []uint64) []byte {
	if len(ids) == 0 {
		return b
	}
	size := 0
	for _, id := range ids {
		size += varintSize(id)
	}
	b = protowire.AppendVarint(append(b, key3Bytes), uint64(size))
	for _, id := range ids {
		b = protowire.AppendVarint(b, id)
	}
	return b
}

// talkResponse is a TalkResponse; its slices belong to the message.
type talkResponse struct {
	id      uint64
	payload []byte
	failure []byte
}

// nextTalkResponse cuts an item off TalkResponses. It reports false when b is garbage; an item of a field that is not known
// is passed over, and the response is zero when none is left.
func nextTalkResponse(b []byte) (r talkResponse, rest []byte, ok bool) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return r, nil, false
		}
		if number != 1 || kind != protowire.BytesType {
			m := protowire.ConsumeFieldValue(number, kind, b[n:])
			if m < 0 {
				return r, nil, false
			}
			b = b[n+m:]
			continue
		}
		item, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			return r, nil, false
		}
		ok = fields(item, func(number protowire.Number, v uint64, data []byte) bool {
			switch {
			case number == 1 && data == nil:
				r.id = v
			case number == 2:
				r.payload = data
			case number == 3:
				r.failure = data
			}
			return true
		})
		return r, b[n+m:], ok
	}
	return r, nil, true
}
