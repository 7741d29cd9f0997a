package core

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/discv5/host/codec"
	"github.com/discv5/host/core/internal/endpoint"
	"github.com/discv5/host/core/internal/session"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/hashicorp/go-hclog"
)

// voters makes peers that tell a node which endpoint of it they see.
func (s *sim) voters(n *Node, count int, see func(got packet) netip.AddrPort) (all []*peer) {
	for range count {
		p := s.peer()
		p.serve(n, func(got packet) {
			if got.kind == codec.PingType {
				p.pong(got, see(got))
			}
		})
		all = append(all, p)
	}
	return all
}

// poll pings all of some peers at once.
func (s *sim) poll(n *Node, peers []*peer) {
	s.t.Helper()
	var waits []func() result[Pong]
	for _, p := range peers {
		waits = append(waits, pinging(n, p.node))
	}
	for _, wait := range waits {
		if r := wait(); r.err != nil {
			s.t.Error("ping of a voter:", r.err)
		}
	}
}

func sees(at string) func(packet) netip.AddrPort {
	return func(packet) netip.AddrPort { return addrPort(at) }
}

func published(n *Node) (v4, v6 netip.AddrPort) { return endpoints(n.Self()) }

// Ten peers in different networks who agree make the record name what they see; nine do not.
func TestSimVotes(t *testing.T) {
	const outside = "203.0.113.77:4444"
	cases := map[string]struct {
		adjust func(*Config)
		voters int
		spread time.Duration // between their answers
		moves  bool
	}{
		"ten at once":       {nil, 10, 0, true},
		"ten one by one":    {nil, 10, 5 * time.Second, true},
		"nine":              {nil, 9, 0, false},
		"too slow":          {nil, 12, time.Minute, false},
		"threshold of 3":    {func(c *Config) { c.VoteThreshold = 3 }, 3, 0, true},
		"no auto update":    {func(c *Config) { c.NoAutoUpdate = true }, 20, 0, false},
		"pinned":            {func(c *Config) { c.Advertise = []netip.AddrPort{addrPort("198.18.5.5:5")} }, 20, 0, false},
		"pinned other port": {func(c *Config) { c.Advertise = []netip.AddrPort{addrPort("203.0.113.77:0")} }, 20, 0, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n := s.node(quiet, func(cfg *Config) {
					if c.adjust != nil {
						c.adjust(cfg)
					}
				})
				before := n.Self()
				events, err := n.Events(64)
				if err != nil {
					t.Fatal(err)
				}
				defer events.Close()
				voters := s.voters(n, c.voters, sees(outside))
				if c.spread == 0 {
					s.poll(n, voters)
				} else {
					for _, p := range voters {
						s.poll(n, []*peer{p})
						pass(c.spread)
					}
				}
				pass(2 * time.Second)
				after := n.Self()
				at, _ := published(n)
				if moved := at == addrPort(outside); moved != c.moves {
					t.Errorf("the record names %v", at)
				}
				wantSeq, wantEvents := before.Seq(), 0
				if c.moves {
					wantSeq, wantEvents = before.Seq()+1, 1
				}
				if after.Seq() != wantSeq {
					t.Errorf("seq went from %d to %d, want %d", before.Seq(), after.Seq(), wantSeq)
				}
				if got := eventTypes(events); got[EndpointChanged] != wantEvents || got[RecordChanged] != wantEvents {
					t.Errorf("events %v, want %d of each change", got, wantEvents)
				}
				if got := n.Stats().AutoUpdates; got != uint64(wantEvents) {
					t.Errorf("%d updates counted, want %d", got, wantEvents)
				}
			})
		})
	}
}

// Many voters of one network have one vote, and the same voter has one.
func TestSimVotesOfOneNetwork(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		before, _ := published(n)
		for i := range 20 {
			p := s.peerWith(newKey(t), netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), 30303))
			p.serve(n, func(got packet) { p.pong(got, addrPort("198.18.7.7:7")) })
			for range 3 {
				s.poll(n, []*peer{p})
			}
		}
		pass(2 * time.Second)
		if at, _ := published(n); at != before {
			t.Errorf("twenty voters of one /24 made the record name %v", at)
		}
	})
}

