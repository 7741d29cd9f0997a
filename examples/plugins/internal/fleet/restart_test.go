package fleet

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/discv5/host/core"
	"github.com/discv5/host/sdk/pluginpb"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
	"google.golang.org/protobuf/proto"
)

// A host that starts without any bootstrap node is back within 10 s.
func TestRestartWithoutBootnodes(t *testing.T) {
	const nodes = 60
	peers := make([]*core.Node, nodes)
	for i := range peers {
		peers[i] = peer(t)
	}
	backends(t, false, func(t *testing.T, b *backend) {
		dir, key := t.TempDir(), newKey(t)
		h := b.host(t, dir, key, nil)
		for _, p := range peers {
			if _, err := h.Add(p.Self()); err != nil {
				t.Fatal(err)
			}
		}
		within(t, time.Minute, "the table is full", func() error {
			if _, verified := h.Len(); verified < nodes*8/10 {
				return fmt.Errorf("%d nodes are verified", verified)
			}
			return nil
		})
		within(t, 10*time.Second, "all is written", func() error {
			if s := h.StoreStats(); s.Waiting > 0 || !s.Loaded {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
		before := make(map[enode.ID]bool)
		for _, n := range h.Table().Nodes {
			if n.Verified {
				before[n.Node.ID()] = true
			}
		}
		h.stop(t)
		h = b.host(t, dir, key, func(c *core.Config) { c.NewKey = false })
		took := within(t, 10*time.Second, "90 % of the nodes are back", func() error {
			back := 0
			for _, n := range h.Table().Nodes {
				if n.Verified && before[n.Node.ID()] {
					back++
				}
			}
			if back*10 < len(before)*9 {
				return fmt.Errorf("%d of %d", back, len(before))
			}
			return nil
		})
		t.Logf("90 %% of %d verified nodes are back %v after the start", len(before), took.Round(time.Millisecond))
	})
}

// A large store is loaded in less than 2 s: 100,000 nodes are, on a machine that does nothing else.
func TestLoadsALargeStore(t *testing.T) {
	nodes := number(t, "FLEET_NODES", 10_000)
	entries := make([]core.Entry, 0, 2*nodes)
	seen := time.Now()
	for i := range nodes {
		entries = append(entries, stored(t, i, seen)...)
	}
	backends(t, false, func(t *testing.T, b *backend) {
		dir := t.TempDir()
		begin := time.Now()
		s := b.open(t, dir)
		for i := 0; i < len(entries); i += 1000 {
			if err := s.Put(context.Background(), entries[i:min(i+1000, len(entries))]); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		filled := time.Since(begin)
		h := b.host(t, dir, newKey(t), func(c *core.Config) { c.NoRefresh = true })
		took := within(t, 10*time.Second, "the store is loaded", func() error {
			if s := h.StoreStats(); !s.Loaded {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
		if took > 2*time.Second && nodes >= 100_000 {
			t.Errorf("a store of %d nodes is loaded after %v", nodes, took)
		}
		t.Logf("a store of %d nodes, filled in %v, is loaded %v after the start, with %d seeds", nodes, filled.Round(time.Millisecond), took.Round(time.Millisecond), h.StoreStats().Seeds)
	})
}

// stored is what a host stores of a node with a public address that nobody has.
func stored(t testing.TB, number int, seen time.Time) []core.Entry {
	t.Helper()
	var r enr.Record
	ip := netip.AddrFrom4([4]byte{byte(20 + number>>16), byte(number >> 8), byte(number), 9})
	r.Set(enr.IPv4Addr(ip))
	r.Set(enr.UDP(9000))
	r.SetSeq(uint64(number + 1))
	if err := enode.SignV4(&r, newKey(t)); err != nil {
		t.Fatal(err)
	}
	n, err := enode.New(enode.ValidSchemes, &r)
	if err != nil {
		t.Fatal(err)
	}
	record, err := rlp.EncodeToBytes(&r)
	if err != nil {
		t.Fatal(err)
	}
	node, err := proto.Marshal(&pluginpb.StoredNode{Record: record})
	if err != nil {
		t.Fatal(err)
	}
	contact, err := proto.Marshal(&pluginpb.StoredContact{Ip: ip.AsSlice(), Port: 9000, SeenMs: uint64(seen.UnixMilli())})
	if err != nil {
		t.Fatal(err)
	}
	expires := seen.Add(24 * time.Hour)
	return []core.Entry{
		{Key: []byte("node/" + n.ID().String()), Value: node, Version: n.Seq(), Expires: expires},
		{Key: []byte("seen/" + n.ID().String()), Value: contact, Version: uint64(seen.UnixMilli()), Expires: expires},
	}
}
