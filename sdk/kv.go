package sdk

import (
	"context"
	"fmt"
	"time"

	"github.com/discv5/host/sdk/pluginpb"
)

// Bounds of the key-value space of a plugin.
const (
	maxKVEntries = 256
	maxKVKey     = 256
	maxKVValue   = 32 << 10
	maxKVBatch   = 1 << 20
)

// KV is the plugin's own key-value space in the host's store: nobody else sees it, and it survives as the store does. A batch
// has at most 256 entries and 1 MiB. Errors: ErrTooLarge, ErrInvalid, ErrUnavailable. Grant: kv.
type KV struct{ h *Host }

// KVEntry is a key with its value.
type KVEntry struct {
	Key     []byte    // 1 to 256 bytes
	Value   []byte    // at most 32 KiB
	Expires time.Time // gone from then on, to the millisecond; zero: never
}

// KV returns the plugin's key-value space.
func (h *Host) KV() *KV { return &KV{h} }

// Put stores entries, which must not change until it returns.
func (kv *KV) Put(ctx context.Context, entries ...KVEntry) error {
	c, size := &pluginpb.KvPutCall{}, 0
	for _, e := range entries {
		if err := checkKey("kv_put", e.Key); err != nil {
			return err
		}
		if len(e.Value) > maxKVValue {
			return badCall("kv_put", ErrTooLarge, fmt.Sprintf("value of %d bytes, at most %d", len(e.Value), maxKVValue))
		}
		size += len(e.Key) + len(e.Value)
		c.Entries = append(c.Entries, &pluginpb.KvEntry{Key: e.Key, Value: e.Value, ExpiresMs: millis(e.Expires)})
	}
	if len(entries) > maxKVEntries || size > maxKVBatch {
		return badCall("kv_put", ErrTooLarge, fmt.Sprintf("%d entries with %d bytes, at most %d with %d", len(entries), size, maxKVEntries, maxKVBatch))
	}
	_, err := kv.h.call(ctx, "kv_put", GrantKV, &pluginpb.HostCall{Call: &pluginpb.HostCall_KvPut{KvPut: c}})
	return err
}

// Get returns the value of a key; ErrNotFound.
func (kv *KV) Get(ctx context.Context, key []byte) ([]byte, error) {
	entries, err := kv.GetAll(ctx, key)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, badCall("kv_get", ErrNotFound, "")
	}
	return entries[0].Value, nil
}

// GetAll returns the entries that exist, in the order of keys.
func (kv *KV) GetAll(ctx context.Context, keys ...[]byte) ([]KVEntry, error) {
	if err := checkKeys("kv_get", keys); err != nil {
		return nil, err
	}
	r, err := kv.h.call(ctx, "kv_get", GrantKV, &pluginpb.HostCall{Call: &pluginpb.HostCall_KvGet{KvGet: &pluginpb.KvGetCall{Keys: keys}}})
	return kvEntries(r), err
}

// Scan returns up to limit entries, 1 to 256, whose keys begin with prefix and come after the key after, in the order of their
// bytes. Fewer than limit mean the end, unless they fill 1 MiB, where the host cuts; none always do.
func (kv *KV) Scan(ctx context.Context, prefix, after []byte, limit int) ([]KVEntry, error) {
	if limit < 1 || limit > maxKVEntries {
		return nil, badCall("kv_scan", ErrInvalid, "limit is 1 to 256")
	}
	c := &pluginpb.KvScanCall{Prefix: prefix, After: after, Limit: uint32(limit)}
	r, err := kv.h.call(ctx, "kv_scan", GrantKV, &pluginpb.HostCall{Call: &pluginpb.HostCall_KvScan{KvScan: c}})
	return kvEntries(r), err
}

// Delete removes keys. That a key does not exist is no error.
func (kv *KV) Delete(ctx context.Context, keys ...[]byte) error {
	if err := checkKeys("kv_delete", keys); err != nil {
		return err
	}
	c := &pluginpb.KvDeleteCall{Keys: keys}
	_, err := kv.h.call(ctx, "kv_delete", GrantKV, &pluginpb.HostCall{Call: &pluginpb.HostCall_KvDelete{KvDelete: c}})
	return err
}

func checkKeys(call string, keys [][]byte) error {
	if len(keys) > maxKVEntries {
		return badCall(call, ErrTooLarge, fmt.Sprintf("%d keys, at most %d", len(keys), maxKVEntries))
	}
	for _, key := range keys {
		if err := checkKey(call, key); err != nil {
			return err
		}
	}
	return nil
}

func checkKey(call string, key []byte) error {
	switch {
	case len(key) == 0:
		return badCall(call, ErrInvalid, "empty key")
	case len(key) > maxKVKey:
		return badCall(call, ErrTooLarge, fmt.Sprintf("key of %d bytes, at most %d", len(key), maxKVKey))
	}
	return nil
}

func kvEntries(r *pluginpb.HostReply) []KVEntry {
	var out []KVEntry
	for _, e := range r.GetKv().GetEntries() {
		out = append(out, KVEntry{Key: e.GetKey(), Value: e.GetValue(), Expires: fromMillis(e.GetExpiresMs())})
	}
	return out
}

// millis is a time as the wire has it: Unix milliseconds, 0 for never. What expires before 1970 has expired.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}

func fromMillis(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}
