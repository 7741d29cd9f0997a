package bolt

import (
	"context"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// sweepPause is how often what has expired is removed. Nobody sees it in between.
	sweepPause = time.Minute
	// sweepBatch bounds the removals of one transaction, so that a put never waits long.
	sweepBatch = 1024
)

// sweep removes everything that has expired, and returns how many entries it removed.
func (s *store) sweep(ctx context.Context) (removed int, err error) {
	for {
		n := 0
		err := s.write(ctx, func(tx *bbolt.Tx) error {
			n = 0
			return removeExpired(tx, millis(s.now()), &n)
		})
		removed += n
		if err != nil || n < sweepBatch {
			return removed, err
		}
	}
}

func removeExpired(tx *bbolt.Tx, now uint64, n *int) error {
	live, expiry := tx.Bucket(entriesBucket), tx.Bucket(expiryBucket)
	// The cursor must not move while the bucket changes, so the keys are collected first.
	var due [][]byte
	c := expiry.Cursor()
	for key, _ := c.First(); key != nil && len(due) < sweepBatch && len(key) > 8 && binary.BigEndian.Uint64(key) <= now; key, _ = c.Next() {
		due = append(due, append([]byte(nil), key...))
	}
	for _, key := range due {
		old, found, err := lookUp(live, key[8:])
		if err != nil {
			return err
		}
		if found && old.expires == binary.BigEndian.Uint64(key) {
			err = remove(live, expiry, key[8:], old)
		} else {
			err = expiry.Delete(key) // of an entry that is gone
		}
		if err != nil {
			return err
		}
	}
	*n = len(due)
	return nil
}

// due tells whether anything has expired, so that a sweep of nothing writes nothing.
func (s *store) due(ctx context.Context) (yes bool, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket(expiryBucket).Cursor().First()
		yes = len(key) > 8 && binary.BigEndian.Uint64(key) <= millis(s.now())
		return nil
	})
	return yes, err
}

// size returns the size of the file in bytes, 0 if it cannot be told.
func (s *store) size(ctx context.Context) (size int64) {
	_ = s.read(ctx, func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	return size
}
