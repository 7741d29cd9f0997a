package core

import (
	"bytes"
	"math"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/netsim"
	"github.com/discv5/host/core/internal/outage"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// gone makes a record of a node that does not exist, at a public address in a /24 of its own.
func (s *sim) gone(i int) *enode.Node {
	return signed(s.t, newKey(s.t), 1, netip.AddrPortFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 9}), 9))
}

// However many nodes that are gone are offered, verified ones are looked at, and a dead one is noticed.
func TestSimChecksBesideAFlood(t *testing.T) {
	for _, flood := range []int{0, 20} {
		simulate(t, func(t *testing.T, s *sim) {
			n, m := s.node(), s.node(quiet)
			p, q := s.peer(), s.peer()
			for _, p := range []*peer{p, q} {
				p.serve(n, p.polite())
				s.know(n, p.node)
			}
			pass(time.Minute)
			s.net.SetDown(p.addr.Addr(), true)
			i := 0
			step := func() {
				for range flood {
					if _, err := n.Add(s.gone(i)); err != nil {
						t.Fatal(err)
					}
					i++
				}
				s.ping(m, n.Self())
				pass(time.Second)
			}
			longest := time.Duration(0)
			for range 300 {
				step()
				seen, ok := info(n, q.id())
				if !ok {
					t.Fatal("a live node left the table")
				}
				longest = max(longest, time.Since(seen.LastSeen))
			}
			if verified(n, p.id()) {
				t.Errorf("%d offered a second: a dead node is still verified after 5 min", flood)
			}
			if longest > 4*time.Minute+30*time.Second {
				t.Errorf("%d offered a second: a live node was left alone for %v", flood, longest)
			}
		})
	}
}

// A newcomer that answers is verified soon, while 500 identities that do not answer are offered again and again.
func TestSimNewcomerAmongTheDead(t *testing.T) {
	for name, fresh := range map[string]bool{"the same": false, "new ones": true} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n := s.node()
				next := 0
				var dead []*enode.Node
				refill := func() {
					for range 500 {
						dead = append(dead, s.gone(next))
						next++
					}
				}
				refill()
				offer := func() {
					for _, node := range dead {
						if _, err := n.Add(node); err != nil {
							t.Fatal(err)
						}
					}
					if fresh {
						dead = dead[:0]
						for range 50 {
							dead = append(dead, s.gone(next))
							next++
						}
					}
				}
				offer()
				pass(2 * time.Second)
				for range 5 {
					p := s.peer()
					p.dial(n)
					p.serve(n, p.polite())
					took := time.Duration(0)
					for ; !verified(n, p.id()); took += time.Second {
						if took >= 15*time.Second {
							t.Fatal("a newcomer that answers is not verified after 15 s")
						}
						offer()
						pass(time.Second)
					}
					t.Log("verified after", took)
				}
			})
		})
	}
}

// A newcomer that nobody but others tell of is verified soon, too.
func TestSimNewcomerByHearsay(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node()
		for i := range 500 {
			if _, err := n.Add(s.gone(i)); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		p := s.peer()
		p.serve(n, p.polite())
		if _, err := n.Add(p.node); err != nil {
			t.Fatal(err)
		}
		took := s.within(15*time.Second, "the newcomer is verified", func() bool { return verified(n, p.id()) })
		t.Log("verified after", took)
	})
}

// A full bucket makes room for a node that spoke to us and answers.
func TestSimReserveThatAnswers(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node()
		prefix := -1 // the first five bits of the ids of one bucket
		same := func() *peer {
			for {
				key := keyAt(t, n.ID(), 256)
				bits := int(enode.PubkeyToIDV4(&key.PublicKey)[0] >> 3)
				if prefix < 0 {
					prefix = bits
				}
				if bits == prefix {
					return s.peerWith(key, s.addr())
				}
			}
		}
		for range 40 { // the bucket and its reserve, of nodes that are not even asked yet
			if _, err := n.Add(same().node); err != nil {
				t.Fatal(err)
			}
		}
		p := same()
		p.dial(n)
		p.serve(n, p.polite())
		took := s.within(2*time.Second, "the node in reserve is verified", func() bool { return verified(n, p.id()) })
		t.Log("verified after", took)
	})
}

// A peer that goes on and on about a newer record which it does not hand out is asked once a minute.
func TestSimFetchesOfRecords(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(), s.peer()
		p.dial(n)
		var asked atomic.Int32
		p.serve(n, func(got packet) {
			if m, err := codec.ParseFindNode(got.body); got.kind == codec.FindNodeType && err == nil && m.Distances.At(0) == 0 {
				asked.Add(1)
			}
			p.polite(p.node)(got)
		})
		s.within(5*time.Second, "the peer is verified", func() bool { return verified(n, p.id()) })
		for range 240 {
			p.send(n.LocalAddrs()[0], codec.Ping{RequestID: requestID("a"), ENRSeq: math.MaxUint64}.Append(nil))
			pass(500 * time.Millisecond)
		}
		if got := asked.Load(); got < 2 || got > 3 {
			t.Errorf("asked %d times in 2 min for a record that does not exist, want 2 or 3", got)
		}
	})
}

// A record whose fetch got lost is fetched again soon.
func TestSimFetchThatWasLost(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n, p := s.node(), s.peer()
		p.dial(n)
		newer := signed(t, p.key, 2, p.addr)
		var asked atomic.Int32
		p.serve(n, func(got packet) {
			m, err := codec.ParseFindNode(got.body)
			own := got.kind == codec.FindNodeType && err == nil && m.Distances.At(0) == 0
			if own && asked.Add(1) <= 1 {
				return
			}
			if own {
				p.polite(newer)(got)
			} else {
				p.polite(p.node)(got)
			}
		})
		s.within(5*time.Second, "the peer is verified", func() bool { return verified(n, p.id()) })
		took := s.within(30*time.Second, "the newer record", func() bool {
			p.send(n.LocalAddrs()[0], codec.Ping{RequestID: requestID("a"), ENRSeq: 2}.Append(nil))
			pass(500 * time.Millisecond)
			i, ok := info(n, p.id())
			return ok && i.Node.Seq() == 2
		})
		t.Log("after", took)
	})
}

