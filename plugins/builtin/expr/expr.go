package expr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/discv5/host/sdk/expr"
	"github.com/discv5/host/sdk/forks"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// gcPercent lets the heap, which is a few megabytes, grow to five times of what is in use: nearly all
// of a batch is garbage when it is answered, and collecting it rarely saves a sixth of the CPU time.
const gcPercent = 400

// selfLimit bounds how long the own node id is waited for.
const selfLimit = 5 * time.Second

// Plugin returns the plugin, for one run.
func Plugin() sdk.Plugin {
	f := &filter{config: config{Grace: forks.DefaultGrace}}
	return &sdk.FilterPlugin{
		Info:   sdk.Info{Name: "expr", Version: "2.0.0", Summary: "Accepts the records that match an expression."},
		Config: &f.config,
		Start:  f.start,
		Filter: f, Uniform: true,
	}
}

// filter is one run of the plugin.
type filter struct {
	config  config
	program *expr.Program // set by start, then read-only
}

// start compiles the expression, with the own node id where it asks for that.
func (f *filter) start(ctx context.Context, host *sdk.Host) error {
	p, err := f.config.compile()
	if err != nil {
		return err
	}
	if p.UsesDistance() {
		ctx, cancel := context.WithTimeout(ctx, selfLimit)
		defer cancel()
		self, err := host.Self(ctx)
		if errors.Is(err, sdk.ErrNotGranted) {
			return fmt.Errorf(`node.distance is measured to the own node: add "self" to grants: %w`, err)
		}
		if err != nil {
			return fmt.Errorf("the own node, for node.distance: %w", err)
		}
		if p, err = f.config.compile(expr.WithSelf(self.ID())); err != nil {
			return err
		}
	}
	f.program = p
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return nil
}

// Decide decides about each node for itself, at any stage.
func (f *filter) Decide(_ context.Context, _ sdk.Stage, nodes []*enode.Node, out []sdk.Verdict) error {
	for i, n := range nodes {
		out[i] = f.verdict(f.program.Decide(n))
	}
	return nil
}

// verdict is what the host is told of an evaluation.
func (f *filter) verdict(v expr.Verdict) sdk.Verdict {
	out := sdk.Verdict{Decision: sdk.Accept}
	if !v.Match {
		out = sdk.Rejected(v.Reason)
		if f.config.Reason != "" {
			out.Reason = f.config.Reason
		}
	}
	if !v.Until.IsZero() {
		out.TTL = max(time.Until(v.Until), time.Second)
	}
	return out
}
