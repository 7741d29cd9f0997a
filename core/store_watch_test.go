package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// watchedStore is a memStore that several hosts share, each through a value of its own.
type watchedStore struct {
	*memStore
	fleet *fleet
}

// fleet is who watches a store, and how a watch fails.
type fleet struct {
	watchers map[*watch]bool // guarded by memStore.mu
	fails    func() error    // nil: it does not
	begun    int
}

type watch struct {
	of      *watchedStore
	prefix  []byte
	entries chan []Entry
}

func newFleet() (join func() *watchedStore) {
	store, f := newMemStore(), &fleet{watchers: make(map[*watch]bool)}
	return func() *watchedStore { return &watchedStore{store, f} }
}

func (s *watchedStore) Put(ctx context.Context, entries []Entry) error {
	if err := s.memStore.Put(ctx, entries); err != nil {
		return err
	}
	s.tell(entries...)
	return nil
}

// tell tells the others.
func (s *watchedStore) tell(entries ...Entry) {
	s.change(func() {
		for w := range s.fleet.watchers {
			for _, e := range entries {
				if w.of != s && bytes.HasPrefix(e.Key, w.prefix) {
					w.entries <- []Entry{e}
				}
			}
		}
	})
}

func (s *watchedStore) Watch(ctx context.Context, prefix []byte, changed func([]Entry)) error {
	w := &watch{s, prefix, make(chan []Entry, 100_000)}
	var fails func() error
	s.change(func() {
		s.fleet.begun++
		fails = s.fleet.fails
		s.fleet.watchers[w] = true
	})
	defer s.change(func() { delete(s.fleet.watchers, w) })
	if fails != nil {
		return fails()
	}
	for {
		select {
		case entries := <-w.entries:
			changed(entries)
		case <-ctx.Done():
			return nil
		}
	}
}

// What one host of a fleet has verified, the others use within a second, and what it has met too if they do not know it.
func TestStoreWatchTellsTheFleet(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		join := newFleet()
		strangers := []*Node{s.node(quiet), s.node(quiet)}
		join().remember(strangers[1].Self(), must(rlp.EncodeToBytes(strangers[1].Self().Record())), time.Now().Add(-6*24*time.Hour))
		fast := func(c *Config) { c.PingBack = 100 * time.Millisecond }
		a, b, c := s.node(stored(join()), fast), s.node(stored(join()), fast), s.node(stored(join()), fast)
		pass(5 * time.Second)
		if nodes, _ := b.Len(); nodes != 0 {
			t.Fatalf("%d nodes are known at the start", nodes)
		}
		for i, x := range strangers {
			if _, err := a.Add(x.Self()); err != nil {
				t.Fatal(err)
			}
			s.within(time.Second, "verified by the first", func() bool { return verified(a, x.ID()) })
			took := s.within(time.Second, "verified by the others", func() bool { return verified(b, x.ID()) && verified(c, x.ID()) })
			t.Logf("stranger %d: the others use it %v after the first", i, took)
		}
		if got := b.StoreStats().Learned; got < 2 {
			t.Errorf("%d nodes learned", got)
		}
	})
}

// A node that another host meets, and whose record was stored long before, is read.
func TestStoreWatchReadsWhoWasMet(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		join := newFleet()
		n, other, x := s.node(quiet, stored(join())), join(), s.node(quiet)
		pass(5 * time.Second)
		other.remember(x.Self(), must(rlp.EncodeToBytes(x.Self().Record())), time.Now())
		other.tell(other.entries[string(nodeKey(seenPrefix, x.ID()))])
		s.within(time.Second, "known", func() bool { return n.Node(x.ID()) != nil })
		s.wantInTable(n, x.Self(), 1)
		if stats := n.StoreStats(); stats.Learned != 1 || stats.Seeds != 0 {
			t.Errorf("stats %+v", stats)
		}
	})
}

