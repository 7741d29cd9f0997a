package fields

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/ethereum/go-ethereum/rlp"
)

// Sizes of the beacon chain's subnet vectors, in bits.
const (
	AttestationSubnetCount   = 64 // phase0: ATTESTATION_SUBNET_COUNT
	SyncCommitteeSubnetCount = 4  // altair: SYNC_COMMITTEE_SUBNET_COUNT
)

// FarFutureEpoch in Eth2.NextForkEpoch says that no fork is scheduled.
const FarFutureEpoch uint64 = math.MaxUint64

// Eth2 is the "eth2" key, SSZ ENRForkID: the fork a beacon node is on and the one it expects.
// Specification: consensus-specs phase0/p2p-interface.md.
type Eth2 struct {
	ForkDigest      Bytes4 `json:"fork_digest"`
	NextForkVersion Bytes4 `json:"next_fork_version"`
	NextForkEpoch   uint64 `json:"next_fork_epoch,string"` // FarFutureEpoch if none is scheduled; a JSON string, as in the beacon API
}

// ENRKey returns "eth2".
func (Eth2) ENRKey() string { return "eth2" }

// EncodeRLP writes the 16 bytes of the SSZ container; the epoch is little endian.
func (v Eth2) EncodeRLP(w io.Writer) error {
	b := append(v.ForkDigest[:len(v.ForkDigest):len(v.ForkDigest)], v.NextForkVersion[:]...)
	return writeRaw(w, appendString(nil, binary.LittleEndian.AppendUint64(b, v.NextForkEpoch)))
}

// DecodeRLP reads the value as node.Load does.
func (v *Eth2) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Eth2) decode(raw []byte) error {
	b, err := fixed("eth2", raw, 16)
	if err != nil {
		return err
	}
	*v = Eth2{Bytes4(b), Bytes4(b[4:]), binary.LittleEndian.Uint64(b[8:])}
	return nil
}

// String names the digest and the next fork.
func (v Eth2) String() string {
	if v.NextForkEpoch == FarFutureEpoch {
		return fmt.Sprintf("digest %s, no next fork", v.ForkDigest)
	}
	return fmt.Sprintf("digest %s, next fork version %s at epoch %d", v.ForkDigest, v.NextForkVersion, v.NextForkEpoch)
}

// Attnets is the "attnets" key, Bitvector[64]: the attestation subnets a beacon node stays on.
// Specification: consensus-specs phase0/p2p-interface.md.
type Attnets struct{ Bitvector }

// NewAttnets returns a value with the given subnets, each 0..63; a *DecodeError names another.
func NewAttnets(subnets ...int) (Attnets, error) {
	b, err := newBits("attnets", AttestationSubnetCount, subnets)
	return Attnets{b}, err
}

// ENRKey returns "attnets".
func (Attnets) ENRKey() string { return "attnets" }

// EncodeRLP writes 8 bytes, zeros for the zero value. It fails if the vector has another length.
func (v Attnets) EncodeRLP(w io.Writer) error {
	return writeBits(w, "attnets", v.Bitvector, AttestationSubnetCount)
}

// DecodeRLP reads the value as node.Load does.
func (v *Attnets) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Attnets) decode(raw []byte) (err error) {
	v.Bitvector, err = decodeBits("attnets", raw, AttestationSubnetCount)
	return err
}

// Syncnets is the "syncnets" key, Bitvector[4]: the sync committee subnets of a beacon node.
// A value with any of the upper four bits set is no SSZ Bitvector[4] and is refused.
// Specification: consensus-specs altair/p2p-interface.md.
type Syncnets struct{ Bitvector }

// NewSyncnets returns a value with the given subnets, each 0..3; a *DecodeError names another.
func NewSyncnets(subnets ...int) (Syncnets, error) {
	b, err := newBits("syncnets", SyncCommitteeSubnetCount, subnets)
	return Syncnets{b}, err
}

// ENRKey returns "syncnets".
func (Syncnets) ENRKey() string { return "syncnets" }

// EncodeRLP writes one byte, 00 for the zero value. It fails if the vector has another length
// or upper bits set.
func (v Syncnets) EncodeRLP(w io.Writer) error {
	return writeBits(w, "syncnets", v.Bitvector, SyncCommitteeSubnetCount)
}

// DecodeRLP reads the value as node.Load does.
func (v *Syncnets) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Syncnets) decode(raw []byte) (err error) {
	v.Bitvector, err = decodeBits("syncnets", raw, SyncCommitteeSubnetCount)
	return err
}

// CGC is the "cgc" key, the custody group count. Zero is an empty string on the wire; the byte
// 00 that some clients send reads as zero too. Values are not checked against
// CustodyRequirement or NumberOfCustodyGroups: clients disagree on whether to, so a filter
// decides. Specification: consensus-specs fulu/p2p-interface.md.
type CGC uint64

// ENRKey returns "cgc".
func (CGC) ENRKey() string { return "cgc" }

// EncodeRLP writes the shortest big-endian form.
func (v CGC) EncodeRLP(w io.Writer) error { return writeRaw(w, rlp.AppendUint64(nil, uint64(v))) }

// DecodeRLP reads the value as node.Load does.
func (v *CGC) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *CGC) decode(raw []byte) error {
	n, err := unsigned("cgc", raw, math.MaxUint64)
	*v = CGC(n)
	return err
}

// String returns the count in decimal.
func (v CGC) String() string { return strconv.FormatUint(uint64(v), 10) + " custody groups" }

// NFD is the "nfd" key, the digest of the next scheduled fork, blob-parameter-only forks
// included; zero if none is. Specification: consensus-specs fulu/p2p-interface.md.
type NFD struct{ Bytes4 }

// ENRKey returns "nfd".
func (NFD) ENRKey() string { return "nfd" }

// EncodeRLP writes the four bytes.
func (v NFD) EncodeRLP(w io.Writer) error { return writeRaw(w, appendString(nil, v.Bytes4[:])) }

// DecodeRLP reads the value as node.Load does.
func (v *NFD) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *NFD) decode(raw []byte) (err error) {
	v.Bytes4, err = bytes4("nfd", raw)
	return err
}

// String returns the digest, or that no fork is scheduled.
func (v NFD) String() string {
	if v == (NFD{}) {
		return "no next fork"
	}
	return "next digest " + v.Bytes4.String()
}

// EProof is the "eproof" key: a beacon node takes part in execution proofs if it is not zero.
// Specification: consensus-specs for EIP-8025, a draft.
type EProof uint8

// Aware reports whether the node takes part.
func (v EProof) Aware() bool { return v != 0 }

// ENRKey returns "eproof".
func (EProof) ENRKey() string { return "eproof" }

// EncodeRLP writes the integer.
func (v EProof) EncodeRLP(w io.Writer) error { return writeRaw(w, rlp.AppendUint64(nil, uint64(v))) }

// DecodeRLP reads the value as node.Load does.
func (v *EProof) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *EProof) decode(raw []byte) error {
	n, err := unsigned("eproof", raw, math.MaxUint8)
	*v = EProof(n)
	return err
}

// String says whether the node takes part, with the number.
func (v EProof) String() string {
	if !v.Aware() {
		return "not aware of execution proofs"
	}
	return fmt.Sprintf("aware of execution proofs (%d)", uint8(v))
}

// writeBits writes a vector of n bits.
func writeBits(w io.Writer, key string, b Bitvector, n int) error {
	raw, err := encodeBits(key, b, n)
	if err != nil {
		return err
	}
	return writeRaw(w, raw)
}
