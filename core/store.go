package core

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/protobuf/encoding/protowire"
)

// Entry is a record of a store. Values are opaque to it.
type Entry struct {
	Key, Value []byte
	Version    uint64
	Expires    time.Time // the store may forget it then; zero: never
}

// Store is a narrow, versioned, expiring key-value space. The node's memory is authoritative: a store that fails costs
// nothing but what it would have remembered. Its methods are called by one goroutine, and may block until ctx ends.
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

// Prefixes of keys. Those of nodes are shared by all hosts that share a store.
const (
	nodePrefix = "node/" // node/<id>: Version is the record's seq
	seenPrefix = "seen/" // seen/<id>: Version is Unix milliseconds
	hostPrefix = "host/" // host/<own id>/...: what only this host knows
)

const (
	// maxUnsaved bounds the entries that wait to be written; further ones are dropped, and come again with the next contact.
	maxUnsaved = 16_384
	// storeBatch is how many entries are written or read at a time.
	storeBatch = 256
	// storePause is how long changes are collected before they are written.
	storePause = time.Second
	// maxStorePause bounds the pause between attempts while the store fails.
	maxStorePause = time.Minute
	// storeDeadline bounds one call.
	storeDeadline = 5 * time.Second
	// contactPause is how often the contact with a node is written.
	contactPause = 10 * time.Minute
	// nodeLife is how long a node is worth remembering after the last contact.
	nodeLife = 5 * 24 * time.Hour
	// maxSeeds bounds the nodes that are taken from the store at the start.
	maxSeeds = 2000
)

// storeWriter writes behind what is worth remembering. Its methods are called in a turn, except run and work.
type storeWriter struct {
	n        *Node
	store    Store // nil: nothing is remembered
	wake     chan struct{}
	unsaved  map[string]Entry
	deleted  map[string]Entry
	contacts map[enode.ID]time.Time // when a contact was last written
	degraded error
	dropped  uint64
}

func newStoreWriter(n *Node) *storeWriter {
	return &storeWriter{
		n: n, store: n.cfg.Store, wake: make(chan struct{}, 1),
		unsaved: make(map[string]Entry), deleted: make(map[string]Entry), contacts: make(map[enode.ID]time.Time),
	}
}

func (s *storeWriter) run() {
	if s.store != nil {
		s.n.running.Go(s.work)
	}
}

// load asks for what the store remembers.
func (s *storeWriter) load() {
	s.signal()
}

func (s *storeWriter) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *storeWriter) put(e Entry) {
	if s.store == nil {
		return
	}
	key := string(e.Key)
	if _, ok := s.unsaved[key]; !ok && len(s.unsaved) >= maxUnsaved {
		s.dropped++
		return
	}
	delete(s.deleted, key)
	s.unsaved[key] = e
	s.signal()
}

// record remembers a record.
func (s *storeWriter) record(now time.Time, node *enode.Node) {
	if s.store == nil {
		return
	}
	e, ok := s.n.table.Entry(node.ID())
	if !ok || !e.Verified {
		return
	}
	s.put(Entry{Key: nodeKey(nodePrefix, node.ID()), Value: encodeStoredNode(e.Record), Version: node.Seq(), Expires: now.Add(nodeLife)})
}

// contact remembers that a node answered: its record when it was verified just now, and the contact every now and then.
func (s *storeWriter) contact(now time.Time, e *table.Entry, verified bool) {
	if s.store == nil || !verified && now.Sub(s.contacts[e.ID()]) < contactPause {
		return
	}
	if len(s.contacts) >= maxUnsaved {
		clear(s.contacts)
	}
	s.contacts[e.ID()] = now
	s.record(now, e.Node)
	s.put(Entry{
		Key: nodeKey(seenPrefix, e.ID()), Value: encodeStoredContact(e.Addr, now, e.RTT),
		Version: uint64(now.UnixMilli()), Expires: now.Add(nodeLife),
	})
}

// ban remembers a ban.
func (s *storeWriter) ban(now time.Time, b Ban) {
	s.put(Entry{Key: s.banKey(b), Value: encodeStoredBan(b), Version: uint64(now.UnixMilli()), Expires: b.Until})
}

