package fields

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Bitvector is an SSZ bit vector: bit i is bit i%8, counted from the least significant, of
// byte i/8. The zero value has no bits. A Bitvector does not change once it is in a field.
type Bitvector []byte

// Has reports whether bit i is set. It is false outside the vector.
func (b Bitvector) Has(i int) bool {
	return i >= 0 && i/8 < len(b) && b[i/8]&(1<<(i%8)) != 0
}

// Count returns the number of bits that are set.
func (b Bitvector) Count() int {
	n := 0
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return n
}

// Indices returns the bits that are set, ascending; never nil.
func (b Bitvector) Indices() []int {
	out := make([]int, 0, b.Count())
	for i := range 8 * len(b) {
		if b.Has(i) {
			out = append(out, i)
		}
	}
	return out
}

// String lists the bits that are set, runs as first-last: "0-3,9 (5)". It is "none" without any.
func (b Bitvector) String() string {
	idx := b.Indices()
	if len(idx) == 0 {
		return "none"
	}
	var s strings.Builder
	for i := 0; i < len(idx); {
		j := i
		for j+1 < len(idx) && idx[j+1] == idx[j]+1 {
			j++
		}
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(strconv.Itoa(idx[i]))
		if j > i {
			s.WriteString("-" + strconv.Itoa(idx[j]))
		}
		i = j + 1
	}
	return s.String() + " (" + strconv.Itoa(len(idx)) + ")"
}

// MarshalJSON writes the indices of the bits that are set as an array.
func (b Bitvector) MarshalJSON() ([]byte, error) { return json.Marshal(b.Indices()) }

// newBits returns a vector of n bits with those of set; key names the field in the error.
func newBits(key string, n int, set []int) (Bitvector, error) {
	b := make(Bitvector, (n+7)/8)
	for _, i := range set {
		if i < 0 || i >= n {
			return nil, bad(key, ProblemValue, "bit %d outside 0..%d", i, n-1)
		}
		b[i/8] |= 1 << (i % 8)
	}
	return b, nil
}

// decodeBits reads an RLP string that is a vector of n bits.
func decodeBits(key string, raw []byte, n int) (Bitvector, error) {
	c, err := fixed(key, raw, (n+7)/8)
	if err != nil {
		return nil, err
	}
	if n%8 != 0 && c[len(c)-1]>>(n%8) != 0 {
		return nil, bad(key, ProblemValue, "bits above %d are set", n-1)
	}
	return append(Bitvector(nil), c...), nil
}

// encodeBits returns the RLP of a vector of n bits; the zero value stands for no bits set.
func encodeBits(key string, b Bitvector, n int) ([]byte, error) {
	size := (n + 7) / 8
	if len(b) != 0 && len(b) != size {
		return nil, bad(key, ProblemLength, "%d bytes, want %d", len(b), size)
	}
	full := make([]byte, size)
	copy(full, b)
	if n%8 != 0 && full[size-1]>>(n%8) != 0 {
		return nil, bad(key, ProblemValue, "bits above %d are set", n-1)
	}
	return appendString(nil, full), nil
}

// Bytes4 is a four-byte tag: a fork digest, a fork version, a domain type. It is comparable.
type Bytes4 [4]byte

// String returns 0x and eight hex digits.
func (b Bytes4) String() string { return hexString(b[:]) }

// MarshalText returns what String does.
func (b Bytes4) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads eight hex digits, with or without 0x before them.
func (b *Bytes4) UnmarshalText(text []byte) error {
	digits := bytes.TrimPrefix(text, []byte("0x"))
	var v Bytes4
	if len(digits) != 2*len(v) {
		return fmt.Errorf("%+q is not 4 bytes in hex", text)
	}
	if _, err := hex.Decode(v[:], digits); err != nil {
		return fmt.Errorf("%+q is not 4 bytes in hex", text)
	}
	*b = v
	return nil
}

// bytes4 reads an RLP string of four bytes.
func bytes4(key string, raw []byte) (Bytes4, error) {
	b, err := fixed(key, raw, 4)
	if err != nil {
		return Bytes4{}, err
	}
	return Bytes4(b), nil
}
