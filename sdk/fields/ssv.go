package fields

import (
	"io"

	"github.com/ethereum/go-ethereum/rlp"
)

// SSVSubnetCount is the number of subnets of the SSV network, and of bits in SSVSubnets.
const SSVSubnetCount = 128

// DomainType is the "domaintype" key of SSV nodes: the network they are on.
type DomainType struct{ Bytes4 }

// ENRKey returns "domaintype".
func (DomainType) ENRKey() string { return "domaintype" }

// EncodeRLP writes the four bytes.
func (v DomainType) EncodeRLP(w io.Writer) error { return writeRaw(w, appendString(nil, v.Bytes4[:])) }

// DecodeRLP reads the value as node.Load does.
func (v *DomainType) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *DomainType) decode(raw []byte) (err error) {
	v.Bytes4, err = bytes4("domaintype", raw)
	return err
}

// NextDomainType is the "next_domaintype" key of SSV nodes: the network after the next fork.
type NextDomainType struct{ Bytes4 }

// ENRKey returns "next_domaintype".
func (NextDomainType) ENRKey() string { return "next_domaintype" }

// EncodeRLP writes the four bytes.
func (v NextDomainType) EncodeRLP(w io.Writer) error {
	return writeRaw(w, appendString(nil, v.Bytes4[:]))
}

// DecodeRLP reads the value as node.Load does.
func (v *NextDomainType) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *NextDomainType) decode(raw []byte) (err error) {
	v.Bytes4, err = bytes4("next_domaintype", raw)
	return err
}

// SSVSubnets is the "subnets" key of SSV nodes, Bitvector[128].
type SSVSubnets struct{ Bitvector }

// NewSSVSubnets returns a value with the given subnets, each 0..127; a *DecodeError names another.
func NewSSVSubnets(subnets ...int) (SSVSubnets, error) {
	b, err := newBits("subnets", SSVSubnetCount, subnets)
	return SSVSubnets{b}, err
}

// ENRKey returns "subnets".
func (SSVSubnets) ENRKey() string { return "subnets" }

// EncodeRLP writes 16 bytes, zeros for the zero value. It fails if the vector has another length.
func (v SSVSubnets) EncodeRLP(w io.Writer) error {
	return writeBits(w, "subnets", v.Bitvector, SSVSubnetCount)
}

// DecodeRLP reads the value as node.Load does.
func (v *SSVSubnets) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *SSVSubnets) decode(raw []byte) (err error) {
	v.Bitvector, err = decodeBits("subnets", raw, SSVSubnetCount)
	return err
}

// SSV is the "ssv" key: whether a node is part of the SSV network.
type SSV bool

// ENRKey returns "ssv".
func (SSV) ENRKey() string { return "ssv" }

// EncodeRLP writes 01 for true and an empty string for false.
func (v SSV) EncodeRLP(w io.Writer) error {
	if v {
		return writeRaw(w, []byte{0x01})
	}
	return writeRaw(w, []byte{0x80})
}

// DecodeRLP reads the value as node.Load does.
func (v *SSV) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *SSV) decode(raw []byte) error {
	n, err := unsigned("ssv", raw, 1)
	*v = n == 1
	return err
}

// String returns "yes" or "no".
func (v SSV) String() string {
	if v {
		return "yes"
	}
	return "no"
}
