package fields

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/rlp"
)

// Waku2 is the "waku2" key, a bit field of what a Waku node offers. Bits without a name here
// are kept. Specification: waku standards/core/enr.md.
type Waku2 uint8

// The capabilities of a Waku node.
const (
	WakuRelay Waku2 = 1 << iota
	WakuStore
	WakuFilter
	WakuLightpush
	WakuSync
)

var wakuNames = [8]string{"relay", "store", "filter", "lightpush", "sync", "bit5", "bit6", "bit7"}

// Has reports whether all of the given capabilities are offered.
func (v Waku2) Has(c Waku2) bool { return v&c == c }

// Names returns the capabilities by name, bit 0 first; never nil.
func (v Waku2) Names() []string {
	out := []string{}
	for i, name := range wakuNames {
		if v&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// ENRKey returns "waku2".
func (Waku2) ENRKey() string { return "waku2" }

// EncodeRLP writes one byte. It fails on zero, which the specification does not allow: a node
// without capabilities leaves the key out.
func (v Waku2) EncodeRLP(w io.Writer) error {
	if v == 0 {
		return bad("waku2", ProblemValue, "no capability set")
	}
	return writeRaw(w, appendString(nil, []byte{byte(v)}))
}

// DecodeRLP reads the value as node.Load does. A zero byte is accepted: it offers nothing.
func (v *Waku2) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *Waku2) decode(raw []byte) error {
	b, err := fixed("waku2", raw, 1)
	if err != nil {
		return err
	}
	*v = Waku2(b[0])
	return nil
}

// String lists the capabilities.
func (v Waku2) String() string {
	if v == 0 {
		return "none"
	}
	return strings.Join(v.Names(), ", ")
}

// MarshalJSON writes the names as an array of strings.
func (v Waku2) MarshalJSON() ([]byte, error) {
	if v == 0 {
		return []byte("[]"), nil
	}
	return []byte(`["` + strings.Join(v.Names(), `","`) + `"]`), nil
}

// RelayShards is the "rs" key: the shards of one cluster that a Waku node relays, as a list.
// Specification: waku relay-sharding.md.
type RelayShards struct {
	Cluster uint16   `json:"cluster"`
	Shards  []uint16 `json:"shards"`
}

// WakuShards returns the shards of a record, from "rs" or, where that is absent or damaged,
// from "rsv". If both fail, the error is that of "rsv" if present, else that of "rs".
func WakuShards(src Source) (RelayShards, error) {
	rs, err := Load[RelayShards](src)
	if err == nil {
		return rs, nil
	}
	rsv, verr := Load[RelayShardsVector](src)
	if verr == nil {
		return rsv.List(), nil
	}
	if !errors.Is(verr, ErrAbsent) {
		err = verr
	}
	return RelayShards{}, err
}

// Has reports whether the shard is among them.
func (v RelayShards) Has(shard uint16) bool { return slices.Contains(v.Shards, shard) }

// ENRKey returns "rs".
func (RelayShards) ENRKey() string { return "rs" }

// EncodeRLP writes cluster, count and shards. It fails above 255 shards.
func (v RelayShards) EncodeRLP(w io.Writer) error {
	if len(v.Shards) > math.MaxUint8 {
		return bad("rs", ProblemLength, "%d shards, want at most %d", len(v.Shards), math.MaxUint8)
	}
	b := append(binary.BigEndian.AppendUint16(nil, v.Cluster), byte(len(v.Shards)))
	for _, s := range v.Shards {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	return writeRaw(w, appendString(nil, b))
}

// DecodeRLP reads the value as node.Load does.
func (v *RelayShards) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *RelayShards) decode(raw []byte) error {
	b, err := str("rs", raw)
	if err != nil {
		return err
	}
	if len(b) < 3 || len(b) != 3+2*int(b[2]) {
		return bad("rs", ProblemLength, "%d bytes, want 3 and 2 for each shard counted in the third", len(b))
	}
	rs := RelayShards{Cluster: binary.BigEndian.Uint16(b), Shards: make([]uint16, b[2])}
	for i := range rs.Shards {
		rs.Shards[i] = binary.BigEndian.Uint16(b[3+2*i:])
	}
	*v = rs
	return nil
}

// String names cluster and shards.
func (v RelayShards) String() string {
	parts := make([]string, len(v.Shards))
	for i, s := range v.Shards {
		parts[i] = strconv.Itoa(int(s))
	}
	if len(parts) == 0 {
		return fmt.Sprintf("cluster %d, no shards", v.Cluster)
	}
	return fmt.Sprintf("cluster %d, shards %s", v.Cluster, strings.Join(parts, ","))
}

// RelayShardsVector is the "rsv" key: the shards of one cluster as a vector of 1024 bits.
//
// Deviation: relay-sharding.md describes another order of the bits, with an example that is
// off by one. Implementations count as Bitvector does, and so does this type.
type RelayShardsVector struct {
	Cluster uint16    `json:"cluster"`
	Shards  Bitvector `json:"shards"`
}

// wakuShardCount is the number of shards of a cluster.
const wakuShardCount = 1024

// NewRelayShardsVector returns a value with the given shards, each 0..1023; a *DecodeError
// names another.
func NewRelayShardsVector(cluster uint16, shards ...int) (RelayShardsVector, error) {
	b, err := newBits("rsv", wakuShardCount, shards)
	return RelayShardsVector{cluster, b}, err
}

// List returns the shards in the form of "rs".
func (v RelayShardsVector) List() RelayShards {
	rs := RelayShards{Cluster: v.Cluster, Shards: []uint16{}}
	for _, i := range v.Shards.Indices() {
		rs.Shards = append(rs.Shards, uint16(i))
	}
	return rs
}

// ENRKey returns "rsv".
func (RelayShardsVector) ENRKey() string { return "rsv" }

// EncodeRLP writes cluster and vector, 130 bytes. It fails if the vector has another length.
func (v RelayShardsVector) EncodeRLP(w io.Writer) error {
	if len(v.Shards) != 0 && len(v.Shards) != wakuShardCount/8 {
		return bad("rsv", ProblemLength, "a vector of %d bytes, want %d", len(v.Shards), wakuShardCount/8)
	}
	b := make([]byte, 2+wakuShardCount/8)
	binary.BigEndian.PutUint16(b, v.Cluster)
	copy(b[2:], v.Shards)
	return writeRaw(w, appendString(nil, b))
}

// DecodeRLP reads the value as node.Load does.
func (v *RelayShardsVector) DecodeRLP(s *rlp.Stream) error { return decodeStream(s, v.decode) }

func (v *RelayShardsVector) decode(raw []byte) error {
	b, err := fixed("rsv", raw, 2+wakuShardCount/8)
	if err != nil {
		return err
	}
	*v = RelayShardsVector{binary.BigEndian.Uint16(b), append(Bitvector(nil), b[2:]...)}
	return nil
}

// String names cluster and shards.
func (v RelayShardsVector) String() string {
	return fmt.Sprintf("cluster %d, shards %s", v.Cluster, v.Shards)
}
