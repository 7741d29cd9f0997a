package daemon

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/nat"
	"github.com/hashicorp/go-hclog"
)

// router is a nat.Interface that maps everything to one address.
type router struct {
	external uint16
	internal atomic.Int64 // the port that was mapped
	deleted  atomic.Bool
}

func (r *router) AddMapping(_ string, _, internal int, _ string, _ time.Duration) (uint16, error) {
	r.internal.Store(int64(internal))
	return r.external, nil
}

func (r *router) DeleteMapping(string, int, int) error {
	r.deleted.Store(true)
	return nil
}

func (r *router) ExternalIP() (net.IP, error) { return net.IPv4(203, 0, 113, 9), nil }
func (r *router) String() string              { return "test router" }

func TestMappingGoesIntoTheRecord(t *testing.T) {
	node := listenLocal(t)
	events, err := node.Events(16)
	if err != nil {
		t.Fatal(err)
	}
	r := &router{external: 4242}
	m := startMapping(func() nat.Interface { return r }, node, hclog.NewNullLogger())
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	want := netip.MustParseAddrPort("203.0.113.9:4242")
	for {
		if at, ok := node.Self().UDPEndpoint(); ok && at == want {
			break
		}
		select {
		case <-events.C:
		case <-limit.C:
			t.Fatalf("the record is %v, and the mapping is at %v", node.Self(), want)
		}
	}
	if got := r.internal.Load(); got != int64(node.LocalAddrs()[0].Port()) {
		t.Errorf("port %d was mapped, and the node has %v", got, node.LocalAddrs())
	}
	if err := m.close(); err != nil || !r.deleted.Load() {
		t.Errorf("close: %v, mapping deleted: %t", err, r.deleted.Load())
	}
}

// Only the newest address counts when nobody has taken the ones before. Nothing blocks.
func TestMappingChanges(t *testing.T) {
	m := &mapping{found: make(chan netip.AddrPort, 1)}
	for _, port := range []uint16{1, 2, 3} {
		m.changed(netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), port))
	}
	if got := <-m.found; got.Port() != 3 {
		t.Errorf("of three addresses %v is left, want the newest", got)
	}
}
