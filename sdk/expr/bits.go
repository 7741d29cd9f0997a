package expr

import (
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/discv5/host/sdk/fields"
)

// set is what a value of type Bits holds: numbers, as a bit vector or as a list.
type set struct {
	bits fields.Bitvector
	list []uint16
}

func bitsOf(b fields.Bitvector) ref.Val { return &value[set]{bitsType.typ, set{bits: b}} }

func (s set) has(n int64) bool {
	if s.bits != nil {
		return n >= 0 && n < int64(8*len(s.bits)) && s.bits.Has(int(n))
	}
	return n >= 0 && n <= 0xffff && slices.Contains(s.list, uint16(n))
}

func (s set) count() int {
	if s.bits != nil {
		return s.bits.Count()
	}
	return len(s.list)
}

func (s set) numbers() ref.Val {
	if s.bits != nil {
		return ints(s.bits.Indices())
	}
	sorted := slices.Clone(s.list)
	slices.Sort(sorted)
	return ints(sorted)
}

// among counts how many of the numbers are in the set, up to enough.
func (s set) among(numbers []int64, enough int) int {
	n := 0
	for _, i := range numbers {
		if s.has(i) {
			if n++; n >= enough {
				break
			}
		}
	}
	return n
}

// numbersOf reads a list of ints; ok is false for anything else.
func numbersOf(v ref.Val) (out []int64, ok bool) {
	list, ok := v.(traits.Lister)
	if !ok {
		return nil, false
	}
	size, ok := list.Size().(types.Int)
	if !ok {
		return nil, false
	}
	out = make([]int64, 0, size)
	for i := types.Int(0); i < size; i++ {
		n, ok := list.Get(i).(types.Int)
		if !ok {
			return nil, false
		}
		out = append(out, int64(n))
	}
	return out, true
}

// question asks whether numbers of an expression are in a set.
type question func(s set, numbers []int64) bool

func anyOf(s set, numbers []int64) bool { return s.among(numbers, 1) == 1 }

func everyOf(s set, numbers []int64) bool { return s.among(numbers, len(numbers)+1) == len(numbers) }
