package table

// span is the part of Table.picked that belongs to one distance.
type span struct{ from, to int }

// AtDistances appends to dst up to k entries whose log distance from Self is among distances and that fulfil pred; nil
// means all. The distances take turns, so that each gets its share of k; repeated ones, 0 and those above MaxDistance
// are skipped. Which nodes of a well filled distance are taken changes from call to call. It allocates nothing once its
// scratch space has grown, if dst has room.
func (t *Table) AtDistances(dst []*Entry, distances []uint, k int, pred func(*Entry) bool) []*Entry {
	if k <= 0 {
		return dst
	}
	t.picked, t.spans = t.picked[:0], t.spans[:0]
	var place [MaxDistance + 1]int16 // of a distance in spans, from 1
	for _, d := range distances {
		if d == 0 || d > MaxDistance || place[d] != 0 {
			continue
		}
		from := len(t.picked)
		if t.cfg.LogDistance == nil {
			t.pickAt(int(d), from+k, pred)
		}
		t.spans = append(t.spans, span{from, len(t.picked)})
		place[d] = int16(len(t.spans))
	}
	if t.cfg.LogDistance != nil {
		t.pickBy(&place, k, pred)
	}
	limit := len(dst) + k
	for more := true; more; { // One of each distance a turn.
		more = false
		for i := range t.spans {
			s := &t.spans[i]
			if s.from == s.to {
				continue
			}
			dst = append(dst, t.picked[s.from])
			if len(dst) == limit {
				return dst
			}
			s.from++
			more = true
		}
	}
	return dst
}

// pickAt appends to picked, up to limit, entries at an XOR log distance. They are the subtree that leaves the path to
// Self at bit 256-d, or part of the leaf that is reached before.
func (t *Table) pickAt(d, limit int, pred func(*Entry) bool) {
	n := &t.root
	for i := 0; n.bucket == nil; i++ {
		if i == MaxDistance-d {
			t.pickFrom(n.child[1-t.self.bit(i)], d, t.rand.Uint64(), limit, pred)
			return
		}
		n = n.child[t.self.bit(i)]
	}
	t.pickFrom(n, d, t.rand.Uint64(), limit, pred)
}

// pickFrom walks a subtree in an order that the bits of mix decide.
func (t *Table) pickFrom(n *branch, d int, mix uint64, limit int, pred func(*Entry) bool) {
	for n.bucket == nil {
		first := mix & 1
		mix = mix>>1 | first<<63
		t.pickFrom(n.child[first], d, mix, limit, pred)
		if len(t.picked) == limit {
			return
		}
		n = n.child[1-first]
	}
	size := len(n.bucket.entries)
	if size == 0 {
		return
	}
	start := int(mix>>32) % size
	for i := range size {
		if i += start; i >= size {
			i -= size
		}
		e := n.bucket.entries[i]
		if e.dist == d && (pred == nil || pred(e)) {
			t.picked = append(t.picked, e)
			if len(t.picked) == limit {
				return
			}
		}
	}
}

// pickBy fills picked and spans for a custom log distance: one walk over all entries, then they are dealt out.
func (t *Table) pickBy(place *[MaxDistance + 1]int16, k int, pred func(*Entry) bool) {
	if len(t.all) == 0 || len(t.spans) == 0 {
		return
	}
	start := t.rand.IntN(len(t.all))
	for i := range t.all {
		e := t.all[(start+i)%len(t.all)]
		if e.dist < 1 || e.dist > MaxDistance || place[e.dist] == 0 || pred != nil && !pred(e) {
			continue
		}
		if s := &t.spans[place[e.dist]-1]; s.to < k {
			s.to++ // Only the number, for now.
			t.picked = append(t.picked, e)
		}
	}
	found := len(t.picked)
	end := found
	for i := range t.spans {
		s := &t.spans[i]
		n := s.to
		s.from, s.to = end, end
		end += n
	}
	for _, e := range t.picked[:found] {
		t.picked = append(t.picked, e) // Reserves the room.
	}
	for _, e := range t.picked[:found] {
		s := &t.spans[place[e.dist]-1]
		t.picked[s.to] = e
		s.to++
	}
}

// Random appends to dst up to n different entries that fulfil pred, every choice being equally likely; nil means all. It
// allocates nothing if dst has room.
func (t *Table) Random(dst []*Entry, n int, pred func(*Entry) bool) []*Entry {
	limit := len(dst) + max(n, 0)
	for i := 0; i < len(t.all) && len(dst) < limit; i++ { // A shuffle that stops when it has enough.
		j := i + t.rand.IntN(len(t.all)-i)
		e, other := t.all[j], t.all[i]
		t.all[i], t.all[j] = e, other
		e.dense, other.dense = i, j
		if pred == nil || pred(e) {
			dst = append(dst, e)
		}
	}
	return dst
}
