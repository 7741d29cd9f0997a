package core

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/discv5/host/codec"
)

// The timeout runs from the call on, waiting included, for each of several calls.
func TestSimTimeoutStartsAtTheCall(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, silent := s.node(quiet), s.peer()
		s.know(n, silent.node)
		var waits []func() result[Pong]
		for range 5 {
			waits = append(waits, pinging(n, silent.node))
			settle()
		}
		for i, wait := range waits {
			r := wait()
			s.wantErr("ping of a silent node", r.err, ErrTimeout)
			if r.took != 4*time.Second {
				t.Errorf("ping %d failed after %v, want 4 s", i+1, r.took)
			}
		}
		if st := n.Stats(); st.Timeouts[codec.PingType] != 5 || st.Calls != 0 {
			t.Errorf("%d timeouts, %d calls; want 5 and none", st.Timeouts[codec.PingType], st.Calls)
		}
		if i, ok := info(n, silent.id()); ok && i.Verified {
			t.Error("a silent node is still verified")
		}
	})
}

// A handshake that hangs takes its time out of the request's own.
func TestSimTimeoutIncludesTheHandshake(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		first := pinging(n, p.node)
		knock := p.want(codec.FlagMessage)
		pass(time.Second)
		second := pinging(n, p.node)
		for got, ok := p.read(20 * time.Millisecond); ok; got, ok = p.read(20 * time.Millisecond) {
			knock = got // it may knock again
		}
		p.write(knock.from, p.challenge(knock, n.ID(), 0))
		if got := p.want(codec.FlagHandshake); !p.opened(&got, n.Self().Pubkey()) {
			t.Fatal("handshake does not verify")
		}
		for i, wait := range []func() result[Pong]{first, second} {
			if r := wait(); r.took != 4*time.Second {
				t.Errorf("ping %d ended after %v, want 4 s", i+1, r.took)
			}
		}
	})
}

// A random packet that is not answered goes out a second time, and not a third.
func TestSimKnocksTwice(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		wait := pinging(n, p.node)
		first := p.want(codec.FlagMessage)
		pass(1500 * time.Millisecond)
		if again := p.want(codec.FlagMessage); again.Nonce != first.Nonce {
			t.Errorf("the second knock has the nonce %x, the first had %x", again.Nonce, first.Nonce)
		}
		s.wantErr("ping of a silent node", wait().err, ErrTimeout)
		p.silence(time.Second, "twice is enough")
	})
}

// The caller may leave earlier; that is not held against the node.
func TestSimCancelledCall(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		s.know(n, p.node)
		ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := n.Ping(ctx, p.node)
		s.wantErr("cancelled ping", err, context.DeadlineExceeded)
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("cancelled after %v", took)
		}
		if got := n.Stats().Calls; got != 0 {
			t.Errorf("%d calls are left", got)
		}
		pass(5 * time.Second)
		if i, ok := info(n, p.id()); !ok || !i.Verified {
			t.Error("a cancelled call counts against the node")
		}
	})
}

// A response must come from the node and the address that were asked.
func TestSimResponseFromElsewhere(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p, stranger := s.node(quiet), s.peer(), s.peer()
		twin := s.peerWith(p.key, s.addr()) // the same node at another address
		housemate := p.another()            // another node at the same address
		housemate.dial(n)
		p.dial(n)
		twin.dial(n)
		stranger.dial(n)
		before := n.Stats().Unsolicited
		wait := pinging(n, p.node)
		got := p.wantMessage(codec.PingType)
		ping, err := codec.ParsePing(got.body)
		if err != nil {
			t.Fatal(err)
		}
		lie := codec.Pong{RequestID: ping.RequestID, ENRSeq: 99, Recipient: got.from}.Append(nil)
		twin.send(got.from, lie)
		stranger.send(got.from, lie)
		housemate.send(got.from, lie)
		p.send(got.from, codec.Pong{RequestID: requestID("other"), ENRSeq: 99, Recipient: got.from}.Append(nil))
		pass(time.Second)
		if got := n.Stats().Unsolicited - before; got != 4 {
			t.Errorf("%d unsolicited responses counted, want 4", got)
		}
		p.pong(got, got.from)
		if r := wait(); r.err != nil || r.value.ENRSeq != 1 {
			t.Errorf("PONG with seq %d, %v; want that of the node that was asked", r.value.ENRSeq, r.err)
		}
		p.pong(got, got.from)
		pass(time.Second)
		if got := n.Stats().Unsolicited - before; got != 5 {
			t.Errorf("%d unsolicited responses counted after a repeated one, want 5", got)
		}
	})
}

