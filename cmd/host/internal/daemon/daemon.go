package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/sdk/processors"
	"github.com/hashicorp/go-hclog"
)

// Times of the status line.
const (
	firstStatus   = 30 * time.Second // after the start: by then a network that is there has answered
	statusPause   = 5 * time.Minute
	eventsWaiting = 1024
)

// Options are what Run needs. Loaded, Out and Log are required.
type Options struct {
	Loaded *config.Loaded
	// Load loads the configuration again, for a reload; nil: there is nothing to load.
	Load func(context.Context) (*config.Loaded, error)
	// Hangup asks for a reload with each value; nil: nobody does.
	Hangup <-chan os.Signal
	Out    io.Writer // takes the record, on the first line
	Log    hclog.Logger
}

// Run runs a node until ctx ends, and then returns nil.
func Run(ctx context.Context, o Options) (err error) {
	for _, w := range o.Loaded.Warnings {
		o.Log.Warn("setting ignored", "err", w)
	}
	processors.Follow(ctx.Done())
	h, err := start(ctx, o)
	if err != nil {
		return err
	}
	systemd := notify(h, o.Log)
	err = h.follow(ctx)
	systemd.stopping()
	return errors.Join(err, h.stop())
}

// follow logs what happens, until ctx ends.
func (h *host) follow(ctx context.Context) error {
	asked := make(chan string, 1) // for a reload after the one under way; why
	var reloads sync.WaitGroup
	defer reloads.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of a reload under way
	reloads.Go(func() { h.reloadWhenAsked(ctx, asked) })
	ask := func(why string) {
		select {
		case asked <- why:
		default: // one is to come, and sees what there is by then
		}
	}
	changed := watchFiles(ctx, h.opts, h.log)
	status := time.NewTimer(firstStatus)
	defer status.Stop()
	for {
		select {
		case <-ctx.Done():
			h.log.Info("stopping")
			return nil
		case e, open := <-h.events.C:
			if !open {
				return errors.New("the node stopped by itself")
			}
			h.life.event(e)
		case <-status.C:
			h.life.status()
			status.Reset(statusPause)
		case <-h.opts.Hangup:
			ask("a signal")
		case <-changed:
			ask("a changed file")
		}
	}
}

// reloadWhenAsked makes the reloads that nobody waits for, one after the other, until ctx ends.
func (h *host) reloadWhenAsked(ctx context.Context, asked <-chan string) {
	for {
		select {
		case <-ctx.Done():
			return
		case why := <-asked:
			h.log.Info("reloading the configuration", "reason", why)
			result, err := h.reload(ctx)
			if err != nil {
				h.log.Warn("configuration not reloaded", "err", err)
				continue
			}
			h.feed.Reloaded(result)
		}
	}
}

// printRecord writes the first line.
func (h *host) printRecord() error {
	if _, err := fmt.Fprintln(h.opts.Out, h.node.Self()); err != nil {
		return fmt.Errorf("print the record: %w", err)
	}
	return nil
}
