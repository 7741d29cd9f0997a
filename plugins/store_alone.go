package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins/internal/link"
	"github.com/discv5/host/plugins/internal/process"
	"github.com/discv5/host/sdk/pluginpb"
)

// StoreAlone is a store plugin that runs without a host, so that what it keeps can be read and written.
type StoreAlone struct {
	core.Store
	About *pluginpb.Description

	proc  *process.Process
	grace time.Duration
}

// OpenStore starts the store plugin of a block, configures it, and makes no host calls possible. Of cfg it takes DataDir, RunDir, which
// must exist, Log and how to run bundled plugins. [Hint] has advice about its errors. A store that one process has for itself, as bolt is,
// cannot be opened while a host has it. Close ends the plugin.
func OpenStore(ctx context.Context, cfg Config, b Block) (*StoreAlone, error) {
	if cfg.RunDir == "" || cfg.DataDir == "" {
		return nil, errors.New("plugins: no run directory or no data directory")
	}
	b.setDefaults()
	if err := errors.Join(cfg.validateBlock(&b), cfg.complete()); err != nil {
		return nil, err
	}
	dir := filepath.Join(cfg.DataDir, b.ID())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("plugins: data directory: %w", err)
	}
	spec := cfg.spec(&b)
	spec.Dir = dir
	proc, err := process.Start(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("plugins: %s: %w", b.ID(), err)
	}
	s := &StoreAlone{Store: link.NewStore(proc.Conn()), proc: proc, grace: cfg.timing.grace}
	if err := s.configure(ctx, &cfg, &b, dir); err != nil {
		proc.Stop(0)
		return nil, fmt.Errorf("plugins: %s: %w", b.ID(), err)
	}
	return s, nil
}

func (s *StoreAlone) configure(ctx context.Context, cfg *Config, b *Block, dir string) (err error) {
	if s.About, err = link.Describe(ctx, s.proc.Conn()); err != nil {
		return err
	}
	if !link.Serves(s.About, service[Store]) {
		return refuse("it is no store plugin: it serves %q", s.About.Services)
	}
	if len(s.About.Needs) > 0 {
		return refuse("it needs a running host, for %q", s.About.Needs)
	}
	request := &pluginpb.ConfigureRequest{Name: b.Name, ConfigJson: []byte("{}"), DataDir: dir, HostVersion: cfg.HostVersion, MaxHostCalls: maxHostCalls}
	if b.Configure != nil {
		if request.ConfigJson, err = b.Configure(s.About); err != nil {
			return refusal{err}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.timing.configure)
	defer cancel()
	return link.Configure(ctx, s.proc.Conn(), request)
}

// Health returns what is wrong with the store, as it says itself; nil: nothing.
func (s *StoreAlone) Health(ctx context.Context) error {
	status, message, err := link.Health(ctx, s.proc.Conn())
	if err == nil && status != link.Healthy {
		err = errors.New(message)
	}
	return err
}

// Close drains the plugin and ends it.
func (s *StoreAlone) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), s.grace+2*time.Second)
	defer cancel()
	_ = link.Drain(ctx, s.proc.Conn()) // it ends in any case
	s.proc.Stop(s.grace)
}
