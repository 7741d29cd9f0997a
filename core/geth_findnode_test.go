package core_test

import (
	"crypto/ecdsa"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/discover"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// maxRecords is how many records a NODES answer has at most, on both sides.
const maxRecords = 16

// neighbourhood is how many nodes the tests put at which distance: 12 and 4 fit into one answer, 18 do not.
var neighbourhood = []struct{ distance, count int }{{256, 12}, {255, 4}, {254, 2}}

// findNodeCases are requests to a node with that neighbourhood.
var findNodeCases = []struct {
	name      string
	distances []uint
	self      bool // the node itself is in the answer
	want      int  // records besides it
}{
	{"distance 0", []uint{0}, true, 0},
	{"one distance, several packets", []uint{256}, false, 12},
	{"several distances", []uint{254, 255}, false, 6},
	{"several distances and 0", []uint{0, 254}, true, 2},
	{"more than an answer holds", []uint{256, 255, 254}, false, maxRecords},
	{"a distance where nobody is", []uint{250}, false, 0},
	{"no distance", nil, false, 0},
}

// keyAt makes a key whose id is at a log distance from another.
func keyAt(t testing.TB, from enode.ID, distance int) *ecdsa.PrivateKey {
	t.Helper()
	for {
		key := newKey(t)
		if enode.LogDist(from, enode.PubkeyToIDV4(&key.PublicKey)) == distance {
			return key
		}
	}
}

// checkAnswer compares an answer with what a node at the centre of neighbours must say.
func checkAnswer(t *testing.T, centre *enode.Node, neighbours, got []*enode.Node, distances []uint, self bool, want int) {
	t.Helper()
	others := 0
	for i, n := range got {
		if slices.ContainsFunc(got[:i], func(o *enode.Node) bool { return o.ID() == n.ID() }) {
			t.Errorf("%v came twice", n.ID())
		}
		if n.ID() == centre.ID() {
			if !self || n.Seq() != centre.Seq() {
				t.Errorf("the node's own record came with seq %d; asked for: %v, seq: %d", n.Seq(), self, centre.Seq())
			}
			continue
		}
		others++
		if !slices.Contains(distances, uint(enode.LogDist(centre.ID(), n.ID()))) {
			t.Errorf("a record at distance %d came, asked was for %d", enode.LogDist(centre.ID(), n.ID()), distances)
		}
		if !slices.ContainsFunc(neighbours, func(o *enode.Node) bool { return o.ID() == n.ID() && o.Seq() == n.Seq() }) {
			t.Errorf("%v is no neighbour", n.ID())
		}
	}
	if others != want || (len(got) > others) != self {
		t.Errorf("%d records came, %d of them of neighbours; want %d of neighbours, its own: %v", len(got), others, want, self)
	}
}

// nodesPackets returns how many NODES packets a node got.
func nodesPackets(n *core.Node) uint64 { return n.Stats().MessagesReceived[codec.NodesType] }

func TestGethAnswersFindNode(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	neighbours := neighboursOfGeth(t, geth, false)
	for _, c := range findNodeCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ours.FindNode(within(t, 10*time.Second), geth.Self(), c.distances)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, geth.Self(), neighbours, got, c.distances, c.self, c.want)
		})
	}
}

// Sixteen records of 300 bytes are six packets of geth's, more than geth itself accepts.
func TestGethAnswersFindNodeWithFullRecords(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	neighbours := neighboursOfGeth(t, geth, true)
	got, err := ours.FindNode(within(t, 10*time.Second), geth.Self(), []uint{256, 255, 254})
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, geth.Self(), neighbours, got, []uint{256, 255, 254}, false, maxRecords)
	if packets := nodesPackets(ours); packets != 6 {
		t.Errorf("the answer came in %d packets, want 6", packets)
	}
}

// neighboursOfGeth puts nodes into geth's table that it takes for alive. None of them runs.
func neighboursOfGeth(t *testing.T, geth *discover.UDPv5, full bool) (all []*enode.Node) {
	t.Helper()
	port := enr.UDP(20_000)
	for _, at := range neighbourhood {
		for range at.count {
			var r enr.Record
			r.Set(enr.IPv4Addr(loopback4.Addr()))
			r.Set(port)
			port++
			key := keyAt(t, geth.Self().ID(), at.distance)
			sign := func() *enode.Node {
				if err := enode.SignV4(&r, key); err != nil {
					t.Fatal(err)
				}
				n, err := enode.New(enode.ValidSchemes, &r)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			r.SetSeq(1)
			n := sign()
			if full {
				r.Set(padding(t, n))
				n = sign()
				wantFullRecord(t, n)
			}
			if !geth.AddKnownNode(n) {
				t.Fatalf("geth's table does not take %v", n)
			}
			all = append(all, n)
		}
	}
	return all
}

func TestGethFindNode(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	neighbours := neighboursOfOurs(t, ours, false)
	for _, c := range findNodeCases {
		t.Run(c.name, func(t *testing.T) {
			before := ours.Stats().MessagesSent[codec.NodesType]
			got, err := geth.Findnode(ours.Self(), c.distances)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, ours.Self(), neighbours, got, c.distances, c.self, c.want)
			if packets := ours.Stats().MessagesSent[codec.NodesType] - before; len(got) > 8 && packets < 2 {
				t.Errorf("%d records came in %d packet", len(got), packets)
			}
		})
	}
}

// Of sixteen records of 300 bytes geth gets at least fifteen: it takes five packets, and three of these fit into one.
func TestGethFindNodeWithFullRecords(t *testing.T) {
	ours, geth := listenOurs(t), listenGeth(t)
	neighbours := neighboursOfOurs(t, ours, true)
	got, err := geth.Findnode(ours.Self(), []uint{256, 255, 254})
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, ours.Self(), neighbours, got, []uint{256, 255, 254}, false, 15)
	if packets := ours.Stats().MessagesSent[codec.NodesType]; packets != 6 {
		t.Errorf("the answer went out in %d packets, want 6", packets)
	}
}

// neighboursOfOurs starts nodes around one of ours, which pings each.
func neighboursOfOurs(t *testing.T, ours *core.Node, full bool) (all []*enode.Node) {
	t.Helper()
	for _, where := range neighbourhood {
		for range where.count {
			n := listenOurs(t, at(keyAt(t, ours.ID(), where.distance), netip.AddrPortFrom(loopback4.Addr(), 0)))
			if full {
				pad(t, n)
			}
			if result, err := ours.Add(n.Self()); err != nil || !result.InTable() {
				t.Fatalf("our table does not take a node: %v, %v", result, err)
			}
			ping(t, ours, n.Self())
			all = append(all, n.Self())
		}
	}
	return all
}
