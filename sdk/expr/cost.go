package expr

import (
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/types"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

// estimator tells CEL how large the parts of a record can be, so that it can say before the first
// evaluation what an expression may cost.
type estimator struct{ objects map[string]*object }

// EstimateSize returns the largest size of text, bytes, lists and maps.
func (e estimator) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	limit := uint64(0)
	switch n.Type().Kind() {
	case types.StringKind:
		limit = maxShown
	case types.BytesKind:
		limit = maxText
	case types.ListKind:
		limit = fieldsBits
	case types.MapKind:
		limit = maxKeys
	default:
		limit = 1 // it has no parts that are gone through one by one
	}
	if size := e.member(n.Path()); size != 0 {
		limit = size
	}
	return &checker.SizeEstimate{Max: limit}
}

// Sizes of what is longer than the bytes it was made of.
const (
	maxShown   = 6 * enr.SizeLimit // an address as text: two bytes may be "/p2p-circuit"
	fieldsBits = 1024              // numbers of the largest bit vector
)

// member returns the size of what a path of variable and members leads to; 0 if that is not known.
func (e estimator) member(path []string) (size uint64) {
	if len(path) == 0 {
		return 0
	}
	var at *types.Type
	for _, v := range variables {
		if v.name == path[0] {
			at = v.typ
		}
	}
	for _, name := range path[1:] {
		if at == nil {
			return 0
		}
		if name == "@items" || name == "@keys" {
			if at.Kind() == types.MapKind || path[len(path)-2] == "keys" {
				return enr.SizeLimit // a key
			}
			return 0
		}
		o, ok := e.objects[at.TypeName()]
		if !ok {
			return 0
		}
		at, size = nil, 0
		for _, m := range o.members {
			if m.name == name {
				at, size = m.typ, m.size
			}
		}
	}
	return size
}

// EstimateCallCost leaves functions to CEL, which counts one for those that it does not know.
func (e estimator) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}