// Peers who see different ports agree on the address alone.
func TestSimVotesForPorts(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		before, _ := published(n)
		var port atomic.Uint32
		s.poll(n, s.voters(n, 12, func(packet) netip.AddrPort {
			return netip.AddrPortFrom(netip.MustParseAddr("203.0.113.77"), uint16(1000+port.Add(1)))
		}))
		pass(2 * time.Second)
		if at, _ := published(n); at != netip.AddrPortFrom(netip.MustParseAddr("203.0.113.77"), before.Port()) {
			t.Errorf("the record names %v, want the voted address with the port of the socket", at)
		}
	})
}

// Two addresses with as many votes each change nothing.
func TestSimVotesTied(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		before, _ := published(n)
		s.poll(n, append(s.voters(n, 11, sees("203.0.113.77:1")), s.voters(n, 11, sees("203.0.113.78:1"))...))
		pass(2 * time.Second)
		if at, _ := published(n); at != before {
			t.Errorf("a tie made the record name %v", at)
		}
	})
}

// The two address families vote for themselves.
func TestSimVotesPerFamily(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, s.at("198.18.0.1:1", "[2001:db9::1]:1"))
		s.poll(n, s.voters(n, 12, sees("203.0.113.77:4444")))
		for i := range 12 {
			p := s.peerWith(newKey(t), netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb9, 1, byte(i)}), 1))
			p.serve(n, func(got packet) {
				see := addrPort("[2001:db9:ffff::1]:6666")
				if i%2 == 0 {
					see = addrPort("203.0.113.99:9999") // not theirs to tell
				}
				p.pong(got, see)
			})
			s.poll(n, []*peer{p})
		}
		pass(2 * time.Second)
		if v4, v6 := published(n); v4 != addrPort("203.0.113.77:4444") || v6 != addrPort("[2001:db9::1]:1") {
			t.Errorf("the record names %v and %v", v4, v6)
		}
	})
}

// What peers see changes with our address, and comes back.
func TestSimVotesFollowAMove(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		see := addrPort("203.0.113.1:1")
		voters := s.voters(n, 12, func(packet) netip.AddrPort { return see })
		for i := range 4 {
			see = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 4444)
			s.poll(n, voters)
			pass(2 * time.Second)
			if at, _ := published(n); at != see {
				t.Fatalf("the record names %v, want %v", at, see)
			}
		}
		if got := n.Self().Seq(); got != 5 {
			t.Errorf("seq %d after four moves, want 5", got)
		}
	})
}

// The node's own checks bring the votes, also in a small network that has been up for long.
func TestSimVotesOfChecks(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node()
		var see atomic.Pointer[netip.AddrPort]
		at := n.LocalAddrs()[0]
		see.Store(&at)
		for _, p := range s.voters(n, 16, func(packet) netip.AddrPort { return *see.Load() }) {
			if _, err := n.Add(p.node); err != nil {
				t.Fatal(err)
			}
		}
		pass(3 * time.Hour)
		moved := addrPort("203.0.113.77:4444")
		see.Store(&moved)
		took := s.within(30*time.Minute, "the record follows", func() bool { v4, _ := published(n); return v4 == moved })
		t.Logf("the record followed %v after the move", took)
	})
}

func reachable(n *Node) string { return n.Endpoints()[0].Reachable }

