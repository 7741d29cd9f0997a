package sdktest

import (
	"bytes"
	"net/netip"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

const maxBatch = 256 // nodes

// filter checks the data stream of a filter plugin: one verdict for each node, whatever the verdict.
func (s *suiteRun) filter(t T) {
	t.Run("every stage", func(t T) {
		x := s.start(t)
		for _, stage := range x.request().GetFilter().GetStages() {
			s.decide(t, x, sdk.Stage(stage), Node(1, Endpoint(1)), Node(2, Endpoint(2)))
		}
	})
	t.Run("empty batch", func(t T) { s.decide(t, s.start(t), s.stage()) })
	t.Run("full batch", func(t T) {
		nodes := make([]*enode.Node, maxBatch)
		for i := range nodes {
			nodes[i] = Node(uint32(i), Endpoint(uint32(i)))
		}
		s.decide(t, s.start(t), s.stage(), nodes...)
	})
	t.Run("many batches", func(t T) {
		x := s.start(t)
		for i := range 50 {
			s.decide(t, x, s.stage(), Node(uint32(i), Endpoint(uint32(i))), Node(1, Endpoint(1)))
		}
	})
	t.Run("records of all sorts", func(t T) {
		x := s.start(t)
		for name, n := range oddNodes() {
			if _, err := s.ask(x, s.stage(), n); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.decide(t, x, s.stage(), Node(1, Endpoint(1)))
	})
	t.Run("the same node again", func(t T) {
		x := s.start(t)
		n := Node(1, Endpoint(1))
		first, second := s.decide(t, x, s.stage(), n, n), s.decide(t, x, s.stage(), n)
		if first[0].Decision != first[1].Decision || first[0].Decision != second[0].Decision {
			t.Logf("the verdict about one node changes between calls; the host remembers the first")
		}
	})
	t.Run("drain", func(t T) {
		x := s.start(t)
		s.decide(t, x, s.stage(), Node(1, Endpoint(1)))
		if err := x.drain(); err != nil {
			t.Errorf("drain: %v", err)
		}
	})
}

// oddNodes are nodes that a filter may not expect.
func oddNodes() map[string]*enode.Node {
	long := enr.WithEntry("zz", bytes.Repeat([]byte{0xee}, 140))
	nested := enr.WithEntry("eth2", []any{[]byte("no"), []any{[]byte("such")}, []byte("thing")})
	return map[string]*enode.Node{
		"a record without an endpoint":      Node(1, netip.AddrPort{}),
		"a record with an IPv6 endpoint":    Node(2, netip.MustParseAddrPort("[2001:db8::1]:30303")),
		"a record with a long field":        Node(3, Endpoint(3), long),
		"a record with a field of lists":    Node(4, Endpoint(4), nested),
		"a record with empty fields":        Node(5, Endpoint(5), enr.WithEntry("eth2", []byte{}), enr.WithEntry("attnets", rlp.RawValue{0x80})),
		"a record whose address is a LAN's": Node(6, netip.MustParseAddrPort("192.168.1.1:1")),
	}
}

// stage is one where the filter makes sense.
func (s *suiteRun) stage() sdk.Stage {
	if described := s.about.GetFilter().GetStages(); len(described) > 0 {
		return sdk.Stage(described[0])
	}
	return sdk.StageTable
}

func (s *suiteRun) ask(x *session, stage sdk.Stage, nodes ...*enode.Node) ([]sdk.Verdict, error) {
	stream, err := x.filterStream()
	if err != nil {
		return nil, err
	}
	return stream.decide(stage, nodes)
}

// decide asks for verdicts that must come.
func (s *suiteRun) decide(t T, x *session, stage sdk.Stage, nodes ...*enode.Node) []sdk.Verdict {
	t.Helper()
	out, err := s.ask(x, stage, nodes...)
	if err != nil {
		t.Fatalf("stage %s, %d nodes: %v", stage, len(nodes), err)
	}
	return out
}
