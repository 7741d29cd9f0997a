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
)

// Bounds of a Space.
const (
	MaxSpaceKey   = 256      // bytes of a key
	MaxSpaceValue = 32 << 10 // bytes of a value
	MaxSpaceKeys  = 16_384   // keys of a space
	MaxSpaceSize  = 4 << 20  // bytes of keys and values of a space
	maxSpaceScan  = 256      // entries of one Scan
	maxSpaces     = 256      // spaces of a node
	maxSpaceGone  = 16_384   // deletions of a space that the store has not been told yet
)

// ErrSpaceFull says that a change would exceed the bounds of a space.
var ErrSpaceFull = errors.New("core: space is full")

// ErrSpaceUnread says that the store has not yet told what a space holds.
var ErrSpaceUnread = errors.New("core: the store has not been read yet")

// Space is a small key-value space that outlives a restart when the node has a store: for what an extension has to remember.
// Memory is authoritative, as it is for nodes and bans: changes hold at once and are written behind. While the store fails they
// wait, and none is lost unless the node ends first. Safe for concurrent use.
type Space struct {
	n      *Node
	prefix []byte
	read   chan struct{} // closed when what the store remembers was taken over

	mu      sync.Mutex // a leaf; changes are made in a turn as well, for the order of their versions
	entries map[string]heldEntry
	size    int
	ends    endOrder
	unsaved map[string]bool   // keys of which the store does not have the newest: those of an entry, or in gone
	gone    map[string]uint64 // Version of deletions that are unsaved, or were made before the store was read; at most maxSpaceGone
}

// SpaceEntry is an entry of a Space.
type SpaceEntry struct {
	Key, Value []byte
	Expires    time.Time // zero: never
}

// Space returns the space of a name, of which every extension has its own: 1 to 64 of a-z, 0-9, _, - and dots. ErrSpaceFull
// says that the node has 256 others.
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
			entries: make(map[string]heldEntry), unsaved: make(map[string]bool), gone: make(map[string]uint64),
		}
		n.spaces[name] = space
		if n.store.store == nil {
			close(space.read)
			return
		}
		n.store.load(space.load())
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
			s.set(heldEntry{e, s.n.store.version(now)})
			s.dirty(string(e.Key))
		}
		return nil
	})
}

// Delete removes keys, all or none; those that are not there are fine. ErrSpaceFull says that the store has yet to be told of so
// many deletions, 16,384, that no more are taken: it has failed for a while, or is slow.
func (s *Space) Delete(keys [][]byte) error {
	return s.change(func(now time.Time) error {
		news := make(map[string]bool, len(keys))
		for _, key := range keys {
			if _, known := s.gone[string(key)]; !known && len(key) > 0 && len(key) <= MaxSpaceKey {
				news[string(key)] = true
			}
		}
		if s.n.store.store == nil {
			for key := range news {
				s.remove(key)
			}
			return nil
		}
		if len(s.gone)+len(news) > maxSpaceGone {
			return fmt.Errorf("%w: %d deletions wait for the store, and %d are the most", ErrSpaceFull, len(s.gone), maxSpaceGone)
		}
		for key := range news {
			s.remove(key)
			s.gone[key] = s.n.store.version(now)
			s.dirty(key)
		}
		return nil
	})
}

// Get returns the entries that exist, in the order of keys; they are read-only. It waits until the store was read once; ErrSpaceUnread says that
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
			found = append(found, e.SpaceEntry)
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
			found = append(found, e.SpaceEntry)
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

func (s *Space) isRead() bool {
	select {
	case <-s.read:
		return true
	default:
		return false
	}
}

func (s *Space) await(ctx context.Context) error {
	if s.isRead() {
		return nil
	}
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
