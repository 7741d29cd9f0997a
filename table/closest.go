package table

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// ranked is an entry of a bucket with the first word of its distance, by which nearly all entries differ.
type ranked struct {
	dist uint64
	at   int
}

// measured is an entry with its custom distance.
type measured struct {
	dist [32]byte
	e    *Entry
}

// Closest appends to dst the k entries closest to target that fulfil pred, the closest first. A nil pred means all. It
// allocates nothing if dst has room. The answer is exact for every distance function; entries at equal custom distances
// come in the order of their ids.
func (t *Table) Closest(dst []*Entry, target enode.ID, k int, pred func(*Entry) bool) []*Entry {
	if k <= 0 {
		return dst
	}
	if t.cfg.Distance != nil {
		return t.closestBy(dst, target, k, pred)
	}
	goal := keyOf(target)
	return t.nearest(&t.root, 0, &goal, dst, len(dst)+k, pred)
}

// nearest appends from a subtree. In a fork at depth i every id on target's side of bit i is closer than every id on the
// other, so the leaves come in order of distance and only the entries of one leaf need sorting.
func (t *Table) nearest(n *branch, i int, target *key, dst []*Entry, limit int, pred func(*Entry) bool) []*Entry {
	for n.bucket == nil {
		bit := target.bit(i)
		i++
		dst = t.nearest(n.child[bit], i, target, dst, limit, pred)
		if len(dst) >= limit {
			return dst
		}
		n = n.child[1-bit]
	}
	return t.rank(n.bucket, target, dst, limit-len(dst), pred)
}

// rank appends the room closest entries of a bucket by insertion sort.
func (t *Table) rank(b *bucket, target *key, dst []*Entry, room int, pred func(*Entry) bool) []*Entry {
	r, n := t.ranked, 0
	for at := range b.keys {
		if pred != nil && !pred(b.entries[at]) {
			continue
		}
		dist := b.keys[at][0] ^ target[0]
		j := n
		if n == room { // The last one makes way, or this one is too far.
			if last := r[n-1]; dist > last.dist || dist == last.dist && !b.closer(at, last.at, target) {
				continue
			}
			j--
		} else {
			n++
		}
		for ; j > 0; j-- {
			if p := r[j-1]; dist > p.dist || dist == p.dist && !b.closer(at, p.at, target) {
				break
			}
			r[j] = r[j-1]
		}
		r[j] = ranked{dist, at}
	}
	for _, x := range r[:n] {
		dst = append(dst, b.entries[x.at])
	}
	return dst
}

// closer compares whole distances, for entries that agree in the first word.
func (b *bucket) closer(x, y int, target *key) bool {
	dx, dy := b.keys[x].xor(*target), b.keys[y].xor(*target)
	return dx.less(&dy)
}

// closestBy asks the distance function about every entry: buckets say nothing about a foreign metric.
func (t *Table) closestBy(dst []*Entry, target enode.ID, k int, pred func(*Entry) bool) []*Entry {
	best := t.measure[:0]
	for _, e := range t.all {
		if pred != nil && !pred(e) {
			continue
		}
		m := measured{t.cfg.Distance(target, e.ID()), e}
		if len(best) == k {
			if compareMeasured(m, best[k-1]) > 0 {
				continue
			}
			best = best[:k-1]
		}
		i, _ := slices.BinarySearchFunc(best, m, compareMeasured)
		best = slices.Insert(best, i, m)
	}
	for _, m := range best {
		dst = append(dst, m.e)
	}
	clear(best)
	t.measure = best
	return dst
}

func compareMeasured(a, b measured) int {
	if c := bytes.Compare(a.dist[:], b.dist[:]); c != 0 {
		return c
	}
	return slices.Compare(a.e.key[:], b.e.key[:])
}
