package record

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// forge signs a list of keys and values as it stands, whatever rules it breaks, and returns the record's bytes.
func forge(t testing.TB, seq uint64, pairs ...any) []byte {
	t.Helper()
	key := testKey(t)
	content := append([]any{seq}, pairs...)
	unsigned, err := rlp.EncodeToBytes(content)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := crypto.Sign(crypto.Keccak256(unsigned), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := rlp.EncodeToBytes(append([]any{sig[:64]}, content...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func text(b []byte) string { return "enr:" + base64.RawURLEncoding.EncodeToString(b) }

// TestReceivedRecords shows which records of others pass the check that stands before everything we do with one.
func TestReceivedRecords(t *testing.T) {
	public := crypto.CompressPubkey(&testKey(t).PublicKey)
	good := func(more ...any) []any { return append([]any{"id", "v4", "secp256k1", public}, more...) }
	fill := func(n int) []byte { // a good record of n bytes
		short := forge(t, 1, good("z", bytes.Repeat([]byte{1}, 100))...)
		return forge(t, 1, good("z", bytes.Repeat([]byte{1}, 100+n-len(short)-1))...) // the list's header grows once
	}
	if n := len(fill(300)); n != 300 {
		t.Fatalf("the record for the limit has %d bytes", n)
	}
	altered := forge(t, 1, good("z", "1")...)
	altered[len(altered)-1]++
	otherSig := forge(t, 1, good()...)
	otherSig[10] ^= 1
	for _, tc := range []struct {
		name string
		raw  []byte
		ok   bool
	}{
		{"plain", forge(t, 1, good("z", "1")...), true},
		{"seq 0", forge(t, 0, good()...), true},
		{"list value", forge(t, 1, good("z", []any{"a", []string{"b"}})...), true},
		{"300 bytes", fill(300), true},
		{"301 bytes", fill(301), false},
		{"keys not sorted", forge(t, 1, "secp256k1", public, "id", "v4"), false},
		{"key twice", forge(t, 1, good("z", "1", "z", "1")...), false},
		{"public key twice", forge(t, 1, good("secp256k1", public)...), false},
		{"key without value", forge(t, 1, good("z")...), false},
		{"altered content", altered, false},
		{"altered signature", otherSig, false},
		{"no id", forge(t, 1, "secp256k1", public), false},
		{"unknown identity scheme", forge(t, 1, "id", "v5", "secp256k1", public), false},
		{"no public key", forge(t, 1, "id", "v4"), false},
		{"short public key", forge(t, 1, "id", "v4", "secp256k1", public[:32]), false},
		{"point off the curve", forge(t, 1, "id", "v4", "secp256k1", append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)), false},
		{"no bytes", nil, false},
		{"empty list", []byte{0xc0}, false},
		{"not a list", []byte{0x83, 1, 2, 3}, false},
		{"trailing byte", append(forge(t, 1, good()...), 0), false},
		{"seq of nine bytes", []byte(strings.Replace(string(forge(t, 1<<63, good()...)), "\x88\x80", "\x89\x01\x80", 1)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, err := parse([]byte(text(tc.raw)))
			if (err == nil) != tc.ok || (n != nil) != tc.ok {
				t.Fatalf("%v, %v", n, err)
			}
			if !tc.ok {
				if !errors.Is(err, ErrDamaged) {
					t.Fatalf("%v is not ErrDamaged", err)
				}
				return
			}
			if again, err := rlp.EncodeToBytes(n.Record()); err != nil || !bytes.Equal(again, tc.raw) {
				t.Errorf("encoded again: %x, %v", again, err)
			}
			if n.String() != text(tc.raw) {
				t.Errorf("as text: %s", n)
			}
		})
	}
	for cut := range altered {
		if _, err := parse([]byte(text(forge(t, 1, good("z", "1")...)[:cut]))); err == nil {
			t.Fatalf("the first %d bytes pass", cut)
		}
	}
}

func TestRecordText(t *testing.T) {
	good := fresh(t, udp4("1.2.3.4:9000")).Self().String()
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"plain", good, true},
		{"with line end", good + "\n", true},
		{"with space around", " \t" + good + " \r\n\r\n", true},
		{"empty", "", false},
		{"blank", "\n", false},
		{"prefix alone", "enr:", false},
		{"no prefix", good[4:], false},
		{"other prefix", "ENR:" + good[4:], false},
		{"prefix with slashes", "enr://" + good[4:], false},
		{"enode URL", enode.NewV4(&testKey(t).PublicKey, nil, 1, 1).URLv4(), false},
		{"not base64", good + "*", false},
		{"standard base64", strings.NewReplacer("-", "+", "_", "/").Replace(good), false},
		{"padding", good + "=", false},
		{"line end inside", good[:40] + "\n" + good[40:], false},
		{"two records", good + "\n" + good, false},
		{"one character less", good[:len(good)-1], false},
		{"much too long", good + strings.Repeat(" ", MaxFile), false},
	} {
		if n, err := parse([]byte(tc.text)); (err == nil) != tc.ok || !tc.ok && (!errors.Is(err, ErrDamaged) || n != nil) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestAddressLengths shows that an address of a wrong length makes no endpoint, but no bad record either.
func TestAddressLengths(t *testing.T) {
	public := crypto.CompressPubkey(&testKey(t).PublicKey)
	for _, tc := range []struct {
		key, udp string
		size     int
		ok       bool
	}{
		{"ip", "udp", 4, true}, {"ip", "udp", 3, false}, {"ip", "udp", 5, false}, {"ip", "udp", 16, false}, {"ip", "udp", 0, false},
		{"ip6", "udp6", 16, true}, {"ip6", "udp6", 15, false}, {"ip6", "udp6", 17, false}, {"ip6", "udp6", 4, false}, {"ip6", "udp6", 0, false},
	} {
		n, err := parse([]byte(text(forge(t, 1, "id", "v4", tc.key, bytes.Repeat([]byte{1}, tc.size), "secp256k1", public, tc.udp, uint16(9000)))))
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := n.UDPEndpoint(); ok != tc.ok {
			t.Errorf("%s of %d bytes: %v, %v", tc.key, tc.size, at, ok)
		}
	}
}

// TestPortZero shows that port zero is no endpoint.
func TestPortZero(t *testing.T) {
	public := crypto.CompressPubkey(&testKey(t).PublicKey)
	n, err := parse([]byte(text(forge(t, 1, "id", "v4", "ip", []byte{1, 2, 3, 4}, "secp256k1", public, "udp", uint16(0)))))
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := n.UDPEndpoint(); ok {
		t.Errorf("%v", at)
	}
}

// TestEqualRecordsAreEqualBytes shows what makes two records the same: their bytes, which the key and the content
// decide, for signatures are deterministic.
func TestEqualRecordsAreEqualBytes(t *testing.T) {
	a, b := fresh(t, set("k", "v", "a", "b")), fresh(t, set("a", "b"), set("k", "v"))
	if a.Self().String() != b.Self().String() {
		t.Error("the order of the changes shows in the record")
	}
	var id enr.ID
	if err := a.Self().Load(&id); err != nil || id != enr.IDv4 || !slices.Contains(keysOf(a.Self()), "secp256k1") {
		t.Errorf("identity scheme %q, %v", id, err)
	}
}
