package sdktest

import (
	"context"
	"errors"
	"slices"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// ErrNoFilter says that a plugin is of another kind.
var ErrNoFilter = errors.New("the plugin is no filter")

// FilterRun is a filter plugin that runs outside of a test, for programs that ask it about records. One goroutine uses it.
type FilterRun struct{ x *session }

// OpenFilter starts and configures a filter plugin, as the host does. The end of ctx is its end. The error says why the plugin
// does not run; ErrNoFilter says that it is no filter.
func OpenFilter(ctx context.Context, source Source) (*FilterRun, error) {
	x, err := start(ctx, source, nil, "")
	if err != nil {
		return nil, err
	}
	if x.about.GetFilter() == nil {
		x.close()
		return nil, ErrNoFilter
	}
	return &FilterRun{x}, nil
}

// Stages are where the filter makes sense; empty: anywhere.
func (f *FilterRun) Stages() []string { return slices.Clone(f.x.about.GetFilter().GetStages()) }

// Decide asks about any number of nodes.
func (f *FilterRun) Decide(stage sdk.Stage, nodes ...*enode.Node) ([]sdk.Verdict, error) {
	s, err := f.x.filterStream()
	if err != nil {
		return nil, err
	}
	var out []sdk.Verdict
	for some := range slices.Chunk(nodes, maxBatch) {
		v, err := s.decide(stage, some)
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return out, nil
}

// Close ends the plugin.
func (f *FilterRun) Close() { f.x.close() }
