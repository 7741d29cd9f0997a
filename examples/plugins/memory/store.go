package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
)

var errFull = errors.New("the store has max_entries entries")

// store keeps entries in the order of their keys.
type store struct {
	config *config
	now    func() time.Time

	mu      sync.Mutex
	entries []sdk.Entry
}

// find returns the place of a key and whether it is there.
func (s *store) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(s.entries, key, func(e sdk.Entry, key []byte) int { return bytes.Compare(e.Key, key) })
}

func expired(e sdk.Entry, now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

// Put stores entries. When there is no room for a new one, what has expired makes it.
func (s *store) Put(_ context.Context, entries []sdk.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, e := range entries {
		i, there := s.find(e.Key)
		switch {
		case there && (expired(s.entries[i], now) || s.entries[i].Version <= e.Version):
			s.entries[i] = e
		case there:
			// It has a newer version.
		case len(s.entries) < s.config.MaxEntries:
			s.entries = slices.Insert(s.entries, i, e)
		default:
			s.entries = slices.DeleteFunc(s.entries, func(e sdk.Entry) bool { return expired(e, now) })
			if len(s.entries) >= s.config.MaxEntries {
				return errFull
			}
			i, _ = s.find(e.Key)
			s.entries = slices.Insert(s.entries, i, e)
		}
	}
	return nil
}

// Get returns those that exist.
func (s *store) Get(_ context.Context, keys [][]byte) (found []sdk.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, key := range keys {
		if i, there := s.find(key); there && !expired(s.entries[i], now) {
			found = append(found, s.entries[i])
		}
	}
	return found, nil
}

// Scan returns entries in order.
func (s *store) Scan(_ context.Context, prefix, after []byte, limit int) (found []sdk.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	from := prefix
	if bytes.Compare(after, prefix) > 0 {
		from = after
	}
	begin, _ := s.find(from)
	for _, e := range s.entries[begin:] {
		if !bytes.HasPrefix(e.Key, prefix) || len(found) == limit {
			break
		}
		if !expired(e, now) && (len(after) == 0 || !bytes.Equal(e.Key, after)) {
			found = append(found, e)
		}
	}
	return found, nil
}

// Delete removes entries.
func (s *store) Delete(_ context.Context, entries []sdk.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if i, there := s.find(e.Key); there && s.entries[i].Version <= e.Version {
			s.entries = slices.Delete(s.entries, i, i+1)
		}
	}
	return nil
}
