package sdk

import (
	"context"
	"time"
)

// StorePlugin keeps what a host, or a fleet of hosts, wants to survive.
type StorePlugin struct {
	Info Info

	Durable bool // what it acknowledged survives a crash of the machine
	Shared  bool // several hosts may use it at a time

	Config any                                         // as in TalkPlugin
	Start  func(ctx context.Context, host *Host) error // as in TalkPlugin
	Store  Store                                       // keeps; if it is a Watcher too, the host watches
	Health func(ctx context.Context) error             // as in TalkPlugin
	Drain  func(ctx context.Context) error             // as in TalkPlugin

	Methods map[string]Method // as in TalkPlugin
}

// Bounds of a store's calls. A batch, given or returned, has at most MaxEntries entries and MaxBatch bytes of keys and values.
const (
	MaxEntries = 1024
	MaxBatch   = 1 << 20
	MaxKey     = 512
	MaxValue   = 64 << 10
)

// Entry is a key with its value.
type Entry struct {
	Key     []byte // 1 to MaxKey bytes
	Value   []byte // at most MaxValue bytes
	Version uint64
	Expires time.Time // it counts as absent from then on, to the millisecond; zero: never
}

// Store is a versioned, expiring key-value space. The host makes one call at a time, beside a Watch. Slices passed in may be
// kept. A batch need not be atomic, and is repeated when it failed.
type Store interface {
	// Put stores each entry whose Version is at least the stored one, and ignores the others. It returns when all are as
	// durable as the plugin claims to be. An entry that has expired has no version any more.
	Put(ctx context.Context, entries []Entry) error
	// Get returns those entries that exist and have not expired, in the order of keys.
	Get(ctx context.Context, keys [][]byte) ([]Entry, error)
	// Scan returns the entries whose keys begin with prefix and come after the key after, in the order of the keys' bytes: the
	// first limit of them (1 to MaxEntries). Those that have expired are not among them and do not count. Fewer mean the end.
	// What exceeds MaxBatch is cut off and asked for again.
	Scan(ctx context.Context, prefix, after []byte, limit int) ([]Entry, error)
	// Delete removes each key whose stored version is at most the entry's. Values are not set.
	Delete(ctx context.Context, entries []Entry) error
}

// Watcher is a Store that tells what others change.
type Watcher interface {
	// Watch calls changed with entries under prefix that others stored, from the call on, until ctx ends; it then returns nil.
	// changed is called by one goroutine at a time; larger batches than MaxBatch are split.
	Watch(ctx context.Context, prefix []byte, changed func([]Entry)) error
}

func (p *StorePlugin) common() common {
	return common{p.Info, p.Config, p.Start, p.Health, p.Drain, p.Methods}
}

func (p *StorePlugin) kind() string { return "store" }
