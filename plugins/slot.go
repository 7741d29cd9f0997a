package plugins

import (
	"context"
	"fmt"
	"sync"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// slot is where core finds the filter or store of a block, whoever serves it. A caller waits while somebody is expected.
type slot[T any] struct {
	name string

	mu      sync.Mutex // a leaf
	holder  *holder[T] // nil: nobody
	coming  bool       // somebody is expected
	changed chan struct{}
	stats   SlotStats
}

// SlotStats count the calls that core made to a filter or store.
type SlotStats struct {
	Calls    uint64
	Failures uint64
	Open     int // gauge: calls that have not returned, or wait for somebody who serves
}

// holder is one that serves, with the calls that are at it.
type holder[T any] struct {
	value T
	calls sync.WaitGroup
}

func newSlot[T any](name string) *slot[T] { return &slot[T]{name: name, changed: make(chan struct{})} }

// set makes calls go to h from now on; nil: nowhere, and callers wait if somebody is expected.
func (s *slot[T]) set(h *holder[T], coming bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holder, s.coming = h, coming
	close(s.changed)
	s.changed = make(chan struct{})
}

// call calls f with whoever serves.
func (s *slot[T]) call(ctx context.Context, f func(T) error) (err error) {
	s.begin()
	defer s.end(&err)
	h, err := s.take(ctx)
	if err == nil {
		defer h.calls.Done()
		err = f(h.value)
	}
	return err
}

func (s *slot[T]) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Open++
}

// end counts a call that returned.
func (s *slot[T]) end(err *error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Open--
	s.stats.Calls++
	if *err != nil {
		s.stats.Failures++
	}
}

func (s *slot[T]) take(ctx context.Context) (*holder[T], error) {
	for {
		s.mu.Lock()
		h, coming, changed := s.holder, s.coming, s.changed
		if h != nil {
			h.calls.Add(1) // drain begins when h is not here any more
		}
		s.mu.Unlock()
		switch {
		case h != nil:
			return h, nil
		case !coming:
			return nil, fmt.Errorf("%w: %s", ErrUnavailable, s.name)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s: %w", ErrUnavailable, s.name, ctx.Err())
		}
	}
}

func (s *slot[T]) counts() SlotStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// drain waits until the calls have returned, or until ctx ends.
func (h *holder[T]) drain(ctx context.Context) {
	done := make(chan struct{})
	go func() { h.calls.Wait(); close(done) }() // the calls end with the connection at the latest
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// filterSlot is a core.Filter.
type filterSlot struct{ *slot[core.Filter] }

// Decide asks the plugin.
func (s filterSlot) Decide(ctx context.Context, stage core.Stage, nodes []*enode.Node, out []core.Verdict) error {
	return s.call(ctx, func(f core.Filter) error { return f.Decide(ctx, stage, nodes, out) })
}

// storeSlot is a core.Store.
type storeSlot struct{ *slot[core.Store] }

// Put stores entries in the plugin.
func (s storeSlot) Put(ctx context.Context, entries []core.Entry) error {
	return s.call(ctx, func(t core.Store) error { return t.Put(ctx, entries) })
}

// Get asks the plugin for entries.
func (s storeSlot) Get(ctx context.Context, keys [][]byte) (found []core.Entry, err error) {
	err = s.call(ctx, func(t core.Store) (err error) { found, err = t.Get(ctx, keys); return err })
	return found, err
}

// Scan asks the plugin for entries in their order.
func (s storeSlot) Scan(ctx context.Context, prefix, after []byte, limit int) (found []core.Entry, err error) {
	err = s.call(ctx, func(t core.Store) (err error) { found, err = t.Scan(ctx, prefix, after, limit); return err })
	return found, err
}

// Delete removes entries from the plugin.
func (s storeSlot) Delete(ctx context.Context, entries []core.Entry) error {
	return s.call(ctx, func(t core.Store) error { return t.Delete(ctx, entries) })
}
