package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of the Store service, as store.proto has them.
const (
	maxStoreEntries = 1024
	maxStoreBatch   = 1 << 20 // bytes of keys and values
	maxStoreKey     = 512
	maxStoreValue   = 64 << 10
)

// storeDeadline bounds a call whose context has no deadline.
const storeDeadline = 5 * time.Second

// Store makes calls to one incarnation of a store plugin. It is a core.Store; it starts nothing and needs no end. What the
// plugin returns is checked: entries within bounds, asked for, and in order. Errors are ErrFailed, with ErrInvalid for an
// answer that breaks the contract.
type Store struct{ client pluginpb.StoreClient }

// NewStore returns the store behind a connection to a configured plugin.
func NewStore(conn grpc.ClientConnInterface) *Store {
	return &Store{pluginpb.NewStoreClient(conn)}
}

// Put stores entries, in as many calls as their size takes. When one fails, those before it are stored.
func (s *Store) Put(ctx context.Context, entries []core.Entry) error {
	return inBatches(entries, func(batch []*pluginpb.Entry) error {
		return s.call(ctx, "store: put", func(ctx context.Context) error {
			_, err := s.client.Put(ctx, &pluginpb.PutRequest{Entries: batch})
			return err
		})
	})
}

// Delete removes entries, as Put stores them.
func (s *Store) Delete(ctx context.Context, entries []core.Entry) error {
	keys := make([]core.Entry, len(entries))
	for i, e := range entries {
		keys[i] = core.Entry{Key: e.Key, Version: e.Version}
	}
	return inBatches(keys, func(batch []*pluginpb.Entry) error {
		return s.call(ctx, "store: delete", func(ctx context.Context) error {
			_, err := s.client.Delete(ctx, &pluginpb.DeleteRequest{Entries: batch})
			return err
		})
	})
}

