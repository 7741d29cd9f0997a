package core

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestStoreManyBans(t *testing.T) {
	for what, tamper := range map[string]func(_, _ []byte, _ int, page []Entry) []Entry{
		"sorted": nil,
		"unsorted": func(_, _ []byte, _ int, page []Entry) []Entry {
			slices.Reverse(page)
			return page
		},
	} {
		t.Run(what, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				store, key := newMemStore(), newKey(t)
				store.tamper = tamper
				self := &Node{self: enode.PubkeyToIDV4(&key.PublicKey)}
				until := time.Now().Add(time.Hour)
				for i := range 3*storeBatch + 7 {
					b := Ban{ID: unsigned(i+1, 1).ID(), Until: until}
					k := self.banKey(b)
					store.entries[string(k)] = Entry{Key: k, Value: encodeStoredBan(b), Version: 1, Expires: until}
				}
				n := s.node(quiet, stored(store), func(c *Config) { c.PrivateKey = key })
				pass(time.Second)
				if got := len(n.Bans()); got != 3*storeBatch+7 {
					t.Errorf("%d bans restored", got)
				}
			})
		})
	}
}

func TestStoreSeedsAreChosen(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		add := func(number int, seen time.Duration) *enode.Node {
			node, record := signedAt(t, number, 1)
			store.remember(node, record, time.Now().Add(-seen))
			return node
		}
		fresh, old, expired, unseen := add(1, time.Hour), add(2, nodeLife+time.Hour), add(3, time.Hour), add(4, time.Hour)
		k := string(nodeKey(nodePrefix, expired.ID()))
		e := store.entries[k]
		e.Expires = time.Now().Add(-time.Second)
		store.entries[k] = e
		delete(store.entries, string(nodeKey(seenPrefix, unseen.ID())))
		misplaced, record := signedAt(t, 5, 1)
		k = string(nodeKey(nodePrefix, enode.ID{1}))
		store.entries[k] = Entry{Key: []byte(k), Value: encodeStoredNode(record)}
		n := s.node(quiet, stored(store))
		pass(time.Second)
		s.wantNotInTable(n, misplaced)
		s.wantInTable(n, fresh, 1)
		s.wantInTable(n, unseen, 1)
		s.wantNotInTable(n, old)
		s.wantNotInTable(n, expired)
	})
}

func TestStoreSeedsAreSpread(t *testing.T) {
	store := newMemStore()
	for i := range 6000 {
		node, record := signedAt(t, i, 1)
		store.remember(node, record, time.Now().Add(24*365*100*time.Hour)) // the clock of a bubble starts in 2000
	}
	var runs [2]map[string]bool
	for run := range runs {
		simulate(t, func(t *testing.T, s *sim) {
			store.offered = nil
			n := s.node(quiet, stored(store))
			s.within(10*time.Second, "seeds", func() bool { return n.StoreStats().Loaded })
			seeds := make(map[string]bool)
			corners := make(map[string]int) // by the first two digits of the id
			own := n.self.String()
			for _, k := range store.offered[storeBatch:] {
				if k[len(nodePrefix):][:1] == own[:1] {
					continue // there are more from our own neighbourhood
				}
				seeds[k] = true
				corners[k[len(nodePrefix):][:2]]++
			}
			stats := n.StoreStats()
			if stats.Seeds > (seedScans+nearScans)*seedsPerScan || stats.Seeds < seedScans*seedsPerScan*9/10 {
				t.Errorf("%d seeds", stats.Seeds)
			}
			quarters := make(map[byte]int)
			for corner, count := range corners {
				if quarters[corner[0]] += count; count > 3*seedsPerScan {
					t.Errorf("%d seeds begin with %s", count, corner)
				}
			}
			if len(quarters) != 15 {
				t.Errorf("seeds begin with %v", quarters)
			}
			runs[run] = seeds
		})
	}
	common := 0
	for k := range runs[0] {
		if runs[1][k] {
			common++
		}
	}
	if common > len(runs[0])*3/4 {
		t.Errorf("%d of %d seeds are the same in two runs", common, len(runs[0]))
	}
}

