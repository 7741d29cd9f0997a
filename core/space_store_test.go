package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fill puts entries into a space.
func fill(t *testing.T, s *Space, count int, format, value string, expires time.Time) {
	t.Helper()
	var all []SpaceEntry
	for i := range count {
		all = append(all, SpaceEntry{Key: fmt.Appendf(nil, format, i), Value: []byte(value), Expires: expires})
	}
	if err := s.Put(all); err != nil {
		t.Fatal(err)
	}
}

// stale returns the keys of a space that the store has and the space does not.
func stale(store *memStore, s *Space) (keys []string) {
	for _, k := range store.keys(string(s.prefix)) {
		k = strings.TrimPrefix(k, string(s.prefix))
		s.mu.Lock()
		if _, ok := s.entries[k]; !ok {
			keys = append(keys, k)
		}
		s.mu.Unlock()
	}
	return keys
}

// What was put while the store failed outlives a restart, although the store is full of older entries; what these lose their place
// to is deleted in the store, and so is what was deleted.
func TestFullSpaceWhileTheStoreIsDown(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey, c.Store = key, store }
		n := s.node(ours, quiet)
		space := must(n.Space("x"))
		fill(t, space, MaxSpaceKeys, "a%05d", "old", time.Time{})
		pass(time.Minute)
		n.Close()
		store.change(func() { store.before = down })
		n = s.node(ours, quiet)
		space = must(n.Space("x"))
		fill(t, space, 1000, "z%05d", "new", time.Time{})
		if err := space.Delete([][]byte{[]byte("a00000")}); err != nil {
			t.Fatal(err)
		}
		store.change(func() { store.before = nil })
		pass(3 * time.Minute)
		check := func(when string) {
			t.Helper()
			found := must(space.Scan(t.Context(), []byte("z"), nil, 256))
			last := must(space.Get(t.Context(), [][]byte{[]byte("z00999"), []byte("a00000"), []byte("a00001")}))
			if keys, _ := space.Size(); len(found) != 256 || len(last) != 2 || keys != MaxSpaceKeys {
				t.Errorf("%s: %d new entries, %d of the last and the first, %d keys", when, len(found), len(last), keys)
			}
			if left := stale(store, space); len(left) > 0 {
				t.Errorf("%s: the store has %d keys that the space does not have, such as %s", when, len(left), left[0])
			}
		}
		check("before the restart")
		n.Close()
		n = s.node(ours, quiet)
		space = must(n.Space("x"))
		pass(time.Minute)
		check("after the restart")
		if err := space.Delete([][]byte{[]byte("z00000")}); err != nil {
			t.Fatal(err)
		}
		n.Close()
		space = must(s.node(ours, quiet).Space("x"))
		if found := must(space.Get(t.Context(), [][]byte{[]byte("z00000")})); len(found) > 0 {
			t.Error("what was deleted came back")
		}
	})
}

// What the store has and a space may not have is deleted in the store, whatever Version it has; a stored Version that is too
// large does not keep later changes out.
func TestSpaceRefusesWhatIsStored(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey, c.Store = key, store }
		n := s.node(ours, quiet)
		prefix := string(must(n.Space("x")).prefix)
		n.Close()
		add := func(key string, value []byte, version uint64, expires time.Time) {
			k := prefix + key
			store.entries[k] = Entry{Key: []byte(k), Value: value, Version: version, Expires: expires}
		}
		good, never := encodeStoredSpace([]byte("good")), time.Time{}
		add("", good, 1, never)
		add(strings.Repeat("k", MaxSpaceKey+1), good, 1, never)
		add("no message", []byte{0xff}, 1<<63, never)
		add("large", encodeStoredSpace(make([]byte, MaxSpaceValue+1)), 1, never)
		add("expired", good, 1, time.Now())
		add("kept", good, 5, time.Now().Add(time.Hour))
		add("mistaken", good, 1<<63, never)
		fails := 2
		store.before = func(context.Context) error {
			if store.calls["delete"] > 0 && fails > 0 {
				fails--
				return errDown
			}
			return nil
		}
		n = s.node(ours, quiet)
		space := must(n.Space("x"))
		if got, want := inSpace(t, space), "kept=good mistaken=good"; got != want {
			t.Errorf("the space holds %q, want %q", got, want)
		}
		pass(time.Minute)
		if left := stale(store, space); len(left) > 0 {
			t.Errorf("the store still has %q", left)
		}
		if store.puts[prefix+"kept"] != 0 {
			t.Error("what was restored was written")
		}
		put(t, space, "mistaken", "new")
		n.Close()
		if got, want := inSpace(t, must(s.node(ours, quiet).Space("x"))), "kept=good mistaken=new"; got != want {
			t.Errorf("after a restart the space holds %q, want %q", got, want)
		}
	})
}

