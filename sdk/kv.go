package sdk

import (
	"context"
	"time"
)

// KV is the plugin's own key-value space in the host's store: nobody else sees it, and it survives as the store does. Batches
// have at most 256 entries. Grant: kv.
type KV struct{ h *Host }

// KVEntry is a key with its value.
type KVEntry struct {
	Key     []byte    // 1 to 256 bytes
	Value   []byte    // at most 32 KiB
	Expires time.Time // gone from then on, to the millisecond; zero: never
}

// KV returns the plugin's key-value space.
func (h *Host) KV() *KV { return &KV{h} }

// Put stores entries. ErrTooLarge, ErrUnavailable.
func (kv *KV) Put(ctx context.Context, entries ...KVEntry) error {
	return ErrUnavailable
}

// Get returns the value of a key; ErrNotFound.
func (kv *KV) Get(ctx context.Context, key []byte) ([]byte, error) {
	return nil, ErrUnavailable
}

// GetAll returns the entries that exist, in the order of keys.
func (kv *KV) GetAll(ctx context.Context, keys ...[]byte) ([]KVEntry, error) {
	return nil, ErrUnavailable
}

// Scan returns up to limit entries, 1 to 256, whose keys begin with prefix and come after the key after, in the order of their
// bytes. Fewer than limit mean the end.
func (kv *KV) Scan(ctx context.Context, prefix, after []byte, limit int) ([]KVEntry, error) {
	return nil, ErrUnavailable
}

// Delete removes keys. That a key does not exist is no error.
func (kv *KV) Delete(ctx context.Context, keys ...[]byte) error {
	return ErrUnavailable
}
