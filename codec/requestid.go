package codec

import (
	"encoding/hex"

	"github.com/ethereum/go-ethereum/rlp"
)

// RequestID ties a response to its request. It holds 0 to 8 bytes exactly as
// they were, so that 0x01 and 0x0001 differ. It is comparable and serves as a
// map key; the zero value is the empty id.
type RequestID struct {
	bytes [MaxRequestIDSize]byte // zero behind size
	size  uint8
}

// NewRequestID returns b as a request id. More than MaxRequestIDSize bytes are
// ErrRequestIDSize.
func NewRequestID(b []byte) (RequestID, error) {
	if len(b) > MaxRequestIDSize {
		return RequestID{}, ErrRequestIDSize
	}
	var id RequestID
	id.size = uint8(copy(id.bytes[:], b))
	return id, nil
}

// Len returns the number of bytes, 0 to 8.
func (id RequestID) Len() int { return int(id.size) }

// Append appends the bytes of the id to dst.
func (id RequestID) Append(dst []byte) []byte { return append(dst, id.bytes[:id.size]...) }

// Bytes returns a copy of the bytes.
func (id RequestID) Bytes() []byte { return id.Append(nil) }

// String returns the id in hexadecimal, without a prefix.
func (id RequestID) String() string { return hex.EncodeToString(id.bytes[:id.size]) }

func (id RequestID) encodedSize() int { return stringSize(id.bytes[:id.size]) }

func (id RequestID) appendRLP(dst []byte) []byte { return appendString(dst, id.bytes[:id.size]) }

// splitRequestID splits the message data behind the type into the request id,
// which every message begins with, and the fields that follow.
func splitRequestID(body []byte) (id RequestID, fields []byte, err error) {
	content, rest, err := rlp.SplitList(body)
	if err != nil {
		return RequestID{}, nil, ErrMessage
	}
	if len(rest) != 0 {
		return RequestID{}, nil, ErrTrailingBytes
	}
	b, fields, err := rlp.SplitString(content)
	if err != nil {
		return RequestID{}, nil, ErrMessage
	}
	id, err = NewRequestID(b)
	if err != nil {
		return RequestID{}, nil, err
	}
	return id, fields, nil
}

// checkExtra checks what follows the known fields of a message: nothing, or
// well-formed elements of a later version of the protocol.
func checkExtra(fields []byte) error {
	if len(fields) == 0 {
		return nil
	}
	if _, err := rlp.CountValues(fields); err != nil {
		return ErrMessage
	}
	return nil
}
