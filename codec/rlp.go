package codec

import "github.com/ethereum/go-ethereum/rlp"

// go-ethereum's rlp splits without allocating and appends integers; these
// append the rest.

// appendListHeader appends the header of a list whose content is size bytes, < 65536.
func appendListHeader(dst []byte, size int) []byte { return appendRLPHeader(dst, 0xc0, size) }

// appendString appends b as an RLP byte array.
func appendString(dst, b []byte) []byte {
	if len(b) == 1 && b[0] < 0x80 {
		return append(dst, b[0])
	}
	return append(appendRLPHeader(dst, 0x80, len(b)), b...)
}

func appendRLPHeader(dst []byte, kind byte, size int) []byte {
	switch {
	case size < 56:
		return append(dst, kind+byte(size))
	case size < 1<<8:
		return append(dst, kind+56, byte(size))
	default:
		return append(dst, kind+57, byte(size>>8), byte(size))
	}
}

// messageSize is the size of a message whose list content is size bytes.
func messageSize(size int) int { return 1 + int(rlp.ListSize(uint64(size))) }

func stringSize(b []byte) int { return int(rlp.BytesSize(b)) }
