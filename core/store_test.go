package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// memStore is a store in memory.
type memStore struct {
	mu      sync.Mutex
	entries map[string]Entry
	before  func(context.Context) error // every call
	tamper  func(prefix, after []byte, limit int, page []Entry) []Entry
	calls   map[string]int
	puts    map[string]int // by key
	offered []string       // keys that Scan returned
}

func newMemStore() *memStore {
	return &memStore{entries: make(map[string]Entry), calls: make(map[string]int), puts: make(map[string]int)}
}

func (m *memStore) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memStore) enter(ctx context.Context, method string) error {
	m.mu.Lock()
	m.calls[method]++
	before := m.before
	m.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *memStore) Put(ctx context.Context, entries []Entry) error {
	if err := m.enter(ctx, "put"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		m.puts[string(e.Key)]++
		if e.Version >= m.entries[string(e.Key)].Version {
			m.entries[string(e.Key)] = e
		}
	}
	return nil
}

func (m *memStore) Get(ctx context.Context, keys [][]byte) (all []Entry, err error) {
	if err := m.enter(ctx, "get"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		if e, ok := m.entries[string(k)]; ok {
			all = append(all, e)
		}
	}
	return all, nil
}

func (m *memStore) Scan(ctx context.Context, prefix, after []byte, limit int) (page []Entry, err error) {
	if err := m.enter(ctx, "scan"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(m.entries)) {
		if len(page) < limit && strings.HasPrefix(k, string(prefix)) && k > string(after) {
			page = append(page, m.entries[k])
			m.offered = append(m.offered, k)
		}
	}
	if m.tamper != nil {
		page = m.tamper(prefix, after, limit, page)
	}
	return page, nil
}

func (m *memStore) Delete(ctx context.Context, entries []Entry) error {
	if err := m.enter(ctx, "delete"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if old, ok := m.entries[string(e.Key)]; ok && old.Version <= e.Version {
			delete(m.entries, string(e.Key))
		}
	}
	return nil
}

func (m *memStore) keys(prefix string) (keys []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(m.entries)) {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

func stored(m Store) func(*Config) { return func(c *Config) { c.Store = m } }

var errDown = errors.New("down")

func down(context.Context) error { return errDown }

// signedAt is a signed record with an address in a /24 of its own, and its encoding.
func signedAt(t testing.TB, number int, seq uint64) (*enode.Node, []byte) {
	t.Helper()
	var r enr.Record
	r.Set(enr.IPv4Addr(netip.AddrFrom4([4]byte{byte(20 + number>>16), byte(number >> 8), byte(number), 9})))
	r.Set(enr.UDP(9000))
	r.SetSeq(seq)
	if err := enode.SignV4(&r, newKey(t)); err != nil {
		t.Fatal(err)
	}
	return must(enode.New(enode.ValidSchemes, &r)), must(rlp.EncodeToBytes(&r))
}

// remember puts a node into a store as a host does.
func (m *memStore) remember(node *enode.Node, record []byte, seen time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := nodeKey(nodePrefix, node.ID())
	m.entries[string(k)] = Entry{Key: k, Value: encodeStoredNode(record), Version: node.Seq(), Expires: time.Now().Add(nodeLife)}
	v4, _ := endpoints(node)
	k = nodeKey(seenPrefix, node.ID())
	m.entries[string(k)] = Entry{Key: k, Value: encodeStoredContact(storedContact{addr: v4, seen: seen, rtt: time.Millisecond}), Version: uint64(seen.UnixMilli())}
}

func testBan(id byte, until time.Time) Ban {
	return Ban{ID: enode.ID{id}, Reason: "test", Until: until}
}

func TestStoreRefillsTheTable(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		first := s.node()
		for range 48 {
			s.node(boot(first.Self()))
		}
		store, key, addr := newMemStore(), newKey(t), s.addr()
		ours := func(c *Config) {
			c.PrivateKey, c.Store, c.Conns = key, store, []PacketConn{s.net.Listen(addr)}
		}
		n := s.node(ours, boot(first.Self()))
		pass(2 * time.Minute)
		before := make(map[enode.ID]bool)
		for _, info := range n.Table().Nodes {
			if info.Verified {
				before[info.Node.ID()] = true
			}
		}
		if len(before) < 25 {
			t.Fatalf("only %d nodes are known before the restart", len(before))
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		n = s.node(ours)
		took := s.within(10*time.Second, "90 % of the nodes back", func() bool {
			back := 0
			for _, info := range n.Table().Nodes {
				if info.Verified && before[info.Node.ID()] {
					back++
				}
			}
			return back*10 >= len(before)*9
		})
		t.Logf("90 %% of %d nodes back after %v", len(before), took)
	})
}

