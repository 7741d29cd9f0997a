package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
	"go.etcd.io/bbolt"
)

// Names of the buckets.
var (
	metaBucket    = []byte("meta")
	entriesBucket = []byte("entries")
	expiryBucket  = []byte("expiry")
)

var (
	errDamaged = errors.New("the file is damaged")
	errClosed  = errors.New("the store is closed")
	errFull    = errors.New("the file has reached max_size_mb")
)

// fullPages is how many pages must be free in a file of the largest size for a put: more than a batch needs.
const fullPages = 2048

// store is an open file. It is safe for concurrent use.
type store struct {
	now     func() time.Time
	maxSize int64 // as in options

	mu      sync.Mutex // a leaf: it is never held during a transaction
	db      *bbolt.DB  // nil: closed
	damaged error      // met while in use
	writing error      // of the last write
}

// Put stores entries in one transaction.
func (s *store) Put(ctx context.Context, entries []sdk.Entry) error {
	return s.write(ctx, func(tx *bbolt.Tx) error {
		live, expiry := tx.Bucket(entriesBucket), tx.Bucket(expiryBucket)
		if stats := tx.DB().Stats(); s.maxSize > 0 && tx.Size() >= s.maxSize && stats.FreePageN+stats.PendingPageN < fullPages {
			return errFull // removing is possible always, or it would stay full for ever
		}
		now := s.now()
		for _, e := range entries {
			next := stored{e.Version, millis(e.Expires), e.Value}
			old, found, err := lookUp(live, e.Key)
			if err != nil {
				return err
			}
			if found {
				if !old.expired(now) && old.version > next.version {
					continue
				}
				if old.version == next.version && old.expires == next.expires && bytes.Equal(old.value, next.value) {
					continue
				}
			}
			if err := put(live, expiry, e.Key, next, old, found); err != nil {
				return err
			}
		}
		return nil
	})
}

// Get reads keys in one transaction.
func (s *store) Get(ctx context.Context, keys [][]byte) (found []sdk.Entry, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		live, now := tx.Bucket(entriesBucket), s.now()
		for _, key := range keys {
			old, ok, err := lookUp(live, key)
			if err != nil {
				return err
			}
			if ok && !old.expired(now) {
				found = append(found, old.entry(key))
			}
		}
		return nil
	})
	return found, err
}

// Scan reads in the order of keys, which is bbolt's own.
func (s *store) Scan(ctx context.Context, prefix, after []byte, limit int) (found []sdk.Entry, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		c, now, size := tx.Bucket(entriesBucket).Cursor(), s.now(), 0
		from := prefix
		if bytes.Compare(after, prefix) > 0 {
			from = after
		}
		for key, b := c.Seek(from); key != nil && bytes.HasPrefix(key, prefix) && len(found) < limit; key, b = c.Next() {
			if len(after) > 0 && bytes.Equal(key, after) {
				continue
			}
			e, err := parseStored(key, b)
			if err != nil {
				return fmt.Errorf("%w: %q: %w", errDamaged, key, err)
			}
			if e.expired(now) {
				continue
			}
			if size += len(key) + len(e.value); size > sdk.MaxBatch && len(found) > 0 {
				return nil
			}
			found = append(found, e.entry(key))
		}
		return nil
	})
	return found, err
}

// Delete removes entries in one transaction.
func (s *store) Delete(ctx context.Context, entries []sdk.Entry) error {
	return s.write(ctx, func(tx *bbolt.Tx) error {
		live, expiry := tx.Bucket(entriesBucket), tx.Bucket(expiryBucket)
		for _, e := range entries {
			old, found, err := lookUp(live, e.Key)
			if err != nil {
				return err
			}
			if !found || old.version > e.Version {
				continue
			}
			if err := remove(live, expiry, e.Key, old); err != nil {
				return err
			}
		}
		return nil
	})
}

func lookUp(live *bbolt.Bucket, key []byte) (stored, bool, error) {
	b := live.Get(key)
	if b == nil {
		return stored{}, false, nil
	}
	old, err := parseStored(key, b)
	if err != nil {
		return stored{}, false, fmt.Errorf("%w: %q: %w", errDamaged, key, err)
	}
	return old, true, nil
}

func put(live, expiry *bbolt.Bucket, key []byte, next, old stored, replaces bool) error {
	if replaces && old.expires != 0 && old.expires != next.expires {
		if err := expiry.Delete(expiryKey(old.expires, key)); err != nil {
			return err
		}
	}
	if next.expires != 0 {
		if err := expiry.Put(expiryKey(next.expires, key), nil); err != nil {
			return err
		}
	}
	return live.Put(key, next.append(make([]byte, 0, headerSize+len(next.value)), key))
}

func remove(live, expiry *bbolt.Bucket, key []byte, old stored) error {
	if old.expires != 0 {
		if err := expiry.Delete(expiryKey(old.expires, key)); err != nil {
			return err
		}
	}
	return live.Delete(key)
}

// write runs a transaction that changes the file and remembers how it went.
func (s *store) write(ctx context.Context, change func(*bbolt.Tx) error) error {
	err := s.do(ctx, func(db *bbolt.DB) error { return db.Update(change) })
	if ctx.Err() == nil || err == nil {
		s.mu.Lock()
		s.writing = err
		s.mu.Unlock()
	}
	return err
}

func (s *store) read(ctx context.Context, look func(*bbolt.Tx) error) error {
	return s.do(ctx, func(db *bbolt.DB) error { return db.View(look) })
}

func (s *store) do(ctx context.Context, run func(*bbolt.DB) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	db, damaged := s.db, s.damaged
	s.mu.Unlock()
	if db == nil {
		return errClosed
	}
	if damaged != nil {
		return damaged
	}
	err := guard(func() error { return run(db) })
	if errors.Is(err, errDamaged) {
		s.mu.Lock()
		s.damaged = err
		s.mu.Unlock()
	}
	return err
}

// guard turns what bbolt does when it meets a damaged page into an error: it panics, or reads outside of the file.
func guard(run func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	return run()
}

// health says whether the store works.
func (s *store) health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.damaged != nil:
		return s.damaged
	case s.writing != nil:
		return sdk.Degraded(fmt.Errorf("the last write failed: %w", s.writing))
	}
	return nil
}

// close closes the file after the transactions under way. A damaged one is left to the end of the process: bbolt may hold its locks
// for ever after a panic.
func (s *store) close() error {
	s.mu.Lock()
	db, damaged := s.db, s.damaged
	s.db = nil
	s.mu.Unlock()
	if db == nil || damaged != nil {
		return damaged
	}
	return guard(db.Close)
}
