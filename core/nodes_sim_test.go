package core

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// ask sends a FINDNODE and returns the records and the packets of the answer.
func (p *peer) ask(n *Node, distances ...any) (nodes []*enode.Node, packets []packet) {
	p.s.t.Helper()
	p.send(n.LocalAddrs()[0], listOf(codec.FindNodeType, []byte("ask"), distances))
	for total := 1; len(packets) < total; {
		got := p.wantMessage(codec.NodesType)
		m, err := codec.ParseNodes(got.body)
		if err != nil {
			p.s.t.Fatal(err)
		}
		if len(packets) > 0 && m.Total != total {
			p.s.t.Errorf("total %d after %d", m.Total, total)
		}
		total = m.Total
		packets = append(packets, got)
		for r := range m.Records.All() {
			node, err := newRecordCache().verify(r)
			if err != nil {
				p.s.t.Fatal("record in NODES:", err)
			}
			nodes = append(nodes, node)
		}
	}
	return nodes, packets
}

// Every distance up to 256 is served, doubles and larger ones are skipped, 0 is the node's own record, at most 16 in all.
func TestSimFindNodeAnswers(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n) // its record enters the table, but it has not been pinged yet
		far := s.nodesAt(n.ID(), 256, 10)
		near := s.nodesAt(n.ID(), 253, 10)
		s.know(n, far...)
		s.know(n, near...)
		unverified := signed(t, keyAt(t, n.ID(), 252), 1, s.addr())
		if r, err := n.Add(unverified); r != table.Added || err != nil {
			t.Fatalf("add gave %v, %v", r, err)
		}
		cases := []struct {
			distances []any
			self      bool
			from      []*enode.Node
			count     int
		}{
			{[]any{uint64(0)}, true, nil, 1},
			{[]any{uint64(253)}, false, near, 10},
			{[]any{uint64(253), uint64(253), uint64(253)}, false, near, 10},
			{[]any{uint64(65535)}, false, nil, 0},
			{[]any{uint64(1) << 40, uint64(253)}, false, near, 10},
			{[]any{uint64(254)}, false, nil, 0},
			{[]any{uint64(252)}, false, nil, 0},
			{[]any{}, false, nil, 0},
			{[]any{uint64(256), uint64(253)}, false, slices.Concat(far, near), 16},
			{[]any{uint64(253), uint64(0)}, true, near, 11},
			{[]any{uint64(256), uint64(0), uint64(253)}, true, slices.Concat(far, near), 16},
		}
		for _, c := range cases {
			nodes, _ := p.ask(n, c.distances...)
			if len(nodes) != c.count {
				t.Errorf("FINDNODE %v gave %d nodes, want %d", c.distances, len(nodes), c.count)
			}
			allowed := ids(c.from)
			for i, node := range nodes {
				if node.ID() == n.ID() {
					if !c.self {
						t.Errorf("FINDNODE %v gave the node itself", c.distances)
					}
				} else if !allowed[node.ID()] {
					t.Errorf("FINDNODE %v gave node %d, which is not at an asked distance", c.distances, i)
				}
			}
			if len(ids(nodes)) != len(nodes) {
				t.Errorf("FINDNODE %v gave doubles", c.distances)
			}
			if c.self != ids(nodes)[n.ID()] {
				t.Errorf("FINDNODE %v: own record in the answer is %t", c.distances, !c.self)
			}
		}
		// Both of two distances get their share.
		nodes, _ := p.ask(n, uint64(256), uint64(253))
		for _, d := range []int{256, 253} {
			if !slices.ContainsFunc(nodes, func(node *enode.Node) bool { return table.LogDist(n.ID(), node.ID()) == d }) {
				t.Errorf("no node at distance %d in an answer for two distances", d)
			}
		}
	})
}

// The asker does not learn about itself.
func TestSimFindNodeWithoutTheAsker(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		s.know(n, p.node)
		d := table.LogDist(n.ID(), p.id())
		other := signed(t, keyAt(t, n.ID(), max(d, 250)), 1, s.addr())
		s.know(n, other)
		var all []any
		for d := range uint64(256) {
			all = append(all, d+1)
		}
		nodes, _ := p.ask(n, all...)
		if len(nodes) != 1 || nodes[0].ID() != other.ID() {
			t.Errorf("%d nodes, want only the other one", len(nodes))
		}
	})
}

// Of 1000 nodes, the closest is found by asking at its distance.
func TestSimFindNodeInFullTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		closest := enode.ID{}
		for range 1000 {
			node := signed(t, newKey(t), 1, s.addr())
			if r, _ := n.Add(node); r.InTable() {
				n.turn(func(now time.Time) { n.seenNode(now, node.ID(), time.Millisecond) })
			}
			if closest == (enode.ID{}) || enode.DistCmp(n.ID(), node.ID(), closest) < 0 {
				closest = node.ID()
			}
		}
		nodes, _ := p.ask(n, uint64(table.LogDist(n.ID(), closest)))
		if !ids(nodes)[closest] {
			t.Error("the closest of 1000 nodes is not in the answer for its distance")
		}
	})
}

