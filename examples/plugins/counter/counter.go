package main

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/discv5/host/sdk"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

const (
	maxNodes  = 4096 // that are counted; the counts of further ones start anew with each request
	saveBatch = 256  // entries of a KV call
	savePause = 5 * time.Second
)

// counter is the running plugin.
type counter struct {
	config config
	host   *sdk.Host
	asked  *sdk.Counter

	mu      sync.Mutex
	counts  map[string]uint64 // by node id
	unsaved map[string]bool
	failed  error // the last save
}

func (c *counter) start(ctx context.Context, host *sdk.Host) error {
	c.host = host
	c.asked = host.Counter("requests_total", "Requests that were counted.")
	c.unsaved = make(map[string]bool)
	if err := c.load(ctx); err != nil {
		return err
	}
	if _, err := host.SetFields(ctx, enr.WithEntry(fieldKey, uint64(1))); err != nil {
		return err
	}
	go c.saveNowAndThen(ctx)
	if c.config.Ask && host.Granted(sdk.GrantWatch) && host.Granted(sdk.GrantTalk) {
		events, err := host.Watch(ctx, sdk.NodeVerified)
		if err != nil {
			return err
		}
		go c.greet(ctx, events)
	}
	return nil
}

// load reads what an earlier run has saved.
func (c *counter) load(ctx context.Context) error {
	var after []byte
	for {
		entries, err := c.host.KV().Scan(ctx, nil, after, saveBatch)
		if err != nil {
			return err
		}
		c.mu.Lock()
		for _, e := range entries {
			if len(e.Value) == 8 && len(c.counts) < maxNodes {
				c.counts[string(e.Key)] = binary.BigEndian.Uint64(e.Value)
			}
		}
		c.mu.Unlock()
		if len(entries) < saveBatch {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
}

// count adds one to a node's count.
func (c *counter) count(id string) uint64 {
	c.asked.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.counts[id]; !known && len(c.counts) >= maxNodes {
		return 1
	}
	c.counts[id]++
	c.unsaved[id] = true
	return c.counts[id]
}

// saveNowAndThen keeps what a crash could lose small.
func (c *counter) saveNowAndThen(ctx context.Context) {
	tick := time.NewTicker(savePause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.save(ctx); err != nil && ctx.Err() == nil {
				c.host.Log().Warn("counts are not saved", "err", err)
			}
		}
	}
}

// save writes the counts that changed, in batches. What could not be written is tried again next time.
func (c *counter) save(ctx context.Context) error {
	for {
		c.mu.Lock()
		var batch []sdk.KVEntry
		for id := range c.unsaved {
			if len(batch) == saveBatch {
				break
			}
			batch = append(batch, sdk.KVEntry{Key: []byte(id), Value: binary.BigEndian.AppendUint64(nil, c.counts[id])})
			delete(c.unsaved, id)
		}
		c.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		err := c.host.KV().Put(ctx, batch...)
		c.mu.Lock()
		c.failed = err
		for _, e := range batch {
			if err != nil {
				c.unsaved[string(e.Key)] = true
			}
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// health tells an operator when counts are not saved: the plugin still works.
func (c *counter) health(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sdk.Degraded(c.failed)
}

// greet asks every counter that the host has met.
func (c *counter) greet(ctx context.Context, events <-chan sdk.Event) {
	for e := range events {
		var version uint64
		if e.Node == nil || e.Node.Load(enr.WithEntry(fieldKey, &version)) != nil {
			continue
		}
		answer, err := c.host.Talk(ctx, e.Node, protocol, nil)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, sdk.ErrExhausted):
			// It will be met again.
		case err != nil:
			c.host.Log().Debug("a counter did not answer", "node", e.ID, "err", err)
		default:
			c.host.Log().Info("asked another counter", "node", e.ID, "times", string(answer))
		}
	}
}
