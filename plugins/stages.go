package plugins

import (
	"context"
	"slices"
	"strings"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// stagesOf are the stages at which a filter is asked that describes itself: those of its block, as far as it describes them.
// Without any it decides anywhere.
func (b *Block) stagesOf(about *pluginpb.Description) (stages []core.Stage, err error) {
	described := about.GetFilter().GetStages()
	if len(described) == 0 {
		return b.Stages, nil
	}
	for _, s := range b.Stages {
		switch {
		case slices.Contains(described, s.String()):
			stages = append(stages, s)
		case !b.StagesImplied:
			return nil, refuse("its block names the stage %q, and it decides at %s only", s, strings.Join(described, ", "))
		}
	}
	if len(stages) == 0 {
		return nil, refuse("it decides at %s only, and its block has none of these stages", strings.Join(described, ", "))
	}
	return stages, nil
}

// staged is a filter that is asked at some stages. Core learns of them when it serves; until then others may come.
type staged struct {
	core.Filter
	stages []core.Stage
}

// Decide asks the filter, or abstains at other stages.
func (s staged) Decide(ctx context.Context, stage core.Stage, nodes []*enode.Node, out []core.Verdict) error {
	if !slices.Contains(s.stages, stage) {
		clear(out[:min(len(nodes), len(out))])
		return nil
	}
	return s.Filter.Decide(ctx, stage, nodes, out)
}
