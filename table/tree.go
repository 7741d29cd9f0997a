package table

import (
	"net/netip"
	"slices"
)

// branch is a node of the tree: either a leaf, which has a bucket, or a fork with two children.
type branch struct {
	child  [2]*branch
	bucket *bucket
}

// bucket holds the nodes of all ids that begin with the first depth bits of prefix.
type bucket struct {
	prefix key // the bits from depth on are zero
	depth  int
	local  bool // Self is in its range

	keys    []key    // the ids of entries, in the same order
	entries []*Entry // the most recently seen first
	spare   []*Entry // the replacements, the oldest first
}

func (t *Table) newBucket(prefix key, depth int, local bool) *bucket {
	return &bucket{
		prefix: prefix, depth: depth, local: local,
		keys:    make([]key, 0, t.cfg.BucketSize),
		entries: make([]*Entry, 0, t.cfg.BucketSize),
	}
}

// leaf returns the branch whose bucket covers k.
func (t *Table) leaf(k *key) *branch {
	n := &t.root
	for i := 0; n.bucket == nil; i++ {
		n = n.child[k.bit(i)]
	}
	return n
}

func (t *Table) bucketOf(k *key) *bucket { return t.leaf(k).bucket }

// splits reports whether a bucket divides when it is full: always on the way to Self, elsewhere until its depth is a
// multiple of the bits per hop. It ends at MaxDistance at the latest: such a bucket covers one id, and is full only with it.
func (t *Table) splits(b *bucket) bool {
	return b.local || b.depth%t.cfg.BitsPerHop != 0
}

// split turns a leaf into a fork. A bucket that may split never has replacements, so only entries are dealt out.
func (t *Table) split(n *branch) {
	b := n.bucket
	n.bucket = nil
	own := t.self.bit(b.depth)
	for bit := range n.child {
		prefix := b.prefix
		prefix[b.depth>>6] |= uint64(bit) << (63 - uint(b.depth)&63)
		n.child[bit] = &branch{bucket: t.newBucket(prefix, b.depth+1, b.local && own == uint64(bit))}
	}
	for i, k := range b.keys {
		half := n.child[k.bit(b.depth)].bucket
		half.keys = append(half.keys, k)
		half.entries = append(half.entries, b.entries[i])
	}
}

// index returns the position of an entry, or -1.
func (b *bucket) index(k *key) int {
	for i := range b.keys {
		if b.keys[i] == *k {
			return i
		}
	}
	return -1
}

// spareIndex returns the position of a replacement, or -1.
func (b *bucket) spareIndex(k *key) int {
	for i, e := range b.spare {
		if e.key == *k {
			return i
		}
	}
	return -1
}

// find returns the entry or replacement of k, or nil.
func (b *bucket) find(k *key) *Entry {
	if i := b.index(k); i >= 0 {
		return b.entries[i]
	}
	if i := b.spareIndex(k); i >= 0 {
		return b.spare[i]
	}
	return nil
}

func (b *bucket) push(e *Entry) {
	b.keys = append(b.keys, e.key)
	b.entries = append(b.entries, e)
}

func (b *bucket) delete(i int) {
	b.keys = slices.Delete(b.keys, i, i+1)
	b.entries = slices.Delete(b.entries, i, i+1)
}

// toFront makes entry i the most recently seen one.
func (b *bucket) toFront(i int) {
	if i == 0 {
		return
	}
	k, e := b.keys[i], b.entries[i]
	copy(b.keys[1:i+1], b.keys[:i])
	copy(b.entries[1:i+1], b.entries[:i])
	b.keys[0], b.entries[0] = k, e
}

// spareToBack makes replacement i the newest, the next to be promoted.
func (b *bucket) spareToBack(i int) {
	e := b.spare[i]
	copy(b.spare[i:], b.spare[i+1:])
	b.spare[len(b.spare)-1] = e
}

// count returns how many entries and replacements are of a group.
func (b *bucket) count(group netip.Prefix) (n int) {
	for _, e := range b.entries {
		if e.group == group {
			n++
		}
	}
	for _, e := range b.spare {
		if e.group == group {
			n++
		}
	}
	return n
}

// each calls f for every bucket of the subtree in the order of ids, until f returns false.
func (n *branch) each(f func(*bucket) bool) bool {
	if n.bucket != nil {
		return f(n.bucket)
	}
	return n.child[0].each(f) && n.child[1].each(f)
}
