package fields

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// record decodes what rawRecord wrote.
func record(t testing.TB, pairs ...pair) *enr.Record {
	t.Helper()
	var r enr.Record
	if err := rlp.DecodeBytes(rawRecord(nil, pairs...), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestDescribeShowsEveryPairInOrder(t *testing.T) {
	r := record(t,
		pair{"", []byte{0x80}},
		pair{"\x1b[31m", []byte("\x83bad")},
		pair{"bsc", []byte{0xc7, 0xc6, 0x84, 0xde, 0xad, 0xbe, 0xef, 0x80}},
		pair{"cap", []byte{0xc5, 0xc4, 0x83, 'e', 't', 'h'}},
		pair{"eth2", []byte("\x85hello")},
		pair{"ip", []byte("\x84\x7f\x00\x00\x01")},
		pair{"trust", []byte("\x85\x1b[2Jx")},
		pair{"zz", []byte{0xc6, 0xc5, 0xc4, 0xc3, 0xc2, 0xc1, 0x80}},
	)
	var got []string
	for _, f := range Describe(r) {
		got = append(got, f.String())
	}
	want := []string{
		`"": empty`,
		`"\x1b[31m": "bad"`,
		`bsc: [[0xdeadbeef, empty]]`,
		`cap: [["eth"]]`,
		`eth2: "hello" (field eth2: bad length: 5 bytes, want 16)`,
		`ip: 127.0.0.1`,
		`trust: 0x1b5b324a78`,
		`zz: [[[[0xc2c180]]]]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if Describe(nil) != nil || len(Describe(new(enr.Record))) != 0 {
		t.Error("fields without a record")
	}
}

func TestDescribePairTakesAnyBytes(t *testing.T) {
	for _, raw := range [][]byte{nil, {0x81}, {0x81, 0x01}, {0xc2, 0x81}, {1, 2}, {0xff, 0xff}} {
		f := DescribePair("unheard-of", raw)
		var de *DecodeError
		if !errors.As(f.Err, &de) || de.Problem != ProblemRLP || f.Known || f.Value != hexString(raw) {
			t.Errorf("%x: %+v, want bad rlp", raw, f)
		}
	}
}

func TestFieldJSON(t *testing.T) {
	for _, tc := range []struct {
		f    Field
		want string
	}{
		{DescribePair("eth2", append([]byte{0x90}, make([]byte, 16)...)),
			`{"key":"eth2","value":"digest 0x00000000, next fork version 0x00000000 at epoch 0","raw":"9000000000000000000000000000000000","known":true,` +
				`"detail":{"fork_digest":"0x00000000","next_fork_version":"0x00000000","next_fork_epoch":"0"}}`},
		{DescribePair("attnets", []byte("\x88\x01\x02\x00\x00\x00\x00\x00\x80")),
			`{"key":"attnets","value":"0,9,63 (3)","raw":"880102000000000080","known":true,"detail":[0,9,63]}`},
		{DescribePair("ip", []byte("\x84\x7f\x00\x00\x01")),
			`{"key":"ip","value":"127.0.0.1","raw":"847f000001","known":true,"detail":"127.0.0.1"}`},
		{DescribePair("waku2", []byte{3}), `{"key":"waku2","value":"relay, store","raw":"03","known":true,"detail":["relay","store"]}`},
		{DescribePair("multiaddrs", []byte("\x85\x00\x03\x06\x00\x07")),
			`{"key":"multiaddrs","value":"/tcp/7","raw":"850003060007","known":true,"detail":["/tcp/7"]}`},
		{DescribePair("pv", []byte{0x82, 0, 1}), `{"key":"pv","value":"versions 0, 1","raw":"820001","known":true,"detail":[0,1]}`},
		{DescribePair("nfd", []byte{0x80}),
			`{"key":"nfd","value":"empty","raw":"80","known":true,"error":"field nfd: bad length: 0 bytes, want 4"}`},
		{DescribePair("client", []byte("\xc9\x82\xc2\x9b\x61\x84\xf0\x9f\x98\x80")),
			`{"key":"client","value":"\"\\u009b\" \"a\" \"\\U0001f600\"","raw":"c982c29b6184f09f9880","known":true,` +
				`"detail":{"name":"\u009b","version":"a","build":"\ud83d\ude00"}}`},
		{DescribePair("\xff", []byte{0x80}), `{"key":"\"\\xff\"","value":"empty","raw":"80","known":false}`},
		{DescribePair("é\x7f", []byte{0x80}), `{"key":"\u00e9\u007f","value":"empty","raw":"80","known":false}`},
	} {
		got, err := json.Marshal(tc.f)
		if err != nil || string(got) != tc.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, tc.want)
		}
	}
}

func TestMultiaddrText(t *testing.T) {
	for _, tc := range []struct{ hex, want string }{
		{"", "/"},
		{"04c0000201 91022328 cd03", "/ip4/192.0.2.1/udp/9000/quic-v1"},
		{"29 20010db8000000000000000000000001 06 01bb de03", "/ip6/2001:db8::1/tcp/443/wss"},
		{"36 0b 6578616d706c652e636f6d 06 01bb", "/dns4/example.com/tcp/443"},
		{"37 01 61", "/dns6/a"},
		{"38 01 61 cc03", "/dnsaddr/a/quic"},
		{"36 04 612f625c", "/dns4/0x612f625c"},
		{"36 03 1b5b32", "/dns4/0x1b5b32"},
		{"a503 22 1220" + strings.Repeat("00", 32), "/p2p/QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51"},
		{"a503 02 0000", "/p2p/11"},
		{"a503 8001" + strings.Repeat("00", 128), "/p2p/" + strings.Repeat("1", 128)},
		{"a503 8101" + strings.Repeat("00", 129), "/p2p/0x" + strings.Repeat("00", 129)},
		{"a503 02 0001", "/p2p/12"},
		{"04c0000201 8f4e 0102", "/ip4/192.0.2.1/0x8f4e0102"},
		{"04c00002", "/0x04c00002"},
		{"06", "/0x06"},
		{"36 ffffffffffffffffff01 61", "/0x36ffffffffffffffffff0161"},
		{"ffffffffffffffffffff", "/0xffffffffffffffffffff"},
	} {
		if got := Multiaddr(unhex(t, tc.hex)).String(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.hex, got, tc.want)
		}
	}
}

func TestBitvectorAndBytes4(t *testing.T) {
	b := must(NewAttnets(63, 0, 9, 9))
	if b.Count() != 3 || !slices.Equal(b.Indices(), []int{0, 9, 63}) {
		t.Errorf("%d bits: %v", b.Count(), b.Indices())
	}
	for i := -2; i < 70; i++ {
		if want := i == 0 || i == 9 || i == 63; b.Has(i) != want {
			t.Errorf("Has(%d) is %v", i, !want)
		}
	}
	var d Bytes4
	for _, text := range []string{"0xb5303f2a", "B5303F2A"} {
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != "0xb5303f2a" {
			t.Errorf("%s is %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "0x", "0xb5303f", "0xb5303f2a00", "0xb5303f2g"} {
		if err := d.UnmarshalText([]byte(text)); err == nil || d.String() != "0xb5303f2a" {
			t.Errorf("%q is %v, want an error and the old value", text, d)
		}
	}
	if b := (Bitvector)(nil); b.Has(0) || b.Count() != 0 || b.Indices() == nil {
		t.Error("the zero value is not an empty vector")
	}
}

func TestLoadEndpoints(t *testing.T) {
	ip4, ip6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	var (
		v4   = pair{"ip", appendString(nil, ip4.AsSlice())}
		v6   = pair{"ip6", appendString(nil, ip6.AsSlice())}
		num  = func(key string, p uint64) pair { return pair{key, rlp.AppendUint64(nil, p)} }
		quic = num("quic", 3)
	)
	for _, tc := range []struct {
		name  string
		pairs []pair
		want  Endpoints
	}{
		{"nothing", nil, Endpoints{}},
		{"IPv4", []pair{v4, quic, num("tcp", 2), num("udp", 1)}, Endpoints{V4: Endpoint{ip4, 1, 2, 3}}},
		{"both, ports shared", []pair{v4, v6, quic, num("tcp", 2), num("udp", 1)},
			Endpoints{Endpoint{ip4, 1, 2, 3}, Endpoint{ip6, 1, 2, 0}}},
		{"both, own ports", []pair{v4, v6, num("quic6", 6), num("tcp", 2), num("tcp6", 5), num("udp", 1), num("udp6", 4)},
			Endpoints{Endpoint{ip4, 1, 2, 0}, Endpoint{ip6, 4, 5, 6}}},
		{"IPv6 with the shared port", []pair{v6, num("udp", 1)}, Endpoints{V6: Endpoint{ip6, 1, 0, 0}}},
		{"damage is absence", []pair{{"ip", []byte{0x80}}, v6, num("udp", 65536), {"udp6", []byte{0xc0}}}, Endpoints{V6: Endpoint{IP: ip6}}},
		{"ports without address", []pair{num("udp", 1)}, Endpoints{}},
	} {
		got := LoadEndpoints(record(t, tc.pairs...))
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
		for _, e := range []Endpoint{got.V4, got.V6} {
			if a, ok := e.UDPAddr(); ok != (e.IP.IsValid() && e.UDP != 0) || ok && a != netip.AddrPortFrom(e.IP, e.UDP) {
				t.Errorf("%s: UDPAddr is %v, %v", tc.name, a, ok)
			}
		}
	}
}

func TestWakuShards(t *testing.T) {
	rs := pair{"rs", must(Encode(RelayShards{16, []uint16{1, 2}}))}
	rsv := pair{"rsv", must(Encode(must(NewRelayShardsVector(16, 3, 1023))))}
	damaged := pair{"rs", []byte{0x80}}
	for _, tc := range []struct {
		pairs []pair
		want  []uint16
		err   string
	}{
		{[]pair{rs, rsv}, []uint16{1, 2}, ""},
		{[]pair{rsv}, []uint16{3, 1023}, ""},
		{[]pair{damaged, rsv}, []uint16{3, 1023}, ""},
		{[]pair{damaged}, nil, "field rs: bad length: 0 bytes, want 3 and 2 for each shard counted in the third"},
		{[]pair{damaged, {"rsv", []byte{0x80}}}, nil, "field rsv: bad length: 0 bytes, want 130"},
		{nil, nil, "field absent: rs"},
	} {
		got, err := WakuShards(record(t, tc.pairs...))
		if !slices.Equal(got.Shards, tc.want) || (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
			t.Errorf("%v: %v, %v; want %v, %s", tc.pairs, got, err, tc.want, tc.err)
		}
	}
	if v := (RelayShards{16, []uint16{1, 2}}); !v.Has(2) || v.Has(3) {
		t.Error("Has is wrong")
	}
}

func TestNamedQueries(t *testing.T) {
	if v := WakuRelay | WakuStore; !v.Has(WakuStore) || v.Has(WakuStore|WakuSync) {
		t.Error("Waku2.Has is wrong")
	}
	if v := (PortalVersions{0, 1}); !v.Has(1) || v.Has(2) {
		t.Error("PortalVersions.Has is wrong")
	}
	if h, ok := AztecNetwork("\x00\x01\x02\x03\x04\x05\x06\x07").Hash(); !ok || h[7] != 7 {
		t.Error("eight bytes are no hash")
	}
	if _, ok := Aztec("12345678").Hash(); ok {
		t.Error("text is a hash")
	}
	if (ForkID{Next: timestampThreshold - 1}).NextIsTime() || !(ForkID{Next: timestampThreshold}).NextIsTime() {
		t.Error("the border between blocks and times is wrong")
	}
	if got := (ForkID{Next: FarFutureEpoch}).String(); got != "fork 0x00000000, next at time 18446744073709551615" {
		t.Error(got)
	}
}

// checkField holds for every field of every record.
func checkField(t *testing.T, f Field) {
	t.Helper()
	if !printable([]byte(f.String())) {
		t.Errorf("%q is not safe to print", f.String())
	}
	js, err := json.Marshal(f)
	if err != nil || !printable(js) || !json.Valid(js) {
		t.Errorf("%+v is %q, %v as JSON", f, js, err)
	}
	if f.Known && (f.Err == nil) != (f.Detail != nil) {
		t.Errorf("%+v: neither decoded nor damaged", f)
	}
	e, ok := f.Detail.(enr.Entry)
	if !ok || f.Key == "waku2" && f.Value == "none" { // zero is read, but not written
		return
	}
	raw, err := Encode(e)
	if err != nil {
		t.Fatalf("%+v cannot be encoded: %v", f, err)
	}
	if again := DescribePair(f.Key, raw); again.Err != nil || !reflect.DeepEqual(again.Detail, f.Detail) {
		t.Errorf("%+v is encoded as %+v", f, again)
	}
}

func FuzzDescribe(f *testing.F) {
	for _, text := range records(f) {
		raw, err := base64.RawURLEncoding.DecodeString(text[len(prefix):])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(0), "", raw)
	}
	for _, tc := range exact {
		f.Add(uint8(slices.Index(KnownKeys(), tc.entry.ENRKey())), "unknown", unhex(f, tc.hex))
	}
	f.Add(uint8(slices.Index(KnownKeys(), "client")), "x", []byte("\xc6\x82\xc3\xbc\x82\xff\x1b"))
	f.Add(uint8(0), "unknown", []byte{0xc6, 0xc5, 0xc4, 0xc3, 0xc2, 0xc1, 0x80})
	keys := KnownKeys()
	f.Fuzz(func(t *testing.T, known uint8, key string, raw []byte) {
		before := bytes.Clone(raw)
		checkField(t, DescribePair(key, raw))
		checkField(t, DescribePair(keys[int(known)%len(keys)], raw))
		var r enr.Record
		if rlp.DecodeBytes(raw, &r) == nil {
			for _, field := range Describe(&r) {
				checkField(t, field)
			}
			LoadEndpoints(&r)
		}
		if !bytes.Equal(before, raw) {
			t.Error("the input was changed")
		}
	})
}

func BenchmarkDescribe(b *testing.B) {
	in, err := Inspect(records(b)[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Describe(in.Record)
	}
}

func BenchmarkLoadEth2(b *testing.B) {
	in, err := Inspect(records(b)[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load[Eth2](in.Record); err != nil {
			b.Fatal(err)
		}
	}
}
