package crawl

import (
	"crypto/ecdsa"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// begin is when simulations start.
var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// keyOf makes a key from a number, so that networks are the same each time.
func keyOf(t testing.TB, number uint64) *ecdsa.PrivateKey {
	t.Helper()
	b := make([]byte, 32)
	rand.NewChaCha8([32]byte{byte(number), byte(number >> 8), byte(number >> 16), byte(number >> 24), 1}).Read(b)
	key, err := crypto.ToECDSA(b)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed is a node at addresses, with further pairs.
func signed(t testing.TB, key *ecdsa.PrivateKey, seq uint64, addrs []string, pairs ...enr.Entry) *enode.Node {
	t.Helper()
	var r enr.Record
	for _, a := range addrs {
		at := netip.MustParseAddrPort(a)
		if at.Addr().Is4() {
			r.Set(enr.IPv4Addr(at.Addr()))
			r.Set(enr.UDP(at.Port()))
		} else {
			r.Set(enr.IPv6Addr(at.Addr()))
			r.Set(enr.UDP6(at.Port()))
		}
	}
	for _, p := range pairs {
		r.Set(p)
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

// member is a node of a simulated network.
type member struct {
	node  *enode.Node
	dead  bool
	known [257][]*enode.Node // by distance
	busy  int                // requests in flight
}

// swarm is a simulated network: a graph of who knows whom, and who answers.
type swarm struct {
	t        *testing.T
	rand     *rand.Rand
	members  map[enode.ID]*member
	order    []*member
	loss     float64
	inTurns  bool // answers take from each distance in turn; else they serve one after the other
	requests int
	asked    map[enode.ID]int
	lastTo   map[netip.Addr]time.Time
	sent     []time.Time
}

// newSwarm makes a network of full knowledge near by and of buckets of bucketSize nodes far away.
func newSwarm(t *testing.T, count, dead, bucketSize int) *swarm {
	t.Helper()
	s := &swarm{
		t: t, rand: rand.New(rand.NewPCG(1, uint64(count))), members: make(map[enode.ID]*member),
		asked: make(map[enode.ID]int), lastTo: make(map[netip.Addr]time.Time),
	}
	for i := range count {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, byte(i >> 16), byte(i >> 8), byte(i)}), 9000)
		m := &member{node: signed(t, keyOf(t, uint64(i)), 1, []string{at.String()}), dead: i > 0 && i <= dead}
		s.members[m.node.ID()] = m
		s.order = append(s.order, m)
	}
	for _, m := range s.order {
		for _, i := range s.rand.Perm(count) {
			other := s.order[i].node
			d := table.LogDist(m.node.ID(), other.ID())
			if d > 0 && len(m.known[d]) < bucketSize {
				m.known[d] = append(m.known[d], other)
			}
		}
	}
	return s
}

// answer is what a member answers.
func (s *swarm) answer(m *member, distances []uint) []*enode.Node {
	var nodes []*enode.Node
	queues := make([][]*enode.Node, len(distances))
	for i, d := range distances {
		if d == 0 {
			nodes = append(nodes, m.node)
			continue
		}
		queues[i] = slices.Clone(m.known[d])
	}
	if s.inTurns {
		for _, q := range queues {
			s.rand.Shuffle(len(q), func(i, j int) { q[i], q[j] = q[j], q[i] })
		}
		for more := true; more; {
			more = false
			for i, q := range queues {
				if len(q) > 0 {
					nodes, queues[i], more = append(nodes, q[0]), q[1:], true
				}
			}
		}
	} else {
		nodes = slices.Concat(append([][]*enode.Node{nodes}, queues...)...)
	}
	return nodes[:min(len(nodes), 16)]
}

// event is an answer or its absence, at its time.
type event struct {
	at    time.Time
	ask   Ask
	nodes []*enode.Node
	err   bool
}

// crawl runs a machine in virtual time until it is done, or until stop says so. It returns the time at the end.
func (s *swarm) crawl(m *Machine, now time.Time, stop func() bool) time.Time {
	s.t.Helper()
	var events []event
	for !m.Done() && !stop() {
		ask, ok, wake := m.Next(now)
		if ok {
			events = append(events, s.send(now, m, ask))
			continue
		}
		next := -1
		for i, e := range events {
			if next < 0 || e.at.Before(events[next].at) {
				next = i
			}
		}
		switch {
		case next < 0 && wake.IsZero():
			s.t.Fatalf("nobody is asked, and nobody waits: %+v", m.Counts())
		case next < 0 || !wake.IsZero() && wake.Before(events[next].at):
			if !wake.After(now) {
				s.t.Fatalf("woken at once for nothing: %+v", m.Counts())
			}
			now = wake
			continue
		}
		e := events[next]
		events = slices.Delete(events, next, next+1)
		now = e.at
		s.members[e.ask.Node.ID()].busy--
		if e.err {
			m.Failed(now, e.ask, Timeout)
		} else {
			m.Answered(now, e.ask, e.nodes, 30*time.Millisecond)
		}
	}
	return now
}

// send checks that a request is polite, and says what comes of it.
func (s *swarm) send(now time.Time, m *Machine, ask Ask) event {
	s.t.Helper()
	to := s.members[ask.Node.ID()]
	s.requests++
	s.asked[ask.Node.ID()]++
	s.sent = append(s.sent, now)
	if to.busy++; to.busy > 1 {
		s.t.Errorf("%d requests in flight to one node", to.busy)
	}
	if last, ok := s.lastTo[ask.Addr.Addr()]; ok && now.Sub(last) < addressGap {
		s.t.Errorf("two requests to %v within %v", ask.Addr, now.Sub(last))
	}
	s.lastTo[ask.Addr.Addr()] = now
	if c := m.Counts(); c.InFlight > m.cfg.Parallel {
		s.t.Errorf("%d requests in flight, want at most %d", c.InFlight, m.cfg.Parallel)
	}
	if to.dead || s.rand.Float64() < s.loss {
		return event{at: now.Add(2 * time.Second), ask: ask, err: true}
	}
	return event{at: now.Add(time.Duration(10+s.rand.IntN(90)) * time.Millisecond), ask: ask, nodes: s.answer(to, ask.Distances)}
}

// wantRate checks that no second had more requests than allowed.
func (s *swarm) wantRate(perSecond int) {
	s.t.Helper()
	from := 0
	for i, at := range s.sent {
		for at.Sub(s.sent[from]) >= time.Second {
			from++
		}
		if i-from+1 > perSecond+perSecond/20+1 {
			s.t.Fatalf("%d requests within a second, want %d", i-from+1, perSecond)
		}
	}
}

func never() bool { return false }

// wantAlive checks who is alive by the machine's word: at least a share of the living, in thousandths, and nobody dead.
func (s *swarm) wantAlive(m *Machine, share int) {
	s.t.Helper()
	found, living := 0, 0
	for r := range m.Results(nil) {
		member := s.members[enode.HexID(r.NodeID)]
		if r.Alive && member.dead {
			s.t.Errorf("dead node %s counts as alive", r.NodeID)
		}
		if r.Alive {
			found++
		}
		if !r.Alive && r.Error == "" {
			s.t.Errorf("node %s is not alive, and nothing says why", r.NodeID)
		}
	}
	for _, member := range s.order {
		if !member.dead {
			living++
		}
	}
	s.t.Logf("%d of %d living nodes found, %d requests", found, living, s.requests)
	if found*1000 < living*share {
		s.t.Errorf("%d of %d living nodes found, want %d in 1000", found, living, share)
	}
}
