package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/discv5/host/sdk"
	"github.com/redis/go-redis/v9"
)

const (
	// maxChanges is how many batches of changes the stream keeps, about: what a watch may fall behind. A batch has changeKeys keys at
	// most, so that what it costs the server is bounded: 20 MB with keys as hosts have them.
	maxChanges = 4096
	changeKeys = 64
	// scanChunk is how many entries one command of a scan reads.
	scanChunk = 256
)

// store is a shared store. It is safe for concurrent use.
type store struct {
	client redis.UniversalClient
	keys   keys
	self   string                            // our name in the stream of changes
	strict bool                              // a server that may lose what it acknowledged is not used
	warn   func(message string, args ...any) // as a logger does

	mu      sync.Mutex // a leaf
	refused error      // the server has another layout, or is not known to have ours
	writing error      // of the last write
	foreign bool       // something was found that is no entry, and told
}

// keys are the keys in the server.
type keys struct{ schema, index, changes, sweeping, entry string }

func keysOf(prefix string) keys {
	tag := "{" + prefix + "}:"
	return keys{tag + "schema", tag + "index", tag + "changes", tag + "sweeping", tag + "e:"}
}

func (k keys) of(key []byte) string { return k.entry + string(key) }

// Put stores entries with one script.
func (s *store) Put(ctx context.Context, entries []sdk.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	names := []string{s.keys.index, s.keys.changes}
	args := []any{s.self, len(s.keys.entry), maxChanges, changeKeys}
	for _, e := range entries {
		names = append(names, s.keys.of(e.Key))
		args = append(args, encode(e))
	}
	return s.write(ctx, "put", putScript, names, args)
}

// Delete removes entries with one script.
func (s *store) Delete(ctx context.Context, entries []sdk.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	names, args := []string{s.keys.index}, []any{len(s.keys.entry)}
	for _, e := range entries {
		names = append(names, s.keys.of(e.Key))
		args = append(args, binary.BigEndian.AppendUint64(nil, e.Version))
	}
	return s.write(ctx, "delete", deleteScript, names, args)
}

// write runs a script that changes entries, and remembers how it went.
func (s *store) write(ctx context.Context, what string, script *redis.Script, names []string, args []any) error {
	err := s.usable(ctx)
	if err == nil {
		err = script.Run(ctx, s.client, names, args...).Err()
	}
	if err != nil {
		err = fmt.Errorf("redis: %s: %w", what, err)
	}
	if err == nil || ctx.Err() == nil {
		s.mu.Lock()
		s.writing = err
		s.mu.Unlock()
	}
	return err
}

// Get reads keys.
func (s *store) Get(ctx context.Context, keys [][]byte) (found []sdk.Entry, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, fmt.Errorf("redis: get: %w", err)
	}
	for len(keys) > 0 {
		chunk := keys[:min(len(keys), scanChunk)]
		keys = keys[len(chunk):]
		entries, _, err := s.read(ctx, chunk)
		if err != nil {
			return nil, fmt.Errorf("redis: get: %w", err)
		}
		found = append(found, entries...)
	}
	return found, nil
}

// read reads the entries of keys, and tells which do not exist.
func (s *store) read(ctx context.Context, keys [][]byte) (found []sdk.Entry, gone []string, err error) {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = s.keys.of(key)
	}
	values, err := s.client.MGet(ctx, names...).Result()
	if err != nil {
		return nil, nil, err
	}
	for i, v := range values {
		text, ok := v.(string)
		if !ok {
			gone = append(gone, names[i])
			continue
		}
		if e, ok := decode(keys[i], text); ok {
			found = append(found, e)
		} else {
			s.stumble(names[i])
		}
	}
	return found, gone, nil
}

// stumble tells, once, of something that is no entry. It counts as absent and does not stand in the way of what is there.
func (s *store) stumble(name string) {
	s.mu.Lock()
	first := !s.foreign
	s.foreign = true
	s.mu.Unlock()
	if first {
		s.warn("something that is no entry is stored under the prefix, does somebody else use it?", "key", fmt.Sprintf("%q", name))
	}
}

// Scan reads the index, and what it names. Keys that have expired go from the index on the way.
func (s *store) Scan(ctx context.Context, prefix, after []byte, limit int) (found []sdk.Entry, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, fmt.Errorf("redis: scan: %w", err)
	}
	size := 0
	for len(found) < limit && size < sdk.MaxBatch {
		chunk, err := s.indexed(ctx, prefix, after, min(limit-len(found), scanChunk))
		if err != nil {
			return nil, fmt.Errorf("redis: scan: %w", err)
		}
		if len(chunk) == 0 {
			break
		}
		after = chunk[len(chunk)-1]
		entries, gone, err := s.read(ctx, chunk)
		if err == nil && len(gone) > 0 {
			err = s.forget(ctx, gone)
		}
		if err != nil {
			return nil, fmt.Errorf("redis: scan: %w", err)
		}
		for _, e := range entries {
			size += len(e.Key) + len(e.Value)
		}
		found = append(found, entries...)
	}
	return found, nil
}

// indexed reads keys from the index.
func (s *store) indexed(ctx context.Context, prefix, after []byte, limit int) ([][]byte, error) {
	low, high := bounds(prefix, after)
	members, err := s.client.ZRangeByLex(ctx, s.keys.index, &redis.ZRangeBy{Min: low, Max: high, Count: int64(limit)}).Result()
	keys := make([][]byte, len(members))
	for i, m := range members {
		keys[i] = []byte(m)
	}
	return keys, err
}

// forget removes keys from the index whose entries have expired.
func (s *store) forget(ctx context.Context, gone []string) error {
	return forgetScript.Run(ctx, s.client, append([]string{s.keys.index}, gone...), len(s.keys.entry)).Err()
}
