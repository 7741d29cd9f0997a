package table

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// model is a table as slices that are searched from end to end, with the rules of DESIGN.md spelled out once more.
type model struct {
	cfg     Config
	buckets []*modelBucket
}

type modelBucket struct {
	bits           string // what its ids begin with
	entries, spare []*modelNode
}

type modelNode struct {
	id               enode.ID
	seq              uint64
	addr             netip.AddrPort
	boot, live       bool
	checks, failures int
	seen             bool
	counted, failed  time.Time
	checking         bool
	added, last      time.Time // when it came, when it answered last
}

// bit returns bit i of an id as a digit.
func bit(id enode.ID, i int) byte { return '0' + id[i/8]>>(7-i%8)&1 }

func (b *modelBucket) covers(id enode.ID) bool {
	for i := range b.bits {
		if bit(id, i) != b.bits[i] {
			return false
		}
	}
	return true
}

func (m *model) bucket(id enode.ID) *modelBucket {
	for _, b := range m.buckets {
		if b.covers(id) {
			return b
		}
	}
	panic("no bucket covers " + id.String())
}

func indexOf(list []*modelNode, id enode.ID) int {
	return slices.IndexFunc(list, func(n *modelNode) bool { return n.id == id })
}

func modelGroup(addr netip.AddrPort) string {
	b := addr.Addr().As4()
	if b[0] == 10 {
		return ""
	}
	return fmt.Sprint(b[:3])
}

func (m *model) fits(b *modelBucket, addr netip.AddrPort) bool {
	g := modelGroup(addr)
	if g == "" {
		return true
	}
	all := 0
	for _, other := range m.buckets {
		mine := 0
		for _, n := range slices.Concat(other.entries, other.spare) {
			if modelGroup(n.addr) == g {
				all++
				mine++
			}
		}
		if other == b && mine >= m.cfg.Limits.Bucket {
			return false
		}
	}
	return all < m.cfg.Limits.Table
}

func (m *model) add(now time.Time, c Candidate) Result {
	id := c.Node.ID()
	if id == m.cfg.Self {
		return LocalNode
	}
	b := m.bucket(id)
	i, j := indexOf(b.entries, id), indexOf(b.spare, id)
	var n *modelNode
	switch {
	case i >= 0:
		n = b.entries[i]
	case j >= 0:
		n = b.spare[j]
	}
	if n != nil {
		n.boot = n.boot || c.Bootstrap
		if i >= 0 && c.Node.Seq() <= n.seq {
			return Existing
		}
		if j >= 0 && c.Node.Seq() < n.seq {
			return ReplacementExisting
		}
		if modelGroup(c.Addr) != modelGroup(n.addr) && !m.fits(b, c.Addr) {
			return AddressLimit
		}
		newer, moved := c.Node.Seq() > n.seq, c.Addr != n.addr
		n.seq, n.addr = c.Node.Seq(), c.Addr
		if moved {
			if i >= 0 {
				n.live, n.checks, n.failures, n.checking = false, 0, 0, false
			}
			n.seen, n.last = false, time.Time{}
		}
		if i >= 0 {
			return Updated
		}
		b.spare = append(slices.Delete(b.spare, j, j+1), n)
		if newer {
			return ReplacementUpdated
		}
		return ReplacementExisting
	}
	if !m.fits(nil, c.Addr) {
		return AddressLimit
	}
	for len(b.entries) == m.cfg.BucketSize && (b.covers(m.cfg.Self) || len(b.bits)%m.cfg.BitsPerHop != 0) {
		zero, one := &modelBucket{bits: b.bits + "0"}, &modelBucket{bits: b.bits + "1"}
		for _, e := range b.entries {
			half := zero
			if bit(e.id, len(b.bits)) == '1' {
				half = one
			}
			half.entries = append(half.entries, e)
		}
		i := slices.Index(m.buckets, b)
		m.buckets = slices.Replace(m.buckets, i, i+1, zero, one)
		b = m.bucket(id)
	}
	if !m.fits(b, c.Addr) {
		return AddressLimit
	}
	n = &modelNode{id: id, seq: c.Node.Seq(), addr: c.Addr, boot: c.Bootstrap, added: now}
	if len(b.entries) < m.cfg.BucketSize {
		b.entries = append(b.entries, n)
		return Added
	}
	if len(b.spare) == m.cfg.Replacements {
		i := max(0, slices.IndexFunc(b.spare, func(n *modelNode) bool { return !n.boot }))
		b.spare = slices.Delete(b.spare, i, i+1)
	}
	b.spare = append(b.spare, n)
	return ReplacementAdded
}

func (m *model) replace(id enode.ID) {
	b := m.bucket(id)
	i := indexOf(b.entries, id)
	if i < 0 {
		return
	}
	if n := b.entries[i]; n.boot {
		n.live, n.checks, n.checking = false, 0, false
		return
	}
	m.swap(b, i)
}

