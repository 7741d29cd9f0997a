package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Bounds of a Space.
const (
	MaxSpaceKey   = 256      // bytes of a key
	MaxSpaceValue = 32 << 10 // bytes of a value
	MaxSpaceKeys  = 16_384   // keys of a space
	MaxSpaceSize  = 4 << 20  // bytes of keys and values of a space
	maxSpaceScan  = 256      // entries of one Scan
	maxSpaces     = 256      // spaces of a node
)

// ErrSpaceFull says that entries would exceed the bounds of a space.
var ErrSpaceFull = errors.New("core: space is full")

// ErrSpaceUnread says that the store has not yet told what a space holds, because it fails.
var ErrSpaceUnread = errors.New("core: the store has not been read yet")

// Space is a small key-value space that outlives a restart when the node has a store: for what an extension has to remember.
// Memory is authoritative, as it is for nodes and bans: changes hold at once and are written behind. Safe for concurrent use.
type Space struct {
	n      *Node
	prefix []byte
	read   chan struct{} // closed when what the store remembers was taken over

	mu      sync.Mutex // a leaf; changes are made in a turn as well, so that they are saved in their order
	entries map[string]SpaceEntry
	gone    map[string]bool // deleted before the store was read
	size    int
}

// SpaceEntry is an entry of a Space.
type SpaceEntry struct {
	Key, Value []byte
	Expires    time.Time // zero: never
}

// Space returns the space of a name, of which every extension has its own: 1 to 64 of a-z, 0-9, _, - and /.
func (n *Node) Space(name string) (space *Space, err error) {
	if len(name) == 0 || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != "" {
		return nil, fmt.Errorf("core: %q is no name for a space: 1 to 64 of a-z, 0-9, _, - and dots are", name)
	}
	open := n.turn(func(time.Time) {
		if space = n.spaces[name]; space != nil {
			return
		}
		if len(n.spaces) >= maxSpaces {
			err = fmt.Errorf("%w: %d spaces are the most of a node", ErrSpaceFull, maxSpaces)
			return
		}
		space = &Space{
			n: n, prefix: []byte(hostPrefix + n.self.String() + "/space/" + name + "/"), read: make(chan struct{}),
			entries: make(map[string]SpaceEntry), gone: make(map[string]bool),
		}
		n.spaces[name] = space
		if n.store.store == nil {
			close(space.read)
			return
		}
		n.store.load(func() error { return n.store.loadSpace(space) })
	})
	if !open {
		return nil, ErrClosed
	}
	return space, err
}

// Put stores entries, all or none. ErrSpaceFull says that they would exceed a bound.
func (s *Space) Put(entries []SpaceEntry) error {
	for _, e := range entries {
		if len(e.Key) == 0 || len(e.Key) > MaxSpaceKey {
			return fmt.Errorf("%w: a key has 1 to %d bytes, not %d", ErrSpaceFull, MaxSpaceKey, len(e.Key))
		}
		if len(e.Value) > MaxSpaceValue {
			return fmt.Errorf("%w: a value of %d bytes, and %d are the most", ErrSpaceFull, len(e.Value), MaxSpaceValue)
		}
	}
	return s.change(func(now time.Time) error {
		if err := s.fits(now, entries); err != nil {
			return err
		}
		for _, e := range entries {
			e.Key, e.Value = bytes.Clone(e.Key), bytes.Clone(e.Value)
			s.set(e)
			s.saveEntry(now, e)
		}
		return nil
	})
}

// Delete removes keys; those that are not there are fine.
func (s *Space) Delete(keys [][]byte) error {
	return s.change(func(now time.Time) error {
		for _, key := range keys {
			if len(key) == 0 || len(key) > MaxSpaceKey {
				continue
			}
			_, there := s.entries[string(key)]
			s.remove(string(key))
			if !s.isRead() && len(s.gone) < MaxSpaceKeys {
				s.gone[string(key)] = true
				there = true
			}
			if there {
				s.saveGone(now, key)
			}
		}
		return nil
	})
}

// Get returns the entries that exist, in the order of keys. It waits until the store was read once; ErrSpaceUnread says that
// ctx ended before.
func (s *Space) Get(ctx context.Context, keys [][]byte) (found []SpaceEntry, err error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if e, ok := s.entries[string(key)]; ok && !e.expired(now) {
			found = append(found, e)
		}
	}
	return found, nil
}

// Scan returns up to limit entries, 256 at most, in the order of their keys: of those that begin with prefix and come behind after.
// It waits as Get does.
func (s *Space) Scan(ctx context.Context, prefix, after []byte, limit int) (found []SpaceEntry, err error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	s.mu.Lock()
	for key, e := range s.entries {
		if strings.HasPrefix(key, string(prefix)) && key > string(after) && !e.expired(now) {
			found = append(found, e)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b SpaceEntry) int { return bytes.Compare(a.Key, b.Key) })
	return found[:min(len(found), max(limit, 0), maxSpaceScan)], nil
}

