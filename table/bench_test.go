package table

import (
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// sized returns a table of about n verified entries: nodes are offered in growing closeness to Self until it is full.
func sized(t testing.TB, n int) *fixture {
	t.Helper()
	f := newFixture(t, Config{Limits: unlimited})
	for i := 0; f.Len() < n; i++ {
		id := RandomID(f.rng)
		if i > 20*16 { // Uniform ids would never fill the buckets close to Self.
			id = RandomIDAtDistance(f.rng, f.Self(), 1+f.rng.IntN(256))
		}
		if f.add(newNode(id, "20.0.0.1", 1)) == Added {
			f.Seen(f.now, id, 0)
		}
	}
	return f
}

func targets(f *fixture) (ids [1024]enode.ID) {
	for i := range ids {
		ids[i] = RandomID(f.rng)
	}
	return ids
}

func BenchmarkClosest16(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		f := sized(b, n)
		ids := targets(f)
		dst := make([]*Entry, 0, 16)
		for _, p := range []struct {
			name string
			pred func(*Entry) bool
		}{{"all", nil}, {"verified", isVerified}} {
			b.Run(fmt.Sprintf("%s/%d", p.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					dst = f.Closest(dst[:0], ids[i%len(ids)], 16, p.pred)
				}
			})
		}
	}
}

func BenchmarkAtDistances(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		f := sized(b, n)
		dst := make([]*Entry, 0, 16)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = f.AtDistances(dst[:0], []uint{256, 255, 254}, 16, isVerified)
			}
		})
	}
}

func BenchmarkRandom16(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		f := sized(b, n)
		dst := make([]*Entry, 0, 16)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = f.Random(dst[:0], 16, nil)
			}
		})
	}
}

func BenchmarkAddRemove(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		f := sized(b, n)
		var c []Candidate
		for len(c) < 1024 { // Nodes for which there is room.
			x := newNode(RandomIDAtDistance(f.rng, f.Self(), 236+f.rng.IntN(21)), "20.0.0.1", 1)
			if f.add(x) == Added {
				e, _ := f.Entry(x.ID())
				c = append(c, Candidate{Node: x, Addr: addrOf(x), Record: e.Record})
			}
			f.Remove(x.ID())
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				x := c[i%len(c)]
				if f.Add(f.now, x) != Added || !f.Remove(x.Node.ID()) {
					b.Fatal("no room")
				}
			}
		})
	}
}

func BenchmarkSeen(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		f := sized(b, n)
		ids := make([]enode.ID, 1024)
		for i := range ids {
			ids[i] = f.all[f.rng.IntN(f.Len())].ID()
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				f.pass(time.Millisecond)
				f.Seen(f.now, ids[i%len(ids)], time.Millisecond)
			}
		})
	}
}

func TestQueriesDoNotAllocate(t *testing.T) {
	f := sized(t, 1000)
	dst := make([]*Entry, 0, 16)
	target, member := RandomID(f.rng), f.all[500].ID()
	distances := []uint{256, 255, 254}
	for _, query := range []struct {
		name string
		run  func() []*Entry
	}{
		{"Closest", func() []*Entry { return f.Closest(dst, target, 16, isVerified) }},
		{"AtDistances", func() []*Entry { return f.AtDistances(dst, distances, 16, isVerified) }},
		{"Random", func() []*Entry { return f.Random(dst, 16, isVerified) }},
	} {
		if n := testing.AllocsPerRun(100, func() { query.run() }); n != 0 {
			t.Errorf("%s allocates %v objects", query.name, n)
		}
		if n := len(query.run()); n != 16 {
			t.Errorf("%s found %d", query.name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		f.pass(checkPause)
		f.Seen(f.now, member, 0)
		f.NextCheck(f.now)
	}); n != 0 {
		t.Errorf("Seen and NextCheck allocate %v objects", n)
	}
}