// Get returns the entries that exist, in the order of keys.
func (s *Store) Get(ctx context.Context, keys [][]byte) (all []core.Entry, err error) {
	for len(keys) > 0 {
		n := min(len(keys), maxStoreEntries)
		if all, err = s.get(ctx, all, keys[:n]); err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return all, nil
}

// get asks for some keys; when the answer is too large for a message, for half of them at a time.
func (s *Store) get(ctx context.Context, all []core.Entry, keys [][]byte) ([]core.Entry, error) {
	for _, k := range keys {
		if len(k) == 0 || len(k) > maxStoreKey {
			return nil, fmt.Errorf("link: store: get: a key of %d bytes, and 1 to %d are allowed", len(k), maxStoreKey)
		}
	}
	var answer *pluginpb.Entries
	err := s.call(ctx, "store: get", func(ctx context.Context) (err error) {
		answer, err = s.client.Get(ctx, &pluginpb.GetRequest{Keys: keys})
		return err
	})
	if len(keys) > 1 && errors.Is(err, errTooLarge) {
		half := len(keys) / 2
		if all, err = s.get(ctx, all, keys[:half]); err != nil {
			return nil, err
		}
		return s.get(ctx, all, keys[half:])
	}
	if err != nil {
		return nil, err
	}
	for _, e := range answer.Entries {
		entry, err := checkedEntry(e)
		if err != nil {
			return nil, invalid("store: get", err)
		}
		for len(keys) > 0 && !bytes.Equal(keys[0], entry.Key) {
			keys = keys[1:]
		}
		if len(keys) == 0 {
			return nil, invalid("store: get", errors.New("a key that was not asked for, or out of order"))
		}
		keys = keys[1:]
		all = append(all, entry)
	}
	return all, nil
}

// Scan returns up to limit entries, in as many calls as it takes.
func (s *Store) Scan(ctx context.Context, prefix, after []byte, limit int) (all []core.Entry, err error) {
	for len(all) < limit {
		want := min(limit-len(all), maxStoreEntries)
		var answer *pluginpb.Entries
		err := s.call(ctx, "store: scan", func(ctx context.Context) (err error) {
			answer, err = s.client.Scan(ctx, &pluginpb.ScanRequest{Prefix: prefix, After: after, Limit: uint32(want)})
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(answer.Entries) > want {
			return nil, invalid("store: scan", fmt.Errorf("%d entries, asked were %d", len(answer.Entries), want))
		}
		size := 0
		for _, e := range answer.Entries {
			entry, err := checkedEntry(e)
			if err != nil {
				return nil, invalid("store: scan", err)
			}
			if !bytes.HasPrefix(entry.Key, prefix) || bytes.Compare(entry.Key, after) <= 0 {
				return nil, invalid("store: scan", errors.New("a key that was not asked for, or out of order"))
			}
			after = entry.Key
			size += len(entry.Key) + len(entry.Value)
			all = append(all, entry)
		}
		if len(answer.Entries) < want && (len(answer.Entries) == 0 || size+maxStoreKey+maxStoreValue < maxStoreBatch) {
			break // the end; another entry would have fitted
		}
	}
	return all, nil
}

// Watch calls changed with what others change under a prefix, until ctx ends or the plugin does. A change that breaks the
// bounds ends it.
func (s *Store) Watch(ctx context.Context, prefix []byte, changed func([]core.Entry)) error {
	stream, err := s.client.Watch(ctx, &pluginpb.WatchRequest{Prefix: prefix})
	for err == nil {
		var m *pluginpb.Entries
		if m, err = stream.Recv(); err != nil {
			break
		}
		entries := make([]core.Entry, 0, len(m.Entries))
		for _, e := range m.Entries {
			entry, err := checkedEntry(e)
			if err != nil || !bytes.HasPrefix(entry.Key, prefix) {
				return invalid("store: watch", errors.New("a change that was not asked for"))
			}
			entries = append(entries, entry)
		}
		if len(entries) > 0 {
			changed(entries)
		}
	}
	return controlError("store: watch", err)
}

// errTooLarge says that a message would exceed the bound of a message.
var errTooLarge = errors.New("too large for a message")

// call makes one call within the deadline of ctx, or storeDeadline.
func (s *Store) call(ctx context.Context, op string, f func(context.Context) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, storeDeadline)
		defer cancel()
	}
	err := f(ctx)
	if status.Code(err) == codes.ResourceExhausted {
		return &LinkError{Op: op, Err: errTooLarge}
	}
	if err = controlError(op, err); errors.Is(err, ErrRefused) {
		return &LinkError{Op: op, Err: err} // of one batch, not of the plugin
	}
	return err
}

func invalid(op string, err error) error {
	return &LinkError{Op: op, Err: fmt.Errorf("%w: %w", ErrInvalid, err)}
}

// inBatches calls f for parts of entries that are within the bounds of a batch.
func inBatches(entries []core.Entry, f func([]*pluginpb.Entry) error) error {
	for len(entries) > 0 {
		var batch []*pluginpb.Entry
		size := 0
		for _, e := range entries[:min(len(entries), maxStoreEntries)] {
			if len(e.Key) == 0 || len(e.Key) > maxStoreKey || len(e.Value) > maxStoreValue {
				return fmt.Errorf("link: store: an entry with %d bytes of key and %d of value", len(e.Key), len(e.Value))
			}
			if size += len(e.Key) + len(e.Value); size > maxStoreBatch {
				break
			}
			p := &pluginpb.Entry{Key: e.Key, Value: e.Value, Version: e.Version}
			if !e.Expires.IsZero() {
				p.ExpiresMs = uint64(max(e.Expires.UnixMilli(), 1))
			}
			batch = append(batch, p)
		}
		if err := f(batch); err != nil {
			return err
		}
		entries = entries[len(batch):]
	}
	return nil
}

// checkedEntry is an entry as a plugin returned it.
func checkedEntry(e *pluginpb.Entry) (core.Entry, error) {
	if len(e.GetKey()) == 0 || len(e.Key) > maxStoreKey || len(e.Value) > maxStoreValue {
		return core.Entry{}, fmt.Errorf("an entry with %d bytes of key and %d of value", len(e.GetKey()), len(e.GetValue()))
	}
	return core.Entry{Key: e.Key, Value: e.Value, Version: e.Version, Expires: unixMilli(e.ExpiresMs)}, nil
}

// maxUnixMilli is as far as an expiry goes: the year 9999.
const maxUnixMilli = 253_402_300_799_000

func unixMilli(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(min(ms, maxUnixMilli)))
}