func TestStoreWatchThatLies(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		join := newFleet()
		n, other := s.node(quiet, stored(join())), join()
		pass(5 * time.Second)
		good, record := signedAt(t, 1, 5)
		key := nodeKey(nodePrefix, good.ID())
		self := must(rlp.EncodeToBytes(n.Self().Record()))
		forged := bytes.Clone(record)
		forged[len(forged)-1] ^= 1
		other.tell(
			Entry{},
			Entry{Key: []byte("node/"), Value: encodeStoredNode(record)},
			Entry{Key: bytes.ToUpper(key), Value: encodeStoredNode(record)},
			Entry{Key: nodeKey(nodePrefix, enode.ID{1}), Value: encodeStoredNode(record)},
			Entry{Key: key, Value: encodeStoredNode(forged)},
			Entry{Key: key, Value: []byte{0xff}},
			Entry{Key: key, Value: encodeStoredNode(record), Expires: time.Now().Add(-time.Second)},
			Entry{Key: nodeKey(nodePrefix, n.ID()), Value: encodeStoredNode(self), Version: 9},
			Entry{Key: []byte("seen/zz")},
			Entry{Key: nodeKey(seenPrefix, n.ID())},
			Entry{Key: nodeKey(seenPrefix, enode.ID{3})},
		)
		pass(5 * time.Second)
		if nodes, _ := n.Len(); nodes != 0 || n.StoreStats().Learned != 0 || n.StoreError() != nil {
			t.Errorf("%d nodes, stats %+v, %v", nodes, n.StoreStats(), n.StoreError())
		}
		other.tell(Entry{Key: key, Value: encodeStoredNode(record), Version: 5})
		other.tell(Entry{Key: key, Value: encodeStoredNode(record), Version: 5}) // a repeat is not offered again
		pass(time.Second)
		s.wantInTable(n, good, 5)
		if got := n.StoreStats().Learned; got != 1 {
			t.Errorf("%d nodes learned", got)
		}
	})
}

// Nobody can make a host check signatures without end, or remember strangers without end.
func TestStoreWatchIsBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		join := newFleet()
		n, other := s.node(quiet, stored(join())), join()
		pass(5 * time.Second)
		_, record := signedAt(t, 1, 1)
		scans := other.calls["get"]
		for i := range 3 * learnRate.Burst {
			id := enode.ID{byte(i >> 8), byte(i), 1}
			other.tell(Entry{Key: nodeKey(nodePrefix, id), Value: encodeStoredNode(record)}, Entry{Key: nodeKey(seenPrefix, id)})
		}
		settle()
		n.turn(func(now time.Time) {
			if n.store.learning.Allow(now, learnRate) {
				t.Error("a flood of records is looked at to its end")
			}
			if len(n.store.met) > storeBatch {
				t.Errorf("%d strangers wait", len(n.store.met))
			}
		})
		pass(10 * time.Second)
		if got := other.calls["get"] - scans; got > 3*learnRate.Burst/storeBatch+1 {
			t.Errorf("%d calls for strangers", got)
		}
		s.wantNotInTable(n, unsigned(1, 1))
	})
}

func TestStoreWatchThatFails(t *testing.T) {
	for what, fails := range map[string]func() error{
		"error": func() error { return errDown },
		"ends":  func() error { return nil },
		"panic": func() error { panic("no") },
	} {
		t.Run(what, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				join := newFleet()
				other := join()
				other.fleet.fails = fails
				n := s.node(quiet, stored(join()))
				pass(5 * time.Minute)
				if begun := other.fleet.begun; begun < 16 || begun > 30 {
					t.Errorf("two watches began %d times in 5 min", begun)
				}
				if stats := n.StoreStats(); n.StoreError() != nil || !stats.Loaded || stats.Failures == 0 {
					t.Errorf("stats %+v, %v", stats, n.StoreError())
				}
				other.change(func() { other.fleet.fails = nil })
				node, record := signedAt(t, 1, 1)
				s.within(maxStorePause+time.Second, "a watch again", func() bool {
					other.tell(Entry{Key: nodeKey(nodePrefix, node.ID()), Value: encodeStoredNode(record), Version: 1})
					return n.Node(node.ID()) != nil
				})
			})
		})
	}
}

// A watch that does not end with its context is abandoned like any other call.
func TestStoreWatchThatHangs(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		join, end := newFleet(), make(chan struct{})
		store := join()
		store.fleet.fails = func() error { <-end; return errDown }
		n := s.node(quiet, stored(store))
		pass(5 * time.Second)
		start := time.Now()
		if err := n.Close(); err != nil || time.Since(start) > 2*closeGrace {
			t.Errorf("Close took %v: %v", time.Since(start), err)
		}
		close(end)
		settle()
	})
}

