package sdktest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/discv5/host/sdk"
)

// remote is a server in this process, and the plugins that use it, with one fault or none.
type remote struct {
	fault string

	mu     sync.Mutex
	store  *faultyStore
	saved  map[string]sdk.Entry // what a server has after a kill that loses something
	down   bool
	cut    int // bytes until a put breaks; negative: none does
	frozen chan struct{}
	delay  time.Duration
}

var errGone = errors.New("the server is gone")

func newRemote(fault string) *remote {
	return &remote{
		fault: fault, cut: -1,
		store: &faultyStore{entries: map[string]sdk.Entry{}, watching: map[chan []sdk.Entry]bool{}},
	}
}

func (r *remote) Kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if r.fault == "loses what it acknowledged" && r.saved != nil {
		r.store.entries = maps.Clone(r.saved)
	}
}

func (r *remote) Start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
}

func (r *remote) Cut(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = bytes
}

func (r *remote) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = make(chan struct{})
}

func (r *remote) Thaw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.frozen)
	r.frozen = nil
}

func (r *remote) Slow(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// reach waits for the server.
func (r *remote) reach(ctx context.Context) error {
	r.mu.Lock()
	down, frozen, delay := r.down, r.frozen, r.delay
	r.mu.Unlock()
	if delay > 0 {
		if r.fault == "is in a hurry" {
			return errGone
		}
		timer := time.NewTimer(delay)
		<-timer.C
	}
	if frozen != nil {
		select {
		case <-frozen:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if down {
		return errGone
	}
	return nil
}

// client is the plugin's side.
type client struct{ *remote }

func (c client) Put(ctx context.Context, entries []sdk.Entry) error {
	if err := c.reach(ctx); err != nil {
		if c.fault == "says that all is stored" {
			return nil
		}
		return err
	}
	c.mu.Lock()
	breaks := c.cut
	c.cut = -1
	c.mu.Unlock()
	if breaks >= 0 && len(entries) > 1 {
		_ = c.store.Put(ctx, entries[:len(entries)/2])
		if c.fault == "stores half a batch" {
			return nil
		}
		return errGone
	}
	if c.fault == "loses what it acknowledged" {
		c.store.mu.Lock()
		if c.saved == nil {
			c.saved = maps.Clone(c.store.entries)
		}
		c.store.mu.Unlock()
	}
	return c.store.Put(ctx, entries)
}

func (c client) Get(ctx context.Context, keys [][]byte) ([]sdk.Entry, error) {
	if err := c.reach(ctx); err != nil {
		return nil, err
	}
	return c.store.Get(ctx, keys)
}

func (c client) Scan(ctx context.Context, prefix, after []byte, limit int) ([]sdk.Entry, error) {
	if err := c.reach(ctx); err != nil {
		return nil, err
	}
	return c.store.Scan(ctx, prefix, after, limit)
}

func (c client) Delete(ctx context.Context, entries []sdk.Entry) error {
	if err := c.reach(ctx); err != nil {
		return err
	}
	return c.store.Delete(ctx, entries)
}

func (c client) Watch(ctx context.Context, prefix []byte, changed func([]sdk.Entry)) error {
	return watcher{c.store}.Watch(ctx, prefix, changed)
}

func (r *remote) plugin() sdk.Plugin {
	return &sdk.StorePlugin{
		Info: sdk.Info{Name: "remote", Version: "1"}, Store: client{r}, Durable: true, Shared: true,
		Start: func(ctx context.Context, _ *sdk.Host) error {
			if r.fault == "starts only with its server" {
				return r.reach(ctx)
			}
			return nil
		},
		Health: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			err := r.reach(ctx)
			switch r.fault {
			case "says that all is well":
				return nil
			case "wants to be started again":
				return err
			}
			return sdk.Degraded(err)
		},
	}
}

// Each part finds the fault that it is about.
func TestServerFaults(t *testing.T) {
	for _, test := range []struct{ fault, fails string }{
		{"starts only with its server", "down at the start"},
		{"says that all is well", "down at the start"},
		{"wants to be started again", "down at the start"},
		{"says that all is stored", "down at the start"},
		{"loses what it acknowledged", "killed"},
		{"stores half a batch", "cut in a batch"},
		{"says that all is well", "does not answer"},
		{"is in a hurry", "slow"},
	} {
		t.Run(test.fault, func(t *testing.T) {
			r := newRemote(test.fault)
			part := func(s *suiteRun) func(T) { return func(t T) { s.faults(t, r) } }
			if failed, report := failures(Source{New: r.plugin}, part, test.fails); len(failed) != 1 {
				t.Errorf("the part %q went well:\n%s", test.fails, report)
			}
		})
	}
}

func TestServerWithoutFault(t *testing.T) {
	r := newRemote("no")
	StoreFaults(t, Source{New: r.plugin}, r)
}
