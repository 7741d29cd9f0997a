package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/discv5/host/sdk"
)

const (
	// expirePause is how often what has expired is removed. Nobody sees it in between.
	expirePause = time.Minute
	// expireBatch is how many rows one statement removes.
	expireBatch = 1000
)

// expirer removes what has expired, from time to time until ctx ends. Each host does so; what one has removed costs the others nothing.
func (s *store) expirer(ctx context.Context, host *sdk.Host) {
	removed := host.Counter("postgres_expired_total", "Rows that were removed because they had expired.")
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(expirePause/2 + rand.N(expirePause)):
		}
		n, err := s.expire(ctx)
		removed.Add(float64(n))
		if err != nil && ctx.Err() == nil {
			host.Log().Debug("expired rows stay in the table", "err", err)
		}
	}
}

// expire removes all that has expired. What others are removing it leaves to them.
func (s *store) expire(ctx context.Context) (removed int64, err error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		var n int64
		err := s.attempts(ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			tag, err := s.pool.Exec(ctx, s.sql(`DELETE FROM SCHEMA.entries WHERE key IN (
	SELECT key FROM SCHEMA.entries WHERE expires <= now() ORDER BY key LIMIT $1 FOR UPDATE SKIP LOCKED)`), expireBatch)
			n = tag.RowsAffected()
			return err
		})
		removed += n
		if err != nil || n < expireBatch {
			return removed, err
		}
	}
	return removed, ctx.Err()
}
