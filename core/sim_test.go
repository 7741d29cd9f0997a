package core

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core/internal/netsim"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// sim is a network in memory under virtual time, with nodes of this package and scripted peers on it.
type sim struct {
	t     *testing.T
	net   *netsim.Network
	hosts int

	mu   sync.Mutex
	sent []netsim.Event // every datagram so far
}

// simulate runs f in a bubble: time passes only while everybody sleeps, and a goroutine that is left over fails the test.
func simulate(t *testing.T, f func(t *testing.T, s *sim)) {
	t.Helper()
	simulateSeeded(t, 1, f)
}

func simulateSeeded(t *testing.T, seed uint64, f func(t *testing.T, s *sim)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &sim{t: t, net: netsim.New(netsim.Config{Latency: 10 * time.Millisecond, Seed: seed})}
		t.Cleanup(s.net.Close)
		f(t, s)
	})
}

// record keeps every datagram from now on for packetsTo.
func (s *sim) record() {
	s.net.Tap(func(e netsim.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sent = append(s.sent, e)
	})
}

// packets returns the recorded datagrams from one address to another; the zero AddrPort stands for any.
func (s *sim) packets(from, to netip.AddrPort) (all []netsim.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.sent {
		if (!from.IsValid() || e.From == from) && (!to.IsValid() || e.To == to) {
			all = append(all, e)
		}
	}
	return all
}

// addr returns a public address in a /24 of its own.
func (s *sim) addr() netip.AddrPort {
	s.hosts++
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, byte(51 + s.hosts/250), byte(s.hosts % 250), 7}), 30303)
}