// A response of the wrong kind ends the call at once and proves a lie.
func TestSimResponseOfTheWrongKind(t *testing.T) {
	for name, banned := range map[string]bool{"banned": true, "no bans": false} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n := s.node(quiet, func(c *Config) {
					if !banned {
						c.BanInvalid = -1
					}
				})
				p := s.peer()
				p.dial(n)
				s.know(n, p.node)
				wait := pinging(n, p.node)
				got := p.wantMessage(codec.PingType)
				ping, _ := codec.ParsePing(got.body)
				p.send(got.from, codec.TalkResp{RequestID: ping.RequestID}.Append(nil))
				r := wait()
				s.wantErr("ping answered by TALKRESP", r.err, ErrInvalidResponse)
				if r.took > time.Second {
					t.Errorf("it took %v", r.took)
				}
				if i, ok := info(n, p.id()); ok && i.Verified {
					t.Error("the liar is still verified")
				}
				bans := n.Bans()
				if banned && (len(bans) != 1 || bans[0].ID != p.id() || time.Until(bans[0].Until) > 15*time.Minute) {
					t.Errorf("bans %v, want the liar for 15 min", bans)
				}
				if !banned && len(bans) != 0 {
					t.Errorf("bans %v, want none", bans)
				}
				if got := n.Stats().InvalidResponses[codec.PingType]; got != 1 {
					t.Errorf("%d invalid responses counted, want 1", got)
				}
			})
		})
	}
}

// The packets of a NODES answer count in any order and however quickly they come.
func TestSimNodesPackets(t *testing.T) {
	type answer struct {
		total int
		nodes []int // indices into ten nodes
	}
	var sixteen []answer
	for i := range 16 {
		sixteen = append(sixteen, answer{16, []int{i % 10}})
	}
	for i := 10; i < 16; i++ { // different packets, though they tell of known nodes
		sixteen[i].nodes = []int{i % 10, (i + 1) % 10}
	}
	cases := map[string]struct {
		answers []answer
		want    []int
		err     error
		partial bool // only the deadline ends it
	}{
		"one packet":                       {answers: []answer{{1, []int{0, 1}}}, want: []int{0, 1}},
		"empty":                            {answers: []answer{{1, nil}}},
		"three in one instant":             {answers: []answer{{3, []int{0}}, {3, []int{1}}, {3, []int{2}}}, want: []int{0, 1, 2}},
		"an empty one among them":          {answers: []answer{{2, nil}, {2, []int{4}}}, want: []int{4}},
		"one is missing":                   {answers: []answer{{3, []int{0, 1}}, {3, []int{2}}}, want: []int{0, 1, 2}, partial: true},
		"total changes":                    {answers: []answer{{2, []int{0}}, {1, []int{1}}, {3, []int{2}}, {2, []int{3}}}, want: []int{0, 3}},
		"total 16":                         {answers: sixteen, want: []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		"the same packet twice":            {answers: []answer{{2, []int{0}}, {2, []int{0}}, {2, []int{1}}}, want: []int{0, 1}},
		"the same packet again and again":  {answers: slices.Repeat([]answer{{3, []int{0}}}, 9), want: []int{0}, partial: true},
		"total 0":                          {answers: []answer{{0, []int{0}}}, err: ErrInvalidResponse},
		"total 17":                         {answers: []answer{{17, []int{0}}}, err: ErrInvalidResponse},
		"more packets than the total says": {answers: []answer{{1, []int{0}}, {1, []int{1}}}, want: []int{0}},
		"doubles":                          {answers: []answer{{2, []int{0, 0, 1}}, {2, []int{1, 2}}}, want: []int{0, 1, 2}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, p := s.node(quiet), s.peer()
				p.dial(n)
				nodes := s.nodesAt(p.id(), 256, 10)
				wait := finding(n, p.node, 256)
				got := p.wantMessage(codec.FindNodeType)
				m, err := codec.ParseFindNode(got.body)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range c.answers {
					message := p.nodesMessage(m.RequestID, a.total)
					for _, i := range a.nodes {
						message = p.nodesMessage(m.RequestID, a.total, slices.Concat(nodes[:0:0], nodes[i:i+1])...)
					}
					if len(a.nodes) > 1 {
						all := nodes[:0:0]
						for _, i := range a.nodes {
							all = append(all, nodes[i])
						}
						message = p.nodesMessage(m.RequestID, a.total, all...)
					}
					p.send(got.from, message)
				}
				r := wait()
				if c.err != nil {
					s.wantErr("FINDNODE", r.err, c.err)
				} else if r.err != nil {
					t.Fatal("FINDNODE:", r.err)
				}
				var have []int
				for _, node := range r.value {
					have = append(have, slices.Index(nodes, node))
				}
				if len(r.value) != len(c.want) {
					t.Errorf("got %d nodes, want %d", len(r.value), len(c.want))
				}
				for i, w := range c.want {
					if i >= len(r.value) || r.value[i].ID() != nodes[w].ID() {
						t.Errorf("node %d is not the expected one: %v", i, have)
					}
				}
				if took := r.took; c.partial != (took == 4*time.Second) {
					t.Errorf("it took %v", took)
				}
				if len(n.Bans()) > 0 {
					t.Error("such an answer is no lie")
				}
				if st := n.Stats(); c.partial && st.Timeouts[codec.FindNodeType] != 0 {
					t.Error("a partial answer counts as a timeout")
				}
			})
		})
	}
}