// Strangers who open sessions show that we can be reached; contacts alone do not.
func TestSimReachability(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		events, err := n.Events(64)
		if err != nil {
			t.Fatal(err)
		}
		defer events.Close()
		if got := reachable(n); got != "unknown" {
			t.Errorf("reachable at the start: %s", got)
		}
		contact := s.node(quiet)
		s.ping(n, contact.Self())
		contact.EndSession(n.ID(), n.LocalAddrs()[0])
		s.ping(contact, n.Self())
		if got := reachable(n); got != "unknown" {
			t.Errorf("reachable after a contact came back: %s", got)
		}
		for range 5 {
			s.peer().dial(n)
		}
		if got := reachable(n); got != "reachable" {
			t.Errorf("reachable after strangers came: %s", got)
		}
		if got := eventTypes(events); got[ReachabilityChanged] != 1 {
			t.Errorf("%d events for one change", got[ReachabilityChanged])
		}
	})
}

// Behind a NAT only those come in whom we asked.
func TestSimUnreachable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		nat := s.net.NAT(netip.MustParseAddr("203.0.113.9"), 2) // port restricted
		n := s.node(quiet, func(c *Config) {
			c.Conns = []PacketConn{nat.Listen(addrPort("192.168.1.2:30303"))}
			c.Advertise = []netip.AddrPort{addrPort("203.0.113.9:30303")}
		})
		events, err := n.Events(64)
		if err != nil {
			t.Fatal(err)
		}
		defer events.Close()
		peers := s.voters(n, 3, sees("203.0.113.9:30303"))
		stranger := s.peer()
		for range 15 {
			s.poll(n, peers)
			stranger.random(n) // to the private address: nobody is there
			stranger.randomTo(n.ID(), addrPort("203.0.113.9:30303"), stranger.nonce())
			pass(time.Minute)
		}
		if got := reachable(n); got != "unreachable" {
			t.Errorf("reachable behind a NAT, after 15 min of traffic: %s", got)
		}
		if got := eventTypes(events); got[ReachabilityChanged] != 1 {
			t.Errorf("%d events for one change", got[ReachabilityChanged])
		}
	})
}

// The record survives a restart: unchanged content keeps its seq, a change adds one, a lost or damaged file starts at the clock.
func TestSimRecordFile(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		file := filepath.Join(t.TempDir(), "record")
		pass(30 * 365 * 24 * time.Hour) // the clock of a bubble starts in 2000, before there were records
		key, addr, newKey := newKey(t), s.addr(), true
		start := func(fields ...enr.Entry) uint64 {
			t.Helper()
			n := s.node(quiet, func(c *Config) {
				c.PrivateKey, c.RecordFile, c.NewKey, c.Fields = key, file, newKey, fields
				c.Conns = []PacketConn{s.net.Listen(addr)}
			})
			newKey = false
			seq := n.Self().Seq()
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			return seq
		}
		mark := func(v byte) enr.Entry { return enr.WithEntry("mark", []byte{v}) }
		for i, c := range []struct {
			fields []enr.Entry
			want   uint64
		}{
			{nil, 1},
			{nil, 1},
			{[]enr.Entry{mark(1)}, 2},
			{[]enr.Entry{mark(1)}, 2},
			{[]enr.Entry{mark(2), enr.WithEntry("more", []byte{9})}, 3},
			{nil, 4},
		} {
			if got := start(c.fields...); got != c.want {
				t.Errorf("start %d: seq %d, want %d", i+1, got, c.want)
			}
		}
		addr = s.addr()
		if got := start(); got != 5 {
			t.Errorf("seq %d at another address, want 5", got)
		}
		for what, damage := range map[string]func() error{
			"lost":      func() error { return os.Remove(file) },
			"damaged":   func() error { return os.WriteFile(file, []byte("enr:nonsense"), 0o600) },
			"empty":     func() error { return os.WriteFile(file, nil, 0o600) },
			"truncated": func() error { b, _ := os.ReadFile(file); return os.WriteFile(file, b[:len(b)/2], 0o600) },
		} {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			now := uint64(time.Now().UnixMilli())
			if got := start(); got < now || got > now+1000 {
				t.Errorf("%s file: seq %d, want the clock, %d", what, got, now)
			}
			pass(2 * time.Second)
		}
		b, err := os.ReadFile(file)
		if err != nil || len(b) == 0 {
			t.Errorf("the file is not there again: %v", err)
		}
		_, err = s.listen(quiet, func(c *Config) { c.RecordFile = file })
		if err == nil {
			t.Error("a node started with the record of another key")
		}
	})
}