func TestStoreThatLies(t *testing.T) {
	repeat := func(e Entry, count int) (all []Entry) {
		for range count {
			all = append(all, e)
		}
		return all
	}
	lies := map[string]func(m *memStore, prefix, after []byte, limit int, page []Entry) []Entry{
		"garbled values": func(_ *memStore, prefix, _ []byte, _ int, page []Entry) []Entry {
			for i := range 100 {
				v := bytes.Repeat([]byte{byte(i * 3)}, i*7)
				page = append(page, Entry{Key: fmt.Appendf(nil, "%szz%03d", prefix, i), Value: v, Version: ^uint64(0)})
			}
			return page
		},
		"foreign keys": func(_ *memStore, _, _ []byte, _ int, page []Entry) []Entry {
			return append(page, Entry{}, Entry{Key: []byte("zzz"), Value: []byte{1}}, Entry{Key: []byte("a")})
		},
		"unsorted": func(_ *memStore, _, _ []byte, _ int, page []Entry) []Entry {
			slices.Reverse(page)
			return page
		},
		"more than asked": func(_ *memStore, prefix, _ []byte, _ int, page []Entry) []Entry {
			if len(page) == 0 {
				return nil
			}
			return append(page, repeat(Entry{Key: append(bytes.Clone(prefix), 'z')}, 5_000)...)
		},
		"the same for ever": func(_ *memStore, prefix, _ []byte, limit int, page []Entry) []Entry {
			return append(page, repeat(Entry{Key: append(bytes.Clone(prefix), 'z')}, limit-len(page))...)
		},
		"something new for ever": func(_ *memStore, prefix, after []byte, limit int, page []Entry) []Entry {
			key := append(bytes.Clone(prefix), 'z')
			if bytes.Compare(after, key) > 0 {
				key = bytes.Clone(after)
			}
			for len(page) < limit {
				key = append(key, 'z')
				if len(key) > 1000 {
					key = append(bytes.Clone(key[:10]), key[10]+1)
				}
				page = append(page, Entry{Key: bytes.Clone(key)})
			}
			return page
		},
		"values of others": func(m *memStore, _, _ []byte, _ int, page []Entry) []Entry {
			if len(page) > 1 && bytes.HasPrefix(page[0].Key, []byte(nodePrefix)) {
				stranger := page[0].Value
				return append(page, Entry{Key: nodeKey(nodePrefix, enode.ID{0xff, 0xff}), Value: stranger})
			}
			return page
		},
		"bans of others": func(m *memStore, prefix, _ []byte, _ int, page []Entry) []Entry {
			if !strings.Contains(string(prefix), "/ban/") {
				return page
			}
			for _, until := range []time.Time{time.UnixMilli(1 << 61), {}, time.UnixMilli(-1)} {
				page = append(page, Entry{Key: append(bytes.Clone(prefix), "zz"...), Value: encodeStoredBan(testBan(9, until)), Version: ^uint64(0)})
			}
			return page
		},
		"panic": func(m *memStore, _, _ []byte, _ int, page []Entry) []Entry {
			if m.calls["scan"] < 5 {
				panic("no")
			}
			return page
		},
	}
	for what, lie := range lies {
		t.Run(what, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				store := newMemStore()
				var nodes []*enode.Node
				for i := range 5 {
					node, record := signedAt(t, i, 1)
					store.remember(node, record, time.Now())
					nodes = append(nodes, node)
				}
				store.tamper = func(prefix, after []byte, limit int, page []Entry) []Entry {
					return lie(store, prefix, after, limit, page)
				}
				n := s.node(quiet, stored(store))
				s.within(time.Minute, "the store read", func() bool { return n.StoreStats().Loaded })
				for _, node := range nodes {
					if what == "something new for ever" || what == "the same for ever" {
						break // these push the real ones out of what is read
					}
					s.wantInTable(n, node, 1)
				}
				if known, _ := n.Len(); known > len(nodes) {
					t.Errorf("%d nodes in the table", known)
				}
				if bans := n.Bans(); len(bans) != 0 {
					t.Errorf("bans %v", bans)
				}
				if calls := store.calls["scan"]; calls > maxBans/storeBatch+2*seedScans+10 || what == "the same for ever" && calls > 2*seedScans+10 {
					t.Errorf("%d calls to read it", calls)
				}
				page, _, err := n.store.page([]byte(nodePrefix), nil, 3)
				if err != nil || len(page) > 3 {
					t.Errorf("a page of %d entries, %v; asked for 3", len(page), err)
				}
				if err := n.Ban(testBan(1, time.Now().Add(time.Hour))); err != nil {
					t.Fatal(err)
				}
				pass(3 * time.Second)
				if got := store.keys(hostPrefix); len(got) != 1 {
					t.Errorf("bans in the store: %v", got)
				}
			})
		})
	}
}

func FuzzStored(f *testing.F) {
	until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Add(encodeStoredNode([]byte{1, 2, 3}))
	f.Add(encodeStoredContact(storedContact{addr: addrPort("[2001:db8::1]:9000"), seen: until, rtt: time.Second, first: until, checks: 3}))
	f.Add(encodeStoredContact(storedContact{addr: addrPort("192.0.2.1:9000"), seen: until, rtt: time.Second}))
	f.Add(encodeStoredBan(testBan(1, until)))
	f.Add(encodeStoredBan(Ban{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Until: until}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if record, ok := decodeStoredNode(b); ok {
			if again, ok := decodeStoredNode(encodeStoredNode(record)); !ok || !bytes.Equal(again, record) {
				t.Errorf("record %x became %x", record, again)
			}
		}
		if c, ok := decodeStoredContact(b); ok && c.addr.IsValid() {
			if again, ok := decodeStoredContact(encodeStoredContact(c)); !ok || again != c {
				t.Errorf("contact %+v became %+v", c, again)
			}
		}
		if ban, ok := decodeStoredBan(b); ok {
			if err := ban.Validate(); err != nil {
				t.Error(err)
			}
			if _, err := ban.Until.MarshalJSON(); err != nil {
				t.Error(err)
			}
			if again, ok := decodeStoredBan(encodeStoredBan(ban)); !ok || again != ban {
				t.Errorf("ban %+v became %+v", ban, again)
			}
		}
	})
}

// mute is a store whose Get fails for contacts.
type mute struct{ *memStore }

func (m mute) Get(ctx context.Context, keys [][]byte) ([]Entry, error) {
	if slices.ContainsFunc(keys, func(key []byte) bool { return bytes.HasPrefix(key, []byte(seenPrefix)) }) {
		return nil, errDown
	}
	return m.memStore.Get(ctx, keys)
}

// A store that does not tell what it has is written all the same, and the failure is counted.
func TestStoreThatCannotBeAsked(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		n := s.node(quiet, stored(mute{store}))
		node := signed(t, newKey(t), 1, s.addr())
		s.know(n, node)
		pass(10 * time.Second)
		for _, prefix := range []string{nodePrefix, seenPrefix} {
			if len(store.keys(prefix)) != 1 {
				t.Errorf("%s was not written", prefix)
			}
		}
		if stats := n.StoreStats(); stats.Failures == 0 || stats.Waiting != 0 || n.StoreError() != nil {
			t.Errorf("stats %+v, error %v", stats, n.StoreError())
		}
	})
}
