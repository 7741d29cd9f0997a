package fields

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/rlp"
)

// timestampThreshold separates blocks from times in ForkID.Next: anything at or above it, the
// creation of the first block of mainnet less one second, can only be a Unix time.
const timestampThreshold = 1438269973

// lastTime is the last second of the year 9999, after which times are shown as numbers.
const lastTime = 253402300799

// ForkID is the EIP-2124 fork identifier that execution clients put into their records.
type ForkID struct {
	Hash Bytes4 `json:"hash"` // CRC32 of the genesis hash and the forks passed
	Next uint64 `json:"next"` // block number or Unix seconds of the next fork; 0 if none is known
}

// NextIsTime reports whether Next is a Unix time and not a block number.
func (f ForkID) NextIsTime() bool { return f.Next >= timestampThreshold }

// String names the hash and the next fork.
func (f ForkID) String() string {
	switch {
	case f.Next == 0:
		return fmt.Sprintf("fork %s, no next fork", f.Hash)
	case f.NextIsTime() && f.Next <= lastTime:
		return fmt.Sprintf("fork %s, next at %s", f.Hash, time.Unix(int64(f.Next), 0).UTC().Format(time.RFC3339))
	case f.NextIsTime():
		return fmt.Sprintf("fork %s, next at time %d", f.Hash, f.Next)
	}
	return fmt.Sprintf("fork %s, next at block %d", f.Hash, f.Next)
}

func (f ForkID) append() []byte {
	id := rlp.AppendUint64(appendString(nil, f.Hash[:]), f.Next)
	return appendList(nil, appendList(nil, id))
}

func (f *ForkID) decode(key string, raw []byte) error {
	outer, err := list(key, raw, 1)
	if err != nil {
		return err
	}
	inner, err := list(key, outer[0], 2)
	if err != nil {
		return err
	}
	hash, err := bytes4(key, inner[0])
	if err != nil {
		return err
	}
	next, err := unsigned(key, inner[1], math.MaxUint64)
	if err != nil {
		return err
	}
	*f = ForkID{hash, next}
	return nil
}

// Eth is the "eth" key: a list whose first element is the node's fork identifier. Further
// elements, of the list and of the identifier, are ignored, as the specification asks for.
// Specification: devp2p enr-entries/eth.md, EIP-2124.
type Eth struct{ ForkID }

// ENRKey returns "eth".
func (Eth) ENRKey() string { return "eth" }

// EncodeRLP writes [[hash, next]].
func (v Eth) EncodeRLP(w io.Writer) error { return writeRaw(w, v.append()) }

// DecodeRLP reads the value as node.Load does.
func (v *Eth) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Eth) decode(raw []byte) error { return v.ForkID.decode("eth", raw) }

// OPEL is the "opel" key of OP Stack execution nodes, in the form of Eth.
type OPEL struct{ ForkID }

// ENRKey returns "opel".
func (OPEL) ENRKey() string { return "opel" }

// EncodeRLP writes [[hash, next]].
func (v OPEL) EncodeRLP(w io.Writer) error { return writeRaw(w, v.append()) }

// DecodeRLP reads the value as node.Load does.
func (v *OPEL) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *OPEL) decode(raw []byte) error { return v.ForkID.decode("opel", raw) }

// Snap is the "snap" key: a list, empty so far, of a node that serves snapshots.
type Snap struct{}

// ENRKey returns "snap".
func (Snap) ENRKey() string { return "snap" }

// EncodeRLP writes an empty list.
func (Snap) EncodeRLP(w io.Writer) error { return writeRaw(w, []byte{0xc0}) }

// DecodeRLP reads the value as node.Load does; elements are ignored.
func (v *Snap) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (*Snap) decode(raw []byte) error {
	_, err := list("snap", raw, 0)
	return err
}

// String says what the key means.
func (Snap) String() string { return "serves snapshots" }

// LES is the "les" key of the light client protocol, which is no longer served.
// Specification: devp2p les.md.
type LES struct {
	Version uint64 `json:"version"`
}

// ENRKey returns "les".
func (LES) ENRKey() string { return "les" }

// EncodeRLP writes [version].
func (v LES) EncodeRLP(w io.Writer) error {
	return writeRaw(w, appendList(nil, rlp.AppendUint64(nil, v.Version)))
}

// DecodeRLP reads the value as node.Load does; further elements are ignored.
func (v *LES) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *LES) decode(raw []byte) error {
	elems, err := list("les", raw, 1)
	if err != nil {
		return err
	}
	v.Version, err = unsigned("les", elems[0], math.MaxUint64)
	return err
}

// String names the version.
func (v LES) String() string { return fmt.Sprintf("version %d", v.Version) }

// Client is the "client" key: which software a node runs, by its own word. The strings come
// from strangers and may hold any bytes; String quotes them. Specification: EIP-7636, withdrawn.
type Client struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Build   string `json:"build,omitempty"` // optional
}

// ENRKey returns "client".
func (Client) ENRKey() string { return "client" }

// EncodeRLP writes [name, version] and the build if there is one.
func (v Client) EncodeRLP(w io.Writer) error {
	b := appendString(appendString(nil, []byte(v.Name)), []byte(v.Version))
	if v.Build != "" {
		b = appendString(b, []byte(v.Build))
	}
	return writeRaw(w, appendList(nil, b))
}

// DecodeRLP reads the value as node.Load does; elements after the third are ignored.
func (v *Client) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Client) decode(raw []byte) error {
	elems, err := list("client", raw, 2)
	if err != nil {
		return err
	}
	var c Client
	for i, to := range []*string{&c.Name, &c.Version, &c.Build} {
		if i == len(elems) {
			break
		}
		b, err := str("client", elems[i])
		if err != nil {
			return err
		}
		*to = string(b)
	}
	*v = c
	return nil
}

// String returns the parts, each quoted and in ASCII.
func (v Client) String() string {
	parts := []string{quote(v.Name), quote(v.Version)}
	if v.Build != "" {
		parts = append(parts, quote(v.Build))
	}
	return strings.Join(parts, " ")
}
