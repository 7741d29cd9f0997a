package fields

import (
	"fmt"
	"math"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

func TestCustodyGroupsOfTheSpecification(t *testing.T) {
	b, err := os.ReadFile("testdata/custody.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var num, want string
		var count uint64
		if _, err := fmt.Sscan(line, &num, &count, &want); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		n, ok := new(big.Int).SetString(num, 10)
		if !ok {
			t.Fatalf("%q is no number", num)
		}
		var id enode.ID
		n.FillBytes(id[:])
		cases++
		groups := CustodyGroups(id, count)
		got := strings.Trim(strings.ReplaceAll(fmt.Sprint(groups), " ", ","), "[]")
		if got != want {
			t.Errorf("%s, %d:\ngot  %s\nwant %s", num, count, got, want)
		}
		if cols := CustodyColumns(id, count); !slices.Equal(cols, groups) {
			t.Errorf("columns %v, want one for each group", cols)
		}
	}
	if cases != 3 {
		t.Errorf("%d cases, want 3", cases)
	}
}

func TestCustodyGroupsGrow(t *testing.T) {
	id := enode.HexID("a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7")
	var before []uint64
	for n := uint64(0); n <= NumberOfCustodyGroups; n++ {
		got := CustodyGroups(id, n)
		if uint64(len(got)) != n || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Fatalf("%d groups: %v", n, got)
		}
		for _, g := range before {
			if !slices.Contains(got, g) {
				t.Errorf("group %d of %d is none of %d", g, n-1, n)
			}
		}
		before = got
	}
	if got := CustodyGroups(id, math.MaxUint64); !slices.Equal(got, before) {
		t.Errorf("beyond all groups: %v", got)
	}
}

func BenchmarkCustodyGroups(b *testing.B) {
	for _, n := range []uint64{4, 8, 127} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				CustodyGroups(enode.ID{byte(i), byte(i >> 8)}, n)
			}
		})
	}
}
