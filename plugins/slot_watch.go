package plugins

import (
	"context"

	"github.com/discv5/host/core"
)

// Watch watches whichever plugin serves, as long as it does, and then the next one. While nobody serves who watches, it waits. It
// does not hold up the end of a plugin.
func (s storeSlot) Watch(ctx context.Context, prefix []byte, changed func([]core.Entry)) error {
	for ctx.Err() == nil {
		s.mu.Lock()
		h, replaced := s.holder, s.changed
		s.mu.Unlock()
		err := watchHolder(ctx, h, replaced, prefix, changed)
		select {
		case <-replaced: // which is why it ended
		default:
			return err
		}
	}
	return ctx.Err()
}

// watchHolder watches a holder until another takes its place.
func watchHolder(ctx context.Context, h *holder[core.Store], replaced <-chan struct{}, prefix []byte, changed func([]core.Entry)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // until the watch ends
		select {
		case <-replaced:
			cancel()
		case <-ctx.Done():
		}
	}()
	if h != nil {
		if w, ok := h.value.(core.Watcher); ok {
			return w.Watch(ctx, prefix, changed)
		}
	}
	<-ctx.Done()
	return ctx.Err()
}
