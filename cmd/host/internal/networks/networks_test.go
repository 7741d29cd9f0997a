package networks

import (
	"slices"
	"strings"
	"testing"

	"github.com/discv5/host/cmd/host/internal/hint"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestEveryBootnode(t *testing.T) {
	for _, network := range Names()[1:] {
		nodes, err := Bootnodes(network) // Parse verified every signature
		if err != nil {
			t.Errorf("%s: %v", network, err)
			continue
		}
		if len(nodes) < 10 {
			t.Errorf("%s: %d bootnodes, want at least 10", network, len(nodes))
		}
		seen := make(map[enode.ID]bool)
		for _, n := range nodes {
			if seen[n.ID()] {
				t.Errorf("%s: node %s appears twice", network, n.ID())
			}
			seen[n.ID()] = true
			if addr, ok := n.UDPEndpoint(); !ok || addr.Port() == 0 {
				t.Errorf("%s: %s has no UDP endpoint", network, n)
			}
		}
	}
}

// Every line of a record file is a comment or a record that Bootnodes uses, in this version or a newer one.
func TestRecordFiles(t *testing.T) {
	for _, network := range Names()[1:] {
		nodes, err := Bootnodes(network)
		if err != nil {
			t.Fatal(err)
		}
		data, err := recordFiles.ReadFile("records/" + network + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "# ") {
				continue
			}
			want, err := enode.Parse(enode.ValidSchemes, line)
			if err != nil {
				t.Errorf("%s: %q: %v", network, line, err)
				continue
			}
			if !slices.ContainsFunc(nodes, func(n *enode.Node) bool { return n.ID() == want.ID() && n.Seq() >= want.Seq() }) {
				t.Errorf("%s: %s is in the file but not a bootnode", network, want.ID())
			}
		}
	}
}

func TestNames(t *testing.T) {
	if nodes, err := Bootnodes(None); err != nil || len(nodes) != 0 {
		t.Errorf("none: %d nodes, %v", len(nodes), err)
	}
	if _, err := Bootnodes("ropsten"); err == nil || !strings.Contains(hint.Of(err), "mainnet") {
		t.Errorf("an unknown network: %v, want an error with the known ones", err)
	}
	if len(published) != len(Names())-1 {
		t.Errorf("%d networks published, %d named", len(published), len(Names())-1)
	}
}
