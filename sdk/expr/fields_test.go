package expr

import (
	"slices"
	"strings"
	"testing"

	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Values as their specifications give them, and as clients send them, with what is true of them.
var encoded = []struct {
	pair string
	want string
}{
	{"ip=847f000001", `enr.ip.is_loopback && ip4.text == "127.0.0.1"`},
	{"ip6=90 20010db8000000000000000000000001", `enr.ip6.family == 6 && ip6.is_special && ip6.in("2001:db8::/32")`},
	{"udp=82765f", `enr.udp == 30303`},
	{"tcp=822329", `enr.tcp == 9001`},
	{"udp6=822329", `enr.udp6 == 9001`},
	{"tcp6=822329", `enr.tcp6 == 9001`},
	{"quic=822329", `enr.quic == 9001`},
	{"quic6=822329", `enr.quic6 == 9001`},
	{"eth=cbca84deadbeef84baddcafe", `enr.eth.hash == "0xdeadbeef" && enr.eth.next == 3135097598 && enr.eth.next_is_time`},
	{"eth=c7c6840000000080", `enr.eth.hash == "0x00000000" && enr.eth.next == 0 && !enr.eth.next_is_time`},
	{"eth=cac784deadbeef0709c001", `enr.eth.next == 7`},
	{"snap=c0", `enr.snap`},
	{"snap=c101", `enr.snap`},
	{"les=c101", `enr.les == 1`},
	{"eth2=90 0102030405060708 ffffffffffffffff", `enr.eth2.fork_digest == "0x01020304" && enr.eth2.next_fork_version == "0x05060708" && !enr.eth2.has_next_fork && enr.eth2.next_fork_epoch == 9223372036854775807`},
	{"eth2=90 0102030405060708 0047060000000000", `enr.eth2.next_fork_epoch == 411392 && enr.eth2.has_next_fork`},
	{"attnets=88 0102000000000080", `enr.attnets.list == [0, 9, 63]`},
	{"syncnets=00", `enr.syncnets.count == 0`},
	{"syncnets=0f", `enr.syncnets.list == [0, 1, 2, 3]`},
	{"cgc=80", `enr.cgc == 0`},
	{"cgc=00", `enr.cgc == 0 && enr.custody_columns.count == 0`},
	{"cgc=04", `enr.cgc == 4`},
	{"cgc=8180", `enr.cgc == 128 && enr.custody_columns.count == 128`},
	{"cgc=820100", `enr.cgc == 256 && enr.custody_columns.count == 128`},
	{"nfd=8400000000", `enr.nfd == "0x00000000"`},
	{"nfd=84a1b2c3d4", `enr.nfd == "0xa1b2c3d4"`},
	{"client=cc844765746886312e31302e30", `enr.client.name == "Geth" && enr.client.version == "1.10.0" && enr.client.build == ""`},
	{"client=cd844765746886312e31302e3062", `enr.client.build == "b"`},
	{"client=c682c3bc82ff1b", `enr.client.name == "ü" && enr.client.version == "\ufffd\u001b"`},
	{"opstack=820a00", `enr.opstack.chain_id == 10 && enr.opstack.version == 0`},
	{"opstack=83854200", `enr.opstack.chain_id == 8453`},
	{"opstack=84b4940500", `enr.opstack.chain_id == 84532`},
	{"opel=c7c6840102030407", `enr.opel.hash == "0x01020304" && enr.opel.next == 7`},
	{"eproof=01", `enr.eproof == 1`},
	{"p=c3020201", `enr.p.min_version == 2 && enr.p.max_version == 2 && enr.p.chain_id == 1`},
	{"p=c6020383aa36a7", `enr.p.max_version == 3 && enr.p.chain_id == 11155111`},
	{"p=84c3020201", `enr.p.chain_id == 1`},
	{"pv=820001", `enr.pv == [0, 1] && 1 in enr.pv`},
	{"c=6e", `enr.c == "n"`},
	{"waku2=01", `enr.waku2.relay && !enr.waku2.store && enr.waku2.bits == 1`},
	{"waku2=03", `enr.waku2.relay && enr.waku2.store`},
	{"waku2=1c", `enr.waku2.filter && enr.waku2.lightpush && enr.waku2.sync`},
	{"multiaddrs=8c000a04c0a8006d06ea61dd03", `enr.multiaddrs == ["/ip4/192.168.0.109/tcp/60001/ws"]`},
	{"rs=89001003000d000e002d", `enr.rs.cluster == 16 && enr.rs.shards.list == [13, 14, 45] && enr.rs.shards.has(45) && !enr.rs.shards.has(65549)`},
	{"rsv=b882 0010 006000000020" + strings.Repeat("00", 121) + "80", `enr.rsv.cluster == 16 && enr.rsv.shards.list == [13, 14, 45, 1023] && enr.rsv.shards.count == 4`},
	{"domaintype=8400000001", `enr.domaintype == "0x00000001"`},
	{"next_domaintype=8400000001", `enr.next_domaintype == "0x00000001"`},
	{"subnets=90 01" + strings.Repeat("00", 14) + "80", `enr.subnets.list == [0, 127]`},
	{"ssv=01", `enr.ssv`},
	{"ssv=00", `!enr.ssv`},
	{"aztec=8730302d312d6162", `enr.aztec == "00-1-ab"`},
	{"aztec_network=8730302d312d6162", `enr.aztec_network == "00-1-ab"`},
	{"id=827634", `enr.text["id"] == "null"`}, // SignNull has another scheme
	{"secp256k1=a1 03" + strings.Repeat("11", 32), `size(enr.secp256k1) == 33`},
}

func TestFieldsDecode(t *testing.T) {
	seen := make(map[string]bool)
	for _, tc := range encoded {
		n := nodeWith(t, tc.pair)
		if v := compiled(t, tc.want).Decide(n); !v.Match {
			t.Errorf("%s: not %s: %+v", tc.pair, tc.want, v)
		}
		key, _, _ := strings.Cut(tc.pair, "=")
		seen[key] = true
		if key == "id" {
			continue // SignNull writes it
		}
		// A value of the wrong kind is absent, and concerns this field alone. Lists take any elements in some fields.
		broken := nodeWith(t, key+"=c3010203", "zz=c0")
		damaged := fields.DescribePair(key, []byte{0xc3, 1, 2, 3}).Err != nil
		if compiled(t, "has(enr."+key+")").Match(broken) == damaged {
			t.Errorf("%s: a damaged value is there: %v", key, damaged)
		}
		if !compiled(t, "enr.has(\""+key+"\") && enr.has(\"zz\")").Match(broken) {
			t.Errorf("%s: a damaged value hides a key", key)
		}
	}
	for _, key := range fields.KnownKeys() {
		if !seen[key] {
			t.Errorf("no example of %s", key)
		}
		if enrType.index[key] == nil {
			t.Errorf("package fields knows %s, expressions do not", key)
		}
	}
}

// The parts of every field can be asked for, and are absent in a record without it.
func TestEveryMemberCompiles(t *testing.T) {
	empty := nodeWith(t)
	for _, o := range objects {
		for _, m := range o.members {
			if m.doc == "" || m.name == "" || m.typ == nil {
				t.Errorf("%s.%s is not documented", o.typ.TypeName(), m.name)
			}
		}
	}
	for i, f := range enrFields {
		if i >= len(record{}.slots) {
			t.Fatal("there is no slot for", f.name)
		}
		v := compiled(t, "enr."+f.name+" == enr."+f.name).Decide(empty)
		if f.name != "id" && (v.Match || v.Reason != "no_"+f.name || v.Detail == nil) {
			t.Errorf("%s of an empty record: %+v", f.name, v)
		}
	}
}

func TestKindsOfAddresses(t *testing.T) {
	for addr, want := range map[string]string{
		"08080808": "is_global", "0a000001": "is_lan", "a9fe0001": "is_lan", "7f000001": "is_lan is_loopback", "c0000201": "is_special",
		"64400001": "", "00000000": "is_special", "e0000001": "is_special",
		"26064700000000000000000000001111": "is_global", "fd000000000000000000000000000001": "is_lan", "fe800000000000000000000000000001": "is_lan",
		"00000000000000000000000000000001": "is_lan is_loopback", "20010db8000000000000000000000001": "is_special",
		"00000000000000000000ffff08080808": "is_global", "00000000000000000000ffff0a000001": "is_lan",
	} {
		key, header := "ip", "84"
		if len(addr) > 8 {
			key, header = "ip6", "90"
		}
		n := nodeWith(t, key+"="+header+addr)
		var got []string
		for _, kind := range []string{"is_global", "is_lan", "is_loopback", "is_special"} {
			if compiled(t, "enr."+key+"."+kind).Match(n) {
				got = append(got, kind)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// What is true of the records that real nodes published.
func TestRealRecords(t *testing.T) {
	all := realRecords(t)
	for _, tc := range []struct {
		network, text string
		want          int // how many match
	}{
		{"mainnet_cl", `true`, 15},
		{"mainnet_cl", `enr.has("eth2") && enr.id == "v4" && size(enr.secp256k1) == 33`, 15},
		{"mainnet_cl", `enr.eth2.fork_digest == "0xb5303f2a"`, 10},
		{"mainnet_cl", `enr.eth2.fork_digest == "0xf5a5fd42"`, 3},
		{"mainnet_cl", `enr.eth2.fork_digest == "0xbba4da96" && enr.tcp == 9000`, 2},
		{"mainnet_cl", `enr.attnets.count == 0`, 9},
		{"mainnet_cl", `has(enr.ip6) && ip6.is_global && enr.udp6 == 9090`, 4},
		{"mainnet_cl", `ip.in("3.0.0.0/8")`, 3},
		{"mainnet_cl", `enr.eth2.next_fork_version == "0x01000000" && enr.eth2.next_fork_epoch == 0`, 0},
		{"op", `enr.opstack.chain_id == 84532 && udp == 9222`, 2},
		{"waku", `enr.waku2.relay`, 4},
		{"waku", `enr.waku2.bits == 1`, 4},
		{"waku", `ip.is_lan && enr.multiaddrs == ["/ip4/192.168.0.109/tcp/60001/ws"]`, 1},
	} {
		p := compiled(t, tc.text)
		got := 0
		for _, n := range all[tc.network] {
			if p.Match(n) {
				got++
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s is true of %d, want %d", tc.network, tc.text, got, tc.want)
		}
	}
	var nodes []*enode.Node
	for _, n := range all {
		nodes = append(nodes, n...)
	}
	for _, n := range nodes {
		for _, key := range compiledKeys(n) {
			if v := compiled(t, `enr.has("`+key+`") && "`+key+`" in enr.raw && enr.raw.exists(k, k == "`+key+`")`).Decide(n); !v.Match {
				t.Errorf("%s of %s: %+v", key, n, v)
			}
		}
	}
}

func compiledKeys(n *enode.Node) []string {
	r := newRecord(n, &settings{})
	defer r.free()
	return slices.Clone(r.keys())
}
