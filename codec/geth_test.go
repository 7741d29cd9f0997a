package codec

import (
	"bytes"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/discover/v5wire"
	"github.com/ethereum/go-ethereum/rlp"
)

// TestGethReadsOurMessages has go-ethereum decode every message and encode it
// again.
func TestGethReadsOurMessages(t *testing.T) {
	for _, m := range messages(t) {
		want := m.append(nil)
		p, err := v5wire.DecodeMessage(want[0], want[1:])
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		body, err := rlp.EncodeToBytes(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := append([]byte{p.Kind()}, body...); !bytes.Equal(got, want) {
			t.Errorf("%s: go-ethereum writes %x, we %x", m.name, got, want)
		}
	}
}
