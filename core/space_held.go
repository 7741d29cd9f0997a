package core

import (
	"container/heap"
	"fmt"
	"time"
)

// heldEntry is an entry of a space in memory.
type heldEntry struct {
	SpaceEntry
	version uint64 // in the store, once it is there
}

func (e SpaceEntry) expired(now time.Time) bool { return !e.Expires.IsZero() && !now.Before(e.Expires) }

func (e SpaceEntry) size() int { return len(e.Key) + len(e.Value) }

// fits says whether entries may come in. What has expired makes room first.
func (s *Space) fits(now time.Time, entries []SpaceEntry) error {
	err := s.within(entries)
	if err != nil && s.expire(now) {
		err = s.within(entries)
	}
	return err
}

// within says whether a space with further entries keeps its bounds.
func (s *Space) within(entries []SpaceEntry) error {
	keys, size := len(s.entries), s.size
	seen := make(map[string]int, len(entries))
	for _, e := range entries {
		was, again := seen[string(e.Key)]
		if !again {
			old, known := s.entries[string(e.Key)]
			if !known {
				keys++
			}
			was = old.size()
		}
		seen[string(e.Key)] = e.size()
		size += e.size() - was
	}
	switch {
	case keys > MaxSpaceKeys:
		return fmt.Errorf("%w: %d keys are the most", ErrSpaceFull, MaxSpaceKeys)
	case size > MaxSpaceSize:
		return fmt.Errorf("%w: %d bytes are the most", ErrSpaceFull, MaxSpaceSize)
	}
	return nil
}

// set enters an entry, in place of an older one or of a deletion.
func (s *Space) set(e heldEntry) {
	key := string(e.Key)
	s.remove(key)
	delete(s.gone, key)
	s.entries[key] = e
	s.size += e.size()
	if e.Expires.IsZero() {
		return
	}
	if len(s.ends) > 2*len(s.entries)+64 { // most of it is out of date
		s.ends = s.ends[:0]
		for key, e := range s.entries {
			if !e.Expires.IsZero() {
				s.ends = append(s.ends, entryEnd{key, e.Expires})
			}
		}
		heap.Init(&s.ends)
		return
	}
	heap.Push(&s.ends, entryEnd{key, e.Expires})
}

func (s *Space) remove(key string) {
	if e, ok := s.entries[key]; ok {
		s.size -= e.size()
		delete(s.entries, key)
	}
}

// expire removes what has expired and reports whether that was anything. Where the store may still have something older, of
// the same key, it becomes a deletion; it stays while there are too many of those.
func (s *Space) expire(now time.Time) (any bool) {
	for len(s.ends) > 0 && !now.Before(s.ends[0].at) {
		key := s.ends[0].key
		e, ok := s.entries[key]
		current := ok && e.Expires.Equal(s.ends[0].at)
		if current && s.n.store.store != nil && (s.unsaved[key] || !s.isRead()) {
			if len(s.gone) >= maxSpaceGone {
				break
			}
			s.gone[key] = s.n.store.version(now)
			s.dirty(key)
		}
		heap.Pop(&s.ends)
		if current {
			s.remove(key)
			any = true
		}
	}
	return any
}

// entryEnd says when the entry of a key expires.
type entryEnd struct {
	key string
	at  time.Time
}

// endOrder is a heap of entries, the one that expires first on top. One that was removed or replaced stays in it until it comes
// up: it does not agree with the entry any more.
type endOrder []entryEnd

func (o endOrder) Len() int           { return len(o) }
func (o endOrder) Less(i, j int) bool { return o[i].at.Before(o[j].at) }
func (o endOrder) Swap(i, j int)      { o[i], o[j] = o[j], o[i] }
func (o *endOrder) Push(x any)        { *o = append(*o, x.(entryEnd)) }
func (o *endOrder) Pop() any {
	last := len(*o) - 1
	e := (*o)[last]
	(*o)[last] = entryEnd{}
	*o = (*o)[:last]
	return e
}
