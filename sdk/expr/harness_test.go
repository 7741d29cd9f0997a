package expr

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/discv5/host/sdk/fields"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// realRecords are those of testdata whose signature is good, by the network of their heading.
func realRecords(t testing.TB) map[string][]*enode.Node {
	t.Helper()
	b, err := os.ReadFile("testdata/enr.txt")
	if err != nil {
		t.Fatal(err)
	}
	out, network := make(map[string][]*enode.Node), ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "# "); ok {
			network = heading
			continue
		}
		if n, err := fields.Parse(line); err == nil {
			out[network] = append(out[network], n)
		}
	}
	return out
}

// nodeWith returns a node whose record has the given values, each "key=RLP in hex".
func nodeWith(t testing.TB, pairs ...string) *enode.Node {
	t.Helper()
	var r enr.Record
	for _, p := range pairs {
		key, digits, _ := strings.Cut(p, "=")
		raw, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		r.Set(enr.WithEntry(key, rlp.RawValue(raw)))
	}
	return enode.SignNull(&r, enode.ID{0: 0x80, 31: 1})
}

func compiled(t testing.TB, text string, options ...Option) *Program {
	t.Helper()
	p, err := Compile(text, options...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}