func addrPort(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

// quiet switches lookups and checks of the node's own accord off.
func quiet(c *Config) { c.NoRefresh = true }

// at makes a node listen on addresses of the simulated network.
func (s *sim) at(addrs ...string) func(*Config) {
	return func(c *Config) {
		for _, a := range addrs {
			c.Conns = append(c.Conns, s.net.Listen(addrPort(a)))
		}
	}
}

func boot(nodes ...*enode.Node) func(*Config) {
	return func(c *Config) { c.Bootnodes = nodes }
}

// node starts a node and closes it at the end of the test, on a public address of its own unless told otherwise.
func (s *sim) node(adjust ...func(*Config)) *Node {
	s.t.Helper()
	n, err := s.listen(adjust...)
	if err != nil {
		s.t.Fatal("start of a node:", err)
	}
	return n
}

func (s *sim) listen(adjust ...func(*Config)) (*Node, error) {
	cfg := Config{PrivateKey: newKey(s.t), NewKey: true, Workers: 2}
	for _, f := range adjust {
		f(&cfg)
	}
	if len(cfg.Conns) == 0 {
		cfg.Conns = []PacketConn{s.net.Listen(s.addr())}
	}
	n, err := Listen(cfg)
	if err != nil {
		for _, c := range cfg.Conns {
			c.Close()
		}
		return nil, err
	}
	s.t.Cleanup(func() {
		if err := n.Close(); err != nil {
			s.t.Error("close of a node:", err)
		}
	})
	return n, nil
}

// settle lets everything happen that needs no more time.
func settle() { synctest.Wait() }

// pass lets time pass.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// within waits for a condition, and fails the test when it has not come about in time. It returns how long it took.
func (s *sim) within(d time.Duration, what string, holds func() bool) time.Duration {
	s.t.Helper()
	start := time.Now()
	step := min(10*time.Millisecond, max(d/1000, time.Millisecond))
	for settle(); !holds(); pass(step) {
		if time.Since(start) >= d {
			s.t.Fatalf("not within %v: %s", d, what)
		}
	}
	return time.Since(start)
}

// result is what a call in the background came to.
type result[T any] struct {
	value T
	err   error
	took  time.Duration
}

// background starts a call and returns a function that waits for its result.
func background[T any](call func(context.Context) (T, error)) func() result[T] {
	done := make(chan result[T], 1)
	start := time.Now()
	go func() {
		v, err := call(context.Background())
		done <- result[T]{v, err, time.Since(start)}
	}()
	return func() result[T] { return <-done }
}

// pinging is a Ping in the background.
func pinging(n *Node, to *enode.Node) func() result[Pong] {
	return background(func(ctx context.Context) (Pong, error) { return n.Ping(ctx, to) })
}

// finding is a FindNode in the background.
func finding(n *Node, to *enode.Node, distances ...uint) func() result[[]*enode.Node] {
	return background(func(ctx context.Context) ([]*enode.Node, error) { return n.FindNode(ctx, to, distances) })
}

func (s *sim) ping(n *Node, to *enode.Node) Pong {
	s.t.Helper()
	pong, err := n.Ping(context.Background(), to)
	if err != nil {
		s.t.Fatalf("ping: %v", err)
	}
	return pong
}

func (s *sim) wantErr(what string, err, want error) {
	s.t.Helper()
	if !errors.Is(err, want) {
		s.t.Errorf("%s gave %v, want %v", what, err, want)
	}
}

// ids returns the ids of nodes as a set.
func ids(nodes []*enode.Node) map[enode.ID]bool {
	set := make(map[enode.ID]bool)
	for _, n := range nodes {
		set[n.ID()] = true
	}
	return set
}

// info returns what the table has of a node.
func info(n *Node, id enode.ID) (NodeInfo, bool) {
	for _, i := range n.Table().Nodes {
		if i.Node.ID() == id {
			return i, true
		}
	}
	return NodeInfo{}, false
}

// signed makes a record; zero endpoints are left out.
func signed(t testing.TB, key *ecdsa.PrivateKey, seq uint64, at netip.AddrPort, entries ...enr.Entry) *enode.Node {
	t.Helper()
	var r enr.Record
	if at.Addr().Is4() {
		r.Set(enr.IPv4Addr(at.Addr()))
		r.Set(enr.UDP(at.Port()))
	} else if at.Addr().Is6() {
		r.Set(enr.IPv6Addr(at.Addr()))
		r.Set(enr.UDP6(at.Port()))
	}
	for _, e := range entries {
		r.Set(e)
	}
	r.SetSeq(seq)
	if err := enode.SignV4(&r, key); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// padded makes a record of exactly size bytes.
func padded(t testing.TB, key *ecdsa.PrivateKey, at netip.AddrPort, size int) *enode.Node {
	t.Helper()
	for pad := size; pad >= 0; pad-- {
		var r enr.Record
		r.Set(enr.IPv4Addr(at.Addr()))
		r.Set(enr.UDP(at.Port()))
		r.Set(enr.WithEntry("zz", make([]byte, pad)))
		r.SetSeq(1)
		if enode.SignV4(&r, key) != nil {
			continue // beyond the largest record
		}
		n, err := enode.New(enode.ValidSchemes, &r)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(encoded(t, n)); got == size {
			return n
		} else if got < size {
			break
		}
	}
	t.Fatalf("no padding makes a record of %d bytes", size)
	return nil
}

func encoded(t testing.TB, n *enode.Node) []byte {
	t.Helper()
	b, err := rlp.EncodeToBytes(n.Record())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keyAt makes a key whose node id is at a log distance from id; distances below 250 would take too long to find.
func keyAt(t testing.TB, id enode.ID, distance int) *ecdsa.PrivateKey {
	t.Helper()
	for {
		key := newKey(t)
		if table.LogDist(id, enode.PubkeyToIDV4(&key.PublicKey)) == distance {
			return key
		}
	}
}

// know puts nodes into the table, as verified ones.
func (s *sim) know(n *Node, nodes ...*enode.Node) {
	s.t.Helper()
	for _, node := range nodes {
		if r, err := n.Add(node); err != nil || !r.InTable() {
			s.t.Errorf("node was not taken into the table: %v, %v", r, err)
		}
		n.turn(func(now time.Time) { n.seenNode(now, node.ID(), time.Millisecond) })
	}
}

// nodesAt makes records at one log distance from id, each with an address of its own.
func (s *sim) nodesAt(id enode.ID, distance, count int) (nodes []*enode.Node) {
	for range count {
		nodes = append(nodes, signed(s.t, keyAt(s.t, id, distance), 1, s.addr()))
	}
	return nodes
}
