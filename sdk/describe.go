package sdk

import (
	"context"

	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

func (p *TalkPlugin) check() []error                     { return nil }
func (p *FilterPlugin) check() []error                   { return nil }
func (p *StorePlugin) check() []error                    { return nil }
func (p *TalkPlugin) describe(d *pluginpb.Description)   {}
func (p *FilterPlugin) describe(d *pluginpb.Description) {}
func (p *StorePlugin) describe(d *pluginpb.Description)  {}

// Decide asks f about each node.
func (f FilterFunc) Decide(_ context.Context, _ Stage, nodes []*enode.Node, out []Verdict) error {
	return nil
}
