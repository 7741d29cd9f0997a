package core

import (
	"bytes"
	"context"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// At most seedScans · seedsPerScan nodes are taken from the store at the start, from places spread over the id space, and
// nearScans · seedsPerScan from our own neighbourhood in it.
const (
	seedScans    = 64
	seedsPerScan = 32
	nearScans    = 24
)

func (e *Entry) expired(now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

// page reads up to limit entries of a prefix behind a key, in order whatever the store does. more says that there may be
// others behind the last one.
func (s *storeWriter) page(prefix, after []byte, limit int) (entries []Entry, more bool, err error) {
	err = s.call(s.n.closing, func(ctx context.Context) (err error) {
		entries, err = s.store.Scan(ctx, prefix, after, limit)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	more = len(entries) >= limit
	entries = slices.Clone(entries[:min(len(entries), limit)])
	entries = slices.DeleteFunc(entries, func(e Entry) bool {
		return !bytes.HasPrefix(e.Key, prefix) || bytes.Compare(e.Key, after) <= 0
	})
	slices.SortFunc(entries, func(a, b Entry) int { return bytes.Compare(a.Key, b.Key) })
	return entries, more && len(entries) > 0, nil
}

// loadBans takes over the bans that still hold.
func (s *storeWriter) loadBans() error {
	var after []byte
	for range maxBans/storeBatch + 1 {
		page, more, err := s.page(s.n.banPrefix(), after, storeBatch)
		if err != nil {
			return err
		}
		var mistaken []Entry
		s.n.turn(func(now time.Time) { mistaken = s.restoreBans(now, page) })
		if err := s.forget(mistaken); err != nil {
			return err
		}
		if !more {
			break
		}
		after = page[len(page)-1].Key
	}
	return nil
}

// forget removes entries of ours whose Version nothing that we write would reach.
func (s *storeWriter) forget(mistaken []Entry) error {
	if len(mistaken) == 0 {
		return nil
	}
	return s.call(s.n.closing, func(ctx context.Context) error { return s.store.Delete(ctx, mistaken) })
}

// restoreBans takes bans over. It returns those that are to be forgotten; they are written again.
func (s *storeWriter) restoreBans(now time.Time, page []Entry) (mistaken []Entry) {
	for _, e := range page {
		if e.Version >= maxStoredVersion {
			mistaken = append(mistaken, Entry{Key: e.Key, Version: e.Version})
		}
		b, ok := decodeStoredBan(e.Value)
		if !ok || !bytes.Equal(e.Key, s.n.banKey(b)) {
			continue
		}
		if e.Version < maxStoredVersion {
			s.clock = max(s.clock, e.Version)
		}
		if _, newer := s.unsaved[string(e.Key)]; newer || !now.Before(b.Until) || e.expired(now) {
			continue
		}
		s.n.bans.add(b)
		if e.Version >= maxStoredVersion {
			s.ban(now, b)
		}
	}
	n := s.n
	n.expel(now, func(id enode.ID, addr netip.Addr) bool { return n.bans.id(now, id) || n.bans.address(now, addr) })
	return mistaken
}

// loadNodes offers nodes that the store remembers to the table, which checks them before it hands them on: all of them, or
// of many a sample. Keys are node ids, so one stretch of keys would be one corner of the id space; the sample is made of
// short stretches that begin at random within equal parts of it, and go round its end. Buckets near us are smaller than these
// parts, so loadNear follows.
func (s *storeWriter) loadNodes() error {
	prefix := []byte(nodePrefix)
	all, more, err := s.page(prefix, nil, storeBatch)
	if err != nil || !more {
		if err == nil {
			err = s.offerStored(all, &s.stats.Seeds)
		}
		return err
	}
	for _, part := range rand.Perm(seedScans) {
		var start enode.ID
		for i := range start {
			start[i] = byte(rand.Uint32())
		}
		start[0] = byte(part*256/seedScans + rand.IntN(256/seedScans))
		page, more, err := s.page(prefix, nodeKey(nodePrefix, start), seedsPerScan)
		if err != nil {
			return err
		}
		if room := seedsPerScan - len(page); !more && room > 0 {
			rest, _, err := s.page(prefix, nil, room)
			if err != nil {
				return err
			}
			page = append(page, rest...)
		}
		if err := s.offerStored(page, &s.stats.Seeds); err != nil {
			return err
		}
	}
	return s.loadNear()
}

// loadNear offers nodes of the buckets that are smaller than a part of the sample: a stretch of each, and all that share more
// bits with our id once they are few.
func (s *storeWriter) loadNear() error {
	for shared := bits.Len(seedScans) - 1; shared < bits.Len(seedScans)-1+nearScans/2; shared++ {
		near, err := s.neighbours(shared, ownCorner(s.n.self, shared))
		if err != nil {
			return err
		}
		if len(near) < seedsPerScan {
			return s.offerStored(near, &s.stats.Seeds)
		}
		bucket, err := s.neighbours(shared, siblingCorner(s.n.self, shared))
		if err != nil {
			return err
		}
		if err := s.offerStored(bucket, &s.stats.Seeds); err != nil {
			return err
		}
	}
	return nil
}

// neighbours reads a stretch of nodes from start on, as far as they share so many bits with our id.
func (s *storeWriter) neighbours(shared int, start enode.ID) ([]Entry, error) {
	page, _, err := s.page([]byte(nodePrefix), nodeKey(nodePrefix, start), seedsPerScan)
	return slices.DeleteFunc(page, func(e Entry) bool {
		id, ok := keyID(nodePrefix, e.Key)
		return !ok || enode.LogDist(id, s.n.self) > 256-shared
	}), err
}

// ownCorner is the smallest id that shares so many bits with ours.
func ownCorner(id enode.ID, shared int) enode.ID {
	for i := shared; i < 256; i++ {
		id[i/8] &^= 0x80 >> (i % 8)
	}
	return id
}

// siblingCorner is a random id in the lower half of those that share exactly so many bits with ours.
func siblingCorner(id enode.ID, shared int) enode.ID {
	id[shared/8] ^= 0x80 >> (shared % 8)
	for i := shared + 1; i < 256; i++ {
		id[i/8] &^= 0x80 >> (i % 8)
		if i > shared+1 && rand.IntN(2) == 0 {
			id[i/8] |= 0x80 >> (i % 8)
		}
	}
	return id
}

// keyID returns the node of a key.
func keyID(prefix string, key []byte) (id enode.ID, ok bool) {
	text, ok := bytes.CutPrefix(key, []byte(prefix))
	if !ok || len(text) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], text)
	return id, err == nil && bytes.Equal(key, nodeKey(prefix, id))
}

// offerStored offers nodes to the table, unless the last contact was too long ago. A record counts only when it is signed
// and belongs to its key. count is of stats.
func (s *storeWriter) offerStored(entries []Entry, count *int) error {
	now := time.Now()
	var nodes []*enode.Node
	var keys [][]byte
	for _, e := range entries {
		record, ok := decodeStoredNode(e.Value)
		if !ok || e.expired(now) {
			continue
		}
		node, err := s.n.records.verify(record)
		if err != nil || !bytes.Equal(e.Key, nodeKey(nodePrefix, node.ID())) {
			continue
		}
		nodes = append(nodes, node)
		keys = append(keys, nodeKey(seenPrefix, node.ID()))
	}
	if len(nodes) == 0 {
		return nil
	}
	contacts, err := s.contacts(now, keys)
	if err != nil {
		return err
	}
	s.n.turn(func(now time.Time) {
		for i, node := range nodes {
			c, known := contacts[string(keys[i])]
			if known && now.Sub(c.seen) > nodeLife {
				continue
			}
			addr := c.addr
			if !usable(addr) || !hasEndpoint(node, addr) || s.n.linkTo(addr.Addr()) == nil {
				addr = netip.AddrPort{}
			}
			s.n.offer(now, node, addr)
			*count++
		}
		s.n.refreshSeeded(now)
	})
	return nil
}

// contacts reads when and where nodes answered last.
func (s *storeWriter) contacts(now time.Time, keys [][]byte) (map[string]storedContact, error) {
	entries, err := s.get(keys)
	contacts := make(map[string]storedContact, len(keys))
	for _, e := range entries {
		if c, ok := decodeStoredContact(e.Value); ok && !e.expired(now) {
			contacts[string(e.Key)] = c
		}
	}
	return contacts, err
}

// refreshSeeded starts a round of refresh at once for seeds that came while the table was nearly empty.
func (n *Node) refreshSeeded(now time.Time) {
	if !n.cfg.NoRefresh && n.table.Len() > 0 && n.table.Verified() < nearlyEmpty {
		n.refresh.rounds = 0
		n.putOff(n.refreshRound)
	}
}
