package core

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// Of a store that has far more nodes than a table, a host takes those first that it had in its table.
func TestStoreRefillsTheTableFromALargeStore(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key, addr := newMemStore(), newKey(t), s.addr()
		ours := func(c *Config) { c.PrivateKey, c.Store, c.Conns = key, store, []PacketConn{s.net.Listen(addr)} }
		n := s.node(ours)
		for range 60 {
			s.add(n, s.node(quiet).Self())
		}
		pass(time.Minute)
		before := make(map[enode.ID]bool)
		for _, info := range n.Table().Nodes {
			if info.Verified {
				before[info.Node.ID()] = true
			}
		}
		if len(before) < 30 {
			t.Fatalf("only %d nodes are known before the restart", len(before))
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range 6000 { // of other hosts, and nobody is there
			node, record := signedAt(t, i, 1)
			store.remember(node, record, time.Now())
		}
		n = s.node(ours)
		back := func() (count int) {
			for _, info := range n.Table().Nodes {
				if info.Verified && before[info.Node.ID()] {
					count++
				}
			}
			return count
		}
		took := s.within(10*time.Second, "90 % of the nodes back", func() bool { return back()*10 >= len(before)*9 })
		t.Logf("90 %% of %d nodes back after %v", len(before), took)
	})
}

// What a host with a short life or without a network has in its table does not take the place of what it had.
func TestStoreKeepsALargerTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey = key }
		run := func(lasts time.Duration, nodes int) {
			n := s.node(quiet, ours, stored(store))
			pass(time.Second)
			for range nodes {
				s.know(n, signed(t, newKey(t), 1, s.addr()))
			}
			pass(lasts)
			if lasts > tablePause {
				n.turn(func(time.Time) { n.store.rouse() })
				pass(time.Second)
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
		has := func(why string, want int) {
			t.Helper()
			e := store.entries[string((&Node{self: enode.PubkeyToIDV4(&key.PublicKey)}).tableKey(0))]
			if got := len(decodeStoredTable(e.Value)); got != want {
				t.Errorf("%s: the store has %d ids, not %d", why, got, want)
			}
		}
		run(time.Second, 10)
		has("at first", 10)
		run(time.Second, 0)
		has("after a short life", 10)
		run(time.Hour, 0)
		has("after a long one without a network", 10)
		run(time.Second, 3)
		has("after a short life with few nodes", 10)
		run(time.Hour, 3)
		has("after a long one with few nodes", 3)
		run(time.Second, 20)
		has("after one with more", 20)
	})
}

// A store may say what it likes about the table.
func TestStoreTableThatLies(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		self := &Node{self: enode.PubkeyToIDV4(&key.PublicKey)}
		node, record := signedAt(t, 1, 1)
		store.remember(node, record, time.Now())
		id := node.ID()
		value := func(ids []byte) []byte { return appendBytes(nil, storedTableIDs, ids) }
		for part, e := range []Entry{
			{Value: []byte{0xff}, Version: 1},
			{Value: value(bytes.Repeat([]byte{1}, 31)), Version: ^uint64(0)},
			{Value: value(append(bytes.Repeat(id[:], 5000), 7)), Version: 1},
			{Value: value(id[:]), Expires: time.Now().Add(-time.Second)},
		} {
			e.Key = self.tableKey(part)
			store.entries[string(e.Key)] = e
		}
		n := s.node(quiet, stored(store), func(c *Config) { c.PrivateKey = key })
		pass(5 * time.Second)
		s.wantInTable(n, node, 1)
		if stats := n.StoreStats(); !stats.Loaded || n.StoreError() != nil || store.calls["get"] > 20 {
			t.Errorf("stats %+v, %v, %d calls", stats, n.StoreError(), store.calls["get"])
		}
	})
}

// A store that cannot be read at first is read in the end, table and all.
func TestStoreTableIsReadLater(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		self, peer := &Node{self: enode.PubkeyToIDV4(&key.PublicKey)}, s.node(quiet)
		store.remember(peer.Self(), must(rlp.EncodeToBytes(peer.Self().Record())), time.Now())
		id := peer.ID()
		store.entries[string(self.tableKey(0))] = Entry{Key: self.tableKey(0), Value: appendBytes(nil, storedTableIDs, id[:]), Version: 1}
		fails := 5
		store.before = func(context.Context) error {
			if fails--; fails >= 0 {
				return errDown
			}
			return nil
		}
		n := s.node(quiet, stored(store), func(c *Config) { c.PrivateKey = key })
		s.within(time.Minute, "the store read", func() bool { return n.StoreStats().Loaded && !errors.Is(n.StoreError(), errDown) })
		s.wantInTable(n, peer.Self(), 1)
	})
}