// Answers fill their packets to 1280 bytes, each of which names the number of them.
func TestSimNodesFillPackets(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		var nodes []*enode.Node
		for range 16 {
			nodes = append(nodes, padded(t, keyAt(t, n.ID(), 256), s.addr(), 300))
		}
		s.know(n, nodes...)
		got, packets := p.ask(n, uint64(256))
		if len(got) != 16 || len(packets) != 6 {
			t.Errorf("%d records of 300 bytes in %d packets, want 16 in 6: three each", len(got), len(packets))
		}
		if r := finding(s.node(quiet), n.Self(), 256)(); r.err != nil || len(r.value) != 16 {
			t.Errorf("another node of ours takes %d of them, %v", len(r.value), r.err)
		}
	})
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		s.know(n, s.nodesAt(n.ID(), 256, 16)...)
		got, packets := p.ask(n, uint64(256))
		if len(got) != 16 || len(packets) != 2 {
			t.Errorf("%d small records in %d packets, want 16 in 2", len(got), len(packets))
		}
		record := len(encoded(t, got[0]))
		if size := len(packets[0].raw); size > codec.MaxPacketSize || size+record <= codec.MaxPacketSize {
			t.Errorf("the first packet has %d bytes: another record of %d bytes had room", size, record)
		}
	})
}

// LAN and loopback addresses are told only to those who are there themselves.
func TestSimLANAddressesStayInside(t *testing.T) {
	const outside, lan, machine = "203.0.113.9:30303", "10.1.2.9:30303", "127.0.0.9:30303"
	knows := []string{"198.18.0.1:1", "10.1.2.3:1", "192.168.7.7:1", "127.0.0.1:1"}
	for asker, want := range map[string]int{outside: 1, lan: 3, machine: 4} {
		t.Run(asker, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, p := s.node(quiet), s.peerAt(asker)
				p.dial(n)
				var all []any
				for _, a := range knows {
					node := signed(t, keyAt(t, n.ID(), 256), 1, addrPort(a))
					s.know(n, node)
					all = []any{uint64(256)}
				}
				nodes, _ := p.ask(n, all...)
				count := 0
				for _, node := range nodes {
					if node.ID() != p.id() {
						count++
					}
				}
				if count != want {
					t.Errorf("%d nodes are relayed to %s, want %d", count, asker, want)
				}
			})
		})
	}
}

// What a node may tell us depends on where it is: global addresses are fine from anybody, LAN addresses from the LAN,
// loopback addresses from this machine; distances must be those asked for; of doubles the first counts.
func TestSimVerificationOfRecords(t *testing.T) {
	const public, lan, loopback = "203.0.113.5:30303", "10.0.0.5:30303", "127.0.0.5:30303"
	both := func(v4, v6 string) []enr.Entry {
		a4, a6 := addrPort(v4), addrPort(v6)
		return []enr.Entry{enr.IPv4Addr(a4.Addr()), enr.UDP(a4.Port()), enr.IPv6Addr(a6.Addr()), enr.UDP6(a6.Port())}
	}
	addr := func(a string) []enr.Entry {
		at := addrPort(a)
		return []enr.Entry{enr.IPv4Addr(at.Addr()), enr.UDP(at.Port())}
	}
	ok := func(senders ...string) []string { return senders }
	cases := map[string]struct {
		entries  []enr.Entry
		distance int
		from     []string // senders who may tell it
	}{
		"global":                      {addr("198.18.3.3:5"), 256, ok(public, lan, loopback)},
		"wrong distance":              {addr("198.18.3.3:5"), 254, nil},
		"no address":                  {nil, 256, nil},
		"no port":                     {addr("198.18.3.3:5")[:1], 256, nil},
		"port 0":                      {addr("198.18.3.3:0"), 256, nil},
		"unspecified":                 {addr("0.0.0.0:5"), 256, nil},
		"multicast":                   {addr("224.0.0.1:5"), 256, nil},
		"broadcast":                   {addr("255.255.255.255:5"), 256, nil},
		"site-local":                  {addr("10.1.2.3:5"), 256, ok(lan, loopback)},
		"link-local":                  {addr("169.254.1.1:5"), 256, ok(lan, loopback)},
		"loopback":                    {addr("127.0.0.1:5"), 256, ok(loopback)},
		"global IPv6 beside loopback": {both("127.0.0.1:5", "[2001:db9::1]:5"), 256, ok(loopback)},
		"global IPv6 beside LAN":      {both("10.1.2.3:5", "[2001:db9::1]:5"), 256, ok(lan, loopback)},
		"global beside IPv6 loopback": {both("198.18.3.3:5", "[::1]:5"), 256, ok(loopback)},
	}
	for name, c := range cases {
		for _, sender := range []string{public, lan, loopback} {
			t.Run(fmt.Sprintf("%s from %s", name, sender), func(t *testing.T) {
				simulate(t, func(t *testing.T, s *sim) {
					n, p := s.node(quiet), s.peerAt(sender)
					p.serve(n, func(got packet) {
						if got.kind != codec.FindNodeType {
							return
						}
						node := signed(t, keyAt(t, p.id(), c.distance), 1, netip.AddrPort{}, c.entries...)
						p.nodes(got, 1, node, node)
					})
					r := finding(n, p.node, 256, 255)()
					want := 0
					if slices.Contains(c.from, sender) {
						want = 1
					}
					if r.err != nil || len(r.value) != want {
						t.Errorf("%d nodes, %v; want %d", len(r.value), r.err, want)
					}
				})
			})
		}
	}
}