// A running node changes its record in steps of one, and tells.
func TestSimSetFields(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		file := filepath.Join(t.TempDir(), "record")
		n := s.node(quiet, func(c *Config) { c.RecordFile = file })
		ctx := context.Background()
		set := func(owner, key string, value any) error { return n.SetFields(ctx, owner, map[string]any{key: value}) }
		want := func(what string, seq uint64) {
			t.Helper()
			if got := n.Self().Seq(); got != seq {
				t.Errorf("%s: seq %d, want %d", what, got, seq)
			}
			b, err := os.ReadFile(file)
			if err != nil || string(b) != n.Self().String()+"\n" {
				t.Errorf("%s: the file does not hold the record that is published", what)
			}
		}
		if err := set("a", "key", []byte{1}); err != nil {
			t.Fatal(err)
		}
		want("a new field", 2)
		if err := set("a", "key", []byte{1}); err != nil {
			t.Fatal(err)
		}
		want("the same again", 2)
		s.wantErr("another owner", set("b", "key", []byte{2}), ErrFieldOwned)
		s.wantErr("a field of the node", set("b", "secp256k1", []byte{2}), ErrFieldReserved)
		s.wantErr("an endpoint", set("b", "ip", []byte{1, 2, 3, 4}), ErrFieldReserved)
		s.wantErr("too much", set("b", "large", make([]byte, 300)), ErrRecordTooLarge)
		want("after errors", 2)
		if err := n.SetFields(ctx, "a", map[string]any{"key": []byte{3}, "two": uint64(2)}); err != nil {
			t.Fatal(err)
		}
		want("two fields in one step", 3)
		if err := n.RemoveFields(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		want("all fields removed", 4)
		if err := set("b", "key", []byte{2}); err != nil {
			t.Error("a field that was given free:", err)
		}
		want("the field of another owner now", 5)

		p := s.peer()
		if pong := p.dial(n); pong.ENRSeq != 5 || pong.Recipient != p.addr {
			t.Errorf("PONG says seq %d and %v, want 5 and %v", pong.ENRSeq, pong.Recipient, p.addr)
		}
	})
}

// If the file cannot be written the old record stays published, and the state says so until it can.
func TestSimRecordNotSaved(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		n := s.node(quiet, func(c *Config) { c.RecordFile = filepath.Join(dir, "record") })
		if err := os.Rename(dir, dir+"-away"); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		err := n.SetFields(ctx, "a", map[string]any{"key": []byte{1}})
		s.wantErr("change without a directory", err, ErrRecordNotSaved)
		s.wantErr("record error", n.RecordError(), ErrRecordNotSaved)
		if got := n.Self().Seq(); got != 1 {
			t.Errorf("seq %d is published, want 1", got)
		}
		if err := os.Rename(dir+"-away", dir); err != nil {
			t.Fatal(err)
		}
		if err := n.SetFields(ctx, "a", map[string]any{"key": []byte{1}}); err != nil || n.RecordError() != nil {
			t.Errorf("change with the directory back: %v, %v", err, n.RecordError())
		}
		if got := n.Self().Seq(); got != 2 {
			t.Errorf("seq %d is published, want 2", got)
		}
	})
}

