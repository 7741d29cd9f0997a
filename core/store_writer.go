package core

import (
	"context"
	"errors"
	"time"

	"github.com/discv5/host/core/internal/limit"
	"github.com/discv5/host/table"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// storeWriter writes behind what is worth remembering, and reads it at the start. Its state is owned by the turn; work and
// what it calls run on a goroutine of their own. What spaces have to write they keep themselves.
type storeWriter struct {
	n     *Node
	store Store // nil: nothing is remembered
	wake  chan struct{}

	unsaved  map[string]change
	underway int // changes that are being written, and not among the unsaved
	written  map[enode.ID]writtenNode
	loads    []func() error    // what is to be read; taken by work
	met      map[enode.ID]bool // strangers to us that another host has met; their records are to be read
	learning limit.Bucket      // of learnRate
	started  time.Time
	tabled   int       // ids of the table that the store has
	tabledAt time.Time // when they were written
	clock    uint64    // the last Version of a ban or of an entry of a space
	degraded error
	stats    StoreStats
}

// change is an entry to be put, or to be deleted. Of one key there is only the newest.
type change struct {
	Entry
	deleted bool
}

// writtenNode is what was last written about a node.
type writtenNode struct {
	contact, record time.Time
	seq             uint64
}

func newStoreWriter(n *Node) *storeWriter {
	return &storeWriter{
		n: n, store: timed(n, n.cfg.Store), wake: make(chan struct{}, 1),
		unsaved: make(map[string]change), written: make(map[enode.ID]writtenNode), met: make(map[enode.ID]bool),
		started: time.Now(), tabledAt: time.Now(),
	}
}

func (s *storeWriter) run() {
	if s.store == nil {
		return
	}
	s.n.host("store", s.work)
	if w, ok := s.n.cfg.Store.(Watcher); ok {
		s.n.host("store", func() { s.watch(w, nodePrefix, s.changedNodes) })
		s.n.host("store", func() { s.watch(w, seenPrefix, s.changedContacts) })
	}
}

// save has a change written, in place of an older one of the same key. It reports false when too many wait.
func (s *storeWriter) save(c change, limit int) bool {
	key := string(c.Key)
	if _, ok := s.unsaved[key]; !ok && len(s.unsaved) >= limit {
		s.stats.Dropped++
		return false
	}
	s.unsaved[key] = c
	s.rouse()
	return true
}

// rouse has work look whether there is something to do.
func (s *storeWriter) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// load has something read from the store, and again until that does not fail.
func (s *storeWriter) load(read func() error) {
	s.loads = append(s.loads, read)
	s.rouse()
}

// record remembers a record that changed.
func (s *storeWriter) record(now time.Time, node *enode.Node) {
	if s.store == nil {
		return
	}
	if e, ok := s.n.table.Entry(node.ID()); ok && e.Verified {
		s.node(now, e)
	}
}

// contact remembers that a node answered.
func (s *storeWriter) contact(now time.Time, e *table.Entry) {
	if s.store != nil {
		s.node(now, e)
	}
}

// node writes the record of a node when it is new, and the contact every now and then.
func (s *storeWriter) node(now time.Time, e *table.Entry) {
	id := e.ID()
	last := s.written[id]
	expires := now.Add(nodeLife)
	newRecord := last.seq != e.Node.Seq() || now.Sub(last.record) >= recordPause
	newContact := now.Sub(last.contact) >= contactPause
	if !newRecord && !newContact {
		return
	}
	// What finds no room is tried again with the next answer.
	if newRecord && s.save(change{Entry: Entry{
		Key: nodeKey(nodePrefix, id), Value: encodeStoredNode(e.Record), Version: e.Node.Seq(), Expires: expires,
	}}, maxUnsaved) {
		last.record, last.seq = now, e.Node.Seq()
	}
	if newContact && s.save(change{Entry: Entry{
		Key: nodeKey(seenPrefix, id), Version: uint64(now.UnixMilli()), Expires: expires,
		Value: encodeStoredContact(storedContact{addr: e.Addr, seen: now, rtt: e.RTT, first: e.Added, checks: e.Checks}),
	}}, maxUnsaved) {
		last.contact = now
	}
	if len(s.written) >= maxUnsaved {
		clear(s.written)
	}
	s.written[id] = last
}

// ban remembers a ban.
func (s *storeWriter) ban(now time.Time, b Ban) {
	if s.store != nil {
		s.save(change{Entry: Entry{Key: s.n.banKey(b), Value: encodeStoredBan(b), Version: s.version(now), Expires: b.Until}}, 2*maxUnsaved)
	}
}

// unban forgets a ban.
func (s *storeWriter) unban(now time.Time, b Ban) {
	if s.store != nil {
		s.save(change{Entry: Entry{Key: s.n.banKey(b), Version: s.version(now)}, deleted: true}, 2*maxUnsaved)
	}
}

// version is the time, and more than any version before, so that a clock that was set back loses nothing.
func (s *storeWriter) version(now time.Time) uint64 {
	s.clock = max(uint64(now.UnixMilli()), s.clock+1)
	return s.clock
}

// work reads what the store remembers and writes what is to be remembered, until the node is closed.
func (s *storeWriter) work() {
	pause := time.Duration(0)
	loads := []func() error{s.loadBans, s.loadTable}
	for {
		select {
		case <-time.After(pause):
		case <-s.n.done:
			s.flushLast()
			return
		}
		var err error
		loads, err = s.read(loads)
		if failed := s.flush(s.n.closing); failed != nil {
			err = failed
		}
		s.n.mu.Lock()
		loaded := len(loads)+len(s.loads) == 0
		s.n.mu.Unlock()
		s.report(err, loaded)
		if err != nil {
			pause = min(max(2*pause, storePause), maxStorePause)
			continue
		}
		pause = storePause
		select {
		case <-s.wake:
		case <-s.n.done:
		}
	}
}

// read reads what is to be read, and what that leads to. It returns what failed, which is to be read later.
func (s *storeWriter) read(loads []func() error) (left []func() error, err error) {
	for range 3 { // others may have something read all the time, and we have to write
		s.n.mu.Lock()
		loads, s.loads = append(loads, s.loads...), nil
		s.n.mu.Unlock()
		for _, load := range loads {
			if failed := load(); failed != nil {
				left, err = append(left, load), failed
			}
		}
		loads = nil
	}
	return left, err
}

// flushLast writes what is left when the node is closed, as far as that is quick.
func (s *storeWriter) flushLast() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	s.n.mu.Lock()
	s.saveTable(time.Now())
	s.n.mu.Unlock()
	if err := s.flush(ctx); err != nil {
		s.n.mu.Lock()
		defer s.n.mu.Unlock()
		s.n.log.Warn("store not up to date", "count", s.waiting(), "err", err)
	}
}

