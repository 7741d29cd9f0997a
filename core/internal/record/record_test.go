package record

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/discv5/host/core/internal/endpoint"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// The key of the example record in EIP-778.
const exampleKey = "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"

func testKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.HexToECDSA(exampleKey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func otherKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.ToECDSA(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func udp4(s string) Change { return SetEndpoint(endpoint.IPv4, netip.MustParseAddrPort(s)) }
func udp6(s string) Change { return SetEndpoint(endpoint.IPv6, netip.MustParseAddrPort(s)) }

// set is a change of the operator's: keys and values in turn.
func set(pairs ...any) Change {
	c := Change{Owner: Operator, Set: make(map[string]any)}
	for i := 0; i < len(pairs); i += 2 {
		c.Set[pairs[i].(string)] = pairs[i+1]
	}
	return c
}

// fresh is a record in memory with seq 1.
func fresh(t testing.TB, changes ...Change) *Local {
	t.Helper()
	l, _, err := Open(start, Config{Key: testKey(t), FreshKey: true}, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wantUpdate carries out changes and checks what became of them.
func wantUpdate(t *testing.T, l *Local, seq uint64, changed bool, changes ...Change) {
	t.Helper()
	n, did, err := l.Update(changes...)
	if err != nil {
		t.Fatal(err)
	}
	if n.Seq() != seq || did != changed || n != l.Self() {
		t.Fatalf("seq %d changed %v, want seq %d changed %v", n.Seq(), did, seq, changed)
	}
	checkRecord(t, n)
}

// checkRecord reads n as a peer would, and looks at the order of its keys itself.
func checkRecord(t testing.TB, n *enode.Node) {
	t.Helper()
	got, err := parse([]byte(n.String()))
	if err != nil || got.ID() != n.ID() || got.Seq() != n.Seq() {
		t.Fatalf("a peer reads our record as %v, %v", got, err)
	}
	if keys := keysOf(n); !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) {
		t.Fatalf("keys %q", keys)
	}
}

func keysOf(n *enode.Node) (keys []string) {
	for i, e := range n.Record().AppendElements(nil) {
		if k, ok := e.(string); ok && i%2 == 1 {
			keys = append(keys, k)
		}
	}
	return keys
}

func size(t testing.TB, n *enode.Node) int {
	t.Helper()
	b, err := rlp.EncodeToBytes(n.Record())
	if err != nil {
		t.Fatal(err)
	}
	return len(b)
}

// TestExample makes the example record of EIP-778, signature included.
func TestExample(t *testing.T) {
	const want = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
	l := fresh(t, udp4("127.0.0.1:30303"))
	if got := l.Self().String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := l.ID().String(); got != "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7" || l.Self().ID() != l.ID() {
		t.Errorf("id %s", got)
	}
}

func TestTypedFields(t *testing.T) {
	l := fresh(t, udp4("10.20.30.40:9000"), udp6("[2001:db8::1]:9001"), set("tcp", uint16(9002), "tcp6", enr.TCP6(9003), "quic", enr.QUIC(9004)))
	var (
		ip   enr.IPv4Addr
		ip6  enr.IPv6Addr
		udp  enr.UDP
		udp6 enr.UDP6
		tcp  enr.TCP
		tcp6 enr.TCP6
		quic enr.QUIC
	)
	for _, e := range []enr.Entry{&ip, &ip6, &udp, &udp6, &tcp, &tcp6, &quic} {
		if err := l.Self().Load(e); err != nil {
			t.Error(err)
		}
	}
	if netip.Addr(ip).String() != "10.20.30.40" || netip.Addr(ip6).String() != "2001:db8::1" || udp != 9000 || udp6 != 9001 || tcp != 9002 || tcp6 != 9003 || quic != 9004 {
		t.Error(ip, ip6, udp, udp6, tcp, tcp6, quic)
	}
	checkRecord(t, l.Self())
}

func TestWithoutAddress(t *testing.T) {
	l := fresh(t)
	if _, ok := l.Self().UDPEndpoint(); ok || !slices.Equal(keysOf(l.Self()), []string{"id", "secp256k1"}) {
		t.Errorf("keys %q", keysOf(l.Self()))
	}
	checkRecord(t, l.Self())
}

func TestUpdate(t *testing.T) {
	l := fresh(t, udp4("1.2.3.4:9000"))
	wantUpdate(t, l, 1, false)
	wantUpdate(t, l, 2, true, set("a", "x"))
	wantUpdate(t, l, 2, false, set("a", "x"))
	wantUpdate(t, l, 2, false, set("a", []byte("x")), set("a", rlp.RawValue{'x'}), set("a", enr.WithEntry("a", "x")))
	wantUpdate(t, l, 3, true, set("a", "y"))
	wantUpdate(t, l, 4, true, set("zz", "1", "b", "2")) // one batch, one step
	wantUpdate(t, l, 5, true, set("c", "3"), Change{Owner: "chat", Set: map[string]any{"d": "4"}}, udp4("1.2.3.4:9001"))
	wantUpdate(t, l, 5, false, set("b", "other"), set("b", "2")) // the last one wins, and is nothing new
	wantUpdate(t, l, 6, true, Change{Owner: Operator, Remove: []string{"a", "unknown"}})
	wantUpdate(t, l, 6, false, Change{Owner: Operator, Remove: []string{"a"}})
	wantUpdate(t, l, 7, true, RemoveOwner("chat"))
	wantUpdate(t, l, 7, false, RemoveOwner("chat"))
	wantUpdate(t, l, 8, true, Change{Owner: Operator, Set: map[string]any{"b": "5"}, Remove: []string{"b", "c"}}) // set after remove
	if got, want := keysOf(l.Self()), []string{"b", "id", "ip", "secp256k1", "udp", "zz"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
}

func TestEndpointUpdates(t *testing.T) {
	l := fresh(t, set("tcp", uint16(9000)), SetEndpoint(endpoint.IPv4, netip.AddrPortFrom(netip.Addr{}, 9000)))
	port := func(p uint16) Change { return SetEndpoint(endpoint.IPv4, netip.AddrPortFrom(netip.Addr{}, p)) }
	wantUpdate(t, l, 1, false, port(9000))
	wantUpdate(t, l, 2, true, port(9001), set("tcp", uint16(9001)))
	wantUpdate(t, l, 3, true, udp4("10.20.30.40:9001"))
	wantUpdate(t, l, 3, false, udp4("[::ffff:10.20.30.40]:9001")) // 4-in-6 is IPv4
	wantUpdate(t, l, 4, true, udp4("10.20.30.40:9002"), set("tcp", uint16(9002)))
	wantUpdate(t, l, 5, true, udp6("[2001:db8::1]:9002")) // its own keys, even when the port is the same
	if got, want := keysOf(l.Self()), []string{"id", "ip", "ip6", "secp256k1", "tcp", "udp", "udp6"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	wantUpdate(t, l, 6, true, SetEndpoint(endpoint.IPv4, netip.AddrPort{}))
	if got, want := keysOf(l.Self()), []string{"id", "ip6", "secp256k1", "tcp", "udp6"}; !slices.Equal(got, want) {
		t.Errorf("keys %q, want %q", got, want)
	}
	if at, ok := l.Self().UDPEndpoint(); !ok || at != netip.MustParseAddrPort("[2001:db8::1]:9002") {
		t.Errorf("endpoint %v %v", at, ok)
	}
	wantUpdate(t, l, 7, true, SetEndpoint(endpoint.IPv6, netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), 0)))
	if slices.Contains(keysOf(l.Self()), "udp6") {
		t.Error("an unknown port is in the record")
	}
	wantUpdate(t, l, 8, true, RemoveOwner(Endpoint))
}

func TestListValue(t *testing.T) {
	l := fresh(t, set("list", []any{"a", []uint16{1, 2}}), set("empty", []string{}))
	var got rlp.RawValue
	if err := l.Self().Load(enr.WithEntry("list", &got)); err != nil || !bytes.Equal(got, []byte{0xc4, 'a', 0xc2, 1, 2}) {
		t.Errorf("%x, %v", got, err)
	}
	if err := l.Self().Load(enr.WithEntry("empty", &got)); err != nil || !bytes.Equal(got, []byte{0xc0}) {
		t.Errorf("%x, %v", got, err)
	}
	checkRecord(t, l.Self())
}

func TestRefused(t *testing.T) {
	plugin := func(key string, v any) Change { return Change{Owner: "chat", Set: map[string]any{key: v}} }
	for _, tc := range []struct {
		name   string
		change Change
		want   error
	}{
		{"id", set("id", "v5"), ErrReserved},
		{"public key", set("secp256k1", make([]byte, 33)), ErrReserved},
		{"endpoint of the operator", set("udp", uint16(1)), ErrReserved},
		{"endpoint of a plugin", plugin("ip6", make([]byte, 16)), ErrReserved},
		{"port of a plugin", plugin("tcp", uint16(1)), ErrReserved},
		{"quic of a plugin", plugin("quic6", uint16(1)), ErrReserved},
		{"another's field", plugin("mine", "x"), ErrFieldOwned},
		{"remove another's field", Change{Owner: "chat", Remove: []string{"mine"}}, ErrFieldOwned},
		{"remove the id", Change{Owner: Operator, Remove: []string{"id"}}, ErrFieldOwned},
		{"remove the endpoint", Change{Owner: Operator, Remove: []string{"ip"}}, ErrFieldOwned},
		{"no owner", Change{Set: map[string]any{"k": "v"}}, ErrBadOwner},
		{"identity as owner", RemoveOwner(Identity), ErrBadOwner},
		{"endpoint as owner", Change{Owner: Endpoint, Set: map[string]any{"k": "v"}}, ErrBadOwner},
		{"no key", set("", "v"), ErrBadValue},
		{"no value", set("k", nil), ErrBadValue},
		{"a channel", set("k", make(chan int)), ErrBadValue},
		{"a negative number", set("k", -1), ErrBadValue},
		{"a map", set("k", map[string]string{}), ErrBadValue},
		{"an entry around nothing", set("k", enr.WithEntry("k", nil)), ErrBadValue},
		{"another key's entry", set("k", enr.TCP(1)), ErrBadValue},
		{"an empty raw value", set("k", rlp.RawValue{}), ErrBadValue},
		{"two raw values", set("k", rlp.RawValue{1, 2}), ErrBadValue},
		{"a raw value cut off", set("k", rlp.RawValue{0x82, 1}), ErrBadValue},
		{"a raw value not canonical", set("k", rlp.RawValue{0x81, 1}), ErrBadValue},
		{"a list not canonical inside", set("k", rlp.RawValue{0xc3, 0xc2, 0x81, 1}), ErrBadValue},
		{"port zero", set("tcp", uint16(0)), ErrBadValue},
		{"port too large", set("tcp", uint32(65536)), ErrBadValue},
		{"port as text", set("quic", "9000"), ErrBadValue},
		{"IPv6 as IPv4", SetEndpoint(endpoint.IPv4, netip.MustParseAddrPort("[2001:db8::1]:1")), ErrBadValue},
		{"IPv4 as IPv6", SetEndpoint(endpoint.IPv6, netip.MustParseAddrPort("1.2.3.4:1")), ErrBadValue},
		{"4-in-6 as IPv6", SetEndpoint(endpoint.IPv6, netip.MustParseAddrPort("[::ffff:1.2.3.4]:1")), ErrBadValue},
		{"unspecified", udp4("0.0.0.0:1"), ErrBadValue},
		{"unspecified IPv6", udp6("[::]:1"), ErrBadValue},
		{"multicast", udp4("224.0.0.1:1"), ErrBadValue},
		{"broadcast", udp4("255.255.255.255:1"), ErrBadValue},
		{"a large value", set("k", make([]byte, 1<<20)), ErrTooLarge},
		{"a deep value", set("k", rlp.RawValue(bytes.Repeat([]byte{0xc1}, 1<<20))), ErrTooLarge},
		{"a large record", set("k", make([]byte, 250)), ErrTooLarge},
		{"a long key", set(string(make([]byte, 400)), "v"), ErrBadValue},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := fresh(t, udp4("1.2.3.4:9000"), set("mine", "x"))
			before := l.Self()
			// A good change first: nothing of the batch may stay.
			n, changed, err := l.Update(set("good", "1"), tc.change)
			if !errors.Is(err, tc.want) || changed || n != before || l.Self() != before {
				t.Fatalf("%v, changed %v, want %v", err, changed, tc.want)
			}
			wantUpdate(t, l, 1, false)
			if l.Degraded() != nil {
				t.Error("degraded by a change that was refused")
			}
			if _, _, err := Open(start, Config{Key: testKey(t)}, set("mine", "x"), udp4("1.2.3.4:9000"), tc.change); !errors.Is(err, tc.want) {
				t.Errorf("Open says %v", err)
			}
		})
	}
}

func TestFieldOwnedNamesTheOwner(t *testing.T) {
	l := fresh(t, Change{Owner: "chat", Set: map[string]any{"c": "1"}})
	var owned *FieldOwnedError
	if _, _, err := l.Update(set("c", "2")); !errors.As(err, &owned) || *owned != (FieldOwnedError{"c", "chat", Operator}) {
		t.Errorf("%v", err)
	}
	wantUpdate(t, l, 2, true, RemoveOwner("chat"), set("c", "2")) // free again
}

func TestSizeLimit(t *testing.T) {
	l := fresh(t, udp4("1.2.3.4:9000"))
	room := l.Usage().Max - l.Usage().Size - 4 // the key "k" has one byte, the header of a long string two, and the list's one more from 256 on
	wantUpdate(t, l, 2, true, set("k", bytes.Repeat([]byte{1}, room)))
	if got := size(t, l.Self()); got != 300 {
		t.Fatalf("%d bytes, want exactly 300", got)
	}
	var large *TooLargeError
	n, _, err := l.Update(set("k", bytes.Repeat([]byte{1}, room+1)))
	if !errors.As(err, &large) || !errors.Is(err, ErrTooLarge) || n.Seq() != 2 {
		t.Fatalf("301 bytes: %v", err)
	}
	if large.Size != 301 || large.Max != 300 || large.Owners[0] != (OwnerSize{Operator, room + 1 + 3}) || len(large.Owners) != 3 {
		t.Errorf("%+v", large)
	}
	if got, want := err.Error(), `record: 301 bytes, at most 300 fit: "operator" has `; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("message %q", got)
	}
	if _, _, err := Open(start, Config{Key: testKey(t), FreshKey: true}, udp4("1.2.3.4:9000"), set("k", bytes.Repeat([]byte{1}, room+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Open: %v", err)
	}
}

// TestSizeOfSeq lets the sequence number grow past a byte in a record that has no byte to spare.
func TestSizeOfSeq(t *testing.T) {
	l := fresh(t)
	l.seq = 126
	wantUpdate(t, l, 127, true, set("k", bytes.Repeat([]byte{1}, l.Usage().Max-l.Usage().Size-4)))
	if got := size(t, l.Self()); got != 300 {
		t.Fatalf("%d bytes", got)
	}
	value := bytes.Repeat([]byte{2}, l.Usage().Fields[1].Size-4)
	if _, _, err := l.Update(set("k", append(value, 2))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("seq 128 with the same size: %v", err)
	}
	wantUpdate(t, l, 128, true, set("k", value))
}

func TestUsageAddsUp(t *testing.T) {
	for _, seq := range []uint64{0, 127, 255, 1 << 20, 1 << 40, 1<<64 - 3} {
		l := fresh(t)
		l.seq = seq
		wantUpdate(t, l, seq+1, true, udp4("1.2.3.4:9000"), set("k", "v", "long", make([]byte, 60)), Change{Owner: "chat", Set: map[string]any{"c": []uint16{1}}})
		u, sum := l.Usage(), 0
		for _, f := range u.Fields {
			sum += f.Size
		}
		if u.Size != size(t, l.Self()) || u.Fixed+sum != u.Size || u.Max != 300 {
			t.Errorf("seq %d: %+v, but the record has %d bytes", seq, u, size(t, l.Self()))
		}
		if got := u.Fields[0]; got != (Field{"c", "chat", 3}) {
			t.Errorf("%+v", got)
		}
	}
}

func TestSeqExhausted(t *testing.T) {
	l := fresh(t)
	l.seq = 1<<64 - 2
	wantUpdate(t, l, 1<<64-1, true, set("k", "1"))
	if _, _, err := l.Update(set("k", "2")); !errors.Is(err, ErrSeqExhausted) {
		t.Errorf("%v", err)
	}
	wantUpdate(t, l, 1<<64-1, false, set("k", "1"))
}

func TestBadKey(t *testing.T) {
	half := testKey(t)
	half.D = nil
	off := testKey(t)
	off.X, off.Y = off.Y, off.X
	mixed := testKey(t)
	mixed.PublicKey = otherKey(t).PublicKey
	for name, key := range map[string]*ecdsa.PrivateKey{"nil": nil, "empty": {}, "no secret": half, "off the curve": off} {
		if l, _, err := Open(start, Config{Key: key}); l != nil || !errors.Is(err, ErrBadKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if l, _, err := Open(start, Config{Key: mixed}); l != nil || err == nil {
		t.Errorf("two halves of different keys: %v", err)
	}
}

func TestSelfIsForEverybody(t *testing.T) {
	l, done := fresh(t), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for last := uint64(0); ; {
			seq := l.Self().Seq()
			if seq < last {
				t.Errorf("seq went from %d to %d", last, seq)
			}
			last = seq
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 60 {
		if _, _, err := l.Update(set("k", uint16(i))); err != nil {
			t.Error(err)
		}
	}
	close(done)
	reader.Wait()
	if got := l.Self().Seq(); got != 61 {
		t.Errorf("seq %d after 60 updates", got)
	}
}

// writeFile puts text where a record should be.
func writeFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "record")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
