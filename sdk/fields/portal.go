package fields

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/rlp"
)

// Portal is the "p" key of Portal nodes: the range of protocol versions and the chain.
// Specification: portal-wire-protocol.md.
type Portal struct {
	MinVersion uint8  `json:"min_version"`
	MaxVersion uint8  `json:"max_version"`
	ChainID    uint64 `json:"chain_id"`
}

// ENRKey returns "p".
func (Portal) ENRKey() string { return "p" }

// EncodeRLP writes [min, max, chain id]. It fails if min is above max.
func (v Portal) EncodeRLP(w io.Writer) error {
	if err := v.check(); err != nil {
		return err
	}
	b := rlp.AppendUint64(nil, uint64(v.MinVersion))
	b = rlp.AppendUint64(b, uint64(v.MaxVersion))
	return writeRaw(w, appendList(nil, rlp.AppendUint64(b, v.ChainID)))
}

// DecodeRLP reads the value as node.Load does. Some clients wrap the list into a byte string,
// which is accepted; further elements are ignored.
func (v *Portal) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Portal) decode(raw []byte) error {
	if b, err := str("p", raw); err == nil {
		raw = b
	}
	elems, err := list("p", raw, 3)
	if err != nil {
		return err
	}
	lo, err := unsigned("p", elems[0], math.MaxUint8)
	if err != nil {
		return err
	}
	hi, err := unsigned("p", elems[1], math.MaxUint8)
	if err != nil {
		return err
	}
	chain, err := unsigned("p", elems[2], math.MaxUint64)
	if err != nil {
		return err
	}
	p := Portal{uint8(lo), uint8(hi), chain}
	if err := p.check(); err != nil {
		return err
	}
	*v = p
	return nil
}

func (v Portal) check() error {
	if v.MinVersion > v.MaxVersion {
		return bad("p", ProblemValue, "lowest version %d above highest %d", v.MinVersion, v.MaxVersion)
	}
	return nil
}

// String names versions and chain.
func (v Portal) String() string {
	return fmt.Sprintf("versions %d-%d, chain %d", v.MinVersion, v.MaxVersion, v.ChainID)
}

// PortalVersions is the older "pv" key: one byte for each protocol version, in the order of
// the record.
type PortalVersions []byte

// ENRKey returns "pv".
func (PortalVersions) ENRKey() string { return "pv" }

// EncodeRLP writes the versions as a byte string.
func (v PortalVersions) EncodeRLP(w io.Writer) error { return writeRaw(w, appendString(nil, v)) }

// DecodeRLP reads the value as node.Load does.
func (v *PortalVersions) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *PortalVersions) decode(raw []byte) error {
	b, err := str("pv", raw)
	if err != nil {
		return err
	}
	*v = append(PortalVersions{}, b...)
	return nil
}

// Has reports whether version n is among them.
func (v PortalVersions) Has(n uint8) bool { return strings.IndexByte(string(v), n) >= 0 }

// String lists the versions.
func (v PortalVersions) String() string {
	if len(v) == 0 {
		return "no versions"
	}
	parts := make([]string, len(v))
	for i, n := range v {
		parts[i] = strconv.Itoa(int(n))
	}
	return "versions " + strings.Join(parts, ", ")
}

// MarshalJSON writes the versions as an array of numbers.
func (v PortalVersions) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, n := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return append(b, ']'), nil
}

// ShortClient is the "c" key of Portal nodes: a short name of the client, "n" for one. It comes
// from strangers and may hold any bytes; String quotes it.
type ShortClient string

// ENRKey returns "c".
func (ShortClient) ENRKey() string { return "c" }

// EncodeRLP writes the name.
func (v ShortClient) EncodeRLP(w io.Writer) error { return writeRaw(w, appendString(nil, []byte(v))) }

// DecodeRLP reads the value as node.Load does.
func (v *ShortClient) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *ShortClient) decode(raw []byte) error {
	b, err := str("c", raw)
	*v = ShortClient(b)
	return err
}

// String returns the name, quoted and in ASCII.
func (v ShortClient) String() string { return quote(string(v)) }
