package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/discv5/host/plugins/internal/process"
	"github.com/discv5/host/plugins/internal/supervise"
)

// replace makes the plugin run as another block says. When the new incarnation does not start, the old one goes on, or is
// started again, and the error says why.
func (k *keeper) replace(ctx context.Context, b Block, reason string) error {
	old := k.current()
	tried := k.cut && k.state() == supervise.Stopped || k.state() == supervise.Backoff
	k.anew = true
	switch {
	case b.Disabled:
		k.block = b
		return k.disable("the configuration disables it")
	case old == nil:
		before := k.block
		k.block = b
		k.handle(supervise.Ended, reason)
		k.cut, k.off = false, false
		k.handle(supervise.Revive, reason)
		err := k.try(ctx)
		if err != nil {
			k.block = before // it did not run; whoever revives it gets what was accepted last
			err = k.again(tried, err)
		}
		return err
	case old.about.Exclusive:
		return k.replaceExclusive(ctx, b, old, reason)
	}
	next, err := k.start(ctx, &b, func(*process.Process) {})
	if err == nil && next.about.Exclusive {
		next.close() // this version must not run beside the old one
		return k.replaceExclusive(ctx, b, old, reason)
	}
	if err != nil {
		k.keepProtocols()
		return fmt.Errorf("plugins: %s goes on as it was: %w", k.id, err)
	}
	k.block = b
	k.install(next, old, supervise.Replaced, reason)
	k.retire(old)
	return nil
}

// again starts a plugin that was about to be started, in place of a new version that is not to be started again.
func (k *keeper) again(tried bool, err error) error {
	if s := k.state(); !tried || k.cut || k.ctx.Err() != nil || s == supervise.Backoff {
		k.given()
		return err
	}
	if again := k.attempt(k.ctx, supervise.Revive, "the new one did not start: "+err.Error()); again != nil {
		return fmt.Errorf("plugins: %s does not start: %w", k.id, errors.Join(err, again))
	}
	return fmt.Errorf("plugins: %s runs as it did before: %w", k.id, err)
}

// replaceFilter is replace for a filter, whose use in core changes with it. A plugin that would not notice the change goes on.
func (k *keeper) replaceFilter(ctx context.Context, b Block, reason string) (err error) {
	if k.current() != nil && !k.block.same(&b) && k.block.sameProcess(&b) {
		k.block = b
	} else {
		err = k.replace(ctx, b, reason)
	}
	k.publish(nil)
	k.set.tellFilters()
	return err
}

// keepProtocols gives up what a new incarnation has claimed that did not start.
func (k *keeper) keepProtocols() {
	if in := k.current(); k.kind == Talk && in != nil {
		k.set.protocols.keep(k, in.protocols)
	}
}

// reclaim takes protocols that the plugin serves and another one had in the meantime.
func (k *keeper) reclaim() error {
	in := k.current()
	if k.kind != Talk || in == nil {
		return nil
	}
	if err := k.set.protocols.claim(k, in.protocols); err != nil {
		return fmt.Errorf("plugins: %s: %w", k.id, err)
	}
	k.keepProtocols()
	return nil
}

// retire drains an incarnation in whose place another one serves.
func (k *keeper) retire(in *incarnation) {
	k.retired.Go(func() {
		k.finish(in, k.set.cfg.timing.drain)
		past := in.past()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.now.past.Add(past)
		k.now.retiring = slices.DeleteFunc(k.now.retiring, func(other *incarnation) bool { return other == in })
	})
}

// replaceExclusive is replace for a plugin of which no two may run: requests wait meanwhile.
func (k *keeper) replaceExclusive(ctx context.Context, b Block, old *incarnation, reason string) error {
	before := k.block
	k.handle(supervise.Drain, reason)
	k.serve(nil, true)
	k.finish(old, k.set.cfg.timing.drain)
	k.ended(old)
	k.handle(supervise.Ended, reason)
	k.block = b
	k.cut = false
	k.handle(supervise.Start, reason)
	err := k.try(ctx)
	if err == nil {
		return nil
	}
	k.block = before
	if k.ctx.Err() != nil || errors.Is(err, errInterrupted) {
		k.given()
		return err
	}
	if again := k.attempt(k.ctx, supervise.Revive, "the new one did not start: "+err.Error()); again != nil {
		k.serve(nil, false)
		k.expect()
		return fmt.Errorf("plugins: %s does not start any more: %w", k.id, errors.Join(err, again))
	}
	return fmt.Errorf("plugins: %s runs as it did before: %w", k.id, err)
}

// disable ends the plugin until it is enabled.
func (k *keeper) disable(reason string) error {
	k.off, k.cut = true, false
	if k.kind == Filter {
		k.leave() // its on_error is for one that fails
	}
	k.stop(reason, k.set.cfg.timing.drain)
	k.handle(supervise.Disable, reason)
	k.given()
	return nil
}

// restart starts a plugin that does not run, and replaces one that does by itself.
func (k *keeper) restart(ctx context.Context, reason string) error {
	if k.current() != nil {
		return k.replace(ctx, k.block, reason)
	}
	k.block.Disabled, k.anew = false, true
	return k.attempt(ctx, supervise.Revive, reason)
}

// remove ends the plugin and its keeper.
func (k *keeper) remove(reason string) error {
	k.stop(reason, k.set.cfg.timing.drain)
	if k.kind == Talk {
		k.set.protocols.keep(k, nil)
	}
	k.handle(supervise.Ended, reason)
	k.release()
	k.removed = true
	return nil
}
