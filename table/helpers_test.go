package table

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

var seedFlag = flag.Uint64("seed", 0, "seed of random tests, 0 = a new one")

// start is when every test begins.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// unlimited takes the address limits out of tests that are about something else.
var unlimited = Limits{Bucket: -1, Table: -1}

func newRand(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test -run '%s' -seed %d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// fixture is a table with what tests need around it.
type fixture struct {
	*Table
	t    testing.TB
	now  time.Time
	rng  *rand.Rand
	next uint16 // for fresh addresses
}

func newFixture(t testing.TB, cfg Config) *fixture {
	t.Helper()
	f := &fixture{t: t, now: start, rng: cfg.Rand}
	if f.rng == nil {
		f.rng = newRand(t)
	}
	if cfg.Self == (enode.ID{}) {
		cfg.Self = RandomID(f.rng)
	}
	cfg.Rand = f.rng
	var err error
	if f.Table, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return f
}

// fresh returns an address in a /24 that nobody else has.
func (f *fixture) fresh() string {
	f.next++
	return fmt.Sprintf("20.%d.%d.1", f.next>>8, f.next&0xff)
}

// at returns a new node at a log distance from Self, with an address of its own.
func (f *fixture) at(d int) *enode.Node { return f.atIP(d, f.fresh()) }

func (f *fixture) atIP(d int, ip string) *enode.Node { return f.near(f.Self(), d, ip) }

// near returns a new node at a log distance from any id.
func (f *fixture) near(id enode.ID, d int, ip string) *enode.Node {
	return newNode(RandomIDAtDistance(f.rng, id, d), ip, 1)
}

// many returns n new nodes at a log distance from Self.
func (f *fixture) many(n, d int) (nodes []*enode.Node) {
	for range n {
		nodes = append(nodes, f.at(d))
	}
	return nodes
}

func (f *fixture) manyIP(n, d int, ip string) (nodes []*enode.Node) {
	for range n {
		nodes = append(nodes, f.atIP(d, ip))
	}
	return nodes
}

func (f *fixture) add(n *enode.Node) Result {
	return f.Add(f.now, Candidate{Node: n, Addr: addrOf(n)})
}

// want adds nodes and expects one result for all.
func (f *fixture) want(r Result, nodes ...*enode.Node) {
	f.t.Helper()
	for i, n := range nodes {
		if got := f.add(n); got != r {
			f.t.Fatalf("Add of node %d, %s: %v, want %v", i, name(n.ID()), got, r)
		}
	}
	checkInvariants(f.t, f.Table)
}

// tail returns the least recently seen entry of the bucket that has entries; tests use it with one such bucket.
func (f *fixture) tail() *Entry {
	f.t.Helper()
	var found *Entry
	f.root.each(func(b *bucket) bool {
		if n := len(b.entries); n > 0 {
			found = b.entries[n-1]
		}
		return found == nil
	})
	if found == nil {
		f.t.Fatal("the table is empty")
	}
	return found
}

func (f *fixture) replaceTail() {
	f.t.Helper()
	f.Replace(f.now, f.tail().ID())
	checkInvariants(f.t, f.Table)
}

func (f *fixture) has(n *enode.Node, want bool) {
	f.t.Helper()
	if _, ok := f.Entry(n.ID()); ok != want {
		f.t.Fatalf("entry %s: %v, want %v", name(n.ID()), ok, want)
	}
}

// newNode returns a node with any id, under the identity scheme that needs no signature.
func newNode(id enode.ID, ip string, seq uint64) *enode.Node {
	var r enr.Record
	if addr := netip.MustParseAddr(ip); addr.Is4() {
		r.Set(enr.IPv4Addr(addr))
		r.Set(enr.UDP(9000))
	} else {
		r.Set(enr.IPv6Addr(addr))
		r.Set(enr.UDP6(9000))
	}
	r.SetSeq(seq)
	return enode.SignNull(&r, id)
}

func addrOf(n *enode.Node) netip.AddrPort {
	addr, _ := n.UDPEndpoint()
	return addr
}

// id returns the id with these leading hex digits and zeros after them.
func id(hex string) enode.ID {
	return enode.HexID(hex + strings.Repeat("0", 64-len(hex)))
}

// numbered returns the id that is a number.
func numbered(n uint64) (id enode.ID) {
	binary.BigEndian.PutUint64(id[24:], n)
	return id
}

// name shortens an id to the digits that tell it apart in tests: leading ones, and trailing ones if there are any.
func name(id enode.ID) string {
	s := id.String()
	if t := strings.TrimRight(s, "0"); len(t) <= 8 {
		return s[:max(4, len(t))]
	}
	return s[:4] + "…" + s[60:]
}

func names(nodes []*enode.Node) string {
	s := make([]string, len(nodes))
	for i, n := range nodes {
		s[i] = name(n.ID())
	}
	return strings.Join(s, " ")
}

func entryNames(entries []*Entry) string {
	s := make([]string, len(entries))
	for i, e := range entries {
		s[i] = name(e.ID())
	}
	return strings.Join(s, " ")
}

// checkInvariants compares everything a table counts or indexes with what its buckets hold.
func checkInvariants(t testing.TB, tab *Table) {
	t.Helper()
	var entries, verified, spares int
	groups := make(map[netip.Prefix]int)
	known := make(map[enode.ID]bool)
	one := func(b *bucket, e *Entry, mine map[netip.Prefix]int) {
		if known[e.ID()] {
			t.Fatalf("%s is twice in the table", name(e.ID()))
		}
		known[e.ID()] = true
		if e.group.IsValid() {
			groups[e.group]++
			mine[e.group]++
		}
		for i := range b.depth {
			if e.key.bit(i) != b.prefix.bit(i) {
				t.Fatalf("%s is in the bucket of %s/%d", name(e.ID()), name(b.prefix.id()), b.depth)
			}
		}
		if e.Node.ID() != e.ID() || tab.groupOf(e.Addr) != e.group || len(e.Record) == 0 {
			t.Fatalf("%s does not agree with itself: %+v", name(e.ID()), e)
		}
	}
	tab.root.each(func(b *bucket) bool {
		mine := make(map[netip.Prefix]int)
		if len(b.keys) != len(b.entries) || len(b.entries) > tab.cfg.BucketSize || len(b.spare) > tab.cfg.Replacements {
			t.Fatalf("bucket of %d keys, %d entries, %d replacements", len(b.keys), len(b.entries), len(b.spare))
		}
		if tab.splits(b) && len(b.spare) > 0 {
			t.Fatalf("a bucket that can split has replacements")
		}
		if b.local != (MaxDistance-logDist(&b.prefix, &tab.self) >= b.depth) {
			t.Fatalf("bucket %s/%d: local is %v", name(b.prefix.id()), b.depth, b.local)
		}
		for i, e := range b.entries {
			one(b, e, mine)
			if b.keys[i] != e.key || tab.all[e.dense] != e || (*tab.queueOf(e))[e.queued] != e || e.paced != e.Verified {
				t.Fatalf("%s is not where its indices say", name(e.ID()))
			}
			if e.Verified {
				verified++
			}
			if e.Verified && e.Failures > 0 || !e.Verified && e.Checks > 0 {
				t.Fatalf("%s: verified %v, %d checks, %d failures", name(e.ID()), e.Verified, e.Checks, e.Failures)
			}
		}
		for _, e := range b.spare {
			one(b, e, mine)
			if e.dense != noIndex || e.queued != noIndex || e.Verified {
				t.Fatalf("replacement %s is used as an entry", name(e.ID()))
			}
		}
		for g, n := range mine {
			if l := tab.cfg.Limits.Bucket; l >= 0 && n > l {
				t.Fatalf("%d nodes of %s in a bucket", n, g)
			}
		}
		entries += len(b.entries)
		spares += len(b.spare)
		return true
	})
	if entries != tab.Len() || verified != tab.Verified() || spares != tab.Replacements() {
		t.Fatalf("counted %d entries, %d verified, %d replacements; the table says %d, %d, %d",
			entries, verified, spares, tab.Len(), tab.Verified(), tab.Replacements())
	}
	for e := range tab.Spares() {
		if _, entry := tab.Entry(e.ID()); entry || tab.Known(e.ID()) != e {
			t.Fatalf("replacement %s is none", name(e.ID()))
		}
		spares--
	}
	if spares != 0 {
		t.Fatalf("%d replacements more than Spares tells", spares)
	}
	if len(tab.soon)+len(tab.paced) != entries || len(tab.paced) != verified {
		t.Fatalf("queues of %d and %d for %d entries, %d verified", len(tab.soon), len(tab.paced), entries, verified)
	}
	for _, q := range []queue{tab.soon, tab.paced} {
		for i := 1; i < len(q); i++ {
			if q[i].due.Before(q[(i-1)/2].due) {
				t.Fatal("a queue is out of order")
			}
		}
	}
	if len(groups) != len(tab.groups) {
		t.Fatalf("%d prefixes in use, %d counted", len(groups), len(tab.groups))
	}
	for g, n := range groups {
		if l := tab.cfg.Limits.Table; tab.groups[g] != n || l >= 0 && n > l {
			t.Fatalf("%d nodes of %s, %d counted, limit %d", n, g, tab.groups[g], l)
		}
	}
}

func readTestdata(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mustScan(t *testing.T, line string, into ...any) {
	t.Helper()
	if _, err := fmt.Sscan(line, into...); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
}
