package core

import (
	"bytes"
	"context"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxSpacePages bounds what is read of a space at the start: four times what one may hold, since what it held before may come on
// top of what was put while the store failed. What is beyond that comes up at the next start.
const maxSpacePages = 4 * MaxSpaceKeys / storeBatch

// maxStoredVersion bounds the Versions that ours follow. A store that tells a larger one is mistaken.
const maxStoredVersion = 1 << 62

// dirty has the newest of a key written.
func (s *Space) dirty(key string) {
	if w := s.n.store; w.store != nil {
		s.unsaved[key] = true
		w.rouse()
	}
}

// take returns up to limit changes that are to be written. They stay unsaved until wrote says otherwise.
func (s *Space) take(limit int) (batch []change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.unsaved {
		if len(batch) == limit {
			break
		}
		stored := append(bytes.Clone(s.prefix), key...)
		if e, ok := s.entries[key]; ok {
			batch = append(batch, change{Entry: Entry{Key: stored, Value: encodeStoredSpace(e.Value), Version: e.version, Expires: e.Expires}})
		} else {
			batch = append(batch, change{Entry: Entry{Key: stored, Version: s.gone[key]}, deleted: true})
		}
	}
	return batch
}

// wrote notes that changes were written. What has changed again meanwhile stays unsaved.
func (s *Space) wrote(batch []change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range batch {
		key := string(c.Key[len(s.prefix):])
		e, ok := s.entries[key]
		version, deleted := s.gone[key]
		if ok {
			version = e.version
		}
		if version != c.Version {
			continue
		}
		delete(s.unsaved, key)
		if deleted && s.isRead() {
			delete(s.gone, key)
		}
	}
}

// waiting returns the number of changes that are to be written.
func (s *Space) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.unsaved)
}

// load returns what reads the space from the store. When that fails it goes on where it was. In the end it deletes in the store
// what was not taken over, so that it does not come back.
func (s *Space) load() func() error {
	w := s.n.store
	var after []byte
	var left []Entry // to be deleted
	pages := 0
	return func() error {
		for ; pages < maxSpacePages; pages++ {
			page, more, err := w.page(s.prefix, after, storeBatch)
			if err != nil {
				return err
			}
			w.n.turn(func(now time.Time) { left = append(left, s.restore(now, page)...) })
			if !more {
				break
			}
			after = page[len(page)-1].Key
		}
		pages = maxSpacePages
		s.opened()
		for len(left) > 0 {
			batch := left[:min(len(left), storeBatch)]
			if err := w.call(w.n.closing, func(ctx context.Context) error { return w.store.Delete(ctx, batch) }); err != nil {
				return err
			}
			left = left[len(batch):]
		}
		return nil
	}
}

// opened notes that the store was read: deletions need not be remembered any longer than until they are written.
func (s *Space) opened() {
	s.n.turn(func(time.Time) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.isRead() {
			return
		}
		for key := range s.gone {
			if !s.unsaved[key] {
				delete(s.gone, key)
			}
		}
		close(s.read)
	})
}

// restore takes over what the store remembers, except what changed since and what finds no room. It returns what the store is
// to forget; a deletion names the Version that was read, so it cannot hit anything newer.
func (s *Space) restore(now time.Time, page []Entry) (left []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range page {
		key := string(e.Key[len(s.prefix):])
		forget := e.Version >= maxStoredVersion
		if !forget {
			s.n.store.clock = max(s.n.store.clock, e.Version)
		}
		held, there := s.entries[key]
		_, deleted := s.gone[key]
		switch {
		case there && e.Version > held.version: // ours is newer, but a clock that was set back gave it a lower Version
			held.version = s.n.store.version(now)
			s.entries[key] = held
			s.dirty(key)
		case there:
			forget = false
		case deleted || !s.admit(now, e):
			forget = true
		}
		if forget {
			left = append(left, Entry{Key: e.Key, Version: e.Version})
		}
	}
	return left
}

// admit takes an entry of the store over, if it is one that a space may have and there is room.
func (s *Space) admit(now time.Time, e Entry) bool {
	key := e.Key[len(s.prefix):]
	value, ok := decodeStoredSpace(e.Value)
	entry := SpaceEntry{Key: bytes.Clone(key), Value: bytes.Clone(value), Expires: e.Expires}
	if !ok || len(key) == 0 || len(key) > MaxSpaceKey || len(value) > MaxSpaceValue || entry.expired(now) || s.fits(now, []SpaceEntry{entry}) != nil {
		return false
	}
	if e.Version < maxStoredVersion {
		s.set(heldEntry{entry, e.Version})
		return true
	}
	s.set(heldEntry{entry, s.n.store.version(now)})
	s.dirty(string(key))
	return true
}

// storedSpaceValue is the field of a value of a space: a message, so that something may be added to it.
const storedSpaceValue = 1

func encodeStoredSpace(value []byte) []byte { return appendBytes(nil, storedSpaceValue, value) }

func decodeStoredSpace(b []byte) (value []byte, ok bool) {
	ok = eachField(b, func(field protowire.Number, data []byte, _ uint64) {
		if field == storedSpaceValue {
			value = data
		}
	})
	return value, ok
}
