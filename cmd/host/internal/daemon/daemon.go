package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/portmap"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/discv5/host/sdk/processors"
	"github.com/hashicorp/go-hclog"
)

// Times of the status line.
const (
	firstStatus   = 30 * time.Second // after the start: by then a network that is there has answered
	statusPause   = 5 * time.Minute
	eventsWaiting = 1024
)

// Run runs a node until ctx ends, and then returns nil. Its record is the first line on out.
func Run(ctx context.Context, loaded *config.Loaded, out io.Writer, log hclog.Logger) (err error) {
	for _, w := range loaded.Warnings {
		log.Warn("setting ignored", "err", w)
	}
	processors.Follow(ctx.Done())
	set, err := openPlugins(loaded, log)
	if err != nil {
		return err
	}
	cfg := &loaded.Config
	id, err := openIdentity(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, id.lock.Release()) }()

	node, bootnodes, err := listen(loaded, id, set, log)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, node.Self()); err != nil {
		return errors.Join(fmt.Errorf("print the record: %w", err), node.Close())
	}
	events, err := node.Events(eventsWaiting)
	if err != nil {
		return errors.Join(err, node.Close())
	}
	life := newLife(node, log, bootnodes)
	life.started(cfg, id)

	mapping, err := openMapping(cfg, node, log)
	if err != nil {
		return errors.Join(err, node.Close())
	}
	if err := set.Run(node); err != nil {
		return errors.Join(err, stop(node, set, mapping, log))
	}
	status := time.NewTimer(firstStatus)
	defer status.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case e, open := <-events.C:
			if !open {
				return errors.Join(errors.New("the node stopped by itself"), stop(node, set, mapping, log))
			}
			life.event(e)
		case <-status.C:
			life.status()
			status.Reset(statusPause)
		}
	}
	log.Info("stopping")
	return stop(node, set, mapping, log)
}

// listen starts the node and tells how many it knows to join by.
func listen(loaded *config.Loaded, id *identity, set *plugins.Set, log hclog.Logger) (node *core.Node, bootnodes int, err error) {
	defer func() {
		if err != nil && id.fresh {
			id.markUnused() // the node was never there
		}
	}()
	settings, err := coreConfig(&loaded.Config, id, log)
	if err != nil {
		return nil, 0, err
	}
	settings.Filters, settings.Store, settings.Talk = set.Filters(), set.Store(), talkLimits(loaded.Plugins)
	if node, err = core.Listen(settings); err != nil {
		return nil, 0, advise(err)
	}
	if err := checkPublished(&loaded.Config, node); err != nil {
		return nil, 0, errors.Join(err, node.Close())
	}
	return node, len(settings.Bootnodes), nil
}

// stop ends the plugins, the node and the mapping: the plugins but the store first, because what they write last is the
// node's to store, and the store last. The mapping takes its time beside them.
func stop(node *core.Node, set *plugins.Set, mapping *mapping, log hclog.Logger) error {
	var closing sync.WaitGroup
	if mapping != nil {
		closing.Go(func() {
			if err := mapping.close(); errors.Is(err, portmap.ErrCloseTimeout) {
				log.Warn("port mapping not deleted, it ends by itself", "err", err)
			}
		})
	}
	set.Quiesce()
	err := node.Close()
	err = errors.Join(err, set.Close())
	closing.Wait()
	if err != nil {
		return fmt.Errorf("stop the node: %w", err)
	}
	log.Info("stopped")
	return nil
}