// Of two records of one node in an answer the first counts, and invalid ones do not spoil the rest.
func TestSimVerificationOfDoubles(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		key := keyAt(t, p.id(), 256)
		first, second := signed(t, key, 1, s.addr()), signed(t, key, 2, s.addr())
		good := s.nodesAt(p.id(), 256, 1)[0]
		p.serve(n, func(got packet) {
			m, err := codec.ParseFindNode(got.body)
			if got.kind != codec.FindNodeType || err != nil {
				return
			}
			forged := encoded(t, signed(t, newKey(t), 1, s.addr()))
			forged[10] ^= 1 // within the signature
			p.send(got.from, codec.AppendNodes(nil, m.RequestID, 1, [][]byte{{0xc0}, forged, encoded(t, first), encoded(t, second), encoded(t, good)}))
		})
		r := finding(n, p.node, 256)()
		if r.err != nil || len(r.value) != 2 || r.value[0].Seq() != 1 || r.value[1].ID() != good.ID() {
			t.Errorf("%v, %v; want the first of the doubles and the other one", r.value, r.err)
		}
	})
}

// A record without a port is no node to add, to ask or to relay.
func TestSimNodesWithoutPort(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		addr := s.addr()
		for name, node := range map[string]*enode.Node{
			"udp 0":      signed(t, newKey(t), 1, netip.AddrPortFrom(addr.Addr(), 0)),
			"no address": signed(t, newKey(t), 1, netip.AddrPort{}),
			"IPv6 only":  signed(t, newKey(t), 1, addrPort("[2001:db9::1]:30303")), // this node has no IPv6
		} {
			if r, err := n.Add(node); r != table.NoAddress || err != nil {
				t.Errorf("%s: add gave %v, %v", name, r, err)
			}
			r := pinging(n, node)()
			s.wantErr(name+": ping", r.err, ErrNoAddress)
			if r.took != 0 {
				t.Errorf("%s: it took %v to see that there is no address", name, r.took)
			}
		}
		if r, err := n.Add(n.Self()); r != table.LocalNode || err != nil {
			t.Errorf("add of the node itself gave %v, %v", r, err)
		}
		if r, err := n.AddENR(signed(t, newKey(t), 1, s.addr()).String()); r != table.Added || err != nil {
			t.Errorf("add of a text gave %v, %v", r, err)
		}
		if _, err := n.AddENR("enr:-nonsense"); err == nil {
			t.Error("add of nonsense gave no error")
		}
	})
}

// Few nodes of one network enter the table.
func TestSimAddressLimits(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		results := make(map[table.Result]int)
		for i := range 5 {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 30303)
			r, _ := n.Add(signed(t, newKey(t), 1, at))
			results[r]++
		}
		if results[table.Added] != 2 || results[table.AddressLimit] != 3 {
			t.Errorf("five nodes of a /24: %v, want two added", results)
		}
		results = make(map[table.Result]int)
		for i := range 5 {
			r, _ := n.Add(signed(t, newKey(t), 1, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 30303)))
			results[r]++
		}
		if results[table.Added] != 5 {
			t.Errorf("five nodes of a LAN: %v, want all added", results)
		}
	})
}

// A predicate chooses among the nodes of the table, and those that do not match do not count.
func TestSimRandomNodesByField(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		marked := signed(t, newKey(t), 1, s.addr(), enr.WithEntry("mark", []byte{1, 2}))
		s.know(n, marked, signed(t, newKey(t), 1, s.addr(), enr.WithEntry("mark", []byte{1, 3})), signed(t, newKey(t), 1, s.addr()))
		if got := n.Random(3, nil); len(ids(got)) != 3 {
			t.Errorf("%d random nodes, want 3", len(got))
		}
		if got := n.Random(3, HasField("mark", []byte{1, 2})); len(got) != 1 || got[0].ID() != marked.ID() {
			t.Errorf("random nodes with a field gave %v, want the one that has it", got)
		}
		if got := n.Random(3, func(*enode.Node) bool { return false }); len(got) != 0 {
			t.Errorf("nobody matches, and %d nodes were found", len(got))
		}
		if got := n.Node(marked.ID()); got == nil || got.ID() != marked.ID() {
			t.Error("a node of the table is not found by its id")
		}
		if got := n.Node(enode.PubkeyToIDV4(&must(crypto.GenerateKey()).PublicKey)); got != nil {
			t.Error("an unknown node was found")
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