func TestStoreDownAtStart(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		peer := s.node()
		store := newMemStore()
		store.remember(peer.Self(), must(rlp.EncodeToBytes(peer.Self().Record())), time.Now())
		ban := testBan(1, time.Now().Add(time.Hour))
		store.before = down
		n := s.node(stored(store))
		events := must(n.Events(100))
		defer events.Close()
		s.ping(n, s.node(quiet).Self())
		pass(3 * time.Minute)
		if err := n.StoreError(); !errors.Is(err, errDown) {
			t.Errorf("store error %v", err)
		}
		if calls := store.calls["scan"]; calls > 30 {
			t.Errorf("%d attempts in 3 min", calls)
		}
		if err := n.Ban(ban); err != nil {
			t.Fatal(err)
		}
		store.change(func() { store.before = slow(3 * time.Second) }) // so that nothing else is due at the same time
		lookups := n.Stats().Lookups
		s.within(time.Minute+20*time.Second, "seeds read", func() bool {
			if n.StoreStats().Seeds == 0 {
				lookups = n.Stats().Lookups
				return false
			}
			return true
		})
		pass(time.Second)
		if n.Stats().Lookups == lookups {
			t.Error("no lookup began with the seeds")
		}
		s.within(10*time.Second, "seeds verified", func() bool {
			_, verified := n.Len()
			return verified == 1 && n.StoreError() == nil
		})
		if stats := n.StoreStats(); !stats.Loaded || stats.Seeds != 1 || stats.Waiting > 2 || stats.Failures == 0 {
			t.Errorf("stats %+v", stats)
		}
		if keys := store.keys(hostPrefix); len(keys) != 1 {
			t.Errorf("bans in the store: %v", keys)
		}
		var details []string
		for len(events.C) > 0 {
			if e := <-events.C; e.Type == StoreChanged {
				details = append(details, e.Detail)
			}
		}
		if !slices.Equal(details, []string{"ok"}) && !slices.Equal(details, []string{"degraded", "ok"}) {
			t.Errorf("events %v", details)
		}
	})
}

func TestStoreWriteBehind(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		peer := s.node(quiet)
		n := s.node(quiet, stored(store))
		s.add(n, peer.Self())
		for range 600 {
			s.ping(n, peer.Self())
			pass(3 * time.Second)
		}
		node, seen := string(nodeKey(nodePrefix, peer.ID())), string(nodeKey(seenPrefix, peer.ID()))
		if store.puts[node] != 1 || store.puts[seen] < 3 || store.puts[seen] > 4 {
			t.Errorf("half an hour of contact wrote the record %d times and the contact %d times", store.puts[node], store.puts[seen])
		}
		if record, ok := decodeStoredNode(store.entries[node].Value); !ok || !bytes.Equal(record, peer.local.rlp()) {
			t.Errorf("stored record %x", record)
		}
		c, ok := decodeStoredContact(store.entries[seen].Value)
		if !ok || c.addr != peer.LocalAddrs()[0] || time.Since(c.seen) > 11*time.Minute {
			t.Errorf("stored contact %+v", c)
		}
		pass(13 * time.Hour)
		s.ping(n, peer.Self())
		pass(3 * time.Second)
		if store.puts[node] != 2 {
			t.Errorf("the record was written %d times in half a day, want 2 so that it does not expire", store.puts[node])
		}
		// Of many changes of one entry in quick succession the last is written, once.
		calls := store.calls["put"] + store.calls["delete"]
		for i := range 100 {
			if err := n.Ban(testBan(1, time.Now().Add(time.Duration(i+1)*time.Hour))); err != nil {
				t.Fatal(err)
			}
		}
		pass(3 * time.Second)
		if got := store.calls["put"] + store.calls["delete"] - calls; got != 1 {
			t.Errorf("100 changes of a ban were written in %d calls", got)
		}
	})
}