func (m *model) swap(b *modelBucket, i int) {
	b.entries = slices.Delete(b.entries, i, i+1)
	if last := len(b.spare) - 1; last >= 0 {
		b.entries = append(b.entries, b.spare[last])
		b.spare = b.spare[:last]
	}
}

func (m *model) remove(id enode.ID) bool {
	b := m.bucket(id)
	if i := indexOf(b.entries, id); i >= 0 {
		b.entries = slices.Delete(b.entries, i, i+1)
		return true
	}
	if i := indexOf(b.spare, id); i >= 0 {
		b.spare = slices.Delete(b.spare, i, i+1)
		return true
	}
	return false
}

func (m *model) answer(now time.Time, id enode.ID) (first bool) {
	b := m.bucket(id)
	if i := indexOf(b.entries, id); i >= 0 {
		n := b.entries[i]
		first = !n.seen
		if n.checks == 0 || now.Sub(n.counted) >= checkPause {
			n.checks++
			n.counted = now
		}
		n.seen, n.last, n.live, n.failures, n.checking = true, now, true, 0, false
		b.entries = append([]*modelNode{n}, slices.Delete(b.entries, i, i+1)...)
	} else if i := indexOf(b.spare, id); i >= 0 {
		n := b.spare[i]
		first = !n.seen
		n.seen, n.last = true, now
		b.spare = append(slices.Delete(b.spare, i, i+1), n)
	}
	return first
}

// promote lets a replacement take the place of the worst entry that must yield to it.
func (m *model) promote(now time.Time, id enode.ID) (displaced *modelNode) {
	b := m.bucket(id)
	j := indexOf(b.spare, id)
	if j < 0 {
		return nil
	}
	n := b.spare[j]
	for _, e := range b.entries {
		yields := e.failures >= 2 || !e.seen && (e.failures == 1 || n.seen)
		if e.live || e.boot || !yields {
			continue
		}
		if displaced == nil || e.failures > displaced.failures || e.failures == displaced.failures && e.added.Before(displaced.added) {
			displaced = e
		}
	}
	if displaced == nil {
		return nil
	}
	i := indexOf(b.entries, displaced.id)
	b.entries = append(slices.Delete(b.entries, i, i+1), n)
	b.spare = slices.Delete(b.spare, j, j+1)
	if displaced.failures == 0 {
		b.spare = append([]*modelNode{displaced}, b.spare...)
	}
	if n.last.Equal(now) {
		m.answer(now, id)
	}
	return displaced
}

func (m *model) fail(now time.Time, id enode.ID) {
	b := m.bucket(id)
	if i := indexOf(b.spare, id); i >= 0 && !b.spare[i].boot {
		b.spare = slices.Delete(b.spare, i, i+1)
	}
	i := indexOf(b.entries, id)
	if i < 0 {
		return
	}
	n := b.entries[i]
	if n.failures > 0 && !n.checking && now.Sub(n.failed) < sameSilence {
		return
	}
	trusted := n.checks >= TrustedChecks
	n.live, n.checks, n.checking, n.failed = false, 0, false, now
	n.failures++
	if !trusted && !n.boot && (len(b.spare) > 0 || n.failures >= maxFailures) {
		m.swap(b, i)
	}
}

// compare reports the first difference between the model and the table.
func (m *model) compare(t *testing.T, tab *Table) {
	t.Helper()
	at := 0
	same := func(where string, got []*Entry, want []*modelNode) {
		if len(got) != len(want) {
			t.Fatalf("bucket %q has %d %s, want %d", m.buckets[at].bits, len(got), where, len(want))
		}
		for i, w := range want {
			e := got[i]
			if e.ID() != w.id || e.Node.Seq() != w.seq || e.Addr != w.addr || e.Bootstrap != w.boot || e.Verified != w.live ||
				e.Checks != w.checks || e.Failures != w.failures || e.LastSeen.IsZero() == w.seen || e.checking != w.checking {
				t.Fatalf("bucket %q, %s %d:\n got %s %+v\nwant %s %+v", m.buckets[at].bits, where, i, name(e.ID()), e, name(w.id), w)
			}
		}
	}
	tab.root.each(func(b *bucket) bool {
		if at == len(m.buckets) || b.depth != len(m.buckets[at].bits) {
			t.Fatalf("bucket %s/%d is not in the model", name(b.prefix.id()), b.depth)
		}
		same("entries", b.entries, m.buckets[at].entries)
		same("replacements", b.spare, m.buckets[at].spare)
		at++
		return true
	})
	if at != len(m.buckets) {
		t.Fatalf("%d buckets, want %d", at, len(m.buckets))
	}
}

