package table

import (
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestAtDistancesFindsTheClosest(t *testing.T) {
	f := populated(t, Config{}, 1000)
	closest := f.Closest(nil, f.Self(), 1, nil)[0]
	if got := f.AtDistances(nil, []uint{uint(closest.LogDist())}, 16, nil); !slices.Contains(got, closest) {
		t.Errorf("at %d: %s, without %s", closest.LogDist(), entryNames(got), name(closest.ID()))
	}
}

func TestAtDistancesIsComplete(t *testing.T) {
	for _, cfg := range []Config{{}, {BitsPerHop: 1}, {Distance: ringDistance, LogDistance: ringLogDistance}} {
		f := populated(t, cfg, 1000)
		for d := range uint(300) {
			for _, pred := range []func(*Entry) bool{nil, isVerified} {
				var want []*Entry
				for e := range f.All() {
					if d > 0 && e.LogDist() == int(d) && (pred == nil || pred(e)) {
						want = append(want, e)
					}
				}
				got := f.AtDistances(nil, []uint{d}, 10_000, pred)
				if !sameSet(got, want) {
					t.Fatalf("at %d: %d of %d: %s", d, len(got), len(want), entryNames(got))
				}
			}
		}
	}
}

func TestAtDistancesCustom(t *testing.T) {
	f := populated(t, Config{Distance: ringDistance, LogDistance: ringLogDistance}, 10)
	for e := range f.All() {
		d := ringLogDistance(f.Self(), e.ID())
		if got := f.AtDistances(nil, []uint{uint(d)}, 16, nil); !slices.Contains(got, e) {
			t.Errorf("at %d: %s, without %s", d, entryNames(got), name(e.ID()))
		}
	}
}

func TestAtDistancesTakesTurns(t *testing.T) {
	for _, tt := range []struct {
		name      string
		distances []uint
		k         int
		want      map[int]int // how many at each distance
	}{
		{"one", []uint{253}, 16, map[int]int{253: 10}},
		{"none there", []uint{100}, 16, map[int]int{}},
		{"own record", []uint{0}, 16, map[int]int{}},
		{"too far", []uint{257, 65535, 1 << 60}, 16, map[int]int{}},
		{"empty list", nil, 16, map[int]int{}},
		{"two share", []uint{253, 254}, 16, map[int]int{253: 8, 254: 8}},
		{"the other way round", []uint{254, 253}, 15, map[int]int{254: 8, 253: 7}},
		{"a small one leaves room", []uint{253, 252, 254}, 16, map[int]int{253: 7, 252: 3, 254: 6}},
		{"repeated ones count once", []uint{253, 253, 253, 254}, 16, map[int]int{253: 8, 254: 8}},
		{"bad ones void nothing", []uint{0, 300, 253, 257}, 16, map[int]int{253: 10}},
		{"gap", []uint{253, 20}, 16, map[int]int{253: 10, 20: 1}},
		{"no room", []uint{253}, 0, map[int]int{}},
		{"less than no room", []uint{253}, -1, map[int]int{}},
		{"all", []uint{253, 254, 252, 20}, 100, map[int]int{253: 10, 254: 10, 252: 3, 20: 1}},
	} {
		for _, custom := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				cfg := Config{Limits: unlimited}
				if custom {
					cfg.Distance = func(a, b enode.ID) [32]byte { return keyOf(a).xor(keyOf(b)).id() }
					cfg.LogDistance = LogDist
				}
				f := newFixture(t, cfg)
				for d, n := range map[int]int{253: 10, 254: 10, 252: 3, 20: 1} {
					f.want(Added, f.many(n, d)...)
				}
				got := map[int]int{}
				list := f.AtDistances(nil, tt.distances, tt.k, nil)
				for i, e := range list {
					got[e.LogDist()]++
					if slices.Contains(list[:i], e) {
						t.Errorf("%s twice", name(e.ID()))
					}
				}
				for d := range 257 {
					if got[d] != tt.want[d] {
						t.Errorf("at %d: %d, want %d", d, got[d], tt.want[d])
					}
				}
			})
		}
	}
}

func TestAtDistancesVaries(t *testing.T) {
	f := populated(t, Config{}, 1000)
	seen := make(map[*Entry]bool)
	for range 200 {
		for _, e := range f.AtDistances(nil, []uint{256}, 16, nil) {
			seen[e] = true
		}
	}
	all := f.AtDistances(nil, []uint{256}, 10_000, nil)
	if len(all) < 100 || len(seen) < len(all)*9/10 {
		t.Errorf("200 answers of 16 show %d of %d nodes", len(seen), len(all))
	}
}

func TestRandom(t *testing.T) {
	f := populated(t, Config{}, 200)
	for _, n := range []int{-1, 0, 1, 16, f.Len(), f.Len() + 50} {
		got := f.Random(nil, n, nil)
		if want := max(0, min(n, f.Len())); len(got) != want {
			t.Errorf("Random(%d) has %d, want %d", n, len(got), want)
		}
		for i, e := range got {
			if slices.Contains(got[:i], e) {
				t.Fatalf("%s twice", name(e.ID()))
			}
		}
		checkInvariants(t, f.Table)
	}
}

func TestRandomCountsMatches(t *testing.T) {
	f := populated(t, Config{}, 200)
	one := f.all[77]
	if got := f.Random(nil, 3, func(e *Entry) bool { return e == one }); len(got) != 1 || got[0] != one {
		t.Errorf("the one match: %s", entryNames(got))
	}
	if got := f.Random(nil, 3, func(*Entry) bool { return false }); len(got) != 0 {
		t.Errorf("no match: %s", entryNames(got))
	}
	if got := f.Random(nil, f.Verified(), isVerified); len(got) != f.Verified() {
		t.Errorf("%d of %d verified", len(got), f.Verified())
	}
	if got := newFixture(t, Config{}).Random(nil, 3, nil); len(got) != 0 {
		t.Errorf("of an empty table: %s", entryNames(got))
	}
}

func TestRandomIsFair(t *testing.T) {
	f := newFixture(t, Config{Limits: unlimited})
	f.want(Added, f.many(10, 256)...)
	count := make(map[*Entry]int)
	const rounds = 10_000
	for range rounds {
		for _, e := range f.Random(nil, 3, nil) {
			count[e]++
		}
	}
	for e, n := range count { // 3,000 expected, standard deviation 46.
		if n < 2700 || n > 3300 {
			t.Errorf("%s was drawn %d times of %d", name(e.ID()), n, rounds)
		}
	}
}

func sameSet(a, b []*Entry) bool {
	in := make(map[*Entry]bool)
	for _, e := range a {
		in[e] = true
	}
	for _, e := range b {
		if !in[e] {
			return false
		}
	}
	return len(in) == len(a) && len(a) == len(b)
}
