package fields

import (
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

func testKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// must is for constructors in tables.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	digest  = Bytes4{1, 2, 3, 4}
	version = Bytes4{5, 6, 7, 8}
)

// exact are values whose bytes are fixed by their specification, in both directions.
var exact = []struct {
	entry enr.Entry
	hex   string
	text  string
}{
	{Eth2{digest, version, FarFutureEpoch}, "90 0102030405060708 ffffffffffffffff", "digest 0x01020304, no next fork"},
	{Eth2{digest, version, 411392}, "90 0102030405060708 0047060000000000", "digest 0x01020304, next fork version 0x05060708 at epoch 411392"},
	{must(NewAttnets(0, 9, 63)), "88 0102000000000080", "0,9,63 (3)"},
	{must(NewAttnets()), "88 0000000000000000", "none"},
	{must(NewSyncnets()), "00", "none"},
	{must(NewSyncnets(0, 1, 2, 3)), "0f", "0-3 (4)"},
	{CGC(0), "80", "0 custody groups"},
	{CGC(4), "04", "4 custody groups"},
	{CGC(128), "8180", "128 custody groups"},
	{CGC(256), "820100", "256 custody groups"},
	{NFD{}, "8400000000", "no next fork"},
	{NFD{Bytes4{0xa1, 0xb2, 0xc3, 0xd4}}, "84a1b2c3d4", "next digest 0xa1b2c3d4"},
	{Eth{ForkID{Bytes4{0xde, 0xad, 0xbe, 0xef}, 0xbaddcafe}}, "cbca84deadbeef84baddcafe", "fork 0xdeadbeef, next at 2069-05-06T20:26:38Z"},
	{Eth{}, "c7c6840000000080", "fork 0x00000000, no next fork"},
	{OPEL{ForkID{digest, 7}}, "c7c6840102030407", "fork 0x01020304, next at block 7"},
	{Snap{}, "c0", "serves snapshots"},
	{LES{1}, "c101", "version 1"},
	{Client{"Geth", "1.10.0", ""}, "cc844765746886312e31302e30", `"Geth" "1.10.0"`},
	{Client{"Geth", "1.10.0", "b"}, "cd844765746886312e31302e3062", `"Geth" "1.10.0" "b"`},
	{OPStack{10, 0}, "820a00", "chain 10, version 0"},
	{OPStack{8453, 0}, "83854200", "chain 8453, version 0"},
	{OPStack{84532, 0}, "84b4940500", "chain 84532, version 0"},
	{EProof(1), "01", "aware of execution proofs (1)"},
	{EProof(0), "80", "not aware of execution proofs"},
	{Portal{2, 2, 1}, "c3020201", "versions 2-2, chain 1"},
	{Portal{2, 3, 11155111}, "c6020383aa36a7", "versions 2-3, chain 11155111"},
	{PortalVersions{0, 1}, "820001", "versions 0, 1"},
	{ShortClient("n"), "6e", `"n"`},
	{WakuRelay, "01", "relay"},
	{WakuRelay | WakuStore, "03", "relay, store"},
	{Multiaddrs{{0x04, 0xc0, 0xa8, 0x00, 0x6d, 0x06, 0xea, 0x61, 0xdd, 0x03}}, "8c 000a 04c0a8006d06ea61dd03", "/ip4/192.168.0.109/tcp/60001/ws"},
	{RelayShards{16, []uint16{13, 14, 45}}, "89001003000d000e002d", "cluster 16, shards 13,14,45"},
	{must(NewRelayShardsVector(16, 13, 14, 45, 1023)), "b882 0010 006000000020" + strings.Repeat("00", 121) + "80", "cluster 16, shards 13-14,45,1023 (4)"},
	{DomainType{Bytes4{0, 0, 0, 1}}, "8400000001", "0x00000001"},
	{NextDomainType{Bytes4{0, 0, 0, 1}}, "8400000001", "0x00000001"},
	{must(NewSSVSubnets(0, 127)), "90 01" + strings.Repeat("00", 14) + "80", "0,127 (2)"},
	{SSV(true), "01", "yes"},
	{SSV(false), "80", "no"},
	{Aztec("00-1-ab"), "8730302d312d6162", `"00-1-ab"`},
	{Aztec("\x00\x01\x02\x03\x04\x05\x06\x07"), "880001020304050607", "0x0001020304050607"},
	{AztecNetwork("\x03"), "03", "0x03"},
	{enr.ID("v4"), "827634", "v4"},
	{enr.IPv4{127, 0, 0, 1}, "847f000001", "127.0.0.1"},
	{enr.IPv6{0x20, 0x01, 0x0d, 0xb8, 15: 1}, "90 20010db8000000000000000000000001", "2001:db8::1"},
	{enr.UDP(30303), "82765f", "30303"},
	{enr.TCP6(9001), "822329", "9001"},
	{enr.QUIC(0), "80", "0"},
}

