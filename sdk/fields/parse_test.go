package fields

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// placeholder is the key that only the one record with an invalid signature has.
const placeholder = "j0"

// records returns the records of testdata/enr.txt: published bootstrap nodes and documentation
// examples, under headings that start with '#'.
func records(t testing.TB) []string {
	t.Helper()
	f, err := os.Open("testdata/enr.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	if len(out) < 20 {
		t.Fatalf("%d records in testdata", len(out))
	}
	return out
}

func TestRealRecordsParseAndDescribe(t *testing.T) {
	invalid := 0
	for _, text := range records(t) {
		in, err := Inspect(" \t" + text + "\r\n")
		if err != nil {
			t.Errorf("Inspect(%s): %v", text, err)
			continue
		}
		n, perr := Parse(text)
		if in.Valid != (perr == nil) {
			t.Errorf("Inspect says valid=%v, Parse %v: %s", in.Valid, perr, text)
		}
		bad := false
		for _, f := range in.Fields {
			bad = bad || f.Key == placeholder
			if f.Err != nil {
				t.Errorf("%s of %s: %v", f.Name(), text, f.Err)
			}
			if !f.Known && f.Key != placeholder {
				t.Errorf("%s of %s has no decoder", f.Name(), text)
			}
		}
		if bad {
			invalid++
			if !errors.Is(perr, ErrSignature) || !errors.Is(in.Err, ErrSignature) {
				t.Errorf("the record with key %s: Parse %v, Inspect %v, want ErrSignature", placeholder, perr, in.Err)
			}
			continue
		}
		want, err := enode.Parse(enode.ValidSchemes, text)
		if err != nil || perr != nil {
			t.Errorf("%s: ours %v, go-ethereum's %v", text, perr, err)
			continue
		}
		if n.ID() != want.ID() || in.ID != want.ID() || in.Node.String() != text || in.Seq != want.Seq() {
			t.Errorf("%s is another node than go-ethereum reads", text)
		}
	}
	if invalid != 1 {
		t.Errorf("%d records with invalid signature, want 1", invalid)
	}
}

func TestInvalidSignatureIsStillDescribed(t *testing.T) {
	for _, text := range records(t) {
		in, err := Inspect(text)
		if err != nil {
			t.Fatal(err)
		}
		if in.Valid {
			continue
		}
		js, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"valid":false`, `"error":"invalid signature`, `"relay, store, filter, lightpush"`, `"key":"j0"`} {
			if !bytes.Contains(js, []byte(want)) {
				t.Errorf("no %s in %s", want, js)
			}
		}
		if in.Node != nil || in.ID == (enode.ID{}) {
			t.Errorf("node %v, id %v; want none and the claimed one", in.Node, in.ID)
		}
	}
}

// pair is an entry with any key and any RLP.
type pair struct {
	key string
	raw []byte
}

// rawRecord encodes a record without any care for the rules.
func rawRecord(sig []byte, pairs ...pair) []byte {
	b := append(appendString(nil, sig), 1)
	for _, p := range pairs {
		b = append(appendString(b, []byte(p.key)), p.raw...)
	}
	return appendList(nil, b)
}

func text(raw []byte) string { return prefix + base64.RawURLEncoding.EncodeToString(raw) }