// perform does one operation, chosen by three numbers, on a table and its model.
func perform(t *testing.T, f *fixture, m *model, op, which, how byte) {
	t.Helper()
	var target enode.ID // From a small world: a prefix of 3 bits, one low bit.
	target[0], target[31] = which&0xe0|how>>7, which&3
	if which&4 != 0 {
		target = IDAtDistance(f.Self(), int(which>>3)+224) // Or close to Self.
	}
	switch op % 9 {
	case 0, 1, 2:
		ip := fmt.Sprintf("%d.0.%d.%d", []int{10, 20}[min(1, how&7)], how&3, how)
		n := newNode(target, ip, uint64(how>>5))
		c := Candidate{Node: n, Addr: addrOf(n), Bootstrap: how&0x1f == 0x1f}
		if got, want := f.Add(f.now, c), m.add(f.now, c); got != want {
			t.Fatalf("Add(%s seq %d at %s) = %v, want %v", name(target), n.Seq(), ip, got, want)
		}
	case 3:
		if got, want := f.Seen(f.now, target, 0), m.answer(f.now, target); got != want {
			t.Fatalf("Seen(%s) = %v, want %v", name(target), got, want)
		}
	case 4:
		f.Failed(f.now, target)
		m.fail(f.now, target)
	case 5:
		if how < 128 {
			f.Replace(f.now, target)
			m.replace(target)
		} else if got, want := f.Remove(target), m.remove(target); got != want {
			t.Fatalf("Remove(%s) = %v, want %v", name(target), got, want)
		}
	case 6:
		f.pass(time.Duration(how) * 100 * time.Millisecond)
	case 7:
		e, wake := f.NextCheck(f.now)
		if e == nil {
			if f.Len() > 0 && !wake.After(f.now) {
				t.Fatalf("wake %v after now", wake.Sub(f.now))
			}
			return
		}
		f.CheckStarted(f.now, e.ID())
		b := m.bucket(e.ID())
		b.entries[indexOf(b.entries, e.ID())].checking = true
	case 8:
		if how < 128 { // as a host does when a node in reserve answers
			f.Seen(f.now, target, 0)
			m.answer(f.now, target)
		}
		displaced, promoted := f.Promote(f.now, target)
		want := m.promote(f.now, target)
		if (displaced != nil) != (want != nil) || (promoted != nil) != (want != nil) || want != nil && displaced.ID() != want.id {
			t.Fatalf("Promote(%s): %v made room for %v, want %+v to", name(target), displaced, promoted, want)
		}
	}
}

func modelConfig(which byte) Config {
	return Config{
		Self: id("2a01"), BitsPerHop: 1 + int(which&3), BucketSize: 1 + int(which>>2&3), Replacements: 1 + int(which>>4&3),
		Limits: Limits{Bucket: 1 + int(which>>6&1), Table: 2 + int(which>>7)},
	}
}

func TestAgainstModel(t *testing.T) {
	r := newRand(t)
	for round := range 60 {
		cfg := modelConfig(byte(round * 37))
		cfg.Rand = r
		f := newFixture(t, cfg)
		m := &model{cfg: cfg, buckets: []*modelBucket{{}}}
		for range 600 {
			w := r.Uint32()
			perform(t, f, m, byte(w), byte(w>>8), byte(w>>16))
			m.compare(t, f.Table)
			checkInvariants(t, f.Table)
		}
		askAll(t, f)
	}
}

// askAll compares every kind of query with a naive one.
func askAll(t *testing.T, f *fixture) {
	t.Helper()
	target := RandomID(f.rng)
	for _, k := range []int{1, 3, 1000} {
		if got, want := f.Closest(nil, target, k, isVerified), naiveClosest(f.Table, target, k, isVerified); !slices.Equal(got, want) {
			t.Fatalf("closest %d to %s: %s, want %s", k, name(target), entryNames(got), entryNames(want))
		}
	}
	var distances []uint
	for d := range uint(257) {
		distances = append(distances, d)
	}
	if got := f.AtDistances(nil, distances, 1000, nil); !sameSet(got, slices.Collect(f.All())) {
		t.Fatalf("at all distances: %d of %d", len(got), f.Len())
	}
	if got := f.Random(nil, 1000, nil); !sameSet(got, slices.Collect(f.All())) {
		t.Fatalf("all at random: %d of %d", len(got), f.Len())
	}
}

func FuzzTable(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		ops := make([]byte, 301)
		for i := range ops {
			ops[i] = byte(r.Uint32())
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) == 0 || len(ops) > 3000 {
			return
		}
		cfg := modelConfig(ops[0])
		cfg.Rand = rand.New(rand.NewPCG(1, 2))
		fx := newFixture(t, cfg)
		m := &model{cfg: cfg, buckets: []*modelBucket{{}}}
		for ops = ops[1:]; len(ops) >= 3; ops = ops[3:] {
			perform(t, fx, m, ops[0], ops[1], ops[2])
		}
		m.compare(t, fx.Table)
		checkInvariants(t, fx.Table)
		askAll(t, fx)
	})
}
