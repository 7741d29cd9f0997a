package table

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

// noIndex is the index of what is not in the dense array or not in a queue.
const noIndex = -1

// Table is a Kademlia routing table. It belongs to one owner at a time, see the package comment.
type Table struct {
	cfg  Config // with defaults
	self key
	rand *rand.Rand

	root     branch
	all      []*Entry // every entry, in no order
	verified int
	spares   int
	groups   map[netip.Prefix]int // nodes of a prefix, replacements included

	soon  queue     // entries that are not verified, by due time
	paced queue     // verified ones
	pace  time.Time // no verified entry is checked before

	ranked  []ranked   // scratch of Closest
	measure []measured // scratch of Closest with a custom distance
	picked  []*Entry   // scratch of AtDistances
	spans   []span     // scratch of AtDistances
}

// New returns an empty table, or what Config.Validate reports.
func New(cfg Config) (*Table, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	cfg = cfg.withDefaults()
	t := &Table{
		cfg: cfg, self: keyOf(cfg.Self), rand: cfg.Rand,
		groups: make(map[netip.Prefix]int),
		ranked: make([]ranked, cfg.BucketSize),
	}
	t.root.bucket = t.newBucket(key{}, 0, true)
	return t, nil
}

// Self returns the local id.
func (t *Table) Self() enode.ID { return t.cfg.Self }

// Len returns the number of entries, without replacements.
func (t *Table) Len() int { return len(t.all) }

// Verified returns the number of entries that are verified.
func (t *Table) Verified() int { return t.verified }

// Replacements returns the number of nodes in reserve.
func (t *Table) Replacements() int { return t.spares }

// Add offers a node. A new one is not verified and is due for a check within a second, or what the candidate says. A record with a higher seq than
// the known one takes its place; if its address differs the node has to prove itself again.
func (t *Table) Add(now time.Time, c Candidate) Result {
	addr, ok := usable(c.Addr)
	if !ok || c.Node == nil {
		return NoAddress
	}
	if c.Node.ID() == t.cfg.Self {
		return LocalNode
	}
	k := keyOf(c.Node.ID())
	n := t.leaf(&k)
	if i := n.bucket.index(&k); i >= 0 {
		return t.update(now, n.bucket, n.bucket.entries[i], c, addr)
	}
	if i := n.bucket.spareIndex(&k); i >= 0 {
		return t.updateSpare(n.bucket, i, c, addr)
	}

	group := t.groupOf(addr)
	if !t.allowed(nil, group) {
		return AddressLimit
	}
	for len(n.bucket.entries) == t.cfg.BucketSize && t.splits(n.bucket) {
		t.split(n)
		n = n.child[k.bit(n.child[0].bucket.depth-1)]
	}
	b := n.bucket
	if !t.allowed(b, group) {
		return AddressLimit
	}
	e := &Entry{
		Node: c.Node, Record: recordOf(c), Addr: addr, Scope: c.Scope, Bootstrap: c.Bootstrap, Added: now,
		key: k, dist: t.logDist(&k), group: group, dense: noIndex, queued: noIndex,
	}
	t.take(group)
	if len(b.entries) < t.cfg.BucketSize {
		t.insert(now, b, e)
		if c.CheckWithin > 0 {
			t.schedule(e, t.within(now, c.CheckWithin))
		}
		return Added
	}
	if len(b.spare) == t.cfg.Replacements {
		t.deleteSpare(b, b.oldestSpare())
	}
	b.spare = append(b.spare, e)
	t.spares++
	return ReplacementAdded
}

// update handles a node that is an entry already.
func (t *Table) update(now time.Time, b *bucket, e *Entry, c Candidate, addr netip.AddrPort) Result {
	e.Bootstrap = e.Bootstrap || c.Bootstrap
	if c.Node.Seq() <= e.Node.Seq() {
		return Existing
	}
	moved := addr != e.Addr
	if !t.renew(b, e, c, addr) {
		return AddressLimit
	}
	if moved {
		t.demote(e)
		e.LastSeen, e.RTT, e.Failures = time.Time{}, 0, 0
		t.schedule(e, t.within(now, soonPause))
	}
	return Updated
}

// updateSpare handles a node that is in reserve already. Unless its record is older than the known one it becomes the
// next to be promoted.
func (t *Table) updateSpare(b *bucket, i int, c Candidate, addr netip.AddrPort) Result {
	e := b.spare[i]
	e.Bootstrap = e.Bootstrap || c.Bootstrap
	old := e.Node.Seq()
	if c.Node.Seq() < old {
		return ReplacementExisting
	}
	moved := addr != e.Addr
	if !t.renew(b, e, c, addr) {
		return AddressLimit
	}
	if moved {
		e.LastSeen, e.RTT = time.Time{}, 0
	}
	b.spareToBack(i)
	if c.Node.Seq() > old {
		return ReplacementUpdated
	}
	return ReplacementExisting
}

// renew gives e the record and address of c, unless the address budget forbids it.
func (t *Table) renew(b *bucket, e *Entry, c Candidate, addr netip.AddrPort) bool {
	if group := t.groupOf(addr); group != e.group {
		if !t.allowed(b, group) {
			return false
		}
		t.release(e.group)
		t.take(group)
		e.group = group
	}
	e.Node, e.Record, e.Addr, e.Scope = c.Node, recordOf(c), addr, c.Scope
	return true
}