// unban forgets a ban.
func (s *storeWriter) unban(now time.Time, b Ban) {
	if s.store == nil {
		return
	}
	key := s.banKey(b)
	delete(s.unsaved, string(key))
	s.deleted[string(key)] = Entry{Key: key, Version: uint64(now.UnixMilli())}
	s.signal()
}

func (s *storeWriter) banPrefix() []byte { return []byte(hostPrefix + s.n.self.String() + "/ban/") }

func (s *storeWriter) banKey(b Ban) []byte { return append(s.banPrefix(), banSubject(b)...) }

func nodeKey(prefix string, id enode.ID) []byte { return append([]byte(prefix), id.String()...) }

// work writes until the node is closed, and then what is left.
func (s *storeWriter) work() {
	pause := storePause
	if !s.startup() {
		return
	}
	for {
		select {
		case <-s.wake:
		case <-s.n.done:
			s.flushLast()
			return
		}
		select {
		case <-time.After(pause):
		case <-s.n.done:
			s.flushLast()
			return
		}
		err := s.flush(s.n.closing)
		s.report(err)
		if err != nil {
			pause = min(2*pause, maxStorePause)
			s.signal()
		} else {
			pause = storePause
		}
	}
}

// startup reads the store until that succeeds. It reports false once the node is closed.
func (s *storeWriter) startup() bool {
	pause := storePause
	for {
		err := errors.Join(s.loadBans(), s.loadNodes())
		s.report(err)
		if err == nil {
			return true
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, maxStorePause)
		case <-s.n.done:
			return false
		}
	}
}

// flushLast writes what is left when the node is closed, as far as that is quick.
func (s *storeWriter) flushLast() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.flush(ctx); err != nil {
		s.n.log.Warn("store not up to date", "err", err)
	}
}

// report notes whether the store works.
func (s *storeWriter) report(err error) {
	s.n.turn(func(time.Time) {
		if (err == nil) == (s.degraded == nil) {
			s.degraded = err
			return
		}
		s.degraded = err
		if err != nil {
			s.n.log.Warn("store fails, the node runs on from memory", "err", err)
			s.n.events.publish(Event{Type: StoreChanged, Detail: "degraded"})
		} else {
			s.n.log.Info("store works again")
			s.n.events.publish(Event{Type: StoreChanged, Detail: "ok"})
		}
	})
}

// flush writes what waits. What could not be written waits on, unless something newer came meanwhile.
func (s *storeWriter) flush(ctx context.Context) error {
	for {
		var puts, deletes []Entry
		s.n.mu.Lock()
		puts, deletes = take(s.unsaved), take(s.deleted)
		s.n.mu.Unlock()
		if len(puts) == 0 && len(deletes) == 0 {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, storeDeadline)
		var err error
		if len(puts) > 0 {
			err = s.store.Put(limited, puts)
		}
		if err == nil {
			puts = nil
			if len(deletes) > 0 {
				err = s.store.Delete(limited, deletes)
			}
			if err == nil {
				deletes = nil
			}
		}
		cancel()
		if err != nil {
			s.n.mu.Lock()
			putBack(s.unsaved, puts)
			putBack(s.deleted, deletes)
			s.n.mu.Unlock()
			return err
		}
	}
}

func take(m map[string]Entry) (batch []Entry) {
	for k, e := range m {
		if len(batch) == storeBatch {
			break
		}
		batch = append(batch, e)
		delete(m, k)
	}
	return batch
}

func putBack(m map[string]Entry, batch []Entry) {
	for _, e := range batch {
		if _, newer := m[string(e.Key)]; !newer && len(m) < maxUnsaved {
			m[string(e.Key)] = e
		}
	}
}

// scan reads the entries of a prefix, page by page.
func (s *storeWriter) scan(prefix []byte, each func(Entry) (more bool)) error {
	var after []byte
	for {
		ctx, cancel := context.WithTimeout(s.n.closing, storeDeadline)
		page, err := s.store.Scan(ctx, prefix, after, storeBatch)
		cancel()
		if err != nil {
			return err
		}
		for _, e := range page {
			if !bytes.HasPrefix(e.Key, prefix) || !each(e) {
				return nil
			}
			after = e.Key
		}
		if len(page) < storeBatch {
			return nil
		}
	}
}