// Without distances nothing was asked for, and no record is taken.
func TestSimFindNodeWithoutDistances(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		wait := finding(n, p.node)
		p.nodes(p.wantMessage(codec.FindNodeType), 1, p.node, signed(t, keyAt(t, p.id(), 255), 1, s.addr()))
		if r := wait(); r.err != nil || len(r.value) != 0 {
			t.Errorf("%d nodes, %v; want none", len(r.value), r.err)
		}
	})
}

// Of an answer no more than 16 records are looked at, whatever its size.
func TestSimHugeNodesAnswer(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		p.dial(n)
		nodes := s.nodesAt(p.id(), 256, 40)
		wait := finding(n, p.node, 256)
		got := p.wantMessage(codec.FindNodeType)
		for i := range 8 {
			p.nodes(got, 9, nodes[5*i:5*i+5]...)
		}
		m, _ := codec.ParseFindNode(got.body)
		junk := slices.Repeat([][]byte{{0xc0}}, 1100) // a packet full of empty lists
		p.send(got.from, codec.AppendNodes(nil, m.RequestID, 9, junk))
		r := wait()
		if r.err != nil || len(r.value) != 16 {
			t.Errorf("%d nodes, %v; want 16", len(r.value), r.err)
		}
	})
}

// failingConn does not take datagrams for one address, as a socket without a route to it.
type failingConn struct {
	PacketConn
	to      netip.AddrPort
	failing *atomic.Bool
}

func (c failingConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if to == c.to && c.failing.Load() {
		return 0, syscall.ENETUNREACH
	}
	return c.PacketConn.WriteToUDPAddrPort(b, to)
}

// What could not be sent is not the fault of the node it was for.
func TestSimSendErrorDoesNotCount(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		p, silent := s.peer(), s.peer()
		var failing atomic.Bool
		n := s.node(quiet, func(c *Config) {
			c.Conns = []PacketConn{failingConn{s.net.Listen(s.addr()), p.addr, &failing}}
		})
		s.know(n, p.node, silent.node)
		failing.Store(true)
		for range 3 {
			first, second := pinging(n, p.node), pinging(n, silent.node)
			if r := first(); r.err == nil {
				t.Error("a ping that could not be sent was answered")
			}
			second()
			pass(10 * time.Second)
		}
		if i, ok := info(n, p.id()); !ok || !i.Verified {
			t.Error("a send error counts against the node")
		}
		if i, ok := info(n, silent.id()); ok && i.Verified {
			t.Error("silence does not count while another node cannot be sent to")
		}
		if got := n.Stats().SendDropped; got < 3 {
			t.Errorf("%d datagrams counted as dropped, want 3 or more", got)
		}
		failing.Store(false)
		for range 2 {
			pinging(n, p.node)()
		}
		if i, ok := info(n, p.id()); ok && i.Verified {
			t.Error("silence after a send error does not count")
		}
	})
}

// What the socket refuses to send to at all leaves the table, unless it answered not long ago.
func TestSimUnreachableNodesLeave(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, peers := s.outageNet(6, func(c *Config) {
			c.Conns = []PacketConn{s.net.Listen(addrPort("198.18.0.1:1")), noRoute{s.net.Listen(addrPort("[2001:db9::1]:1"))}}
		})
		v6 := func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb9, 1, byte(i), 1, 1, 1}), 9)
		}
		for i := range 32 {
			if _, err := n.Add(signed(t, newKey(t), 1, v6(i))); err != nil {
				t.Fatal(err)
			}
		}
		known := signed(t, newKey(t), 1, v6(99))
		s.know(n, known)
		pass(8 * time.Minute)
		if !verified(n, known.ID()) {
			t.Error("a node that answered minutes ago counts as silent because nothing can be sent to it")
		}
		if nodes, _ := n.Len(); nodes != len(peers)+1 {
			t.Errorf("%d nodes are in the table, want those %d that can be sent to and the one that answered once", nodes, len(peers))
		}
		s.within(30*time.Minute, "it leaves as well", func() bool { _, ok := info(n, known.ID()); return !ok })
	})
}

// While nothing can be sent anywhere nobody leaves the table for it.
func TestSimNoRouteAnywhere(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(func(c *Config) { c.Conns = []PacketConn{noRoute{s.net.Listen(s.addr())}} })
		for range 20 {
			if _, err := n.Add(signed(t, newKey(t), 1, s.addr())); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		before, _ := n.Len()
		pass(time.Hour)
		if nodes, _ := n.Len(); nodes != before || before < 15 {
			t.Errorf("%d of %d nodes are left", nodes, before)
		}
	})
}

