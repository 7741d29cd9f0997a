package codec

import (
	"crypto/ecdsa"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// vector is one section of testdata/discv5-wire.txt.
type vector struct {
	t      testing.TB
	values map[string]string
}

// vectors reads a file of "[section]", "name = value" and indented lines that
// go on with the value.
func vectors(t testing.TB) map[string]vector {
	t.Helper()
	file, err := os.ReadFile("testdata/discv5-wire.txt")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]vector{}
	var section vector
	var name string
	for line := range strings.Lines(string(file)) {
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#':
		case text[0] == '[':
			section = vector{t, map[string]string{}}
			sections[strings.Trim(text, "[]")] = section
		case line[0] == ' ':
			section.values[name] += text
		default:
			key, value, ok := strings.Cut(text, "=")
			if !ok {
				t.Fatalf("no value in line %q", text)
			}
			name = strings.TrimSpace(key)
			section.values[name] = strings.TrimPrefix(strings.TrimSpace(value), "0x")
		}
	}
	return sections
}

func (v vector) text(name string) string {
	v.t.Helper()
	text, ok := v.values[name]
	if !ok {
		v.t.Fatalf("no value %q in the vector", name)
	}
	return text
}

func (v vector) bytes(name string) []byte {
	v.t.Helper()
	return unhex(v.t, v.text(name))
}

func (v vector) number(name string) uint64 {
	v.t.Helper()
	n, err := strconv.ParseUint(v.text(name), 10, 64)
	if err != nil {
		v.t.Fatal(err)
	}
	return n
}

func (v vector) id(name string) enode.ID { return enode.ID(v.bytes(name)) }

func (v vector) private(name string) *ecdsa.PrivateKey {
	v.t.Helper()
	key, err := crypto.ToECDSA(v.bytes(name))
	if err != nil {
		v.t.Fatal(err)
	}
	return key
}

func (v vector) public(name string) *ecdsa.PublicKey {
	v.t.Helper()
	key, err := ParseEphemeralKey(v.bytes(name))
	if err != nil {
		v.t.Fatal(err)
	}
	return key
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
