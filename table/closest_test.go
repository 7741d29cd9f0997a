package table

import (
	"bytes"
	"cmp"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// ringDistance is the absolute difference of two ids, a metric that has nothing to do with XOR.
func ringDistance(a, b enode.ID) (d [32]byte) {
	x, y := new(big.Int).SetBytes(a[:]), new(big.Int).SetBytes(b[:])
	x.Sub(x, y).Abs(x).FillBytes(d[:])
	return d
}

// ringLogDistance spreads over 1 to 255.
func ringLogDistance(a, b enode.ID) int {
	d := ringDistance(a, b)
	m := new(big.Int).SetBytes(d[:])
	return 1 + int(m.Mod(m, big.NewInt(255)).Int64())
}

// populated returns a table into which n random nodes were offered, two thirds of them verified.
func populated(t testing.TB, cfg Config, n int) *fixture {
	t.Helper()
	cfg.Limits = unlimited
	f := newFixture(t, cfg)
	for i := range n {
		id := RandomID(f.rng)
		if i%4 == 0 { // Some crowd around Self.
			id = RandomIDAtDistance(f.rng, f.Self(), 1+f.rng.IntN(256))
		}
		f.add(newNode(id, "20.0.0.1", 1))
		if i%3 != 0 {
			f.Seen(f.now, id, 0)
		}
	}
	checkInvariants(t, f.Table)
	return f
}

// naiveClosest sorts everything.
func naiveClosest(tab *Table, target enode.ID, k int, pred func(*Entry) bool) (list []*Entry) {
	distance := tab.cfg.Distance
	if distance == nil {
		distance = func(a, b enode.ID) (d [32]byte) {
			for i := range d {
				d[i] = a[i] ^ b[i]
			}
			return d
		}
	}
	for e := range tab.All() {
		if pred == nil || pred(e) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *Entry) int {
		da, db := distance(target, a.ID()), distance(target, b.ID())
		return cmp.Or(bytes.Compare(da[:], db[:]), slices.Compare(a.key[:], b.key[:]))
	})
	return list[:max(0, min(k, len(list)))]
}

func isVerified(e *Entry) bool { return e.Verified }

func TestClosestIsExact(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"xor", Config{}},
		{"xor, one bit", Config{BitsPerHop: 1}},
		{"custom", Config{Distance: ringDistance, LogDistance: ringLogDistance}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{0, 1, 10, 100, 1000} {
				f := populated(t, tt.cfg, n)
				for i := range 15 {
					target := RandomID(f.rng)
					switch {
					case i%5 == 0:
						target = f.Self()
					case i%5 == 1:
						target = RandomIDAtDistance(f.rng, f.Self(), f.rng.IntN(257))
					case i%5 == 2 && f.Len() > 0:
						target = f.all[f.rng.IntN(f.Len())].ID()
					}
					for _, k := range []int{-1, 0, 1, 2, 16, 17, 100, 2000} {
						for _, pred := range []func(*Entry) bool{nil, isVerified} {
							got, want := f.Closest(nil, target, k, pred), naiveClosest(f.Table, target, k, pred)
							if !slices.Equal(got, want) {
								t.Fatalf("closest %d to %s of %d:\n got %s\nwant %s",
									k, name(target), n, entryNames(got), entryNames(want))
							}
						}
					}
				}
			}
		})
	}
}

func TestClosestComparesWholeDistances(t *testing.T) {
	f := newFixture(t, Config{Self: id("ff"), Limits: unlimited})
	for _, n := range []uint64{9, 3, 12, 1, 7} { // They differ in the last bits only.
		f.want(Added, newNode(numbered(n), "20.0.0.1", 1))
	}
	for _, k := range []int{2, 5} {
		got := f.Closest(nil, numbered(2), k, nil)
		want := naiveClosest(f.Table, numbered(2), k, nil)
		if !slices.Equal(got, want) {
			t.Errorf("closest %d: %s, want %s", k, entryNames(got), entryNames(want))
		}
	}
}

func TestClosestAppends(t *testing.T) {
	for _, cfg := range []Config{{}, {Distance: ringDistance, LogDistance: ringLogDistance}} {
		f := populated(t, cfg, 100)
		mine := &Entry{}
		got := f.Closest([]*Entry{mine}, f.Self(), 3, nil)
		if len(got) != 4 || got[0] != mine || !slices.Equal(got[1:], naiveClosest(f.Table, f.Self(), 3, nil)) {
			t.Errorf("%d entries", len(got))
		}
	}
}

func TestClosestWithPredicate(t *testing.T) {
	f := populated(t, Config{Distance: ringDistance, LogDistance: ringLogDistance}, 10)
	if got := f.Closest(nil, f.Self(), 10, nil); len(got) != f.Len() { // Two of the ids may be the same.
		t.Errorf("without predicate: %d of %d", len(got), f.Len())
	}
	one := f.all[0]
	got := f.Closest(nil, f.Self(), 10, func(e *Entry) bool { return e == one })
	if len(got) != 1 || got[0] != one {
		t.Errorf("with predicate: %s, want %s", entryNames(got), name(one.ID()))
	}
}