// blindStore is a store that is written but cannot be read until it sees.
type blindStore struct {
	*memStore
	sees atomic.Bool
}

func (b *blindStore) Scan(ctx context.Context, prefix, after []byte, limit int) ([]Entry, error) {
	if !b.sees.Load() {
		return nil, errDown
	}
	return b.memStore.Scan(ctx, prefix, after, limit)
}

// A clock that was set back loses nothing that was changed before the store was read.
func TestSpaceAndAClockSetBack(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey, c.Store = key, store }
		n := s.node(ours, quiet)
		prefix := string(must(n.Space("x")).prefix)
		n.Close()
		ahead := uint64(time.Now().Add(time.Hour).UnixMilli())
		for _, k := range []string{"changed", "deleted", "short"} {
			store.entries[prefix+k] = Entry{Key: []byte(prefix + k), Value: encodeStoredSpace([]byte("old")), Version: ahead}
		}
		blind := &blindStore{memStore: store}
		n = s.node(ours, quiet, stored(blind))
		space := must(n.Space("x"))
		put(t, space, "changed", "new")
		if err := space.Put([]SpaceEntry{{Key: []byte("short"), Expires: time.Now().Add(time.Second)}}); err != nil {
			t.Fatal(err)
		}
		if err := space.Delete([][]byte{[]byte("deleted")}); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		fill(t, space, MaxSpaceKeys-1, "%d", "", time.Now().Add(3*time.Minute)) // "short" makes room
		blind.sees.Store(true)
		pass(5 * time.Minute)
		n.Close()
		space = must(s.node(ours, quiet).Space("x"))
		found := must(space.Get(t.Context(), [][]byte{[]byte("changed"), []byte("deleted"), []byte("short")}))
		if len(found) != 1 || string(found[0].Value) != "new" {
			t.Errorf("after a restart: %q", found)
		}
	})
}

// Spaces that wait for the store take no places from bans, and lose nothing; deletions that the store was not told are bounded.
func TestSpacesBesideBans(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey, c.Store = key, store }
		store.before = down
		n := s.node(ours, quiet)
		for _, name := range []string{"a", "b", "c"} {
			fill(t, must(n.Space(name)), MaxSpaceKeys, "%d", name, time.Time{})
		}
		s.ban(n, testBan(1, time.Now().Add(10*time.Hour)))
		if stats := n.StoreStats(); stats.Waiting != 3*MaxSpaceKeys+1 || stats.Dropped != 0 {
			t.Errorf("stats %+v", stats)
		}
		space := must(n.Space("a"))
		var keys [][]byte
		for i := range maxSpaceGone {
			keys = append(keys, fmt.Append(nil, i))
		}
		if err := space.Delete(keys); err != nil {
			t.Fatal(err)
		}
		put(t, space, "kept", "")
		err := space.Delete([][]byte{[]byte("kept"), []byte("x")})
		s.wantErr("a deletion too many", err, ErrSpaceFull)
		if keys, _ := space.Size(); keys != 1 {
			t.Errorf("a deletion that was refused left %d keys", keys)
		}
		if err := space.Delete([][]byte{[]byte("0"), {}, make([]byte, MaxSpaceKey+1)}); err != nil {
			t.Errorf("a deletion that waits already: %v", err)
		}
		store.change(func() { store.before = nil })
		pass(10 * time.Minute)
		if stats := n.StoreStats(); stats.Waiting != 0 || stats.Dropped != 0 {
			t.Errorf("when the store is back: %+v", stats)
		}
		if err := space.Delete([][]byte{[]byte("kept"), []byte("x")}); err != nil {
			t.Error(err)
		}
		n.Close()
		n = s.node(ours, quiet)
		pass(time.Minute)
		if len(n.Bans()) != 1 {
			t.Error("the ban was lost")
		}
		for name, want := range map[string]int{"a": 0, "b": MaxSpaceKeys, "c": MaxSpaceKeys} {
			space := must(n.Space(name))
			_ = inSpace(t, space) // waits until it was read
			if keys, _ := space.Size(); keys != want {
				t.Errorf("%s has %d keys after the restart, want %d", name, keys, want)
			}
		}
	})
}

