package plugins

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/discv5/host/core"
)

// watched is a core.Watcher that tells one entry, or fails.
type watched struct {
	core.Store
	key  string
	err  error
	ends chan string
}

func (w watched) Watch(ctx context.Context, prefix []byte, changed func([]core.Entry)) error {
	if w.err != nil {
		return w.err
	}
	changed([]core.Entry{{Key: append(prefix, w.key...)}})
	<-ctx.Done()
	w.ends <- w.key
	return nil
}

func TestSlotWatchesWhoeverServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeSlot{newSlot[core.Store]("store.test")}
		ctx, cancel := context.WithCancel(context.Background())
		seen, ends, done := make(chan string, 10), make(chan string, 10), make(chan error, 1)
		go func() {
			done <- s.Watch(ctx, []byte("node/"), func(all []core.Entry) { seen <- string(all[0].Key) })
		}()
		serve := func(store core.Store) *holder[core.Store] {
			h := &holder[core.Store]{value: store}
			s.set(h, false)
			synctest.Wait()
			return h
		}
		expect := func(what string, from chan string, want string) {
			t.Helper()
			select {
			case got := <-from:
				if got != want {
					t.Errorf("%s %q, not %q", what, got, want)
				}
			default:
				t.Errorf("%s nothing, not %q", what, want)
			}
		}
		synctest.Wait() // nobody serves
		first := serve(watched{key: "a", ends: ends})
		expect("the watch told", seen, "node/a")
		first.drain(ctx) // a watch is nothing to wait for
		serve(watched{key: "b", ends: ends})
		expect("the watch ended of", ends, "a")
		expect("the watch told", seen, "node/b")
		serve(struct{ core.Store }{}) // one that does not watch
		expect("the watch ended of", ends, "b")
		s.set(nil, false)
		failed := errors.New("no")
		serve(watched{err: failed})
		if err := <-done; !errors.Is(err, failed) {
			t.Errorf("a watch that fails: %v", err)
		}
		cancel()
	})
}

func TestSlotWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := storeSlot{newSlot[core.Store]("store.test")}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Watch(ctx, nil, nil) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
}