func TestStoreRetries(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		n := s.node(quiet, stored(store))
		pass(time.Second)
		store.change(func() { store.before = down })
		if err := n.Ban(testBan(1, time.Now().Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Minute)
		if calls := store.calls["put"]; calls < 8 || calls > 20 {
			t.Errorf("%d attempts in 10 min", calls)
		}
		if n.StoreError() == nil || n.StoreStats().Waiting != 1 {
			t.Errorf("error %v, stats %+v", n.StoreError(), n.StoreStats())
		}
		store.change(func() { store.before = nil })
		pass(61 * time.Second)
		if n.StoreError() != nil || len(store.keys(hostPrefix)) != 1 {
			t.Errorf("error %v, bans %v", n.StoreError(), store.keys(hostPrefix))
		}
	})
}

func TestStoreHangs(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		store.before = hanging(t)
		n := s.node(quiet, stored(store))
		pass(10 * time.Second)
		if !errors.Is(n.StoreError(), errStoreHangs) {
			t.Errorf("store error %v", n.StoreError())
		}
		n.turn(func(now time.Time) {
			for i := range 3 * maxUnsaved {
				key := fmt.Appendf(nil, "x%d", i)
				n.store.save(change{Entry: Entry{Key: key}}, maxUnsaved)
			}
			n.store.ban(now, testBan(1, now.Add(time.Hour)))
		})
		if stats := n.StoreStats(); stats.Waiting != maxUnsaved+1 || stats.Dropped != 2*maxUnsaved {
			t.Errorf("stats %+v", stats)
		}
	})
}

func TestStoreFlushesOnClose(t *testing.T) {
	for what, delay := range map[string]time.Duration{"fast": 0, "slow": 700 * time.Millisecond, "too slow": 3 * time.Second} {
		t.Run(what, func(t *testing.T) {
			simulate(t, func(t *testing.T, s *sim) {
				store := newMemStore()
				n := s.node(quiet, stored(store))
				pass(5 * time.Second)
				if err := n.Ban(testBan(1, time.Now().Add(time.Hour))); err != nil {
					t.Fatal(err)
				}
				store.change(func() { store.before = slow(delay) })
				start := time.Now()
				if err := n.Close(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != min(delay, time.Second) {
					t.Errorf("Close took %v", took)
				}
				if got := len(store.keys(hostPrefix)); (got == 1) != (delay < time.Second) {
					t.Errorf("%d bans in the store", got)
				}
			})
		})
	}
}

func TestStoreKeepsBans(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey = key }
		hour := time.Now().Add(time.Hour)
		prefix, other := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.7.7/15")
		n := s.node(quiet, ours, stored(store))
		for _, b := range []Ban{testBan(1, hour), testBan(2, hour), testBan(3, time.Now().Add(time.Minute)), {Prefix: prefix, Until: hour}, {Prefix: other, Until: hour}} {
			if err := n.Ban(b); err != nil {
				t.Fatal(err)
			}
		}
		pass(3 * time.Second)
		if !n.Unban(testBan(2, hour)) || !n.Unban(Ban{Prefix: other}) {
			t.Error("no ban to end")
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if got := store.keys(hostPrefix); len(got) != 3 {
			t.Fatalf("bans in the store: %v", got)
		}
		pass(2 * time.Minute)
		puts := len(store.puts)
		node := unsigned(1, 1)
		k := append([]byte(nil), (&Node{self: n.self}).banKey(Ban{ID: node.ID()})...)
		store.entries[string(k)] = Entry{Key: k, Value: encodeStoredBan(Ban{ID: node.ID(), Until: hour}), Version: 1, Expires: hour}
		store.before = slow(time.Second)
		n = s.node(quiet, ours, stored(store))
		s.add(n, node)
		settle()
		s.wantInTable(n, node, 1)
		pass(10 * time.Second)
		if nodes, _ := n.Len(); nodes != 0 {
			t.Error("a node is in the table that was banned before the restart")
		}
		var got []string
		for _, b := range n.Bans() {
			got = append(got, banSubject(b))
		}
		slices.Sort(got)
		want := []string{banSubject(testBan(1, hour)), node.ID().String(), prefix.String()}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("bans %v, want %v", got, want)
		}
		if len(store.puts) != puts {
			t.Error("restored bans were written again")
		}
		// Another host that shares the store has its own.
		if other := s.node(quiet, stored(store)); len(other.Bans()) != 0 {
			t.Errorf("another host has bans %v", other.Bans())
		}
	})
}

