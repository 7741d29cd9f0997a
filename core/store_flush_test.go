package core

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// What somebody stored as the record of a node with a sequence number that it does not have, does not keep true ones out.
func TestStoreRecordThatClaimsTooMuch(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		key := newKey(t)
		node, newer := signed(t, key, 5, s.addr()), signed(t, key, 9, s.addr())
		stranger := signed(t, newKey(t), 1<<40, s.addr())
		claims := map[string]Entry{
			"nothing":                     {Version: ^uint64(0)},
			"no record":                   {Value: encodeStoredNode([]byte("record")), Version: 1 << 63},
			"its own with a later number": {Value: encodeStoredNode(must(rlp.EncodeToBytes(node.Record()))), Version: 6},
			"somebody else's":             {Value: encodeStoredNode(must(rlp.EncodeToBytes(stranger.Record()))), Version: 1 << 40},
		}
		k := nodeKey(nodePrefix, node.ID())
		version := func() (v uint64) {
			store.change(func() { v = store.entries[string(k)].Version })
			return v
		}
		for what, e := range claims {
			e.Key = k
			store.change(func() { store.entries[string(k)] = e })
			n := s.node(quiet, stored(store))
			s.know(n, node)
			pass(2 * time.Second)
			if got := version(); got != node.Seq() {
				t.Errorf("%s: the store has version %d, not the record %d", what, got, node.Seq())
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
		store.change(func() {
			store.entries[string(k)] = Entry{Key: k, Value: encodeStoredNode(must(rlp.EncodeToBytes(newer.Record()))), Version: 9}
		})
		n := s.node(quiet, stored(store), func(c *Config) { c.NoRefresh = true })
		s.know(n, node)
		pass(2 * time.Second)
		if got := version(); got != newer.Seq() {
			t.Errorf("an older record has replaced a newer one: the store has version %d", got)
		}
	})
}

// What somebody stored as ours with a Version that we never reach does not stay for ever.
func TestStoreForgetsVersionsOutOfReach(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		self, until := &Node{self: enode.PubkeyToIDV4(&key.PublicKey)}, time.Now().Add(10*time.Hour)
		stranger, record := signedAt(t, 1, 1)
		store.remember(stranger, record, time.Now())
		id := stranger.ID()
		for _, e := range []Entry{
			{Key: self.banKey(testBan(1, until)), Value: encodeStoredBan(testBan(1, until)), Version: ^uint64(0)},
			{Key: self.banKey(testBan(2, until)), Value: []byte{0xff}, Version: maxStoredVersion},
			{Key: self.tableKey(0), Value: appendBytes(nil, storedTableIDs, id[:]), Version: 1 << 63},
		} {
			store.entries[string(e.Key)] = e
		}
		n := s.node(quiet, stored(store), func(c *Config) { c.PrivateKey = key })
		pass(5 * time.Second)
		if bans := n.Bans(); len(bans) != 1 || !n.Unban(testBan(1, until)) {
			t.Errorf("bans %v", bans)
		}
		pass(2 * time.Second)
		if got := store.keys(hostPrefix); len(got) != 0 || n.StoreError() != nil {
			t.Errorf("the store has %q, %v", got, n.StoreError())
		}
	})
}

// Strangers that another host has met are read later when the store fails just then.
func TestStoreReadsLaterWhoWasMet(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		join := newFleet()
		other := join()
		n := s.node(quiet, stored(join()))
		pass(5 * time.Second)
		var keys []Entry
		for i := range 3 {
			node, record := signedAt(t, i, 1)
			other.remember(node, record, time.Now())
			keys = append(keys, Entry{Key: nodeKey(seenPrefix, node.ID()), Version: 1})
		}
		fails := 2
		other.change(func() {
			other.before = func(context.Context) error {
				if fails--; fails >= 0 {
					return errDown
				}
				return nil
			}
		})
		other.tell(keys[:2]...)
		pass(100 * time.Millisecond)
		other.tell(keys[2])
		s.within(time.Minute, "all known", func() bool {
			nodes, _ := n.Len()
			return nodes == len(keys)
		})
		if stats := n.StoreStats(); stats.Learned != len(keys) || n.StoreError() != nil {
			t.Error(fmt.Sprintf("%+v", stats), n.StoreError())
		}
	})
}
