package limit

import (
	"net/netip"
	"time"
)

// DefaultSources is how many sources are remembered when nothing else is asked for: 16,384, about 1 MB.
const DefaultSources = 16384

// slot is one source in the list, which is kept in an array: links are indices, so that neither the
// collector nor a newcomer costs anything once the array has grown to its bound.
type slot struct {
	source       Source
	bucket       Bucket
	newer, older int32
}

// none ends the list.
const none int32 = -1

// Sources is a bounded set of token buckets, one per Source. When it is full, the least recently seen source
// is forgotten; that has no effect unless the source had taken tokens within the time its bucket needs to
// fill up. It has one owner and no lock.
type Sources struct {
	index  map[Source]int32
	slots  []slot
	newest int32
	oldest int32
	max    int
}

// NewSources returns an empty set of at most max sources; below one means DefaultSources. Memory is taken as
// sources come.
func NewSources(max int) *Sources {
	if max < 1 {
		max = DefaultSources
	}
	return &Sources{index: make(map[Source]int32), newest: none, oldest: none, max: max}
}

// Len is how many sources are remembered.
func (s *Sources) Len() int { return len(s.slots) }

// Allow takes a token from the bucket of addr's source and reports whether there was one. It does not know
// about Exempt: the caller asks that first.
func (s *Sources) Allow(now time.Time, addr netip.Addr, r Rate) bool {
	if r.Unlimited() {
		return true
	}
	source := SourceOf(addr)
	i, known := s.index[source]
	if known {
		s.touch(i)
	} else {
		i = s.add(source)
	}
	return s.slots[i].bucket.Allow(now, r)
}

// add gives source a full bucket as the newest slot, in a new place or in that of the oldest.
func (s *Sources) add(source Source) int32 {
	var i int32
	if len(s.slots) < s.max {
		i = int32(len(s.slots))
		s.slots = append(s.slots, slot{})
	} else {
		i = s.oldest
		delete(s.index, s.slots[i].source)
		s.unlink(i)
	}
	s.slots[i] = slot{source: source}
	s.index[source] = i
	s.link(i)
	return i
}

// touch makes slot i the newest.
func (s *Sources) touch(i int32) {
	if i != s.newest {
		s.unlink(i)
		s.link(i)
	}
}

// link puts slot i, which is in no list, at the new end.
func (s *Sources) link(i int32) {
	s.slots[i].newer, s.slots[i].older = none, s.newest
	if s.newest != none {
		s.slots[s.newest].newer = i
	} else {
		s.oldest = i
	}
	s.newest = i
}

// unlink takes slot i out of the list.
func (s *Sources) unlink(i int32) {
	newer, older := s.slots[i].newer, s.slots[i].older
	if newer != none {
		s.slots[newer].older = older
	} else {
		s.newest = older
	}
	if older != none {
		s.slots[older].newer = newer
	} else {
		s.oldest = newer
	}
}