func TestStoreUnbanBeforeTheStoreIsRead(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		until := time.Now().Add(10 * time.Hour)
		self := &Node{self: enode.PubkeyToIDV4(&key.PublicKey)}
		k := self.banKey(testBan(1, until))
		store.entries[string(k)] = Entry{Key: k, Value: encodeStoredBan(testBan(1, until)), Version: 1, Expires: until}
		store.before = down
		n := s.node(quiet, stored(store), func(c *Config) { c.PrivateKey = key })
		settle()
		n.Unban(testBan(1, until))
		store.change(func() { store.before = nil })
		s.within(time.Minute, "the store read and written", func() bool {
			stats := n.StoreStats()
			return stats.Loaded && stats.Waiting == 0
		})
		if bans := n.Bans(); len(bans) != 0 || len(store.keys(hostPrefix)) != 0 {
			t.Errorf("bans %v, in the store %v", bans, store.keys(hostPrefix))
		}
	})
}

// A ban whose write fails while it is ended must not come back.
func TestStoreUnbanDuringAWrite(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		n := s.node(quiet, stored(store))
		pass(5 * time.Second)
		store.change(func() {
			store.before = func(ctx context.Context) error {
				time.Sleep(time.Second)
				return errDown
			}
		})
		hour := time.Now().Add(time.Hour)
		if err := n.Ban(testBan(1, hour)); err != nil {
			t.Fatal(err)
		}
		s.within(5*time.Second, "a write under way", func() bool {
			store.mu.Lock()
			defer store.mu.Unlock()
			return store.calls["put"] > 0
		})
		if waiting := n.StoreStats().Waiting; waiting != 1 {
			t.Errorf("%d changes wait while one is being written", waiting)
		}
		n.Unban(testBan(1, hour))
		pass(5 * time.Second)
		store.change(func() { store.before = nil })
		pass(2 * time.Minute)
		if got := store.keys(hostPrefix); len(got) != 0 || store.calls["delete"] == 0 {
			t.Errorf("bans in the store: %v", got)
		}
	})
}

func TestStoreBanVersionsSurviveAClockSetBack(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		until := time.Now().Add(10 * time.Hour)
		self := &Node{self: enode.PubkeyToIDV4(&key.PublicKey)}
		k := self.banKey(testBan(1, until))
		ahead := uint64(time.Now().Add(time.Hour).UnixMilli())
		store.entries[string(k)] = Entry{Key: k, Value: encodeStoredBan(testBan(1, until)), Version: ahead, Expires: until}
		n := s.node(quiet, stored(store), func(c *Config) { c.PrivateKey = key })
		pass(5 * time.Second)
		if !n.Unban(testBan(1, until)) {
			t.Fatal("no ban")
		}
		pass(5 * time.Second)
		if got := store.keys(hostPrefix); len(got) != 0 {
			t.Errorf("bans in the store: %v", got)
		}
	})
}

// A contact that somebody with a clock ahead stored does not keep true ones out.
func TestStoreContactFromTheFuture(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store := newMemStore()
		node, soon := signed(t, newKey(t), 1, s.addr()), signed(t, newKey(t), 1, s.addr())
		for of, ahead := range map[*enode.Node]time.Duration{node: 24 * 365 * time.Hour, soon: time.Minute} {
			at := time.Now().Add(ahead)
			key := nodeKey(seenPrefix, of.ID())
			store.entries[string(key)] = Entry{
				Key: key, Version: uint64(at.UnixMilli()),
				Value: encodeStoredContact(storedContact{addr: addrPort("203.0.113.9:9"), seen: at, rtt: time.Second}), Expires: at.Add(time.Hour),
			}
		}
		n := s.node(quiet, func(c *Config) { c.Store = store })
		s.know(n, node, soon)
		pass(10 * time.Second)
		stored := func(of *enode.Node) (addr netip.AddrPort) {
			store.change(func() {
				c, _ := decodeStoredContact(store.entries[string(nodeKey(seenPrefix, of.ID()))].Value)
				addr = c.addr
			})
			return addr
		}
		if v4, _ := endpoints(node); stored(node) != v4 {
			t.Errorf("the store still says that the node is at %v", stored(node))
		}
		if stored(soon) != addrPort("203.0.113.9:9") || store.calls["delete"] != 1 {
			t.Errorf("a contact that is a minute ahead was removed; %d deletions", store.calls["delete"])
		}
		pass(contactPause)
		n.turn(func(now time.Time) { n.heardNode(now, soon.ID(), time.Millisecond) })
		pass(10 * time.Second)
		if v4, _ := endpoints(soon); stored(soon) != v4 {
			t.Errorf("the next contact did not overtake it: %v", stored(soon))
		}
	})
}
