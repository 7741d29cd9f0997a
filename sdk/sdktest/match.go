package sdktest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/expr"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// closest returns the nodes that match all conditions, closest first.
func (h *Host) closest(to enode.ID, all []*pluginpb.FieldMatch) (nodes []*enode.Node, err error) {
	nodes = slices.Clone(h.nodes)
	for _, m := range all {
		match, err := matcher(m, h.self.ID())
		if err != nil {
			return nil, err
		}
		nodes = slices.DeleteFunc(nodes, func(n *enode.Node) bool { return !match(n) })
	}
	slices.SortFunc(nodes, func(a, b *enode.Node) int { return enode.DistCmp(to, a.ID(), b.ID()) })
	return nodes, nil
}

// matcher is the predicate of a condition.
func matcher(m *pluginpb.FieldMatch, self enode.ID) (func(*enode.Node) bool, error) {
	if m.GetExpression() == "" {
		return func(n *enode.Node) bool {
			var value rlp.RawValue
			if n.Load(enr.WithEntry(m.GetKey(), &value)) != nil {
				return false
			}
			_, content, _, err := rlp.Split(value)
			return len(m.GetValue()) == 0 || err == nil && bytes.Equal(content, m.GetValue())
		}, nil
	}
	if m.GetKey() != "" || len(m.GetValue()) > 0 {
		return nil, fmt.Errorf("%w: a condition has a key or an expression, not both", sdk.ErrInvalid)
	}
	p, err := expr.Compile(m.Expression, expr.WithSelf(self))
	if err != nil {
		return nil, fmt.Errorf("%w: expression: %w", sdk.ErrInvalid, err)
	}
	return p.Match, nil
}