// loadBans takes over the bans that still hold.
func (s *storeWriter) loadBans() error {
	return s.scan(s.banPrefix(), func(e Entry) bool {
		b, ok := decodeStoredBan(e.Value)
		return !ok || s.n.turn(func(now time.Time) {
			if now.Before(b.Until) {
				s.n.bans.add(now, b)
			}
		})
	})
}

// loadNodes offers the nodes that the store remembers to the table, which checks them before it hands them on. Keys are node
// ids: where the scan begins is random, so that what fits in is not always the same corner.
func (s *storeWriter) loadNodes() error {
	var batch []*enode.Node
	seeds := 0
	offer := func() bool {
		nodes := batch
		batch = nil
		return s.n.turn(func(now time.Time) {
			for _, node := range nodes {
				s.n.offer(now, node, netip.AddrPort{}, fromStore)
			}
		})
	}
	err := s.scan([]byte(nodePrefix), func(e Entry) bool {
		record, ok := decodeStoredNode(e.Value)
		if !ok {
			return true
		}
		node, err := s.n.records.verify(record)
		if err != nil || !bytes.Equal(e.Key, nodeKey(nodePrefix, node.ID())) {
			return true
		}
		batch = append(batch, node)
		seeds++
		if len(batch) == storeBatch && !offer() {
			return false
		}
		return seeds < maxSeeds
	})
	offer()
	if seeds > 0 {
		s.n.log.Info("nodes read from the store", "count", seeds)
		s.n.turn(s.n.refreshIfEmpty)
	}
	return err
}

// The values of node/ and seen/ are the protobuf messages StoredNode and StoredContact of the plugin contract.
const (
	storedNodeRecord = 1 // bytes

	storedContactIP   = 1 // bytes, 4 or 16
	storedContactPort = 2 // uint32
	storedContactSeen = 3 // uint64, Unix milliseconds
	storedContactRTT  = 4 // uint64, microseconds

	storedBanSubject = 1 // string: node id in hex, or address prefix
	storedBanReason  = 2 // string
	storedBanUntil   = 3 // uint64, Unix milliseconds
)

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}

func appendUint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func encodeStoredNode(record []byte) []byte { return appendBytes(nil, storedNodeRecord, record) }

func encodeStoredContact(addr netip.AddrPort, seen time.Time, rtt time.Duration) []byte {
	b := appendBytes(nil, storedContactIP, addr.Addr().AsSlice())
	b = appendUint(b, storedContactPort, uint64(addr.Port()))
	b = appendUint(b, storedContactSeen, uint64(seen.UnixMilli()))
	return appendUint(b, storedContactRTT, uint64(rtt.Microseconds()))
}

func encodeStoredBan(ban Ban) []byte {
	b := appendBytes(nil, storedBanSubject, []byte(banSubject(ban)))
	b = appendBytes(b, storedBanReason, []byte(ban.Reason))
	return appendUint(b, storedBanUntil, uint64(ban.Until.UnixMilli()))
}

// fields calls each for the fields of a protobuf message. It reports false for what is none.
func fields(b []byte, each func(field protowire.Number, data []byte, v uint64)) bool {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		switch typ {
		case protowire.BytesType:
			data, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return false
			}
			each(num, data, 0)
			b = b[n:]
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return false
			}
			each(num, nil, v)
			b = b[n:]
		default:
			n := protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return false
			}
			b = b[n:]
		}
	}
	return true
}

func decodeStoredNode(b []byte) (record []byte, ok bool) {
	ok = fields(b, func(field protowire.Number, data []byte, _ uint64) {
		if field == storedNodeRecord {
			record = data
		}
	})
	return record, ok && len(record) > 0
}

func decodeStoredBan(b []byte) (ban Ban, ok bool) {
	subject := ""
	ok = fields(b, func(field protowire.Number, data []byte, v uint64) {
		switch field {
		case storedBanSubject:
			subject = string(data)
		case storedBanReason:
			ban.Reason = string(data)
		case storedBanUntil:
			ban.Until = time.UnixMilli(int64(v))
		}
	})
	if id, err := enode.ParseID(subject); err == nil {
		ban.ID = id
	} else if ban.Prefix, err = netip.ParsePrefix(subject); err != nil {
		return Ban{}, false
	}
	return ban, ok && ban.Validate() == nil
}
