package core

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// tableChunk is how many ids of the table are in one entry.
	tableChunk = 1024
	// maxTableChunks bounds the entries.
	maxTableChunks = 4
	// tablePause is how often the ids are written, and the age from which on a node may forget a larger table than it has.
	tablePause = 10 * time.Minute
	// tableLead is how long the nodes that were in the table are asked before others of the store are offered too, which may be gone.
	tableLead = 3 * time.Second
)

// tableKey is where a part of the table's ids is.
func (n *Node) tableKey(part int) []byte {
	return fmt.Appendf(nil, "%s%s/table/%d", hostPrefix, n.self, part)
}

// storedTableIDs is the field of a part of the table: ids, one behind the other.
const storedTableIDs = 1

func decodeStoredTable(b []byte) (ids []enode.ID) {
	var all []byte
	if !eachField(b, func(field protowire.Number, data []byte, _ uint64) {
		if field == storedTableIDs {
			all = data
		}
	}) {
		return nil
	}
	for ; len(all) >= len(enode.ID{}) && len(ids) < tableChunk; all = all[len(enode.ID{}):] {
		ids = append(ids, enode.ID(all[:len(enode.ID{})]))
	}
	return ids
}

// saveTable has the ids of the verified nodes written, which are read first at the next start: of a store that has many nodes, and
// more so of one that others use too, a sample would bring few of them back.
func (s *storeWriter) saveTable(now time.Time) {
	var ids []byte
	for e := range s.n.table.All() {
		if e.Verified && len(ids) < maxTableChunks*tableChunk*len(enode.ID{}) {
			id := e.ID()
			ids = append(ids, id[:]...)
		}
	}
	count := len(ids) / len(enode.ID{})
	if count == 0 || count < s.tabled/2 && now.Sub(s.started) < tablePause {
		return // we are cut off, or have only begun
	}
	s.tabledAt, s.tabled = now, count
	for part := 0; len(ids) > 0; part++ {
		n := min(len(ids), tableChunk*len(enode.ID{}))
		s.save(change{Entry: Entry{
			Key: s.n.tableKey(part), Value: appendBytes(nil, storedTableIDs, ids[:n]), Version: s.version(now), Expires: now.Add(nodeLife),
		}}, 2*maxUnsaved)
		ids = ids[n:]
	}
}

// loadTable offers the nodes to the table that were in it before, and then others.
func (s *storeWriter) loadTable() error {
	var keys [][]byte
	for part := range maxTableChunks {
		keys = append(keys, s.n.tableKey(part))
	}
	parts, err := s.get(keys)
	if err != nil {
		return err
	}
	var nodes [][]byte
	var mistaken []Entry
	now := time.Now()
	for _, e := range parts {
		if e.Version >= maxStoredVersion { // not ours, and it would stay for ever
			mistaken = append(mistaken, Entry{Key: e.Key, Version: e.Version})
			continue
		}
		if e.expired(now) {
			continue
		}
		for _, id := range decodeStoredTable(e.Value) {
			nodes = append(nodes, nodeKey(nodePrefix, id))
		}
		s.n.turn(func(time.Time) { s.clock = max(s.clock, e.Version) })
	}
	if err := s.forget(mistaken); err != nil {
		return err
	}
	s.n.turn(func(time.Time) { s.tabled = max(s.tabled, len(nodes)) })
	for len(nodes) > 0 {
		n := min(len(nodes), storeBatch)
		found, err := s.get(nodes[:n])
		if err != nil {
			return err
		}
		if err := s.offerStored(found, &s.stats.Seeds); err != nil {
			return err
		}
		nodes = nodes[n:]
	}
	s.n.turn(func(now time.Time) {
		if s.n.table.Len() < nearlyEmpty {
			s.load(s.loadNodes)
		} else {
			s.n.after(now, tableLead, func(time.Time) { s.load(s.loadNodes) })
		}
	})
	return nil
}

// get reads keys, and no more entries than that.
func (s *storeWriter) get(keys [][]byte) (found []Entry, err error) {
	err = s.call(s.n.closing, func(ctx context.Context) (err error) {
		found, err = s.store.Get(ctx, keys)
		return err
	})
	return found[:min(len(found), len(keys))], err
}