// While the store is down for 5 minutes peers notice nothing, memory is bounded, and afterwards everything is stored.
func TestStoreDownForFiveMinutes(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		peers := make([]*Node, 20)
		for i := range peers {
			peers[i] = s.node(quiet)
		}
		n := s.node(quiet, stored(store))
		rtt := func(p *Node) time.Duration {
			start := time.Now()
			s.ping(p, n.Self())
			return time.Since(start)
		}
		for _, p := range peers {
			s.know(n, p.Self())
			rtt(p)
		}
		before := rtt(peers[0])
		pass(5 * time.Second)
		if got := len(store.keys(nodePrefix)); got != len(peers) {
			t.Fatalf("%d of %d nodes are stored", got, len(peers))
		}
		store.change(func() { store.before = hangingUntilDeadline })
		end := time.Now().Add(5 * time.Minute)
		for i := 0; time.Now().Before(end); i++ {
			p := peers[i%len(peers)]
			if took := rtt(p); took != before {
				t.Fatalf("a PING took %v, not %v, while the store is down", took, before)
			}
			if i%10 == 0 {
				if err := p.SetFields(context.Background(), "operator", map[string]any{"i": uint(i + 1)}); err != nil {
					t.Fatal(err)
				}
			}
			if err := n.Ban(Ban{ID: enode.ID{1, byte(i >> 8), byte(i)}, Until: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
			s.add(n, p.Self())
			if i == 60 && !errors.Is(n.StoreError(), context.DeadlineExceeded) {
				t.Errorf("the store is down, and its state is %v", n.StoreError())
			}
			pass(500 * time.Millisecond)
		}
		if stats := n.StoreStats(); stats.Waiting == 0 || stats.Waiting > 2*maxUnsaved || stats.Dropped != 0 {
			t.Errorf("stats %+v", stats)
		}
		store.change(func() { clear(store.entries); store.before = nil }) // it even forgot everything
		s.within(maxStorePause+storeDeadline, "the store works again", func() bool { return n.StoreError() == nil && n.StoreStats().Waiting == 0 })
		for _, p := range peers {
			n.turn(func(now time.Time) { n.seenNode(now, p.ID(), time.Millisecond) })
		}
		pass(2 * time.Second)
		for _, p := range peers {
			e := store.entries[string(nodeKey(nodePrefix, p.ID()))]
			if e.Version != p.Self().Seq() {
				t.Errorf("record %d of a node is stored, and it has %d", e.Version, p.Self().Seq())
			}
		}
		if got, want := len(store.keys(hostPrefix)), len(n.Bans()); got != want {
			t.Errorf("%d of %d bans are stored", got, want)
		}
	})
}

// hangingUntilDeadline is a store that does not answer.
func hangingUntilDeadline(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A change that found no room is written with the next answer.
func TestStoreWritesWhatFoundNoRoom(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		n := s.node(quiet, stored(store))
		node := signed(t, newKey(t), 1, s.addr())
		pass(time.Second)
		store.change(func() { store.before = down })
		n.turn(func(time.Time) {
			for i := range maxUnsaved {
				n.store.save(change{Entry: Entry{Key: fmt.Appendf(nil, "x%d", i)}}, maxUnsaved)
			}
		})
		s.know(n, node)
		if dropped := n.StoreStats().Dropped; dropped != 2 {
			t.Errorf("%d changes were dropped, not the record and the contact", dropped)
		}
		store.change(func() { store.before = nil })
		s.within(time.Minute, "the store works again", func() bool { return n.StoreError() == nil && n.StoreStats().Waiting == 0 })
		n.turn(func(now time.Time) { n.seenNode(now, node.ID(), time.Millisecond) })
		pass(time.Second)
		if len(store.keys(nodePrefix)) != 1 || len(store.keys(seenPrefix)) != 1 {
			t.Errorf("the store has %q and %q", store.keys(nodePrefix), store.keys(seenPrefix))
		}
	})
}

// Since when a node is known survives restarts and other hosts.
func TestStoreKeepsTheFirstContact(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		n := s.node(quiet, stored(store))
		node := signed(t, newKey(t), 1, s.addr())
		first := time.Now().Add(-24 * time.Hour)
		key := nodeKey(seenPrefix, node.ID())
		store.change(func() {
			store.entries[string(key)] = Entry{Key: key, Version: 1, Value: encodeStoredContact(storedContact{addr: addrPort("192.0.2.1:1"), seen: first, first: first})}
		})
		s.know(n, node)
		pass(time.Second)
		var c storedContact
		store.change(func() { c, _ = decodeStoredContact(store.entries[string(key)].Value) })
		if v4, _ := endpoints(node); c.addr != v4 || !c.first.Equal(first) || c.checks == 0 || c.seen.Before(first.Add(time.Hour)) {
			t.Errorf("contact %+v", c)
		}
	})
}

// Of a large store a host takes its own neighbourhood too, whose buckets are small.
func TestStoreSeedsFromTheNeighbourhood(t *testing.T) {
	store := newMemStore()
	for i := range 6000 {
		node, record := signedAt(t, i, 1)
		store.remember(node, record, time.Now().Add(24*365*100*time.Hour)) // the clock of a bubble starts in 2000
	}
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet, stored(store))
		s.within(10*time.Second, "seeds", func() bool { return n.StoreStats().Loaded })
		near := 0
		offered := make(map[string]bool)
		for _, k := range store.offered[storeBatch:] {
			offered[k] = true
		}
		for _, k := range store.keys(nodePrefix) {
			if id, _ := keyID(nodePrefix, []byte(k)); enode.LogDist(id, n.self) <= 256-10 {
				near++
				if !offered[k] {
					t.Errorf("the node %s, at distance %d of %s, is not among the seeds", id, enode.LogDist(id, n.self), n.self)
				}
			}
		}
		t.Logf("%d neighbours", near)
	})
}
