package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func put(t *testing.T, s *Space, key, value string) {
	t.Helper()
	if err := s.Put([]SpaceEntry{{Key: []byte(key), Value: []byte(value)}}); err != nil {
		t.Fatal(err)
	}
}

// inSpace returns what a space holds, as text.
func inSpace(t *testing.T, s *Space) string {
	t.Helper()
	var all []string
	for _, e := range must(s.Scan(t.Context(), nil, nil, 256)) {
		all = append(all, fmt.Sprintf("%s=%s", e.Key, e.Value))
	}
	return strings.Join(all, " ")
}

func TestSpaceOutlivesARestart(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey, c.Store = key, store }
		n := s.node(ours, quiet)
		space := must(n.Space("talk.counter"))
		put(t, space, "b", "2")
		put(t, space, "a", "1")
		put(t, space, "c", "3")
		if err := space.Delete([][]byte{[]byte("c"), []byte("never")}); err != nil {
			t.Fatal(err)
		}
		put(t, must(n.Space("talk.other")), "a", "not yours")
		if got, want := inSpace(t, space), "a=1 b=2"; got != want {
			t.Fatalf("the space holds %q, want %q", got, want)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		n = s.node(ours, quiet)
		space = must(n.Space("talk.counter"))
		if got, want := inSpace(t, space), "a=1 b=2"; got != want {
			t.Errorf("after the restart the space holds %q, want %q", got, want)
		}
		if must(n.Space("talk.counter")) != space {
			t.Error("a name does not stand for one space")
		}
	})
}

func TestSpaceWhileTheStoreIsDown(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		store, key := newMemStore(), newKey(t)
		ours := func(c *Config) { c.PrivateKey, c.Store = key, store }
		n := s.node(ours, quiet)
		space := must(n.Space("x"))
		put(t, space, "kept", "old")
		put(t, space, "changed", "old")
		put(t, space, "deleted", "old")
		n.Close()

		store.change(func() { store.before = down })
		n = s.node(ours, quiet)
		space = must(n.Space("x"))
		put(t, space, "changed", "new")
		if err := space.Delete([][]byte{[]byte("deleted")}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := space.Get(ctx, [][]byte{[]byte("kept")}); !errors.Is(err, ErrSpaceUnread) {
			t.Errorf("what an unread space holds: %v, want ErrSpaceUnread", err)
		}
		store.change(func() { store.before = nil })
		if got, want := inSpace(t, space), "changed=new kept=old"; got != want {
			t.Errorf("the space holds %q once the store is back, want %q", got, want)
		}
		pass(2 * maxStorePause)
		n.Close()
		if got, want := inSpace(t, must(s.node(ours, quiet).Space("x"))), "changed=new kept=old"; got != want {
			t.Errorf("after a restart the space holds %q, want %q", got, want)
		}
	})
}

func TestSpaceIsBounded(t *testing.T) {
	simulate(t, func(t *testing.T, s *sim) {
		n := s.node(quiet)
		for _, name := range []string{"", "A", "a/b", strings.Repeat("a", 65)} {
			if _, err := n.Space(name); err == nil {
				t.Errorf("%q is accepted as a name", name)
			}
		}
		if _, err := n.Space("a-z_0.9"); err != nil {
			t.Error(err)
		}
		space := must(n.Space("x"))
		value := make([]byte, MaxSpaceValue)
		full := 0
		for i := range MaxSpaceSize/MaxSpaceValue + 1 {
			err := space.Put([]SpaceEntry{{Key: fmt.Append(nil, i), Value: value, Expires: time.Now().Add(time.Minute)}})
			if err != nil && !errors.Is(err, ErrSpaceFull) {
				t.Fatal(err)
			}
			if err != nil {
				full++
			}
		}
		if _, size := space.Size(); full == 0 || size > MaxSpaceSize {
			t.Errorf("%d bytes are in, %d puts were refused", size, full)
		}
		// All or none, and a repeat takes no further room.
		keys, size := space.Size()
		if err := space.Put([]SpaceEntry{{Key: []byte("small")}, {Key: []byte("large"), Value: value}}); !errors.Is(err, ErrSpaceFull) {
			t.Errorf("one entry too many: %v, want ErrSpaceFull", err)
		}
		if err := space.Put([]SpaceEntry{{Key: []byte("0"), Value: value, Expires: time.Now().Add(time.Minute)}}); err != nil {
			t.Errorf("a repeat: %v", err)
		}
		if k, sz := space.Size(); k != keys || sz != size {
			t.Errorf("%d keys of %d bytes, want %d of %d", k, sz, keys, size)
		}
		for name, e := range map[string]SpaceEntry{
			"no key":      {},
			"long key":    {Key: make([]byte, MaxSpaceKey+1)},
			"large value": {Key: []byte("k"), Value: make([]byte, MaxSpaceValue+1)},
		} {
			if err := space.Put([]SpaceEntry{e}); !errors.Is(err, ErrSpaceFull) {
				t.Errorf("%s: %v, want ErrSpaceFull", name, err)
			}
		}
		pass(time.Minute)
		put(t, space, "later", "x") // what has expired makes room
		if got, want := inSpace(t, space), "later=x"; got != want {
			t.Errorf("the space holds %q, want %q", got, want)
		}
	})
}