func TestExactBytes(t *testing.T) {
	seen := map[string]bool{"udp6": true, "tcp": true, "quic6": true, "secp256k1": true} // of one decoder with udp; in real records
	for _, tc := range exact {
		t.Run(fmt.Sprintf("%s %s", tc.entry.ENRKey(), tc.text), func(t *testing.T) {
			want := unhex(t, tc.hex)
			seen[tc.entry.ENRKey()] = true
			got, err := Encode(tc.entry)
			if err != nil || string(got) != string(want) {
				t.Fatalf("encodes as %x, %v; want %x", got, err, want)
			}
			back := reflect.New(reflect.TypeOf(tc.entry))
			if err := rlp.DecodeBytes(want, back.Interface()); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back.Elem().Interface(), tc.entry) {
				t.Errorf("decodes as %v, want %v", back.Elem(), tc.entry)
			}
			f := DescribePair(tc.entry.ENRKey(), want)
			if f.Err != nil || !f.Known || f.Value != tc.text || f.Raw != hex.EncodeToString(want) {
				t.Errorf("described as %+v, want %s", f, tc.text)
			}
		})
	}
	for _, key := range KnownKeys() {
		if !seen[key] {
			t.Errorf("no example of %s", key)
		}
	}
}

func TestEveryTruncationIsDamage(t *testing.T) {
	for _, tc := range exact {
		raw := unhex(t, tc.hex)
		for i := range raw {
			f := DescribePair(tc.entry.ENRKey(), raw[:i])
			var de *DecodeError
			if !errors.As(f.Err, &de) || de.Key != tc.entry.ENRKey() || f.Detail != nil {
				t.Errorf("%s of %x: %+v, want a DecodeError", tc.entry.ENRKey(), raw[:i], f)
			}
		}
		if f := DescribePair(tc.entry.ENRKey(), append(raw, 0)); f.Err == nil {
			t.Errorf("%s with a byte after it is accepted", tc.entry.ENRKey())
		}
	}
}

func TestDeviationsOfClientsAreTolerated(t *testing.T) {
	for _, tc := range []struct{ key, hex, text string }{
		{"cgc", "00", "0 custody groups"},
		{"cgc", "820004", "4 custody groups"},
		{"ssv", "00", "no"},
		{"p", "84c3020201", "versions 2-2, chain 1"},
		{"p", "c402020105", "versions 2-2, chain 1"},
		{"pv", "01", "versions 1"},
		{"pv", "80", "no versions"},
		{"snap", "c101", "serves snapshots"},
		{"les", "c20204", "version 2"},
		{"client", "c461626364", `"a" "b" "c"`},
		{"client", "c682c3bc82ff1b", `"\u00fc" "\xff\x1b"`},
		{"eth", "ca c7 84deadbeef 07 09 c0 01", "fork 0xdeadbeef, next at block 7"},
		{"opstack", "83 0a01ff", "chain 10, version 1"},
		{"waku2", "00", "none"},
		{"waku2", "81ff", "relay, store, filter, lightpush, sync, bit5, bit6, bit7"},
		{"rs", "83001000", "cluster 16, no shards"},
	} {
		if f := DescribePair(tc.key, unhex(t, tc.hex)); f.Err != nil || f.Value != tc.text {
			t.Errorf("%s %s: %v, want %s", tc.key, tc.hex, f, tc.text)
		}
	}
}