// Size returns the number of keys, and of bytes in keys and values.
func (s *Space) Size() (keys, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries), s.size
}

func (e SpaceEntry) expired(now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

func (s *Space) storeKey(key []byte) []byte { return append(bytes.Clone(s.prefix), key...) }

func (s *Space) isRead() bool {
	select {
	case <-s.read:
		return true
	default:
		return false
	}
}

func (s *Space) await(ctx context.Context) error {
	select {
	case <-s.read:
		return nil
	case <-s.n.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrSpaceUnread, ctx.Err())
	}
}

// change runs f in a turn, with the entries locked.
func (s *Space) change(f func(now time.Time) error) (err error) {
	open := s.n.turn(func(now time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		err = f(now)
	})
	if !open {
		return ErrClosed
	}
	return err
}

// fits says whether entries may come in. What has expired makes room first.
func (s *Space) fits(now time.Time, entries []SpaceEntry) error {
	over := func() error {
		keys, size := len(s.entries), s.size
		seen := make(map[string]int, len(entries))
		for _, e := range entries {
			was, again := seen[string(e.Key)]
			if !again {
				old, known := s.entries[string(e.Key)]
				if known {
					was = len(old.Key) + len(old.Value)
				} else {
					keys++
				}
			}
			seen[string(e.Key)] = len(e.Key) + len(e.Value)
			size += len(e.Key) + len(e.Value) - was
		}
		switch {
		case keys > MaxSpaceKeys:
			return fmt.Errorf("%w: %d keys are the most", ErrSpaceFull, MaxSpaceKeys)
		case size > MaxSpaceSize:
			return fmt.Errorf("%w: %d bytes are the most", ErrSpaceFull, MaxSpaceSize)
		}
		return nil
	}
	if over() == nil {
		return nil
	}
	for key, e := range s.entries {
		if e.expired(now) {
			s.remove(key)
		}
	}
	return over()
}

func (s *Space) set(e SpaceEntry) {
	s.remove(string(e.Key))
	delete(s.gone, string(e.Key))
	s.entries[string(e.Key)] = e
	s.size += len(e.Key) + len(e.Value)
}

func (s *Space) remove(key string) {
	if e, ok := s.entries[key]; ok {
		s.size -= len(e.Key) + len(e.Value)
		delete(s.entries, key)
	}
}

func (s *Space) saveEntry(now time.Time, e SpaceEntry) {
	s.save(change{Entry: Entry{
		Key: s.storeKey(e.Key), Value: encodeStoredSpace(e.Value), Version: s.n.store.version(now), Expires: e.Expires,
	}})
}

func (s *Space) saveGone(now time.Time, key []byte) {
	s.save(change{Entry: Entry{Key: s.storeKey(key), Version: s.n.store.version(now)}, deleted: true})
}

func (s *Space) save(c change) {
	if s.n.store.store != nil {
		s.n.store.save(c, 2*maxUnsaved)
	}
}

// restore takes over what the store remembers, except what changed since.
func (s *Space) restore(now time.Time, page []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range page {
		if e.Version < 1<<62 {
			s.n.store.clock = max(s.n.store.clock, e.Version)
		}
		key := e.Key[len(s.prefix):]
		value, ok := decodeStoredSpace(e.Value)
		if newer, changed := s.entries[string(key)]; changed { // a clock set back may have given it a lower version
			s.saveEntry(now, newer)
			continue
		}
		if s.gone[string(key)] {
			s.saveGone(now, key)
			continue
		}
		if !ok || e.expired(now) {
			continue
		}
		entry := SpaceEntry{Key: bytes.Clone(key), Value: bytes.Clone(value), Expires: e.Expires}
		if len(key) > 0 && len(key) <= MaxSpaceKey && len(value) <= MaxSpaceValue && s.fits(now, []SpaceEntry{entry}) == nil {
			s.set(entry)
		}
	}
}

// loadSpace reads what the store remembers of a space.
func (w *storeWriter) loadSpace(s *Space) error {
	var after []byte
	for range MaxSpaceKeys/storeBatch + 1 {
		page, more, err := w.page(s.prefix, after, storeBatch)
		if err != nil {
			return err
		}
		w.n.turn(func(now time.Time) { s.restore(now, page) })
		if !more {
			break
		}
		after = page[len(page)-1].Key
	}
	w.n.turn(func(time.Time) {
		s.mu.Lock()
		clear(s.gone)
		s.mu.Unlock()
		close(s.read)
	})
	return nil
}

// storedSpaceValue is the field of a value of a space: a message, so that something may be added to it.
const storedSpaceValue = 1

func encodeStoredSpace(value []byte) []byte { return appendBytes(nil, storedSpaceValue, value) }

func decodeStoredSpace(b []byte) (value []byte, ok bool) {
	ok = fields(b, func(field protowire.Number, data []byte, _ uint64) {
		if field == storedSpaceValue {
			value = data
		}
	})
	return value, ok
}
