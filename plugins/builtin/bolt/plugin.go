package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
)

// config is the plugin's config block.
type config struct {
	Path      string        `hcl:"path,optional" doc:"the file; relative to the plugin's data directory"`
	LockWait  time.Duration `hcl:"lock_wait,optional" doc:"how long to wait for another process that has the file open"`
	MaxSizeMB int           `hcl:"max_size_mb,optional" doc:"the most megabytes of the file; 0: any"`
}

// Validate says what is wrong with the configuration.
func (c *config) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("path is empty"))
	}
	if c.LockWait < 0 || c.LockWait > time.Minute {
		errs = append(errs, fmt.Errorf("lock_wait is %s; 0 to 1 minute is possible", c.LockWait))
	}
	if c.MaxSizeMB < 0 || c.MaxSizeMB > 1<<20 {
		errs = append(errs, fmt.Errorf("max_size_mb is %d; 0 to %d is possible", c.MaxSizeMB, 1<<20))
	}
	return errors.Join(errs...)
}

// Plugin returns the plugin, for one run.
func Plugin() sdk.Plugin {
	p := &plugin{config: config{Path: "store.db", LockWait: time.Second, MaxSizeMB: 1024}}
	return &sdk.StorePlugin{
		Info: sdk.Info{
			Name: "bolt", Version: "1.0.0", Summary: "Keeps what the host remembers in one file on the local disk.",
			Exclusive: true,
		},
		Durable: true,
		Config:  &p.config,
		Start:   p.start,
		Store:   &p.store,
		Health:  p.health,
		Drain:   p.drain,
	}
}

// plugin is one run of the plugin.
type plugin struct {
	config   config
	store    store
	repaired error // what was wrong with the file at the start
	stop     context.CancelFunc
	sweeper  sync.WaitGroup
}

func (p *plugin) start(ctx context.Context, host *sdk.Host) error {
	path := p.config.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(host.DataDir(), path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	s, repaired, err := open(options{
		path: path, lockWait: p.config.LockWait, maxSize: int64(p.config.MaxSizeMB) << 20,
		now: time.Now, warn: host.Log().Warn, steps: migrations,
	})
	if err != nil {
		return err
	}
	p.store.now, p.store.maxSize, p.store.db, p.repaired = s.now, s.maxSize, s.db, repaired
	ctx, p.stop = context.WithCancel(ctx)
	p.sweeper.Go(func() { p.sweep(ctx, host) })
	return nil
}

// sweep removes what has expired, at once and from time to time.
func (p *plugin) sweep(ctx context.Context, host *sdk.Host) {
	removed := host.Counter("bolt_expired_total", "Entries that were removed because they had expired.")
	size := host.Gauge("bolt_file_bytes", "Size of the store file.")
	tick := time.NewTicker(sweepPause)
	defer tick.Stop()
	for {
		if due, err := p.store.due(ctx); err == nil && due {
			n, err := p.store.sweep(ctx)
			removed.Add(float64(n))
			if err != nil && ctx.Err() == nil {
				host.Log().Warn("expired entries stay in the store file", "err", err)
			}
		}
		size.Set(float64(p.store.size(ctx)))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *plugin) health(context.Context) error {
	if err := p.store.health(); err != nil {
		return err
	}
	return sdk.Degraded(p.repaired)
}

func (p *plugin) drain(context.Context) error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.sweeper.Wait()
	return p.store.close()
}
