package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/discv5/host/sdk"
)

const (
	// sweepPause is how often expired keys are removed from the index, by one of the hosts.
	sweepPause = 10 * time.Minute
	// sweepBatch is how many keys are looked at with one command.
	sweepBatch = 512
)

// sweeper sweeps from time to time, until ctx ends.
func (s *store) sweeper(ctx context.Context, host *sdk.Host) {
	removed := host.Counter("redis_expired_total", "Keys that were removed from the index because their entries had expired.")
	for {
		timer := time.NewTimer(sweepPause/2 + rand.N(sweepPause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		mine, err := s.client.SetNX(ctx, s.keys.sweeping, s.self, sweepPause).Result()
		if err != nil || !mine {
			continue
		}
		n, err := s.sweep(ctx)
		removed.Add(float64(n))
		if err != nil && ctx.Err() == nil {
			host.Log().Warn("expired keys stay in the index", "err", err)
		}
	}
}

// sweep removes all keys from the index whose entries have expired.
func (s *store) sweep(ctx context.Context) (removed int, err error) {
	var after []byte
	for ctx.Err() == nil {
		keys, err := s.indexed(ctx, nil, after, sweepBatch)
		if err != nil || len(keys) == 0 {
			return removed, err
		}
		after = keys[len(keys)-1]
		names := []string{s.keys.index}
		for _, key := range keys {
			names = append(names, s.keys.of(key))
		}
		n, err := forgetScript.Run(ctx, s.client, names, len(s.keys.entry)).Int()
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, ctx.Err()
}
