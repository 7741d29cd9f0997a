package link

import (
	"fmt"
	"math/bits"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of the Talk and Filter streams are encoded and decoded here by hand, into and out of the buffers that gRPC
// passes along: generated code costs a handful of objects for each item. They are the same bytes; a test compares them.

// outgoing is a message that is encoded already.
type outgoing struct{ data *[]byte }

// incoming is a message as it came, valid until free.
type incoming struct{ buffer mem.Buffer }

func (m *incoming) bytes() []byte { return m.buffer.ReadOnlyData() }

func (m *incoming) free() {
	if m.buffer != nil {
		m.buffer.Free()
		m.buffer = nil
	}
}

// rawCodec passes outgoing and incoming messages as they are.
type rawCodec struct{}

// forceRaw makes a stream use rawCodec.
var forceRaw grpc.CallOption = grpc.ForceCodecV2(rawCodec{})

// Name is what the messages are encoded in.
func (rawCodec) Name() string { return "proto" }

// Marshal takes the buffer over; it returns to its pool when gRPC has written it.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*outgoing)
	if !ok {
		return nil, fmt.Errorf("link: sent a %T", v)
	}
	data := m.data
	m.data = nil
	return mem.BufferSlice{mem.NewBuffer(data, buffers)}, nil
}

// Unmarshal keeps a reference to the data until the message is freed.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*incoming)
	if !ok {
		return fmt.Errorf("link: received a %T", v)
	}
	m.free()
	m.buffer = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}

// bufferSize is the capacity of a new buffer for a message; larger ones are made by growing, and kept up to maxKept.
const (
	bufferSize = 8 << 10
	maxKept    = 512 << 10
)

// buffers holds buffers of outgoing messages. It is a mem.BufferPool, so that gRPC gives them back.
var buffers = &bufferPool{pool: sync.Pool{New: func() any {
	b := make([]byte, 0, bufferSize)
	return &b
}}}

type bufferPool struct{ pool sync.Pool }

// Get returns an empty buffer with room for at least size bytes.
func (p *bufferPool) Get(size int) *[]byte {
	b := p.pool.Get().(*[]byte)
	if cap(*b) < size {
		*b = make([]byte, 0, size)
	}
	*b = (*b)[:0]
	return b
}

// Put takes a buffer back.
func (p *bufferPool) Put(b *[]byte) {
	if cap(*b) <= maxKept {
		p.pool.Put(b)
	}
}

// Keys of fields: number and wire type.
const (
	key1Varint = 1<<3 | byte(protowire.VarintType)
	key1Bytes  = 1<<3 | byte(protowire.BytesType)
	key2Varint = 2<<3 | byte(protowire.VarintType)
	key2Bytes  = 2<<3 | byte(protowire.BytesType)
	key3Varint = 3<<3 | byte(protowire.VarintType)
	key3Bytes  = 3<<3 | byte(protowire.BytesType)
	key4Varint = 4<<3 | byte(protowire.VarintType)
	key4Bytes  = 4<<3 | byte(protowire.BytesType)
	key5Varint = 5<<3 | byte(protowire.VarintType)
	key5Bytes  = 5<<3 | byte(protowire.BytesType)
)

// varintSize is the encoded size of v.
func varintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// varintField is the size of a varint field with a one-byte key, which is left out when zero.
func varintField(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + varintSize(v)
}

// bytesField is the size of a bytes field with a one-byte key, which is left out when empty.
func bytesField(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + varintSize(uint64(n)) + n
}

func appendVarintField(b []byte, key byte, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(append(b, key), v)
}

func appendBytesField(b []byte, key byte, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return append(protowire.AppendVarint(append(b, key), uint64(len(v))), v...)
}

// fields calls f for every field of a message: v for a varint, data for bytes. It reports false for what is no message, or
// when f does. Groups and fixed-size fields are passed over.
func fields(b []byte, f func(number protowire.Number, v uint64, data []byte) bool) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
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
			if n = protowire.ConsumeFieldValue(number, kind, b); n >= 0 {
				b = b[n:]
				continue
			}
		}
		if n < 0 {
			return false
		}
		b = b[n:]
		if !f(number, v, data) {
			return false
		}
	}
	return true
}
