package fleet

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// What one of three hosts has verified, the others use within a second.
func TestThreeHostsShare(t *testing.T) {
	backends(t, true, func(t *testing.T, b *backend) {
		hosts := make([]*host, 3)
		for i := range hosts {
			hosts[i] = b.host(t, t.TempDir(), newKey(t), func(c *core.Config) { c.PingBack = 100 * time.Millisecond })
			within(t, 10*time.Second, "the store is loaded", func() error {
				if s := hosts[i].StoreStats(); !s.Loaded {
					return fmt.Errorf("%+v", s)
				}
				return nil
			})
		}
		watching(t, hosts)
		var times []time.Duration
		for i := range 7 {
			finder, p := hosts[i%len(hosts)], peer(t)
			if _, err := finder.Add(p.Self()); err != nil {
				t.Fatal(err)
			}
			within(t, 5*time.Second, "the finder has verified it", func() error { return uses(finder, p.ID()) })
			took := within(t, 5*time.Second, "all use it", func() error {
				for _, h := range hosts {
					if err := uses(h, p.ID()); err != nil {
						return err
					}
				}
				return nil
			})
			t.Logf("node %d: all use it %v after the first", i, took.Round(time.Millisecond))
			times = append(times, took)
		}
		slices.Sort(times)
		if median := times[len(times)/2]; median > time.Second {
			t.Errorf("all use a node %v after the first, and a second is allowed", median)
		}
		// A newer record goes round too, and stays the newest whoever writes.
		p := peer(t)
		if _, err := hosts[0].Add(p.Self()); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, "all use it", func() error {
			for _, h := range hosts {
				if err := uses(h, p.ID()); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 20 {
			if err := p.SetFields(context.Background(), "operator", map[string]any{"i": uint(i + 1)}); err != nil {
				t.Fatal(err)
			}
			if _, err := hosts[i%len(hosts)].Add(p.Self()); err != nil {
				t.Fatal(err)
			}
		}
		within(t, 5*time.Second, "all have the newest record", func() error {
			for i, h := range hosts {
				if n := h.Node.Node(p.ID()); n == nil || n.Seq() != p.Self().Seq() {
					return fmt.Errorf("host %d has %v, not %d", i, n, p.Self().Seq())
				}
			}
			return nil
		})
		s := b.open(t, t.TempDir())
		defer s.Close()
		within(t, 5*time.Second, "the store has the newest record", func() error {
			found, err := s.Get(context.Background(), [][]byte{[]byte("node/" + p.ID().String())})
			if err == nil && (len(found) != 1 || found[0].Version != p.Self().Seq()) {
				err = fmt.Errorf("it has %+v, not %d", found, p.Self().Seq())
			}
			return err
		})
	})
}

// watching waits until what one host stores reaches each other one.
func watching(t *testing.T, hosts []*host) {
	t.Helper()
	for i, finder := range hosts {
		within(t, 20*time.Second, "the hosts watch", func() error {
			p := peer(t)
			if _, err := finder.Add(p.Self()); err != nil {
				return err
			}
			timer := time.NewTimer(2 * time.Second)
			defer timer.Stop()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				missing := error(nil)
				for _, h := range hosts {
					if err := uses(h, p.ID()); err != nil {
						missing = err
					}
				}
				if missing == nil {
					return nil
				}
				select {
				case <-timer.C:
					return fmt.Errorf("from host %d on: %w", i, missing)
				case <-tick.C:
				}
			}
		})
	}
}

// uses tells whether a host has verified a node.
func uses(h *host, id enode.ID) error {
	for _, n := range h.Table().Nodes {
		if n.Node.ID() == id && n.Verified {
			return nil
		}
	}
	return fmt.Errorf("%s is not verified by %s", id.TerminalString(), h.ID().TerminalString())
}
