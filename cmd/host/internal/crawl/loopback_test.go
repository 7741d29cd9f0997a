package crawl

import (
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/discv5/host/cmd/host/internal/devnet"
	"github.com/discv5/host/core"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// loopbackNodes is the size of the network of TestLoopback; the variable makes it another one, to measure.
func loopbackNodes(t *testing.T) int {
	const variable = "CRAWL_TEST_NODES"
	text := os.Getenv(variable)
	if text == "" {
		return 60
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 {
		t.Fatalf("%s=%q is not a number from 10 on", variable, text)
	}
	return n
}

// A crawl of a real network finds the live nodes, also when a tenth of them has just died.
func TestLoopback(t *testing.T) {
	count := loopbackNodes(t)
	network, err := devnet.Start(t.Context(), count, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	waitFormed(t, network, count)

	wantFound(t, network, nil)
	dead := network.Records()[count-count/10:]
	if err := network.Stop(len(dead)); err != nil {
		t.Fatal(err)
	}
	wantFound(t, network, dead)
}

// waitFormed waits until half of the nodes have verified what their tables hold.
func waitFormed(t *testing.T, network *devnet.Network, count int) {
	t.Helper()
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	start, limit, grew, best := time.Now(), time.NewTimer(10*time.Minute), time.Now(), 0
	defer limit.Stop()
	for best < count*8/10 && (best < 30 || time.Since(grew) < 10*time.Second) {
		select {
		case <-pause.C:
		case <-limit.C:
			t.Fatalf("half of the nodes have verified %d others", best)
		}
		if m := network.MedianVerified(); m > best {
			best, grew = m, time.Now()
		}
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d nodes have formed after %v: half of them have verified %d others; %d MB", count, time.Since(start).Round(time.Second), best, mem.Sys>>20)
}

// wantFound crawls and wants 99.5 % of the network found alive, and none of the dead.
func wantFound(t *testing.T, network *devnet.Network, dead []*enode.Node) {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	node, err := core.Listen(core.Config{
		PrivateKey: key, NewKey: true, NoRefresh: true, BanInvalid: -1, ResponseTimeout: 2 * time.Second, Sessions: 16_384,
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	m := NewMachine(MachineConfig{Self: node.ID(), IPv4: true, Rate: 2000, Parallel: 300, MaxNodes: 10_000, RetryAfter: 3 * time.Second})
	records := network.Records()
	m.Add(time.Now(), records[0])
	start := time.Now()
	end, err := (&Runner{Machine: m, Asker: node}).Run(t.Context())
	if err != nil || end != Complete {
		t.Fatalf("end %q, error %v; want complete and none", end, err)
	}
	alive := make(map[string]bool)
	total := 0
	for r := range m.Results(nil) {
		alive[r.NodeID] = r.Alive
		total++
	}
	found := 0
	for _, r := range records {
		if alive["0x"+r.ID().String()] {
			found++
		}
	}
	c := m.Counts()
	t.Logf("%v: %d of %d live nodes found, %d dead ones told of; %d requests, %d timeouts",
		time.Since(start).Round(10*time.Millisecond), found, len(records), c.Dead, c.Requests, c.Timeouts)
	if found*1000 < len(records)*995 {
		t.Errorf("%d of %d live nodes were found, want 99.5 %%", found, len(records))
	}
	for _, d := range dead {
		if alive["0x"+d.ID().String()] {
			t.Errorf("dead node %v counts as alive", d.ID())
		}
	}
	if total != c.Known {
		t.Errorf("%d results of %d nodes", total, c.Known)
	}
}