// waiting returns the number of changes that are to be written.
func (s *storeWriter) waiting() int {
	count := len(s.unsaved) + s.underway
	for _, space := range s.n.spaces {
		count += space.waiting()
	}
	return count
}

// report notes whether the store works, and whether what it remembers has been read.
func (s *storeWriter) report(err error, loaded bool) {
	s.n.turn(func(time.Time) {
		s.stats.Loaded = s.stats.Loaded || loaded
		was := s.degraded
		s.degraded = err
		if err != nil {
			s.stats.Failures++
		}
		switch {
		case err != nil && was == nil:
			s.n.log.Warn("store fails, the node runs on from memory", "err", err)
			s.n.events.publish(Event{Type: StoreChanged, Detail: "degraded"})
		case err == nil && was != nil:
			s.n.log.Info("store works again")
			clear(s.written) // it may have lost what it had: each node is written again with its next answer
			s.n.events.publish(Event{Type: StoreChanged, Detail: "ok"})
		}
	})
}

// errStoreHangs says that a call of the store ignores its context.
var errStoreHangs = errors.New("core: store hangs")

// call calls the store within a deadline. A panic is an error. While a call outlasts its deadline the store counts as failed.
func (s *storeWriter) call(ctx context.Context, f func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, storeDeadline)
	defer cancel()
	defer time.AfterFunc(storeDeadline+time.Second, func() { s.report(errStoreHangs, false) }).Stop()
	return contained(func() error { return f(limited) })
}
