package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/redis/go-redis/v9"
)

const (
	// watchBlock is how long one question for changes waits in the server; a watch ends within it.
	watchBlock = 500 * time.Millisecond
	// watchBatches is how many batches of changes one answer has at most.
	watchBatches = 64
	// watchPause and maxWatchPause are the first and the longest pause between attempts while the server does not answer.
	watchPause    = 50 * time.Millisecond
	maxWatchPause = 5 * time.Second
	// streamStart is the place before all changes.
	streamStart = "0"
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
	pause := watchPause
	for ctx.Err() == nil {
		next, err := s.changes(ctx, prefix, last, changed)
		if err == nil && next == last {
			next, err = s.place(ctx, last)
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			pause = min(2*pause, maxWatchPause)
			continue
		}
		last, pause = next, watchPause
	}
	return nil
}

// newestChange returns the place of the end of the stream.
func (s *store) newestChange(ctx context.Context) (string, error) {
	newest, err := s.client.XRevRangeN(ctx, s.keys.changes, "+", "-", 1).Result()
	if err != nil || len(newest) == 0 {
		return streamStart, err
	}
	return newest[0].ID, nil
}

// place returns where to go on in a stream in which nothing is behind last: at its start, if it ends before last. The server
// has lost changes then, and its clock, which numbers new ones, may be behind what it was.
func (s *store) place(ctx context.Context, last string) (string, error) {
	newest, err := s.newestChange(ctx)
	if err == nil && newest != streamStart && earlier(newest, last) {
		return streamStart, nil
	}
	return last, err
}

// earlier compares places in a stream: milliseconds and a number, with a hyphen between.
func earlier(a, b string) bool {
	number := func(id string) (ms, n uint64) {
		left, right, _ := strings.Cut(id, "-")
		ms, _ = strconv.ParseUint(left, 10, 64) // the server made them
		n, _ = strconv.ParseUint(right, 10, 64)
		return ms, n
	}
	ams, an := number(a)
	bms, bn := number(b)
	return ams < bms || ams == bms && an < bn
}

// changes waits for changes behind a place in the stream, reads the entries under prefix that others changed, and tells of them,
// scanChunk at a time. next is the place of the last one.
func (s *store) changes(ctx context.Context, prefix []byte, last string, changed func([]sdk.Entry)) (next string, err error) {
	streams, err := s.client.XRead(ctx, &redis.XReadArgs{
		Streams: []string{s.keys.changes, last}, Count: watchBatches, Block: watchBlock,
	}).Result()
	if errors.Is(err, redis.Nil) || err == nil && len(streams) == 0 {
		return last, nil
	}
	if err != nil {
		return last, err
	}
	next = last
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
	for chunk := range slices.Chunk(keys, scanChunk) {
		found, _, err := s.read(ctx, chunk)
		if err != nil {
			return last, err
		}
		if len(found) > 0 {
			changed(found)
		}
	}
	return next, nil
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