// recordOf returns the RLP of the candidate's record.
func recordOf(c Candidate) []byte {
	if len(c.Record) > 0 {
		return c.Record
	}
	b, _ := rlp.EncodeToBytes(c.Node.Record()) // It fails for unsigned records only, and those make no enode.Node.
	return b
}

// SetBootstrap makes a node a bootstrap node or an ordinary one.
func (t *Table) SetBootstrap(id enode.ID, is bool) {
	if e := t.Known(id); e != nil {
		e.Bootstrap = is
	}
}

// Remove drops a node, entry or replacement, and reports whether it was there. Nothing takes its place: this is for
// bans. Bootstrap nodes are removed too.
func (t *Table) Remove(id enode.ID) bool {
	k := keyOf(id)
	b := t.bucketOf(&k)
	if i := b.index(&k); i >= 0 {
		t.deleteEntry(b, i)
		return true
	}
	if i := b.spareIndex(&k); i >= 0 {
		t.deleteSpare(b, i)
		return true
	}
	return false
}

// Replace drops an entry and promotes the newest replacement of its bucket, if there is one; either result may be nil.
// A bootstrap node is only demoted. This is for nodes that are not wanted any more; Failed decides about those that do not
// answer.
func (t *Table) Replace(now time.Time, id enode.ID) (removed, promoted *Entry) {
	k := keyOf(id)
	b := t.bucketOf(&k)
	i := b.index(&k)
	if i < 0 {
		return nil, nil
	}
	if e := b.entries[i]; e.Bootstrap {
		t.demote(e)
		t.schedule(e, t.within(now, soonPause))
		return nil, nil
	}
	return t.replace(now, b, i)
}

func (t *Table) replace(now time.Time, b *bucket, i int) (removed, promoted *Entry) {
	removed = b.entries[i]
	t.deleteEntry(b, i)
	if n := len(b.spare); n > 0 {
		promoted = b.spare[n-1]
		b.spare = slices.Delete(b.spare, n-1, n)
		t.spares--
		t.insert(now, b, promoted) // Its address is counted already.
	}
	return removed, promoted
}

// insert makes e the last entry of b, which has room.
func (t *Table) insert(now time.Time, b *bucket, e *Entry) {
	b.push(e)
	e.dense = len(t.all)
	t.all = append(t.all, e)
	t.schedule(e, t.within(now, soonPause))
}

// deleteEntry removes entry i of b.
func (t *Table) deleteEntry(b *bucket, i int) {
	e := b.entries[i]
	b.delete(i)
	t.unschedule(e)
	if e.Verified {
		t.verified--
	}
	last := len(t.all) - 1
	t.all[e.dense] = t.all[last]
	t.all[e.dense].dense = e.dense
	t.all[last] = nil
	t.all = t.all[:last]
	e.dense = noIndex
	t.release(e.group)
}

// deleteSpare removes replacement i of b.
func (t *Table) deleteSpare(b *bucket, i int) {
	t.release(b.spare[i].group)
	b.spare = slices.Delete(b.spare, i, i+1)
	t.spares--
}

// oldestSpare returns the replacement to give up: the oldest that is no bootstrap node, if there is one.
func (b *bucket) oldestSpare() int {
	return max(0, slices.IndexFunc(b.spare, func(e *Entry) bool { return !e.Bootstrap }))
}

// Entry returns the entry of id; replacements are not entries.
func (t *Table) Entry(id enode.ID) (*Entry, bool) {
	k := keyOf(id)
	b := t.bucketOf(&k)
	if i := b.index(&k); i >= 0 {
		return b.entries[i], true
	}
	return nil, false
}

// Known returns what the table has of id, be it an entry or a replacement, or nil.
func (t *Table) Known(id enode.ID) *Entry {
	k := keyOf(id)
	return t.bucketOf(&k).find(&k)
}

// Node returns the newest record known of id, be it an entry or a replacement, or nil.
func (t *Table) Node(id enode.ID) *enode.Node {
	if e := t.Known(id); e != nil {
		return e.Node
	}
	return nil
}

// All yields every entry in no particular order. The table must not be changed meanwhile.
func (t *Table) All() iter.Seq[*Entry] { return slices.Values(t.all) }

// Spares yields every replacement in no particular order. The table must not be changed meanwhile.
func (t *Table) Spares() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		t.root.each(func(b *bucket) bool {
			for _, e := range b.spare {
				if !yield(e) {
					return false
				}
			}
			return true
		})
	}
}

// BucketInfo describes a bucket.
type BucketInfo struct {
	Prefix       enode.ID // its ids begin with the first Depth bits of it, the others are zero
	Depth        int      // bits, 0 to 256
	Local        bool     // Self is in its range
	Entries      int
	Verified     int
	Replacements int
}

// Buckets yields every bucket in the order of ids. The table must not be changed meanwhile.
func (t *Table) Buckets() iter.Seq[BucketInfo] {
	return func(yield func(BucketInfo) bool) {
		t.root.each(func(b *bucket) bool {
			info := BucketInfo{
				Prefix: b.prefix.id(), Depth: b.depth, Local: b.local,
				Entries: len(b.entries), Replacements: len(b.spare),
			}
			for _, e := range b.entries {
				if e.Verified {
					info.Verified++
				}
			}
			return yield(info)
		})
	}
}

// logDist returns the log distance of k from Self.
func (t *Table) logDist(k *key) int {
	if t.cfg.LogDistance != nil {
		return t.cfg.LogDistance(t.cfg.Self, k.id())
	}
	return logDist(&t.self, k)
}
