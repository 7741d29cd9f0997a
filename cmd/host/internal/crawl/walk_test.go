package crawl

import (
	"fmt"
	"slices"
	"testing"
)

// follow runs a walk over a node that knows some nodes at each distance and puts 16 into an answer. It returns the requests.
func follow(known map[uint]int, fresh func(ask int) int) (asked [][]uint) {
	w := newWalk()
	for w.distances() != nil {
		ds := w.distances()
		asked = append(asked, slices.Clone(ds))
		records := 0
		for _, d := range ds {
			records += known[d]
		}
		w.answered(min(records, 16), fresh(len(asked)))
	}
	return asked
}

func none(int) int { return 0 }

func TestWalk(t *testing.T) {
	for _, tt := range []struct {
		name  string
		known map[uint]int
		want  string
	}{
		{"nobody", nil, "[[256] [0 255 254 253 252] [251 250 249 248 247 246 245 244 243 242 241 240 239 238 237 236]]"},
		{"full buckets alone, the others in groups", map[uint]int{256: 16, 255: 16, 254: 8, 253: 4, 252: 2, 251: 1},
			"[[256] [255] [254] [0 253 252] [251 250 249 248] [247 246 245 244 243 242 241 240 239 238 237 236 235 234 233 232]]"},
		{"a group that is full is halved", map[uint]int{256: 3, 255: 9, 254: 9},
			"[[256] [0 255 254] [255] [254] [253] [252 251 250 249] [248 247 246 245 244 243 242 241 240 239 238 237 236 235 234 233]]"},
	} {
		if got := fmt.Sprint(follow(tt.known, none)); got != tt.want {
			t.Errorf("%s: asks %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Whatever a node knows is asked for, alone where it is more than an answer may hold, unless many empty distances lie above it.
func TestWalkCovers(t *testing.T) {
	for full := uint(1); full < 14; full++ {
		known := make(map[uint]int)
		for i := range full + 4 {
			known[256-i] = 16 >> max(int(i)-int(full)+1, 0)
		}
		covered := make(map[uint]bool)
		for _, ds := range follow(known, none) {
			records := 0
			for _, d := range ds {
				records += known[d]
			}
			for _, d := range ds {
				covered[d] = covered[d] || records < fullAnswer || len(ds) == 1
			}
		}
		for d := range known {
			if !covered[d] {
				t.Errorf("%d full distances: %d, with %d nodes, was not asked to the end", full, d, known[d])
			}
		}
	}
}

// A distance is asked again while it brings somebody new, and only so often.
func TestWalkRepeats(t *testing.T) {
	known := map[uint]int{256: 16}
	count := func(fresh func(int) int) (n int) {
		for _, ds := range follow(known, fresh) {
			if slices.Contains(ds, 256) {
				n++
			}
		}
		return n
	}
	if n := count(func(ask int) int { return max(4-ask, 0) }); n != 4 {
		t.Errorf("asked %d times, want until the fourth answer brought nobody", n)
	}
	if n := count(func(int) int { return 16 }); n != 1+maxRepeats {
		t.Errorf("asked %d times, want %d", n, 1+maxRepeats)
	}
}

// A node that fills every answer gets a bounded number of requests.
func TestWalkEnds(t *testing.T) {
	w := newWalk()
	for w.distances() != nil {
		w.answered(16, 16)
	}
	if w.asks != maxAsks {
		t.Errorf("%d requests, want %d", w.asks, maxAsks)
	}
}
