package fields

import (
	"encoding/hex"
	"encoding/json"
	"io"

	"github.com/ethereum/go-ethereum/rlp"
)

// aztecHashSize is the size of an xxh64 hash.
const aztecHashSize = 8

// Aztec is the "aztec" key of Aztec nodes: the versions of the network's components, as text
// ("00-…"), or the eight bytes of its xxh64 hash. It comes from strangers and may hold any
// bytes; String makes it safe to print.
type Aztec string

// AztecNetwork is the "aztec_network" key, under which older Aztec nodes have the same.
type AztecNetwork string

// Hash returns the eight bytes if the value is a hash and not text.
func (v Aztec) Hash() (hash [aztecHashSize]byte, ok bool) {
	if len(v) != aztecHashSize || printable([]byte(v)) {
		return hash, false
	}
	return [aztecHashSize]byte([]byte(v)), true
}

// Hash returns the eight bytes if the value is a hash and not text.
func (v AztecNetwork) Hash() (hash [aztecHashSize]byte, ok bool) { return Aztec(v).Hash() }

// ENRKey returns "aztec".
func (Aztec) ENRKey() string { return "aztec" }

// ENRKey returns "aztec_network".
func (AztecNetwork) ENRKey() string { return "aztec_network" }

// EncodeRLP writes the bytes.
func (v Aztec) EncodeRLP(w io.Writer) error { return writeRaw(w, appendString(nil, []byte(v))) }

// EncodeRLP writes the bytes.
func (v AztecNetwork) EncodeRLP(w io.Writer) error { return Aztec(v).EncodeRLP(w) }

// DecodeRLP reads the value as node.Load does.
func (v *Aztec) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

// DecodeRLP reads the value as node.Load does.
func (v *AztecNetwork) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Aztec) decode(raw []byte) error {
	b, err := str("aztec", raw)
	*v = Aztec(b)
	return err
}

func (v *AztecNetwork) decode(raw []byte) error {
	b, err := str("aztec_network", raw)
	*v = AztecNetwork(b)
	return err
}

// String returns text in quotes, and anything else as hex.
func (v Aztec) String() string { return bytesText([]byte(v)) }

// String returns text in quotes, and anything else as hex.
func (v AztecNetwork) String() string { return bytesText([]byte(v)) }

// MarshalJSON writes {"versions": text} or {"hash": hex}.
func (v Aztec) MarshalJSON() ([]byte, error) {
	if printable([]byte(v)) {
		return json.Marshal(map[string]string{"versions": string(v)})
	}
	return json.Marshal(map[string]string{"hash": hex.EncodeToString([]byte(v))})
}

// MarshalJSON writes {"versions": text} or {"hash": hex}.
func (v AztecNetwork) MarshalJSON() ([]byte, error) { return Aztec(v).MarshalJSON() }
