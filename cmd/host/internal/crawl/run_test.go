package crawl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// asker answers as a function does, a tenth of a second later.
type asker func(addr netip.AddrPort) ([]*enode.Node, error)

func (a asker) FindNodeAt(ctx context.Context, _ *enode.Node, addr netip.AddrPort, _ []uint) ([]*enode.Node, time.Duration, error) {
	select {
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case <-time.After(100 * time.Millisecond):
	}
	nodes, err := a(addr)
	return nodes, 50 * time.Millisecond, err
}

func TestRunEnds(t *testing.T) {
	n := signed(t, keyOf(t, 1), 1, []string{"8.8.8.8:9000"})
	hang := asker(func(netip.AddrPort) ([]*enode.Node, error) { return nil, core.ErrBusy })
	for _, tt := range []struct {
		name  string
		asker asker
		stop  func(context.Context) (context.Context, context.CancelFunc)
		want  End
		took  time.Duration
	}{
		{"by itself", func(netip.AddrPort) ([]*enode.Node, error) { return nil, nil }, context.WithCancel, Complete, 800 * time.Millisecond},
		{"a silent node", func(netip.AddrPort) ([]*enode.Node, error) { return nil, core.ErrTimeout }, context.WithCancel, Complete, 10200 * time.Millisecond},
		{"at a deadline", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 5*time.Second)
		}, TimeOver, 5 * time.Second},
		{"by an interrupt", hang, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(3*time.Second, cancel)
			return ctx, cancel
		}, Interrupted, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tt.stop(t.Context())
				defer cancel()
				m := NewMachine(config())
				m.Add(time.Now(), n)
				ticks, start := 0, time.Now()
				r := Runner{Machine: m, Asker: tt.asker, Progress: func(time.Duration, Counts) { ticks++ }}
				end, err := r.Run(ctx)
				if took := time.Since(start); end != tt.want || err != nil || took.Round(10*time.Millisecond) != tt.took {
					t.Errorf("%q after %v, error %v; want %q after %v", end, took, err, tt.want, tt.took)
				}
				if ticks == 0 {
					t.Error("no progress was shown")
				}
			})
		})
	}
}

// What a run learned is in its state at the end, and a second run has nothing left to do.
func TestRunKeepsState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	a, b := signed(t, keyOf(t, 1), 1, []string{"8.8.8.8:9000"}), signed(t, keyOf(t, 2), 1, []string{"9.9.9.9:9000"})
	requests := 0
	run := func() Counts {
		state, saved, err := OpenState(path, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		m := NewMachine(config())
		if err := m.Restore(time.Now(), time.Hour, saved); err != nil {
			t.Fatal(err)
		}
		m.Add(time.Now(), a)
		r := Runner{Machine: m, State: state, Asker: countingAsker{&requests, b}}
		end, err := r.Run(t.Context())
		if err := errors.Join(err, state.Close()); err != nil || end != Complete {
			t.Fatalf("%q, %v", end, err)
		}
		return m.Counts()
	}
	first, asked := run(), requests
	second := run()
	if first.Alive != 2 || second.Alive != 2 || asked == 0 || requests != asked {
		t.Errorf("%+v after %d requests, then %+v after %d", first, asked, second, requests)
	}
}

// countingAsker tells of one node in every answer. It is used one request at a time.
type countingAsker struct {
	requests *int
	node     *enode.Node
}

func (c countingAsker) FindNodeAt(_ context.Context, n *enode.Node, _ netip.AddrPort, ds []uint) ([]*enode.Node, time.Duration, error) {
	if n.ID() == c.node.ID() {
		return nil, time.Millisecond, nil
	}
	*c.requests++
	return []*enode.Node{c.node}, time.Millisecond, nil
}

func TestReasonOf(t *testing.T) {
	for err, want := range map[error]Reason{
		core.ErrTimeout: Timeout, core.ErrInvalidResponse: Invalid, core.ErrNoAddress: NoAddress, core.ErrBusy: Overload, core.ErrClosed: Overload,
	} {
		if got := reasonOf(fmt.Errorf("ask: %w", err)); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}
