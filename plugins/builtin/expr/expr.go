package expr

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// config is the plugin's config block.
type config struct {
	Expression string `hcl:"expression" doc:"which records are accepted: true, false, or has(\"key\")"`

	match func(*enode.Node) bool // what it says, once Validate has read it
}

// Validate reads the expression.
func (c *config) Validate() (err error) {
	c.match, err = parse(c.Expression)
	return err
}

// Plugin returns the plugin, for one run.
func Plugin() sdk.Plugin {
	var c config
	return &sdk.FilterPlugin{
		Info:   sdk.Info{Name: "expr", Version: "1.0.0", Summary: "Accepts the records that match an expression."},
		Config: &c,
		Filter: sdk.FilterFunc(func(n *enode.Node) bool { return c.match(n) }),
	}
}

var errExpression = errors.New(`an expression is true, false, or has("key")`)

// parse reads an expression.
func parse(text string) (func(*enode.Node) bool, error) {
	text = strings.TrimSpace(text)
	switch text {
	case "true":
		return func(*enode.Node) bool { return true }, nil
	case "false":
		return func(*enode.Node) bool { return false }, nil
	case "":
		return nil, fmt.Errorf("expression is empty: %w", errExpression)
	}
	inner, called := strings.CutPrefix(text, "has")
	inner, opened := strings.CutPrefix(strings.TrimSpace(inner), "(")
	inner, closed := strings.CutSuffix(inner, ")")
	key, err := strconv.Unquote(strings.TrimSpace(inner))
	if !called || !opened || !closed || err != nil || key == "" || !strings.HasPrefix(strings.TrimSpace(inner), `"`) {
		return nil, fmt.Errorf("expression %q: %w", text, errExpression)
	}
	return func(n *enode.Node) bool {
		var value rlp.RawValue
		return n.Load(enr.WithEntry(key, &value)) == nil
	}, nil
}