func TestParseSaysWhatIsWrong(t *testing.T) {
	good := records(t)[0]
	raw, err := base64.RawURLEncoding.DecodeString(good[len(prefix):])
	if err != nil {
		t.Fatal(err)
	}
	var (
		sig  = make([]byte, 64)
		id   = pair{"id", []byte("\x82v4")}
		key  = pair{"secp256k1", appendString(nil, crypto.CompressPubkey(&testKey(t).PublicKey))}
		udp  = pair{"udp", []byte{1}}
		flip = bytes.Clone(raw)
	)
	flip[10] ^= 1
	for _, tc := range []struct {
		name, in string
		want     error
		say      string
	}{
		{"empty", " \n", ErrPrefix, "empty"},
		{"no prefix", good[4:], ErrPrefix, `starts with "-Le4Q`},
		{"enode", "enode://00@127.0.0.1:1", ErrPrefix, "enode URL"},
		{"upper case", "ENR:" + good[4:], ErrPrefix, "lower case"},
		{"hostile prefix", "\x1b[2J\u202e", ErrPrefix, `"\x1b[2J\u202e"`},
		{"padding", good + "=", ErrBase64, "padding"},
		{"standard alphabet", strings.ReplaceAll(good, "_", "/"), ErrBase64, "standard alphabet"},
		{"inner space", good[:50] + "\n" + good[50:], ErrBase64, "white space at position 46"},
		{"odd character", good[:50] + "é" + good[50:], ErrBase64, "at position 46"},
		{"cut text", good[:len(prefix)+9], ErrBase64, "one is missing"},
		{"cut record", good[:len(prefix)+100], ErrRLP, ""},
		{"bytes after", text(append(bytes.Clone(raw), 1)), ErrRLP, "1 bytes after its end"},
		{"nothing", prefix, ErrRLP, ""},
		{"no seq", text([]byte{0xc1, 0x80}), ErrRLP, "sequence number"},
		{"list as signature", text([]byte{0xc2, 0xc0, 0x01}), ErrRLP, "signature"},
		{"list as key", text([]byte{0xc4, 0x80, 0x01, 0xc0, 0x01}), ErrRLP, "key after"},
		{"no value", text([]byte{0xc3, 0x80, 0x01, 'a'}), ErrRLP, "a has no value"},
		{"not canonical", text([]byte{0xc5, 0x80, 0x01, 'a', 0x81, 0x01}), ErrRLP, "value of a"},
		{"too large", text(rawRecord(sig, pair{"a", appendString(nil, make([]byte, 250))})), ErrTooLarge, "at most 300"},
		{"much too large", prefix + strings.Repeat("A", 1<<20), ErrTooLarge, "1048576 characters"},
		{"unsorted", text(rawRecord(sig, udp, id)), ErrOrder, "id stands after udp"},
		{"duplicate", text(rawRecord(sig, id, id)), ErrDuplicate, "id"},
		{"no scheme", text(rawRecord(sig, key)), ErrScheme, `no "id"`},
		{"other scheme", text(rawRecord(sig, pair{"id", []byte("\x82v\x1b")}, key)), ErrScheme, "0x761b"},
		{"scheme is a list", text(rawRecord(sig, pair{"id", []byte{0xc0}}, key)), ErrScheme, "kind"},
		{"no key", text(rawRecord(sig, id)), ErrPublicKey, "absent"},
		{"bad key", text(rawRecord(sig, id, pair{"secp256k1", []byte{5}})), ErrPublicKey, ""},
		{"short signature", text(rawRecord(sig[:63], id, key)), ErrSignature, "63 bytes"},
		{"zero signature", text(rawRecord(sig, id, key)), ErrSignature, "not by the record's key"},
		{"flipped signature", text(flip), ErrSignature, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse(tc.in)
			if !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			if !strings.Contains(err.Error(), tc.say) {
				t.Errorf("%q does not say %q", err, tc.say)
			}
			if !printable([]byte(err.Error())) {
				t.Errorf("%q is not safe to print", err)
			}
			in, ierr := Inspect(tc.in)
			switch tc.want {
			case ErrScheme, ErrPublicKey, ErrSignature:
				if ierr != nil || in.Valid || in.Node != nil || !errors.Is(in.Err, tc.want) || len(in.Fields) == 0 {
					t.Errorf("Inspect: %+v, %v; want the fields of an invalid record", in, ierr)
				}
			default:
				if in != nil || !errors.Is(ierr, tc.want) {
					t.Errorf("Inspect: %+v, %v; want %v", in, ierr, tc.want)
				}
			}
		})
	}
}

func TestParseEveryTruncationAndFlipFails(t *testing.T) {
	good := records(t)[0]
	raw, _ := base64.RawURLEncoding.DecodeString(good[len(prefix):])
	for i := range raw {
		if n, err := Parse(text(raw[:i])); err == nil {
			t.Errorf("the first %d bytes parse as %v", i, n)
		}
		b := bytes.Clone(raw)
		b[i] ^= 0x10
		if n, err := Parse(text(b)); err == nil {
			t.Errorf("with byte %d flipped it parses as %v", i, n)
		}
	}
}

func TestParseTakesTheLargestRecord(t *testing.T) {
	var r enr.Record
	r.SetSeq(1)
	r.Set(enr.WithEntry("z", make([]byte, 177)))
	if err := enode.SignV4(&r, testKey(t)); err != nil {
		t.Fatal(err)
	}
	raw, err := rlp.EncodeToBytes(&r)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) != enr.SizeLimit {
		t.Fatalf("%d bytes, want %d", len(raw), enr.SizeLimit)
	}
	if _, err := Parse(text(raw)); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range records(f) {
		f.Add(text)
	}
	f.Add("enr:")
	f.Fuzz(func(t *testing.T, in string) {
		n, err := Parse(in)
		_, want := enode.Parse(enode.ValidSchemes, strings.TrimSpace(in))
		if (err == nil) != (want == nil) && strings.HasPrefix(strings.TrimSpace(in), prefix) && !strings.ContainsAny(strings.TrimSpace(in), "\r\n") {
			t.Errorf("ours %v, go-ethereum's %v", err, want)
		}
		if err != nil && !printable([]byte(err.Error())) {
			t.Errorf("%q is not safe to print", err)
		}
		ins, ierr := Inspect(in)
		if err == nil && (ierr != nil || !ins.Valid || ins.ID != n.ID()) {
			t.Errorf("Parse takes it, Inspect %v", ierr)
		}
		if ierr == nil {
			if _, err := json.Marshal(ins); err != nil {
				t.Error(err)
			}
		}
	})
}
