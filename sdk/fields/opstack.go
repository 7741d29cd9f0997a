package fields

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ethereum/go-ethereum/rlp"
)

// OPStack is the "opstack" key of OP Stack consensus nodes: two unsigned LEB128 numbers in one
// byte string. Bytes after them belong to versions to come and are ignored.
type OPStack struct {
	ChainID uint64 `json:"chain_id"`
	Version uint64 `json:"version"` // 0 so far
}

// ENRKey returns "opstack".
func (OPStack) ENRKey() string { return "opstack" }

// EncodeRLP writes chain id and version.
func (v OPStack) EncodeRLP(w io.Writer) error {
	b := binary.AppendUvarint(binary.AppendUvarint(nil, v.ChainID), v.Version)
	return writeRaw(w, appendString(nil, b))
}

// DecodeRLP reads the value as node.Load does.
func (v *OPStack) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *OPStack) decode(raw []byte) error {
	b, err := str("opstack", raw)
	if err != nil {
		return err
	}
	chain, n := binary.Uvarint(b)
	if n <= 0 {
		return badVarint("opstack", "chain id", n)
	}
	version, n := binary.Uvarint(b[n:])
	if n <= 0 {
		return badVarint("opstack", "version", n)
	}
	*v = OPStack{chain, version}
	return nil
}

// String names chain and version.
func (v OPStack) String() string { return fmt.Sprintf("chain %d, version %d", v.ChainID, v.Version) }

// badVarint explains the count that binary.Uvarint returned for a damaged number.
func badVarint(key, what string, n int) error {
	if n < 0 {
		return bad(key, ProblemValue, "%s exceeds 64 bits", what)
	}
	return bad(key, ProblemLength, "%s is cut off", what)
}
