package plugins

import (
	"context"
	"errors"
	"fmt"

	"github.com/discv5/host/plugins/internal/link"
	"github.com/discv5/host/plugins/internal/process"
	"github.com/discv5/host/sdk/pluginpb"
)

// Describe starts the program of a block, asks what it is, and ends it. Of cfg it takes RunDir, which must exist, Log and how
// to run bundled plugins. What it returns is checked and safe to show. [Hint] has advice about its errors.
func Describe(ctx context.Context, cfg Config, b Block) (*pluginpb.Description, error) {
	if cfg.RunDir == "" {
		return nil, errors.New("plugins: no run directory")
	}
	if err := errors.Join(cfg.validateBlock(&b), cfg.complete()); err != nil {
		return nil, err
	}
	proc, err := process.Start(ctx, cfg.spec(&b))
	if err != nil {
		return nil, fmt.Errorf("plugins: %s: %w", b.ID(), err)
	}
	defer proc.Stop(cfg.timing.grace)
	about, err := link.Describe(ctx, proc.Conn())
	if err != nil {
		return nil, fmt.Errorf("plugins: %s: %w", b.ID(), err)
	}
	return about, nil
}
