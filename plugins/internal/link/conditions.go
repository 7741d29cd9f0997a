package link

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/discv5/host/sdk/expr"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// maxPrograms bounds the expressions of a plugin that are kept compiled.
const maxPrograms = 32

// conditions reads the conditions of a plugin's calls. It keeps the expressions compiled that it saw last.
type conditions struct {
	self func() *enode.Node // what node.distance in an expression counts from

	mu       sync.Mutex // a leaf
	programs map[string]*expr.Program
}

// matcher is the predicate of conditions, which must all hold; nil without any.
func (c *conditions) matcher(all []*pluginpb.FieldMatch) (func(*enode.Node) bool, error) {
	if len(all) > maxMatches {
		return nil, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "too many conditions"}
	}
	if len(all) == 0 {
		return nil, nil
	}
	predicates := make([]func(*enode.Node) bool, len(all))
	for i, m := range all {
		var err error
		if predicates[i], err = c.predicate(m); err != nil {
			return nil, err
		}
	}
	return func(node *enode.Node) bool {
		for _, p := range predicates {
			if !p(node) {
				return false
			}
		}
		return true
	}, nil
}

func (c *conditions) predicate(m *pluginpb.FieldMatch) (func(*enode.Node) bool, error) {
	text := m.GetExpression()
	switch {
	case text == "":
		return func(node *enode.Node) bool { return hasField(node, m.GetKey(), m.GetValue()) }, nil
	case m.Key != "" || len(m.Value) > 0:
		return nil, &callError{pluginpb.CallCode_CALL_CODE_INVALID, "a condition has a key or an expression, not both"}
	}
	c.mu.Lock()
	p := c.programs[text]
	c.mu.Unlock()
	if p == nil {
		var err error
		if p, err = expr.Compile(text, expr.WithSelf(c.self().ID())); err != nil {
			return nil, &callError{pluginpb.CallCode_CALL_CODE_INVALID, fmt.Sprintf("expression: %v", err)}
		}
		c.keep(text, p)
	}
	return p.Match, nil
}

// keep remembers a program, in place of all others when there are many.
func (c *conditions) keep(text string, p *expr.Program) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.programs) >= maxPrograms || c.programs == nil {
		c.programs = make(map[string]*expr.Program)
	}
	c.programs[text] = p
}

// hasField tells whether a record has a key and, if value is not empty, exactly that value, the content of its RLP.
func hasField(node *enode.Node, key string, value []byte) bool {
	var raw rlp.RawValue
	if node.Load(enr.WithEntry(key, &raw)) != nil {
		return false
	}
	if len(value) == 0 {
		return true
	}
	_, content, _, err := rlp.Split(raw)
	return err == nil && bytes.Equal(content, value)
}
