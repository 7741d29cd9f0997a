package fields

import (
	"io"

	"github.com/ethereum/go-ethereum/rlp"
)

// maxElements bounds how many elements of an RLP list are looked at. A record has at most
// 300 bytes, so no valid one comes near.
const maxElements = 300

// decodeStream hands the raw value that s stands at to decode.
func decodeStream(s *rlp.Stream, decode func(raw []byte) error) error {
	raw, err := s.Raw()
	if err != nil {
		return err
	}
	return decode(raw)
}

// writeRaw writes an encoded value, which is what rlp.Encoder asks for.
func writeRaw(w io.Writer, raw []byte) error {
	_, err := w.Write(raw)
	return err
}

// str returns the content of an RLP string that fills raw.
func str(key string, raw []byte) ([]byte, error) {
	kind, content, rest, err := rlp.Split(raw)
	switch {
	case err != nil:
		return nil, rlpError(key, err)
	case len(rest) > 0:
		return nil, bad(key, ProblemRLP, "%d bytes after the value", len(rest))
	case kind == rlp.List:
		return nil, bad(key, ProblemKind, "a list, want a byte string")
	}
	return content, nil
}

// fixed returns the content of an RLP string of exactly n bytes.
func fixed(key string, raw []byte, n int) ([]byte, error) {
	b, err := str(key, raw)
	if err != nil {
		return nil, err
	}
	if len(b) != n {
		return nil, bad(key, ProblemLength, "%d bytes, want %d", len(b), n)
	}
	return b, nil
}

// list returns the raw elements of an RLP list that fills raw, at least atLeast of them.
func list(key string, raw []byte, atLeast int) ([][]byte, error) {
	kind, content, rest, err := rlp.Split(raw)
	switch {
	case err != nil:
		return nil, rlpError(key, err)
	case len(rest) > 0:
		return nil, bad(key, ProblemRLP, "%d bytes after the value", len(rest))
	case kind != rlp.List:
		return nil, bad(key, ProblemKind, "a byte string, want a list")
	}
	var elems [][]byte
	for len(content) > 0 {
		if len(elems) == maxElements {
			return nil, bad(key, ProblemLength, "more than %d elements", maxElements)
		}
		_, _, rest, err := rlp.Split(content)
		if err != nil {
			return nil, rlpError(key, err)
		}
		elems = append(elems, content[:len(content)-len(rest)])
		content = rest
	}
	if len(elems) < atLeast {
		return nil, bad(key, ProblemLength, "%d elements, want %d", len(elems), atLeast)
	}
	return elems, nil
}

// unsigned reads an RLP integer: big endian, at most max. Leading zeros are accepted, because
// clients in use send the number 0 as the byte 00.
func unsigned(key string, raw []byte, max uint64) (uint64, error) {
	b, err := str(key, raw)
	if err != nil {
		return 0, err
	}
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) > 8 {
		return 0, bad(key, ProblemLength, "an integer of %d bytes, want at most 8", len(b))
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	if v > max {
		return 0, bad(key, ProblemValue, "%d is above %d", v, max)
	}
	return v, nil
}

// appendString appends b as an RLP string.
func appendString(dst, b []byte) []byte {
	if len(b) == 1 && b[0] < 0x80 {
		return append(dst, b[0])
	}
	dst = appendHeader(dst, 0x80, len(b))
	return append(dst, b...)
}

// appendList appends content, the encoded elements, as an RLP list.
func appendList(dst, content []byte) []byte {
	return append(appendHeader(dst, 0xc0, len(content)), content...)
}

// appendHeader appends the header of a string (base 0x80) or a list (base 0xc0) of n bytes.
func appendHeader(dst []byte, base byte, n int) []byte {
	if n < 56 {
		return append(dst, base+byte(n))
	}
	var size []byte
	for v := n; v > 0; v >>= 8 {
		size = append([]byte{byte(v)}, size...)
	}
	dst = append(dst, base+55+byte(len(size)))
	return append(dst, size...)
}
