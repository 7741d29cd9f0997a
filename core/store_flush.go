package core

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"
)

// flush writes what waits, once: first nodes and bans, then what spaces changed. What could not be written waits on, unless
// something newer came meanwhile.
func (s *storeWriter) flush(ctx context.Context) error {
	s.n.mu.Lock()
	if now := time.Now(); now.Sub(s.tabledAt) >= tablePause {
		s.saveTable(now)
	}
	rounds := len(s.unsaved)/storeBatch + 1
	spaces := slices.Collect(maps.Values(s.n.spaces))
	s.n.mu.Unlock()
	deaf := false // the store does not tell what it has, which is no reason to write nothing
	for range rounds {
		batch := s.take()
		if !deaf {
			err := s.overtake(ctx, batch)
			deaf = err != nil
			s.notOvertaken(err)
		}
		if err := s.write(ctx, batch); err != nil {
			s.putBack(batch)
			return err
		}
		s.n.mu.Lock()
		s.underway = 0
		s.n.mu.Unlock()
	}
	for _, space := range spaces {
		for range space.waiting()/storeBatch + 1 {
			batch := space.take(storeBatch)
			if err := s.write(ctx, batch); err != nil {
				return err
			}
			space.wrote(batch)
		}
	}
	return nil
}

func (s *storeWriter) write(ctx context.Context, batch []change) error {
	var puts, deletes []Entry
	for _, c := range batch {
		if c.deleted {
			deletes = append(deletes, c.Entry)
		} else {
			puts = append(puts, c.Entry)
		}
	}
	if len(puts) > 0 {
		if err := s.call(ctx, func(ctx context.Context) error { return s.store.Put(ctx, puts) }); err != nil {
			return err
		}
	}
	if len(deletes) > 0 {
		if err := s.call(ctx, func(ctx context.Context) error { return s.store.Delete(ctx, deletes) }); err != nil {
			return err
		}
	}
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.stats.Written += uint64(len(batch))
	return nil
}

// maxAhead is how far beyond our clock the Version of a stored contact may be. The next contact overtakes anything less.
const maxAhead = contactPause

// overtake looks at what a batch replaces: since when a node is known stays known. By the rules of a store nothing true could replace a
// contact from the future, which somebody with a wrong clock left, until then, nor a record that claims a sequence number it does not
// have. It removes both.
func (s *storeWriter) overtake(ctx context.Context, batch []change) error {
	ours := make(map[string]*change)
	var keys [][]byte
	for i := range batch {
		if e := &batch[i]; bytes.HasPrefix(e.Key, []byte(seenPrefix)) || bytes.HasPrefix(e.Key, []byte(nodePrefix)) {
			ours[string(e.Key)] = e
			keys = append(keys, e.Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	var stored, ahead []Entry
	err := s.call(ctx, func(ctx context.Context) (err error) {
		stored, err = s.store.Get(ctx, keys)
		return err
	})
	if err != nil {
		return err
	}
	limit := uint64(time.Now().Add(maxAhead).UnixMilli())
	for _, e := range stored {
		c := ours[string(e.Key)]
		if c == nil {
			continue
		}
		delete(ours, string(e.Key))
		wrong := e.Version > limit
		if bytes.HasPrefix(e.Key, []byte(nodePrefix)) {
			wrong = e.Version > c.Version && !s.genuine(e)
		} else {
			keepFirst(c, e)
		}
		if wrong {
			ahead = append(ahead, Entry{Key: e.Key, Version: e.Version})
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	return s.call(ctx, func(ctx context.Context) error { return s.store.Delete(ctx, ahead) })
}

// genuine tells whether a stored record is signed, belongs to its key and has the sequence number that it is stored with.
func (s *storeWriter) genuine(e Entry) bool {
	record, ok := decodeStoredNode(e.Value)
	if !ok {
		return false
	}
	node, err := s.n.records.verify(record)
	return err == nil && node.Seq() == e.Version && bytes.Equal(e.Key, nodeKey(nodePrefix, node.ID()))
}

// keepFirst makes a contact tell since when the node is known, if that is longer than we know it.
func keepFirst(c *change, stored Entry) {
	before, ok := decodeStoredContact(stored.Value)
	now, known := decodeStoredContact(c.Value)
	if ok && known && !before.first.IsZero() && before.first.Before(now.first) {
		now.first = before.first
		c.Value = encodeStoredContact(now)
	}
}

// notOvertaken counts that overtake failed.
func (s *storeWriter) notOvertaken(err error) {
	if err == nil {
		return
	}
	s.n.log.Debug("what is to be replaced cannot be checked", "err", err)
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.stats.Failures++
}

func (s *storeWriter) take() (batch []change) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	for k, c := range s.unsaved {
		if len(batch) == storeBatch {
			break
		}
		batch = append(batch, c)
		delete(s.unsaved, k)
	}
	s.underway = len(batch)
	return batch
}

func (s *storeWriter) putBack(batch []change) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	s.underway = 0
	for _, c := range batch {
		key := string(c.Key)
		if _, newer := s.unsaved[key]; newer {
			continue
		}
		if len(s.unsaved) >= 2*maxUnsaved {
			s.stats.Dropped++
			continue
		}
		s.unsaved[key] = c
	}
}
