package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/discv5/host/cmd/host/internal/admin"
	"github.com/discv5/host/cmd/host/internal/config"
	"github.com/discv5/host/cmd/host/internal/metrics"
	"github.com/discv5/host/cmd/host/internal/portmap"
	"github.com/discv5/host/core"
	"github.com/discv5/host/plugins"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/hashicorp/go-hclog"
)

// host is a running node with everything around it. Its parts are set by start and are not changed after it.
type host struct {
	opts    Options
	log     hclog.Logger
	id      *identity
	set     *plugins.Set
	node    *core.Node
	events  *core.Subscription
	life    *life
	feed    *admin.Feed
	admin   *admin.Server // nil: nobody may ask
	mapping *mapping      // nil: none is asked for
	reloads *metrics.Reloads

	reloading chan struct{}  // holds a token during a reload
	loaded    *config.Loaded // what is in force, of whoever holds the token
}

// start starts all parts. What it started is stopped when it fails.
func start(ctx context.Context, o Options) (*host, error) {
	loaded := *o.Loaded
	h := &host{opts: o, log: o.Log, reloading: make(chan struct{}, 1), loaded: &loaded, feed: admin.NewFeed(), reloads: metrics.NewReloads(admin.Outcomes()...)}
	var err error
	if h.set, err = openPlugins(&loaded, h.feed.Plugin, h.log); err != nil {
		return nil, err
	}
	if h.id, err = openIdentity(ctx, &loaded.Config); err != nil {
		return nil, err
	}
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	return h, nil
}

// open starts what there is once the data folder is the host's own.
func (h *host) open(ctx context.Context) error {
	cfg := &h.loaded.Config
	join, err := h.listen()
	if err != nil {
		return err
	}
	if err := h.printRecord(); err != nil {
		return err
	}
	if h.events, err = h.node.Events(eventsWaiting); err != nil {
		return err
	}
	h.life = newLife(h.node, h.log, len(join))
	h.life.started(cfg, h.id)
	if h.mapping, err = openMapping(cfg, h.node, h.log); err != nil {
		return err
	}
	if err := h.set.Run(h.node); err != nil {
		return err
	}
	if err := h.openAdmin(); err != nil {
		return err
	}
	if len(h.set.Filters()) > 0 {
		h.settle(ctx)
	}
	return h.node.SetBootnodes(join)
}

// settlePatience is how long the node waits for its filters before it meets others.
const settlePatience = 3 * time.Second

// settle waits until the plugins have been started, with success or without.
func (h *host) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	_ = h.set.Settle(ctx) // who takes longer is late
}

// listen starts the node, and tells whom it is to join by. It does not join yet: the filters have to be there before it meets anybody.
func (h *host) listen() (join []*enode.Node, err error) {
	defer func() {
		if err != nil && h.id.fresh {
			h.id.markUnused() // the node was never there
		}
	}()
	cfg := &h.loaded.Config
	settings, err := coreConfig(cfg, h.id, h.log)
	if err != nil {
		return nil, err
	}
	join, settings.Bootnodes = settings.Bootnodes, nil
	given, err := readFields(filepath.Join(cfg.DataDir, fieldsName))
	if err != nil {
		return nil, err
	}
	if settings.Fields, err = given.entries(); err != nil {
		return nil, err
	}
	settings.Filters, settings.Store, settings.Talk = h.set.Filters(), h.set.Store(), talkLimits(h.loaded.Plugins)
	if h.node, err = core.Listen(settings); err != nil {
		return nil, advise(err)
	}
	return join, checkPublished(cfg, h.node)
}

// stop ends what was started: first those who ask, then the plugins, the node and the mapping. The plugins but the store end
// before the node, because what they write last is the node's to store, and the store ends last. The mapping takes its time beside them.
func (h *host) stop() error {
	var closing sync.WaitGroup
	var errs []error
	if h.admin != nil {
		errs = append(errs, h.admin.Close())
	}
	if h.mapping != nil {
		closing.Go(func() {
			if err := h.mapping.close(); errors.Is(err, portmap.ErrCloseTimeout) {
				h.log.Warn("port mapping not deleted, it ends by itself", "err", err)
			}
		})
	}
	if h.node != nil {
		h.set.Quiesce()
		errs = append(errs, h.node.Close(), h.set.Close())
	}
	closing.Wait()
	errs = append(errs, h.id.lock.Release())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop the node: %w", err)
	}
	if h.node != nil {
		h.log.Info("stopped")
	}
	return nil
}