// What peers agree on is told when the record says so. While it cannot be saved there is an attempt now and then.
func TestSimVotesThatCannotBeSaved(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var log lineCounter
		n := s.node(quiet, func(c *Config) {
			c.RecordFile = filepath.Join(dir, "record")
			c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log})
		})
		if err := os.Rename(dir, dir+"-away"); err != nil {
			t.Fatal(err)
		}
		events, err := n.Events(1000)
		if err != nil {
			t.Fatal(err)
		}
		defer events.Close()
		outside := addrPort("198.51.100.200:77")
		vote := func(i int) {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{199, byte(i), 1, 1}), 1)
			n.turn(func(now time.Time) { n.vote(now, session.Peer{ID: enode.ID{byte(i + 1)}, Addr: from}, outside) })
		}
		for i := range 120 {
			vote(i)
			pass(time.Second)
		}
		if got := eventTypes(events); n.Stats().AutoUpdates != 0 || got[EndpointChanged] != 0 || log.lines.Load() != 1 {
			t.Errorf("nothing was saved: %d updates counted, %d told, %d lines logged; want one line",
				n.Stats().AutoUpdates, got[EndpointChanged], log.lines.Load())
		}
		s.wantErr("record error", n.RecordError(), ErrRecordNotSaved)
		if err := os.Rename(dir+"-away", dir); err != nil {
			t.Fatal(err)
		}
		pass(saveAgain)
		if at, _ := published(n); at != outside || n.Stats().AutoUpdates != 1 || eventTypes(events)[EndpointChanged] != 1 {
			t.Errorf("with the directory back the record names %v, %d updates counted", at, n.Stats().AutoUpdates)
		}
		pass(10 * time.Minute)
		if n.Stats().AutoUpdates != 1 {
			t.Errorf("%d updates counted later, want 1", n.Stats().AutoUpdates)
		}
	})
}

// lineCounter counts log lines.
type lineCounter struct{ lines atomic.Int32 }

func (c *lineCounter) Write(b []byte) (int, error) {
	c.lines.Add(1)
	return len(b), nil
}

// An endpoint is pinned when the record names it, and not by an attempt.
func TestSimPinThatFails(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		ctx := context.Background()
		if err := n.SetAdvertised(ctx, addrPort("0.0.0.0:9")); err == nil || n.Endpoints()[0].Pinned {
			t.Errorf("pinned %t by %v", n.Endpoints()[0].Pinned, err)
		}
		if err := n.SetAdvertised(ctx, addrPort("198.18.5.5:5")); err != nil || !n.Endpoints()[0].Pinned {
			t.Errorf("pinned %t, %v", n.Endpoints()[0].Pinned, err)
		}
		pass(time.Second)
		s.poll(n, s.voters(n, 12, sees("203.0.113.77:4444")))
		pass(time.Minute)
		if at, _ := published(n); at != addrPort("198.18.5.5:5") {
			t.Errorf("votes made the record name %v", at)
		}
	})
}

// Whoever we sent anything to is no stranger.
func TestSimContactsOfMessages(t *testing.T) {
	sends := map[string]func(n *Node, to *Node) error{
		"talk": func(n, to *Node) error { return n.TalkSend(to.ID(), to.LocalAddrs()[0], "x", nil) },
		"talk async": func(n, to *Node) error {
			return n.TalkAsync(TalkCall{Node: to.Self(), Protocol: "x"})
		},
		"message": func(n, to *Node) error {
			// The session is there already, and its first exchange is forgotten as a contact.
			s := session.Peer{ID: to.ID(), Addr: to.LocalAddrs()[0]}
			n.turn(func(now time.Time) {
				n.reach = endpoint.NewReachability()
				n.reach.Advertise(now, endpoint.IPv4, n.LocalAddrs()[0].Addr())
			})
			return n.SendMessage(s.ID, s.Addr, 0x07, nil)
		},
	}
	for name, send := range sends {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				n, to := s.node(quiet), s.node(quiet)
				to.HandleUnknown(func(m UnknownMessage) { _ = to.SendMessage(m.ID, m.Addr, 0x08, nil) })
				n.Add(to.Self())
				if name == "message" {
					s.ping(n, to.Self())
				}
				if err := send(n, to); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				if got := reachable(n); got != "unknown" {
					t.Errorf("%s, though nobody sent anything but an answer", got)
				}
			})
		})
	}
}
