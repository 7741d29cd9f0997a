package table

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"
)

func TestConfigValidate(t *testing.T) {
	if err := new(Config).Validate(); err != nil {
		t.Errorf("zero config: %v", err)
	}
	bad := Config{
		BitsPerHop: 9, BucketSize: -1, Replacements: 257, Limits: Limits{PrefixV4: 33, PrefixV6: -1},
		Distance: func(a, b enode.ID) [32]byte { return a },
	}
	_, err := New(bad)
	for _, part := range []string{
		"bits per hop 9", "bucket size -1", "replacements 257", "IPv4 limit prefix 33", "IPv6 limit prefix -1", "log distance",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
	if errors.Unwrap(err) == nil {
		t.Error("New does not wrap what Validate reports")
	}
}

func TestAddLocalNode(t *testing.T) {
	f := newFixture(t, Config{})
	f.want(LocalNode, newNode(f.Self(), "20.0.0.1", 1))
	if f.Len() != 0 {
		t.Errorf("%d entries", f.Len())
	}
}

func TestAddWithoutAddress(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(256)
	for _, addr := range []string{"0.0.0.0:1", "[::]:1", "20.0.0.1:0", "224.0.0.1:1", "[ff02::1]:1", "[::ffff:0.0.0.0]:1"} {
		if got := f.Add(f.now, Candidate{Node: n, Addr: netip.MustParseAddrPort(addr)}); got != NoAddress {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if got := f.Add(f.now, Candidate{Node: n}); got != NoAddress {
		t.Errorf("no address: %v", got)
	}
	if got := f.Add(f.now, Candidate{Addr: addrOf(n)}); got != NoAddress {
		t.Errorf("no node: %v", got)
	}
	if got := f.Add(f.now, Candidate{Node: n, Addr: netip.MustParseAddrPort("[::ffff:20.0.0.1]:1")}); got != Added {
		t.Errorf("4-in-6: %v", got)
	}
	if e, _ := f.Entry(n.ID()); e.Addr != netip.MustParseAddrPort("20.0.0.1:1") {
		t.Errorf("4-in-6 is kept as %v", e.Addr)
	}
}

func TestEntryHoldsWhatWasAdded(t *testing.T) {
	f := newFixture(t, Config{})
	n := f.at(200)
	f.want(Added, n)
	e, ok := f.Entry(n.ID())
	if !ok || e.Node != n || e.Addr != addrOf(n) || e.Verified || !e.Added.Equal(f.now) || e.LogDist() != 200 {
		t.Errorf("entry %+v", e)
	}
	if want, _ := rlp.EncodeToBytes(n.Record()); !bytes.Equal(e.Record, want) {
		t.Errorf("record %x, want %x", e.Record, want)
	}
	given := f.at(100)
	f.Add(f.now, Candidate{Node: given, Addr: addrOf(given), Record: []byte{1, 2}})
	if e, _ := f.Entry(given.ID()); !bytes.Equal(e.Record, []byte{1, 2}) {
		t.Errorf("the given record is kept as %x", e.Record)
	}
}

func TestNodeStaysAmongMany(t *testing.T) {
	f := newFixture(t, Config{BucketSize: 24, Limits: unlimited})
	n := newNode(RandomID(f.rng), "20.0.0.1", 1)
	f.want(Added, n)
	for range 1000 {
		f.add(newNode(RandomID(f.rng), f.fresh(), 1))
	}
	checkInvariants(t, f.Table)
	if f.Node(n.ID()) != n {
		t.Error("the first node is gone")
	}
}

func TestSplitTowardsSelf(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	for d := 256; d > 250; d-- {
		f.want(Added, f.many(16, d)...)
		f.want(ReplacementAdded, f.at(d))
	}
}

func TestSplitElsewhereOneBit(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	f.want(Added, f.many(16, 256)...)
	f.want(ReplacementAdded, f.at(256))
	f.want(Added, f.at(255))
}

func TestSplitElsewhereTwoBits(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 2, Limits: unlimited})
	first := f.at(256)
	f.want(Added, first)
	for range 15 { // They share 2 bits with the first.
		f.want(Added, f.near(first.ID(), 254, f.fresh()))
	}
	for range 16 { // They share 1 bit, so that the far half splits once.
		f.want(Added, f.near(first.ID(), 255, f.fresh()))
	}
	f.want(ReplacementAdded, f.at(256), f.near(first.ID(), 255, f.fresh()), f.near(first.ID(), 254, f.fresh()))
	f.want(Added, f.at(255))
}

func TestSplitToTheLastBit(t *testing.T) {
	f := newFixture(t, Config{Self: id("0001"), BucketSize: 1, Limits: unlimited})
	for d := MaxDistance; d > 0; d-- {
		f.want(Added, newNode(IDAtDistance(f.Self(), d), f.fresh(), 1))
	}
	if f.Len() != 256 {
		t.Errorf("%d entries", f.Len())
	}
}

func TestReplacements(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	nodes := f.many(16, 256)
	f.want(Added, nodes...)
	f.want(ReplacementAdded, f.many(8, 256)...)
	last := f.at(256)
	f.want(ReplacementAdded, last)
	if f.Replacements() != 8 {
		t.Errorf("%d replacements", f.Replacements())
	}
	removed, promoted := f.Replace(f.now, f.tail().ID())
	if removed.Node != nodes[15] || promoted.Node != last {
		t.Errorf("removed %s, promoted %s", name(removed.ID()), name(promoted.ID()))
	}
	f.has(last, true)
	f.has(nodes[15], false)
	checkInvariants(t, f.Table)
}

func TestReplaceInEmptyTable(t *testing.T) {
	f := newFixture(t, Config{})
	if e, wake := f.NextCheck(f.now); e != nil || !wake.IsZero() {
		t.Errorf("to check: %v, wake %v", e, wake)
	}
	f.Replace(f.now, RandomID(f.rng))
	n := f.at(256)
	f.want(Added, n)
	f.Replace(f.now, RandomID(f.rng))
	if f.Len() != 1 {
		t.Errorf("%d entries after replacing a stranger", f.Len())
	}
	f.Replace(f.now, n.ID())
	if f.Len() != 0 {
		t.Errorf("%d entries after replacing the only one", f.Len())
	}
	checkInvariants(t, f.Table)
}

func TestReplaceWithoutReplacement(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	nodes := f.many(16, 256)
	f.want(Added, nodes...)
	f.replaceTail()
	f.has(nodes[15], false)
}

func TestAddTwice(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	n := f.at(256)
	f.want(Added, n)
	f.want(Existing, n)
	f.want(Added, f.many(15, 256)...)
	f.want(ReplacementAdded, f.at(256))
	f.want(Existing, n)
	for range 16 { // n is the first and stays so; one replacement comes in.
		f.replaceTail()
	}
	f.has(n, true)
	if f.Len() != 1 {
		t.Errorf("%d entries", f.Len())
	}
}

func TestAddReplacementTwice(t *testing.T) {
	f := newFixture(t, Config{BitsPerHop: 1, Limits: unlimited})
	nodes := f.many(16, 256)
	f.want(Added, nodes...)
	spare := f.many(8, 256)
	f.want(ReplacementAdded, spare...)
	f.want(ReplacementExisting, spare[0])
	f.replaceTail()
	f.has(spare[0], true)
	f.has(nodes[15], false)
}

func TestUpdate(t *testing.T) {
	f := newFixture(t, Config{Limits: unlimited})
	old := newNode(id("ab"), "20.0.0.1", 5)
	f.want(Added, old)
	f.Seen(f.now, old.ID(), time.Second)
	f.want(Existing, newNode(id("ab"), "20.0.1.1", 4), newNode(id("ab"), "20.0.1.1", 5))
	e, _ := f.Entry(old.ID())
	if e.Node != old || e.Addr != addrOf(old) {
		t.Fatalf("an old record took the place of a newer one: %+v", e)
	}

	same := newNode(id("ab"), "20.0.0.1", 6)
	f.want(Updated, same)
	if e.Node != same || !e.Verified || e.Checks != 1 || e.RTT != time.Second {
		t.Errorf("after an update at the same address: %+v", e)
	}
	moved := newNode(id("ab"), "20.0.1.1", 7)
	f.want(Updated, moved)
	if e.Node != moved || e.Addr != addrOf(moved) || e.Verified || e.Checks != 0 || !e.LastSeen.IsZero() {
		t.Errorf("after an update to another address: %+v", e)
	}
	if !f.Seen(f.now, moved.ID(), 0) {
		t.Error("the first answer from the new address is not the first")
	}
}

func TestUpdateReplacement(t *testing.T) {
	f := newFixture(t, Config{Self: id("0001"), BitsPerHop: 1, BucketSize: 1, Limits: unlimited})
	f.want(Added, newNode(id("80"), "20.0.0.1", 1))
	f.want(ReplacementAdded, newNode(id("81"), "20.0.1.1", 5), newNode(id("82"), "20.0.2.1", 5))
	f.want(ReplacementExisting, newNode(id("81"), "20.0.3.1", 4)) // Too old to matter, in order and address.
	newer := newNode(id("81"), "20.0.3.1", 6)
	if f.Node(id("81")).Seq() != 5 {
		t.Error("an older record took the place of a newer one")
	}
	f.want(ReplacementUpdated, newer)
	if _, promoted := f.Replace(f.now, id("80")); promoted == nil || promoted.Node != newer || promoted.Addr != addrOf(newer) {
		t.Errorf("promoted %+v", promoted)
	}
	checkInvariants(t, f.Table)
}

func TestRemove(t *testing.T) {
	f := newFixture(t, Config{Self: id("0001"), BitsPerHop: 1, BucketSize: 1})
	f.want(Added, newNode(id("80"), "20.0.0.1", 1))
	f.want(ReplacementAdded, newNode(id("81"), "20.0.0.2", 1))
	f.want(AddressLimit, newNode(id("82"), "20.0.0.3", 1))
	for _, tt := range []struct {
		id   enode.ID
		want bool
	}{{id("82"), false}, {id("80"), true}, {id("80"), false}, {id("81"), true}, {id("81"), false}} {
		if got := f.Remove(tt.id); got != tt.want {
			t.Errorf("Remove(%s) = %v", name(tt.id), got)
		}
		checkInvariants(t, f.Table)
	}
	if f.Len() != 0 || f.Replacements() != 0 {
		t.Errorf("%d entries, %d replacements", f.Len(), f.Replacements())
	}
	f.want(Added, newNode(id("82"), "20.0.0.3", 1))
}

func TestOverflowSparesBootstrapReplacements(t *testing.T) {
	f := newFixture(t, Config{Self: id("0001"), BitsPerHop: 1, BucketSize: 1, Replacements: 2, Limits: unlimited})
	boot := newNode(id("81"), "20.0.1.1", 1)
	f.want(Added, newNode(id("80"), "20.0.0.1", 1))
	f.Add(f.now, Candidate{Node: boot, Addr: addrOf(boot), Bootstrap: true})
	f.want(ReplacementAdded, newNode(id("82"), "20.0.2.1", 1), newNode(id("83"), "20.0.3.1", 1))
	if f.Node(boot.ID()) == nil || f.Node(id("82")) != nil {
		t.Error("the bootstrap node made way for an ordinary one")
	}
}

func TestBuckets(t *testing.T) {
	f := newFixture(t, Config{Self: id("0001"), BitsPerHop: 1, BucketSize: 2, Limits: unlimited})
	for _, s := range []string{"80", "90", "a0", "40", "41", "20"} {
		f.add(newNode(id(s), f.fresh(), 1))
	}
	f.Seen(f.now, id("80"), 0)
	var got []BucketInfo
	for b := range f.Buckets() {
		got = append(got, b)
	}
	want := []BucketInfo{
		{Prefix: id("00"), Depth: 2, Local: true, Entries: 1},
		{Prefix: id("40"), Depth: 2, Entries: 2},
		{Prefix: id("80"), Depth: 1, Entries: 2, Verified: 1, Replacements: 1},
	}
	if len(got) != len(want) {
		t.Fatalf("buckets %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("bucket %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	for range f.Buckets() {
		break // Leaving early is allowed.
	}
	n := 0
	for e := range f.All() {
		if _, ok := f.Entry(e.ID()); !ok {
			t.Errorf("%s is no entry", name(e.ID()))
		}
		n++
	}
	if n != f.Len() {
		t.Errorf("All yields %d of %d", n, f.Len())
	}
}

func TestResultString(t *testing.T) {
	seen := make(map[string]bool)
	for r := Added; r <= Banned; r++ {
		if s := r.String(); s == "" || seen[s] || strings.HasPrefix(s, "result_") {
			t.Errorf("result %d: %q", r, s)
		}
		seen[r.String()] = true
		if r.InTable() != (r <= Existing) {
			t.Errorf("%v.InTable() = %v", r, r.InTable())
		}
	}
	if Result(0).String() != "result_0" || Result(99).String() != "result_99" {
		t.Errorf("unknown results: %v, %v", Result(0), Result(99))
	}
}
