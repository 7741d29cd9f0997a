package main

import (
	"context"
	"crypto/rand"
	"errors"
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
		Info:   sdk.Info{Name: "redis", Version: "1.0.0", Summary: "Keeps what a fleet of hosts remembers in one Redis or Valkey."},
		Shared: true, // and as durable as the server is configured to be, which is not known yet
		Config: &p.config,
		Start:  p.start,
		Store:  &p.store,
		Health: p.health,
		Drain:  p.drain,
	}
}

// start checks the server. One that does not answer is no failure: the host runs on without it, and so do we.
func (p *plugin) start(ctx context.Context, host *sdk.Host) error {
	client, err := connect(&p.config, host.Log())
	if err != nil {
		return err
	}
	p.store.client, p.store.keys, p.store.self, p.store.refused = client, keysOf(p.config.Prefix), rand.Text(), errUnchecked
	p.store.strict, p.store.warn = p.config.Durability == "require", host.Log().Warn
	if p.config.exposed() {
		host.Log().Warn("what goes to the server may be read on the way, a tls block would encrypt it")
	}
	if err := p.first(ctx, host); err != nil {
		return errors.Join(err, client.Close())
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.running.Go(func() { p.store.sweeper(ctx, host) })
	return nil
}

// first makes the first calls.
func (p *plugin) first(ctx context.Context, host *sdk.Host) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	err := p.store.check(ctx)
	switch {
	case errors.Is(err, errLayout), errors.Is(err, errLoses), denied(err):
		return err
	case err != nil:
		host.Log().Warn("the server does not answer, the store waits for it", "err", err)
		return nil
	}
	if p.config.Durability == "warn" {
		if err := p.store.checkDurability(ctx); err != nil {
			host.Log().Warn("what is stored may be lost", "err", err)
		}
	}
	return nil
}

// health is never worse than degraded: a new process would not find another server.
func (p *plugin) health(ctx context.Context) error { return sdk.Degraded(p.store.health(ctx)) }

func (p *plugin) drain(context.Context) error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.running.Wait()
	return p.store.client.Close()
}
