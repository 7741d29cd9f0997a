package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/redis/go-redis/v9"
)

const (
	// watchBlock is how long one question for changes waits in the server; a watch ends within it.
	watchBlock = 500 * time.Millisecond
	// watchBatches is how many batches of changes one answer has at most.
	watchBatches = 64
	// maxWatchPause bounds the pause between attempts while the server does not answer.
	maxWatchPause = 5 * time.Second
)

// Watch reads the stream of changes, from its end on, and then the entries that it names. It survives a server that is away for a
// while: the stream keeps its place.
func (s *store) Watch(ctx context.Context, prefix []byte, changed func([]sdk.Entry)) error {
	if err := s.usable(ctx); err != nil {
		return fmt.Errorf("redis: watch: %w", err)
	}
	last, err := s.newestChange(ctx)
	if err != nil {
		return fmt.Errorf("redis: watch: %w", err)
	}
	pause := 50 * time.Millisecond
	for ctx.Err() == nil {
		entries, next, err := s.changes(ctx, prefix, last)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, maxWatchPause)
			continue
		}
		pause = 50 * time.Millisecond
		last = next
		if len(entries) > 0 {
			changed(entries)
		}
	}
	return nil
}

// newestChange returns the place of the end of the stream.
func (s *store) newestChange(ctx context.Context) (string, error) {
	newest, err := s.client.XRevRangeN(ctx, s.keys.changes, "+", "-", 1).Result()
	if err != nil || len(newest) == 0 {
		return "0", err
	}
	return newest[0].ID, nil
}

// changes waits for changes behind a place in the stream and reads the entries under prefix that others changed. next is the place of
// the last one.
func (s *store) changes(ctx context.Context, prefix []byte, last string) (entries []sdk.Entry, next string, err error) {
	streams, err := s.client.XRead(ctx, &redis.XReadArgs{
		Streams: []string{s.keys.changes, last}, Count: watchBatches, Block: watchBlock,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, last, nil
	}
	if err != nil || len(streams) == 0 {
		return nil, last, err
	}
	seen := make(map[string]bool)
	var keys [][]byte
	for _, m := range streams[0].Messages {
		next = m.ID
		if by, _ := m.Values["by"].(string); by == s.self {
			continue
		}
		for _, key := range named(m) {
			if bytes.HasPrefix(key, prefix) && !seen[string(key)] {
				seen[string(key)] = true
				keys = append(keys, key)
			}
		}
	}
	for len(keys) > 0 {
		chunk := keys[:min(len(keys), scanChunk)]
		keys = keys[len(chunk):]
		found, _, err := s.read(ctx, chunk)
		if err != nil {
			return nil, last, err
		}
		entries = append(entries, found...)
	}
	return entries, next, nil
}

// named returns the keys of a batch of changes: each has its length before it, as 4 bytes.
func named(m redis.XMessage) (keys [][]byte) {
	text, _ := m.Values["keys"].(string)
	b := []byte(text)
	for len(b) >= 4 {
		n := int(binary.BigEndian.Uint32(b))
		if b = b[4:]; n == 0 || n > sdk.MaxKey || n > len(b) {
			break // nobody of us wrote that
		}
		keys = append(keys, b[:n])
		b = b[n:]
	}
	return keys
}
