package expr

import (
	"net/netip"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// Sizes that a record, of at most 300 bytes, cannot exceed.
const (
	maxText = 2 * enr.SizeLimit // of text made of a field: hex has two characters a byte
	maxKeys = enr.SizeLimit / 2
)

var (
	ipType = newObject("IP",
		part("family", types.IntType, "4 or 6", 0, func(a netip.Addr) any {
			if a.Unmap().Is4() {
				return types.Int(4)
			}
			return types.Int(6)
		}),
		part("is_lan", types.BoolType, "private, link-local or loopback", 0, func(a netip.Addr) any { return types.Bool(netutil.AddrIsLAN(a)) }),
		part("is_loopback", types.BoolType, "127.0.0.0/8 or ::1", 0, func(a netip.Addr) any { return types.Bool(a.Unmap().IsLoopback()) }),
		part("is_special", types.BoolType, "reserved for documentation, multicast and the like", 0, func(a netip.Addr) any { return types.Bool(netutil.AddrIsSpecialNetwork(a)) }),
		part("is_global", types.BoolType, "reachable from anywhere, as far as the address says", 0, func(a netip.Addr) any {
			return types.Bool(!a.IsUnspecified() && !netutil.AddrIsLAN(a) && !netutil.AddrIsSpecialNetwork(a) && !shared.Contains(a.Unmap()))
		}),
		part("text", types.StringType, "as it is usually written", 45, func(a netip.Addr) any { return types.String(a.Unmap().String()) }),
	)
	eth2Type = newObject("Eth2",
		part("fork_digest", types.StringType, `"0x" and 8 hex digits`, 10, func(v fields.Eth2) any { return types.String(v.ForkDigest.String()) }),
		part("next_fork_version", types.StringType, `"0x" and 8 hex digits`, 10, func(v fields.Eth2) any { return types.String(v.NextForkVersion.String()) }),
		part("next_fork_epoch", types.IntType, "2^63-1 if none is scheduled", 0, func(v fields.Eth2) any { return number(v.NextForkEpoch) }),
		part("has_next_fork", types.BoolType, "a next fork is scheduled", 0, func(v fields.Eth2) any { return types.Bool(v.NextForkEpoch != fields.FarFutureEpoch) }),
	)
	forkIDType = newObject("ForkID",
		part("hash", types.StringType, `"0x" and 8 hex digits`, 10, func(v fields.ForkID) any { return types.String(v.Hash.String()) }),
		part("next", types.IntType, "block or Unix time of the next fork; 0 if none is known", 0, func(v fields.ForkID) any { return number(v.Next) }),
		part("next_is_time", types.BoolType, "next is a Unix time", 0, func(v fields.ForkID) any { return types.Bool(v.NextIsTime()) }),
	)
	clientType = newObject("Client",
		part("name", types.StringType, "name", maxText, func(v fields.Client) any { return text(v.Name) }),
		part("version", types.StringType, "version", maxText, func(v fields.Client) any { return text(v.Version) }),
		part("build", types.StringType, "build; empty if there is none", maxText, func(v fields.Client) any { return text(v.Build) }),
	)
	opstackType = newObject("OPStack",
		part("chain_id", types.IntType, "chain id", 0, func(v fields.OPStack) any { return number(v.ChainID) }),
		part("version", types.IntType, "0 so far", 0, func(v fields.OPStack) any { return number(v.Version) }),
	)
	portalType = newObject("Portal",
		part("min_version", types.IntType, "lowest protocol version", 0, func(v fields.Portal) any { return number(v.MinVersion) }),
		part("max_version", types.IntType, "highest protocol version", 0, func(v fields.Portal) any { return number(v.MaxVersion) }),
		part("chain_id", types.IntType, "chain id", 0, func(v fields.Portal) any { return number(v.ChainID) }),
	)
	waku2Type = newObject("Waku2",
		part("relay", types.BoolType, "offers relay", 0, offers(fields.WakuRelay)),
		part("store", types.BoolType, "offers store", 0, offers(fields.WakuStore)),
		part("filter", types.BoolType, "offers filter", 0, offers(fields.WakuFilter)),
		part("lightpush", types.BoolType, "offers lightpush", 0, offers(fields.WakuLightpush)),
		part("sync", types.BoolType, "offers sync", 0, offers(fields.WakuSync)),
		part("bits", types.IntType, "the bit field", 0, func(v fields.Waku2) any { return number(v) }),
	)
	bitsType = newObject("Bits",
		part("count", types.IntType, "how many there are", 0, func(s set) any { return types.Int(s.count()) }),
		part("list", types.NewListType(types.IntType), "their numbers, ascending", 1024, func(s set) any { return s.numbers() }),
	)
	shardsType = newObject("Shards",
		part("cluster", types.IntType, "cluster", 0, func(v shards) any { return number(v.cluster) }),
		part("shards", bitsType.typ, "shards of the cluster", 0, func(v shards) any { return &value[set]{bitsType.typ, v.set} }),
	)
	forkType = newObject("Fork")
)

// shared is what carriers use behind their NAT. Specification: RFC 6598.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// shards are those of one Waku cluster.
type shards struct {
	cluster uint16
	set     set
}

func offers(c fields.Waku2) func(fields.Waku2) any {
	return func(v fields.Waku2) any { return types.Bool(v.Has(c)) }
}

// text makes a string of what a stranger wrote: text of the language is valid UTF-8.
func text(s string) types.String { return types.String(strings.ToValidUTF8(s, "\uFFFD")) }

func texts(addrs fields.Multiaddrs) ref.Val {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return types.NewStringList(types.DefaultTypeAdapter, out)
}

func ints[T ~uint8 | ~uint16 | ~int](list []T) ref.Val {
	out := make([]ref.Val, len(list))
	for i, n := range list {
		out[i] = types.Int(n)
	}
	return types.NewRefValList(types.DefaultTypeAdapter, out)
}
