package expr

import (
	"net/netip"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// field is a member of "enr" that stands in the record under a key.
type field struct {
	name string
	typ  *types.Type
	doc  string
	load func(n *enode.Node) (ref.Val, *missing)
}

// To add a field: decode it in package fields, enter it here under its ENR key, add a type to
// types.go if it has parts, and its bytes to the tables of fields_test.go. There is room for 64.
var enrFields = []field{
	fieldIP4: typed("ip", ipType.typ, "IPv4 address", func(v enr.IPv4Addr) ref.Val { return &value[netip.Addr]{ipType.typ, netip.Addr(v)} }),
	fieldIP6: typed("ip6", ipType.typ, "IPv6 address", func(v enr.IPv6Addr) ref.Val { return &value[netip.Addr]{ipType.typ, netip.Addr(v)} }),
	fieldCGC: typed("cgc", types.IntType, "custody group count", func(v fields.CGC) ref.Val { return number(v) }),

	fieldEth:  typed("eth", forkIDType.typ, "EIP-2124 fork identifier", func(v fields.Eth) ref.Val { return &value[fields.ForkID]{forkIDType.typ, v.ForkID} }),
	fieldEth2: whole[fields.Eth2]("eth2", eth2Type.typ, "beacon chain fork"),
	typed("nfd", types.StringType, `digest of the next fork, "0x…"; zeros if none is scheduled`, func(v fields.NFD) ref.Val { return types.String(v.Bytes4.String()) }),

	typed("id", types.StringType, `identity scheme, "v4"`, func(v enr.ID) ref.Val { return types.String(v) }),
	typed("secp256k1", types.BytesType, "public key, 33 bytes", func(v rawString) ref.Val { return types.Bytes(v) }),
	typed("udp", types.IntType, "UDP port of discovery", func(v enr.UDP) ref.Val { return number(v) }),
	typed("tcp", types.IntType, "TCP port", func(v enr.TCP) ref.Val { return number(v) }),
	typed("udp6", types.IntType, "UDP port for IPv6, where it differs", func(v enr.UDP6) ref.Val { return number(v) }),
	typed("tcp6", types.IntType, "TCP port for IPv6, where it differs", func(v enr.TCP6) ref.Val { return number(v) }),
	typed("quic", types.IntType, "UDP port of QUIC", func(v enr.QUIC) ref.Val { return number(v) }),
	typed("quic6", types.IntType, "UDP port of QUIC for IPv6", func(v enr.QUIC6) ref.Val { return number(v) }),

	typed("snap", types.BoolType, "serves snapshots: true", func(fields.Snap) ref.Val { return types.True }),
	typed("les", types.IntType, "version of the light client protocol", func(v fields.LES) ref.Val { return number(v.Version) }),
	whole[fields.Client]("client", clientType.typ, "software, by its own word"),

	typed("attnets", bitsType.typ, "attestation subnets, 0 to 63", func(v fields.Attnets) ref.Val { return bitsOf(v.Bitvector) }),
	typed("syncnets", bitsType.typ, "sync committee subnets, 0 to 3", func(v fields.Syncnets) ref.Val { return bitsOf(v.Bitvector) }),
	typed("eproof", types.IntType, "takes part in execution proofs if not 0", func(v fields.EProof) ref.Val { return number(v) }),

	whole[fields.OPStack]("opstack", opstackType.typ, "OP Stack chain"),
	typed("opel", forkIDType.typ, "fork identifier of an OP Stack execution node", func(v fields.OPEL) ref.Val { return &value[fields.ForkID]{forkIDType.typ, v.ForkID} }),

	whole[fields.Portal]("p", portalType.typ, "Portal protocol versions and chain"),
	typed("pv", types.NewListType(types.IntType), "Portal protocol versions, older form", func(v fields.PortalVersions) ref.Val { return ints(v) }),
	typed("c", types.StringType, "short name of a Portal client", func(v fields.ShortClient) ref.Val { return text(string(v)) }),

	whole[fields.Waku2]("waku2", waku2Type.typ, "what a Waku node offers"),
	typed("multiaddrs", types.NewListType(types.StringType), "further addresses, as multiaddr text", func(v fields.Multiaddrs) ref.Val { return texts(v) }),
	typed("rs", shardsType.typ, "Waku shards, as a list", func(v fields.RelayShards) ref.Val {
		return &value[shards]{shardsType.typ, shards{v.Cluster, set{list: v.Shards}}}
	}),
	typed("rsv", shardsType.typ, "Waku shards, as a bit vector", func(v fields.RelayShardsVector) ref.Val {
		return &value[shards]{shardsType.typ, shards{v.Cluster, set{bits: v.Shards}}}
	}),

	typed("domaintype", types.StringType, `SSV network, "0x…"`, func(v fields.DomainType) ref.Val { return types.String(v.Bytes4.String()) }),
	typed("next_domaintype", types.StringType, `SSV network after the next fork, "0x…"`, func(v fields.NextDomainType) ref.Val { return types.String(v.Bytes4.String()) }),
	typed("subnets", bitsType.typ, "SSV subnets, 0 to 127", func(v fields.SSVSubnets) ref.Val { return bitsOf(v.Bitvector) }),
	typed("ssv", types.BoolType, "part of the SSV network", func(v fields.SSV) ref.Val { return types.Bool(v) }),

	typed("aztec", types.StringType, "Aztec component versions", func(v fields.Aztec) ref.Val { return text(string(v)) }),
	typed("aztec_network", types.StringType, "Aztec component versions, older key", func(v fields.AztecNetwork) ref.Val { return text(string(v)) }),
}

// Places in enrFields of what other code reads.
const (
	fieldIP4 = iota
	fieldIP6
	fieldCGC
	fieldEth
	fieldEth2
)

// typed is a field that package fields decodes as T and show makes a value of.
func typed[T any, P interface {
	*T
	enr.Entry
}](key string, typ *types.Type, doc string, show func(T) ref.Val) field {
	gone := absent(key)
	return field{key, typ, doc, func(n *enode.Node) (ref.Val, *missing) {
		v := new(T)
		if err := n.Load(P(v)); err != nil {
			return nil, why[T, P](n, gone, err)
		}
		return show(*v), nil
	}}
}

// whole is a field whose value in the language is a T.
func whole[T any, P interface {
	*T
	enr.Entry
}](key string, typ *types.Type, doc string) field {
	gone := absent(key)
	return field{key, typ, doc, func(n *enode.Node) (ref.Val, *missing) {
		v := &value[T]{typ: typ}
		if err := n.Load(P(&v.v)); err != nil {
			return nil, why[T, P](n, gone, err)
		}
		return v, nil
	}}
}

// why tells an absent field from one that cannot be decoded, and asks package fields for its words.
func why[T any, P interface {
	*T
	enr.Entry
}](n *enode.Node, gone *missing, err error) *missing {
	if enr.IsNotFound(err) {
		return gone
	}
	_, err = fields.Load[T, P](n)
	return missed(gone, err)
}

// rawString is the public key as the record has it; package enode would compute the point.
type rawString []byte

// ENRKey returns "secp256k1".
func (rawString) ENRKey() string { return "secp256k1" }

// DecodeRLP reads a byte string.
func (v *rawString) DecodeRLP(s *rlp.Stream) error {
	b, err := s.Bytes()
	*v = b
	return err
}
