package core

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/discv5/host/core/internal/netsim"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// accepting is a filter that looks at nothing.
type accepting struct{}

func (*accepting) Decide(_ context.Context, _ Stage, nodes []*enode.Node, out []Verdict) error {
	for i := range nodes {
		out[i].Decision = Accept
	}
	return nil
}

// BenchmarkFilterCached measures what a verdict costs that is known, and reports the memory of one beside its record.
func BenchmarkFilterCached(b *testing.B) {
	network := netsim.New(netsim.Config{})
	defer network.Close()
	n, err := Listen(Config{
		PrivateKey: newKey(b), NewKey: true, NoRefresh: true, Conns: []PacketConn{network.Listen(addrPort("198.51.100.1:30303"))},
		Filters: []FilterConfig{uniformly("f", &accepting{})},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	nodes := make([]*enode.Node, maxVerdicts)
	for i := range nodes {
		nodes[i] = unsigned(i, 1)
	}
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	for i, node := range nodes {
		if _, err := n.Add(node); err != nil {
			b.Fatal(err)
		}
		for i%1024 == 0 && n.FilterStats()[0].Waiting > 0 {
			runtime.Gosched()
		}
	}
	for n.FilterStats()[0].Waiting > 0 {
		runtime.Gosched()
	}
	each := float64(memory()-before) / float64(len(nodes))
	b.ReportAllocs()
	b.ResetTimer()
	n.turn(func(now time.Time) {
		for i := range b.N {
			n.filters.passes(now, StageServe, nodes[i%len(nodes)])
		}
	})
	b.ReportMetric(each, "B/verdict")
}