// lines collects log lines.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// When everybody is gone the operator is told within a minute, once, and when somebody is back.
func TestSimSilenceIsTold(t *testing.T) {
	for _, peers := range []int{1, 4, 24} {
		simulate(t, func(t *testing.T, s *sim) {
			log := new(lines)
			n, all := s.outageNet(peers, func(c *Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Output: log}) })
			pass(time.Hour)
			if log.count("nobody answers") != 0 {
				t.Errorf("%d peers: silence is told of while they answer", peers)
			}
			host := n.LocalAddrs()[0].Addr()
			s.net.SetDown(host, true)
			took := s.within(time.Minute, "the operator is told", func() bool { return log.count("nobody answers") > 0 })
			pass(30 * time.Minute)
			if got := log.count("nobody answers"); got != 1 {
				t.Errorf("%d peers: told %d times", peers, got)
			}
			s.net.SetDown(host, false)
			all[0].dialAgain(n)
			s.within(time.Minute, "the end is told", func() bool { return log.count("heard again") == 1 })
			t.Logf("%d peers: told after %v", peers, took)
		})
	}
}

// The silence of a node that never was verified is its own, however few others there are and however rarely they are heard; that of
// several is not.
func TestSimSilenceOfOthers(t *testing.T) {
	for name, adjust := range map[string]func(*Config){"pair": func(*Config) {}, "quiet pair": quiet} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				log := new(lines)
				n, dead := s.node(adjust, func(c *Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Output: log}) }), s.peer()
				partner := s.node(quiet)
				s.ping(n, partner.Self())
				s.know(n, partner.Self())
				for range 60 {
					pass(67 * time.Second)
					r := pinging(n, dead.node)()
					s.wantErr("ping of a dead node", r.err, ErrTimeout)
				}
				if got := log.count("nobody answers"); got != 0 {
					t.Fatalf("told %d times that nobody answers, because of one dead node", got)
				}
				s.net.SetDown(partner.LocalAddrs()[0].Addr(), true)
				for range outage.MinAsked {
					pass(10 * time.Second)
					_ = pinging(n, s.peer().node)()
				}
				if log.count("nobody answers") != 1 {
					t.Error("not told that several do not answer")
				}
			})
		})
	}
}

// Whoever never heard anybody is told so, however few nodes there are to ask.
func TestSimSilenceFromTheStart(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		log := new(lines)
		s.node(boot(s.peer().node), func(c *Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Output: log}) })
		took := s.within(30*time.Second, "the operator is told", func() bool { return log.count("nobody answers") > 0 })
		if took < silenceWarning {
			t.Errorf("told after %v", took)
		}
	})
}

// dialAgain sends a PING over the session of a serving peer.
func (p *peer) dialAgain(n *Node) {
	p.send(n.LocalAddrs()[0], codec.Ping{RequestID: requestID("again"), ENRSeq: p.node.Seq()}.Append(nil))
}

// When all peers are gone for good, the table gets rid of them once anybody else is met, such as a bootstrap node that comes back.
func TestSimTableThaws(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		first := s.peer()
		n, peers := s.outageNet(24, boot(first.node))
		first.serve(n, first.polite())
		s.within(time.Minute, "all are verified", func() bool { _, v := n.Len(); return v == 25 })
		pass(time.Hour)
		for _, p := range append(peers, first) {
			s.net.SetDown(p.addr.Addr(), true)
		}
		pass(time.Hour)
		s.net.SetDown(first.addr.Addr(), false)
		took := s.within(3*time.Minute, "nobody but the bootstrap node is verified", func() bool {
			_, v := n.Len()
			return v == 1 && verified(n, first.id())
		})
		t.Log("after", took)
	})
}

// Of the nodes that are asked again after an outage only some are asked at a time.
func TestSimAskedAgainInGroups(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		var held []*enode.Node
		for i := range 600 {
			node := s.gone(i)
			if r, err := n.Add(node); err == nil && r.InTable() {
				held = append(held, node)
			}
		}
		if len(held) < 300 {
			t.Fatalf("only %d nodes are in the table", len(held))
		}
		p := s.peer()
		p.dial(n)
		n.turn(func(now time.Time) { // an outage with all of them
			n.outage.Answered(now, p.id())
			for _, node := range held[:outage.MinAsked] {
				n.outage.Asked(now, node.ID())
			}
			for _, node := range held {
				n.outage.TimedOut(now.Add(4*time.Second), node.ID())
			}
		})
		var mu sync.Mutex
		sent := make(map[time.Time]int)
		s.net.Tap(func(e netsim.Event) {
			if e.From == n.LocalAddrs()[0] {
				mu.Lock()
				sent[time.Now()]++
				mu.Unlock()
			}
		})
		p.send(n.LocalAddrs()[0], codec.Ping{RequestID: requestID("a"), ENRSeq: 1}.Append(nil))
		pass(3 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		total := 0
		for _, count := range sent {
			total += count
			if count > 2*maxChecks+8 { // a knock is repeated after half a second
				t.Errorf("%d datagrams at once", count)
			}
		}
		if total < len(held) {
			t.Errorf("%d datagrams to %d nodes", total, len(held))
		}
	})
}
