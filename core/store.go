package core

import (
	"context"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Entry is a record of a store. Values are opaque to it.
type Entry struct {
	Key, Value []byte
	Version    uint64
	Expires    time.Time // the store may forget it then; zero: never
}

// Store is a narrow, versioned, expiring key-value space. The node's memory is authoritative: a store that fails costs
// nothing but what it would have remembered, and what a store returns is checked. Its methods are called by one goroutine,
// may block until ctx ends, and keep none of the slices.
type Store interface {
	// Put stores entries whose Version is at least the stored one, and ignores the others.
	Put(ctx context.Context, entries []Entry) error
	// Get returns the entries that exist, in the order of keys.
	Get(ctx context.Context, keys [][]byte) ([]Entry, error)
	// Scan returns up to limit entries in the order of keys, of those that begin with prefix and come behind after.
	Scan(ctx context.Context, prefix, after []byte, limit int) ([]Entry, error)
	// Delete removes keys whose stored Version is at most that of the entry.
	Delete(ctx context.Context, entries []Entry) error
}

// Watcher is a Store that tells what other hosts change in it.
type Watcher interface {
	Store
	// Watch calls changed with entries under prefix that others stored, from the call on, until ctx ends or it fails. It runs beside
	// the other methods. changed is called by one goroutine at a time, may block shortly, and keeps none of the slices.
	Watch(ctx context.Context, prefix []byte, changed func([]Entry)) error
}

// Prefixes of keys. Those of nodes are shared by all hosts that share a store.
const (
	nodePrefix = "node/" // node/<id>: Version is the record's seq
	seenPrefix = "seen/" // seen/<id>: Version is Unix milliseconds
	hostPrefix = "host/" // host/<own id>/...: what only this host knows
)

func nodeKey(prefix string, id enode.ID) []byte { return append([]byte(prefix), id.String()...) }

func (n *Node) banPrefix() []byte { return []byte(hostPrefix + n.self.String() + "/ban/") }

func (n *Node) banKey(b Ban) []byte {
	if b.Prefix.IsValid() {
		b.Prefix = b.Prefix.Masked()
	}
	return append(n.banPrefix(), banSubject(b)...)
}

const (
	// maxUnsaved bounds the changes about nodes that wait to be written; further ones are dropped, and come again with a
	// later contact. Bans may use as much again, and those beyond it hold until the node ends. Spaces take nothing of that: what
	// one has to write is bounded by what it may hold and by maxSpaceGone, and none of it is dropped.
	maxUnsaved = 16_384
	// storeBatch is how many entries are written or read at a time.
	storeBatch = 256
	// storePause is how long changes are collected before they are written.
	storePause = 250 * time.Millisecond
	// maxStorePause bounds the pause between attempts while the store fails.
	maxStorePause = time.Minute
	// storeDeadline bounds one call. A store that is not back soon after it counts as failed.
	storeDeadline = 5 * time.Second
	// contactPause is how often the contact with a node is written.
	contactPause = 10 * time.Minute
	// recordPause is how often a record that did not change is written, so that it does not expire.
	recordPause = 12 * time.Hour
	// nodeLife is how long a node is worth remembering after the last contact.
	nodeLife = 5 * 24 * time.Hour
)

// StoreStats tells how the store does.
type StoreStats struct {
	Waiting  int    // gauge: changes that wait to be written, or are being written
	Written  uint64 // changes
	Dropped  uint64 // changes of nodes and bans for which too many waited
	Failures uint64 // attempts to read or write
	Seeds    int    // nodes read at the start
	Learned  int    // nodes that other hosts stored meanwhile, offered to the table
	Loaded   bool   // what the store remembers was read
	Ops      [NumStoreOps]StoreOpStats
}

// StoreStats returns the counters of the store, zero without one.
func (n *Node) StoreStats() (s StoreStats) {
	n.turn(func(time.Time) {
		s = n.store.stats
		s.Waiting = n.store.waiting()
	})
	return s
}
