package main

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/discv5/host/sdk"
)

func main() { sdk.Serve(newPlugin()) }

// plugin is one run of the plugin.
type plugin struct {
	config  config
	store   store
	stop    context.CancelFunc
	running sync.WaitGroup
}

func newPlugin() sdk.Plugin {
	p := &plugin{config: defaults()}
	return &sdk.StorePlugin{
		Info:    sdk.Info{Name: "postgres", Version: "1.0.0", Summary: "Keeps what a fleet of hosts remembers in PostgreSQL, where it can be queried."},
		Durable: true, Shared: true,
		Config: &p.config,
		Start:  p.start,
		Store:  &p.store,
		Health: p.health,
		Drain:  p.drain,
	}
}

// start checks the database. One that does not answer is no failure: the host runs on without it, and so do we.
func (p *plugin) start(ctx context.Context, host *sdk.Host) error {
	p.store.config, p.store.self = &p.config, rand.Text()
	if err := p.store.open(ctx); err != nil {
		return err
	}
	if exposed(p.store.pool.Config().ConnConfig) {
		host.Log().Warn("what goes to the database may be read on the way, sslmode=verify-full in url would encrypt it")
	}
	first, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	if err := p.store.check(first); denied(err) {
		p.store.pool.Close()
		return err
	} else if err != nil {
		host.Log().Warn("the database does not answer, the store waits for it", "err", err)
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.running.Go(func() { p.store.expirer(ctx, host) })
	return nil
}

// health is never worse than degraded: a new process would not find another database.
func (p *plugin) health(ctx context.Context) error { return sdk.Degraded(p.store.health(ctx)) }

func (p *plugin) drain(ctx context.Context) error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.running.Wait()
	closed := make(chan struct{})
	go func() { p.store.pool.Close(); close(closed) }() // it waits for calls, which end with the process at the latest
	select {
	case <-closed:
	case <-ctx.Done():
	}
	return nil
}