func TestDamageIsNamed(t *testing.T) {
	for _, tc := range []struct {
		key, hex string
		want     Problem
	}{
		{"eth2", "8401020304", ProblemLength},
		{"eth2", "c0", ProblemKind},
		{"eth2", "91", ProblemRLP},
		{"attnets", "870000000000000000", ProblemRLP},
		{"attnets", "8700000000000000", ProblemLength},
		{"syncnets", "10", ProblemValue},
		{"syncnets", "820000", ProblemLength},
		{"cgc", "89010000000000000000", ProblemLength},
		{"cgc", "c0", ProblemKind},
		{"nfd", "80", ProblemLength},
		{"eth", "c0", ProblemLength},
		{"eth", "84deadbeef", ProblemKind},
		{"eth", "c584deadbeef", ProblemKind},
		{"eth", "c6c584deadbeef", ProblemLength},
		{"eth", "c6c583adbeef07", ProblemLength},
		{"snap", "80", ProblemKind},
		{"client", "c161", ProblemLength},
		{"client", "c2c0c0", ProblemKind},
		{"client", "6e", ProblemKind},
		{"opstack", "80", ProblemLength},
		{"opstack", "0a", ProblemLength},
		{"opstack", "8b ffffffffffffffffffff01", ProblemValue},
		{"eproof", "820100", ProblemValue},
		{"p", "c3030201", ProblemValue},
		{"p", "c20202", ProblemLength},
		{"p", "c582010002 01", ProblemValue},
		{"waku2", "80", ProblemLength},
		{"multiaddrs", "01", ProblemLength},
		{"multiaddrs", "83000a04", ProblemLength},
		{"rs", "83001001", ProblemLength},
		{"rs", "820010", ProblemLength},
		{"rsv", "820010", ProblemLength},
		{"ssv", "02", ProblemValue},
		{"subnets", "8101", ProblemRLP},
		{"udp", "820001", ProblemValue},
		{"udp", "83010000", ProblemValue},
		{"ip", "9020010db8000000000000000000000001", ProblemLength},
		{"secp256k1", "a1" + strings.Repeat("05", 33), ProblemValue},
		{"id", "c0", ProblemKind},
	} {
		f := DescribePair(tc.key, unhex(t, tc.hex))
		var de *DecodeError
		if !errors.As(f.Err, &de) || de.Problem != tc.want || de.Key != tc.key {
			t.Errorf("%s %s: %v, want bad %s", tc.key, tc.hex, f.Err, tc.want)
		}
		if f.Value == "" || !f.Known {
			t.Errorf("%s %s: damaged value is not shown: %+v", tc.key, tc.hex, f)
		}
	}
}

func TestWhatCannotBeEncoded(t *testing.T) {
	for _, e := range []enr.Entry{
		Attnets{Bitvector{1}}, Syncnets{Bitvector{0x10}}, Syncnets{Bitvector{0, 0}}, SSVSubnets{Bitvector{1}},
		Portal{3, 2, 1}, Waku2(0), RelayShards{Shards: make([]uint16, 256)}, RelayShardsVector{Shards: Bitvector{1}},
		Multiaddrs{make(Multiaddr, 65536)},
	} {
		raw, err := Encode(e)
		var de *DecodeError
		if !errors.As(err, &de) || de.Key != e.ENRKey() {
			t.Errorf("%s: %x, %v; want a DecodeError", e.ENRKey(), raw, err)
		}
	}
	_, err := NewAttnets(64)
	_, err2 := NewSyncnets(-1)
	if err == nil || err2 == nil {
		t.Error("a bit outside the vector is accepted")
	}
}

func TestZeroVectorsEncodeAsZeros(t *testing.T) {
	for e, want := range map[enr.Entry]string{
		&Attnets{}: "880000000000000000", &Syncnets{}: "00", &SSVSubnets{}: "90" + strings.Repeat("00", 16),
		&RelayShardsVector{}: "b882" + strings.Repeat("00", 130),
	} {
		if raw, err := Encode(e); err != nil || hex.EncodeToString(raw) != want {
			t.Errorf("%s: %x, %v; want %s", e.ENRKey(), raw, err, want)
		}
	}
}

func TestLoadFromNodeAndRecord(t *testing.T) {
	var r enr.Record
	want := Eth2{digest, version, 7}
	r.Set(want)
	r.Set(enr.WithEntry("nfd", []byte{1}))
	if err := enode.SignV4(&r, testKey(t)); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []Source{n, &r} {
		if got, err := Load[Eth2](src); err != nil || got != want {
			t.Errorf("eth2 is %v, %v; want %v", got, err, want)
		}
		if _, err := Load[Attnets](src); !errors.Is(err, ErrAbsent) || err.Error() != "field absent: attnets" {
			t.Errorf("attnets: %v, want ErrAbsent", err)
		}
		var de *DecodeError
		got, err := Load[NFD](src)
		if !errors.As(err, &de) || de.Problem != ProblemLength || errors.Is(err, ErrAbsent) || got != (NFD{}) {
			t.Errorf("nfd: %v, want bad length", err)
		}
		if _, err := Load[enr.ID](src); err != nil {
			t.Errorf("id: %v", err)
		}
	}
	var e Eth2
	if err := n.Load(&e); err != nil || e != want {
		t.Errorf("node.Load: %v, %v", e, err)
	}
	var nfd NFD
	var de *DecodeError
	if err := n.Load(&nfd); !errors.As(err, &de) || de.Key != "nfd" {
		t.Errorf("node.Load: %v, want a DecodeError inside", err)
	}
}
