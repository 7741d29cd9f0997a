package sdk

import (
	"errors"
	"math/bits"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec of all other messages
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of Talk.Serve are decoded and encoded here by hand: generated code makes several objects for each item. They are the same
// bytes; a test compares them.

// talkPeerIn, talkRequestIn and talkBatchIn are TalkPeer, TalkRequest and TalkRequests as they came. Their slices belong to the message.
type talkPeerIn struct {
	number, port   uint32
	id, ip, record []byte
}

type talkRequestIn struct {
	id                           uint64
	peer, protocol, timeoutMicro uint32
	payload                      []byte
}

type talkBatchIn struct {
	peers     []talkPeerIn
	requests  []talkRequestIn
	cancelled []uint64
	buffer    mem.Buffer
}

// free gives the message back. Its slices are kept for the next one.
func (m *talkBatchIn) free() {
	if m.buffer != nil {
		m.buffer.Free()
		m.buffer = nil
	}
	if max(cap(m.peers), cap(m.requests), cap(m.cancelled)) > maxInFlight {
		*m = talkBatchIn{} // it was unusually large
		return
	}
	clear(m.peers)
	clear(m.requests)
	m.peers, m.requests, m.cancelled = m.peers[:0], m.requests[:0], m.cancelled[:0]
}

// parse decodes a message. It reports false for what is none.
func (m *talkBatchIn) parse(b []byte) bool {
	return talkFields(b, func(number protowire.Number, kind protowire.Type, v uint64, data []byte) bool {
		switch {
		case number == 1 && kind == protowire.BytesType:
			m.peers = append(m.peers, talkPeerIn{})
			return m.peers[len(m.peers)-1].parse(data)
		case number == 2 && kind == protowire.BytesType:
			m.requests = append(m.requests, talkRequestIn{})
			return m.requests[len(m.requests)-1].parse(data)
		case number == 3 && kind == protowire.VarintType:
			m.cancelled = append(m.cancelled, v)
		case number == 3 && kind == protowire.BytesType:
			for len(data) > 0 {
				id, n := protowire.ConsumeVarint(data)
				if n < 0 {
					return false
				}
				m.cancelled, data = append(m.cancelled, id), data[n:]
			}
		}
		return true
	})
}

func (p *talkPeerIn) parse(b []byte) bool {
	return talkFields(b, func(number protowire.Number, kind protowire.Type, v uint64, data []byte) bool {
		switch {
		case number == 1 && kind == protowire.VarintType:
			p.number = uint32(v)
		case number == 2 && kind == protowire.BytesType:
			p.id = data
		case number == 3 && kind == protowire.BytesType:
			p.ip = data
		case number == 4 && kind == protowire.VarintType:
			p.port = uint32(v)
		case number == 5 && kind == protowire.BytesType:
			p.record = data
		}
		return true
	})
}

func (r *talkRequestIn) parse(b []byte) bool {
	return talkFields(b, func(number protowire.Number, kind protowire.Type, v uint64, data []byte) bool {
		switch {
		case number == 1 && kind == protowire.VarintType:
			r.id = v
		case number == 2 && kind == protowire.VarintType:
			r.peer = uint32(v)
		case number == 3 && kind == protowire.VarintType:
			r.protocol = uint32(v)
		case number == 4 && kind == protowire.BytesType:
			r.payload = data
		case number == 5 && kind == protowire.VarintType:
			r.timeoutMicro = uint32(v)
		}
		return true
	})
}

// talkFields calls f for every varint and every bytes of a message, and passes over other fields. It reports false for what is no
// message, or when f does.
func talkFields(b []byte, f func(number protowire.Number, kind protowire.Type, v uint64, data []byte) bool) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 || number > protowire.MaxValidNumber {
			return false
		}
		b = b[n:]
		var v uint64
		var data []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		default:
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return false
			}
			b = b[n:]
			continue
		}
		if n < 0 || !f(number, kind, v, data) {
			return false
		}
		b = b[n:]
	}
	return true
}

// talkAnswer is a TalkResponse that waits to go out.
type talkAnswer struct {
	id      uint64
	payload []byte
	fault   string // valid UTF-8
}

func varintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// size is that of the item without its key and length.
func (a *talkAnswer) size() (n int) {
	if a.id != 0 {
		n = 1 + varintSize(a.id)
	}
	if l := len(a.payload); l > 0 {
		n += 1 + varintSize(uint64(l)) + l
	}
	if l := len(a.fault); l > 0 {
		n += 1 + varintSize(uint64(l)) + l
	}
	return n
}

// talkBatchOut is a TalkResponses that is encoded already.
type talkBatchOut struct{ data *[]byte }

// encodeTalk encodes answers into a buffer of gRPC's pool.
func encodeTalk(batch []talkAnswer) *talkBatchOut {
	total := 0
	for i := range batch {
		n := batch[i].size()
		total += 1 + varintSize(uint64(n)) + n
	}
	data := mem.DefaultBufferPool().Get(total)
	b := (*data)[:0]
	for i := range batch {
		a := &batch[i]
		b = protowire.AppendVarint(append(b, 1<<3|byte(protowire.BytesType)), uint64(a.size()))
		if a.id != 0 {
			b = protowire.AppendVarint(append(b, 1<<3|byte(protowire.VarintType)), a.id)
		}
		if len(a.payload) > 0 {
			b = protowire.AppendBytes(append(b, 2<<3|byte(protowire.BytesType)), a.payload)
		}
		if len(a.fault) > 0 {
			b = protowire.AppendString(append(b, 3<<3|byte(protowire.BytesType)), a.fault)
		}
	}
	*data = b
	return &talkBatchOut{data}
}

var errNoBatch = errors.New("it is no TalkRequests")

// codec passes the two messages above as they are, and all others to generated code.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal takes over the buffer of a talkBatchOut; it returns to its pool when gRPC has written it.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*talkBatchOut)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	return mem.BufferSlice{mem.NewBuffer(m.data, mem.DefaultBufferPool())}, nil
}

// Unmarshal lets a talkBatchIn refer to the data until it is freed.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*talkBatchIn)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	m.free()
	m.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	if !m.parse(m.buffer.ReadOnlyData()) {
		return errNoBatch
	}
	return nil
}