// Reading goes on where it failed, and what was read is not written again.
func TestSpaceReadInPieces(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey, c.Store = key, store }
		n := s.node(ours, quiet)
		space := must(n.Space("x"))
		fill(t, space, 4*storeBatch+1, "%04d", "v", time.Time{})
		pass(10 * time.Second)
		n.Close()
		store.change(func() {
			clear(store.puts)
			store.offered = nil
			calls := 0
			store.before = func(context.Context) error {
				if calls++; calls%3 != 0 {
					return errDown
				}
				return nil
			}
		})
		n = s.node(ours, quiet)
		space = must(n.Space("x"))
		pass(30 * time.Minute)
		if keys, _ := space.Size(); keys != 4*storeBatch+1 {
			t.Errorf("%d keys were read", keys)
		}
		read := 0
		for _, k := range store.offered {
			if strings.HasPrefix(k, string(space.prefix)) {
				read++
			}
		}
		if len(store.puts) != 0 || read != 4*storeBatch+1 {
			t.Errorf("%d keys were written again, %d were read", len(store.puts), read)
		}
	})
}

// A Put that a full space refuses does not look at every entry; what has expired makes room in the order of time.
func TestFullSpaceIsNotWalked(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		space := must(n.Space("x"))
		start := time.Now()
		for i := range MaxSpaceKeys {
			e := SpaceEntry{Key: fmt.Append(nil, i), Expires: start.Add(time.Hour)}
			if i < 3 {
				e.Expires = start.Add(time.Duration(3-i) * time.Minute)
			}
			if err := space.Put([]SpaceEntry{e}); err != nil {
				t.Fatal(err)
			}
		}
		space.mu.Lock() // whoever walks finds this one
		space.entries["100"] = heldEntry{SpaceEntry: SpaceEntry{Key: []byte("100"), Expires: start.Add(-time.Hour)}}
		space.mu.Unlock()
		more := func(key string) error {
			return space.Put([]SpaceEntry{{Key: []byte(key), Expires: start.Add(2 * time.Hour)}})
		}
		s.wantErr("one too many", more("new"), ErrSpaceFull)
		pass(time.Minute)
		if err := more("new"); err != nil {
			t.Error(err)
		}
		s.wantErr("one too many", more("newer"), ErrSpaceFull)
		if found := must(space.Get(t.Context(), [][]byte{[]byte("0"), []byte("1"), []byte("2")})); len(found) != 2 {
			t.Errorf("%d of two entries are left that have not expired", len(found))
		}
		for i := range 3 * MaxSpaceKeys {
			if err := space.Put([]SpaceEntry{{Key: []byte("new"), Expires: start.Add(2*time.Hour + time.Duration(i))}}); err != nil {
				t.Fatal(err)
			}
		}
		if len(space.ends) > 2*MaxSpaceKeys+65 {
			t.Errorf("the order has grown to %d", len(space.ends))
		}
		pass(time.Hour)
		if err := more("late"); err != nil {
			t.Error(err)
		}
		if keys, _ := space.Size(); keys != 2 {
			t.Errorf("%d keys are left", keys)
		}
	})
}

// A context that ended is no reason to refuse what needs no waiting.
func TestSpaceWithAnEndedContext(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		space := must(s.node(quiet).Space("x"))
		put(t, space, "a", "b")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			_, got := space.Get(ctx, [][]byte{[]byte("a")})
			_, scanned := space.Scan(ctx, nil, nil, 1)
			if err := errors.Join(got, scanned); err != nil {
				t.Fatal(err)
			}
		}
	})
}