// noRoute is a socket of a host that has no route for its family.
type noRoute struct{ PacketConn }

func (noRoute) WriteToUDPAddrPort([]byte, netip.AddrPort) (int, error) { return 0, syscall.ENETUNREACH }

// A node with two addresses is found at the one that can be sent to.
func TestSimUnreachableFamily(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		other := s.node(quiet, s.at("198.18.9.9:9", "[2001:db9::9]:9"))
		n := s.node(func(c *Config) {
			c.Conns = []PacketConn{noRoute{s.net.Listen(addrPort("198.18.0.1:1"))}, s.net.Listen(addrPort("[2001:db9::1]:1"))}
		})
		if _, err := n.Add(other.Self()); err != nil {
			t.Fatal(err)
		}
		s.within(15*time.Second, "the node is verified at its other address", func() bool { return verified(n, other.ID()) })
		if i, _ := info(n, other.ID()); !i.Addr.Addr().Is6() {
			t.Errorf("verified at %v", i.Addr)
		}
		s.ping(n, other.Self())
	})
}

// outageNet is a node that knows and has pinged peers that answer.
func (s *sim) outageNet(peers int, adjust ...func(*Config)) (n *Node, all []*peer) {
	n = s.node(adjust...)
	for range peers {
		p := s.peer()
		p.serve(n, p.polite())
		all = append(all, p)
		s.ping(n, p.node)
		s.know(n, p.node)
	}
	return n, all
}

// When at least five nodes are asked and nobody answers it is our own network that is down, and nobody's fault. Fewer
// count as usual.
func TestSimOwnOutage(t *testing.T) {
	for asked, kept := range map[int]bool{4: false, 5: true, 8: true} {
		t.Run(map[bool]string{true: "kept ", false: "lost "}[kept]+string(rune('0'+asked)), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, peers := s.outageNet(asked, quiet)
				host := n.LocalAddrs()[0].Addr()
				s.net.SetDown(host, true)
				var waits []func() result[Pong]
				for _, p := range peers {
					waits = append(waits, pinging(n, p.node))
				}
				for _, wait := range waits {
					s.wantErr("ping in an outage", wait().err, ErrTimeout)
				}
				want := 0
				if kept {
					want = asked
				}
				if _, verified := n.Len(); verified != want {
					t.Errorf("%d nodes are verified after the outage, want %d", verified, want)
				}
				if !kept {
					return
				}
				s.net.SetDown(host, false)
				before := n.Stats().MessagesSent[codec.PingType]
				s.ping(n, peers[0].node)
				pass(time.Second)
				if got := n.Stats().MessagesSent[codec.PingType] - before; got != uint64(asked)+2 {
					t.Errorf("%d PINGs after the outage, want the caller's, one to a witness and those to the %d nodes concerned", got, asked)
				}
			})
		})
	}
}

// A node with its ordinary background work comes through an outage of any length with its table.
func TestSimTableSurvivesLongOutage(t *testing.T) {
	for _, length := range []time.Duration{30 * time.Second, 10 * time.Minute, 3 * time.Hour} {
		age := time.Minute
		if length == 3*time.Hour {
			age = 6 * time.Hour // checks are rare by then
		}
		t.Run(length.String(), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, _ := s.outageNet(24)
				pass(age)
				_, before := n.Len()
				host := n.LocalAddrs()[0].Addr()
				s.net.SetDown(host, true)
				pass(length)
				nodes, _ := n.Len()
				s.net.SetDown(host, false)
				pass(2 * time.Minute)
				_, verified := n.Len()
				t.Logf("%d verified before, %d nodes at the end of the outage, %d verified afterwards", before, nodes, verified)
				if verified < before*3/4 {
					t.Errorf("%d of %d nodes are verified two minutes after an outage of %v", verified, before, length)
				}
			})
		})
	}
}

// What a node does at another address than the one in the table says nothing about that one.
func TestSimOtherAddress(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(quiet), s.peer()
		s.know(n, p.node)
		silent := signed(t, p.key, 1, s.addr())
		s.wantErr("ping at another address", pinging(n, silent)().err, ErrTimeout)
		if i, ok := info(n, p.id()); !ok || !i.Verified {
			t.Error("silence at another address counts")
		}
		q := s.peer()
		if _, err := n.Add(q.node); err != nil {
			t.Fatal(err)
		}
		moved := s.peerWith(q.key, s.addr())
		moved.serve(n, moved.polite())
		s.ping(n, moved.node)
		if i, ok := info(n, q.id()); !ok || i.Verified {
			t.Error("an answer from another address counts")
		}
	})
}
