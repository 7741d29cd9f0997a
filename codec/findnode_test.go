package codec

import (
	"math"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
)

// findNodeBody encodes a request as a peer might, whatever the distances.
func findNodeBody(distances ...uint64) []byte {
	var list []byte
	for _, d := range distances {
		list = rlp.AppendUint64(list, d)
	}
	list = append(appendListHeader(nil, len(list)), list...)
	return append(appendListHeader(nil, len(list)+1), append([]byte{1}, list...)...)
}

func TestParseFindNodeDistances(t *testing.T) {
	var every, twice []uint64
	var all []int
	for d := range 257 {
		every = append(every, uint64(256-d))
		all = append(all, 256-d)
	}
	twice = append(every, every...)
	tests := []struct {
		name string
		in   []uint64
		want []int
	}{
		{"none", nil, nil},
		{"order is kept", []uint64{253, 254, 252}, []int{253, 254, 252}},
		{"own record among others", []uint64{256, 0, 255}, []int{256, 0, 255}},
		{"duplicates", []uint64{0, 1, 0, 1, 256, 1, 256}, []int{0, 1, 256}},
		{"too large", []uint64{257, 65535, 256, 1 << 40, 1<<64 - 1}, []int{256}},
		{"too large only", []uint64{257}, nil},
		{"every one", every, all},
		{"every one twice", twice, all},
	}
	for _, tt := range tests {
		m, err := ParseFindNode(findNodeBody(tt.in...))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := slices.Collect(m.Distances.All()); !slices.Equal(got, tt.want) || m.Distances.Len() != len(tt.want) {
			t.Errorf("%s: got %v", tt.name, got)
		}
		for i, want := range tt.want {
			if m.Distances.At(i) != want || !m.Distances.Contains(want) {
				t.Errorf("%s: distance %d is %d, want %d", tt.name, i, m.Distances.At(i), want)
			}
		}
	}
}

func TestDistancesAdd(t *testing.T) {
	var d Distances
	for _, dist := range []int{-1, 257, math.MaxInt, math.MinInt} {
		if d.Add(dist) || d.Contains(dist) || d.Len() != 0 {
			t.Errorf("%d is taken for a distance", dist)
		}
	}
	if !d.Add(64) || d.Add(64) || d.Len() != 1 || d.Contains(63) || d.Contains(65) {
		t.Errorf("after adding 64 twice: %v", slices.Collect(d.All()))
	}
	if NewDistances(3, 1, 3, 300, 2) != NewDistances(3, 1, 2) {
		t.Error("equal sets differ")
	}
	pair := NewDistances(1, 2)
	for dist := range pair.All() { // stopping early
		if dist != 1 {
			t.Errorf("first distance %d", dist)
		}
		break
	}
}
